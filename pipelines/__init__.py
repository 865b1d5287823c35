"""Minimizes product telemetry on Kafka: only reduced, purpose-tagged, expiring events leave."""

__version__ = "0.1.0"
