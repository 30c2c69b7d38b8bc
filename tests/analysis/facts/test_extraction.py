from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import libcst as cst
import pytest
from libcst.metadata import MetadataWrapper, PositionProvider

from scripts_tracker.analysis.facts.extraction import extract
from scripts_tracker.analysis.source.parsing import parse
from scripts_tracker.analysis.source.trees import Positions, descendants
from tests.analysis.project_cases import FIXTURES, read_cases

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
OWN_FILES = sorted((ROOT / "scripts_tracker" / "analysis").glob("*.py"))
ODD = '''\
# @tracked_script, class Command, "a"
"""@tracked_script and class Command"""
from scripts_tracker import required_preceding_script, tracked_script
class Command:
    @ tracked_script(rerun="once",
        tags=("a",))
    @required_preceding_script(
        # "a" in a comment
        "a",
      "b", "a",
        * names, ** options)
    def handle(self):
        class Command: pass
class Other:
    @tracked_script
    def handle(self): pass
if True:
    class\tThird(Other, Command): x = 1; y = 2
    @tracked_script
    class Command(Third): pass
'''


def _texts() -> Iterator[tuple[str, str]]:
    yield "the same text in many places", ODD
    yield "the same with CRLF", ODD.replace("\n", "\r\n")
    for path in OWN_FILES:
        yield f"our own {path.name}", path.read_text()
    for path in sorted(FIXTURES.glob("*.case")):
        for case in read_cases(path.name):
            for name, text in case.files.items():
                if "ST000" not in text and name.endswith(".py") and text and "def broken(:" not in text:
                    yield f"{path.stem}: {case.title}: {name}", text


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in _texts()])
def test_positions_are_those_of_libcst(text: str) -> None:
    parsed = parse(text.encode())
    wrapper = MetadataWrapper(parsed.module, unsafe_skip_copy=True)
    known = wrapper.resolve(PositionProvider)
    positions = Positions(wrapper.module, parsed.text)
    asked = [
        (node, call)
        for call in descendants(wrapper.module)
        if isinstance(call, cst.Call | cst.Decorator | cst.ClassDef)
        for node in (call, *(call.args if isinstance(call, cst.Call) else ()))
    ]
    # Only so many nodes are distinguished exactly; the first ones are enough here.
    for node, call in asked[:: max(1, len(asked) // 15)]:
        range_ = known[node]
        assert positions.place(node, None if node is call else call) == (
            range_.start.line,
            range_.start.column + 1,
        ), wrapper.module.code_for_node(node)


def test_the_class_and_the_binding_of_command_are_placed() -> None:
    assert extract(b"\n\nimport x\nclass  Command: pass\n").command == (4, 1)
    assert extract(b"if 1:\n  from x import (a,\n    Command)\n").command == (2, 3)
    assert extract(b"x = 1; Command = x\n").command == (1, 8)
    assert extract(b"import a\n").command is None


def test_a_file_without_command_has_no_fingerprint() -> None:
    assert extract(b"class Base: pass\n").fingerprint is None
    assert extract(b"class Command: pass\n").fingerprint is not None
    assert extract(b"from x import *\n").fingerprint is not None


def test_extraction_is_a_pure_function() -> None:
    for case in read_cases("tracked.case"):
        for text in case.files.values():
            assert extract(text.encode()) == extract(text.encode())


HEAD = "from scripts_tracker import tracked_script\n"
TAIL = "class Command:\n    @tracked_script\n    def handle(self): super().handle()\n"


@pytest.mark.parametrize(
    "middle",
    [
        pytest.param("x = " + " + ".join(["'a'"] * 90) + "\n", id="a long sum"),
        pytest.param("if 0: pass\n" + "elif 0: pass\n" * 60, id="a long chain of elif"),
        pytest.param("x = a" + ".b()" * 60 + "\n", id="a long chain of calls"),
        pytest.param("x = " + "(" * 60 + ")" * 60 + "\n", id="deep brackets"),
        pytest.param("".join(f"{' ' * n}if 1:\n" for n in range(60)) + " " * 60 + "pass\n", id="deep blocks"),
        pytest.param("a0 = 1\n" + "".join(f"a{n} = a{n - 1}\n" for n in range(1, 3000)), id="many aliases"),
        pytest.param(
            "a0 = f()\n" + "".join(f"a{n} = a{n - 1}(a{n - 1}, a{n - 1})\n" for n in range(1, 40)),
            id="calls that double",
        ),
        pytest.param(
            "a0 = (1,)\n" + "".join(f"a{n} = (a{n - 1}, a{n - 1})\n" for n in range(1, 40)),
            id="tuples that double",
        ),
        pytest.param(
            "a0 = 'x'\n" + "".join(f"a{n} = a{n - 1} + a{n - 1}\n" for n in range(1, 40)),
            id="texts that double",
        ),
    ],
)
def test_deep_and_wide_files_are_read_in_bounded_time(middle: str) -> None:
    facts = extract((HEAD + middle + TAIL).encode())
    assert [one.name for one in facts.classes] == ["Command"]
    assert len(str(facts.to_text())) < 1_000_000


def test_help_that_doubles_is_cut() -> None:
    lines = "".join(f"a{n} = a{n - 1} + a{n - 1}\n" for n in range(1, 40))
    facts = extract(f"a0 = 'x'\n{lines}class Command:\n    help = a39\n".encode())
    assert len(str(facts.to_text())) < 100_000


def test_texts_that_databases_refuse_are_replaced() -> None:
    facts = extract(b'X = "\\x00"\nclass Command:\n    "a\\ud800b"\n    help = "a\\x00b"\n')
    assert facts.classes[0].doc == "a?b"
    assert "\x00" not in str(facts.to_text())
