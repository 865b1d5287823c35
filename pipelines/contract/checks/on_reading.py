"""The checks that are met while files are read: data only, the code that meets them stands in the readers."""

from __future__ import annotations

from typing import Final

from pipelines.contract.checks.check import Check
from pipelines.contract.findings import Severity

CHECKS: Final = (
    # The folder.
    Check("file-missing", "Every file that a contract needs is there."),
    Check("file-name", "No file in policies/ or schemas/ has a name that is never read."),
    Check("file-link", "No symbolic link leads into or out of the folder."),
    Check("file-unreadable", "Every contract file is a regular file that can be read."),
    Check("file-size", "No file is larger than 1 MiB."),
    Check("file-encoding", "Every file is UTF-8."),
    # YAML.
    Check("yaml-empty", "No file is empty."),
    Check("yaml-syntax", "Every file is YAML 1.2."),
    Check("yaml-tab", "No file holds a tab."),
    Check("yaml-character", "No file holds a character that its reader does not see."),
    Check("yaml-directive", "No file holds a % directive."),
    Check("yaml-documents", "A file holds one document."),
    Check("yaml-depth", "Nothing is nested more than 64 deep."),
    Check("yaml-nodes", "No file holds more than 50,000 values."),
    Check("yaml-alias", "No file holds an alias."),
    Check("yaml-anchor", "No file holds an anchor."),
    Check("yaml-tag", "No file holds a tag."),
    Check("yaml-key", "Every key is a text."),
    Check("yaml-duplicate-key", "No key occurs twice in one mapping."),
    # Shapes that all files share.
    Check("wrong-shape", "Every value has the shape that its key takes: a mapping, a list or a single value."),
    Check("missing-key", "No key that is needed is missing."),
    Check("too-many", "No mapping has more entries than are read."),
    Check("unknown-key", "No key is unknown."),
    Check("bad-value", "Every value is of the kind and within the bounds that its key takes."),
    Check("answer-placeholder", "Every question about a purpose or a topic of the pipeline is answered, not put off."),
    # Raw schemas.
    Check("schema-json", "A schema is JSON."),
    Check("schema-type", "A schema uses only types that a contract may use."),
    Check("schema-union", "A union is null and one other type."),
    Check("schema-recursion", "No type contains itself."),
    Check(
        "schema-size", "A schema has at most 2,000 leaves, 48 levels and 512 characters to a path, its names resolved."
    ),
    Check("schema-class", "Every leaf has a class, and only leaves have one."),
    Check("schema-max-items", "Only an array field has max_items."),
    Check("schema-logical-type", "A logical type is on an Avro type that Avro allows for it."),
    Check("schema-foreign", "A schema has no attributes of other tools.", severity=Severity.WARNING),
    Check("schema-invalid", "The Avro library takes every schema."),
    # Policies.
    Check("policy-event", "A policy names the event type that its file's name says."),
    Check("policy-without-schema", "Every policy has a raw schema."),
    Check("view-empty", "A view has a rule."),
    Check("path-syntax", "Every path follows the grammar."),
    Check("path-twice", "No path occurs twice in one view or in `never`, however it is spelled."),
    Check("path-nested-array", "A path goes into one array at most."),
    Check("path-unknown", "Every rule's path leads to a field of the raw schema."),
    Check("type-disagreement", "The versions of a raw schema agree on the type of a field that a view uses."),
    Check("rule-shape", "A rule is one action, with its operand if it takes one."),
    Check("rule-action", "Every action is one of the table."),
    Check("rule-name", "`as` gives a field name."),
    Check("rule-operand", "An action's operand fits the field's type and the table's bounds."),
    Check("rule-pattern", "A pattern's strings can be counted out, and RE2 agrees on them."),
    Check("list-unknown", "Every list that a rule names exists."),
    Check("action-type", "Every action applies to the type of its field."),
    Check("max-items-missing", "Every array that a view goes into has max_items."),
    Check(
        "max-items-disagree", "The versions of a raw schema agree on the max_items of an array that a view goes into."
    ),
    Check("handle-in-array", "No handle is made of an array's items."),
    Check("name-clash", "No two outputs of a view have one name."),
    # Overlays.
    Check("overlay-unknown", "An overlay names only what the contract has."),
    # Topics.
    Check("topic-name", "A topic's name says what it is: raw.<source>.<event> or <category>.<purpose>."),
    Check("raw-consumers", "No raw topic has consumers."),
)
