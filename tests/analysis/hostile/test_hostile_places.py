"""What is no file, and files that vanish, change or grow while they are read."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from scripts_tracker.analysis.fingerprint import fingerprint
from scripts_tracker.analysis.linking.scanning import analyse
from tests.analysis.hostile.limited import Limited
from tests.analysis.hostile.limited_worker import NOBODY
from tests.analysis.hostile.places import PLACES, Make
from tests.analysis.hostile.shapes import TRACKED
from tests.analysis.project_cases import folders, index_of

AS_ROOT = os.geteuid() == 0
OTHER = TRACKED.replace("pass", "return 1")
ROUNDS = 60


def _project(root: Path) -> Path:
    """A project with a healthy script; the place of the other one."""
    folder = root / "shop" / "management" / "commands"
    folder.mkdir(parents=True)
    (folder / "good.py").write_text(TRACKED)
    return folder / "bad.py"


@pytest.mark.parametrize(("make", "reason"), PLACES.values(), ids=PLACES)
def test_a_path_that_is_not_a_file_is_reported_and_hides_nothing(
    make: Make, reason: str, limited: Limited, tmp_path: Path
) -> None:
    bad = _project(tmp_path)
    make(bad)
    answer = limited.analyse(tmp_path)
    assert answer.crash == ""
    assert answer.definitions["shop.good"].startswith("st1:")
    ((path, line, column, code, message, hint),) = answer.findings
    assert (path, line, column, code) == ("shop/management/commands/bad.py", 1, 1, "ST000")
    assert reason in message
    is_cycle = "cycle" in message
    assert (
        "Delete the link" if is_cycle else "Put a readable source file at shop/management/commands/bad.py"
    ) in hint
    assert "py_compile" not in hint, "a compiler would wait for a pipe"


@pytest.mark.parametrize("locked", ["shop/management/commands/bad.py", "locked/management/commands"])
def test_a_file_without_read_permission_is_reported_and_hides_nothing(locked: str, limited: Limited) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        _project(root).write_text(TRACKED)
        (root / "locked" / "management" / "commands").mkdir(parents=True)
        (root / locked).chmod(0)
        # Root may read everything, so it steps down.
        answer = limited.analyse(root, user=NOBODY if AS_ROOT else "")
        (root / locked).chmod(0o755)
    assert answer.crash == ""
    assert answer.definitions["shop.good"].startswith("st1:")
    ((path, _line, _column, code, message, _hint),) = answer.findings
    assert (path, code) == (locked, "ST000")
    assert "permission" in message


@pytest.mark.parametrize("name", ["a\nb", "a'b\"c", "a b", "-rf", "\u202egnp", "\x1b[31m", "ä" * 120])
def test_an_unusual_file_name_is_accepted(name: str, limited: Limited, tmp_path: Path) -> None:
    bad = _project(tmp_path)
    bad.with_name(f"{name}.py").write_text(TRACKED + "x = (\n")
    answer = limited.analyse(tmp_path)
    assert answer.crash == ""
    assert sorted(answer.definitions) == sorted(["shop.good", f"shop.{name}"])
    assert [finding[3] for finding in answer.findings] == ["ST000"]


def _remade(make: Make) -> Make:
    def remake(path: Path) -> None:
        path.unlink()
        make(path)

    return remake


def _grow(path: Path) -> None:
    # Within a page: what is written across two of them, others may see the half of.
    with path.open("a" if path.stat().st_size < 3500 else "w") as file:
        file.write(TRACKED)


def _before_it_is_opened(monkeypatch: pytest.MonkeyPatch, path: Path, meddle: Make) -> None:
    real = os.open

    def hook(target: Any, *rest: Any, **options: Any) -> int:
        if target == str(path):
            meddle(path)
        return real(target, *rest, **options)

    monkeypatch.setattr(os, "open", hook)


def _while_it_is_read(monkeypatch: pytest.MonkeyPatch, path: Path, meddle: Make, times: int) -> None:
    real, left = os.fstat, [times]

    def hook(descriptor: int) -> os.stat_result:
        found = real(descriptor)
        if left[0] and os.path.samestat(found, path.stat()):
            left[0] -= 1
            meddle(path)
        return found

    monkeypatch.setattr(os, "fstat", hook)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(Path.unlink, "does not exist", id="vanishes"),
        pytest.param(_remade(os.mkfifo), "pipe, socket or device", id="becomes a pipe"),
        pytest.param(_remade(Path.mkdir), "is a folder", id="becomes a folder"),
        pytest.param(
            _remade(lambda path: path.symlink_to(path.name)), "cycle of links", id="becomes a cycle"
        ),
    ],
)
def test_a_file_that_changes_its_nature_before_it_is_opened(
    make: Make, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = _project(tmp_path)
    bad.write_text(TRACKED)
    _before_it_is_opened(monkeypatch, bad, make)
    index = index_of(tmp_path)
    assert [one.fingerprint is None for one in index.definitions] == [True, False]
    (finding,) = index.findings
    assert (finding.code, finding.location.path) == ("ST000", "shop/management/commands/bad.py")
    assert reason in finding.message


@pytest.mark.parametrize(
    "meddle",
    [
        pytest.param(_grow, id="grows"),
        # The clock may be too coarse to tell two changes apart.
        pytest.param(lambda path: os.utime(path, ns=(0, path.stat().st_mtime_ns + 1)), id="is written again"),
    ],
)
def test_a_file_that_changes_at_every_read_is_reported(
    meddle: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = _project(tmp_path)
    bad.write_text(TRACKED)
    _while_it_is_read(monkeypatch, bad, meddle, times=100)
    index = index_of(tmp_path)
    (finding,) = index.findings
    assert "changes while it is being read" in finding.message
    assert [one.fingerprint is None for one in index.definitions] == [True, False]


@pytest.mark.parametrize(
    ("meddle", "names"),
    [
        pytest.param(_grow, ["bad", "good"], id="grows"),
        pytest.param(lambda path: path.write_text(""), ["good"], id="is emptied"),
        pytest.param(_remade(lambda path: path.write_text(OTHER)), ["bad", "good"], id="is replaced"),
    ],
)
def test_a_file_that_changes_once_is_read_again(
    meddle: Make, names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = _project(tmp_path)
    bad.write_text(TRACKED)
    _while_it_is_read(monkeypatch, bad, meddle, times=1)
    index = index_of(tmp_path)
    assert index.findings == ()
    assert [one.id.name for one in index.definitions if one.fingerprint] == names


def test_a_file_that_is_deleted_during_the_scan_is_no_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = _project(tmp_path)
    bad.write_text(TRACKED)
    real = os.listdir

    def hook(folder: Any) -> list[str]:
        found = real(folder)
        bad.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(os, "listdir", hook)
    index = index_of(tmp_path)
    assert [one.id.name for one in index.definitions if one.fingerprint] == ["good"]
    assert ["does not exist" in one.message for one in index.findings] == [True]


def _replace(path: Path) -> None:
    for text in (OTHER, TRACKED):
        fresh = path.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(path)


def _vanish(path: Path) -> None:
    path.unlink()
    path.write_text(OTHER)


def _rewrite(path: Path) -> None:
    path.write_text(OTHER)
    path.write_text(TRACKED)


def _transform(path: Path) -> None:
    for make in (
        os.mkfifo,
        Path.mkdir,
        lambda path: path.symlink_to("nowhere"),
        lambda path: path.write_text(OTHER),
    ):
        path.rmdir() if path.is_dir() else path.unlink()
        make(path)


@contextmanager
def _meddling(path: Path, meddle: Make) -> Iterator[None]:
    """Another process that changes a file as fast as it can."""
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            meddle(path)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        done.set()
        worker.join()


@pytest.mark.parametrize("meddle", [_replace, _vanish, _rewrite, _transform, _grow])
def test_a_file_that_is_being_edited_is_one_of_its_versions_or_reported(meddle: Make, tmp_path: Path) -> None:
    bad = _project(tmp_path)
    bad.write_text(TRACKED)
    versions = {str(fingerprint(text.encode())) for text in (OTHER, *(TRACKED * n for n in range(1, 60)))}
    places = folders(tmp_path)
    with _meddling(bad, meddle):
        for _round in range(ROUNDS):
            index = analyse(places, root=str(tmp_path))
            found = {one.id.name: one.fingerprint for one in index.definitions}
            assert found.pop("good") is not None
            if found.get("bad") is not None:
                assert str(found["bad"]) in versions
            else:
                # Emptied or gone, it is no script.
                assert [one.code for one in index.findings] == ["ST000"] * len(found)
