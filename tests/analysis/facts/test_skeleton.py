"""The facts of a source without the functions that none comes of are those of the whole."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from scripts_tracker.analysis.facts import skeleton as skeletons
from scripts_tracker.analysis.facts.extraction import extract
from scripts_tracker.analysis.facts.scopes import PLAIN
from scripts_tracker.analysis.facts.skeleton import KEPT, skeleton
from scripts_tracker.analysis.source.functions import outline
from scripts_tracker.exceptions import UnreadableSource
from tests.analysis import programs, sources
from tests.analysis.project_cases import FIXTURES, read_cases
from tests.analysis.skeletons import difference, has_skeleton, in_method
from tests.growth import grows_in_proportion
from tests.switches import FULL, at_length

HEAD = "from scripts_tracker import tracked_script\nfrom shop.base import Base, mine\n\n"
CLASS = "class Command(Base):\n    @tracked_script\n    def handle(self):\n        self.cut(1)\n"
LAST = "'the end'"

# What the reason keeps, and whether the facts would be others without it.
REASONS = {
    "our decorator, which is a fact wherever it is used": ("x = tracked_script(cls.other)", True),
    "a decorator, which may be ours by another name": ("@mine\ndef inner(): pass", True),
    "the method of a base class, or of a class that is patched": ("Base.handle(self)", False),
    "a text that is executed": ("exec('tracked_' 'script(Base)')", False),
    "a decorator or a class that is made here": ("def inner(): pass\nreturn inner", True),
    "a class that is patched by a name": ("setattr(cls, 'handle', mine(cls.run))", True),
    "a class that is patched in its namespace": ("cls['han' 'dle'] = mine(cls.run)", True),
    "a line that goes on in the next one": ("if cls:\n    \\\n\n    x = 1", False),
    "a tab, which may be indentation": ("if cls:\n\tx = 1", False),
    "a target with an annotation that is in parentheses": ("(x): int = 1", False),
    "a base class after a keyword": ("class Inner(a=1, *cls): pass", False),
    "a t-string": ("x = t'{cls}' t'{cls}'", False),
}


def _source(reason: str) -> str:
    body = textwrap.indent(f"{REASONS[reason][0]}\n{LAST}", "    ")
    if KEPT[reason].only_shaping:
        return f"{HEAD}def other(cls):\n{body}\n\n\n{CLASS}"
    body = textwrap.indent(body, "    ")
    return f"{HEAD}{CLASS}\n    def other(self, cls):\n{body}\n"


@pytest.mark.parametrize("reason", KEPT)
def test_a_function_that_a_fact_may_come_of_is_kept(reason: str) -> None:
    text = _source(reason)
    part = skeleton(text)
    # Only handle() is cut, if it is certain where functions are.
    if part is not None and not (reason == "a t-string" and not KEPT[reason].words):
        assert LAST in part.text
        assert "self.cut" not in part.text
    assert difference(text.encode()) == ""


@pytest.mark.parametrize("reason", [one for one, (_, is_fact) in REASONS.items() if is_fact])
def test_the_facts_would_be_others_without_what_is_kept(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skeletons, "_is_kept", lambda *_: False)
    monkeypatch.setattr(skeletons.Skeleton, "check", lambda *_: None)
    assert difference(_source(reason).encode()) != ""


TOO_LITTLE = {
    "our decorator by another name": """\
once = tracked_script(rerun="once")
{cls}
    def other(self):
        once(self)
        return 1
""",
    "a name of our package": """\
import scripts_tracker as ours
{cls}
    def other(self):
        ours.x
        return 1
""",
    "what a function returns": """\
if 1:
    from .base import (  # )
        wrap)


def make():
    x = 1
    return wrap(x)


{cls}""",
    "a decorated function": """\
@mine
def make():
    x = 1
    return 2


