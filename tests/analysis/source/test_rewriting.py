"""What CPython reads and libcst does not: written another way, with the same tree, it has the same fingerprint."""

from __future__ import annotations

import ast
import sys
import sysconfig
import warnings
from pathlib import Path

import libcst as cst
import pytest

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.facts.extraction import extract
from scripts_tracker.analysis.fingerprint import fingerprint
from scripts_tracker.analysis.source.parsing import parse
from scripts_tracker.analysis.source.rewriting import rewritten
from scripts_tracker.core.values import Finding, Location
from scripts_tracker.exceptions import UnreadableSource
from scripts_tracker.lint.fixing import fixed

# Each as libcst refuses it, and as it accepts it.
CASES = {
    "a raw f-string with a backslash at the end of a line": (
        'x = rf"a\\\nb{c}\\n"\n',
        'x = f"a\\\\\\nb{c}\\\\n"\n',
    ),
    "the same in brackets, with the other quote": (
        "x = [\n  Rf'\\\n{a}\"' rb'',\n]\n".replace(" rb''", ""),
        "x = [f'\\\\\\n{a}\"']\n",
    ),
    "a backslash before the first statement of a block": (
        "if a:\n    \\\n    x = 1\n    y = 2\n",
        "if a:\n  x = 1\n  y = 2\n",
    ),
    "backslashes at the margin before the first statement of a class": (
        "class A:\n\\\n\\\n    x = 1\n# c\n    \f\n    y = 2\n",
        "class A:\n    x = 1\n    y = 2\n",
    ),
    "a starred base after a keyword": ("class T(a=1, *A): pass\n", "class T(*A, a=1): pass\n"),
    "starred bases after keywords, over lines and in a class of a class": (
        "class T(\n  B, # b\n  a='ä',\n  *A,\n  **k,\n):\n    class U(m=f(*a), *B, *C): x = 1\n",
        "class T(B, *A, a='ä', **k):\n    class U(*B, *C, m=f(*a)): x = 1\n",
    ),
    "an annotated attribute in parentheses": (
        "é.f(); ((é.x)) : (int) = (1)\n",
        "é.f()\né.x: int = 1\n",
    ),
    "all of it at once": (
        '\fl = "\u2028"\nclass T(a=rf"a\\\nb", *A):\n    \\\n    (a[1]): int\n',
        'l = "\u2028"\nclass T(*A, a=f"a\\\\\\nb"):\n    a[1]: int\n',
    ),
}
TEMPLATES = {
    "joined t-strings": ('t"a" t"{b}"\n', 't"a{b}"\n'),
    "joined t-strings over lines": ('x = (t"a" # c\n  t"{b}" t"c")\n', 'x = t"a{b}c"\n'),
}
if sys.version_info >= (3, 14):
    CASES |= TEMPLATES


@pytest.mark.parametrize(("odd", "plain"), CASES.values(), ids=CASES)
def test_what_libcst_refuses_has_the_fingerprint_of_what_it_accepts(odd: str, plain: str) -> None:
    with pytest.raises((cst.ParserSyntaxError, getattr(cst, "CSTLogicError", cst.CSTValidationError))):
        cst.parse_module(odd)
    assert ast.dump(ast.parse(odd)) == ast.dump(ast.parse(plain))
    assert fingerprint(odd.encode()) == fingerprint(plain.encode())
    assert fingerprint(f"{odd}z = 1\n".encode()) != fingerprint(plain.encode())


@pytest.mark.parametrize("odd", [odd for odd, _ in CASES.values()], ids=CASES)
def test_the_lines_stay_where_they_are(odd: str) -> None:
    parsed = parse(odd.encode())
    assert parsed.is_rewritten
    last = [node.lineno for node in ast.walk(ast.parse(odd)) if isinstance(node, ast.stmt)]
    assert [node.lineno for node in ast.walk(ast.parse(parsed.text)) if isinstance(node, ast.stmt)] == last


LEFT = {
    "plain source": "x = 1\n",
    "what CPython refuses": "x = = 1\n",
    "tabs and spaces that CPython refuses": "if a:\n        x = 1\n\ty = 2\n",
    "another tree than it can be written with": "(x): int = 1\n",
    "a t-string within one, whose text is kept": 't"{t"x" t"y"}" t"z"\n',
}


@pytest.mark.parametrize("text", LEFT.values(), ids=LEFT)
def test_nothing_else_is_written_another_way(text: str) -> None:
    assert rewritten(text) is None


def test_what_cannot_be_read_says_where_as_before() -> None:
    with pytest.raises(UnreadableSource, match="line 2, column 6: invalid syntax"):
        parse(b"x = 1\nx = = 1\n")


def test_a_warning_of_the_compiler_does_not_reach_the_user() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert parse(b'(x.y): int = "\\d"\n').is_rewritten


SCRIPT = """from django.core.management.base import BaseCommand
from scripts_tracker import required_preceding_script, tracked_script

class Command(BaseCommand):
    @tracked_script(tags=("a",))
    @required_preceding_script("shop.b")
    def handle(self, *args, **options):
        (self.total): int = 1
"""


def test_the_facts_of_a_command_are_those_of_the_other_spelling() -> None:
    assert extract(SCRIPT.encode()) == extract(SCRIPT.replace("(self.total)", "self.total").encode())


def test_a_fix_does_not_touch_a_file_that_is_read_in_another_spelling() -> None:
    source = SCRIPT.replace("from scripts_tracker", "from scripts_tracker.core_tracker").encode()
    wanted = [Finding(Location("x.py", 2, 1), code, "", fixable=True) for code in codes.ALL]
    assert fixed(source, wanted) == source


OWN_TESTS = Path(sysconfig.get_path("stdlib"), "test")


@pytest.mark.parametrize(
    "name", ["test_grammar.py", "test_fstring.py", "test_patma.py", "test_tstring.py", "test_type_params.py"]
)
def test_cpythons_own_tests_of_its_grammar_are_read_but_for_single_statements(name: str) -> None:
    file = OWN_TESTS / name
    if not file.exists():
        pytest.skip(f"this Python comes without {name}")
    parsed = parse(file.read_bytes())
    assert parsed.text.count("\n") == file.read_text().count("\n")
    statements = [sum(isinstance(one, ast.stmt) for one in ast.walk(ast.parse(text))) for text in
                  (parsed.text, file.read_text())]  # fmt: skip
    assert statements[0] == statements[1]
