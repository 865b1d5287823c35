"""`try` runs what workers run, and says of the event nothing but names and classes."""

import re
from dataclasses import asdict
from datetime import UTC, datetime

import orjson
import pytest

from pipelines.contract.model import Contract
from pipelines.explain import MINIMIZING, READING, Bench, encode
from pipelines.keys import throwaway_keyring
from pipelines.minimize import FAULT_CODES, Minimized, compile_event
from pipelines.simulate import Simulation, find
from pipelines.trouble import Exit, Trouble
from tests.explain.wire_values import written_plainly
from tests.support.shipped import ROOT

AT_MS = int(datetime(2026, 11, 23, 10, 42, tzinfo=UTC).timestamp() * 1000)
EXAMPLE = (ROOT / "docs/examples/vpn.session.json").read_bytes()


def bench(shipped: Contract, event: str = "vpn.session", *, at_ms: int = AT_MS, version: int | None = None) -> Bench:
    return Bench(shipped, shipped.events[event], throwaway_keyring(), at_ms=at_ms, version=version)


def test_the_documented_example_goes_out_in_every_view(shipped: Contract) -> None:
    trial = bench(shipped).try_json(1, EXAMPLE)
    assert trial.code is None
    assert {view.topic for view in trial.outgoing} == {view.topic for view in shipped.events["vpn.session"].views}
    assert {view.outcome for view in trial.outgoing} == {"out"}


def test_a_trial_shows_no_value_that_a_view_drops(shipped: Contract) -> None:
    simulation = Simulation(shipped, seed=3, devices=20)
    benches = {
        (name, raw.version): bench(shipped, name, version=raw.version)
        for name, event in shipped.events.items()
        for raw in event.versions
    }
    for number, simulated in enumerate(simulation.events(300, start_ms=AT_MS), 1):
        text = orjson.dumps(written_plainly(simulated.fields))
        trial = benches[simulated.event, simulated.version].try_json(number, text)
        assert trial.outgoing
        assert not find(orjson.dumps(asdict(trial)))
    assert simulation.canaries_issued > 0


def test_headers_time_and_key_are_those_of_a_minimized_record(shipped: Contract) -> None:
    trial = bench(shipped).try_json(1, EXAMPLE)
    view = next(view for view in trial.outgoing if view.topic == "network-metadata.security-enforcement")
    assert view.record is not None
    assert view.headers is not None
    assert view.key == view.record["device_id"]
    assert view.timestamp_ms == AT_MS - AT_MS % 3_600_000
    assert view.headers["ce_expirytime"] == "2026-11-25T10:00:00Z"
    assert view.headers["ce_policyversion"] == shipped.policy_version
    assert re.fullmatch("[0-9a-f]{32}", view.headers["ce_id"])


def test_two_benches_give_different_handles_and_one_bench_the_same(shipped: Contract) -> None:
    one, other = bench(shipped), bench(shipped)
    keys = [[view.key for view in b.try_json(1, EXAMPLE).outgoing] for b in (one, one, other)]
    assert keys[0] == keys[1]
    assert not set(keys[0]) & set(keys[2])


def test_an_event_in_a_batch_has_an_id_of_its_own(shipped: Contract) -> None:
    one = bench(shipped)
    ids = {view.headers["ce_id"] for n in (1, 2) for view in one.try_json(n, EXAMPLE).outgoing if view.headers}
    assert len(ids) == 2 * len(shipped.events["vpn.session"].views)


def test_raw_bytes_are_tried_as_they_are(shipped: Contract) -> None:
    event = shipped.events["vpn.session"]
    value = encode(event.versions[-1], orjson.loads(EXAMPLE))
    assert isinstance(value, bytes)
    by_program = compile_event(event).minimize(value, [lambda _: bytes(16)] * len(event.views), AT_MS)
    assert isinstance(by_program, list)
    assert all(isinstance(one, Minimized) for one in by_program)
    assert [view.outcome for view in bench(shipped).try_value(1, value).outgoing] == ["out"] * len(event.views)


def test_a_structural_fault_is_the_whole_events(shipped: Contract) -> None:
    value = encode(shipped.events["vpn.session"].versions[-1], orjson.loads(EXAMPLE))
    assert isinstance(value, bytes)
    trial = bench(shipped).try_value(1, value[:-1])
    assert (trial.stage, trial.outgoing) == (MINIMIZING, ())
    assert trial.code in FAULT_CODES


def test_a_bound_fault_is_one_views_and_the_others_go_out(shipped: Contract) -> None:
    document = orjson.loads(EXAMPLE) | {"duration_ms": -1}
    trial = bench(shipped).try_json(1, orjson.dumps(document))
    outcomes = {view.topic: (view.outcome, view.path) for view in trial.outgoing}
    assert outcomes.pop("threat-intelligence.threat-detection") == ("quarantined", "duration_ms")
    assert {outcome for outcome, _ in outcomes.values()} == {"out"}


def test_json_that_does_not_fit_is_no_fault_of_the_minimizer(shipped: Contract) -> None:
    trial = bench(shipped).try_json(1, b"{}")
    assert (trial.stage, trial.code, trial.path) == (READING, "missing_field", "event_id")


def test_a_view_whose_review_does_not_stand_at_that_time_is_suspended(shipped: Contract) -> None:
    far = int(datetime(2040, 1, 1, tzinfo=UTC).timestamp() * 1000)
    trial = bench(shipped, at_ms=far).try_json(1, EXAMPLE)
    assert {view.outcome for view in trial.outgoing} == {"suspended"}
    assert {view.record for view in trial.outgoing} == {None}


def test_an_unknown_version_is_refused_with_those_that_there_are(shipped: Contract) -> None:
    with pytest.raises(Trouble) as refused:
        bench(shipped, version=9)
    assert refused.value.exit_code is Exit.USAGE
    assert refused.value.hint == "There are versions: 1, 2."


def test_incoming_fields_are_told_apart_by_what_becomes_of_them(shipped: Contract) -> None:
    fates = {field.path: field.fate for field in bench(shipped).try_json(1, EXAMPLE).incoming}
    assert fates["phase"] == "used"
    assert fates["tls.sni"] == fates["dns_names[]"] == "counted"
    assert fates["client_ip"] == fates["event_id"] == "dropped"
