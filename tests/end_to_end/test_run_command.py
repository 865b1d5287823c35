"""`pipelines run` as a process: when it refuses to start, how it ends, and what its metrics say."""

from __future__ import annotations

import signal
import socket
import time
import urllib.request
from collections import Counter
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipelines.broker import AdminClient, Cluster, TopicPartition
from pipelines.contract.model import DAY_MS
from pipelines.keys import LocalKeyEncryption, extend, migrate
from pipelines.minimize import compiled
from pipelines.relay.audit import behind, read_books
from pipelines.relay.books import Books, PartitionBook
from pipelines.trouble import Exit
from tests.support.commands import arguments, done, free_port, has_ended, run, running
from tests.support.kafka import alter, delete_topics
from tests.support.old_keyring import write_version_1
from tests.support.oracle import committed, differences, expect, reordered
from tests.support.planted import imported, plant, top_level_modules_of
from tests.support.relay_fixture import RelayFixture, build
from tests.support.relay_fixture import running as working
from tests.support.waiting import CALL_S, until

pytestmark = pytest.mark.broker


def refusal(house: RelayFixture, *more: str) -> tuple[int, str]:
    """How a `pipelines run` ends that does not start: its exit code, and what it says."""
    ended = run("run", *arguments(house, *more), cwd=house.folder)
    assert "supervisor.started" not in ended.stderr
    assert "Traceback" not in ended.stderr
    assert read_books(house.contract, house.cluster.admin(timeout_s=CALL_S)) == {}
    return ended.returncode, ended.stderr


def test_an_invalid_contract_is_refused_with_its_findings(house: RelayFixture) -> None:
    topics = house.folder / "topics.yaml"
    topics.write_text(topics.read_text().replace("producers: [probes]", "producers: [probes], consumers: [curious]"))
    exit_code, said = refusal(house)
    assert exit_code == Exit.FINDINGS
    assert "topics.yaml:2:" in said
    assert "pipelines validate" in said


def test_an_unknown_source_is_refused_with_the_sources_that_there_are(house: RelayFixture) -> None:
    exit_code, said = refusal(house, "nosuch")
    assert exit_code == Exit.USAGE
    assert "'nosuch'" in said
    assert house.source in said


def test_without_a_broker_it_is_refused_with_the_way_to_one(house: RelayFixture) -> None:
    ended = run("run", "--contract", str(house.folder), cwd=house.folder)
    assert ended.returncode == Exit.UNAVAILABLE
    assert "pipelines broker start" in ended.stderr


def test_a_broker_that_does_not_answer_is_named(house: RelayFixture) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    exit_code, said = refusal(house, "--bootstrap", nowhere)
    assert exit_code == Exit.UNAVAILABLE
    assert nowhere in said
    assert len(said.splitlines()) < 10


def test_without_a_keyring_it_is_refused_with_the_command_that_makes_one(house: RelayFixture) -> None:
    (house.folder / "keyring.json").unlink()
    exit_code, said = refusal(house)
    assert exit_code == Exit.UNAVAILABLE
    assert "pipelines keys init" in said


def test_without_a_key_for_now_it_is_refused_and_names_purpose_and_epoch(house: RelayFixture) -> None:
    (house.folder / "keyring.json").unlink()
    kek, now_ms = LocalKeyEncryption.open(house.folder / "kek"), int(time.time() * 1000)
    spent = {"first_ms": now_ms - 9 * DAY_MS, "last_ms": now_ms - 5 * DAY_MS}
    extend(house.folder / "keyring.json", kek, house.contract.purposes.values(), **spent)
    exit_code, said = refusal(house)
    assert exit_code == Exit.UNAVAILABLE
    assert f"probe-{house.source}" in said
    assert datetime.now(UTC).date().isoformat() in said
    assert "pipelines keys init" in said


@pytest.mark.parametrize(
    ("kind", "name", "value", "reason"),
    [
        ("raw", "message.timestamp.type", "CreateTime", "is CreateTime, not LogAppendTime"),
        ("minimized", "message.timestamp.type", "LogAppendTime", "is LogAppendTime, not CreateTime"),
        ("minimized", "retention.ms", str(72 * 3_600_000), "a record may stay"),
        ("raw", "retention.ms", "-1", "a record may stay forever, the promise is 1 d"),
    ],
)  # fmt: skip
def test_a_topic_that_breaks_its_promise_is_refused(
    house: RelayFixture, kind: str, name: str, value: str, reason: str
) -> None:
    topic = house.raw_topic if kind == "raw" else house.handled
    alter(house.cluster, topic, name, value)
    exit_code, said = refusal(house)
    assert exit_code == Exit.REFUSED
    assert f"{topic}: " in said
    assert reason in said
    assert "pipelines topics apply" in said


