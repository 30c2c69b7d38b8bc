"""What is checked out, read from the files of real repositories, with git itself as the judge."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts_tracker.project import git


def run(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "protocol.file.allow=always")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def a_repository(folder: Path, *options: str) -> Path:
    folder.mkdir()
    run(folder, "init", "-q", *options)
    run(folder, "commit", "-q", "--allow-empty", "-m", "one")
    return folder


def plain(tmp_path: Path) -> Path:
    return a_repository(tmp_path / "plain")


def inside_a_folder(tmp_path: Path) -> Path:
    inner = plain(tmp_path) / "a" / "b"
    inner.mkdir(parents=True)
    return inner


def a_branch_with_a_slash(tmp_path: Path) -> Path:
    run(folder := plain(tmp_path), "switch", "-q", "-c", "fix/the-totals")
    return folder


def packed(tmp_path: Path) -> Path:
    run(folder := plain(tmp_path), "pack-refs", "--all")
    return folder


def detached(tmp_path: Path) -> Path:
    run(folder := plain(tmp_path), "checkout", "-q", "--detach")
    return folder


def a_linked_work_tree(tmp_path: Path) -> Path:
    run(plain(tmp_path), "worktree", "add", "-q", "-b", "other", "../linked")
    run(tmp_path / "linked", "commit", "-q", "--allow-empty", "-m", "two")
    return tmp_path / "linked"


def a_linked_work_tree_of_packed_branches(tmp_path: Path) -> Path:
    folder = a_linked_work_tree(tmp_path)
    run(folder, "pack-refs", "--all")
    return folder


def a_submodule(tmp_path: Path) -> Path:
    a_repository(tmp_path / "library")
    run(folder := plain(tmp_path), "submodule", "--quiet", "add", "../library", "library")
    return folder / "library"


def long_digests(tmp_path: Path) -> Path:
    return a_repository(tmp_path / "sha256", "--object-format=sha256")


REPOSITORIES: list[Callable[[Path], Path]] = [
    plain,
    inside_a_folder,
    a_branch_with_a_slash,
    packed,
    detached,
    a_linked_work_tree,
    a_linked_work_tree_of_packed_branches,
    a_submodule,
    long_digests,
]


@pytest.mark.parametrize("make", REPOSITORIES, ids=lambda make: make.__name__.replace("_", " "))
def test_the_commit_is_the_one_that_git_reports(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    folder = make(tmp_path)
    assert git.head_revision(str(folder)) == run(folder, "rev-parse", "HEAD")


def no_repository(tmp_path: Path) -> None:
    """Nothing there."""


def no_commit_yet(tmp_path: Path) -> None:
    run(tmp_path, "init", "-q")


def a_damaged_head(tmp_path: Path) -> None:
    run(tmp_path, "init", "-q")
    (tmp_path / ".git" / "HEAD").write_bytes(b"\xff\x00")


def a_file_that_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: /no/such/folder\n")


@pytest.mark.parametrize(
    "make",
    [no_repository, no_commit_yet, a_damaged_head, a_file_that_leads_nowhere],
    ids=lambda make: make.__name__.replace("_", " "),
)
def test_no_commit_is_reported_for(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path)
    assert git.head_revision(str(tmp_path)) == ""
