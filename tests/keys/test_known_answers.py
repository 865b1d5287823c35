"""What openssl says a subkey, a handle, an event id and a wrapped root are (see vectors.md)."""

import shutil
import subprocess
from pathlib import Path

import pytest

from pipelines.keys import LocalKeyEncryption, RootId, Subkeys, event_block, topic_hash
from pipelines.keys.subkeys import expand

HERE = Path(__file__).parent


def _vectors() -> dict[str, str]:
    return dict(line.split("=") for line in (HERE / "vectors.txt").read_text("ascii").splitlines())


@pytest.fixture(scope="module")
def vector() -> dict[str, bytes]:
    return {name: v.encode() if name == "identifier" else bytes.fromhex(v) for name, v in _vectors().items()}


@pytest.fixture
def subkeys(vector: dict[str, bytes]) -> Subkeys:
    return Subkeys(RootId("support", 86_400_000, 0), vector["root"])


def test_subkeys_are_hkdf_expand_of_the_root(vector: dict[str, bytes]) -> None:
    assert expand(vector["root"], b"handle") == vector["handle_key"]
    assert expand(vector["root"], b"event-id") == vector["event_id_key"]


def test_a_handle_is_16_bytes_of_hmac_over_kind_length_and_identifier(
    vector: dict[str, bytes], subkeys: Subkeys
) -> None:
    assert subkeys.handle_maker("device")(vector["identifier"]) == vector["handle_device"]
    assert subkeys.handle_maker("account")(vector["identifier"]) == vector["handle_account"]
    assert subkeys.handle_maker("device")(b"") == vector["handle_device_empty"]


def test_an_event_id_is_one_aes_block_of_topic_hash_partition_and_offset(
    vector: dict[str, bytes], subkeys: Subkeys
) -> None:
    assert topic_hash(vector["topic_id"]) == vector["topic_hash"]
    first, later = event_block(vector["topic_hash"], 0, 0), event_block(vector["topic_hash"], 7, 4_328_719_365)
    assert first == vector["block_partition_0_offset_0"]
    assert later == vector["block_partition_7_offset_4328719365"]
    ids = vector["event_id_partition_0_offset_0"] + vector["event_id_partition_7_offset_4328719365"]
    assert subkeys.event_ids(first + later) == ids


def test_a_root_is_wrapped_by_rfc_3394(vector: dict[str, bytes]) -> None:
    kek = LocalKeyEncryption(vector["kek"])
    assert kek.wrap(vector["root"]) == vector["wrapped_root"]
    assert kek.unwrap(vector["wrapped_root"]) == vector["root"]


def test_wrapping_gives_the_answer_of_rfc_3394_section_4_6() -> None:
    kek = LocalKeyEncryption(bytes(range(32)))
    key = bytes.fromhex("00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F")
    wrapped = "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21"
    assert kek.wrap(key).hex().upper() == wrapped


def test_openssl_still_gives_the_committed_answers() -> None:
    openssl = shutil.which("openssl")
    if (
        openssl is None
        or b"OpenSSL 3" not in subprocess.run([openssl, "version"], capture_output=True, check=True).stdout
    ):
        pytest.skip("openssl 3 is not on PATH; the committed answers were made with it")
    answers = subprocess.run(["sh", HERE / "make_vectors.sh"], capture_output=True, text=True, check=True)
    assert answers.stdout == (HERE / "vectors.txt").read_text("ascii")
