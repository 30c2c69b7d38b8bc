"""Line and column of the few nodes that are asked for: found in the text, which costs next to nothing.

libcst's own position metadata cost more than the parse. A node's code stands in the text as it is, so where it is
found once, there it is; only what stands there several times is told apart by exchanging the node and generating.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Final

import libcst as cst

if TYPE_CHECKING:
    from scripts_tracker.analysis.values import Place

_NEWLINE = re.compile(r"\r\n|\r|\n")
_INDENTATION: Final = " \t\f"
_SENTINEL: Final = "scripts_tracker_was_here"
MAX_GENERATIONS: Final = 20
"""So many nodes of one file are told apart exactly; a file that needs more gets the first place that fits."""


class Positions:
    """The places of nodes of one module."""

    def __init__(self, module: cst.Module, text: str) -> None:
        self._module = module
        self._text = text
        self._lines = [0, *(match.end() for match in _NEWLINE.finditer(text))]
        self._offsets: dict[int, int] = {}
        self._generations = 0

    def place(self, node: cst.CSTNode, within: cst.CSTNode | None = None) -> Place:
        """Where a node starts: 1-based line and column.

        Args:
            node: a class, function, decorator, argument, simple statement or expression of the module.
            within: a node around it that stands in the text fewer times.
        """
        return self._place_at(self._offset(node, within))

    def _place_at(self, offset: int) -> Place:
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1

    def _offset(self, node: cst.CSTNode, within: cst.CSTNode | None) -> int:
        known = self._offsets.get(id(node))
        if known is None:
            known = self._offsets[id(node)] = self._find(node, within)
        return known

    def _find(self, node: cst.CSTNode, within: cst.CSTNode | None) -> int:
        pattern = self._pattern(node)
        start, end = 0, len(self._text)
        if within is not None:
            start = self._offset(within, None)
            around = self._pattern(within).match(self._text, start)
            end = around.end() if around else end
        candidates = [match.start() for match in pattern.finditer(self._text, start, end)]
        if isinstance(node, cst.Decorator | cst.ClassDef):
            candidates = [offset for offset in candidates if self._starts_line(offset)]
        if len(candidates) == 1:
            return candidates[0]
        exact = self._generate(node)
        if exact is not None:
            return exact
        return candidates[0] if candidates else start

    def _starts_line(self, offset: int) -> bool:
        line = self._lines[bisect_right(self._lines, offset) - 1]
        return not self._text[line:offset].strip(_INDENTATION)

    def _pattern(self, node: cst.CSTNode) -> re.Pattern[str]:
        words = self._code(node).split()
        if not words:
            return re.compile(r"(?!)")
        before = r"(?<![\w.])" if words[0][0].isidentifier() else ""
        after = r"(?!\w)" if words[-1][-1].isidentifier() else ""
        # Continuation lines carry an indentation that the code of the lone node lacks.
        return re.compile(before + r"\s+".join(map(re.escape, words)) + after)

    def _code(self, node: cst.CSTNode) -> str:
        code = self._module.code_for_node
        try:
            if isinstance(node, cst.ClassDef):
                return f"class{code(node.whitespace_after_class)}{node.name.value}"
            if isinstance(node, cst.Decorator):
                return f"@{code(node.whitespace_after_at)}{code(node.decorator)}"
            if isinstance(node, cst.Arg):
                bare = node.with_changes(
                    comma=cst.MaybeSentinel.DEFAULT, whitespace_after_arg=cst.SimpleWhitespace("")
                )
                return code(bare)
            return code(node).rstrip("; \t")
        except RecursionError:
            return ""

    def _generate(self, node: cst.CSTNode) -> int | None:
        """The offset of a node, by exchanging it for a name that stands nowhere else; None where that fails."""
        self._generations += 1
        if self._generations > MAX_GENERATIONS:
            return None
        anchor, back = _anchor(node)
        sentinel = _SENTINEL
        while sentinel in self._text:
            sentinel += "_"
        try:
            changed = self._module.deep_replace(anchor, cst.Name(sentinel))
            code = changed.code if isinstance(changed, cst.Module) else ""
        except (RecursionError, cst.CSTValidationError):
            return None
        offset = code.find(sentinel)
        if offset < 0 or code[:offset] != self._text[:offset]:
            return None
        return self._text.rfind(back, 0, offset) if back else offset


def _anchor(node: cst.CSTNode) -> tuple[cst.CSTNode, str]:  # noqa: PLR0911 - one return a kind of node
    """An expression of the node that a name can take the place of, and the text before it where the node starts."""
    if isinstance(node, cst.ClassDef):
        return node.name, "class"
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
