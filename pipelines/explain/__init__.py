"""Explain: what a contract does with an event type, a field or a given event. Needs no broker and no lasting key.

Reads the contract and, for a trial, one event; prints nothing. What it says of a raw event is names and classes: a
value leaves this room only inside a minimized record.
"""

from pipelines.explain.plain import UNFIT_CODES, Unfit, encode, parse
from pipelines.explain.story import EventStory, FieldStory, Use, ViewStory, find_event, tell
from pipelines.explain.trial import MINIMIZING, READING, Bench, Incoming, Outgoing, Trial
from pipelines.explain.wording import duration

__all__ = [
    "MINIMIZING",
    "READING",
    "UNFIT_CODES",
    "Bench",
    "EventStory",
    "FieldStory",
    "Incoming",
    "Outgoing",
    "Trial",
    "Unfit",
    "Use",
    "ViewStory",
    "duration",
    "encode",
    "find_event",
    "parse",
    "tell",
]