def test_a_missing_topic_is_refused(house: RelayFixture) -> None:
    delete_topics(house.cluster, [house.loose])
    exit_code, said = refusal(house)
    assert exit_code == Exit.REFUSED
    assert f"{house.loose}: there is no such topic" in said
    assert "pipelines topics apply" in said


def test_a_second_run_of_a_slot_is_refused_and_the_first_goes_on(house: RelayFixture) -> None:
    with running(*arguments(house), cwd=house.folder) as crew:
        crew.wait_until_said("worker.ready")
        second = run("run", *arguments(house), cwd=house.folder)
        assert second.returncode == Exit.REFUSED
        assert f"runs the slot minimizer.{house.source}." in second.stderr
        assert "--instance" in second.stderr
        assert crew.end() == Exit.DONE
        assert crew.said("consumer.replaced") == []


def test_a_run_its_workers_and_a_spare_import_nothing_from_the_contracts_folder(house: RelayFixture) -> None:
    noted = house.folder / "imported.txt"
    plant(house.folder, top_level_modules_of("pipelines.relay.process"), noted)
    assert done("validate", cwd=house.folder)
    with running(*arguments(house), cwd=house.folder) as crew:
        crew.wait_until_said("worker.ready")
        (worker,) = crew.workers()
        worker.kill()
        crew.wait_until_said("worker.ready", times=2)
        assert crew.end() == Exit.DONE
    assert imported(noted) == []


def test_a_port_for_metrics_that_is_taken_is_named(house: RelayFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        exit_code, said = refusal(house, "--metrics-port", str(port))
    assert exit_code == Exit.UNAVAILABLE
    assert f"127.0.0.1:{port}" in said


def test_sigterm_lets_it_finish_its_batches_and_leave(house: RelayFixture) -> None:
    house.publish([house.ping(number) for number in range(8_000)])
    with running(*arguments(house, "--workers", "2", "--batch-events", "10"), cwd=house.folder) as crew:
        crew.wait_until_said("worker.ready", times=2)
        until(lambda: events_in(house), "a first commit")
        workers = crew.workers()
        assert crew.end() == Exit.DONE
        assert len(workers) == 2
        assert all(has_ended(worker) for worker in workers)
        assert len(crew.said("worker.stopped")) == 2
        assert len(crew.said("worker.stopping", cause="signal")) == 2
        assert len(crew.said("supervisor.stopped", exit_code=0)) == 1
    nothing_is_half_done(house)
    the_rest_is_relayed(house)


def test_a_running_worker_keeps_its_keyring_from_being_migrated_and_works_with_the_migrated_one(
    house: RelayFixture,
) -> None:
    path, kek_file = house.folder / "keyring.json", house.folder / "kek"
    wanted = house.keyring.roots
    path.unlink()
    write_version_1(path, kek_file.read_bytes(), {each[:3]: sha256(repr(each).encode()).digest() for each in wanted})
    migrating = ("keys", "migrate", "--keyring", str(path), "--kek-file", str(kek_file))
    with running(*arguments(house), cwd=house.folder) as crew:
        crew.wait_until_said("worker.ready")
        ended = run(*migrating, "--bootstrap", house.cluster.bootstrap, cwd=house.folder)
        assert ended.returncode == Exit.REFUSED
        assert "a process on this machine uses the keyring" in ended.stderr
        assert crew.end() == Exit.DONE
    kek = LocalKeyEncryption.open(kek_file)
    assert migrate(path, kek, now_ms=int(time.time() * 1000)).kept
    with running(*arguments(house), cwd=house.folder) as crew:
        crew.wait_until_said("worker.ready")
        assert crew.end() == Exit.DONE


def test_workers_end_by_themselves_when_their_supervisor_is_killed(house: RelayFixture) -> None:
    house.publish([house.ping(number) for number in range(8_000)])
    with running(*arguments(house, "--workers", "2", "--batch-events", "10"), cwd=house.folder) as crew:
        crew.wait_until_said("worker.ready", times=2)
        until(lambda: events_in(house), "a first commit")
        workers = crew.workers()
        assert len(workers) == 2
        crew.end(signal.SIGKILL)
        until(
            lambda: all(has_ended(worker) for worker in workers),
            "the workers' end",
            progress=lambda: crew.log.stat().st_size,
        )
        assert len(crew.said("worker.stopping", cause="supervisor_gone")) == 2
        assert len(crew.said("worker.stopped")) == 2
    nothing_is_half_done(house)
    the_rest_is_relayed(house)


def events_in(house: RelayFixture) -> int:
    """How many events the commits cover."""
    return sum(book.events_in for book in read_books(house.contract, house.cluster.admin(timeout_s=CALL_S)).values())


def nothing_is_half_done(house: RelayFixture) -> None:
    """Some events are done and some are not, and what came out is what came of those that are, and of no other."""
    books = read_books(house.contract, house.cluster.admin(timeout_s=CALL_S))
    assert {partition: book.imbalances() for partition, book in books.items() if book.imbalances()} == {}
    assert 0 < behind(house.contract, house.cluster.admin(timeout_s=CALL_S), books) < 8_000
    expectation = expect(house.contract, house.cluster, house.keyring)
    minimized, notes = committed(house.contract, house.cluster)
    assert differences(expectation, minimized, notes).keys() == {"lost"}
    covered = {
        record
        for record, (topic, partition, offset) in expectation.origin.items()
        if (topic, partition) in books and offset < books[topic, partition].next_offset
    }
    assert {(record.topic, record.id) for record in minimized} == covered
    assert reordered(expectation, minimized) == 0


def the_rest_is_relayed(house: RelayFixture) -> None:
    """A new `pipelines run` goes on exactly where the last commit left off."""
    with running(*arguments(house, "--workers", "2"), cwd=house.folder, name="again") as crew:
        house.wait_until_through()
        assert crew.end() == Exit.DONE
    expectation = expect(house.contract, house.cluster, house.keyring)
    minimized, notes = committed(house.contract, house.cluster)
    assert differences(expectation, minimized, notes) == {}
    assert reordered(expectation, minimized) == 0
    assert events_in(house) == expectation.events.total() == 8_000


Labels = frozenset[tuple[str, str]]
Scrape = dict[tuple[str, Labels], float]


def labelled(**labels: str) -> Labels:
    return frozenset(labels.items())


def scraped(port: int) -> Scrape:
    """What the metrics endpoint says, by sample and labels."""
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=CALL_S).read().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def by_labels(scrape: Scrape, name: str) -> dict[Labels, float]:
    return {labels: value for (sample, labels), value in scrape.items() if sample == name}


