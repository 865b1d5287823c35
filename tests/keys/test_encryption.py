import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.keys import LocalKeyEncryption
from pipelines.trouble import Exit, Trouble

keys = st.binary(min_size=32, max_size=32)


@given(keys, keys)
def test_what_was_wrapped_is_unwrapped(kek: bytes, key: bytes) -> None:
    assert LocalKeyEncryption(kek).unwrap(LocalKeyEncryption(kek).wrap(key)) == key


@given(st.sets(keys, min_size=2, max_size=2), keys)
def test_another_key_unwraps_nothing(keks: set[bytes], key: bytes) -> None:
    one, other = map(LocalKeyEncryption, keks)
    assert other.unwrap(one.wrap(key)) is None


@given(st.binary(max_size=100))
def test_bytes_that_nobody_wrapped_unwrap_to_nothing(wrapped: bytes) -> None:
    assert LocalKeyEncryption(bytes(32)).unwrap(wrapped) is None


def test_a_created_key_is_32_random_bytes_that_only_the_owner_reads(tmp_path: Path) -> None:
    paths = [tmp_path / "folder" / name for name in ("one", "other")]
    for path in paths:
        LocalKeyEncryption.create(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len({path.read_bytes() for path in paths}) == 2
    assert {len(path.read_bytes()) for path in paths} == {32}


def test_creating_where_a_key_is_reads_that_key(tmp_path: Path) -> None:
    wrapped = LocalKeyEncryption.create(tmp_path / "kek").wrap(bytes(32))
    before = (tmp_path / "kek").read_bytes()
    assert LocalKeyEncryption.create(tmp_path / "kek").unwrap(wrapped) == bytes(32)
    assert (tmp_path / "kek").read_bytes() == before


def test_no_key_is_trouble_with_a_way_out(tmp_path: Path) -> None:
    assert LocalKeyEncryption.find(tmp_path / "kek") is None
    with pytest.raises(Trouble, match="no key-encryption key") as trouble:
        LocalKeyEncryption.open(tmp_path / "kek")
    assert trouble.value.exit_code is Exit.UNAVAILABLE
    assert "keys init" in trouble.value.hint


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33, b"00" * 32, b"x" * 100_000])
def test_a_key_of_another_length_is_refused_without_showing_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "kek").write_bytes(content)
    (tmp_path / "kek").chmod(0o600)
    with pytest.raises(Trouble) as trouble:
        LocalKeyEncryption.open(tmp_path / "kek")
    assert trouble.value.exit_code is Exit.REFUSED
    assert "xx" not in f"{trouble.value} {trouble.value.hint}"


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    LocalKeyEncryption.create(tmp_path / "kek")
    (tmp_path / "kek").chmod(0o644)
    with pytest.raises(Trouble, match="open to others") as trouble:
        LocalKeyEncryption.open(tmp_path / "kek")
    assert trouble.value.exit_code is Exit.REFUSED


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_encryption_key_has_256_bits_or_is_none(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        LocalKeyEncryption(bytes(length))
