"""Hostile sources made systematically: every nest and chain of the grammar, at many depths, wherever it may stand."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass

DEPTHS = (50, 100, 190, 500, 1000, 3000, 10_000, 100_000)
MAX_BYTES = (1 << 20) + 1000

# What is repeated on the left, what is in the middle, what is repeated on the right.
EXPRESSIONS: dict[str, tuple[str, str, str]] = {
    "parentheses": ("(", "1", ")"),
    "tuples": ("(", "1", ",)"),
    "lists": ("[", "1", "]"),
    "sets": ("{", "1", "}"),
    "dictionaries by key": ("{", "1", ": 1}"),
    "dictionaries by value": ("{1: ", "1", "}"),
    "unpacked dictionaries": ("{**", "a", "}"),
    "unpacked lists": ("[*", "a", "]"),
    "calls in calls": ("f(", "1", ")"),
    "keywords in keywords": ("f(a=", "1", ")"),
    "starred arguments": ("f(*", "a", ")"),
    "doubly starred arguments": ("f(**", "a", ")"),
    "arguments before": ("f(a, *b, c=1, d=", "1", ")"),
    "generators as arguments": ("f(", "a", " for a in b)"),
    "subscripts in subscripts": ("a[", "1", "]"),
    "slices in slices": ("a[1:", "1", "]"),
    "slices of three": ("a[", "1", "::1]"),
    "starred subscripts": ("a[*", "a", "]"),
    "comprehensions by element": ("[", "a", " for a in b]"),
    "comprehensions by source": ("[a for a in ", "b", "]"),
    "comprehensions by condition": ("[a for a in b if ", "c", "]"),
    "dictionary comprehensions": ("{a: ", "b", " for a in b}"),
    "generators": ("(", "a", " for a in b)"),
    "asynchronous generators": ("(", "a", " async for a in b)"),
    "yields": ("(yield ", "a", ")"),
    "yields from": ("(yield from ", "a", ")"),
    "awaits in parentheses": ("(await ", "a", ")"),
    "walruses": ("(a := ", "1", ")"),
    "lambdas in parentheses": ("(lambda: ", "1", ")"),
    "lambdas": ("lambda: ", "1", ""),
    "lambdas with parameters": ("lambda a, *b, c=1, **d: ", "1", ""),
    "lambdas as defaults": ("lambda a=", "1", ": 1"),
    "not": ("not ", "a", ""),
    "minus": ("-", "1", ""),
    "plus": ("+ ", "1", ""),
    "tilde": ("~", "1", ""),
    "mixed signs": ("-not ~", "1", ""),
    "await": ("await ", "a", ""),
    "stars": ("*", "a", ""),
    "conditions to the right": ("a if b else ", "c", ""),
    "conditions to the left": ("", "a", " if b else c"),
    "conditions in the middle": ("a if ", "b", " else c"),
    "powers": ("a ** ", "b", ""),
    "negative powers": ("-a ** ", "b", ""),
    "formatted strings": ("f'{", "a", "}'"),
    "formatted strings in both quotes": ("f'{f\"{", "a", "}\"}'"),
    "tripled formatted strings": ('f"""{', "a", '}"""'),
    "specifications": ("f'{a:{", "b", "}}'"),
    "self-documenting fields": ("f'{", "a", "=!r}'"),
    "template strings": ("t'{", "a", "}'"),
    "attributes": ("", "a", ".a"),
    "calls": ("", "a", "()"),
    "method calls": ("", "a", ".a()"),
    "method calls with arguments": ("", "a", ".a(b, c=1)"),
    "calls with strings": ("", "a", "('b')"),
    "subscripts": ("", "a", "[1]"),
    "slices": ("", "a", "[1:2, ...]"),
    "strings": ("", "'a'", " 'a'"),
    "byte strings": ("", "b'a'", " b'a'"),
    "adjacent formatted strings": ("", "f'{a}'", " f'{a}'"),
    "commas": ("", "a", ", a"),
    "stars and commas": ("", "*a", ", *a"),
    "named and commas": ("", "a", ", b=a"),
    "pairs": ("", "1: a", ", 1: a"),
    "colons": ("", "a", ":a"),
    "assignments": ("a = ", "1", ""),
    "walruses without parentheses": ("a := ", "1", ""),
    "alternatives": ("", "1", " | 1"),
    "aliases": ("", "a", " as a"),
    "class patterns": ("A(b=", "c", ")"),
    "positional class patterns": ("A(", "c", ")"),
    "mapping patterns": ("{'a': ", "b", ", **c}"),
    "star patterns": ("[a, *_, ", "b", "]"),
    "pattern groups": ("(", "a", " as b)"),
    "clauses": ("", "[a for a in b", " for a in b"),
    "conditions of a clause": ("", "[a for a in b", " if a"),
    "open brackets of every kind": ("([{", "1", ""),
    "closing brackets": ("", "1", ")"),
    "ellipses": ("...", "a", ""),
    "digits": ("", "1", "1"),
    "hexadecimal digits": ("", "0x1", "1"),
    "fractions": ("", "1.", "1"),
    "letters": ("", "a", "a"),
    "spaces": (" ", "a", " "),
    "tabs": ("\t", "a", "\t"),
    "form feeds": ("\f", "a", "\f"),
    "continued lines": ("\\\n", "a", "\\\n"),
    "comments": ("", "a", "#"),
    "quotes": ("'", "a", ""),
    "quotes and letters": ("'a'b", "", ""),
    "tripled quotes": ('"""', "a", ""),
    "escapes": ("", "'a", "\\'"),
    "braces in strings": ("", "f'", "{{"),
    "names of characters": ("", "'", "\\N{DIGIT ONE}"),
    "backquotes": ("`", "a", "`"),
    "dollars": ("$", "a", ""),
    "question marks": ("?", "a", "!"),
    "non-ascii": ("é", "a", "ß"),
    "newlines in brackets": ("(\n", "1", "\n)"),
    "dots": (".", "a", "."),
}
_OPERATORS = """
+,-,*,/,//,%,@,&,^,<<,>>,|,**,and,or,<,<=,==,!=,in,is,not in,is not,if,else,for,lambda,async,yield,->,:=,;,!,<>,+ -
"""
for _operator in _OPERATORS.strip().split(","):
    EXPRESSIONS[f"chain of {_operator}"] = ("", "a", f" {_operator} a")

