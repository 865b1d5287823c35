"""Whatever lies in a contract's folder, loading ends with findings: soon, and without an exception."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract import load
from pipelines.contract.reading import read
from pipelines.contract.report import Report
from tests.support.contract_folders import TODAY, edited, overlaid
from tests.support.hostile_text import HOSTILE, YAMLISH

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.cpu_seconds(30)  # the slowest takes 2 s on an idle machine; a hang is what is feared
def test_a_hostile_file_gives_findings_and_hides_no_others(text: str, tmp_path: Path) -> None:
    folder = edited(tmp_path, {"policies/purposes.yaml": ("rotate: 1d", "rotate: soon")})
    (folder / "topics.yaml").write_text(text)
    found = load(folder, as_of=TODAY).findings
    assert "topics.yaml" in {one.position.file for one in found}
    assert "policies/purposes.yaml" in {one.position.file for one in found}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.cpu_seconds(30)
def test_a_hostile_file_of_reviews_gives_findings_and_never_counts_as_no_file(text: str, tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    (folder / "policies/pipeline-topics.yaml").write_text(text)
    loaded = load(folder, as_of=TODAY)
    assert not loaded.valid
    assert "policies/pipeline-topics.yaml" in {one.position.file for one in loaded.findings}
    assert "pipeline-undeclared" not in {one.check for one in loaded.findings}


@pytest.mark.cpu_seconds(30)
def test_ten_megabytes_are_refused_unread(tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    (folder / "topics.yaml").write_bytes(b"[" * 10_000_000)
    found = [one for one in load(folder, as_of=TODAY).findings if one.position.file == "topics.yaml"]
    assert [one.check for one in found] == ["file-size"]


@pytest.mark.cpu_seconds(30)
def test_a_schema_that_doubles_at_every_name_is_refused_by_arithmetic(tmp_path: Path) -> None:
    nested = '{"type": "record", "name": "A0", "fields": [{"name": "x", "type": "int", "class": "metadata"}]}'
    for level in range(1, 20):
        nested = (
            f'{{"type": "record", "name": "A{level}", "fields": [{{"name": "a", "type": {nested}}}, '
            f'{{"name": "b", "type": "A{level - 1}"}}]}}'
        )
    folder = overlaid(tmp_path)
    (folder / "schemas/raw/vpn/session.v1.avsc").write_text(nested)
    assert "schema-size" in {one.check for one in load(folder, as_of=TODAY).findings}


def test_names_that_leave_the_folder_are_refused(tmp_path: Path) -> None:
    folder = overlaid(tmp_path / "contract")
    secret = tmp_path / "secret.yaml"
    secret.write_text("event: out-of-reach\n")
    (folder / "policies/vpn/secret.yaml").symlink_to(secret)
    (folder / "policies/away").symlink_to(tmp_path)
    (folder / "schemas/raw/vpn/up..session.v1.avsc").write_text("{}")
    found = {(one.check, one.position.file) for one in load(folder, as_of=TODAY).findings}
    assert ("file-link", "policies/vpn/secret.yaml") in found
    assert ("file-link", "policies/away") in found
    assert ("file-name", "schemas/raw/vpn/up..session.v1.avsc") in found
    assert not any("out-of-reach" in one.message for one in load(folder, as_of=TODAY).findings)


def test_a_pipe_in_place_of_a_file_does_not_stop_loading(tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    (folder / "topics.yaml").unlink()
    os.mkfifo(folder / "topics.yaml")
    assert "file-unreadable" in {one.check for one in load(folder, as_of=TODAY).findings}


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems refuse such names")
def test_a_file_name_that_cannot_be_printed_is_shown_escaped(tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    (folder / "policies/\x1b[31m.yaml").write_text("a: b\n")
    with open(os.fsencode(folder / "policies") + b"/\xff.yaml", "wb") as file:  # noqa: PTH123 - a name of bytes
        file.write(b"a: b\n")
    found = [one for one in load(folder, as_of=TODAY).findings if one.check == "file-name"]
    assert len(found) == 2
    assert all(f"{one.position}{one.message}".isprintable() for one in found)


def test_a_number_of_five_thousand_digits_is_a_mistake_with_its_place(tmp_path: Path) -> None:
    schema = "schemas/raw/vpn/session.v1.avsc"
    folder = edited(tmp_path, {schema: ('"name": "Session"', '"name": "Session", "digits": ' + "9" * 5_000)})
    (found,) = [one for one in load(folder, as_of=TODAY).findings if one.position.file == schema]
    assert (found.check, found.message) == ("schema-json", "A number of more than 4,300 digits.")
    line = (folder / schema).read_text().splitlines()[found.position.line - 1]
    assert line[found.position.column - 1 :].startswith("9" * 5_000)


@pytest.mark.parametrize("digits", ["9" * 5_000, "1." + "9" * 5_000])
def test_a_number_of_five_thousand_digits_in_place_of_any_number_raises_nothing(digits: str, tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    for path in [*folder.rglob("*.yaml"), *folder.rglob("*.avsc")]:
        whole = path.read_text()
        for found in re.finditer(r"(?<![\w.-])[0-9]+(?![\w.-])", whole):
            path.write_text(whole[: found.start()] + digits + whole[found.end() :])
            load(folder, as_of=TODAY)
        path.write_text(whole)


NAMES = [
    "topics.yaml",
    "policies/purposes.yaml",
    "policies/pipeline-topics.yaml",
    "policies/lists.yaml",
    "policies/vpn/session.yaml",
]
SCHEMA = "schemas/raw/vpn/session.v1.avsc"


@given(
    data=st.one_of(
        YAMLISH.map(str.encode),
        st.binary(max_size=80),
        st.text(max_size=60).map(lambda t: t.encode("utf-8", "replace")),
    )
)
def test_reading_any_bytes_gives_a_node_or_a_mistake(data: bytes) -> None:
    report = Report()
    node = read(data, "any.yaml", report)
    assert (node is None) == (len(report) > 0)


@given(name=st.sampled_from([*NAMES, SCHEMA]), cut=st.integers(0, 700), put=YAMLISH)
def test_text_put_anywhere_into_a_file_never_raises(
    name: str, cut: int, put: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "put"
    overlaid(folder)
    path = folder / name
    old = path.read_text()
    path.write_text(old[: cut % len(old)] + put + old[cut % len(old) :])
    for found in load(folder, as_of=TODAY).findings:
        assert str(found.position).isprintable()
        assert found.message.isprintable()
