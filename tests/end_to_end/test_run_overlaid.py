"""A deployment under an overlay, by its commands alone: topics, keys, workers, their replacement, and a consumer."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipelines.broker import Cluster
from pipelines.contract import load_valid
from pipelines.keys import Keyring, LocalKeyEncryption
from pipelines.relay.audit import read_books
from pipelines.trouble import Exit
from tests.support.commands import done, run, running
from tests.support.oracle import committed, differences, expect
from tests.support.relay_fixture import TODAY, RelayFixture, build
from tests.support.waiting import CALL_S, until

pytestmark = pytest.mark.broker

OVERLAY = """description: Shorter times, faster rotation, coarser numbers, and nothing for the other purpose
purposes:
  probe-SOURCE: {rotate: 12h}
  tally-SOURCE: remove
topics:
  network-metadata.probe-SOURCE: {ttl: 60h, late: 12h}
views:
  SOURCE.ping:
    network-metadata.probe-SOURCE:
      number: {bucket: [0, 1000]}
"""


def arguments(house: RelayFixture, *more: str, keys: bool = False, broker: bool = True) -> list[str]:
    said = ["--contract", str(house.folder), "--overlay", "strict", *more]
    said += ["--bootstrap", house.cluster.bootstrap] if broker else []
    where = ["--keyring", str(house.folder / "keyring.json"), "--kek-file", str(house.folder / "kek")]
    return said + (where if keys else [])


def consumed(house: RelayFixture, topic: str, *more: str) -> list[dict[str, Any]]:
    read = ["--bootstrap", house.cluster.bootstrap, "--from-beginning", "--json", "--contract", str(house.folder)]
    return [orjson.loads(line) for line in done("consume", topic, *read, *more, cwd=house.folder).splitlines()]


def test_the_relay_under_an_overlay_gives_what_the_overlay_says_and_its_replacement_does(
    tmp_path: Path, cluster: Cluster
) -> None:
    house = build(tmp_path, cluster)
    (house.folder / "overlays").mkdir()
    (house.folder / "overlays/strict.yaml").write_text(OVERLAY.replace("SOURCE", house.source))
    done("build", *arguments(house, broker=False), cwd=house.folder)
    done("validate", *arguments(house, broker=False), cwd=house.folder)
    contract = load_valid(house.folder, as_of=TODAY, overlay="strict")

    refused = run("run", *arguments(house, keys=True), cwd=house.folder)
    assert refused.returncode != Exit.DONE
    plan = str(house.folder / "plan.json")
    done("topics", "plan", *arguments(house, "--out", plan), cwd=house.folder)
    done("topics", "apply", plan, *arguments(house), cwd=house.folder)
    done("keys", "init", *arguments(house, broker=False, keys=True), cwd=house.folder)
    keyring = Keyring.open(house.folder / "keyring.json", LocalKeyEncryption.open(house.folder / "kek"))
    under = replace(house, contract=contract, keyring=keyring)

    house.publish([house.ping(number) for number in range(900, 1100)])
    with running(*arguments(house, "--instance", "test", keys=True), cwd=house.folder) as crew:
        under.wait_until_through()
        crew.workers()[0].kill()
        house.publish([house.ping(number) for number in (*range(3_900, 4_000), 4_001)])
        under.wait_until_through()
        until(lambda: len(crew.said("worker.started")) >= 2, "the spare that took over")
        assert crew.end() == Exit.DONE
    assert differences(expect(contract, cluster, keyring), *committed(contract, cluster)) == {}
    books = read_books(contract, cluster.admin(timeout_s=CALL_S)).values()
    assert {topic for book in books for topic in book.views} == {house.handled}

    told = consumed(house, house.handled, "--overlay", "strict")
    assert len(told) == 300
    assert {one["fields"]["number"] for one in told} == {0, 1000}
    for one in told:
        expiry = datetime.fromisoformat(one["headers"]["ce_expirytime"])
        assert expiry - datetime.fromisoformat(one["time"]) == timedelta(hours=60)
        assert datetime.fromisoformat(one["headers"]["ce_handleepoch"]).hour in (0, 12)
        assert one["headers"]["ce_policyversion"] == contract.policy_version
    assert consumed(house, house.loose) == []
    assert {one["fields"] for one in consumed(house, house.handled)} == {None}, "a schema of the overlay's is its own"
    (note,) = consumed(house, contract.quarantine.name, "--overlay", "strict")
    assert (note["note"]["code"], note["note"]["path"]) == ("out_of_range", "number"), (
        "the contract's bound still holds"
    )
