"""What the rules see of a file, and that none of them stumbles over what people write."""

from __future__ import annotations

import re
import sysconfig
import textwrap
from collections import Counter
from pathlib import Path

import libcst as cst
import pytest

from scripts_tracker.analysis.facts.extraction import Extraction
from scripts_tracker.analysis.source.parsing import parse
from scripts_tracker.exceptions import UnreadableSource
from scripts_tracker.lint import violations
from scripts_tracker.lint.file import Tree
from scripts_tracker.lint.parsers import declared
from scripts_tracker.lint.rules import tree_rules
from scripts_tracker.lint.values import Where
from tests.analysis.project_cases import FIXTURES, read_cases

# Short ones: the whole library would take a minute.
STANDARD_LIBRARY = [
    path
    for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py"))
    if "site-packages" not in path.parts and "test" not in path.parts and path.stat().st_size < 12_000
][::2][:200]
CASES = sorted(path.name for path in FIXTURES.glob("*.case"))
ODD = [
    "x = f'{input()!r:{input()}}' if (input := 1) else (lambda *a, b=input(), **k: (yield))\n",
    (
        "class Command(*bases, metaclass=M, **kw):\n    @(lambda f: f)\n    @d[0]\n    @a.b()(1)[2].c\n    @(x := y)\n"
        "    def handle(*, a): return\n    def add_arguments(): return parser.add_argument()\n"
    ),
    "class Command: handle = add_arguments = tracked_script\n",
    "class Command:\n    def add_arguments(s, p, /, *, q): p.add_argument(); p.add_subparsers(); p(); p.add_argument(**q)\n",
    "class Command(Command): pass\nclass Command(Command): pass\n",
    "class A(B): pass\nclass B(A): pass\nclass Command(A, B, A): pass\n",
    (
        "from .. import *\nfrom . import core_tracker\nfrom django_scripts_tracker import *\nimport django_scripts_tracker.a\n"
        "from django_scripts_tracker import *\nfrom django_scripts_tracker import *\n"
    ),
    "class Command:\n    @tracked_script\n    def handle(self, *a, **k):\n        try: x\n        except* (A, *B): pass\n",
    "class Command:\n    @tracked_script()\n    @tracked_script(*a, unless=(*x, 1, b''), **k)\n    async def handle(self): raise\n",
    (
        "class Command:\n    @tracked_script\n    def handle(self):\n        async with a as b, c: pass\n        match x:\n"
        "            case {**rest} | [*others] | C(a=1) as z: raise SystemExit\n            case _: sys.exit(*a); exit(code=0)\n"
    ),
    (
        "class Command:\n    @tracked_script\n    def handle(self):\n        with suppress(*Exception), (yield): pass\n"
        "    class Command:\n        def handle(self): del x; global y; y: int\n"
    ),
    "type X[T: int = str] = list[T]\nclass Command[T]:\n    def handle[U](self, x: U = input()) -> input(): ...\n",
    "Command.handle = tracked_script(Command.handle)\nCommand: type\ndel Command\n",
    "if a:\n    class Command: ...\nelse:\n    Command = make(input())\n",
    "",
]


def tree_of(source: str) -> Tree:
    return Tree(Extraction(parse(source.encode())))


def origins(source: str) -> list[str]:
    tree = tree_of(source)
    return sorted(tree.origin(call.func, use) for call, use in tree.calls)


@pytest.mark.parametrize(
    ("source", "origin"),
    [
        ("x()", "builtins.x"),
        ("import a.b\na.b.c()", "a.b.c"),
        ("import a.b as x\nx.c()", "a.b.c"),
        ("from a import b as x\nx.c()", "a.b.c"),
        ("from . import b\nb()", "..b"),
        ("from a import b\nx = b.c\nx()", "a.b.c"),
        ("from a import *\nx()", ""),
        ("def x(): ...\nx()", ""),
        ("class X: ...\nX.y()", ""),
        ("if a:\n    from b import x\nelse:\n    from c import x\nx()", ""),
        ("x[0]()", ""),
        ("(lambda: 1)()", ""),
        ("x = y\ndef f():\n    x()", "builtins.y"),
        ("def f():\n    import a\n    def g():\n        return lambda: a.b()", "a.b"),
        ("def f():\n    import a.b as x\n    x.c()", "a.b.c"),
        ("def f():\n    x = input\n    x()", "builtins.input"),
        ("def f():\n    import a\n    a = None\n    a()", ""),
        ("def f():\n    if b:\n        import a\n    else:\n        a = c.d[0]\n    a()", ""),
        ("def f(x): x()", ""),
        ("def f(x, /): x()", ""),
        ("def f(*x): x()", ""),
        ("def f(*, x): x()", ""),
        ("def f(**x): x()", ""),
        ("def f(y=x()): ...", "builtins.x"),
        ("def f(x):\n    def g():\n        x()", ""),
        ("def f():\n    def x(): ...\n    x()", ""),
        ("def f():\n    for x in y:\n        x()", ""),
        ("def f():\n    with y as (x, z):\n        x()", ""),
        ("def f():\n    try: ...\n    except E as x: x()", ""),
        ("def f():\n    (x := y) and x()", ""),
        ("def f():\n    return [x() for x, *z in y]", ""),
        ("def f():\n    match y:\n        case [*x]: x()", ""),
        ("def f():\n    match y:\n        case {1: z, **x}: x()", ""),
        ("def f():\n    match y:\n        case C(x): x()", ""),
        ("lambda x: x()", ""),
        ("lambda: lambda x: x()", ""),
        ("lambda: x()", "builtins.x"),
    ],
)
def test_a_name_stands_for_what_is_certain(source: str, origin: str) -> None:
    assert origins(source) == [origin]


