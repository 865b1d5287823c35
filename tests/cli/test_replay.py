import json

import pytest
from click.testing import CliRunner, Result

from pipelines.cli.app import pipelines
from pipelines.cli.times import spelled
from pipelines.trouble import Exit
from tests.support.replay_scene import Scene

HOUR = ("--from", "2026-11-25T08:00:00Z", "--to", "2026-11-25T09:00:00Z")


def run(scene: Scene, *arguments: str) -> Result:
    house = scene.house
    options = ["--contract", str(house.folder), "--bootstrap", house.cluster.bootstrap]
    keys = ["--keyring", str(house.folder / "keyring.json"), "--kek-file", str(house.folder / "kek")]
    return CliRunner().invoke(pipelines, ["replay", "--event", f"{house.source}.ping", *options, *keys, *arguments])


def test_a_replay_is_planned_then_done_and_its_counts_are_for_people_and_programs(scene: Scene) -> None:
    house = scene.house
    house.publish([house.ping(number) for number in (1, 2, 4_050)])
    scene.relay()
    scene.correct("[0, 4000]", "[0, 4095]")
    until_ms = scene.all_time().until_ms
    time = ("--from", spelled(scene.since_ms), "--to", spelled(until_ms + 1_000))
    planned = run(scene, *time)
    assert planned.exit_code == Exit.DONE, planned.output
    assert "Would replay 3 raw events" in planned.output
    assert "Nothing was written. Add --execute to do it." in planned.output
    assert planned.stderr == ""  # no log lines: what is printed says it all
    done = run(scene, *time, "--execute", "--json", "--view", house.handled)
    assert done.exit_code == Exit.DONE, done.output
    told = json.loads(done.stdout)
    assert told["views"] == {
        house.handled: {
            "in": 3, "out": 1, "already_there": 2, "quarantined": 0, "expired": 0, "too_late": 0, "suspended": 0
        }
    }  # fmt: skip
    assert told["executed"] is True
    shown = run(scene, *time, "--execute", "--view", house.handled).output
    assert f"{house.handled} 3 1 2 0 0 0 0" in " ".join(shown.split())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--from", "2026-11-25T08:00:00", "--to", "2026-11-25T09:00:00Z"), "needs its zone"),
        (("--from", "2h", "--to", "2026-11-25T09:00:00Z"), "that is not a time"),
        (("--from", "2026-11-25T09:00:00Z", "--to", "2026-11-25T09:00:00Z"), "must be earlier"),
    ],
)
def test_a_time_that_says_nothing_is_refused(arguments: tuple[str, ...], says: str) -> None:
    refused = CliRunner().invoke(pipelines, ["replay", "--event", "vpn.session", *arguments])
    assert refused.exit_code == Exit.USAGE
    assert says in refused.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--event", "vpn.sesion"), "vpn.session"),
        (("--event", "vpn.session", "--view", "audit.nothing"), "has no view"),
    ],
)
def test_what_the_contract_does_not_have_is_named_with_what_it_has(arguments: tuple[str, ...], says: str) -> None:
    refused = CliRunner().invoke(pipelines, ["replay", *arguments, *HOUR])
    assert getattr(refused.exception, "exit_code", None) == Exit.USAGE
    assert says in f"{refused.exception} {getattr(refused.exception, 'hint', '')}"
