"""Envelope: what stands around a minimized value: CloudEvents headers, the record's time, and quarantine's notes.

Everything here that has to do with time comes from the floored time alone. No clock, no keys, no I/O.
"""

from pipelines.envelope.headers import Envelope, Headers
from pipelines.envelope.quarantine import Kind, Note, Notes, quarantine_record, quarantine_records, read_notes

__all__ = ["Envelope", "Headers", "Kind", "Note", "Notes", "quarantine_record", "quarantine_records", "read_notes"]
