"""A judged folder's repository names programs wherever git knows a place for one: none of them runs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.cli.app import pipelines
from pipelines.contract import load
from pipelines.contract.changes.revisions import checked_out, signed_states
from tests.support.contract_folders import BASE, TODAY, overlaid
from tests.support.repository import committed, git

pytestmark = pytest.mark.slow

POLICY = "policies/vpn/session.yaml"
PROGRAMS = (
    "alias.cat-file",
    "alias.log",
    "core.alternateRefsCommand",
    "core.askPass",
    "core.editor",
    "core.fsmonitor",
    "core.gitProxy",
    "core.pager",
    "core.sshCommand",
    "credential.helper",
    "diff.external",
    "diff.x.command",
    "diff.x.textconv",
    "filter.x.clean",
    "filter.x.process",
    "filter.x.smudge",
    "gpg.openpgp.program",
    "gpg.program",
    "gpg.ssh.defaultKeyCommand",
    "interactive.diffFilter",
    "merge.x.driver",
    "pager.cat-file",
    "pager.log",
    "remote.origin.proxy",
    "remote.origin.receivepack",
    "remote.origin.uploadpack",
    "sequence.editor",
    "trailer.x.command",
    "uploadpack.packObjectsHook",
)
SETTINGS = {
    "core.attributesFile": "{folder}/attributes",
    "core.hooksPath": "{folder}/hooks",
    "diff.x.cachetextconv": "false",
    "extensions.partialClone": "origin",
    "include.path": "{folder}/included",
    "log.diffMerges": "on",
    "log.showSignature": "true",
    "remote.origin.promisor": "true",
    "remote.origin.url": "ext::{program}",
    "protocol.ext.allow": "always",
}
HOOKS = ("post-checkout", "post-index-change", "reference-transaction", "fsmonitor-watchman", "pre-auto-gc")
VARIABLES = ("EXTERNAL_DIFF", "PAGER", "EDITOR", "ASKPASS", "SSH_COMMAND", "PROXY_COMMAND")


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """The file that a program of the judged folder leaves behind; no test may find it."""
    return tmp_path / "ran"


@pytest.fixture
def judged(tmp_path: Path, ran: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A contract with a change that was not signed, in a repository that runs a program wherever it can."""
    folder = overlaid(tmp_path / "judged")
    committed(folder, "signed")
    policy = folder / POLICY
    policy.write_text(policy.read_text().replace("1KiB", "2KiB"))
    committed(folder, "not signed")
    git(folder, "branch", "other", "HEAD~1")
    own = tmp_path / "own"
    (own / "hooks").mkdir(parents=True)
    program = own / "program"
    program.write_text(f"#!/bin/sh\necho $0 >> {ran}\ncat\n")
    program.chmod(0o755)
    for hook in HOOKS:
        shutil.copy(program, own / "hooks" / hook)
        shutil.copy(program, folder / ".git/hooks" / hook)
    (folder / "bin").mkdir()
    shutil.copy(program, folder / "bin/git")
    lines = "* diff=x filter=x merge=x\n"
    for attributes in (own / "attributes", folder / ".gitattributes", folder / ".git/info/attributes"):
        attributes.parent.mkdir(exist_ok=True)
        attributes.write_text(lines)
    (own / "included").write_text(f"[diff]\n\texternal = {program}\n")
    for name in PROGRAMS:
        git(folder, "config", name, str(program))
    for name, value in SETTINGS.items():
        git(folder, "config", name, value.format(folder=own, program=program))
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(folder / ".git/config", home / ".gitconfig")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.setenv("PATH", f"bin{os.pathsep}{folder}/bin{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PAGER", str(program))
    for name in VARIABLES:
        monkeypatch.setenv(f"GIT_{name}", str(program))
    given = {"CONFIG_COUNT": "1", "CONFIG_KEY_0": "diff.external", "CONFIG_VALUE_0": str(program)}
    for name, value in {**given, "CONFIG_PARAMETERS": f"'diff.external'='{program}'"}.items():
        monkeypatch.setenv(f"GIT_{name}", value)
    monkeypatch.chdir(folder)
    ran.unlink(missing_ok=True)  # what the set-up itself made git run
    return folder


