"""The limits refuse what would kill the parser, and nothing that people write."""

from __future__ import annotations

import ast
import sysconfig
import warnings
from pathlib import Path

from scripts_tracker.analysis.source import limits
from scripts_tracker.analysis.source.parsing import decode
from scripts_tracker.exceptions import UnreadableSource
from tests.analysis import sources
from tests.switches import FULL

# Fifteen thousand lines that a program wrote.
GENERATED = (Path("libcst/matchers/__init__.py"),)


def _is_python(source: bytes) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return True


def _refused(path: Path) -> str:
    source = path.read_bytes()
    if len(source) > limits.MAX_BYTES:
        return ""
    try:
        limits.check(decode(source))
    except UnreadableSource as error:
        return f"{path}: {error}" if _is_python(source) else ""
    return ""


def _real_files() -> list[Path]:
    if not FULL:
        return sources.library(150, seed=11, largest=limits.MAX_BYTES)
    folders = {sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib")}
    found = [path for folder in sorted(folders) for path in Path(folder).rglob("*.py") if path.is_file()]
    return [path for path in found if path.relative_to(path.parents[2]) not in GENERATED]


def test_no_limit_refuses_real_code() -> None:
    files = _real_files()
    print(f"{len(files)} files")  # noqa: T201 - pytest shows it with a failure
    assert [found for path in files if (found := _refused(path))] == []
