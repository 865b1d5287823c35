import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.broker import AdminClient, Cluster, Door, EmbeddedKafka, NewTopic, TopicPartition, embedded, find_running
from pipelines.broker.node import Node, free_nodes, settings
from pipelines.trouble import Exit, Trouble
from tests.support.kafka import flushed
from tests.support.waiting import CALL_S

pytestmark = pytest.mark.brokers(1)
MakeTopic = Callable[..., str]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[EmbeddedKafka]:
    kafka = EmbeddedKafka(tmp_path / "broker")
    yield kafka
    kafka.stop()


def test_starting_what_runs_changes_nothing(kafka: EmbeddedKafka) -> None:
    before = kafka.pids(), kafka.bootstrap
    kafka.start()
    EmbeddedKafka(kafka.folder).start()
    assert (kafka.pids(), kafka.bootstrap) == before


def test_a_running_broker_is_found_by_its_folder(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    found = find_running(kafka.folder)
    assert found is not None
    assert found.bootstrap == kafka.bootstrap
    assert find_running(tmp_path) is None


def test_it_starts_stops_and_keeps_its_topics(own: EmbeddedKafka) -> None:
    own.start()
    own.cluster.admin().create([NewTopic("kept", 1, 1)])
    first = own.cluster.admin().topics()["kept"]
    assert own.stop()
    assert not own.is_running()
    assert find_running(own.folder) is None
    assert own.stop()
    own.start()
    assert own.cluster.admin().topics() == {"kept": first}


def test_a_broker_that_was_killed_starts_again_without_losing_what_it_acknowledged(own: EmbeddedKafka) -> None:
    own.start()
    own.cluster.admin().create([NewTopic("kept", 1, 1)])
    producer = own.cluster.producer()
    producer.produce("kept", b"value")
    flushed(producer)
    own.kill(1)
    assert own.pids() == {1: None}
    own.restart(1)
    assert own.cluster.admin().offsets([("kept", 0)], "latest")["kept", 0].offset == 1


def test_a_recycled_process_id_is_not_taken_for_the_broker(tmp_path: Path, kafka: EmbeddedKafka) -> None:
    other = tmp_path / "broker"
    (other / "node-1").mkdir(parents=True)
    (other / "cluster.json").write_text((kafka.folder / "cluster.json").read_text())
    recorded = {"pid": os.getpid(), "started": "another boot:1"}
    (other / "node-1" / "process.json").write_text(json.dumps(recorded))
    stopped = EmbeddedKafka(other)
    assert not stopped.is_running()
    assert stopped.stop()


def test_it_listens_on_the_loopback_interface_whatever_is_set(kafka: EmbeddedKafka) -> None:
    node = Node(1, 9, 10)
    wanted = settings(node, [node], "data", {"listeners": "PLAINTEXT://0.0.0.0:9"})
    assert wanted["listeners"] == "PLAINTEXT://127.0.0.1:9,CONTROLLER://127.0.0.1:10"
    host, port = kafka.bootstrap.split(":")
    assert host == "127.0.0.1"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", int(port)), timeout=5)


def test_settings_reach_the_broker(kafka: EmbeddedKafka) -> None:
    configs = kafka.cluster.admin(timeout_s=CALL_S).broker_configs()[1]
    assert configs["group.min.session.timeout.ms"] == "500"
    assert configs["auto.create.topics.enable"] == "false"


def test_clients_that_come_in_by_a_door_are_told_to_stay_with_it(tmp_path: Path) -> None:
    door, proxy = (node.port for node in free_nodes(2))
    kafka = EmbeddedKafka(tmp_path / "kafka", doors={1: Door(port=door, advertised_port=proxy)})
    try:
        kafka.start()
        main = AdminClient({"bootstrap.servers": kafka.bootstrap}).list_topics(timeout=CALL_S)
        assert {broker.port for broker in main.brokers.values()} == {int(kafka.bootstrap.split(":")[1])}
        # Nothing listens at the advertised port, so the answer is all that this client gets.
        by_door = AdminClient({"bootstrap.servers": f"127.0.0.1:{door}", "log_level": 0}).list_topics(timeout=CALL_S)
        assert {(broker.host, broker.port) for broker in by_door.brokers.values()} == {("127.0.0.1", proxy)}
    finally:
        kafka.stop()


def test_ports_are_kept_while_they_are_free_and_changed_when_one_is_not() -> None:
    nodes = free_nodes(3)
    assert free_nodes(3, nodes) == nodes
    with socket.create_server(("127.0.0.1", nodes[1].controller_port)):
        assert free_nodes(3, nodes) != nodes


def test_a_folder_with_a_cluster_of_another_size_is_left_alone(kafka: EmbeddedKafka) -> None:
    with pytest.raises(Trouble, match="holds a cluster of 1") as refused:
        EmbeddedKafka(kafka.folder, 3).start()
    assert refused.value.exit_code == Exit.USAGE


def test_a_node_that_ends_while_it_starts_is_said_with_its_log(tmp_path: Path) -> None:
    kafka = EmbeddedKafka(tmp_path / "broker", settings={"num.io.threads": "none"})
    with pytest.raises(Trouble) as failed:
        kafka.start()
    assert str(tmp_path / "broker" / "node-1" / "log") in failed.value.hint
    assert "num.io.threads" in (tmp_path / "broker" / "node-1" / "log").read_text()


def test_a_transaction_commits_records_and_offsets_with_their_text(cluster: Cluster, make_topic: MakeTopic) -> None:
    source, target = make_topic(), make_topic()
    producer = cluster.producer(**{"transactional.id": target})
    consumer = cluster.consumer(**{"group.id": target, "auto.offset.reset": "earliest"})
    consumer.subscribe([source])
    while not consumer.assignment():
        consumer.poll(0.1)
    producer.init_transactions(CALL_S)
    producer.begin_transaction()
    producer.produce(target, b"value")
    producer.send_offsets_to_transaction(
        [TopicPartition(source, 0, 7, "counts")], consumer.consumer_group_metadata(), 30
    )
    producer.commit_transaction(CALL_S)
    consumer.close()
    found = cluster.admin(timeout_s=CALL_S).committed(target, [(source, 0)])
    assert found[source, 0].offset == 7
    assert found[source, 0].metadata == "counts"


def test_a_group_can_be_asked_for_before_its_coordinator_is_there(own: EmbeddedKafka) -> None:
    own.start()
    own.cluster.admin().create([NewTopic("source", 1, 1)])
    # In a process of its own: an admin client's request for a group's offsets ends the process here.
    ask = f"import sys; from pipelines.broker import Cluster; admin = Cluster(sys.argv[1]).admin(timeout_s={CALL_S})"
    ask += "; print(admin.committed('group', [('source', 0)]))"
    asked = subprocess.run([sys.executable, "-c", ask, own.bootstrap], capture_output=True, text=True, check=False)
    assert (asked.returncode, asked.stdout, asked.stderr) == (0, "{}\n", "")


def test_a_cluster_id_never_looks_like_an_option() -> None:
    ids = [embedded._new_cluster_id() for _ in range(1000)]
    assert not [text for text in ids if text.startswith("-")]
    assert len(set(ids)) == 1000
    assert {len(text) for text in ids} == {22}
