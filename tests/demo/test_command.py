"""The command itself, on a real Kafka of its own: it ends well, ends badly, and leaves nothing behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import takewhile
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipelines.contract import build, digest_of, load
from pipelines.contract.model import Contract
from pipelines.demo.checks import CHECKS
from pipelines.trouble import Exit
from tests.support.planted import imported, plant, top_level_modules_of
from tests.support.processes import ended, finished

ROOT = Path(__file__).parents[2]
PIPELINES = str(Path(sys.executable).with_name("pipelines"))
TODAY = date(2026, 11, 23)

pytestmark = pytest.mark.brokers(1)


@dataclass(frozen=True, slots=True)
class Run:
    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.stdout)
        return document

    def broken(self) -> set[str]:
        return {check["check"] for check in self.document["checks"] if not check["held"]}


def start(folder: Path, contract: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [PIPELINES, "demo", "--contract", str(contract), *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A demo that has come as far as its keys, and is ended whatever happens."""
    demo = start(folder, ROOT, "--events", "1000000", *arguments)
    try:
        assert demo.stdout is not None
        told = list(takewhile(lambda line: not line.startswith("Made keys"), demo.stdout))
        assert (folder / ".pipelines/demo/keyring.json").exists(), "".join(told)
        yield demo
    finally:
        if demo.poll() is None:
            os.killpg(demo.pid, signal.SIGTERM)
        finished(demo, "the demo")


def run(folder: Path, contract: Path, *arguments: str) -> Run:
    demo = start(folder, contract, *arguments)
    stdout, stderr = finished(demo, "the demo")
    return Run(demo.returncode, stdout, stderr)


def sign(folder: Path, contract: Contract, purpose: str) -> None:
    """Let the purpose's review cover what it receives now, as a careless reviewer would."""
    review = contract.purposes[purpose].review
    assert review is not None
    purposes = folder / "policies/purposes.yaml"
    purposes.write_text(purposes.read_text().replace(review.covers, digest_of(contract, purpose)))


def processes_in(folder: Path) -> list[str]:
    """Whoever works in the folder, or was told of it: workers (by where they are), the broker (by its arguments)."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and (
                str(folder) in " ".join(process.cmdline()) or process.cwd().startswith(str(folder))
            ):
                found.append(process.name())
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    here = tmp_path / "here"
    here.mkdir()
    yield here
    subprocess.run([PIPELINES, "demo", "--clear"], cwd=here, check=True, stdout=subprocess.DEVNULL)


def test_a_run_holds_every_check_says_so_as_one_document_and_leaves_and_imports_nothing(
    folder: Path, tmp_path: Path
) -> None:
    plant(folder, top_level_modules_of("pipelines.relay.process"), tmp_path / "imported")
    before = set(folder.iterdir())
    done = run(folder, ROOT, "--json", "--events", "2000", "--faults", "0.05")
    assert done.exit_code == 0, done.stdout + done.stderr
    assert done.document["held"] is True
    assert [check["check"] for check in done.document["checks"]] == list(CHECKS)
    assert done.broken() == set()
    assert sum(max(view["in"] for view in views.values()) for views in done.document["flow"].values()) == 2000
    assert done.document["example"]["after"]
    assert done.stderr == ""
    assert set(folder.iterdir()) == before
    assert imported(tmp_path / "imported") == []
    assert processes_in(folder) == []


def test_a_contract_that_lets_canaries_through_is_caught(folder: Path, tmp_path: Path) -> None:
    contract = tmp_path / "contract"
    for part in ("schemas", "policies"):
        shutil.copytree(ROOT / part, contract / part)
    shutil.copy(ROOT / "topics.yaml", contract)
    policy = contract / "policies/ota/install.yaml"
    lines = [line for line in policy.read_text().splitlines() if not line.lstrip().startswith("from_build:")]
    at = lines.index("  audit.ota-release-review:") + 1
    policy.write_text(
        "\n".join([*lines[:at], "    from_build: {one_of: [CNRY5EED00000001], else: other}", *lines[at:]])
    )
    loaded = load(contract, as_of=TODAY)
    assert loaded.contract is not None, [str(finding) for finding in loaded.findings]
    build(contract, loaded.contract, as_of=TODAY)
    sign(contract, loaded.contract, "ota-release-review")

    done = run(folder, contract, "--json", "--events", "1000")
    assert done.exit_code == 1, done.stdout + done.stderr
    assert done.document["held"] is False
    assert done.broken() == {"no canary, no identifier got through"}
    (leak,) = [check["detail"] for check in done.document["checks"] if not check["held"]]
    assert "canary in the value of audit.ota-release-review" in leak
    assert "CNRY" not in leak
    assert list(folder.iterdir()) == []


def test_ctrl_c_ends_the_broker_and_the_workers_and_deletes_everything_even_with_keep(folder: Path) -> None:
    with running(folder, "--keep") as demo:
        os.killpg(demo.pid, signal.SIGINT)  # as a terminal does: the workers get it too
        assert ended(demo, "the demo") == 130
    assert list(folder.iterdir()) == []
    assert processes_in(folder) == []


def test_a_second_demo_in_the_folder_is_refused_and_the_first_ends_in_order_when_terminated(folder: Path) -> None:
    with running(folder) as first:
        second = run(folder, ROOT, "--events", "500")
        assert second.exit_code == 4, second.stderr
        assert "another demo runs in this folder" in second.stderr
        assert first.poll() is None
        os.kill(first.pid, signal.SIGTERM)  # as a service manager does: the demo alone
        assert ended(first, "the first demo") == Exit.INTERRUPTED
    assert list(folder.iterdir()) == []
    assert processes_in(folder) == []


def test_what_is_kept_can_be_looked_at_as_the_hint_says_and_cleared(folder: Path) -> None:
    done = run(folder, ROOT, "--events", "500", "--faults", "0.1", "--keep")
    assert done.exit_code == 0, done.stdout + done.stderr
    hint = done.stdout[done.stdout.index("To look around") :].splitlines()[1:]
    typed = [line.strip() for line in hint]
    exports, commands = (
        [line for line in typed if line.startswith("export")],
        [line for line in typed if "less" not in line],
    )
    assert len(exports) == 4
    for command in commands[len(exports) :]:
        script = "; ".join([f"PATH={Path(sys.executable).parent}:$PATH", *exports, command])
        looked = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=False)
        assert looked.returncode == 0, looked.stdout + looked.stderr
        assert looked.stdout
    assert list(folder.iterdir()) == []
    assert processes_in(folder) == []
