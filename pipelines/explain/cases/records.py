"""A view's record as a case writes it down: the fields of the record, a handle as one word."""

from __future__ import annotations

from typing import Final

from pipelines.contract.actions import Handle
from pipelines.contract.avro import Array, AvroType, Enum, Field, Nullable, Record
from pipelines.contract.findings import Position
from pipelines.contract.model import OutputArray, OutputField, View

HANDLE: Final = "handle"
"""What stands for every handle: a handle depends on a key, and no case knows one."""


def record_of(view: View) -> Record:
    """The record's type."""
    return Record(view.topic, tuple(_output(output) for output in view.output))


def _output(output: OutputField | OutputArray) -> Field:
    if isinstance(output, OutputField):
        return _field(output)
    items = Array(Record(output.item_name, tuple(_field(field) for field in output.fields)))
    return Field(output.name, Nullable(items) if output.nullable else items, Position(""))


def _field(output: OutputField) -> Field:
    avro_type: AvroType = output.type
    if isinstance(output.rule.action, Handle):
        word = Enum(HANDLE, (HANDLE,))
        avro_type = Nullable(word) if isinstance(output.type, Nullable) else word
    return Field(output.name, avro_type, output.rule.position)