def test_a_call_knows_the_functions_around_it_and_its_method() -> None:
    tree = tree_of(
        "a()\n@b()\nclass A(c()):\n    d()\n    @e()\n    def f(self, x=g()):\n"
        "        h(lambda: i())\n        class B:\n            def j(self): k()\n"
        "def l():\n    class C:\n        m()\n"
    )
    names = {
        use.node.func.value: (
            [one.name.value if isinstance(one, cst.FunctionDef) else "lambda" for one in use.inside],
            use.where,
        )
        for use in tree.uses
        if isinstance(use.node, cst.Call) and isinstance(use.node.func, cst.Name)
    }
    assert names == {
        "a": ([], None),
        "b": ([], None),
        "c": ([], None),
        "d": ([], Where("A", "")),
        "e": ([], Where("A", "")),
        "g": ([], Where("A", "")),
        "h": (["f"], Where("A", "f")),
        "i": (["f", "lambda"], Where("A", "f")),
        "k": (["f", "j"], Where("A", "f")),
        "m": (["l"], None),
    }


@pytest.mark.parametrize(
    ("body", "overrides"),
    [
        ("pass", True),
        ("super().other()", True),
        ("self.work()", True),
        ("super().work()", False),
        ("super(A, self).work(1)", False),
        ("return [super().work for _ in x]", False),
        ("Base.work(self, 1)", False),
    ],
)
def test_a_method_overrides_unless_it_calls_that_of_a_base_class(body: str, overrides: bool) -> None:  # noqa: FBT001
    tree = tree_of(f"class A:\n    def work(self): {body}\n")
    assert list(tree.overrides(tree.classes[0])) == ["work"] * overrides


@pytest.mark.parametrize(
    ("decorator", "says"),
    [
        ("@tracked_script", False),
        ("@tracked_script(atomic=True)", False),
        ("@tracked_script(rerun='on-change')", True),
        ("@track(rerun='once')", True),
        ("@other(rerun='once')", False),
        ("@tracked_script(other(rerun='once'))", False),
    ],
)
def test_a_decorator_says_when_to_run_again(decorator: str, says: bool) -> None:  # noqa: FBT001
    source = "from scripts_tracker import tracked_script, tracked_script as track\nfrom shop import other\n"
    assert tree_of(f"{source}class Command:\n    {decorator}\n    def handle(self): ...\n").says_rerun is says


def test_decorators_of_ours_are_found_under_any_name() -> None:
    tree = tree_of(
        "import scripts_tracker as s\nfrom scripts_tracker import tracked_script as t\nfrom shop import other\n"
        "class Command:\n    @t\n    @other\n    @s.tracked_script(rerun='once')\n    @s.required_preceding_script('a')\n"
        "    @tracked_script\n    @(lambda f: f)\n    def handle(self): ...\n"
    )
    (handle,) = tree.classes[0].trackable
    assert [tree.place(one) for one in tree.decorators(handle, "tracked_script")] == [(5, 5), (7, 5), (9, 5)]
    assert [tree.place(one) for one in tree.decorators(handle, "required_preceding_script")] == [(8, 5)]
    assert tree.place(handle) == (11, 9)
    assert tree.text[tree.offset(handle) :].startswith("handle(self)")


@pytest.mark.parametrize(
    ("classes", "methods"),
    [
        ("class Command:\n    def f(self): ...", ["Command"]),
        ("class A:\n    def f(self): ...\nclass Command(A): ...", ["A"]),
        ("class A:\n    def f(self): ...\nclass Command(A):\n    def f(self): ...", ["Command"]),
        (
            "class A:\n    def f(self): ...\nclass Command(A):\n    def f(self): super().f()",
            ["Command", "A"],
        ),
        ("class A:\n    def f(self): ...\nclass B:\n    def f(self): ...", ["A", "B"]),
        ("class A:\n    def f(self): ...\nclass B: ...\nclass Command(B): ...", []),
        ("class A:\n    def f(self): ...\nclass Command(other.B, A): ...", []),
        ("class A:\n    def f(self): ...\nclass Command(A):\n    f = other", []),
        ("class A:\n    def f(self): ...\nclass Command(A):\n    if x:\n        def f(self): ...", []),
        ("class Command:\n    def f(self): ...\nCommand.f = other", []),
        ("class Command:\n    def f(self): ...\n    f = other(f)", []),
        ("class A:\n    def f(self): ...\nCommand = A", ["A"]),
        ("class A:\n    def f(self): ...\nCommand = other(A)", []),
        ("class A:\n    def f(self): ...\nfrom shop import Command", []),
        (
            (
                "class A:\n    def f(self): ...\nclass B:\n    def f(self): ...\n"
                "if x:\n    class Command(A): ...\nelse:\n    class Command(B): ..."
            ),
            ["A", "B"],
        ),
    ],
)
def test_the_methods_of_a_command_are_those_that_surely_run(classes: str, methods: list[str]) -> None:
    assert sorted(one.owner.name for one in tree_of(f"{classes}\n").methods("f")) == sorted(methods)


