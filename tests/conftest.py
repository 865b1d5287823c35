"""What tests of several packages need: a real Kafka, topics that go away again, and Hypothesis' settings.

Asking for a fixture that starts a broker marks a test `broker`; so does the marker `brokers(N)`, for a test that starts
N brokers by other means. `--kafka` says which Kafka: tests that ask for `cluster` run on any, those that start, kill or
reconfigure brokers on embedded ones alone. tests/support/brokers.py says who owns which broker.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import hypothesis
import pytest

from pipelines.broker import Cluster, Door, EmbeddedKafka, NewTopic
from pipelines.broker.node import free_nodes
from tests.support import alive, unsteady
from tests.support.brokers import Brokers, Kind, shared_broker
from tests.support.kafka import SHORT_TIMINGS, MakeTopic, delete_topics, guarded
from tests.support.long_run import LongRun
from tests.support.permits import BUDGET
from tests.support.scheduling import FileScheduling, on_three_brokers
from tests.support.waiting import CALL_S

pytest_plugins = ["tests.support.fixtures"]
_COUNTED = "PIPELINES_TEST_BROKERS_COUNTED"
_BROKERS = pytest.StashKey[Brokers]()
_SHARED = {"kafka", "cluster", "make_topic"}
_PRIVATE = {"private_kafka", "kafka_with_a_door"}
_ANYWHERE = {"cluster", "make_topic"}

hypothesis.settings.register_profile(
    "pipelines",
    max_examples=int(os.environ.get("PIPELINES_EXAMPLES", "200")),
    deadline=None,
    print_blob=True,
)
hypothesis.settings.load_profile("pipelines")


# Files of these come first among their like, longest first: on two cores, what begins last should not take longest.
_FIRST = (
    "minimize/",
    "end_to_end/test_main_job.py",
    "faults/test_faults.py",
    "demo/test_command.py",
    "end_to_end/",
    "topics/test_applying.py",
    "relay/",
    "containers/test_deployment.py",
    "faults/",
    "broker/",
)


def _order(items: list[pytest.Item]) -> Callable[[pytest.Item], tuple[bool, bool, int, bool]]:
    """Return a key to sort tests by: files on three brokers, files without a broker, which can run beside them, others.

    Neighbours that use a private cluster keep it alive.
    """
    on_brokers = {item.path for item in items if _needs(item) or _SHARED & _fixtures(item)}

    def key(item: pytest.Item) -> tuple[bool, bool, int, bool]:
        path = item.path.as_posix()
        rank = next((rank for rank, part in enumerate(_FIRST) if part in path), len(_FIRST))
        return not on_three_brokers(item.nodeid), item.path in on_brokers, rank, not _needs(item)

    return key


def _fixtures(item: pytest.Item) -> set[str]:
    return set(item.fixturenames) if isinstance(item, pytest.Function) else set()


def _needs(item: pytest.Item) -> int:
    """How many brokers a test has for itself alone."""
    if on_three_brokers(item.nodeid):
        return BUDGET
    marker = item.get_closest_marker("brokers")
    return max(int(marker.args[0]) if marker else 0, int(bool(_PRIVATE & _fixtures(item))))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kafka",
        default="embedded",
        metavar="embedded|docker|HOST:PORT",
        help="The Kafka to test on: the embedded one, apache/kafka in a container, or one that runs. "
        "Give the latter the timings of tests/support/kafka.py. Topics of the tests' own are made and deleted there.",
    )
    parser.addoption(
        "--record", type=Path, metavar="PAGE", help="Write the run's outcome, sizes and figures to this page."
    )


def pytest_configure(config: pytest.Config) -> None:
    """In the process that reports: count brokers, and give tests on a broker that failed a second attempt."""
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    config.pluginmanager.register(Controller(), "brokers of this run")
    if config.getoption("--record"):
        config.pluginmanager.register(LongRun(config.getoption("--record")), "record of this run")
    if unsteady.ALONE not in os.environ:
        config.pluginmanager.register(unsteady.Unsteady(unsteady.running_alone(config)), "unsteady tests")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> FileScheduling:
    return FileScheduling(config, log)


class Controller:
    """Ends the shared broker with the run, and fails a run that had more brokers at once than it may."""

    def __init__(self) -> None:
        self._left = frozenset[int]()
        self._ending = ExitStack()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        factory: pytest.TempPathFactory = session.config._tmp_path_factory
        run = factory.getbasetemp()
        # A pytest that a test starts here would take brokers of the run that it is part of for its own.
        folders = () if _COUNTED in os.environ else (session.config.rootpath, run)
        os.environ[_COUNTED] = "1"
        self._count = alive.BrokerCount(*folders)
        self._count.start()
        shared = shared_broker(run)
        self._ending.callback(shutil.rmtree, shared.folder, ignore_errors=True)
        self._ending.enter_context(guarded(shared))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        brokers_of(session.config).close()  # of a run without pytest-xdist
        self._ending.close()
        self._left = self._count.stop()
        if self._count.most > BUDGET or self._left:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        most, left = self._count.most, len(self._left)
        text = f"Kafka brokers: {most} alive at once at most (budget {BUDGET}), {left} left at the end"
        terminalreporter.write_line(text, red=most > BUDGET or left > 0)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=_order(items))
    elsewhere = config.getoption("--kafka") != "embedded"
    for item in items:
        fixtures, private = _fixtures(item), _needs(item)
        if private or _SHARED & fixtures:
            item.add_marker(pytest.mark.broker)
        own = item.get_closest_marker("broker") and (private or not _ANYWHERE & fixtures)
        if elsewhere and own and not item.get_closest_marker("container"):
            item.add_marker(pytest.mark.skip(reason="starts, kills or reconfigures an embedded broker"))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Wait for a test's brokers before its time limit begins; end the private cluster when the next test has none."""
    brokers = brokers_of(item.config)
    fixtures, embedded = _fixtures(item), item.config.getoption("--kafka") == "embedded"
    brokers.prepare(_needs(item), shared=embedded and bool(_SHARED & fixtures), keeps_cluster="broker_pool" in fixtures)
    result = yield
    if nextitem is None or not _needs(nextitem):
        brokers.close()
    return result


