"""What a simulation promises of the shipped contract."""

import io
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import fastavro
import pytest

from pipelines.contract.avro import Array, AvroType, Fixed, Map, Primitive, Record, not_null
from pipelines.contract.model import Contract
from pipelines.simulate import SimulatedEvent, Simulation, Tally, canaries, find
from pipelines.simulate.canaries import SMALLEST_MARKED
from pipelines.simulate.fleet import Fleet
from pipelines.simulate.limits import actions_by_path, limits_of
from pipelines.simulate.products import vpn

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
START_MS = 1_795_392_000_000  # 2026-11-23T00:00Z
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def day(shipped: Contract) -> list[SimulatedEvent]:
    return list(Simulation(shipped, seed=11, devices=300).events(12_000, start_ms=START_MS))


def test_the_same_seed_gives_the_same_events(shipped: Contract) -> None:
    first, again, other = (
        [repr(event) for event in Simulation(shipped, seed=seed, faults=0.05).events(500, start_ms=START_MS)]
        for seed in (5, 5, 6)
    )
    assert first == again
    assert first != other


def test_another_process_gives_the_same_events_too() -> None:
    """Nothing hangs on the order of a set, which changes from process to process."""
    script = f"""
import hashlib, sys
from datetime import date
from pathlib import Path
from pipelines.contract import load_valid
from pipelines.simulate import Simulation
contract = load_valid(Path({str(ROOT)!r}), as_of=date(2026, 11, 30))
events = Simulation(contract, seed=5, faults=0.05).events(500, start_ms={START_MS})
print(hashlib.sha256("".join(map(repr, events)).encode()).hexdigest())
"""
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_every_event_type_and_every_version_of_it_occurs(shipped: Contract, day: list[SimulatedEvent]) -> None:
    versions = {(event.name, raw.version) for event in shipped.events.values() for raw in event.versions}
    counts = Counter((event.event, event.version) for event in day)
    assert set(counts) == versions
    assert min(counts.values()) > len(day) / 200


def test_every_event_encodes_under_its_schema_and_comes_back_as_it_was(
    shipped: Contract, day: list[SimulatedEvent]
) -> None:
    schemas = {
        (event.name, raw.version): fastavro.parse_schema(_without_logical_types(json.loads(raw.text)))
        for event in shipped.events.values()
        for raw in event.versions
    }
    for event in day[:3000]:
        schema = schemas[event.event, event.version]
        buffer = io.BytesIO()
        fastavro.schemaless_writer(buffer, schema, event.fields, strict=True)
        buffer.seek(0)
        back = fastavro.schemaless_reader(buffer, schema, None)
        assert isinstance(back, dict)
        assert back.keys() == event.fields.keys()
        assert back["device_id"] == event.device


def test_events_come_in_the_order_of_their_times_over_about_the_span(day: list[SimulatedEvent]) -> None:
    times = [_ms(event) for event in day]
    assert all(before <= after for before, after in pairwise(times))
    assert times[0] >= START_MS
    assert 18 * HOUR_MS < times[-1] - START_MS < 32 * HOUR_MS


def test_every_string_that_no_view_takes_a_value_from_holds_a_canary(
    shipped: Contract, day: list[SimulatedEvent]
) -> None:
    seen: Counter[str] = Counter()
    for event in day[:3000]:
        contract_event = shipped.events[event.event]
        actions = actions_by_path(contract_event)
        record = next(raw.record for raw in contract_event.versions if raw.version == event.version)
        for path, value in _texts(record, event.fields, ""):
            if limits_of(actions.get(path, ())).droppable and path != "event_id":
                assert find(value) is not None, path
                seen[f"{event.event} {path}"] += 1
    assert len(seen) > 80


def test_every_kind_of_secret_is_planted_in_every_event_type(shipped: Contract, day: list[SimulatedEvent]) -> None:
    planted: defaultdict[str, int] = defaultdict(int)
    for event in day[:3000]:
        text = json.dumps(event.fields, default=repr)
        assert event.device in text
        planted[event.event] += text.count(canaries.MARKER)
    assert planted.keys() == shipped.events.keys()
    assert min(planted.values()) > 100


def test_map_keys_carry_canaries_too(day: list[SimulatedEvent]) -> None:
    keys = [key for event in day if event.event == "proxy.request" for key in _mapping(event.fields, "request_headers")]
    assert sum(find(key.encode()) == "canary" for key in keys) > len(keys) / 3


def test_each_numbered_canary_is_in_the_events_once(shipped: Contract) -> None:
    simulation = Simulation(shipped, seed=2, faults=0.1)
    tally = Tally(1_000_000)
    for event in simulation.events(2000, start_ms=START_MS):
        tally.note((event.value or b"") + repr(event.fields).encode())
    assert simulation.canaries_issued > 10_000
    assert 1_000_000 - tally.missing == simulation.canaries_issued


