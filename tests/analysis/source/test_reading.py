from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from scripts_tracker.analysis.source import reading
from scripts_tracker.core.values import CommandsDir
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.mkdir()


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def _cycle(path: Path) -> None:
    path.symlink_to(path.name)


def _device(path: Path) -> None:
    path.symlink_to(os.devnull)


def _endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _nothing(path: Path) -> None:
    pass


def _forbidden(path: Path) -> None:
    path.write_bytes(b"")
    path.chmod(0)


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(reading.MAX_BYTES + 1)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(_pipe, "pipe, socket or device", id="a pipe"),
        pytest.param(_folder, "is a folder", id="a folder"),
        pytest.param(_dangling, "broken link", id="a link that leads nowhere"),
        pytest.param(_cycle, "cycle of links", id="a link to itself"),
        pytest.param(_device, "pipe, socket or device", id="a device"),
        pytest.param(_endless, "pipe, socket or device", id="a device without end"),
        pytest.param(_nothing, "does not exist", id="a file that has vanished"),
        pytest.param(
            _forbidden,
            "permission",
            id="a file that may not be read",
            marks=pytest.mark.skipif(AS_ROOT, reason="root may read everything"),
        ),
        pytest.param(_huge, "larger than", id="a huge file"),
    ],
)
def test_a_path_that_cannot_be_read_is_refused_at_once(
    make: Callable[[Path], None], reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "x.py"
    make(path)
    with pytest.raises(UnreadableSource, match=reason):
        reading.read_bytes(path)


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("x.py")
        with pytest.raises(UnreadableSource, match="pipe, socket or device"):
            reading.read_bytes("x.py")


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_bytes(b"a\r\nb\x00")
    assert reading.read_bytes(tmp_path / "x.py") == b"a\r\nb\x00"


@pytest.mark.parametrize(
    ("source", "marked"),
    [
        pytest.param(b"import scripts_tracker", False, id="the name of the package is no marker"),
        pytest.param(b"required_preceding_script", False, id="the other decorator is no marker"),
        pytest.param(b"", False, id="an empty file"),
        pytest.param(b"@tracked_script", True, id="the decorator"),
        pytest.param("@tracked_script".encode("utf-16"), True, id="the decorator in UTF-16"),
        pytest.param("@tracked_script".encode("utf-32-be"), True, id="the decorator in UTF-32"),
    ],
)
def test_the_marker(source: bytes, marked: bool) -> None:  # noqa: FBT001 - a parameter of the cases
    assert reading.has_marker(source) is marked


def _names(folder: Path, **ignored: object) -> list[tuple[str, bool]]:
    found = reading.list_commands(CommandsDir("shop", "shop.commands", str(folder)), **ignored)  # type: ignore[arg-type]
    return [(one.name, one.ignored) for one in found]


def test_commands_are_those_that_django_offers(tmp_path: Path) -> None:
    for name in ("b", "a", "_private", "__init__", "is-odd", "dotted.name", "package", "Z"):
        (tmp_path / f"{name}.py").touch()
    for name in ("package", "folder", "__pycache__"):
        (tmp_path / name).mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    for name in ("notes.txt", "compiled.pyc", ".py", "upper.PY", "backup.py~"):
        (tmp_path / name).touch()
    assert _names(tmp_path) == [
        ("Z", False),
        ("a", False),
        ("b", False),
        ("compiled", False),
        ("is-odd", False),
    ]


def test_commands_are_those_that_pkgutil_lists(tmp_path: Path) -> None:
    import pkgutil

    for name in ("b", "a", "_private", "__init__", "is-odd", "dotted.name", "package", "folder"):
        (tmp_path / f"{name}.py").touch()
    for name in ("package", "folder"):
        (tmp_path / name).mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    offered = [
        name
        for _, name, is_package in pkgutil.iter_modules([str(tmp_path)])
        if not is_package and not name.startswith("_")
    ]
    assert [name for name, _ in _names(tmp_path)] == offered


def test_ignored_files_are_marked(tmp_path: Path) -> None:
    for name in ("Fix", "tmp_a", "TMP_b", "kept"):
        (tmp_path / f"{name}.py").touch()
    found = _names(tmp_path, ignored_files={"fix.py"}, ignored_prefixes=("tmp_",))
    assert found == [("Fix", True), ("TMP_b", True), ("kept", False), ("tmp_a", True)]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(_nothing, "does not exist", id="nothing"),
        pytest.param(lambda path: path.touch(), "is a file", id="a file"),
        pytest.param(_cycle, "part of a cycle of links", id="a cycle of links"),
    ],
)
def test_a_folder_that_cannot_be_listed(make: Callable[[Path], None], reason: str, tmp_path: Path) -> None:
    make(tmp_path / "commands")
    with pytest.raises(UnreadableSource, match=reason):
        _names(tmp_path / "commands")