def test_the_repository_of_these_tests_does_run_its_programs(judged: Path, ran: Path) -> None:
    subprocess.run(["git", "log"], capture_output=True, check=False)  # finds bin/git
    assert ran.read_text() == "bin/git\n"
    ran.unlink()
    program = shutil.which("git", path=os.environ["PATH"].partition(f"{judged}/bin{os.pathsep}")[2])
    assert program is not None
    subprocess.run([program, "log", "-Sabc", "--textconv"], capture_output=True, check=False)
    assert ran.exists()


@pytest.mark.usefixtures("judged")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["validate"], "review-signed"),
        (["validate", "--history"], "bucket [0, 1024, 1048576] → bucket [0, 2048, 1048576]"),
        (["review", "support"], "only --history looks"),
        (["review", "support", "--history"], "bucket [0, 1024, 1048576] → bucket [0, 2048, 1048576]"),
        (["review", "support", "--against", "other"], "bucket [0, 1024, 1048576] → bucket [0, 2048, 1048576]"),
        (["diff", "HEAD~1"], "Privacy gets worse (1)"),
        (["diff", "HEAD", "."], "Nothing changes"),
        (["explain", "vpn.session"], "bytes_up"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_no_command_runs_what_the_folder_names(words: list[str], said: str, ran: Path) -> None:
    done = CliRunner().invoke(pipelines, words)
    assert said in " ".join(done.output.split()), done.output
    assert not ran.exists(), ran.read_text()


@pytest.mark.usefixtures("judged")
def test_without_history_no_program_runs_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*words: object, **_: object) -> None:
        raise AssertionError(words)

    monkeypatch.setattr(subprocess, "Popen", never)
    for words in (["validate"], ["review"], ["review", "support"], ["diff", str(BASE)]):
        assert isinstance(CliRunner().invoke(pipelines, words).exception, SystemExit), words


def test_nothing_is_written_to_the_judged_repository(judged: Path) -> None:
    before = {path: path.lstat().st_mtime_ns for path in judged.rglob("*")}
    CliRunner().invoke(pipelines, ["validate", "--history"])
    assert {path: path.lstat().st_mtime_ns for path in judged.rglob("*")} == before


def test_a_linked_work_tree_is_read(tmp_path: Path) -> None:
    folder = overlaid(tmp_path / "main")
    committed(folder, "one")
    git(folder, "worktree", "add", "--quiet", str(tmp_path / "tree"))
    (tmp_path / "tree" / POLICY).write_text("event: of-the-tree\n")
    committed(tmp_path / "tree", "two")
    with checked_out(tmp_path / "tree", "HEAD") as found:
        assert (found / POLICY).read_text() == "event: of-the-tree\n"
    with checked_out(folder, "tree") as found, checked_out(folder, "HEAD") as first:
        assert (found / POLICY).read_text() != (first / POLICY).read_text()


def test_a_repository_of_sha256_with_packed_refs_is_read(tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    git(folder, "init", "--quiet", "--initial-branch=main", "--object-format=sha256")
    first = committed(folder, "one")
    git(folder, "pack-refs", "--all")
    assert len(first) == 64
    contract = load(folder, as_of=TODAY).contract
    assert contract is not None
    review = contract.purposes["support"].review
    assert review is not None
    assert signed_states(folder, {"support": review.covers}, as_of=TODAY)[0]["support"].commit == first


def test_a_shallow_clone_is_read(tmp_path: Path) -> None:
    folder = overlaid(tmp_path / "whole")
    committed(folder, "one")
    (folder / "README.md").write_text("two\n")
    second = committed(folder, "two")
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{folder}", "shallow")
    with checked_out(tmp_path / "shallow", "HEAD") as found:
        assert (found / POLICY).read_bytes() == (BASE / POLICY).read_bytes()
    contract = load(folder, as_of=TODAY).contract
    assert contract is not None
    review = contract.purposes["support"].review
    assert review is not None
    states, _ = signed_states(tmp_path / "shallow", {"support": review.covers}, as_of=TODAY)
    assert states["support"].commit == second