{cls}""",
}


@pytest.mark.parametrize("text", TOO_LITTLE.values(), ids=TOO_LITTLE)
def test_what_is_known_only_after_the_parse_needs_the_whole(text: str) -> None:
    assert difference((HEAD + text.format(cls=CLASS)).encode()) == ""


_TRACKED = "class Command:\n    @tracked_script\n    def handle(self):\n        x = 1\n"
OUR_IMPORTS = {
    "used": f"from scripts_tracker import tracked_script\n{_TRACKED}",
    "of the predecessor": f"from django_scripts_tracker.core_tracker import tracked_script\n{_TRACKED}",
    "among others": f"from scripts_tracker import (\n    tracked_script,\n)  # once\nfrom a import b\n{_TRACKED}",
    "by another name": f"from scripts_tracker import tracked_script as once\n{_TRACKED.replace('tracked_script', 'once')}",
    "as the command": f"from scripts_tracker import tracked_script as Command\n{_TRACKED}",
    "of both": "from scripts_tracker import required_preceding_script, tracked_script\n"
    + _TRACKED.replace("    @", "    @required_preceding_script('a')\n    @"),
    "in a comment and in a text": f"# @tracked_script\nfrom scripts_tracker import tracked_script\n{_TRACKED.replace('@', '')}",
    "on a method that does not run": f"from scripts_tracker import tracked_script\n{_TRACKED.replace('handle', 'other')}",
    "on a function": f"from scripts_tracker import tracked_script\n@tracked_script\ndef run():\n    x = 1\n{_TRACKED}",
    "as a function": f"from scripts_tracker import tracked_script\n{_TRACKED}def run():\n    return tracked_script(x)\n",
    "by another name as well": f"from scripts_tracker import tracked_script\nonce = tracked_script\n{_TRACKED}"
    "    def other(self):\n        return once(self)\n",
    "twice": f"from scripts_tracker import tracked_script\nfrom django_scripts_tracker import tracked_script\n{_TRACKED}",
    "and replaced": f"from scripts_tracker import tracked_script\nfrom a import tracked_script\n{_TRACKED}",
    "of somebody else": f"from a.scripts_tracker import tracked_script\n{_TRACKED}",
    "relative": f"from .scripts_tracker import tracked_script\n{_TRACKED}",
    "with a name that is not there": f"from scripts_tracker import tracked_script, trackedscript\n{_TRACKED}",
    "of one that decorates nothing": f"from scripts_tracker import tracked_script, required_preceding_script\n{_TRACKED}",
    "of one that decorates something else": "from scripts_tracker import tracked_script, required_preceding_script\n"
    f"@required_preceding_script\ndef run():\n    x = 1\n{_TRACKED}",
}


@pytest.mark.parametrize("text", OUR_IMPORTS.values(), ids=OUR_IMPORTS)
def test_an_import_of_ours_is_the_same_fact_in_a_skeleton(text: str) -> None:
    source = f"import os\n{text}".encode()
    assert has_skeleton(source)
    assert difference(source) == ""


def test_an_import_of_ours_that_decorates_is_not_parsed() -> None:
    part = skeleton(OUR_IMPORTS["among others"])
    assert part is not None
    assert "scripts_tracker import" not in part.text


UNREADABLE = {
    "a syntax error": "x = = 1",
    "an invalid literal": "x = '\\x'",
    "bytes and text in one literal": "x = b'' ''",
    "an invalid number": "x = 1__0",
    "a string without an end": "x = 'a",
    "a constant by another spelling": "\U0001d413rue = 1",
    "a wrong indentation": "if 1:\n        x = 1\n      y = 2",
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_an_error_in_a_function_that_would_be_cut_is_reported(body: str) -> None:
    source = in_method(f"x = 1\n{body}\n".encode())
    with pytest.raises(UnreadableSource):
        extract(source, with_fingerprint=False)
    assert difference(source) == ""


PLACES = {
    "lines without code": "\n\n# a comment\n\n\n{head}{cls}\n\n# another\n\nX = tracked_script\n",
    "a class after functions": """\
{head}
class A:
    def a(self):
        x = 1

    def b(self):
        x = 1
        x = 2


{cls}""",
    "text at the margin": '''\
{head}class A:
    def a(self):
        """
class Command:
"""
        x = 1


{cls}''',
    "the same many times": """\
{head}# class Command
"@tracked_script"
{cls}
    def a(self):
        "@mine"
        x = 1
""",
    "no line break at the end": "{head}{cls}\n\n    def a(self):\n        return 1",
    "a comment at the end": "{head}{cls}\n\n    def a(self):\n        return 1\n# the end",
    "decorators and comments": """\
{head}# make
@mine
# this
def make(cls):
    return cls


{cls}""",
    "functions of one line": """\
{head}def a(): pass

