from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts_tracker.analysis.fingerprint import fingerprint
from scripts_tracker.exceptions import UnreadableSource
from tests.analysis import oracle, sources

black = pytest.importorskip("black")

PATHS = sources.library(600 if sources.FULL else 60, seed=20, largest=200_000 if sources.FULL else 9_000)
BLACK = {
    "black's defaults": black.Mode(),
    "black at 40 columns": black.Mode(line_length=40),
    "black's preview": black.Mode(preview=True, unstable=True),
}
RUFF = {
    "ruff's defaults": [],
    "ruff with single quotes and short lines": ["--line-length=50", "--config=format.quote-style='single'"],
}


def _blackened(source: bytes, mode: object) -> bytes | None:
    """What black makes of it; None where black itself refuses."""
    try:
        return str(black.format_str(source.decode(), mode=mode)).encode()
    except (black.InvalidInput, black.NothingChanged, UnicodeDecodeError, AssertionError, ValueError):
        return None


def _is_readable(source: bytes) -> bool:
    try:
        fingerprint(source)
    except UnreadableSource:
        return False
    return True


@pytest.mark.parametrize("mode", BLACK.values(), ids=BLACK)
@pytest.mark.parametrize("path", sources.demo() + PATHS, ids=sources.label)
def test_black_changes_no_fingerprint(path: Path, mode: object) -> None:
    source = path.read_bytes()
    formatted = _blackened(source, mode)
    if formatted is None or not _is_readable(source):
        pytest.skip("refused by black or by libcst")
    _check(source, formatted)


@pytest.fixture(scope="module", params=RUFF.values(), ids=list(RUFF))
def ruffed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[bytes, bytes]]:
    """The sources and what ruff makes of them, all in one call."""
    folder = tmp_path_factory.mktemp("ruff")
    originals = [path.read_bytes() for path in sources.demo() + PATHS]
    for index, source in enumerate(originals):
        (folder / f"module_{index}.py").write_bytes(source)
    subprocess.run(
        [
            sys.executable,
            "-m",
            "ruff",
            "format",
            "--isolated",
            "--no-cache",
            "--quiet",
            *request.param,
            str(folder),
        ],
        check=False,
        capture_output=True,
    )
    return [(source, (folder / f"module_{index}.py").read_bytes()) for index, source in enumerate(originals)]


def test_ruff_changes_no_fingerprint(ruffed: list[tuple[bytes, bytes]]) -> None:
    changed = 0
    for source, formatted in ruffed:
        if source != formatted and _is_readable(source):
            _check(source, formatted)
            changed += 1
    assert changed > 10


def _check(source: bytes, formatted: bytes) -> None:
    assert oracle.normal_form(source) != oracle.normal_form(formatted) or fingerprint(source) == fingerprint(
        formatted
    )
