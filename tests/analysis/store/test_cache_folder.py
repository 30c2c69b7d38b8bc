"""What may stand where the cache's folder or one of its files is expected: nothing of it is followed or waited for."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts_tracker.analysis.facts.values import FileFacts
from scripts_tracker.analysis.store import cache
from scripts_tracker.analysis.store.cache import FOLDER, Cache
from scripts_tracker.analysis.store.index_cache import CachedIndex
from tests.analysis.hostile.places import make_socket

if TYPE_CHECKING:
    from collections.abc import Callable

FACTS = FileFacts("st1:00", (1, 2), doc="a doc")
NOT_USED = f"{FOLDER} is not used: {{}}. Delete it, or use --no-cache."
AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def _fill(root: Path) -> Cache:
    made = Cache(str(root))
    made.put_facts("a" * 64, FACTS)
    made.put_index("k" * 64, "an index")
    made.save()
    return made


def _is_known(root: Path) -> bool:
    found = Cache(str(root))
    return found.facts("a" * 64) == FACTS and found.index("k" * 64) == "an index"


@pytest.fixture(params=["descriptors and flags", "neither, as on Windows"])
def platform(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that can refuse to follow a link while it opens a file, and one that cannot."""
    if request.param.startswith("neither"):
        monkeypatch.setattr(cache, "_HAS_DESCRIPTORS", False)
        monkeypatch.setattr(cache, "_NO_FOLLOW", 0)
        monkeypatch.setattr(cache, "_OPEN_FILE", os.O_RDONLY)


def _link_to_a_full_cache(path: Path) -> None:
    elsewhere = path.parent / "elsewhere"
    elsewhere.mkdir()
    _fill(elsewhere)
    path.symlink_to(elsewhere / FOLDER)


def _link_to_a_folder(path: Path) -> None:
    (path.parent / "elsewhere").mkdir()
    path.symlink_to("elsewhere")


FOLDERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a link to a cache": (_link_to_a_full_cache, "it is a link"),
    "a link to a folder": (_link_to_a_folder, "it is a link"),
    "a link that leads nowhere": (lambda path: path.symlink_to("nowhere"), "it is a link"),
    "a link to itself": (lambda path: path.symlink_to(path.name), "it is a link"),
    "a file": (Path.touch, "it is not a folder"),
    "a pipe": (os.mkfifo, "it is not a folder"),
    "a socket": (make_socket, "it is not a folder"),
}


def _everything(root: Path) -> dict[str, tuple[int, int]]:
    """All files with their inodes and times of change."""
    found = {str(path): path.lstat() for path in (root, *root.rglob("*"))}
    return {name: (one.st_ino, one.st_ctime_ns) for name, one in found.items()}


@pytest.mark.usefixtures("platform")
@pytest.mark.parametrize(("make", "reason"), FOLDERS.values(), ids=FOLDERS)
def test_what_stands_in_place_of_the_folder_is_left_alone(
    make: Callable[[Path], object], reason: str, tmp_path: Path
) -> None:
    make(tmp_path / FOLDER)
    before = _everything(tmp_path)
    assert _fill(tmp_path).refusal == NOT_USED.format(reason)
    assert not _is_known(tmp_path)
    assert _everything(tmp_path) == before


def _of_another_user(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = os.geteuid()
    if AS_ROOT:
        for path in (root / FOLDER, *(root / FOLDER).glob("*"), root):
            if path.exists():
                os.chown(path, 12345, 12345)
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)


OWNERS: dict[str, tuple[Callable[[Path, pytest.MonkeyPatch], object], str]] = {
    "another user": (_of_another_user, "it belongs to another user"),
    "a group": (lambda path, _: path.chmod(0o770), "other users may write to it"),
    "everybody": (lambda path, _: path.chmod(0o777), "other users may write to it"),
    "everybody, as in /tmp": (lambda path, _: path.chmod(0o1777), "other users may write to it"),
}