{cls}
    def b(self): return 1
    async def c(self):
        return 2
""",
    "brackets over lines": """\
{head}X = [

# c
    1,
]
{cls}
    def b(self, x=(
1
), y=[]) -> (
        int
):
        return 1
""",
}


@pytest.mark.parametrize("text", PLACES.values(), ids=PLACES)
def test_every_place_is_that_in_the_whole(text: str) -> None:
    source = text.format(head=HEAD, cls=CLASS).encode()
    assert has_skeleton(source)
    assert difference(source) == ""


IMPORTS = {
    "many": "import json\nimport os.path\n\n# ours\nfrom shop.base import (\n    a,\n    b as c,\n)\nfrom . import d  # noqa\n",
    "one name twice": "import json\nfrom shop import json\nfrom shop.base import a, b as a\nimport json\n",
    "code between them": "import json\njson = 1\nfrom shop import json\nx = json\nimport x\n",
    "the command": "import json\nfrom shop.base import Command\nfrom shop import x as Command\n",
    "ours": "import json\nfrom scripts_tracker import batches\nfrom shop import required_preceding_script, tracked_script as t\n",
    "in blocks": "import json\ntry:\n    import os\nexcept ImportError:\n    os = None\nif 1: import re\nimport sys; x = 1\n",
    "a name of ours in another": "import json\nfrom shop import t_b\nfrom scripts_tracker import tracked_script as t\n",
    "what stands for them": "import json\nimport _0_0\nimport _0_0.x, y\n",
    "stars and the future": "from __future__ import annotations\nimport json as j\nfrom shop import *\nfrom .. import a\nfrom ..b import c\n",
    "a star and a computed name": "import json\nfrom shop import *\nfor x in json.y:\n    globals()[x] = 1\n",
    "decorators": "import json\nfrom shop.base import mine as other, wrap\n\n\n@other\ndef make(cls):\n    return wrap(cls)\n\n\nmade = make(wrap)\n",
}


@pytest.mark.parametrize("text", IMPORTS.values(), ids=IMPORTS)
def test_imports_that_are_read_as_one_bind_the_same(text: str) -> None:
    for source in (f"{text}{HEAD}{CLASS}", f"{HEAD}{text}{CLASS}"):
        assert has_skeleton(source.encode())
        assert difference(source.encode()) == ""


TABLES = {
    "pairs": "X = {\n    'a': 1,  # one\n\n    \"b\": [{'c': -2.5}, (None, True)],\n}\n",
    "rows": "X = [\n    ('a', 1),\n    ('b', 2),\n]\n",
    "tables in a table": "X = [\n    {\n        'a': {\n}\n    },\n    ['b'],\n]\n",
    "in a class and in a block": "class A:\n    x = {\n        'a': 1\n    }\nif A:\n    y = {\n        'b': 1\n    }\n",
    "one that begins another": "X = {\n'a': {\n},\n'b': 1}\ny = {\n    'a': 1\n}[\n'a'\n]\n",
    "after another": "X = {\n'a': 1}\n{\n}\nY = X\n",
    "in a text": 'X = """\ny = {\n    \'a\': 1,\n}\n"""\n',
    "our decorator": "X = {\n    'a': 'tracked_script',\n}\n",
    "our decorator by another name": "t = tracked_script\nX = {\n    'a': 't',\n}\n",
    "a set": "X = {\n    'a',\n}\n",
    "values that are known": "X = [\n    ('a'),\n    'b',\n]\n",
    "names": "X = {\n    'a': mine,\n}\nY = [\n    ('a', mine),\n]\n",
    "help": "class A:\n    help = {\n        'a': 'b',\n    }['a']\n    handle = {\n        'a': 'b',\n    }\n",
    "what is unpacked": "X = Y = [\n    ('a', 1),\n]\nfor x, y in X:\n    globals()[x] = y\n",
    "a command": "Command = [\n    ('a', 1),\n]\n",
}


@pytest.mark.parametrize("text", TABLES.values(), ids=TABLES)
def test_tables_of_literals_are_facts_of_no_more_than_empty_ones(text: str) -> None:
    for source in (f"{text}{HEAD}{CLASS}", f"{HEAD}{text}{CLASS}", f"{HEAD}{CLASS}\n\n{text}"):
        assert has_skeleton(source.encode())
        assert difference(source.encode()) == ""


