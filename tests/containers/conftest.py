import pytest
from filelock import FileLock

from tests.containers.engine import ROOT, build, prometheus, require_engine, startable_kafka

IMAGE = "telemetry-pipelines:tests"


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The project's image, built from this checkout."""
    require_engine()
    with FileLock(tmp_path_factory.getbasetemp().parent / "image.lock"):  # built once, then found in the cache
        build(IMAGE, ROOT, "--build-arg", "REVISION=tests")
    return IMAGE


@pytest.fixture(scope="session")
def kafka_image() -> str:
    """Apache Kafka's image."""
    require_engine()
    return startable_kafka()


@pytest.fixture(scope="session")
def prometheus_image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Prometheus' image, or one as good for these tests; promtool is in it."""
    require_engine()
    with FileLock(tmp_path_factory.getbasetemp().parent / "prometheus.lock"):
        return prometheus()
