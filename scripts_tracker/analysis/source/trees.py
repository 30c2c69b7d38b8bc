"""The nodes of a tree and their places, without libcst's visitors, which recurse and rebuild what they visit."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import fields
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import libcst as cst

from scripts_tracker.analysis.source import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scripts_tracker.core.values import Place

_LAYOUT: Final = frozenset(
    {"leading_lines", "lines_after_decorators", "header", "footer", "trailing_whitespace"}
    | {"comma", "semicolon", "dot", "equal", "colon", "operator"}
    | {"lpar", "rpar", "lbracket", "rbracket", "lbrace", "rbrace"}
)
_INSIDE: Final = frozenset(("", *" \t\r#)]}"))
"""How a line may begin that does not end a class at module level."""
_LINES: Final = frozenset({cst.SimpleStatementLine, cst.Decorator})
_LEAVES: Final = frozenset({str, bool, type(None), cst.MaybeSentinel})
_SUITES: Final = ("body", "orelse", "handlers", "finalbody", "cases", "decorators")
_ENTERED: Final = (cst.BaseSuite, cst.BaseStatement, cst.Else, cst.Finally)
# By class, as isinstance() is slow for nodes: they have ABCMeta.
_is_entered: dict[type, bool] = {}
_fields_of: dict[type[cst.CSTNode], tuple[str, ...]] = {}


def descendants(
    root: cst.CSTNode, enter: Callable[[cst.CSTNode], bool] = lambda _: True
) -> Iterator[cst.CSTNode]:
    """The node and all below it except layout, in no particular order.

    Args:
        root: where to start; always entered.
        enter: whether to continue below a node.
    """
    return _walk(root, enter, children)


def in_suites(
    root: cst.CSTNode, enter: Callable[[cst.CSTNode], bool] = lambda _: True
) -> Iterator[cst.CSTNode]:
    """The node, and the statements and decorators below it, likewise; expressions are not entered."""
    return _walk(root, enter, _suites)


def _walk(
    root: cst.CSTNode,
    enter: Callable[[cst.CSTNode], bool],
    below: Callable[[cst.CSTNode], Iterator[cst.CSTNode]],
) -> Iterator[cst.CSTNode]:
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        if node is root or enter(node):
            stack.extend(below(node))


def children(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The parts of a node except layout."""
    for name in _fields(type(node)):
        value = getattr(node, name)
        kind = type(value)
        if kind is list or kind is tuple:
            yield from value
        elif kind not in _LEAVES:
            yield value


