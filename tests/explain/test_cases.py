"""Cases beside policies: what is read and run, and that each kind of mistake is found, by place and not by value."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.contract.model import Contract
from pipelines.contract.reading import MAX_BYTES
from pipelines.explain.cases import Run, cover, read_cases, run_cases
from tests.support.case_files import CANARY, FILE, GOOD, TOPIC, contract_of, reading, running, with_cases
from tests.support.hostile_text import HOSTILE

ALIKE = [
    "elsewhere", "a number below the range", "a word that is not listed", "bytes that end too early",
    "bytes that are no event", "after the review",
]  # fmt: skip


def differences(runs: list[Run]) -> list[tuple[str, str, object, object]]:
    return [(run.case.name, one.field, one.expected, one.got) for run in runs for one in run.differences]


def test_cases_that_are_right_pass_and_exercise_every_action(tmp_path: Path) -> None:
    folder = with_cases(tmp_path)
    runs = running(folder)
    assert [run.passed for run in runs] == [True] * 7
    coverage = cover(contract_of(), runs)
    assert (coverage.actions, coverage.exercised, coverage.missing) == (8, 8, ())


@pytest.mark.parametrize(
    ("old", "new", "field", "expected", "got"),
    [
        ("bytes_up: 1024", "bytes_up: 0", "bytes_up", 0, 1024),
        ("        ok: true", "        ok: false", "ok", False, True),
        ("        region: eu-west", "        region: other", "region", "other", "eu-west"),
        ("T10:00:00Z", "T11:00:00Z", "occurred_at", "2026-06-01T11:00:00Z", "2026-06-01T10:00:00Z"),
        ("checks: [{id: boot}]", "checks: []", "checks", [], [{"id": "boot"}]),
        ("labels_tier: free", "labels_tier: null", "labels_tier", None, "free"),
        ("dns_names: 2", "dns_names: 3", "dns_names", 3, 2),
    ],
)
def test_a_wrong_value_is_found_at_its_field(
    tmp_path: Path, old: str, new: str, field: str, expected: object, got: object
) -> None:
    folder = with_cases(tmp_path, (old, new))
    first = running(folder)[0]
    assert [(one.topic, one.field, one.expected, one.got) for one in first.differences] == [
        (TOPIC, field, expected, got)
    ]
    line = (folder / FILE).read_text().splitlines()[first.differences[0].position.line - 1]
    assert line.lstrip().startswith(f"{field}:")


@pytest.mark.parametrize(
    ("old", "new", "expected", "got"),
    [
        (
            f"{TOPIC}: quarantined out_of_range at bytes_up",
            f"{TOPIC}: suspended",
            "suspended",
            "quarantined out_of_range at bytes_up",
        ),
        (
            "out_of_range at bytes_up",
            "not_listed at bytes_up",
            "quarantined not_listed at bytes_up",
            "quarantined out_of_range at bytes_up",
        ),
        (
            "out_of_range at bytes_up",
            "out_of_range at region",
            "quarantined out_of_range at region",
            "quarantined out_of_range at bytes_up",
        ),
        ("raw: {bytes_up: -1}", "raw: {bytes_up: 1}", "quarantined out_of_range at bytes_up", "out"),
        (f"{TOPIC}: suspended", f"{TOPIC}: {{ok: true}}", "out", "suspended"),
        (
            f"{TOPIC}: {{region: other, ok: false, bytes_up: null, checks: [{{id: other}}]}}",
            f"{TOPIC}: suspended",
            "suspended",
            "out",
        ),
        (
            "quarantined truncated at labels",
            "quarantined trailing_bytes",
            "quarantined trailing_bytes",
            "quarantined truncated at labels",
        ),
        ("damage: {cut: 1}", "damage: {append: 00}", "quarantined truncated at labels", "quarantined trailing_bytes"),
        (
            "views: quarantined not_single_object",
            f"views: {{{TOPIC}: suspended}}",
            "every view is looked at",
            "quarantined not_single_object",
        ),
        ("    damage: {cut: 1}\n", "", "quarantined truncated at labels", "every view is looked at"),
    ],
)
def test_another_fate_than_the_expected_one_is_found(
    tmp_path: Path, old: str, new: str, expected: object, got: object
) -> None:
    found = [(should, came) for _, field, should, came in differences(running(with_cases(tmp_path, (old, new))))]
    assert found == [(expected, got)]


@pytest.mark.parametrize(
    ("old", "new", "check", "text"),
    [
        ("        bytes_up: 1024\n", "", "case-missing", "'bytes_up' is missing in the view"),
        (
            f"    like: a session\n    at: 2029-01-01\n    views:\n      {TOPIC}: suspended",
            "    at: 2029-01-01\n    hex: c3",
            "case-missing",
            "what becomes of the view",
        ),
        ("device_id: handle", "device_id: null", "case-value", "'device_id' must be one of"),
        (
            f"{TOPIC}: suspended",
            f"{TOPIC}: suspended\n      network-metadata.suport: suspended",
            "case-view",
            "is not a view of vpn.session. Did you mean",
        ),
        (
            "        ok: true\n        bytes_up",
            "        okay: true\n        ok: true\n        bytes_up",
            "case-field",
            "no such field. Did you mean 'ok'?",
        ),
        ("      ok: true\n", "      oke: true\n      ok: true\n", "case-field", "no such field"),
        ("      ok: true\n", "      ok: maybe\n", "case-value", "'ok' must be true or false"),
        ("      ok: true\n", "      ok:\n", "case-value", "'ok' must be something"),
        ("bytes_up: 2048", "bytes_up: [1]", "case-value", "'bytes_up' must be one value, not a list"),
        ("bytes_up: 2048", f"bytes_up: {2**63}", "case-value", "'bytes_up' must be a whole number"),
        ("bytes_up: 2048", "bytes_up: " + "9" * 5_000, "case-value", "'bytes_up' must be a whole number"),
        ("      region: eu-west\n", "", "case-missing", "'region' is missing in the raw event"),
        ("    at: 2026-06-01T10:42:07Z\n", "", "missing-key", "'at' is missing"),
        ("at: 2026-06-01T10:42:07Z", "at: yesterday", "case-value", "'at' must be a time"),
        (
            "like: a session\n    raw: {region",
            "like: a sessoin\n    raw: {region",
            "case-like",
            "no such case before this one. Did you mean 'a session'?",
        ),
        ("quarantined truncated", "quarantined truncate", "case-reason", "Did you mean 'truncated'?"),
        ("quarantined truncated", "quarantined out_of_range", "case-reason", "not an outcome"),
        ("quarantined out_of_range", "quarantined truncated", "case-reason", "not an outcome"),
        (f"{TOPIC}: suspended", f"{TOPIC}: dropped", "case-reason", "not an outcome"),
        ("event: vpn.session", "event: vpn.sessions", "case-event", "not the event type that the file's name says"),
        ("    hex: c3", "    hex: xyz", "case-value", "'hex' must be hexadecimal"),
        ("    hex: c3", "    hex: c3\n    raw: {ok: true}", "bad-value", "`raw` or `hex`, not both"),
        ("damage: {cut: 1}", "damage: {cut: 100000}", "bad-value", "cuts more bytes than there are"),
        ("damage: {cut: 1}", "damage: {cat: 1}", "unknown-key", "'cat' is not a known key here. Did you mean 'cut'?"),
        ("    hex: c3", "    version: 2", "case-value", "no version 2"),
        (
            "  after the review:\n    like: a session",
            "  after the review:\n    lik: a session",
            "unknown-key",
            "Did you mean 'like'?",
        ),
        ("  after the review:", "  a session:", "yaml-duplicate-key", "stands twice"),
        ("labels: {tier: free", "labels: &a {tier: free", "yaml-anchor", "An anchor"),
        ("cases:", "case:", "missing-key", "'cases' is missing"),
        ("checks: [{id: boot, detail", "checks: [{detail", "case-missing", "'checks[].id' is missing in the raw event"),
    ],
)
def test_a_mistake_in_a_file_is_found_by_check_and_place(
    tmp_path: Path, old: str, new: str, check: str, text: str
) -> None:
    found = reading(with_cases(tmp_path, (old, new))).findings
    assert check in {one.check for one in found}
    assert any(text in one.message for one in found)
    assert all(one.position.file == FILE and one.position.line >= 1 for one in found)
    assert CANARY not in "".join(f"{one.message}{one.remedy}" for one in found)


@pytest.mark.parametrize(
    ("raw", "check"),
    [
        (f"labels: {{{CANARY}: free, {CANARY}: paid", "yaml-duplicate-key"),
        (f"labels: {{tier: !{CANARY}!x free", "yaml-syntax"),
        (f"labels: {{tier: !{CANARY} free", "yaml-tag"),
    ],
    ids=["a map's key twice", "a text that begins as a tag with a handle", "a text that begins as a tag"],
)
def test_a_raw_value_that_yaml_cannot_take_is_not_repeated(tmp_path: Path, raw: str, check: str) -> None:
    found = reading(with_cases(tmp_path, ("labels: {tier: free", raw))).findings
    assert {one.check for one in found} == {check}
    assert CANARY not in "".join(f"{one.message}{one.remedy}" for one in found)


def test_a_case_that_is_like_a_wrong_one_does_not_tell_its_mistakes_again(tmp_path: Path) -> None:
    found = reading(with_cases(tmp_path, ("      ok: true\n", "      ok: maybe\n")))
    assert len(found.findings) == 1
    assert not found.cases
    assert [name for _, name in found.not_run] == ALIKE


def test_a_case_like_one_with_a_gap_is_run_when_it_has_none_itself(tmp_path: Path) -> None:
    found = reading(with_cases(tmp_path, ("        dns_names: 2\n", "")))
    assert [one.check for one in found.findings] == ["case-missing"]
    assert "a session" in found.findings[0].message
    # These say what becomes of the whole view or event; `elsewhere` lacks what the first case lacks.
    assert [case.name for case in found.cases] == ALIKE[1:]
    assert found.not_run == (("vpn.session", ALIKE[0]),)


def test_every_case_is_run_or_said_not_to_be(tmp_path: Path) -> None:
    text = GOOD + "".join(f"  case {n}: {{like: {f'case {n - 1}' if n else 'a session'}}}\n" for n in range(17))
    for number, edit in enumerate(
        [("    at: 2026", "    at: soon 2026"), ("      ok: true\n", ""), ("like: case 3}", "like: none}")]
    ):
        found = reading(with_cases(tmp_path / str(number), edit, text=text))
        told = {one.message.partition("'")[2].partition("'")[0] for one in found.findings}
        assert len(found.findings) == 1
        assert {*told, *(case.name for case in found.cases), *(name for _, name in found.not_run)} == {
            "a session", *ALIKE, *(f"case {n}" for n in range(17))
        }  # fmt: skip


def test_a_wrong_case_leaves_the_others_to_be_run(tmp_path: Path) -> None:
    found = reading(with_cases(tmp_path, ("hex: c3", "hex: xyz")))
    assert len(found.findings) == 1
    assert len(found.cases) == 6


def test_a_file_beside_no_policy_is_found(tmp_path: Path) -> None:
    folder = with_cases(tmp_path)
    (folder / "policies/vpn/gone.cases.yaml").write_text("event: vpn.gone\ncases: {}\n")
    (found,) = reading(folder).findings
    assert (found.check, found.position.file) == ("case-event", "policies/vpn/gone.cases.yaml")


@pytest.mark.parametrize(
    "name", ["nested lists", "a laugh", "a bad escape", "half a pair", "nul", "documents", "tags", "colons"]
)
@pytest.mark.cpu_seconds(120)  # a hang is what is feared
def test_a_hostile_file_gives_findings_and_no_exception(name: str, tmp_path: Path) -> None:
    found = reading(with_cases(tmp_path, text=HOSTILE[name]))
    assert found.findings
    assert not found.cases


def test_a_bomb_of_aliases_is_refused_where_it_begins(tmp_path: Path) -> None:
    bomb = "event: vpn.session\na: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(50))
    found = reading(with_cases(tmp_path, text=bomb + "cases: *b49\n")).findings
    assert {"yaml-alias", "yaml-anchor"} <= {one.check for one in found}
    assert found[0].position.line == 2


def test_too_many_cases_and_a_file_too_large_are_refused(tmp_path: Path) -> None:
    many = GOOD + "".join(f"  case {n}: {{like: a session}}\n" for n in range(500))
    assert [one.check for one in reading(with_cases(tmp_path / "a", text=many)).findings] == ["too-many"]
    large = GOOD + "#" * MAX_BYTES
    assert [one.check for one in reading(with_cases(tmp_path / "b", text=large)).findings] == ["file-size"]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Contract]:
    folder = with_cases(tmp_path_factory.mktemp("cases"))
    return folder, contract_of()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_file_with_a_line_moved_or_a_word_changed_is_read_or_refused_but_nothing_else(
    small: tuple[Path, Contract], data: st.DataObject
) -> None:
    folder, contract = small
    lines = GOOD.splitlines()
    at = data.draw(st.integers(2, len(lines) - 1))
    line = lines.pop(at)
    word = data.draw(
        st.sampled_from(["", "null", "[]", "{}", "{a: b}", "-1", "1e400", "'", "NaN", "quarantined", "🙂"])
    )
    key, colon, _ = line.partition(": ")
    lines.insert(data.draw(st.sampled_from([at, 2, len(lines)])), f"{key}{colon or ':'} {word}")
    (folder / FILE).write_text("\n".join(lines))
    found = read_cases(folder, contract)
    assert found.findings or found.cases
    list(run_cases(contract, found.cases))


def test_every_mistake_of_a_case_is_told_at_once(tmp_path: Path) -> None:
    folder = with_cases(
        tmp_path, ("      ok: true\n", "      ok: maybe\n"), ("bytes_up: 2048", "bytes_up: x"), ("at: 2", "at: x")
    )
    assert len(reading(folder).findings) == 3


def test_an_action_that_no_case_exercises_is_told(tmp_path: Path) -> None:
    folder = with_cases(
        tmp_path,
        ("raw: {bytes_up: -1}", "raw: {bytes_up: 1}"),
        ("quarantined out_of_range at bytes_up", "{bytes_up: 0}"),
    )
    runs = running(folder)
    missing = cover(contract_of(), runs).missing
    assert [(line.field, line.action, line.deed) for line in missing] == [
        ("bytes_up", "bucket [0, 1024, 1048576]", "turns something away")
    ]
    without = cover(contract_of(), runs[3:])
    assert ("ok", "says something") in [(line.field, line.deed) for line in without.missing]


def test_a_limited_time_is_exercised_by_a_case_inside_and_one_outside(tmp_path: Path) -> None:
    far = f"""  a clock that is a year behind:
    like: a session
    raw: {{occurred_at: 2025-06-01T10:42:06Z}}
    views:
      {TOPIC}: {{occurred_at: null}}