STATEMENTS: dict[str, tuple[str, str, str]] = {
    "elif": ("", "if a: pass\n", "elif a: pass\n"),
    "except": ("", "try: pass\n", "except a: pass\n"),
    "cases": ("", "match a:\n", " case 1: pass\n"),
    "decorators": ("@a\n", "def f(): pass\n", ""),
    "decorators with calls": ("@a(b, c=1)\n", "class A: pass\n", ""),
    "lines": ("", "a\n", "a = 1\n"),
    "blank lines": ("", "", "\n"),
    "lines of comments": ("", "", "# a\n"),
    "statements": ("", "a", "; a"),
    "one-line compounds": ("if a: ", "a\n", ""),
    "else clauses": ("", "if a: pass\n", "else: pass\n"),
    "imports": ("", "import a", ", a"),
    "dotted imports": ("", "import a", ".a"),
    "imported names": ("", "from a import b", ", b"),
    "imported names in parentheses": ("", "from a import (b", ", b"),
    "relative imports": ("", "from ", "."),
    "import statements": ("", "", "import a\n"),
    "globals": ("", "global a", ", a"),
    "deletions": ("", "del a", ", a"),
    "contexts": ("", "with a", ", a"),
    "contexts in parentheses": ("", "with (a", ", a as b"),
    "named contexts": ("", "with a as b", ", a as b"),
    "parameters": ("", "def f(a", ", b"),
    "annotated parameters": ("", "def f(a", ", b: c = 1"),
    "type parameters": ("", "def f[T", ", U: int"),
    "bases": ("", "class A(B", ", B"),
    "keywords of a class": ("", "class A(B", ", b=c"),
    "functions": ("", "", "def f(): pass\n"),
    "classes": ("", "", "class A: pass\n"),
    "type aliases": ("", "", "type A[T] = list[T]\n"),
    "annotations": ("", "", "a: int = 1\n"),
    "augmented assignments": ("", "", "a += 1\n"),
    "docstrings": ("", "", "'''a'''\n"),
    "loops on one line": ("for a in b: ", "a\n", ""),
    "deep lines": ("", "", "x = [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]\n"),
    "chained lines": ("", "", "x = a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a\n"),
    "patterns of a few levels": ("", "match a:\n", " case [A(b={'c': (d, [e, *_])})]: pass\n"),
    "deletions in brackets": ("", "", "del ((a, [b, (c, d)]), e)\n"),
    "wrong lines": ("", "", "a b\n"),
}
BLOCKS = {
    "if": "if a:",
    "else": "if a: pass\n{0}else:",
    "for": "for a in b:",
    "while": "while a:",
    "with": "with a as b:",
    "async with": "async with a:",
    "try": "try:",
    "finally": "try: pass\n{0}finally:",
    "except": "try: pass\n{0}except A as b:",
    "def": "def f(a=1):",
    "async def": "async def f():",
    "class": "class A(B):",
    "match": "match a:\n{0} case 1:",
}
CONTEXTS: dict[str, str] = {
    "alone": "{}\n",
    "assigned": "x = {}\n",
    "in a formatted string": 'x = f"{{ {} }}"\n',
    "in a specification": 'x = f"{{a:{{ {} }}}}"\n',
    "in a class": "class A:\n    x = {}\n",
    "in a function": "async def f():\n    return {}\n",
    "as a pattern": "match x:\n    case {}: pass\n",
    "in a pattern": "match x:\n    case [A(b={}), *_]: pass\n",
    "as a guard": "match x:\n    case a if {}: pass\n",
    "as a subject": "match {}:\n    case 1: pass\n",
    "as a decorator": "@{}\ndef f(): pass\n",
    "as a default": "def f(a={}): pass\n",
    "as an annotation": "def f(a: {}) -> {}: pass\n",
    "as a type parameter": "def f[T: {}](): pass\n",
    "as a type alias": "type X[T] = {}\n",
    "as a subscript": "a[{}]\n",
    "as an argument": "f({}, a)\n",
    "as a named argument": "f(a={})\n",
    "as a base": "class A({}): pass\n",
    "as a context": "with {} as x: pass\n",
    "as contexts in parentheses": "with ({}, a as b): pass\n",
    "as a target": "{} = 1\n",
    "as a target of a loop": "for {} in a: pass\n",
    "in a loop": "for a in {}: pass\n",
    "as the target of an annotation": "{}: int = 1\n",
    "deleted": "del {}\n",
    "asserted": "assert {}, {}\n",
    "as the end of a lambda": "x = lambda a: {}\n",
    "as an exception": "try: pass\nexcept {} as e: pass\n",
    "in a condition": "if {}: pass\n",
    "in a comprehension": "x = [a for a in b if {}]\n",
    "over and over": "{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n",
    "before a wrong word": "x = ({} b c)\n",
    "before a wrong line": "x = {}\nb c\n",
    "in forty calls": "x = " + "f(a, b=" * 40 + "[{}]" + ")" * 40 + "\n",
    "in ten brackets": "x = [[[[[[[[[[{}]]]]]]]]]]\n",
    "as help": "class Command:\n    help = {}\n    @tracked_script\n    def handle(self): pass\n",
    "as a base of the command": "class Command({}):\n    @tracked_script\n    def handle(self): pass\n",
    "as a requirement": "class Command:\n    @tracked_script\n    @required_preceding_script({})\n    def handle(self): pass\n",
    "as an option": "class Command:\n    @tracked_script(tags={})\n    def handle(self): pass\n",
    "as a decorator of handle": "class Command:\n    @{}\n    @tracked_script\n    def handle(self): pass\n",
    "as the command": "Command = {}\n",
    "as handle": "class Command:\n    handle = tracked_script({})\n",
    "in handle": "class Command:\n    @tracked_script\n    def handle(self):\n        return {}\n",
    "around the marker": "x = tracked_script({})\n",
}
STATEMENT_CONTEXTS = {"": "{}\n", "in a function": "def f():\n    {}\n", "before a wrong line": "{}\nb c\n"}
PRELUDE = (
    "from scripts_tracker import required_preceding_script, tracked_script\n"
    "class Command:\n    @tracked_script\n    def handle(self): pass\n"
)


