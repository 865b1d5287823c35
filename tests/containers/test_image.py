"""The image: small, with nothing to build with, for a user without rights on a file system that cannot be written."""

import time
from pathlib import Path

import orjson
import pytest

from pipelines.trouble import Exit
from tests.support.container_engine import IMAGE, PYTHON, ROOT, build, docker, inspected
from tests.support.waiting import until

pytestmark = [pytest.mark.container, pytest.mark.usefixtures("image")]

LOCKED = ("--rm", "--read-only", "--network", "none", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
# What would build, install or run something that is not the program.
TOOLS = {
    *("gcc", "cc", "c++", "g++", "ld", "as", "make", "cmake", "rustc", "cargo", "go", "git"),
    *("pip", "pip3", "easy_install", "apt", "apt-get", "dpkg-query", "apk", "uv", "conda"),
    *("sh", "bash", "dash", "busybox", "su", "sudo", "mount", "curl", "wget", "perl", "java"),
}
COMPILED = "from pipelines.minimize import compiled; print(compiled())"
SURVEY = """
import json, os, stat, sys
names, set_id, writable = [], [], []
for folder, folders, files in os.walk("/"):
    folders[:] = [one for one in folders if os.path.join(folder, one) not in ("/proc", "/sys", "/dev")]
    for name in [*folders, *files]:
        path = os.path.join(folder, name)
        mode = os.lstat(path).st_mode
        names.append(path)
        if mode & (stat.S_ISUID | stat.S_ISGID): set_id.append(path)
        if not stat.S_ISLNK(mode) and os.access(path, os.W_OK): writable.append(path)
json.dump({"names": names, "set_id": set_id, "writable": writable, "uid": os.getuid()}, sys.stdout)
"""


@pytest.fixture(scope="module")
def survey(image: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = orjson.loads(docker("run", "--rm", "--entrypoint", PYTHON, image, "-c", SURVEY))
    return found


def test_the_image_is_small() -> None:
    assert inspected(IMAGE)["Size"] < 170_000_000


def test_nothing_to_build_with_is_left_inside(survey: dict[str, list[str]]) -> None:
    assert len(survey["names"]) > 1000
    assert [path for path in survey["names"] if path.rpartition("/")[2] in TOOLS] == []
    packages = {"pip", "setuptools", "ensurepip", "mypy", "mypyc", "wheel"}
    assert [path for path in survey["names"] if path.rpartition("/")[2] in packages] == []
    assert [path for path in survey["names"] if path.endswith((".a", ".h", ".c", ".whl")) or "/.cache" in path] == []


def test_no_file_gives_rights_and_none_but_the_own_folders_can_be_written(survey: dict[str, list[str]]) -> None:
    assert survey["uid"] == 10001
    assert survey["set_id"] == []
    assert sorted(survey["writable"]) == ["/home/pipelines", "/home/pipelines/.pipelines", "/keys", "/tmp"]  # noqa: S108 - in the image


def test_scanners_are_told_which_packages_the_libraries_are_from(survey: dict[str, list[str]]) -> None:
    told = {path.rpartition("/")[2] for path in survey["names"] if path.startswith("/var/lib/dpkg/status.d/")}
    assert {"libc6", "libssl3"} <= told or {"libc6", "libssl3t64"} <= told


def test_the_command_runs_without_rights_network_or_a_file_system_to_write_to() -> None:
    assert "0 errors" in docker("run", *LOCKED, IMAGE, "validate")
    assert "pipelines, version" in docker("run", *LOCKED, IMAGE, "--version")


def test_the_walk_is_compiled() -> None:
    told = docker("run", *LOCKED, "--entrypoint", PYTHON, IMAGE, "-c", COMPILED)
    assert told == "True"


def test_the_image_says_what_it_is_and_how_it_is_checked_and_stopped() -> None:
    config = inspected(IMAGE)["Config"]
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    assert labels["licenses"] == "Apache-2.0"
    assert labels["revision"] == "tests"
    assert labels["title"] == "telemetry-pipelines"
    assert labels["version"] in (ROOT / "pipelines/__init__.py").read_text()
    assert {"description", "created", "documentation"} <= labels.keys()
    assert (ROOT / labels["documentation"]).exists()
    assert config["User"] == "10001:10001"
    assert config["StopSignal"] == "SIGTERM"
    assert config["Healthcheck"]["Test"] == ["CMD", "pipelines", "health"]


def test_as_a_first_process_a_command_ends_when_it_is_asked_to() -> None:
    # It waits for its input, without a handler of its own; the kernel has none for a container's first process.
    container = docker("run", "-d", "-i", *LOCKED[1:], IMAGE, "try", "vpn.session", "-")
    try:
        until(lambda: inspected(container)["State"]["Running"], "a running container")
        time.sleep(2)  # for its imports
        docker("stop", "-t", "60", container)
        assert inspected(container)["State"]["ExitCode"] == Exit.INTERRUPTED
    finally:
        docker("rm", "-f", container)


def test_no_key_and_no_history_enters_the_build(tmp_path: Path) -> None:
    context, tag = tmp_path / "context", "telemetry-pipelines-tests/context"
    for name in (".pipelines/kek", ".git/config", ".env", ".venv/bin/python", "tests/test.py", "pipelines/a.py"):
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        (context / name).write_text("synthetic")
    (context / ".dockerignore").write_text((ROOT / ".dockerignore").read_text())
    (context / "Dockerfile").write_text(f"FROM {IMAGE}\nCOPY . /context\n")
    build(tag, context)
    told = docker("run", "--rm", "--entrypoint", PYTHON, tag, "-c", "import os; print(sorted(os.listdir('/context')))")
    docker("rmi", tag)
    assert told == "['Dockerfile', 'pipelines']"