@pytest.mark.parametrize("name", ["pairs", "rows", "tables in a table", "in a class and in a block"])
def test_tables_of_literals_are_left_out(name: str) -> None:
    part = skeleton(f"{HEAD}{TABLES[name]}{CLASS}")
    assert part is not None
    assert "'a'" not in part.text


def test_plain_imports_are_read_as_one() -> None:
    part = skeleton(f"import json\nimport os.path\nfrom shop.base import (\n    a,\n    b as c,\n)\n{CLASS}")
    assert part is not None
    assert part.text.startswith(f"import {PLAIN}0\nclass")
    names = {"json": "json", "os": "os", "a": "shop.base:a", "c": "shop.base:b"}
    assert part.imported == {f"{PLAIN}0": names}


UNCERTAIN = {
    "a form feed": "\f",
    "a tab": "if 1:\n\tx = 1\n",
    "a field with the quotes of its string": "x = f'{1:\"}'\"#'\n",
    "a backslash within a definition": "def f\\\n(): pass\ndef \\\n g(): pass\n",
    "an asynchronous function over lines": "async \\\n def f():\n    pass\n",
    "a string without an end": "x = '\n",
    "an open bracket": "x = (\n",
}


@pytest.mark.parametrize("text", UNCERTAIN.values(), ids=UNCERTAIN)
def test_a_text_that_may_be_read_in_two_ways_has_no_skeleton(text: str) -> None:
    source = f"{HEAD}{text}{CLASS}"
    assert skeleton(source) is None
    assert difference(source.encode()) == ""


LITERALS = (
    "''",
    "'#'",
    '"\\\'"',
    "'\\\\'",
    "r'\\''",
    "b'('",
    "'''('\n'''",
    '"""\\""""',
    "f'{a}('",
    "f'{{'",
    "f'{a!r:>{b}}'",
    "f'{a[\"(\"]}'",
    "rf'\\d{a}('",
    "f'''\n{a}(\n'''",
    "u'a' 'b'",
    "'a\\\nb'",
    "f'{\"a\"}' '('",
    "'''a''' ''",
)


@pytest.mark.parametrize("literal", LITERALS)
def test_strings_end_where_python_ends_them(literal: str) -> None:
    text = f"def f(a, b):\n    return {literal}\ndef g():\n    return 1\n"
    found = outline(text)
    assert found is not None
    assert [one.name for one in found.functions] == ["f", "g"]
    assert text[found.functions[0].end :].startswith("\ndef g")


def test_most_of_a_usual_command_is_left_out() -> None:
    helper = "    def helper(self, row):\n        for one in row:\n            print(one)\n\n"
    part = skeleton(f"{HEAD}{CLASS}\n{helper}")
    assert part is not None
    assert "helper" not in part.text
    assert "self.cut" not in part.text


def _files() -> list[bytes]:
    largest = at_length(200_000, sample=15_000)
    paths = [*sources.library(at_length(4000, sample=12), seed=17, largest=largest), *sources.demo()]
    cases = [case for path in sorted(FIXTURES.glob("*.case")) for case in read_cases(path.name)]
    texts = [text.encode() for case in cases for text in case.files.values()][:: 1 if FULL else 4]
    return [*(path.read_bytes() for path in paths), *texts]


def test_the_facts_of_real_files_are_the_same() -> None:
    cut = 0
    for source in _files():
        assert difference(source) == "", source.decode("utf-8", "replace")
        cut += has_skeleton(source)
    assert cut > 20


def test_random_statements_in_a_method_change_no_fact() -> None:
    @settings(
        max_examples=at_length(2000, sample=60),
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(programs.assembled())
    def same(program: str) -> None:
        assert difference(in_method(program.encode("utf-8", "surrogatepass"))) == ""

    same()


PIECES = ("a" * 50, "f'{a}'", '"', "(", "\\ ", "{{", "f'{", "def f():\n    x\n", "\n", "]\n ", ".\n")


@pytest.mark.parametrize("piece", PIECES)
def test_functions_are_found_in_proportion_to_the_text(piece: str) -> None:
    def work(times: int) -> None:
        skeleton(f"def f(a):\n    x = {piece * times}\n")

    assert grows_in_proportion(lambda: work(2000), lambda: work(16_000))