def brokers_of(config: pytest.Config) -> Brokers:
    """The brokers of this process; processes of one run share a folder for their permits."""
    if _BROKERS not in config.stash:
        factory: pytest.TempPathFactory = config._tmp_path_factory
        own = factory.getbasetemp()
        config.stash[_BROKERS] = Brokers(own.parent if hasattr(config, "workerinput") else own, own)
    return config.stash[_BROKERS]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With PIPELINES_CONTAINERS=required a run in which no container test ran has failed, but for a second attempt."""
    reporter: pytest.TerminalReporter | None = session.config.pluginmanager.get_plugin("terminalreporter")
    wanted = os.environ.get("PIPELINES_CONTAINERS") == "required" and unsteady.ALONE not in os.environ
    if not wanted or hasattr(session.config, "workerinput") or not reporter:
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
def broker_pool(pytestconfig: pytest.Config) -> Brokers:
    """The brokers of this process, for fixtures of private clusters."""
    return brokers_of(pytestconfig)


@pytest.fixture(scope="session")
def kafka(pytestconfig: pytest.Config) -> EmbeddedKafka:
    """The shared broker, for tests of which any may use it meanwhile: it may not be stopped, killed or reconfigured."""
    return brokers_of(pytestconfig).shared()


@pytest.fixture(scope="session")
def _single() -> Kind:
    return Kind("single", door=Door(*(node.port for node in free_nodes(2))))


@pytest.fixture
def private_kafka(broker_pool: Brokers, _single: Kind) -> Iterator[EmbeddedKafka]:
    """One broker for a test to kill, stop and reconfigure; with a door for clients that come through a proxy."""
    yield broker_pool.private(_single)
    broker_pool.private(_single)


@pytest.fixture
def kafka_with_a_door(private_kafka: EmbeddedKafka, _single: Kind) -> tuple[EmbeddedKafka, Door]:
    """The private broker and its door, which tells clients to stay with a proxy that a test has to start."""
    assert _single.door is not None
    return private_kafka, _single.door


@pytest.fixture
def kafka3(broker_pool: Brokers) -> Iterator[EmbeddedKafka]:
    """Three brokers for a test to kill and stop; only for modules named `test_three_brokers…`, which run first."""
    kind = Kind("three", 3)
    yield broker_pool.private(kind)
    broker_pool.private(kind)


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
    admin, made, numbers = cluster.admin(timeout_s=CALL_S), list[str](), count()

    def make(name: str | None = None, *, partitions: int = 1, **configs: str) -> str:
        """Settings are given with underscores: `retention_ms="1000"`."""
        topic = name or f"{request.node.originalname.replace('_', '-')[:150]}.{next(numbers)}"
        settings = {key.replace("_", "."): value for key, value in configs.items()}
        assert admin.create([NewTopic(topic, partitions, 1, settings)]) == (topic,)
        made.append(topic)
        return topic

    yield make
    delete_topics(cluster, made)