def _suites(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    if type(node) in _LINES:
        return
    for name in _SUITES:
        value: Any = getattr(node, name, None)
        kind = type(value)
        if kind is list or kind is tuple:
            yield from value
            continue
        if kind not in _is_entered:
            _is_entered[kind] = isinstance(value, _ENTERED)
        if _is_entered[kind]:
            yield value


def called(expression: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """The expression and, if it is a call, what it calls: for ``a(1)(2)`` also ``a(1)`` and ``a``."""
    yield expression
    while isinstance(expression, cst.Call):
        expression = expression.func
        yield expression


def _fields(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    known = _fields_of.get(kind)
    if known is None:
        names = (field.name for field in fields(kind))
        known = tuple(name for name in names if name not in _LAYOUT and "whitespace" not in name)
        _fields_of[kind] = known
    return known


_INDENTATION: Final = " \t\f"
_SENTINEL: Final = "scripts_tracker_was_here"
MAX_GENERATIONS: Final = 20
"""How many nodes of one file are located exactly among equal ones; further ones get the first place that fits."""
MAX_GENERATED: Final = 150_000
"""How many characters may be generated for that: a generation costs as much as a parse."""
MAX_SEARCHED: Final = 30_000_000
"""How many characters may be searched; after that, a node gets the place of what is around it."""
MAX_WORDS: Final = 200
"""How much of a long node is searched for: patterns take long to compile."""


class Positions:
    """The places of nodes of one module.

    Args:
        module: its tree.
        text: what was parsed.
        whole: the text of the file, if that is more.
        left_out: line numbers of the text, each with how many lines of the file were left out before it.

    Attributes:
        is_exact: whether every place so far is certain; else it may be that of a node like the one asked for.
    """

    def __init__(
        self, module: cst.Module, text: str, whole: str = "", left_out: Sequence[tuple[int, int]] = ()
    ) -> None:
        self.is_exact = True
        self._module = module
        self._text = text
        self._whole = whole or text
        self._left_out = left_out
        self._offsets: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._generations = 0
        self._searched = 0

    def place(self, node: cst.CSTNode, within: cst.CSTNode | None = None) -> Place:
        """Where a node starts: 1-based line and column.

        Args:
            node: a class, function, decorator, argument, simple statement or expression of the module.
            within: a node around it that occurs fewer times in the text.
        """
        line, column = limits.place(self._text, self._offset(node, within))
        if self._left_out:
            index = bisect_right(self._left_out, line, key=itemgetter(0))
            line += self._left_out[index - 1][1] if index else 0
        return line, column

    def last_line(self, place: Place) -> int:
        """The last line of the class or function that starts at a place, by the indentation of what follows."""
        line, lines = place[0], self._lines
        header = lines[line - 1]
        margin = len(header) - len(header.lstrip(_INDENTATION))
        for number in range(line, len(lines)):
            text = lines[number]
            if not margin and text[:1] in _INSIDE:
                continue
            bare = text.lstrip(_INDENTATION)
            if bare.strip() and len(text) - len(bare) <= margin and bare[0] not in "#)]}":
                return number
        return len(lines)

    @cached_property
    def _lines(self) -> list[str]:
        return self._whole.split("\n")

    def _offset(self, node: cst.CSTNode, within: cst.CSTNode | None) -> int:
        known = self._offsets.get(id(node))
        if known is None:
            known = self._offsets[id(node)] = self._find(node, within)
        return known

    def _find(self, node: cst.CSTNode, within: cst.CSTNode | None) -> int:
        if type(node) is cst.FunctionDef and node.decorators:
            return self._offset(node.decorators[0], within)
        start, end = 0, len(self._text)
        if within is not None:
            start = self._offset(within, None)
            end = self._end(within, start)
        self._searched += end - start
        if self._searched > MAX_SEARCHED:
            self.is_exact = False
            return start
        code = self._code(node)
        if "\n" in code:
            candidates = [match.start() for match in _pattern(code).finditer(self._text, start, end)]
        else:
            candidates = list(_occurrences(code.strip(), self._text, start, end))
        if isinstance(node, cst.Decorator | cst.ClassDef | cst.FunctionDef):
            candidates = [offset for offset in candidates if self._starts_line(offset)]
        if len(candidates) == 1:
            return candidates[0]
        exact = self._generate(node)
        if exact is not None:
            return exact
        self.is_exact = False
        return next(iter(candidates), start)

    def _starts_line(self, offset: int) -> bool:
        line = self._text.rfind("\n", 0, offset) + 1
        return not self._text[line:offset].strip(_INDENTATION)

    def _end(self, node: cst.CSTNode, start: int) -> int:
        """Where a node that starts there ends; the end of the text where that is unknown."""
        known = self._ends.get(id(node))
        if known is None:
            code = self._code(node)
            if code and self._text.startswith(code, start):
                known = start + len(code)
            else:
                found = _pattern(code).match(self._text, start)
                # Of a long node the pattern is only the beginning.
                known = found.end() if found and len(found[0].split()) < MAX_WORDS else len(self._text)
            self._ends[id(node)] = known
        return known

    def _code(self, node: cst.CSTNode) -> str:
        if type(node) is cst.Name and not node.lpar:
            return node.value  # half of all nodes, in a tenth of the time
        code = self._module.code_for_node
        try:
            if type(node) is cst.ClassDef or type(node) is cst.FunctionDef:
                return _head(node)
            if type(node) is cst.Decorator:
                return f"@{node.whitespace_after_at.value}{self._code(node.decorator)}"
            if type(node) is cst.Arg:
                bare = node.with_changes(
                    comma=cst.MaybeSentinel.DEFAULT, whitespace_after_arg=cst.SimpleWhitespace("")
                )
                return code(bare)
            return code(node).rstrip("; \t")
        except RecursionError:
            return ""

    def _generate(self, node: cst.CSTNode) -> int | None:
        """The offset of a node, by replacing it with a name that occurs nowhere else; None where that fails."""
        self._generations += 1
        if self._generations > min(MAX_GENERATIONS, MAX_GENERATED // (len(self._text) + 1)):
            return None
        anchor, back = _anchor(node)
        sentinel = _SENTINEL
        while sentinel in self._text:
            sentinel += "_"
        try:
            name = cst.Name(sentinel)
            stand_in = cst.Expr(name) if isinstance(anchor, cst.BaseSmallStatement) else name
            changed = self._module.deep_replace(anchor, stand_in)
            code = changed.code if isinstance(changed, cst.Module) else ""
        except (RecursionError, cst.CSTValidationError, TypeError):
            # TypeError: no name can stand for a star import.
            return None
        offset = code.find(sentinel)
        if offset < 0 or code[:offset] != self._text[:offset]:
            return None
        return self._text.rfind(back, 0, offset) if back else offset


def _head(node: cst.ClassDef | cst.FunctionDef) -> str:
    if isinstance(node, cst.ClassDef):
        return f"class{node.whitespace_after_class.value}{node.name.value}"
    before = f"async{node.asynchronous.whitespace_after.value}" if node.asynchronous else ""
    return f"{before}def{node.whitespace_after_def.value}{node.name.value}"


def _pattern(code: str) -> re.Pattern[str]:
    words = code.split()
    if not words:
        return re.compile(r"(?!)")
    del words[MAX_WORDS:]
    before = r"(?<![\w.])" if words[0][0].isidentifier() else ""
    after = r"(?!\w)" if words[-1][-1].isidentifier() else ""
    # Continuation lines have an indentation that the code of the lone node lacks.
    return re.compile(before + r"\s+".join(map(re.escape, words)) + after)


def _occurrences(code: str, text: str, start: int, end: int) -> Iterator[int]:
    """Where a line of code occurs in a text, not as a part of longer names."""
    if not code:
        return
    offset = text.find(code, start, end)
    while offset >= 0:
        before, after = text[offset - 1 : offset], text[offset + len(code) : offset + len(code) + 1]
        part_before = code[0].isidentifier() and (_is_word(before) or before == ".")
        if not (part_before or (_is_word(code[-1]) and _is_word(after))):
            yield offset
        offset = text.find(code, offset + 1, end)


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _anchor(node: cst.CSTNode) -> tuple[cst.CSTNode, str]:  # noqa: PLR0911 - one return a kind of node
    """An expression of the node that a name can replace, and the text before it where the node starts."""
    if isinstance(node, cst.ClassDef):
        return node.name, "class"
    if isinstance(node, cst.FunctionDef):
        return node.name, "async" if node.asynchronous else "def"
    if isinstance(node, cst.Decorator):
        return node.decorator, "@"
    if isinstance(node, cst.Arg):
        return node.value, node.keyword.value if node.keyword else node.star
    if isinstance(node, cst.ImportFrom) and not isinstance(node.names, cst.ImportStar):
        return node.names[0].name, "from"
    if isinstance(node, cst.Import):
        return node.names[0].name, "import"
    if isinstance(node, cst.Assign):
        return node.targets[0].target, ""
    if isinstance(node, cst.AnnAssign):
        return node.target, ""
    return node, ""