@pytest.mark.parametrize(
    ("body", "dests"),
    [
        ("pass", set()),
        ("parser.add_argument('--a-b', '-c')", {"a_b"}),
        ("parser.add_argument('-c', '-d')", {"c"}),
        ("parser.add_argument('a-b')", {"a-b"}),
        ("parser.add_argument('-c', dest='d')", {"d"}),
        ("if x: parser.add_argument('-c')", {"c"}),
        ("g = parser.add_argument_group(); g.add_argument('-c')", {"c"}),
        ("parser.epilog = 'x'", set()),
        ("parser.add_argument(name)", None),
        ("parser.add_argument('-c', dest=name)", None),
        ("parser.add_argument('-c', **more)", None),
        ("parser.add_argument('-c', *more)", None),
        ("parser.set_defaults(a=1)", None),
        ("parser.add_subparsers()", None),
        ("add = parser.add_argument; add('-c')", None),
        ("g = parser.add_argument_group(); add(g)", None),
        ("return parser.add_argument_group()", None),
        ("self.parser = parser", None),
        ("parser = other(parser)", None),
        ("Other.add_arguments(self, parser)", None),
    ],
)
def test_the_options_of_a_command_are_known_or_not(body: str, dests: set[str] | None) -> None:
    tree = tree_of(f"class Command:\n    def add_arguments(self, parser):\n        {body}\n")
    assert declared(tree, tree.lineages[0]) == dests


@pytest.mark.parametrize(
    "source",
    [
        "class Command(other.Base): ...\n",
        "@other\nclass Command: ...\n",
        "class Command(metaclass=other): ...\n",
        "class Command:\n    stealth_options = ('a',)\n",
        "class Command:\n    def create_parser(self): ...\n",
        "class Command:\n    if x:\n        def add_arguments(self, parser): ...\n",
        "class Command:\n    @other\n    def add_arguments(self, parser): ...\n",
        "class Command:\n    add_arguments = other\n",
        "class Command: ...\nCommand.add_arguments = other\n",
        "class Base: ...\n",
    ],
)
def test_the_options_of_a_command_that_other_code_may_change_are_unknown(source: str) -> None:
    tree = tree_of(source)
    assert declared(tree, tree.lineages[0]) is None


def _is_survived(source: bytes) -> bool:
    """Whether the rules have an answer; False for what cannot be parsed. All edits can be asked for, too."""
    try:
        extraction = Extraction(parse(source))
    except UnreadableSource:
        return False
    tree = Tree(extraction)
    assert violations.read(violations.violations_in(extraction)) is not None
    assert all(
        0 <= edit.start <= edit.end <= len(tree.text) for rule in tree_rules() for edit in rule.edits(tree)
    )
    return True


@pytest.mark.parametrize("source", ODD)
def test_no_rule_stumbles_over_odd_code(source: str) -> None:
    assert _is_survived(source.encode())


@pytest.mark.parametrize("name", CASES)
def test_no_rule_stumbles_over_the_cases_of_the_analysis(name: str) -> None:
    texts = [text for case in read_cases(name) for text in case.files.values()]
    assert sum(_is_survived(text.encode()) for text in texts) > len(texts) / 2


def test_no_rule_stumbles_over_the_fixtures() -> None:
    paths = sorted(FIXTURES.parent.rglob("*.py"))
    assert sum(_is_survived(path.read_bytes()) for path in paths) > len(paths) / 2


def test_no_rule_stumbles_over_the_standard_library() -> None:
    assert sum(_is_survived(path.read_bytes()) for path in STANDARD_LIBRARY) > 0.9 * len(STANDARD_LIBRARY)


def test_no_rule_stumbles_over_the_standard_library_as_a_script() -> None:
    head = "class Command:\n    @tracked_script\n    def {}(self, {}):\n"
    names = ["handle", "add_arguments"]
    survived = 0
    for path in STANDARD_LIBRARY[::4]:
        text = path.read_text(encoding="utf-8", errors="replace")
        body = textwrap.indent(f"{text}\npass\n", " " * 8)
        # Whatever is called most often stands for the parser.
        called = Counter(re.findall(r"\b([a-z]+)\.", text)).most_common(1) or [("parser", 1)]
        source = "".join(head.format(name, called[0][0]) + body for name in names)
        survived += _is_survived(source.encode())
    assert survived > 0.8 * len(STANDARD_LIBRARY[::4])