def increases(before: Books, after: Books) -> Scrape:
    """What the counters must say that began when the books were `before`."""
    grown: Counter[tuple[str, Labels]] = Counter()
    for (raw_topic, partition), book in after.items():
        old = before.get((raw_topic, partition), PartitionBook(0))
        old.open_views(book.views)
        grown["pipelines_events_in_total", labelled(raw_topic=raw_topic)] += book.events_in - old.events_in
        grown["pipelines_offsets_gap_total", labelled(raw_topic=raw_topic)] += book.gap - old.gap
        for topic, view in book.views.items():
            was, labels = old.views[topic], labelled(raw_topic=raw_topic, topic=topic)
            grown["pipelines_records_out_total", labels] += view.out - was.out
            grown["pipelines_events_expired_total", labels] += view.expired - was.expired
            grown["pipelines_events_suspended_total", labels] += view.suspended - was.suspended
    return dict(grown)


def agreed(house: RelayFixture, port: int, before: Books) -> Scrape:
    """The metrics, once they say what the books say; a worker counts just after it has committed."""
    admin = house.cluster.admin(timeout_s=CALL_S)

    def both() -> tuple[Scrape, Scrape]:
        return increases(before, read_books(house.contract, admin)), scraped(port)

    def look() -> Scrape:
        expected, said = both()
        return said if expected.items() <= said.items() else {}

    try:
        return until(look, "metrics that agree with the books")
    except AssertionError:
        expected, said = both()
        assert {sample: said.get(sample) for sample in expected} == expected
        raise


