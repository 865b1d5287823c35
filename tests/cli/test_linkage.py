"""`pipelines linkage`: the matrix, the pairs behind it, the picture, and what a matcher makes of it."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from xml.etree import ElementTree as ET

import orjson
import pytest
from click.testing import CliRunner, Result

from pipelines.cli.app import pipelines
from pipelines.contract import load
from pipelines.explain.heatmap import heatmap
from pipelines.trouble import Exit, Trouble
from tests.support.contract_folders import TODAY, overlaid

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LINKAGE = "policies/linkage.yaml"


def run(*arguments: str) -> Result:
    arguments = ("linkage", *arguments, "--contract", str(ROOT))
    return CliRunner().invoke(pipelines, arguments, env={"COLUMNS": "200"})


def test_it_shows_the_matrix_and_which_fields_are_shared() -> None:
    shown = run().output
    assert "ota-release-review + support" in shown
    assert "to_build 11.0" in shown
    assert "vpn.session  security-enforcement + support  the event itself, by order" in shown
    assert "empty: no event type goes to both" in shown
    assert "Each purpose with itself, across epochs" in shown
    assert "support  rotates every 7 d: proxy.request" in shown
    assert "measured" not in shown


def test_a_program_gets_every_pair_and_what_was_accepted() -> None:
    document = orjson.loads(run("--json").output)
    pairs = {(pair["event"], *pair["purposes"]): pair for pair in document["pairs"]}
    pair = pairs["ota.install", "ota-release-review", "support"]
    assert not pair["by_order"], "the board has no handles"
    fields = sum(field["bits"] for field in pair["fields"])
    assert pair["bits"] == pytest.approx(pair["time_bits"] + fields, abs=1), "what versions lack is counted once"
    assert pair["bits"] <= pair["ceiling_bits"]
    assert (pair["accepted"]["up_to"], pair["accepted"]["ceiling"]) == (64, 68)
    assert pair["measured"] is None
    assert {cell["event"] for cell in document["matrix"]} <= {pair["event"] for pair in document["pairs"]}
    for one in document["pairs"]:
        assert one["warned"] is False, "the shipped contract accepts what it shares, or shares less"
        assert (one["accepted"] is not None) == (one["by_order"] or one["ceiling_bits"] > document["warn_above"])
        assert one["by_order"] == (one["accepted"]["up_to"] == "event")


def test_a_program_gets_each_purpose_across_epochs_and_what_was_accepted() -> None:
    found = orjson.loads(run("--json").output)["across_epochs"]
    assert len(found) == len({one["purpose"] for one in found}) == 9, "those with handles"
    for one in found:
        assert one["bits"] == pytest.approx(sum(event["bits"] for event in one["events"]))
        assert one["rotate_ms"] % 86_400_000 == 0
        assert (one["warned"], one["accepted"]["up_to"]) == (False, ceil(one["bits"]))


def test_the_acceptances_that_are_printed_are_those_of_the_file_with_its_reasons() -> None:
    printed = run("--acceptances").output
    assert (ROOT / "policies/linkage.yaml").read_text().endswith(f"\n{printed}")


def test_the_acceptances_of_a_contract_without_any_have_reasons_to_write(tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    (folder / LINKAGE).unlink()
    arguments = ["linkage", "--acceptances", "--contract", str(folder)]
    printed = CliRunner().invoke(pipelines, arguments).output
    assert printed == "across_epochs:\n  - purpose: support\n    up_to: 71\n    reason: ''\n"
    said = printed.replace("''", '"One record: it has to say where a connection failed"')
    (folder / LINKAGE).write_text(said)
    assert load(folder, as_of=TODAY).findings == ()
    (folder / LINKAGE).write_text(f"warn_above: 71\n{said}")
    assert CliRunner().invoke(pipelines, arguments).output == "across_epochs: []\n"


def test_lines_for_the_contract_s_file_go_with_nothing_else() -> None:
    assert run("--acceptances", "--json").exit_code == Exit.USAGE
    assert run("--acceptances", "--overlay", "example-strict").exit_code == Exit.USAGE


def test_a_matcher_s_success_stands_beside_what_was_computed() -> None:
    document = orjson.loads(run("--measure", "100", "--devices", "20", "--json").output)
    measured = [pair["measured"] for pair in document["pairs"]]
    assert all(one["tried"] == 50 and one["chance"] == pytest.approx(1 / 50) for one in measured)
    assert any(one["by_all"] > 2 * one["by_time"] for one in measured)
    assert max(one["bits"] for one in measured) > 3
    shown = run("--measure", "100", "--devices", "20").output
    assert shown.count("measured: the right record of 50") == len(measured)


def test_the_heat_map_is_a_picture_of_the_matrix(tmp_path: Path) -> None:
    run("--svg", str(tmp_path / "linkage.svg"))
    picture = ET.parse(tmp_path / "linkage.svg").getroot()  # noqa: S314 - our own file
    texts = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    matrix = orjson.loads(run("--json").output)["matrix"]
    assert sum((text or "").isdigit() for text in texts) == 2 * len(matrix)
    assert texts.count("security-enforcement") == 2


def test_a_picture_that_cannot_be_written_is_trouble() -> None:
    result = run("--svg", "/nowhere/linkage.svg")
    assert isinstance(result.exception, Trouble)


def test_names_in_a_picture_are_text_and_what_is_above_the_limit_has_a_frame() -> None:
    picture = heatmap(["a<b", "c"], {("a<b", "c"): 21.0}, title="T & U", note="N & M", marked_above=20)
    assert "a&lt;b" in picture
    assert "T &amp; U" in picture
    assert picture.count('stroke="black"') == 2
    assert 'stroke="black"' not in heatmap(["a", "c"], {("a", "c"): 20.0}, title="T", note="", marked_above=20)
