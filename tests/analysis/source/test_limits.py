"""The limits refuse what would kill the parser, and nothing that people write."""

from __future__ import annotations

import ast
import sysconfig
import warnings
from pathlib import Path

import pytest

from scripts_tracker.analysis.source import limits
from scripts_tracker.analysis.source.parsing import decode
from scripts_tracker.exceptions import UnreadableSource
from tests.analysis import sources
from tests.switches import FULL, at_length

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


def _fuller(core: str) -> str:
    """A source with so many brackets that they are looked at, and few operators."""
    return f"{core}\n" + "f(a[b], {1})\n" * (limits.MAX_BRACKETS // 3 + 1)


DEEP = {
    "brackets": "(" * 90 + "a" + ")" * 90,
    "brackets with their ends in strings": '(")"' * 60 + "a" + "'('" + ")" * 60,
    "brackets and strings of other quotes": """("')'" """ * 60 + ")" * 60,
    "brackets around triple quotes": '("""\n)""" ' * 60 + ")" * 60,
    "brackets over comments": "( # )\n" * 60 + ")" * 60,
    "fields": "(f'{')'}'" * 60 + ")" * 60,
}


@pytest.mark.parametrize("core", DEEP.values(), ids=DEEP)
def test_brackets_that_hold_others_are_looked_at_closely(core: str) -> None:
    assert limits._is_harmless(_fuller("a"))
    assert not limits._is_harmless(_fuller(core))


def test_what_is_harmless_at_first_sight_is_so_at_the_second() -> None:
    files = sources.library(at_length(4000, sample=150), seed=5, largest=200_000)
    texts = [decode(source) for path in files if _is_python(source := path.read_bytes())]
    harmless = [text for text in texts if limits._is_harmless(text)]
    assert any(sum(map(text.count, "([{")) > limits.MAX_BRACKETS for text in harmless)
    for text in harmless:
        limits._Scan(text).run()
