"""The bytes that bind a root to its place, and the derivation that names them, computed here by hand."""

import hmac
from hashlib import sha256

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from hypothesis import given
from hypothesis import strategies as st

from pipelines.keys import LocalKeyEncryption, RootId
from pipelines.keys.binding import field, integrity_binding, place_of, root_binding
from pipelines.keys.contents import Contents
from pipelines.keys.subkeys import Subkeys

DEPLOYMENT = bytes(range(16))
ROOT_ID = RootId("Zürich", 86_400_000, -86_400_000, 2)
PLACE = bytes.fromhex(
    "00000010 000102030405060708090a0b0c0d0e0f"
    "00000007 5ac3bc72696368"
    "00000008 0000000000000002"
    "00000008 0000000005265c00"
    "00000008 fffffffffad9a400"
    "00000008 0000000000000001"
)
ROOT = bytes(range(32))

numbers = st.integers(-(2**63), 2**63 - 1)
places = st.tuples(
    st.binary(max_size=20), st.builds(RootId, st.text(max_size=20), numbers, numbers, st.integers(1, 2**63 - 1))
)


def _expand(root: bytes, info: bytes) -> bytes:
    """HKDF-Expand (RFC 5869 section 2.3) to one block of SHA-256."""
    return hmac.digest(root, info + b"\x01", sha256)


def test_a_place_is_its_fields_each_with_its_length() -> None:
    assert place_of(DEPLOYMENT, ROOT_ID) == PLACE


@given(places, places)
def test_two_places_never_have_the_same_bytes(one: tuple[bytes, RootId], other: tuple[bytes, RootId]) -> None:
    assert (place_of(*one) == place_of(*other)) is (one == other)


def test_a_wrapping_holds_the_root_and_the_hash_of_label_and_place() -> None:
    kek = LocalKeyEncryption(bytes(32))
    for derivation, digit in ((1, b"1"), (2, b"2")):
        label = b"telemetry-pipelines/keyring-2/root/derivation-" + digit
        beside = sha256(len(label).to_bytes(4, "big") + label + PLACE).digest()
        assert root_binding(DEPLOYMENT, ROOT_ID, derivation) == beside
        wrapped = Contents(2, DEPLOYMENT).wrap(ROOT_ID, ROOT, kek, derivation)
        assert kek.unwrap(wrapped.wrapped) == ROOT + beside


def test_the_integrity_key_has_a_label_of_its_own() -> None:
    label = b"telemetry-pipelines/keyring-2/integrity"
    assert integrity_binding(DEPLOYMENT) == sha256(field(label) + field(DEPLOYMENT)).digest()


def test_keys_of_a_root_of_version_2_name_use_and_place() -> None:
    subkeys = Subkeys(ROOT_ID, ROOT, place=PLACE)
    key = _expand(ROOT, field(b"telemetry-pipelines/derivation-2/handle") + PLACE)
    assert subkeys.handle_maker("device")(b"abc") == hmac.digest(key, b"\x01\x00\x00\x00\x03abc", sha256)[:16]
    event_id_key = _expand(ROOT, field(b"telemetry-pipelines/derivation-2/event-id") + PLACE)
    block = Cipher(AES256(event_id_key), modes.ECB()).encryptor().update(bytes(16))  # noqa: S305 - one block
    assert subkeys.event_ids(bytes(16)) == block
