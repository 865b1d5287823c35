import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from pipelines.broker import AdminClient, Cluster, NewTopic, Producer, records
from pipelines.broker.node import free_nodes
from tests.faults.proxy import Proxy
from tests.faults.wire import END_TXN, INIT_PRODUCER_ID, PRODUCE
from tests.support.kafka import delete_topics, flushed
from tests.support.names import unique
from tests.support.waiting import CALL_S, joined, until

CONCURRENT_TRANSACTIONS = 51
# Version 0, without a client's name.
API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 0, -1)


@pytest.fixture
def topic(direct: Cluster) -> Iterator[str]:
    name = unique("passed-on")
    assert direct.admin(timeout_s=CALL_S).create([NewTopic(name, 1, 1)]) == (name,)
    yield name
    delete_topics(direct, [name])


def values(cluster: Cluster, topic: str) -> list[bytes]:
    return [message.value() or b"" for message in records(cluster, topic)]


def transactional(cluster: Cluster, name: str) -> Producer:
    producer = cluster.producer(**{"transactional.id": name, "retry.backoff.ms": 1000, "retry.backoff.max.ms": 1000})
    producer.init_transactions(CALL_S)
    return producer


@contextlib.contextmanager
def answered(proxy: Proxy) -> Iterator[socket.socket]:
    """A connection that a request went through, so that the proxy has it; clients of earlier tests connect, too."""
    (port,) = proxy.ports
    with socket.create_connection(("127.0.0.1", port), CALL_S) as client:
        client.sendall(API_VERSIONS)
        answer = client.makefile("rb")
        (size,) = struct.unpack(">i", answer.read(4))
        assert len(answer.read(size)) == size
        yield client


def begin(producer: Producer, topic: str, value: bytes) -> None:
    producer.begin_transaction()
    producer.produce(topic, value)
    flushed(producer)


def test_bytes_pass_unchanged_both_ways(proxy: Proxy, through: Cluster, direct: Cluster, topic: str) -> None:
    sent = [os.urandom(size) for size in (1, 100, 10_000, 900_000) * 5]
    producer = through.producer()
    for value in sent:
        producer.produce(topic, value)
    flushed(producer)
    assert values(through, topic) == values(direct, topic) == sent
    assert proxy.passed[PRODUCE] > 0


def test_any_bytes_pass_unchanged_and_in_order() -> None:
    """Frames of every size, those that are no Kafka request apart from their length too."""
    listening = socket.create_server(("127.0.0.1", 0))
    (port,) = (node.port for node in free_nodes(1))
    frames = [b"\0\3" + os.urandom(8) + b"\0\0" + os.urandom(size) for size in range(0, 200_000, 7_001)]
    sent = b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames)
    with listening, Proxy({port: listening.getsockname()[1]}), socket.create_connection(("127.0.0.1", port)) as client:
        broker, _ = listening.accept()
        with broker:
            for source, sink in ((client, broker), (broker, client)):
                writing = threading.Thread(target=source.sendall, args=(sent,))
                writing.start()
                assert sink.makefile("rb").read(len(sent)) == sent
                joined(writing, "the sender")
            client.shutdown(socket.SHUT_WR)
            assert broker.recv(1) == b""


def test_a_held_commit_cuts_the_client_and_waits_for_its_delivery(
    proxy: Proxy, through: Cluster, direct: Cluster, topic: str
) -> None:
    name = unique("held-commit")
    producer = transactional(through, name)
    held = proxy.hold_end_txn(transactional_id=name)
    begin(producer, topic, b"first")
    started = time.monotonic()
    producer.commit_transaction(CALL_S)
    assert time.monotonic() - started > 0.4  # sent anew, and that is all the client shows of it
    assert held.taken.is_set()
    assert not held.answered.is_set()
    begin(producer, topic, b"second")
    assert values(direct, topic) == [b"first"]
    held.deliver()
    until(held.answered.is_set, "the broker's answer")
    assert held.error == 0
    assert values(direct, topic) == [b"first", b"second"]  # KAFKA-17754, as it is


def test_a_hold_is_for_one_transactional_id_and_for_commit_or_abort(proxy: Proxy, through: Cluster, topic: str) -> None:
    names = unique("one"), unique("other")
    one, other = (transactional(through, name) for name in names)
    abort = proxy.hold_end_txn(transactional_id=names[0], commit=False)
    commit = proxy.hold_end_txn(transactional_id=names[1])
    begin(one, topic, b"value")
    begin(other, topic, b"value")
    one.commit_transaction(CALL_S)
    assert not abort.taken.is_set()
    assert not commit.taken.is_set()
    other.commit_transaction(CALL_S)
    assert commit.taken.is_set()
    begin(one, topic, b"value")
    one.abort_transaction(CALL_S)
    assert abort.taken.is_set()
    assert (abort.request is not None, commit.request is not None) == (True, True)


def test_any_request_can_be_held(proxy: Proxy, through: Cluster, topic: str) -> None:
    held = proxy.hold(lambda request: request.api_key == INIT_PRODUCER_ID)
    producer = transactional(through, unique("held-init"))
    assert held.taken.is_set()
    begin(producer, topic, b"value")
    held.deliver()
    until(held.answered.is_set, "the broker's answer")
    assert held.error == CONCURRENT_TRANSACTIONS  # it fenced its own producer, whose transaction is being aborted


