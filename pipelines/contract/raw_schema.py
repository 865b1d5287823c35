"""Raw schemas: a producer's `.avsc`, as nodes, becomes resolved Avro types, or mistakes.

Only what a contract may use comes through: names are resolved, recursion, aliases, `null` alone, unions other than
null + one type, empty records and ill-fitting logical types are refused by name. Every leaf must say its class.
"""

from __future__ import annotations

import re
from typing import Final

from pipelines.contract.avro import (
    Array,
    AvroType,
    Enum,
    Field,
    FieldClass,
    Fixed,
    Map,
    Nullable,
    Primitive,
    Record,
    not_null,
)
from pipelines.contract.extents import MAX_LEAVES, MAX_NESTING, MAX_PATH, Extents
from pipelines.contract.logical import LOGICAL_ATTRIBUTES, logical_of
from pipelines.contract.node import Mapping, Node, Scalar, Sequence, kind
from pipelines.contract.report import Report, meant, shown
from pipelines.contract.section import Section, integer, items, text, word

MAX_ITEMS: Final = 65_536
MAX_FIXED: Final = 65_536
_PRIMITIVES: Final = ("boolean", "int", "long", "float", "double", "bytes", "string")
_COMPLEX: Final = ("record", "enum", "fixed", "array", "map")
FOREIGN: Final = re.compile(r"(?:connect|avro\.java|confluent)[.:][A-Za-z0-9_.:-]{1,64}", re.ASCII)
"""Attributes that Kafka Connect, Avro's Java library and Confluent's registry write into schemas."""
_SHOWN_FOREIGN: Final = 5
_SIMPLE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
_NAMESPACE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*", re.ASCII)
_CLASSES: Final = tuple(FieldClass)


def read_schema(node: Node, report: Report) -> Record | None:
    """The record that a schema file describes; None after a mistake."""
    before = len(report)
    reader = _Reader(report)
    top = reader.type(node, "")
    whole = len(report) == before
    if reader.foreign:
        shown_ = ", ".join(sorted(reader.foreign)[:_SHOWN_FOREIGN])
        more = " …" if len(reader.foreign) > _SHOWN_FOREIGN else ""
        what = f"Attributes of other tools: {shown_}{more}. They are harmless: nothing here reads them."
        report.add("schema-foreign", node.position, what, "Leave them, or remove them.")
    if top is not None and not isinstance(top, Record):
        report.add("schema-type", node.position, "A raw event is a record.", 'Write {"type": "record", …}.')
    return top if isinstance(top, Record) and whole else None


