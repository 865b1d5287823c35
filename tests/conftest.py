"""What several rooms' tests need: a real Kafka, topics that go away again, and Hypothesis' settings.

Asking for a fixture that starts one marks a test `broker`; `pytest -m "not broker"` needs no Java. `--kafka` says which
Kafka: tests that ask for `cluster` run on any, those that start, kill or reconfigure brokers on embedded ones alone.
"""

import os
from collections.abc import Iterator
from itertools import count

import hypothesis
import pytest

from pipelines.broker import Cluster, Door, EmbeddedKafka, NewTopic
from pipelines.broker.node import free_nodes
from tests.support.kafka import SHORT_TIMINGS, MakeTopic, delete_topics, running_kafka

pytest_plugins = ["tests.support.fixtures"]
_EMBEDDED = {"kafka", "kafka3", "kafka_with_a_door"}
_ANYWHERE = {"cluster", "make_topic"}
_ON_A_BROKER = _EMBEDDED | _ANYWHERE

hypothesis.settings.register_profile(
    "pipelines",
    max_examples=int(os.environ.get("PIPELINES_EXAMPLES", "200")),
    deadline=None,
    print_blob=True,
)
hypothesis.settings.load_profile("pipelines")


# The long ones, longest first: on two cores, what begins last should not be what takes longest.
_FIRST = (
    "end_to_end/test_main_job.py",
    "faults/test_faults.py",
    "demo/test_command.py",
    "tombs/",
    "end_to_end/",
    "relay/",
    "minimize/",
    "containers/test_deployment.py",
    "broker/",
)


def _rank(item: pytest.Item) -> int:
    path = item.path.as_posix()
    return next((rank for rank, part in enumerate(_FIRST) if part in path), len(_FIRST))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kafka",
        default="embedded",
        metavar="embedded|docker|HOST:PORT",
        help="The Kafka to test on: the embedded one, apache/kafka in a container, or one that runs. "
        "Give the latter the timings of tests/support/kafka.py. Topics of the tests' own are made and deleted there.",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=_rank)
    elsewhere = config.getoption("--kafka") != "embedded"
    for item in items:
        fixtures = set(item.fixturenames) if isinstance(item, pytest.Function) else set()
        if _ON_A_BROKER & fixtures:
            item.add_marker(pytest.mark.broker)
        on_its_own = item.get_closest_marker("broker") and (_EMBEDDED & fixtures or not _ANYWHERE & fixtures)
        if elsewhere and on_its_own:
            item.add_marker(pytest.mark.skip(reason="starts, kills or reconfigures an embedded broker"))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With PIPELINES_CONTAINERS=required a run in which no container test ran has failed."""
    reporter: pytest.TerminalReporter | None = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("PIPELINES_CONTAINERS") != "required" or hasattr(session.config, "workerinput") or not reporter:
        return
    reports = [report for outcome in ("passed", "failed") for report in reporter.stats.get(outcome, [])]
    if not any(report.when == "call" and "container" in report.keywords for report in reports):
        reporter.write_line("no container test ran, although there is an engine", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many random examples reached what their property is about; tests tell it as a property of theirs."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    told = {
        text
        for report in reports
        for name, text in getattr(report, "user_properties", ())
        if name == "random examples" and report.when == "call"
    }
    if told:
        terminalreporter.section("random examples")
    for text in sorted(told):
        terminalreporter.line(text)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """One broker for the whole session; a test that stops it starts it again."""
    yield from running_kafka(tmp_path_factory.mktemp("kafka"), brokers=1)


@pytest.fixture(scope="session")
def kafka3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """Three brokers, for what needs replicas and survivors."""
    yield from running_kafka(tmp_path_factory.mktemp("kafka3"), brokers=3)


@pytest.fixture(scope="session")
def kafka_with_a_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedKafka, Door]]:
    """One broker whose door tells its clients to stay with a proxy, which a test has to start."""
    door = Door(*(node.port for node in free_nodes(2)))
    for kafka in running_kafka(tmp_path_factory.mktemp("door"), brokers=1, doors={1: door}):
        yield kafka, door


@pytest.fixture(scope="session")
def elsewhere(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """The Kafka that `--kafka` names, when it is not the embedded one."""
    named = request.config.getoption("--kafka")
    if named == "docker":
        from tests.support.container_engine import require_engine, startable_kafka
        from tests.support.kafka_container import container

        require_engine()
        with container(startable_kafka(), SHORT_TIMINGS) as bootstrap:
            yield Cluster(bootstrap)
    else:
        found = Cluster(named)
        found.require()
        yield found


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """Some Kafka, for a test that asks no more of it than topics of its own."""
    if request.config.getoption("--kafka") == "embedded":
        kafka: EmbeddedKafka = request.getfixturevalue("kafka")
        return kafka.cluster
    found: Cluster = request.getfixturevalue("elsewhere")
    return found


@pytest.fixture
def make_topic(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[MakeTopic]:
    """Makes topics of one's own, by default with one partition, and deletes them after the test."""
    admin, made, numbers = cluster.admin(), list[str](), count()

    def make(name: str | None = None, *, partitions: int = 1, **configs: str) -> str:
        """Settings are given with underscores: `retention_ms="1000"`."""
        topic = name or f"{request.node.originalname.replace('_', '-')[:150]}.{next(numbers)}"
        settings = {key.replace("_", "."): value for key, value in configs.items()}
        assert admin.create([NewTopic(topic, partitions, 1, settings)]) == (topic,)
        made.append(topic)
        return topic

    yield make
    delete_topics(cluster, made)