def test_ids_are_visibly_synthetic_and_an_events_id_is_its_own(day: list[SimulatedEvent]) -> None:
    ids = [event.fields["event_id"] for event in day]
    assert len(set(map(str, ids))) == len(ids)
    for event in day:
        assert find(event.device.encode()) == "identifier"
        value = event.fields["event_id"]
        assert find(value if isinstance(value, bytes) else str(value).encode()) == "identifier"


def test_traffic_follows_the_day_and_updates_the_night(shipped: Contract) -> None:
    simulation = Simulation(shipped, seed=4, devices=400)
    fleet = {device.id: device for device in simulation._fleet.devices}
    by_day: Counter[str] = Counter()
    by_night: Counter[str] = Counter()
    for event in simulation.events(15_000, start_ms=START_MS):
        hour = (_ms(event) / HOUR_MS + fleet[event.device].utc_offset_h) % 24
        (by_day if 10 <= hour < 22 else by_night)[event.event] += 1
    assert by_day["proxy.request"] > 1.8 * by_night["proxy.request"]
    assert by_night["ota.eligibility-check"] > 1.5 * by_day["ota.eligibility-check"]


def test_bytes_are_heavy_tailed_and_a_few_devices_make_most_of_the_traffic(day: list[SimulatedEvent]) -> None:
    sizes = sorted(int(str(event.fields["bytes_out"])) for event in day if event.event == "proxy.request")
    median, top = sizes[len(sizes) // 2], sizes[-len(sizes) // 100 :]
    assert sum(top) > sum(sizes) / 5
    assert top[0] > 20 * median
    per_device = sorted(Counter(event.device for event in day).values())
    assert sum(per_device[-len(per_device) // 5 :]) > 0.4 * len(day)


def test_a_session_that_policy_refuses_is_not_established() -> None:
    rng, refused = Random(3), 0
    for device in Fleet(400, seed=3).devices:
        first, *rest = vpn.ACTIVITIES[0].play(rng, device, START_MS)
        phases = [moment.given["phase"] for moment in rest if moment.event == vpn.SESSION]
        if first.given["enforced"] and first.given["decision"] in {"DENY", "STEP_UP"}:
            assert phases == ["FAILED"]
            refused += 1
        else:
            assert phases[0] == "FAILED" or (phases[0], phases[-1]) == ("ESTABLISHED", "ENDED")
    assert 5 < refused < 100


def test_only_the_chosen_event_types_come(shipped: Contract) -> None:
    events = list(Simulation(shipped, only={"tor.circuit", "ota.install"}).events(300, start_ms=START_MS))
    assert len(events) == 300
    assert {event.event for event in events} == {"tor.circuit", "ota.install"}


def test_nothing_is_faulty_unless_asked_and_then_both_kinds_are(shipped: Contract, day: list[SimulatedEvent]) -> None:
    assert all(event.fault is None and event.value is None for event in day)
    faulty = Counter(event.fault for event in Simulation(shipped, faults=0.2).events(2000, start_ms=START_MS))
    assert 0.15 < 1 - faulty[None] / 2000 < 0.25
    assert min(faulty["bound"], faulty["structural"]) > 0.06 * 2000


def _ms(event: SimulatedEvent) -> int:
    at = event.fields["occurred_at"]
    assert isinstance(at, int)
    return at // 1000 if at > 10**14 else at


def _mapping(fields: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = fields[name]
    assert isinstance(value, Mapping)
    return value


def _texts(avro_type: AvroType, value: object, path: str) -> Iterator[tuple[str, bytes]]:
    """(path, bytes) of every string, bytes and large enough fixed that is no number."""
    avro_type = not_null(avro_type)
    match avro_type, value:
        case Record(_, fields), Mapping():
            for field in fields:
                yield from _texts(field.type, value[field.name], f"{path}.{field.name}" if path else field.name)
        case Array(items), list():
            for item in value:
                yield from _texts(items, item, path + "[]")
        case Map(values), Mapping():
            for key, entry in value.items():
                yield from _texts(values, entry, f'{path}{{"{key.lower()}"}}')
        case ((Primitive(_, logical) | Fixed(_, _, logical)), (str() | bytes())) if logical != "decimal":
            if len(value) >= SMALLEST_MARKED:
                yield path, value.encode() if isinstance(value, str) else value
        case _:
            pass


def _without_logical_types(schema: Any) -> Any:
    match schema:
        case dict():
            return {key: _without_logical_types(value) for key, value in schema.items() if key != "logicalType"}
        case list():
            return [_without_logical_types(value) for value in schema]
        case _:
            return schema
