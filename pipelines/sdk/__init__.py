"""What the products' teams use: publish raw events of the contract, and know which of them Kafka took.

Nothing here logs, prints or raises a field's value, an identifier or a key.
"""

from pipelines.sdk.encoding import Misfit
from pipelines.sdk.leaving import UnacknowledgedError
from pipelines.sdk.raw_producer import RawProducer
from pipelines.sdk.report import Report, Unacknowledged

__all__ = ["Misfit", "RawProducer", "Report", "Unacknowledged", "UnacknowledgedError"]
