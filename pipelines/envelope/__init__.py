"""Envelope: what stands around a minimized value: CloudEvents headers, the record's time, and quarantine's notes.

Everything here that has to do with time comes from the floored time alone. No clock, no keys, no I/O.
"""

from pipelines.envelope.headers import Envelope, Headers
from pipelines.envelope.quarantine import Note, quarantine_record, read_note

__all__ = ["Envelope", "Headers", "Note", "quarantine_record", "read_note"]
