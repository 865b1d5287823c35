import shutil
import tomllib
from pathlib import Path

import pytest

from pipelines.broker import EmbeddedKafka, jars
from pipelines.trouble import Exit, Trouble


@pytest.fixture(scope="module")
def cache() -> Path:
    folder = jars.cache_folder()
    jars.class_path(folder, print)
    return folder


@pytest.fixture
def copied_cache(cache: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(cache, tmp_path / "jars", ignore=shutil.ignore_patterns(".startup")))


def test_every_locked_jar_has_a_checksum_and_the_lock_names_no_host() -> None:
    text = jars.LOCK.read_text(encoding="utf-8")
    locked = tomllib.loads(text)["dependencies"]
    assert len(locked) == 46
    assert all(len(jar["sha256"]) == 64 for jar in locked)
    assert "://" not in text


def test_the_class_path_is_the_lock_and_nothing_else(copied_cache: Path) -> None:
    (copied_cache / "org" / "apache" / "kafka" / "stray.jar").write_bytes(b"stray")
    found = jars.class_path(copied_cache, print)
    assert len(found) == 46
    assert all(jar.is_file() for jar in found)
    assert not [jar for jar in found if jar.name == "stray.jar"]


def test_a_tampered_jar_is_refused_by_name(copied_cache: Path, tmp_path: Path) -> None:
    jar = next(copied_cache.rglob("kafka-clients-4.3.1.jar"))
    jar.write_bytes(jar.read_bytes() + b"\0")
    with pytest.raises(Trouble, match=r"org\.apache\.kafka:kafka-clients:4\.3\.1") as refused:
        EmbeddedKafka(tmp_path / "broker", cache=copied_cache).start()
    assert refused.value.exit_code == Exit.REFUSED


def test_a_jar_that_arrives_wrong_is_refused_and_does_not_enter_the_cache(
    copied_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jar = next(copied_cache.rglob("kafka-clients-4.3.1.jar"))
    jar.unlink()

    def resolve(artifact: object) -> None:
        path: Path = artifact.cached_path  # type: ignore[attr-defined]
        path.parent.mkdir(parents=True)
        path.write_bytes(b"something else")

    monkeypatch.setattr("jgo.maven.Artifact.resolve", resolve)
    with pytest.raises(Trouble) as refused:
        jars.class_path(copied_cache, print)
    assert refused.value.exit_code == Exit.REFUSED
    assert not jar.exists()
    assert not list(copied_cache.glob(".fetching-*"))


def test_a_machine_without_a_way_out_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(_: object) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr("jgo.maven.Artifact.resolve", resolve)
    said: list[str] = []
    with pytest.raises(Trouble, match="cannot fetch the jars") as failed:
        jars.class_path(tmp_path, said.append)
    assert failed.value.exit_code == Exit.UNAVAILABLE
    assert len(said) == 1


def test_the_cache_is_the_users_and_follows_xdg(tmp_path: Path) -> None:
    assert jars.cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "telemetry-pipelines" / "jars"
    assert jars.cache_folder({}) == Path.home() / ".cache" / "telemetry-pipelines" / "jars"