@pytest.mark.usefixtures("platform")
@pytest.mark.parametrize(("give", "reason"), OWNERS.values(), ids=OWNERS)
def test_a_folder_that_others_may_write_is_neither_read_nor_written(
    give: Callable[[Path, pytest.MonkeyPatch], object],
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _fill(tmp_path)
    give(tmp_path / FOLDER, monkeypatch)
    before = _everything(tmp_path)
    assert not _is_known(tmp_path)
    assert _fill(tmp_path).refusal == NOT_USED.format(reason)
    assert _everything(tmp_path) == before


@pytest.mark.skipif(not AS_ROOT, reason="only root may give files to another user")
def test_root_does_not_trust_the_cache_of_a_user(tmp_path: Path) -> None:
    _fill(tmp_path)
    os.chown(tmp_path / FOLDER, 12345, 12345)
    assert not _is_known(tmp_path)
    assert _fill(tmp_path).refusal == NOT_USED.format("it belongs to another user")


def test_no_folder_is_made_in_the_project_of_another_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _of_another_user(tmp_path, monkeypatch)
    _fill(tmp_path)
    assert not (tmp_path / FOLDER).exists(), "that user could not delete it"


@pytest.mark.skipif(not AS_ROOT, reason="only root has files of root")
def test_a_user_trusts_the_cache_of_root_which_an_image_brings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert _is_known(tmp_path)
    (tmp_path / FOLDER).chmod(0o777)
    assert not _is_known(tmp_path), "others may have written to it"


def test_a_cache_that_cannot_be_written_is_used_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    before = _everything(tmp_path)
    other = _fill(tmp_path)
    assert other.refusal == ""
    assert _everything(tmp_path) == before
    assert _is_known(tmp_path)


def test_a_new_cache_is_for_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        _fill(tmp_path)
    finally:
        os.umask(before)
    modes = {
        path.name.partition("-")[0]: stat.S_IMODE(path.stat().st_mode)
        for path in (tmp_path / FOLDER, *(tmp_path / FOLDER).iterdir())
    }
    assert modes == {FOLDER: 0o700, "facts": 0o600, "index": 0o600, ".gitignore": 0o600}
    assert _is_known(tmp_path)


def test_a_project_behind_a_link_has_a_cache(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "current").symlink_to("real")
    assert _fill(tmp_path / "current").refusal == ""
    assert _is_known(tmp_path / "current")
    assert _is_known(tmp_path / "real")


def _link_to_a_copy(path: Path) -> None:
    copy = path.parent.parent / f"copy of {path.name}"
    copy.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(copy)


def _replaced_by(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def replace(path: Path) -> None:
        path.unlink()
        make(path)

    return replace


FILES: dict[str, Callable[[Path], object]] = {
    "a link to a copy of it": _link_to_a_copy,
    "a link that leads nowhere": _replaced_by(lambda path: path.symlink_to("../nowhere")),
    "a link to itself": _replaced_by(lambda path: path.symlink_to(path.name)),
    "a link to a device": _replaced_by(lambda path: path.symlink_to("/dev/zero")),
    "a pipe": _replaced_by(os.mkfifo),
    "a socket": _replaced_by(make_socket),
    "a file that others may write": lambda path: path.chmod(0o666),
}


def _outside(root: Path) -> dict[str, tuple[int, int]]:
    return {
        path: seen for path, seen in _everything(root).items() if FOLDER not in path and path != str(root)
    }


@pytest.mark.usefixtures("platform")
@pytest.mark.parametrize("replace", FILES.values(), ids=FILES)
def test_what_stands_in_place_of_a_file_is_not_followed_but_replaced(
    replace: Callable[[Path], object], tmp_path: Path
) -> None:
    (tmp_path / "precious").write_text("precious")
    _fill(tmp_path)
    for path in list((tmp_path / FOLDER).iterdir()):
        replace(path)
    before = _outside(tmp_path)
    assert not _is_known(tmp_path)
    _fill(tmp_path)
    assert _is_known(tmp_path)
    assert all(stat.S_ISREG(path.lstat().st_mode) for path in (tmp_path / FOLDER).iterdir())
    assert _outside(tmp_path) == before


@pytest.mark.usefixtures("platform")
def test_a_folder_in_place_of_a_file_spoils_only_that_file(tmp_path: Path) -> None:
    _fill(tmp_path)
    (tmp_path / FOLDER / "facts").unlink()
    (tmp_path / FOLDER / "facts" / "inner").mkdir(parents=True)
    _fill(tmp_path)
    found = Cache(str(tmp_path))
    assert found.facts("a" * 64) is None
    assert found.index("k" * 64) == "an index"


@pytest.mark.usefixtures("platform")
def test_a_folder_and_links_among_old_files_do_not_stop_the_rest_from_being_deleted(tmp_path: Path) -> None:
    _fill(tmp_path)
    folder = tmp_path / FOLDER
    (folder / "index-aaaa").mkdir()
    os.utime(folder / "index-aaaa", (0, 0))
    (folder / "a.tmp").symlink_to("../nowhere")
    os.utime(folder / "a.tmp", (0, 0), follow_symlinks=False)
    for number in range(2 * cache.MAX_INDEXES):
        made = Cache(str(tmp_path))
        made.put_index(f"{number:064}"[::-1], "an index")
        made.save()
    assert not (folder / "a.tmp").is_symlink()
    assert len(list(folder.glob("index-*"))) == cache.MAX_INDEXES + 1


def test_a_file_that_is_replaced_by_a_link_after_the_first_look_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(tmp_path)
    real = os.open

    def race(path: str, *args: int, **options: int) -> int:
        if path == "facts":
            _link_to_a_copy(tmp_path / FOLDER / "facts")
        return real(path, *args, **options)

    monkeypatch.setattr(os, "open", race)
    assert Cache(str(tmp_path)).facts("a" * 64) is None
    assert (tmp_path / FOLDER / "facts").is_symlink()


def test_a_folder_that_is_replaced_by_another_after_the_first_look_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(tmp_path)
    real = os.open

    def race(path: str, *args: int, **options: int) -> int:
        monkeypatch.undo()
        (tmp_path / FOLDER).rename(tmp_path / "first")
        _fill(tmp_path)
        return real(path, *args, **options)

    monkeypatch.setattr(os, "open", race)
    found = Cache(str(tmp_path))
    assert found.index("k" * 64) == ""
    assert found.refusal == NOT_USED.format("it was replaced in the meantime")
    assert found.index("k" * 64) == "an index"


def test_a_huge_file_is_ignored_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fill(tmp_path)
    for path in (tmp_path / FOLDER).iterdir():
        with path.open("r+b") as file:
            file.truncate(1 << 40)
    monkeypatch.setattr("scripts_tracker.analysis.source.reading.up_to", None)
    assert not _is_known(tmp_path)


def _forge(root: Path, name: str, text: str) -> None:
    """A file of the cache as its owner could write it by hand: another line for each, with a valid checksum."""
    path = next((root / FOLDER).glob(f"{name}*"))
    start, _, body = path.read_bytes().partition(b"\n")
    forged = b"".join(line.partition(b"\t")[0] + b"\t" + text.encode() + b"\n" for line in body.splitlines())
    head = start.decode().rpartition(" ")[0]
    path.write_bytes(f"{head} {hashlib.sha256(forged).hexdigest()}\n".encode() + forged)


@pytest.mark.parametrize("text", ["[" * 100_000, "null", '"\\ud800"', "1" * 5000, "\t\t", '{"a": 1}'])
def test_a_text_that_was_forged_is_no_more_than_unknown(text: str, tmp_path: Path) -> None:
    _fill(tmp_path)
    _forge(tmp_path, "facts", text)
    _forge(tmp_path, "index", f"{text}\t{text}\t{text}")
    found = Cache(str(tmp_path))
    assert found.facts("a" * 64) is None
    cached = CachedIndex(found, "k" * 64, [], 0)
    assert (cached.index, cached.inputs) == (None, None)
