from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contract.model import DAY_MS, Purpose
from pipelines.keys import RootId, Subkeys, event_block, throwaway_keyring
from pipelines.keys.subkeys import Epoch, SubkeyCache

MakePurpose = Callable[..., Purpose]

identifiers = st.binary(min_size=1, max_size=256)
roots = st.binary(min_size=32, max_size=32)
names = st.sampled_from(["support", "security-enforcement", "audit-correlation"])
times = st.integers(0, 4_000_000_000_000)


def _subkeys(root: bytes) -> Subkeys:
    return Subkeys(RootId("support", DAY_MS, 0), root)


@given(roots, identifiers)
def test_one_identifier_has_one_handle_within_purpose_and_epoch(root: bytes, identifier: bytes) -> None:
    first, second = _subkeys(root), _subkeys(root)
    handle = first.handle_maker("device")(identifier)
    assert len(handle) == 16
    assert handle == first.handle_maker("device")(identifier) == second.handle_maker("device")(identifier)


@given(roots, st.sets(identifiers, min_size=2, max_size=20))
def test_different_identifiers_have_different_handles(root: bytes, several: set[bytes]) -> None:
    make = _subkeys(root).handle_maker("device")
    assert len({make(identifier) for identifier in several}) == len(several)


@given(identifiers, roots, roots)
def test_handles_under_different_roots_do_not_meet(identifier: bytes, one: bytes, other: bytes) -> None:
    handles = {_subkeys(root).handle_maker("device")(identifier) for root in (one, other)}
    assert len(handles) == len({one, other})


@given(names, names, times, times, identifiers)
def test_handles_are_equal_exactly_within_one_purpose_and_epoch(
    make_purpose: MakePurpose, name: str, other_name: str, time: int, other_time: int, identifier: bytes
) -> None:
    keyring = throwaway_keyring()
    handles = [
        keyring.subkeys_at(make_purpose(n), t).handle_maker("device")(identifier)
        for n, t in ((name, time), (other_name, other_time))
    ]
    same_place = name == other_name and time // DAY_MS == other_time // DAY_MS
    assert (handles[0] == handles[1]) == same_place


@given(roots, identifiers)
def test_a_device_and_an_account_of_one_name_have_different_handles(root: bytes, identifier: bytes) -> None:
    subkeys = _subkeys(root)
    assert subkeys.handle_maker("device")(identifier) != subkeys.handle_maker("account")(identifier)


@given(roots, st.binary(max_size=40), st.binary(min_size=1, max_size=8))
def test_an_identifier_that_begins_another_does_not_share_its_handle(root: bytes, begin: bytes, rest: bytes) -> None:
    make = _subkeys(root).handle_maker("device")
    lengths = [len(begin).to_bytes(4, "big"), len(begin + rest).to_bytes(4, "big")]
    spellings = {begin, begin + rest, lengths[0] + begin, lengths[1] + begin + rest, b"\x01" + begin, b"\x02" + begin}
    assert len({make(spelling) for spelling in spellings}) == len(spellings)


@given(roots, st.lists(st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 2**63 - 1)), min_size=1, max_size=20))
def test_event_ids_of_a_batch_are_those_of_its_records_one_by_one(root: bytes, places: list[tuple[int, int]]) -> None:
    subkeys = _subkeys(root)
    blocks = [event_block(b"abcd", *place) for place in places]
    ids = [subkeys.event_ids(block) for block in blocks]
    assert b"".join(ids) == subkeys.event_ids(b"".join(blocks))
    assert len(set(ids)) == len(set(places))


def test_no_records_have_no_event_ids() -> None:
    assert _subkeys(bytes(32)).event_ids(b"") == b""


@pytest.mark.parametrize("length", [1, 15, 17, 31])
def test_half_a_block_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        _subkeys(bytes(32)).event_ids(bytes(length))


@given(st.lists(st.sampled_from([b"a", b"b", b"c", b"d", b"e"]), max_size=40))
def test_a_handle_that_fell_out_of_the_cache_comes_back_the_same(wanted: list[bytes]) -> None:
    plain = _subkeys(bytes(32)).handle_maker("device")
    tight = Subkeys(RootId("support", DAY_MS, 0), bytes(32), handles_cached=2).handle_maker("device")
    assert [tight(identifier) for identifier in wanted] == [plain(identifier) for identifier in wanted]
    assert tight.cache_info().currsize <= 2  # type: ignore[attr-defined] # of lru_cache


@given(st.lists(st.tuples(names, st.integers(0, 9)), max_size=40))
def test_subkeys_that_fell_out_of_the_cache_come_back_the_same(
    make_purpose: MakePurpose, wanted: list[tuple[str, int]]
) -> None:
    def make(epoch: Epoch) -> Subkeys:
        root_id = RootId(*epoch)
        return Subkeys(root_id, root_of(root_id))

    def root_of(root_id: RootId) -> bytes:
        return f"{root_id.purpose:.20}{root_id.epoch_start_ms:012d}".encode().ljust(32)

    plain = [_handle(SubkeyCache(make), make_purpose(name), day * DAY_MS) for name, day in wanted]
    tight = SubkeyCache(make, most=2)
    assert [_handle(tight, make_purpose(name), day * DAY_MS) for name, day in wanted] == plain
    assert len(tight._known) <= 2


def _handle(cache: SubkeyCache, purpose: Purpose, timestamp_ms: int) -> bytes:
    return cache.at(purpose, timestamp_ms).handle_maker("device")(b"SYNTHETIC-device-0001")


def test_a_purpose_that_rotates_otherwise_has_other_keys_though_the_epochs_begin_together(
    make_purpose: MakePurpose,
) -> None:
    keyring = throwaway_keyring()
    handles = {
        keyring.subkeys_at(make_purpose(rotate_ms=rotate), 0).handle_maker("device")(b"x")
        for rotate in (DAY_MS, 7 * DAY_MS)
    }
    assert len(handles) == 2


def test_threads_agree_on_every_handle(make_purpose: MakePurpose) -> None:
    keyring = throwaway_keyring()
    work = [(day * DAY_MS, b"SYNTHETIC-device-%d" % (n % 7)) for n in range(400) for day in (n % 5,)]

    def handle(place: tuple[int, bytes]) -> bytes:
        return keyring.subkeys_at(make_purpose(), place[0]).handle_maker("device")(place[1])

    with ThreadPoolExecutor(8) as pool:
        handles = list(pool.map(handle, work))
    assert len(set(zip(work, handles, strict=True))) == len(set(work)) == len(set(handles))