@dataclass(frozen=True)
class Recipe:
    """How to make one hostile source; the text is made when it is asked for, since all of them are many gigabytes."""

    family: str
    piece: str
    depth: int
    place: str = ""
    closed: bool = True

    def __str__(self) -> str:
        return f"{self.depth} {self.piece}{'' if self.closed else ', open'} {self.place}".strip()

    def text(self) -> str:
        """The source; empty where it would be too large to get as far as the limits."""
        if self.family == "block":
            return self._block()
        pieces = EXPRESSIONS if self.family == "expression" else STATEMENTS
        left, middle, right = pieces[self.piece]
        context = CONTEXTS[self.place] if self.family == "expression" else STATEMENT_CONTEXTS[self.place]
        if (len(left) + len(right)) * self.depth * context.count("{}") > MAX_BYTES:
            return ""
        text = left * self.depth + middle + right * (self.depth if self.closed else self.depth // 2)
        if "\n    {}" in context:
            text = text.replace("\n", "\n    ")
        return PRELUDE + context.format(*[text] * 10)

    def _block(self) -> str:
        step = int(self.place.removeprefix("by "))
        if self.depth**2 * step // 2 > MAX_BYTES:
            return ""
        margins = [" " * (step * level) for level in range(self.depth + 1)]
        lines = [margin + BLOCKS[self.piece].format(margin) for margin in margins[:-1]]
        return PRELUDE + "\n".join([*lines, margins[-1] + "pass\n"])


def recipes() -> list[Recipe]:
    """All of them."""
    found = [
        Recipe("expression", piece, depth, place, closed)
        for piece, depth, place in itertools.product(EXPRESSIONS, DEPTHS, CONTEXTS)
        for closed in ((True, False) if EXPRESSIONS[piece][2] else (True,))
    ]
    found += [
        Recipe("statement", *each) for each in itertools.product(STATEMENTS, DEPTHS, STATEMENT_CONTEXTS)
    ]
    found += [Recipe("block", *each) for each in itertools.product(BLOCKS, DEPTHS, ("by 1", "by 4"))]
    return found


def sample(count: int, *, seed: int) -> list[Recipe]:
    """That many of them, the same ones each time."""
    dice = random.Random(seed)  # noqa: S311 - a sample, not a secret
    return dice.sample(recipes(), count)
