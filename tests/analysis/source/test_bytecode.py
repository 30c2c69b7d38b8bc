"""Whether Python has compiled a file as it is now: where that is not certain, it is compiled again."""

from __future__ import annotations

import os
import py_compile
from typing import TYPE_CHECKING

import pytest

from scripts_tracker.analysis.linking import scanning
from scripts_tracker.analysis.source import reading, syntax
from scripts_tracker.analysis.source.bytecode import has_bytecode
from scripts_tracker.analysis.store.index_cache import no_version
from tests.analysis.project_cases import folders

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scripts_tracker.core.values import ProjectIndex

SOURCE = "x = 1\n"
MINUTE = 60 * 10**9


def _age(path: Path, minutes: float) -> None:
    moment = reading.now() - int(minutes * MINUTE)
    os.utime(path, ns=(moment, moment))


def _compiled(folder: Path, mode: py_compile.PycInvalidationMode | None = None) -> tuple[Path, Path]:
    """A file that was compiled some time after it was written, and its bytecode."""
    path = folder / "one.py"
    path.write_text(SOURCE)
    _age(path, 10)
    made = py_compile.compile(str(path), invalidation_mode=mode, doraise=True)
    assert made is not None
    _age(folder / made, 5)
    return path, folder / made


def _has(path: Path) -> bool:
    return has_bytecode(str(path), len(SOURCE), reading.now())


def test_a_file_that_python_has_compiled_has_bytecode(tmp_path: Path) -> None:
    path, _ = _compiled(tmp_path)
    assert _has(path)


def _edit(path: Path, _made: Path) -> None:
    path.write_text("x = = \n"[: len(SOURCE)])
    _age(path, 7)


def _lengthen(path: Path, _made: Path) -> None:
    moment = path.stat().st_mtime_ns
    path.write_text(f"{SOURCE}\n")
    os.utime(path, ns=(moment, moment))


def _other_python(_path: Path, made: Path) -> None:
    content = made.read_bytes()
    made.write_bytes(bytes([content[0] ^ 1]) + content[1:])


def _shorten(_path: Path, made: Path) -> None:
    made.write_bytes(made.read_bytes()[:10])


def _replace(_path: Path, made: Path) -> None:
    made.unlink()
    made.mkdir()


def _at_once(path: Path, made: Path) -> None:
    moment = path.stat().st_mtime_ns + 10**9
    os.utime(made, ns=(moment, moment))


CHANGES: dict[str, Callable[[Path, Path], object]] = {
    "no bytecode": lambda _, made: made.unlink(),
    "no file": lambda path, _: path.unlink(),
    "a folder": _replace,
    "an edit": _edit,
    "an edit that keeps the time": _lengthen,
    "the bytecode of another Python": _other_python,
    "half of a header": _shorten,
    # An edit right after it would leave no trace.
    "bytecode that was written at once": _at_once,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_leaves_a_doubt_counts_as_none(
    tmp_path: Path, change: Callable[[Path, Path], object]
) -> None:
    path, made = _compiled(tmp_path)
    change(path, made)
    assert not _has(path)


def test_a_file_that_may_have_changed_since_it_was_read_has_none(tmp_path: Path) -> None:
    path, _ = _compiled(tmp_path)
    assert not has_bytecode(str(path), len(SOURCE), path.stat().st_mtime_ns + 10**9)


@pytest.mark.parametrize(
    "mode", [py_compile.PycInvalidationMode.CHECKED_HASH, py_compile.PycInvalidationMode.UNCHECKED_HASH]
)
def test_bytecode_that_holds_no_time_is_none(tmp_path: Path, mode: py_compile.PycInvalidationMode) -> None:
    path, _ = _compiled(tmp_path, mode)
    assert not _has(path)


COMMAND = """\
from scripts_tracker import tracked_script
class Command:
    @tracked_script
    def handle(self):
        return 1
"""


def _checked(root: Path) -> ProjectIndex:
    return scanning.analyse(folders(root), root=str(root), comparable=no_version)


def test_a_check_compiles_only_what_has_no_bytecode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = tmp_path / "shop" / "management" / "commands"
    commands.mkdir(parents=True)
    for name in ("known", "unknown"):
        (commands / f"{name}.py").write_text(f"{COMMAND}# {name}\n")
        _age(commands / f"{name}.py", 10)
    py_compile.compile(str(commands / "known.py"), doraise=True)
    once = _checked(tmp_path)
    compiled: list[str] = []
    monkeypatch.setattr(syntax, "_compile", compiled.append)
    assert _checked(tmp_path) == once
    assert [one.id.name for one in once.definitions] == ["known", "unknown"]
    assert compiled == [f"{COMMAND}# unknown\n"]


def test_an_error_in_a_file_with_old_bytecode_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "shop" / "management" / "commands" / "one.py"
    path.parent.mkdir(parents=True)
    path.write_text(COMMAND)
    _age(path, 10)
    py_compile.compile(str(path), doraise=True)
    path.write_text(COMMAND.replace("return 1", "return ="))
    _age(path, 5)
    assert [one.code for one in _checked(tmp_path).findings] == ["ST000"]
