"""Builds the images that the container tests use, ahead of need: `python -m tests.containers`."""

from tests.support.container_engine import pipelines, prometheus, startable_kafka

pipelines()
prometheus()
startable_kafka()
