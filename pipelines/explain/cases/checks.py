"""What a case file must hold, by id. Beside these, the checks of reading files hold for it (`yaml-…`, `missing-key` …).

They are apart from the contract's own: a case changes nothing that the relay does, so a mistake in one stops
`pipelines validate` and `pipelines test`, and never a worker.
"""

from __future__ import annotations

from typing import Final

from pipelines.contract.checks import BY_ID, Check
from pipelines.contract.findings import Finding
from pipelines.contract.report import Mistake

CHECKS: Final = (
    Check("case-event", "A case file stands beside a policy and names its event type."),
    Check("case-like", "A case that is `like` another names one that stands before it in the file."),
    Check(
        "case-field", "Every field that a case gives is one of the schema, and every one it expects one of the view."
    ),
    Check(
        "case-missing", "A case gives every field that may not be null, and says of every view and field what it is."
    ),
    Check("case-value", "Every value in a case is one of its field's type."),
    Check("case-view", "A case expects something of views of its event type alone."),
    Check("case-reason", "What a case expects in quarantine has a reason that there is, for a view or for the event."),
)
_BY_ID: Final = {**BY_ID, **{check.id: check for check in CHECKS}}


def as_finding(check: str, mistake: Mistake) -> Finding:
    """A mistake as a finding, with its check's severity."""
    return Finding(check, _BY_ID[check].severity, mistake.position, mistake.message, mistake.remedy)