class _Reader:
    def __init__(self, report: Report) -> None:
        self._report = report
        self.foreign: set[str] = set()
        self._named: dict[str, AvroType | None] = {}
        self._extents = Extents()
        self._open: set[str] = set()  # names whose definition is being read: to meet one is recursion

    def type(self, node: Node, namespace: str) -> AvroType | None:
        """Any type: a name, a union, or a definition."""
        match node:
            case Scalar():
                return self._by_name(node, namespace)
            case Sequence():
                return self._union(node, namespace)
            case Mapping():
                return self._defined(node, namespace)

    def _by_name(self, node: Scalar, namespace: str) -> AvroType | None:
        name = node.text
        if name in _PRIMITIVES:
            return Primitive(name)  # type: ignore[arg-type] # membership was just tested
        if name == "null":
            self._refuse(node, "`null` alone says nothing.", 'Use a union: ["null", …], or remove the field.')
            return None
        if name in _COMPLEX:
            self._refuse(node, f"'{name}' must be a definition.", f'Write {{"type": "{name}", …}}.')
            return None
        for full in (name,) if "." in name or not namespace else (f"{namespace}.{name}", name):
            if full in self._open:
                self._report.add(
                    "schema-recursion", node.position, f"{shown(name)} contains itself.", "Unroll it to a fixed depth."
                )
                return None
            if full in self._named:
                return self._named[full]
        self._refuse(
            node, f"{shown(name)} is not a known type.{meant(name, (*_PRIMITIVES, *self._named))}", "Fix the name."
        )
        return None

    def _union(self, node: Sequence, namespace: str) -> AvroType | None:
        nulls = [isinstance(item, Scalar) and item.text == "null" for item in node.items]
        if len(nulls) != 2 or sum(nulls) != 1:  # noqa: PLR2004 - null and one type
            remedy = 'Write ["null", T]; give alternatives fields of their own.'
            self._refuse(node, "A union must be null and one other type.", remedy, "schema-union")
            return None
        other = node.items[nulls.index(False)]
        inner = self.type(other, namespace)
        if isinstance(inner, Nullable):
            self._refuse(other, "A union in a union.", 'Write ["null", T].', "schema-union")
            return None
        return None if inner is None else Nullable(inner, nulls.index(True))

    def _defined(self, node: Mapping, namespace: str) -> AvroType | None:
        section = Section(node, self._report)
        self._no_aliases(section)
        what = section.need("type")
        if what is None:
            return None
        if not isinstance(what, Scalar):
            self._refuse(what, f"A type's name belongs here, not {kind(what)}.", 'Write "type": "…"; do not nest.')
            return None
        match what.text:
            case "record":
                return self._record(section, namespace)
            case "enum":
                return self._enum(section, namespace)
            case "fixed":
                return self._fixed(section, namespace)
            case "array":
                inner = section.need("items")
                self._close(section)
                items_type = None if inner is None else self.type(inner, namespace)
                return None if items_type is None else Array(items_type)
            case "map":
                inner = section.need("values")
                self._close(section)
                values = None if inner is None else self.type(inner, namespace)
                return None if values is None else Map(values)
            case name if name in _PRIMITIVES:
                logical = logical_of(section, name, 0, self._report)
                self._close(section)
                return None if logical is None else Primitive(name, *logical)  # type: ignore[arg-type] # tested above
            case _:
                return self._by_name(what, namespace)

    def _record(self, section: Section, namespace: str) -> AvroType | None:
        name, inside = self._name(section, namespace)
        section.may("doc")
        listed = items(section.need("fields"), self._report)
        self._close(section)
        if name is not None:
            self._open.add(name)
        fields = [self._field(item, inside) for item in listed or ()]
        if listed is not None and not listed:
            self._refuse(section.node, "A record without fields.", "Give it a field, or remove it.")
        seen: set[str] = set()
        for field, item in zip(fields, listed or (), strict=True):
            if field is not None and field.name in seen:
                self._refuse(item, f"Two fields are called '{field.name}'.", "Rename one of them.")
            seen.add("" if field is None else field.name)
        if name is None:
            return None
        self._open.discard(name)
        whole = tuple(field for field in fields if field is not None)
        record = Record(name, whole) if whole and len(whole) == len(fields) else None
        self._named[name] = self._bounded(record, section)
        return self._named[name]

    def _bounded(self, record: Record | None, section: Section) -> Record | None:
        if record is None or (too_much := self._extents.too_much(record)) is None:
            return record
        remedy = f"At most {MAX_LEAVES:,} leaves, {MAX_NESTING} levels, {MAX_PATH} characters to a path."
        self._refuse(section.node, too_much, remedy, "schema-size")
        return None

    def _field(self, node: Node, namespace: str) -> Field | None:
        section = Section.of(node, "A field", self._report)
        if section is None:
            return None
        self._no_aliases(section)
        name = self._simple_name(section.need("name"))
        type_node = section.need("type")
        for allowed in ("default", "order"):
            section.may(allowed)
        doc = section.may("doc")
        class_node, bound, review = section.may("class"), section.may("max_items"), section.may("class_review")
        self._close(section)
        avro_type = None if type_node is None else self.type(type_node, namespace)
        class_ = word(class_node, _CLASSES, self._report)
        max_items = integer(bound, 1, MAX_ITEMS, self._report)
        reviewed = text(review, self._report)
        if avro_type is None or name is None:
            return None
        if bound is not None and not isinstance(not_null(avro_type), Array):
            self._report.add("schema-max-items", bound.position, "'max_items' belongs to an array field.", "Remove it.")
        if class_node is None and _wants_class(avro_type):
            remedy = f'Add "class": one of {", ".join(_CLASSES)}.'
            self._report.add("schema-class", section.node.position, f"The field '{name}' has no class.", remedy)
        if class_node is not None and not _wants_class(avro_type):
            remedy = "Remove it; class the record's own fields."
            self._report.add(
                "schema-class", class_node.position, f"'{name}' is a record: its leaves have classes.", remedy
            )
        if class_node is not None and class_ is None:
            return None
        classed, said = FieldClass(class_) if class_ else None, doc.text if isinstance(doc, Scalar) else ""
        return Field(name, avro_type, section.node.position, classed, max_items, reviewed, said)

    def _enum(self, section: Section, namespace: str) -> Enum | None:
        name, _ = self._name(section, namespace)
        section.may("doc")
        section.may("default")
        listed = items(section.need("symbols"), self._report)
        self._close(section)
        symbols = [self._simple_name(item) for item in listed or ()]
        if listed is not None and (not listed or len(set(symbols)) < len(symbols)):
            self._refuse(section.node, "An enum needs symbols, each once.", "List every symbol once.")
        known = tuple(symbol for symbol in symbols if symbol is not None)
        made = Enum(name, known) if name is not None and len(known) == len(symbols) > 0 else None
        if name is not None:
            self._named[name] = made
        return made

    def _fixed(self, section: Section, namespace: str) -> Fixed | None:
        name, _ = self._name(section, namespace)
        section.may("doc")
        size = integer(section.need("size"), 1, MAX_FIXED, self._report)
        logical = None if size is None else logical_of(section, "fixed", size, self._report)
        for attribute in LOGICAL_ATTRIBUTES:
            section.may(attribute)
        self._close(section)
        if name is None:
            return None
        made = None if size is None or logical is None else Fixed(name, size, *logical)
        self._named[name] = made
        return made

    def _name(self, section: Section, namespace: str) -> tuple[str | None, str]:
        """A definition's full name (Avro 1.12 "Names") and the namespace of what stands inside it."""
        node, space = section.need("name"), section.may("namespace")
        said = node.text if isinstance(node, Scalar) else ""
        inside = space.text if isinstance(space, Scalar) else namespace
        if "." in said:
            inside, _, said = said.rpartition(".")
        full = f"{inside}.{said}" if inside else said
        if node is None:
            return None, namespace
        if not _SIMPLE_NAME.fullmatch(said) or (inside and not _NAMESPACE.fullmatch(inside)) or len(full) > 256:  # noqa: PLR2004
            self._refuse(
                node, f"{shown(full)} is not a valid Avro name.", "Use letters, digits and _, with dots between parts."
            )
            return None, namespace
        if full in _PRIMITIVES or full in self._named or full in self._open:
            self._refuse(node, f"The name '{full}' is taken.", "Define a name once; refer to it by name.")
            return None, namespace
        return full, inside

    def _simple_name(self, node: Node | None) -> str | None:
        if node is None:
            return None
        if isinstance(node, Scalar) and _SIMPLE_NAME.fullmatch(node.text):
            return node.text
        said = shown(node.text) if isinstance(node, Scalar) else kind(node)
        self._refuse(node, f"{said} is not a valid Avro name.", "Use letters, digits and _, beginning with no digit.")
        return None

    def _close(self, section: Section) -> None:
        for key, _ in section.node:
            if FOREIGN.fullmatch(key.text):
                section.may(key.text)
                self.foreign.add(key.text)
        section.close()

    def _no_aliases(self, section: Section) -> None:
        if (aliases := section.may("aliases")) is not None:
            self._refuse(aliases, "Aliases are not resolved here.", "Remove them; add a new schema version instead.")

    def _refuse(self, node: Node, message: str, remedy: str, check: str = "schema-type") -> None:
        self._report.add(check, node.position, message, remedy)


def _wants_class(avro_type: AvroType) -> bool:
    """Whether a field of this type is a leaf to a reviewer: no record inside, or a map, whose keys need a class."""
    match avro_type:
        case Nullable(inner=inner) | Array(items=inner):
            return _wants_class(inner)
        case Record():
            return False
        case _:
            return True
