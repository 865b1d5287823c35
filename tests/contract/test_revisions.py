"""Contracts in git: the state that was signed is found, revisions are read, and whatever is in the way is said."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.cli.app import pipelines
from pipelines.contract import digest_of, load
from pipelines.contract.changes.naming import with_changes
from pipelines.contract.changes.revisions import checked_out, signed_states
from pipelines.contract.reading import MAX_BYTES
from pipelines.trouble import Exit, Trouble
from tests.support.contract_folders import BASE, TODAY, edited, overlaid
from tests.support.repository import committed, git

POLICY = "policies/vpn/session.yaml"


def digest(folder: Path) -> str:
    contract = load(folder, as_of=TODAY).contract
    assert contract is not None
    return digest_of(contract, "support")


def change(folder: Path, old: str, new: str) -> None:
    policy = folder / POLICY
    assert old in policy.read_text()
    policy.write_text(policy.read_text().replace(old, new))


def test_the_signed_state_is_found_behind_commits_that_changed_it(tmp_path: Path) -> None:
    first = committed(overlaid(tmp_path), "signed")
    for number in range(3):
        change(tmp_path, "1KiB" if not number else f"{number}KiB ", f"{number + 1}KiB ")
        committed(tmp_path, "not signed")
    states, _ = signed_states(tmp_path, {"support": digest(BASE)}, as_of=TODAY)
    assert states["support"].commit == first


def test_the_state_that_was_signed_under_the_recipe_before_is_found(tmp_path: Path) -> None:
    first = committed(overlaid(tmp_path), "signed")
    change(tmp_path, "1KiB", "2KiB")
    committed(tmp_path, "not signed")
    before = load(BASE, as_of=TODAY).contract
    assert before is not None
    states, _ = signed_states(tmp_path, {"support": digest_of(before, "support", "review-2")}, as_of=TODAY)
    assert states["support"].commit == first


def test_a_contract_in_a_part_of_a_repository_is_found(tmp_path: Path) -> None:
    folder = overlaid(tmp_path / "deep/contract")
    first = committed(tmp_path, "signed")
    change(folder, "1KiB", "2KiB")
    states, _ = signed_states(folder, {"support": digest(BASE)}, as_of=TODAY)
    assert states["support"].commit == first


def test_commits_that_are_no_contract_are_passed_over(tmp_path: Path) -> None:
    first = committed(overlaid(tmp_path), "signed")
    (tmp_path / "topics.yaml").write_text("raw: [\n")
    committed(tmp_path, "broken")
    states, _ = signed_states(tmp_path, {"support": digest(BASE)}, as_of=TODAY)
    assert states["support"].commit == first


def test_a_state_that_was_never_committed_is_said_not_to_be_there(tmp_path: Path) -> None:
    committed(overlaid(tmp_path), "another")
    assert signed_states(tmp_path, {"support": "0" * 64}, as_of=TODAY) == (
        {},
        "not in the 1 commit that touched the contract",
    )


def test_a_folder_without_a_repository_or_commit_or_git_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = overlaid(tmp_path)
    assert "not a git repository" in signed_states(folder, {"support": "0" * 64}, as_of=TODAY)[1]
    git(folder, "init", "--quiet")
    assert "does not have any commits" in signed_states(folder, {"support": "0" * 64}, as_of=TODAY)[1]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert signed_states(folder, {"support": "0" * 64}, as_of=TODAY)[1] == "git is not installed"


@pytest.mark.parametrize("revision", ["no-such-branch", "--upload-pack=true", "", "HEAD:policies"])
def test_a_revision_that_is_none_is_trouble_that_names_it(revision: str, tmp_path: Path) -> None:
    committed(overlaid(tmp_path), "one")
    with pytest.raises(Trouble) as trouble, checked_out(tmp_path, revision):
        pass
    assert trouble.value.exit_code is Exit.USAGE
    assert repr(revision) in str(trouble.value)


def test_a_revision_is_read_whatever_the_attributes_and_the_environment_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = overlaid(tmp_path)
    (folder / ".gitattributes").write_text("policies/** export-ignore\n*.yaml text eol=crlf\n")
    committed(folder, "one")
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    with checked_out(folder, "HEAD") as found:
        assert (found / POLICY).read_bytes() == (BASE / POLICY).read_bytes()
        assert digest(found) == digest(BASE)
    assert not found.exists()


def test_a_symbolic_link_in_a_revision_is_left_out(tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    (folder / "policies/lists.yaml").unlink()
    (folder / "policies/lists.yaml").symlink_to("/etc/hostname")
    committed(folder, "one")
    with checked_out(folder, "HEAD") as found:
        assert not (found / "policies/lists.yaml").is_symlink()
        assert not (found / "policies/lists.yaml").exists()


def test_the_finding_names_each_change_since_the_signed_state(tmp_path: Path) -> None:
    first = committed(overlaid(tmp_path), "signed")
    change(tmp_path, "1KiB", "2KiB")
    change(tmp_path, "    dns_names: count\n", "    dns_names: present\n")
    loaded = load(tmp_path, as_of=TODAY)
    (plain,) = [found for found in loaded.findings if found.check == "review-signed"]
    (named,) = [found for found in with_changes(tmp_path, loaded, as_of=TODAY) if found.check == "review-signed"]
    assert first[:12] in named.message
    assert "bucket [0, 1024, 1048576] → bucket [0, 2048, 1048576] (worse)" in named.message
    assert "count → present (better)" in named.message
    assert (named.position, named.remedy) == (plain.position, plain.remedy)


def test_the_finding_says_why_it_cannot_name_changes(tmp_path: Path) -> None:
    loaded = load(edited(tmp_path, {POLICY: ("1KiB", "2KiB")}), as_of=TODAY)
    (named,) = [found for found in with_changes(tmp_path, loaded, as_of=TODAY) if found.check == "review-signed"]
    assert "cannot be shown: this is not a git repository" in named.message
    assert "pipelines review support" in named.remedy


@pytest.mark.parametrize("seconds", ["99999999999999", "9223372036854775807", "-1", "soon", "18446744073709551616"])
def test_the_signed_state_is_found_in_a_commit_with_an_odd_date(seconds: str, tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    committed(folder, "signed")
    raw = git(folder, "cat-file", "commit", "HEAD")
    who = "committer synthetic <synthetic@example.test>"
    lines = [f"{who} {seconds} +0000" if line.startswith("committer ") else line for line in raw.splitlines()]
    odd = tmp_path.parent / f"{tmp_path.name}.commit"
    odd.write_text("\n".join(lines) + "\n")
    first = git(folder, "hash-object", "-t", "commit", "--literally", "-w", str(odd))
    git(folder, "update-ref", "refs/heads/main", first)
    change(folder, "1KiB", "2KiB")
    committed(folder, "not signed")
    states, why = signed_states(folder, {"support": digest(BASE)}, as_of=TODAY)
    assert states["support"].commit == first, why
    done = CliRunner().invoke(pipelines, ["review", "support", "--history", "--contract", str(folder)])
    assert done.exit_code in {Exit.DONE, Exit.FINDINGS}, done.output
    assert first[:12] in done.output


@pytest.mark.cpu_seconds(30)
@pytest.mark.parametrize(
    "place",
    ["config", "objects/info/alternates", "objects/aa/trap", "objects/pack/trap.idx", "refs/trap", "HEAD", "far"],
)
def test_no_fifo_in_a_repository_is_waited_for(place: str, tmp_path: Path) -> None:
    folder = overlaid(tmp_path / "judged")
    committed(folder, "one")
    far = tmp_path / "far"
    far.mkdir()
    if place == "far":
        trap = far / "trap"
        (folder / ".git/objects/info").mkdir(exist_ok=True)
        (folder / ".git/objects/info/alternates").write_text(f"# elsewhere\n{far}\n")
    else:
        trap = folder / ".git" / place
        trap.parent.mkdir(parents=True, exist_ok=True)
        trap.unlink(missing_ok=True)
    os.mkfifo(trap)
    began = time.monotonic()
    why = signed_states(folder, {"support": "0" * 64}, as_of=TODAY)[1]
    assert time.monotonic() - began < 20
    assert "is not a regular file" in why
    assert trap.name in why


def test_a_repository_that_borrows_objects_is_read(tmp_path: Path) -> None:
    first = committed(overlaid(tmp_path / "one"), "signed")
    git(tmp_path, "clone", "--quiet", "--shared", "one", "two")
    assert (tmp_path / "two/.git/objects/info/alternates").exists()
    states, _ = signed_states(tmp_path / "two", {"support": digest(BASE)}, as_of=TODAY)
    assert states["support"].commit == first


def made_tree(folder: Path, listing: str) -> str:
    """Write a tree object; the index would unfold what it holds."""
    made = subprocess.run(["git", "-C", folder, "mktree"], input=listing, capture_output=True, text=True, check=True)
    return made.stdout.strip()


@pytest.mark.cpu_seconds(60)
def test_a_tree_that_holds_itself_many_times_is_not_unfolded(tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    committed(folder, "one")
    blob = git(folder, "hash-object", "-w", "topics.yaml")
    tree = made_tree(folder, f"100644 blob {blob}\tfile.md\n")
    for _ in range(8):
        tree = made_tree(folder, "".join(f"040000 tree {tree}\t{one:x}{'long' * 20}\n" for one in range(16)))
    policies = made_tree(folder, f"{git(folder, 'ls-tree', 'HEAD:policies')}\n040000 tree {tree}\tzdeep\n")
    whole = git(folder, "ls-tree", "HEAD").replace(git(folder, "rev-parse", "HEAD:policies"), policies)
    commit = git(folder, "commit-tree", "-m", "deep", "-p", "HEAD", made_tree(folder, f"{whole}\n"))
    git(folder, "update-ref", "refs/heads/main", commit)
    with pytest.raises(Trouble, match=r"MiB|files") as trouble, checked_out(folder, "HEAD"):
        pass
    assert trouble.value.exit_code is Exit.USAGE


def test_a_huge_file_in_a_revision_is_said_to_be_too_large_unread(tmp_path: Path) -> None:
    folder = overlaid(tmp_path)
    huge = folder / "policies/lists.yaml"
    with huge.open("wb") as file:
        file.truncate(200 * 1024 * 1024)
    committed(folder, "huge")
    huge.unlink()
    with checked_out(folder, "HEAD") as found:
        assert (found / "policies/lists.yaml").stat().st_size == MAX_BYTES + 1
        assert "file-size" in {one.check for one in load(found, as_of=TODAY).findings}
