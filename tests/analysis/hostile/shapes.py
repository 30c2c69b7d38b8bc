"""Hostile files as data: the bytes, and what must be said of them. All hold the marker, so that they are parsed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

TRACKED = """\
from scripts_tracker import tracked_script
class Command:
    @tracked_script
    def handle(self): pass
"""
HERE = TRACKED.count("\n") + 1
"""The line on which the hostile part starts."""


LATER = -1


@dataclass(frozen=True)
class Hostile:
    """One file.

    Attributes:
        source: makes its bytes; some are large.
        line: where the finding stands; LATER for somewhere in the hostile part, None for a file that is read.
        reason: a word of the finding.
        code: its code.
    """

    source: Callable[[], bytes]
    line: int | None = None
    reason: str = ""
    code: str = "ST000"


def _after(text: str) -> bytes:
    return (TRACKED + text).encode("utf-8", "surrogatepass")


# A text that stands for itself, or one that is repeated: left, middle, right.
NESTS: dict[str, tuple[str, str, str]] = {
    "parentheses": ("(", "1", ")"),
    "lists": ("[", "1", "]"),
    "sets": ("{", "1", "}"),
    "dictionaries": ("{1: ", "1", "}"),
    "tuples": ("(", "1", ",)"),
    "calls in calls": ("f(", "1", ")"),
    "keyword arguments": ("f(a=", "1", ")"),
    "starred arguments": ("f(*", "a", ")"),
    "subscripts in subscripts": ("a[", "1", "]"),
    "slices in slices": ("a[1:", "1", "]"),
    "comprehensions": ("[", "a", " for a in b]"),
    "comprehensions in conditions": ("[a for a in b if ", "c", "]"),
    "dictionary comprehensions": ("{a: ", "b", " for a in b}"),
    "lambdas in parentheses": ("(lambda: ", "1", ")"),
    "yields": ("(yield ", "a", ")"),
    "assignment expressions": ("(a := ", "1", ")"),
    "brackets without an end": ("(", "1", ""),
    "calls without an end": ("f(", "1", ""),
}
CHAINS: dict[str, tuple[str, str, str]] = {
    "plus": ("", "a", " + a"),
    "minus": ("", "a", "-a"),
    "times": ("", "a", "*a"),
    "matrix product": ("", "a", " @ a"),
    "shift": ("", "a", " << a"),
    "bars": ("", "a", " | a"),
    "powers": ("a ** ", "b", ""),
    "and": ("", "a", " and a"),
    "or": ("", "a", " or a"),
    "not": ("not ", "a", ""),
    "signs": ("-", "1", ""),
    "tildes": ("~", "1", ""),
    "mixed signs": ("-~+", "1", ""),
    "comparisons": ("", "a", " < a"),
    "in": ("", "a", " in a"),
    "is not": ("", "a", " is not a"),
    "attributes": ("", "a", ".a"),
    "calls": ("", "a", "()"),
    "method calls": ("", "a", ".a(b)"),
    "subscripts": ("", "a", "[1]"),
    "conditions": ("a if b else ", "c", ""),
    "conditions to the left": ("", "a", " if b else c"),
    "lambdas": ("lambda: ", "1", ""),
    "lambdas with parameters": ("lambda a, b=1: ", "1", ""),
    "lambdas as defaults": ("lambda a=", "1", ": 1"),
    "strings": ("", "'a'", " 'a'"),
    "byte strings": ("", "b'a'", " b'a'"),
    "formatted strings side by side": ("", "f'{a}'", " f'{a}'"),
    "assignments": ("a = ", "1", ""),
}
STATEMENTS: dict[str, tuple[str, str, str]] = {
    "elif": ("", "if a: pass\n", "elif a: pass\n"),
    "except": ("", "try: pass\n", "except a: pass\n"),
    "decorators": ("@a\n", "def f(): pass\n", ""),
    "decorators with calls": ("@a(b)\n", "class A: pass\n", ""),
    "contexts": ("", "with a", ", a as b"),
    "contexts in parentheses": ("", "with (a", ", a as b"),
    "dotted imports": ("", "import a", ".a"),
    "imported names": ("", "from a import b", ", b"),
    "relative imports": ("", "from ", "."),
    "statements on a line": ("", "a", "; a"),
    "lines": ("", "", "a = 1\n"),
    "cases": ("", "match a:\n", "  case 1: pass\n"),
    "parameters": ("", "def f(a", ", b"),
    "type parameters": ("", "def f[T", ", U"),
    "deletions": ("", "del a", ", a"),
    "tuples of awaits": ("", "async def f(): return ", "await a, "),
}
_ENDS = {
    "contexts": ": pass\n",
    "contexts in parentheses": "): pass\n",
    "relative imports": " import a\n",
    "parameters": "): pass\n",
    "type parameters": "](): pass\n",
}


def _repeated(parts: tuple[str, str, str], times: int, end: str = "\n") -> Callable[[], bytes]:
    left, middle, right = parts
    return lambda: _after(left * times + middle + right * times + end)


def _long(parts: tuple[str, str, str]) -> int:
    """So often that the source nearly has a mebibyte."""
    return min(100_000, 1_000_000 // (len(parts[0]) + len(parts[2])))


def _deep_and_shallow() -> dict[str, Hostile]:
    found = {}
    for name, parts in NESTS.items():
        found[f"5000 {name}"] = Hostile(_repeated(parts, 5000), HERE, "nest")
        wrong = (None, "") if parts[2] else (HERE, "syntax")
        found[f"50 {name}"] = Hostile(_repeated(parts, 50), *wrong)
    for name, parts in CHAINS.items():
        found[f"{name} without end"] = Hostile(_repeated(parts, _long(parts)), HERE, "the source has")
        found[f"50 {name}"] = Hostile(_repeated(parts, 50))
    for name, parts in STATEMENTS.items():
        end = _ENDS.get(name, "\n")
        line = LATER if "\n" in parts[0] + parts[2] else HERE
        found[f"{name} without end"] = Hostile(_repeated(parts, _long(parts), end), line, "the source has")
        found[f"50 {name}"] = Hostile(_repeated(parts, 50, end))
    return found


def _nested_blocks(depth: int, head: str = "if a:\n") -> bytes:
    return _after("".join(" " * level + head for level in range(depth)) + " " * depth + "pass\n")


STRUCTURES = {
    "blocks of 200 levels": Hostile(lambda: _nested_blocks(200), HERE + 100, "indent"),
    "classes of 50 levels": Hostile(lambda: _nested_blocks(50, "class A:\n")),
    "fields in fields": Hostile(lambda: _after("f'{" * 250 + "1" + "}'" * 250), HERE, "nested"),
    "fields in specifications": Hostile(
        lambda: _after("f'{a:" + "{a:" * 250 + "}" * 250 + "}'"), HERE, "nested"
    ),
    "brackets in a field": Hostile(lambda: _after("f'{" + "(" * 5000 + ")" * 5000 + "}'"), HERE, "nested"),
    "nested patterns": Hostile(
        lambda: _after("match x:\n  case " + "[" * 60 + "a" + "]" * 60 + ": pass\n"), HERE + 1, "nesting"
    ),
    "nested class patterns": Hostile(
        lambda: _after("match x:\n  case " + "A(b=" * 60 + "a" + ")" * 60 + ": pass\n"), HERE + 1, "nesting"
    ),
    "words that look like patterns": Hostile(
        lambda: _after("x = a.case(" + "f(" * 20 + "1" + ")" * 20 + ")\n" + "a case " * 50_000 + "\n"),
        HERE + 1,
        "nesting",
    ),
    "sums in brackets in brackets": Hostile(
        lambda: _after("x = " + "[" * 30 + "a + a, " * 20_000 + "]" * 30 + "\n"), HERE, "the source has"
    ),
    "patterns of five levels": Hostile(lambda: _after("match x:\n  case [A(b={'c': (d, [e, *_])})]: pass\n")),
    "a deletion in brackets": Hostile(
        lambda: _after("del " + "(" * 60 + "a" + ")" * 60 + "\n"), HERE, "nesting"
    ),
    "deep lines over and over": Hostile(
        lambda: _after(("x = " + "[" * 150 + "]" * 150 + "\n") * 1000), LATER, "nesting"
    ),
    "arguments without end": Hostile(
        lambda: _after("tracked_script(" + "a, " * 3000 + ")\n"), HERE, "", "ST001"
    ),
}

LARGE = {
    "a line of a mebibyte": Hostile(lambda: _after("x = '" + "a" * (1 << 20) + "'\n"), 1, "limit"),
    "a line of nearly a mebibyte": Hostile(lambda: _after("x = '" + "a(" * (1 << 18) + "'\n")),
    "a mebibyte of names on a line": Hostile(lambda: _after("a, " * 340_000), HERE, "operators"),
    "ten mebibytes of lines": Hostile(lambda: _after("x = 1\n" * 1_750_000), 1, "limit"),
    "ten mebibytes of comments": Hostile(lambda: _after("# a\n" * 2_600_000), 1, "limit"),
    "seventeen mebibytes": Hostile(lambda: _after("#" * (17 << 20)), 1, "larger than"),
    "many blank lines": Hostile(lambda: _after("\n" * 50_000)),
    "a long comment": Hostile(lambda: _after("#" + "(" * 900_000)),
    "a long number": Hostile(lambda: _after("x = 0x" + "f" * 900_000 + "\n")),
    "a number that CPython refuses": Hostile(lambda: _after("x = " + "9" * 5000 + "\n"), HERE, "4300"),
    "a long name": Hostile(lambda: _after("a" * 900_000 + " = 1\n")),
    "a long help": Hostile(
        lambda: _after("class Command(Command):\n    help = '" + "a\\n" * 200_000 + "'\n")
    ),
}

EMPTY = {
    "only comments": Hostile(lambda: b"# tracked_script\n# nothing\n"),
    "a comment without a line end": Hostile(lambda: b"# tracked_script"),
    "only a mark and a comment": Hostile(lambda: b"\xef\xbb\xbf# tracked_script"),
    "only a name": Hostile(lambda: b"tracked_script"),
    "only a docstring": Hostile(lambda: b'"""tracked_script"""'),
    "only blanks and a comment": Hostile(lambda: b" \t\f # tracked_script \\"),
}

SHAPES = {**_deep_and_shallow(), **STRUCTURES, **LARGE, **EMPTY}