def test_metrics_agree_with_the_books(tmp_path: Path, cluster: Cluster) -> None:
    house = build(tmp_path, cluster, late="1s")
    house.publish([house.ping(number) for number in range(30)], partition=0)
    with working(house.worker()):
        house.wait_until_through()
    house.publish([house.ping(number) for number in range(20)], partition=0)
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
    for future in admin.delete_records([TopicPartition(house.raw_topic, 0, 45)]).values():
        future.result(CALL_S)
    time.sleep(1.1)  # then they are too late for a view
    before, port = read_books(house.contract, cluster.admin(timeout_s=CALL_S)), free_port()
    with running(*arguments(house, "--metrics-port", str(port)), cwd=house.folder) as crew:
        house.wait_until_through()
        house.publish([house.ping(number) for number in range(500)] + [house.ping(4001), b"not avro", b""])
        house.wait_until_through()
        # Another producer under the slot's transactional id fences the worker's, as a process left over would.
        fencing = cluster.producer(**{"transactional.id": f"minimizer.{house.source}.test.0"})
        fencing.init_transactions(CALL_S)
        house.publish([house.ping(number) for number in range(100)])
        house.wait_until_through()
        metrics = agreed(house, port, before)
        caught_up = until(
            lambda: (said := scraped(port)) and by_labels(said, "pipelines_lag_events") == {raw(house): 0.0} and said,
            "a lag of nothing",
        )
        replaced = crew.said("producer.replaced")
        assert crew.end() == Exit.DONE
    counted = increases(before, read_books(house.contract, cluster.admin(timeout_s=CALL_S)))
    assert counted["pipelines_events_in_total", raw(house)] == 5 + 503 + 100
    assert counted["pipelines_offsets_gap_total", raw(house)] == 15
    assert counted["pipelines_events_expired_total", raw(house, house.handled)] >= 5
    assert counted["pipelines_records_out_total", raw(house, house.loose)] == 5 + 501 + 100
    _, notes = committed(house.contract, cluster)
    reasons = Counter(raw(house, reason=orjson.loads(note)["code"]) for note in notes)
    assert len(reasons) >= 1
    assert by_labels(metrics, "pipelines_events_quarantined_total") == reasons
    replacements = by_labels(metrics, "pipelines_producer_replacements_total")
    assert sum(replacements.values()) == len(replaced) >= 1
    assert {labelled(source=house.source, reason=line["reason"]) for line in replaced} <= replacements.keys()
    assert by_labels(caught_up, "pipelines_lag_seconds") == {raw(house): 0.0}
    assert by_labels(caught_up, "pipelines_build_info") == {labelled(walk="compiled" if compiled() else "pure"): 1.0}
    source = labelled(source=house.source)
    batches, commits = (
        metrics["pipelines_batch_seconds_count", source],
        metrics["pipelines_commit_seconds_count", source],
    )
    assert batches == commits >= 3
    assert metrics["pipelines_batch_seconds_sum", source] > metrics["pipelines_commit_seconds_sum", source] > 0


def raw(house: RelayFixture, topic: str = "", **more: str) -> Labels:
    return labelled(raw_topic=house.raw_topic, **({"topic": topic} if topic else {}), **more)


def test_metrics_tell_of_keys_and_reviews_and_of_what_a_review_that_ended_holds_back(
    tmp_path: Path, cluster: Cluster
) -> None:
    house = build(tmp_path, cluster, review_expires="2026-11-03")
    port = free_port()
    house.publish([house.ping(number) for number in range(50)])
    began_ms = int(time.time() * 1000)
    with running(*arguments(house, "--metrics-port", str(port)), cwd=house.folder) as crew:
        house.wait_until_through()
        metrics = agreed(house, port, {})
        now_ms = int(time.time() * 1000)
        assert crew.end() == Exit.DONE
        assert len(crew.said("review.expired", purpose=f"probe-{house.source}")) == 1
    assert metrics["pipelines_events_suspended_total", raw(house, house.handled)] == 50
    assert metrics["pipelines_records_out_total", raw(house, house.loose)] == 50
    purposes = house.contract.purposes
    reviews = {name: purpose.review for name, purpose in purposes.items() if purpose.review}
    expiries = {labelled(purpose=name): review.expires_ms / 1000 for name, review in reviews.items()}
    assert by_labels(metrics, "pipelines_review_expiry_timestamp_seconds") == expiries
    runways = by_labels(metrics, "pipelines_key_runway_seconds")
    assert runways.keys() == expiries.keys()
    for name, purpose in purposes.items():
        left_s = house.keyring.runway_ms(purpose, now_ms) / 1000
        at_its_start_s = house.keyring.runway_ms(purpose, began_ms) / 1000
        assert left_s <= runways[labelled(purpose=name)] <= at_its_start_s
