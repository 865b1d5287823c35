import os
import re
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipelines.broker import EmbeddedKafka, jars, java, startup_cache
from tests.support import aot_cache
from tests.support.kafka import SHORT_TIMINGS, guarded

pytestmark = pytest.mark.brokers(1)


@pytest.fixture(scope="module")
def made() -> Path:
    aot_cache.make_startup_cache()
    command = java.command(jars.class_path(jars.cache_folder(), print))
    file = startup_cache.location(jars.cache_folder(), command)
    assert file is not None
    assert file.exists(), "this Java makes a cache"
    return file


@pytest.fixture
def put_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    return lambda file: monkeypatch.setattr(startup_cache, "location", lambda *_: file)


def an_installed_java(folder: Path, release: str = "25") -> list[str]:
    for name in ("bin", "lib"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name in ("bin/java", "lib/modules"):
        (folder / name).touch()
    (folder / "release").write_text(release)
    return [str(folder / "bin/java"), "-Xmx512m", "-cp", "a.jar"]


def test_a_broker_starts_from_the_cache_and_says_nothing_of_it(made: Path, tmp_path: Path) -> None:
    kafka = EmbeddedKafka(tmp_path / "broker", settings=SHORT_TIMINGS)
    with guarded(kafka):
        kafka.start()
        assert str(made) in Path(f"/proc/{kafka.pids()[1]}/maps").read_text()
        assert kafka.stop()
    assert not re.findall(r"\[(?:warning|error) *\].*", (tmp_path / "broker/node-1/log").read_text())


def truncated(data: bytearray) -> None:
    del data[len(data) // 2 :]


def altered(data: bytearray) -> None:
    for at in range(len(data) // 8, len(data) // 2, 211):  # its classes; a JVM checks what lies before and behind
        data[at] ^= 0xFF


@pytest.mark.parametrize("harm", [truncated, altered, bytearray.clear])
def test_a_damaged_cache_is_ignored_without_a_word(
    made: Path, tmp_path: Path, put_at: Callable[[Path], None], harm: Callable[[bytearray], None]
) -> None:
    data = bytearray(made.read_bytes())
    harm(data)
    (tmp_path / "damaged.aot").write_bytes(data)
    put_at(tmp_path / "damaged.aot")
    command = [*EmbeddedKafka(tmp_path)._java(), "kafka.tools.StorageTool", "random-uuid"]
    assert f"-XX:AOTCache={tmp_path / 'damaged.aot'}" in command
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (ended.returncode, ended.stderr, len(ended.stdout.split())) == (0, "", 1)


def test_a_cache_belongs_to_one_java_its_options_and_its_jars(tmp_path: Path) -> None:
    command = an_installed_java(tmp_path / "one")
    others = [[*command[:-1], "b.jar"], [command[0], "-Xmx1g", *command[2:]], an_installed_java(tmp_path / "two")]
    found = [startup_cache.location(tmp_path, each) for each in (command, *others)]
    an_installed_java(tmp_path / "one", "26")
    found.append(startup_cache.location(tmp_path, command))
    os.utime(tmp_path / "one/lib/modules", (0, 0))
    found.append(startup_cache.location(tmp_path, command))
    assert len({*found}) == 6
    assert None not in found


def test_a_java_that_does_not_say_what_it_is_starts_without_a_cache(tmp_path: Path) -> None:
    command = an_installed_java(tmp_path)
    (tmp_path / "release").unlink()
    assert startup_cache.location(tmp_path, command) is None
    assert startup_cache.options(tmp_path, command) == ()


def test_a_cache_that_another_user_wrote_or_could_write_is_ignored(
    tmp_path: Path, put_at: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "one.aot"
    put_at(file)
    assert startup_cache.options(tmp_path, []) == ()
    file.touch(0o644)
    assert f"-XX:AOTCache={file}" in startup_cache.options(tmp_path, [])
    for mode in (0o664, 0o646):
        file.chmod(mode)
        assert startup_cache.options(tmp_path, []) == ()
    file.chmod(0o644)
    (tmp_path / "link.aot").symlink_to(file)
    put_at(tmp_path / "link.aot")
    assert startup_cache.options(tmp_path, []) == ()
    put_at(file)
    monkeypatch.setattr("os.geteuid", lambda: file.stat().st_uid + 1)
    assert startup_cache.options(tmp_path, []) == ()


def test_two_processes_that_want_a_cache_make_one_and_few_old_ones_are_kept(
    tmp_path: Path, put_at: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    makers: list[Path] = []

    def make(_: list[str], folder: Path) -> Path:
        makers.append(folder)
        (folder / "made").write_text("new")
        return folder / "made"

    monkeypatch.setattr(aot_cache, "make", make)
    (tmp_path / ".making-left-by-a-killed-process").mkdir()
    for number in range(6):
        (tmp_path / f"old{number}.aot").touch()
        os.utime(tmp_path / f"old{number}.aot", (number, number))
    put_at(tmp_path / "new.aot")
    with ThreadPoolExecutor(2) as pool:
        for wanted in [pool.submit(aot_cache.make_startup_cache.__wrapped__) for _ in range(2)]:
            wanted.result()
    assert len(makers) == 1
    assert {file.name for file in tmp_path.iterdir()} == {".lock", "new.aot", "old3.aot", "old4.aot", "old5.aot"}


def test_a_java_that_makes_no_cache_costs_no_test(
    tmp_path: Path, put_at: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    unable = tmp_path / "java"
    unable.write_text("#!/bin/sh\nexit 1\n")
    unable.chmod(0o755)
    monkeypatch.setenv("PIPELINES_JAVA", str(unable))
    put_at(tmp_path / "caches/new.aot")
    aot_cache.make_startup_cache.__wrapped__()
    assert [file.name for file in (tmp_path / "caches").iterdir()] == [".lock"]
