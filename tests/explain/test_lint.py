"""What a sample says of classes: each pattern and what only looks like it, told by path and count, never by value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract.avro import Array, Field, FieldClass, Map, Nullable, Record
from pipelines.contract.formats import FORMATS, LONGEST, looks_like
from pipelines.contract.model import Contract, Event
from pipelines.explain import encode
from pipelines.explain.lint import PATTERNS, LintFinding, judging, lint
from pipelines.sdk.encoding import encoders
from pipelines.simulate import Simulation
from pipelines.simulate.simulation import SimulatedEvent
from tests.support.case_files import contract_of

RNG = Random(4)
UUID = "00000000-0000-4000-8000-0000000000d1"
JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."
LOOKS = {
    "ipv4": ["192.0.2.7", "198.51.100.23:8443", "203.0.113.0/24", "refused by 192.0.2.7", "peer=192.0.2.7;"],
    "ipv6": ["2001:db8::7", "2001:db8:0:1:2:3:4:5", "[2001:db8::7]:443", "2001:db8::/32", "::ffff:192.0.2.7"],
    "mac": ["02:00:5e:00:53:01", "02-00-5E-00-53-01", "0200.5e00.5301"],
    "uuid": [UUID, f"{{{UUID.upper()}}}", f"urn:uuid:{UUID}"],
    "e-mail": ["nobody@example.test", "mailto:nobody@mail.example.org", "Nobody <nobody@example.test>"],
    "url": ["https://host.example.test/made-up?x=1", "ftp://192.0.2.7/", "www.example.test/x", "see https://example.test"],
    "hostname": ["host.example.test", "gw-7.eu.example.com", "printer.local", "host.example.test:443", "example.onion"],
    "token": [
        JWT, "ghp_madeupmadeupmadeupmadeup", "Bearer madeupmadeup", "-----BEGIN KEY-----",
    ],
    "phone": ["+1 202-555-0100", "+442079460000", "(202) 555-0100", "tel:+12025550100"],
    "coordinates": ["52.5200,13.4050", "geo:-33.8688,151.2093", "-33.8688; 151.2093", "52°31'12\"N 13°24'18\"E"],
    "imei": ["490154203237518", "49-015420-323751-8"],
    "imsi": ["310150123456789", "262011234567890"],
    "iban": ["GB82WEST12345698765432"],
}  # fmt: skip
LOOKS_ALIKE = [
    "",
    "x" * 10_000,
    "1." * 5_000,
    "0.0.0.0",  # noqa: S104 - nobody binds to it here
    "eu-west", "ENDED", "4.12.1", "5.0", "1.2.3", "v1.2.3.4", "1.2.3.4.5", "10.0.19041.1415", "256.1.1.1", "::",
    "12:34:56", "12:34", "2026-11-23", "2026-11-23T10:42:06Z", "2026-11-23 10:42:06", "http/1.1", "h2", "h3",
    "EOS-5998", "EOS-2026-4", "vp-017", "EP-2 Pro", "org.example.app", "com.example.messages", "io.example",
    "kernel.img", "config.yaml", "main.py", "libx.so.1", "a.b", "README.md", "00:00:00:00:00:00",
    "00000000-0000-0000-0000-000000000000", "@home", "a@b", "user at example", "c++", "://", "490154203237519",
    "100000000000001", "1795000000000", "12345", "0100", "+0100", "+1", "1,234.567", "99.999,999.999", "Bearer",
    "basic plan", "sk-1", "eyJ", "AKIA", "TLS_1_3",
    "GB82WEST12345698765433", "a.test.5", "50.5,60.1", "99.9990,13.4050", "13.4050,199.5200",
]  # fmt: skip


def names(text: str) -> list[str]:
    return [one.name for one in looks_like(text)]


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in LOOKS.items() for text in texts])
def test_a_format_is_known_as_it_stands_and_inside_a_sentence(name: str, text: str) -> None:
    assert name in names(text)


def test_every_format_has_an_example() -> None:
    assert LOOKS.keys() == {one.name for one in FORMATS}


@pytest.mark.parametrize("text", LOOKS_ALIKE, ids=range(len(LOOKS_ALIKE)))
def test_what_only_looks_alike_is_left_alone(text: str) -> None:
    assert names(text) == []


def test_a_text_is_read_to_its_bound() -> None:
    assert names(f"{'x' * (LONGEST - 10)} 192.0.2.7") == ["ipv4"]
    assert names(f"{'x' * LONGEST} 192.0.2.7") == []


@given(st.text() | st.from_regex(r"[0-9a-f:.@/+-]{1,60}", fullmatch=True))
def test_any_text_is_looked_at_without_an_exception(text: str) -> None:
    assert set(names(text)) <= PATTERNS.keys()


@pytest.mark.parametrize("unit", ["a.", "1:", "a@", "+1 ", "((", "é.", "eyJa.", "1.1,", "-", "www.", "=x"])
@pytest.mark.cpu_seconds(120)  # linear; what is feared is a pattern that backtracks for hours
def test_a_text_made_to_keep_a_pattern_busy_does_not(unit: str) -> None:
    for size in (LONGEST, 1_000_000):
        names(unit * (size // len(unit)) + "!")


def fields(**changed: Any) -> dict[str, Any]:
    value = {
        "event_id": "e", "occurred_at": 0, "device_id": "d", "account_id": None, "region": "eu-west", "ok": True,
        "bytes_up": 1, "dns_names": [], "checks": [], "labels": {},
    }  # fmt: skip
    return value | changed


def linted(events: Iterable[dict[str, Any]]) -> tuple[LintFinding, ...]:
    event = contract_of().events["vpn.session"]
    values = [encode(event.versions[-1], one) for one in events]
    assert all(isinstance(value, bytes) for value in values), values
    return lint(event, [value for value in values if isinstance(value, bytes)]).findings


def told(events: Iterable[dict[str, Any]]) -> list[tuple[str, str, int, int]]:
    return [(one.path, one.pattern, one.matching, one.values) for one in linted(events)]


@pytest.mark.parametrize("name", [name for name in LOOKS if name not in ("imei", "imsi")])
def test_a_single_value_of_a_format_in_a_metadata_field_is_found(name: str) -> None:
    events = [fields(), fields(region=LOOKS[name][0]), fields()]
    assert told(events) == [("region", name, 1, 3)]


@pytest.mark.parametrize(
    ("events", "path"),
    [
        ([fields(checks=[{"id": "boot", "detail": ""}, {"id": "192.0.2.7", "detail": ""}])], "checks[].id"),
        ([fields(labels={"tier": "192.0.2.7"})], "labels{}"),
        ([fields(labels={"192.0.2.7": "free"})], "labels{} (keys)"),
    ],
    ids=["in a record of an array", "in a map", "as a map's key"],
)
def test_a_value_is_found_wherever_it_stands(events: list[dict[str, Any]], path: str) -> None:
    assert [(one.path, one.pattern) for one in linted(events)] == [(path, "ipv4")]


def test_content_may_look_like_anything_and_an_identifier_like_nothing_stricter() -> None:
    events = [
        fields(
            dns_names=["host.example.test"],
            device_id="00000000-0000-4000-8000-0000000000d1",
            account_id="nobody@example.test",
        )
    ]
    assert told(events) == []
    mixed = [fields(device_id="nobody@example.test", account_id="192.0.2.7")]
    assert [(one.path, one.pattern) for one in linted(mixed)] == [
        ("account_id", "ipv4"), ("device_id", "e-mail"),
    ]  # fmt: skip
    assert [(one.path, one.belongs) for one in linted([fields(event_id="eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.")])] == [
        ("event_id", "credential")
    ]


def imei(number: int) -> int:
    digits = [int(digit) for digit in f"49015420{number:06d}"]
    doubled = sum(sum(divmod(2 * digit, 10)) if at % 2 else digit for at, digit in enumerate(digits))
    return int("".join(map(str, digits)) + str(-doubled % 10))


def test_numbers_with_the_check_digit_of_an_imei_are_found_and_a_counter_is_not() -> None:
    assert imei(323751) == 490154203237518
    identifiers = [imei(RNG.randrange(10**6)) for _ in range(40)]
    assert told(fields(bytes_up=number) for number in identifiers) == [("bytes_up", "imei", 40, 40)]
    assert told(fields(region=str(number)) for number in identifiers) == [("region", "imei", 40, 40)]
    assert told(fields(bytes_up=100_000_000_000_000 + number) for number in range(40)) == []
    assert told(fields(bytes_up=490_154_203_237_510 + number) for number in range(40)) == []


def test_versions_of_four_numbers_are_no_addresses_and_addresses_of_a_fleet_are() -> None:
    versions = [f"{RNG.choice((4, 5))}.{RNG.randrange(30)}.{RNG.randrange(10)}.{RNG.randrange(90)}" for _ in range(200)]
    assert "ipv4" not in {pattern for _, pattern, _, _ in told(fields(region=text) for text in versions)}
    for pool in ("192.168.{}.{}", "10.{}.0.{}", "172.20.{}.{}", "{}.{}.7.7"):
        addresses = [pool.format(RNG.randrange(1, 99), RNG.randrange(99)) for _ in range(60)]
        assert ("region", "ipv4", 60, 60) in told(fields(region=text) for text in addresses), pool


def test_a_build_number_that_is_called_so_is_no_address_unless_it_begins_like_one() -> None:
    assert judging._versions("client.app_version", {"4.12.1.118", "10.0.1.7", "12.200.3.4"})
    assert not judging._versions("client.app_version", {"192.0.2.7"})
    assert not judging._versions("client.app_version", {"192.168.1.7"})
    assert not judging._versions("client.peer", {"4.12.1.118"})


def test_random_values_are_found_and_a_few_that_repeat_are_not() -> None:
    drawn = [RNG.randbytes(12).hex() for _ in range(40)]
    assert told(fields(region=text) for text in drawn) == [("region", "random-values", 40, 40)]
    assert told(fields(region=drawn[number % 3]) for number in range(200)) == []
    large = [RNG.getrandbits(62) | 1 << 61 for _ in range(40)]
    assert told(fields(bytes_up=number) for number in large) == [("bytes_up", "random-values", 40, 40)]
    moments = [1_795_000_000_000_000 + RNG.randrange(10**12) for _ in range(40)]
    assert told(fields(bytes_up=number) for number in moments) == []
    assert told(fields(bytes_up=RNG.randrange(10**11)) for _ in range(200)) == []


def test_a_text_of_several_lines_is_read_and_is_not_taken_for_random_bytes() -> None:
    assert told(fields(region=f"a\nb {number % 30}") for number in range(40)) == []
    assert told([fields(region="line\none 192.0.2.7\n")]) == [("region", "ipv4", 1, 1)]
    assert told([fields(region="192.0.2.7 " + "x" * 1_000_000)]) == [("region", "ipv4", 1, 1)]


def test_texts_that_hardly_repeat_are_found_and_a_vocabulary_is_not() -> None:
    assert told(fields(region=f"site {number}") for number in range(60)) == [("region", "unique-values", 60, 60)]
    assert told(fields(region=f"site {number}") for number in range(40)) == []
    assert told(fields(region=f"site {number % 30}") for number in range(90)) == []


def test_a_value_that_stays_with_its_device_is_found_and_one_that_many_share_is_not() -> None:
    def events(value: str, kinds: int) -> list[dict[str, Any]]:
        return [fields(device_id=f"d{n % 210}", region=value.format(n % 210 % kinds)) for n in range(630)]

    assert [(path, pattern) for path, pattern, _, _ in told(events("tag {}", 210))] == [
        ("region", "follows-the-device")
    ]
    assert told(events("tag {}", 180)) == []
    assert told([fields(device_id=f"d{n % 210}", region=f"tag {n % 211}") for n in range(630)]) == []


def test_every_pattern_has_words() -> None:
    assert {one.name for one in FORMATS} | {"random-values", "unique-values", "follows-the-device"} == PATTERNS.keys()


SIMULATED: dict[str, list[SimulatedEvent]] = {}


def sample(contract: Contract, event: Event, *, canaries: bool) -> list[bytes]:
    """600 simulated events of 320 devices. Without canaries, what marks every text that must not leave is blanked."""
    encoded = encoders(event)
    if event.name not in SIMULATED:
        simulation = Simulation(contract, seed=3, devices=320, only=[event.name])
        SIMULATED[event.name] = list(simulation.events(600, start_ms=1_795_000_000_000))
    made = SIMULATED[event.name]
    return [encoded[one.version].encode(one.fields if canaries else blanked(one.fields)) for one in made]


def blanked(value: Any) -> Any:
    match value:
        case dict():
            return {blanked(key): blanked(item) for key, item in value.items()}
        case list():
            return [blanked(item) for item in value]
        case str() if "CNRY" in value and "@" not in value:
            return "made up"
    return value


@pytest.mark.slow
def test_simulated_samples_of_the_shipped_contract_contradict_nothing(shipped: Contract) -> None:
    for event in shipped.events.values():
        told_ = lint(event, sample(shipped, event, canaries=False))
        assert told_.findings == (), event.name
        assert told_.events == 600


def loosened(kind: Any, but: str = "") -> Any:
    """A type in which every leaf is classed metadata, those of one name excepted."""
    match kind:
        case Record(name, inner):
            return Record(name, tuple(one if one.name == but else _loose(one, but) for one in inner))
        case Nullable(inner, index):
            return Nullable(loosened(inner, but), index)
        case Array(items):
            return Array(loosened(items, but))
        case Map(values):
            return Map(loosened(values, but))
    return kind


def _loose(field: Field, but: str) -> Field:
    return replace(field, type=loosened(field.type, but), class_=field.class_ and FieldClass.METADATA)


@pytest.mark.slow
def test_wrong_classes_in_the_shipped_contract_are_found_on_simulated_samples(shipped: Contract) -> None:
    found: set[str] = set()
    for event in shipped.events.values():
        but = "device_id" if event.name == "posture.report" else ""  # whose device keeps a serial number
        versions = tuple(replace(one, record=loosened(one.record, but)) for one in event.versions)
        values = sample(shipped, event, canaries=True)
        found |= {f"{event.name} {one.path}" for one in lint(replace(event, versions=versions), values).findings}
    wanted = {
        "vpn.session client_ip", "vpn.session device_id", "vpn.session gateway_host", "vpn.policy-decision client_ip",
        "proxy.request url", "proxy.request host", "proxy.policy-decision account_id", "tor.circuit guard_ip",
        "posture.report hardware.serial_number", "ota.eligibility-check download_url",
        "ota.install device_id", "ota.install event_id",
    }  # fmt: skip
    assert wanted <= found, wanted - found
