import pytest

from tests.support.container_engine import pipelines, prometheus, require_engine, startable_kafka


@pytest.fixture(scope="session")
def image() -> str:
    """The project's image, built from this checkout."""
    require_engine()
    return pipelines()


@pytest.fixture(scope="session")
def kafka_image() -> str:
    """Apache Kafka's image."""
    require_engine()
    return startable_kafka()


@pytest.fixture(scope="session")
def prometheus_image() -> str:
    """Prometheus' image, or one as good for these tests; promtool is in it."""
    require_engine()
    return prometheus()