def test_a_delay_is_there_in_both_directions_and_ends(proxy: Proxy, through: Cluster) -> None:
    admin = AdminClient({"bootstrap.servers": through.bootstrap})
    admin.list_topics(timeout=CALL_S)
    proxy.delay(0.5)
    started = time.monotonic()
    admin.list_topics(timeout=CALL_S)
    assert time.monotonic() - started >= 1.0
    proxy.delay(0)
    # Sooner than with the delay is never so while it lasts, and on any machine some time when it is over.
    until(lambda: _seconds(lambda: admin.list_topics(timeout=CALL_S)) < 1.0, "an answer without the delay")


def _seconds(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def test_while_stalled_nothing_passes_and_afterwards_everything_does(
    proxy: Proxy, through: Cluster, direct: Cluster, topic: str
) -> None:
    producer = through.producer()
    producer.produce(topic, b"before")
    flushed(producer)
    with answered(proxy) as client:
        proxy.stall(True)
        producer.produce(topic, b"meanwhile")
        assert producer.flush(1) == 1
        assert values(direct, topic) == [b"before"]
        client.sendall(API_VERSIONS)
        client.settimeout(0.5)
        with pytest.raises(TimeoutError):  # open, and nothing comes
            client.recv(1)
    proxy.stall(False)
    flushed(producer)
    assert values(direct, topic) == [b"before", b"meanwhile"]


def test_cut_connections_are_gone_on_both_sides_and_clients_may_connect_anew(
    proxy: Proxy, through: Cluster, direct: Cluster, topic: str
) -> None:
    producer = through.producer()
    for number in range(20):
        producer.produce(topic, b"%d" % number)
        proxy.cut()
    flushed(producer)
    assert values(direct, topic) == [b"%d" % number for number in range(20)]


def test_a_stalled_connection_can_be_cut(proxy: Proxy) -> None:
    with answered(proxy) as client:
        proxy.stall(True)
        client.sendall(API_VERSIONS)
        proxy.cut()
        with contextlib.suppress(ConnectionError):
            assert client.recv(1) == b""


def test_connections_that_are_cut_while_they_are_taken_are_closed() -> None:
    """On both sides: neither the client nor the proxy keeps a socket that nobody carries anything for."""
    (port,) = (node.port for node in free_nodes(1))
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening, Proxy({port: listening.getsockname()[1]}) as proxy:

        def cut() -> None:
            while not ended.is_set():
                proxy.cut()

        cutting = [threading.Thread(target=cut) for _ in range(4)]
        for thread in cutting:
            thread.start()
        try:
            for _ in range(20):
                clients = [socket.create_connection(("127.0.0.1", port), CALL_S) for _ in range(30)]
                for client in clients:
                    with client, contextlib.suppress(ConnectionError):
                        assert client.recv(1) == b""
        finally:
            ended.set()
            for thread in cutting:
                joined(thread, "who cuts")


def test_a_connection_that_is_cut_while_it_ends_is_closed_on_the_brokers_side_too() -> None:
    """Its client has said all that it had to say and reads nothing, so what the broker sent cannot be delivered."""
    (port,) = (node.port for node in free_nodes(1))
    frame = (1 << 20).to_bytes(4, "big") + bytes(1 << 20)
    with socket.create_server(("127.0.0.1", 0)) as listening, Proxy({port: listening.getsockname()[1]}) as proxy:
        listening.settimeout(CALL_S)
        with socket.create_connection(("127.0.0.1", port), CALL_S) as client, listening.accept()[0] as broker:
            broker.settimeout(1.0)
            with contextlib.suppress(TimeoutError):
                while True:
                    broker.sendall(frame)
            client.shutdown(socket.SHUT_WR)
            time.sleep(1.0)  # for the proxy to begin with the end
            assert proxy.connections == 1
            proxy.cut()
            broker.settimeout(CALL_S)
            with contextlib.suppress(ConnectionError):
                assert broker.recv(1) == b""
            until(lambda: proxy.connections == 0, "no connection in the proxy")


def test_a_broker_that_is_away_cuts_the_client() -> None:
    port, nobody = (node.port for node in free_nodes(2))
    with Proxy({port: nobody}), socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(30)
        with contextlib.suppress(ConnectionError):
            assert client.recv(1) == b""


def test_nothing_is_left_open_after_the_stop(proxy: Proxy, through: Cluster, topic: str) -> None:
    threads = threading.active_count()
    (port,) = free_nodes(1)
    with Proxy({port.port: next(iter(proxy.ports))}) as second:
        producer = transactional(Cluster(through.bootstrap), unique("left-open"))
        held = second.hold_end_txn()
        client = socket.create_connection(("127.0.0.1", port.port))
        until(lambda: second.connections == 1, "the client's connection")
        begin(producer, topic, b"value")
        second.stall(True)
        second.delay(60)
        client.sendall(b"\0\0\0\x0c" + b"\0\3\0\0" + b"\0" * 8)
    client.close()
    assert not held.taken.is_set()
    assert not second.running
    assert second.connections == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port.port))
    assert threading.active_count() <= threads + 1
    assert END_TXN not in second.passed


def test_a_port_that_is_taken_is_said_and_leaves_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        proxy = Proxy({taken.getsockname()[1]: 1})
        with pytest.raises(OSError, match="in use"):
            proxy.start()
        assert not proxy.running