"""
    missing = []
    for name, more in (("inside", ""), ("both", far)):
        folder = with_cases(tmp_path / name, text=GOOD + more)
        policy = folder / "policies/vpn/session.yaml"
        policy.write_text(policy.read_text().replace("{truncate: 1h}", "{truncate: {to: 1h, within: 72h}}"))
        contract = contract_of(folder)
        found = read_cases(folder, contract)
        assert found.findings == ()
        runs = list(run_cases(contract, found.cases))
        assert all(run.passed for run in runs)
        missing.append([(line.field, line.action, line.deed) for line in cover(contract, runs).missing])
    assert missing == [[("occurred_at", "truncate 1h within 3d", "turns something away")], []]


def test_a_case_that_fails_exercises_nothing(tmp_path: Path) -> None:
    folder = with_cases(tmp_path, ("bytes_up: null", "bytes_up: 0"))
    assert ("region", "turns something away") in [
        (line.field, line.deed) for line in cover(contract_of(), running(folder)).missing
    ]


OVERLAY = f"""description: tighter, for a test
views:
  vpn.session:
    {TOPIC}:
      ok: remove
      bytes_up: {{bucket: [0, 1MiB]}}
"""


def overlaid_runs(folder: Path, *edits: tuple[str, str]) -> list[Run]:
    with_cases(folder, *edits)
    (folder / "overlays").mkdir()
    (folder / "overlays/tight.yaml").write_text(OVERLAY)
    base = contract_of()
    return list(run_cases(contract_of(folder, "tight"), read_cases(folder, base).cases, base=base))


def test_under_an_overlay_what_it_leaves_alone_must_come_out_and_the_rest_is_not_compared(tmp_path: Path) -> None:
    assert [run.passed for run in overlaid_runs(tmp_path)] == [True] * 7


def test_under_an_overlay_a_wrong_value_that_it_leaves_alone_is_found(tmp_path: Path) -> None:
    assert differences(overlaid_runs(tmp_path, ("dns_names: 2", "dns_names: 4")))[0] == ("a session", "dns_names", 4, 2)


def test_under_an_overlay_nothing_comes_out_that_the_case_holds_back(tmp_path: Path) -> None:
    found = differences(overlaid_runs(tmp_path, ("raw: {bytes_up: -1}", "raw: {bytes_up: 1}")))
    assert found == [("a number below the range", "", "quarantined out_of_range at bytes_up", "out")]


def test_no_value_of_a_raw_event_is_in_a_difference(tmp_path: Path) -> None:
    views = f"    views:\n      {TOPIC}: {{region: eu-west, ok: true, bytes_up: 1, checks: []}}\n"
    text = GOOD.replace("views: quarantined not_single_object", "views: {}")
    text = text.replace("    hex: c3\n    views: {}\n", views)
    folder = with_cases(tmp_path, ("bytes_up: 1024", "bytes_up: 0"), ("region: other", "region: us-east"), text=text)
    told = differences(running(folder))
    assert len(told) > 3
    assert CANARY not in repr(told)
