"""Calls that are made only if an option says so, or only at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis.facts.scopes import dotted_name
from scripts_tracker.analysis.source.trees import children, descendants

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts_tracker.lint.file import Tree

_HANDLES: Final = frozenset({"handle", "handle_noargs"})
_OPTIONS: Final = frozenset({"options", "opts", "interactive", "noinput", "no_input"})
"""Names that are options wherever they come from."""
_IS_TERMINAL: Final = "isatty"
_LEAVES: Final = (cst.Return, cst.Raise, cst.Continue, cst.Break)
_MOST_ROUNDS: Final = 5
_Branch = tuple[cst.CSTNode, bool]


class Guards:
    """Which calls of a file stand behind options or a look for a terminal.

    A call is behind one if a condition around it, or a condition before it that leaves the block, reads an option,
    something made of one, or ``isatty()``. So is every call in a function that is only called from behind one.

    Args:
        tree: the file.
    """

    def __init__(self, tree: Tree) -> None:
        self._options = _option_names(tree.module)
        self._grow(tree.module)
        self._calls = list(self._walk(tree.module))
        self._behind = {id(call) for call, is_behind, _ in self._calls if is_behind}
        self._follow()

    def is_behind(self, call: cst.Call) -> bool:
        """Whether a call is made only behind an option or at a terminal."""
        return id(call) in self._behind

    def _grow(self, module: cst.Module) -> None:
        """Add the variables and attributes that are made of options."""
        assigned = [node for node in descendants(module) if isinstance(node, cst.Assign | cst.AnnAssign)]
        for _ in range(_MOST_ROUNDS):
            before = len(self._options)
            for node in assigned:
                if node.value is not None and self._reads_option(node.value):
                    targets = node.targets if isinstance(node, cst.Assign) else (node,)
                    self._options |= {dotted_name(one.target) for one in targets} - {""}
            if len(self._options) == before:
                return

    def _reads_option(self, test: cst.CSTNode) -> bool:
        return any(
            (isinstance(node, cst.Attribute) and node.attr.value == _IS_TERMINAL)
            or (isinstance(node, cst.Name | cst.Attribute) and dotted_name(node) in self._options)
            for node in descendants(test)
        )

    def _walk(self, module: cst.Module) -> Iterator[tuple[cst.Call, bool, str]]:
        """Every call, whether a condition guards it, and the function around it."""
        stack: list[tuple[cst.CSTNode, bool, str]] = [(module, False, "")]
        while stack:
            node, is_behind, function = stack.pop()
            if isinstance(node, cst.Call):
                yield node, is_behind, function
            if isinstance(node, cst.FunctionDef):
                function = node.name.value
            stack += [(each, behind, function) for each, behind in self._branches(node, is_behind=is_behind)]

    def _branches(self, node: cst.CSTNode, *, is_behind: bool) -> Iterator[_Branch]:
        """The parts of a node, each with whether it is guarded."""
        if isinstance(node, cst.IndentedBlock | cst.Module):
            yield from self._statements(node.body, is_behind=is_behind)
            return
        guards = isinstance(node, cst.If | cst.IfExp | cst.While) and self._reads_option(node.test)
        if isinstance(node, cst.BooleanOperation):
            guards = self._reads_option(node.left)
        for child in children(node):
            yield child, is_behind or guards

    def _statements(self, body: Sequence[cst.CSTNode], *, is_behind: bool) -> Iterator[_Branch]:
        for statement in body:
            yield statement, is_behind
            if (
                isinstance(statement, cst.If)
                and self._reads_option(statement.test)
                and _leaves(statement.body)
            ):
                is_behind = True

    def _follow(self) -> None:
        """Guard what is called in functions that are only called from behind a guard."""
        for _ in range(_MOST_ROUNDS):
            callers: dict[str, list[bool]] = {}
            for call, _, _ in self._calls:
                name = dotted_name(call.func)
                name = name.removeprefix("self.")
                if name and "." not in name:
                    callers.setdefault(name, []).append(id(call) in self._behind)
            reached = {name for name, behind in callers.items() if all(behind)} - _HANDLES
            more = {id(call) for call, _, function in self._calls if function in reached} - self._behind
            if not more:
                return
            self._behind |= more


def _option_names(module: cst.Module) -> set[str]:
    """The names of the options: the usual ones, the parameters of ``handle()``, and what takes the rest of them."""
    names = {*_OPTIONS, *(f"self.{name}" for name in _OPTIONS)}
    for node in descendants(module):
        if isinstance(node, cst.FunctionDef):
            if isinstance(node.params.star_kwarg, cst.Param):
                names.add(node.params.star_kwarg.name.value)
            if node.name.value in _HANDLES:
                own = [*node.params.params[1:], *node.params.kwonly_params]
                names |= {one.name.value for one in own} - {"args"}
    return names


def _leaves(suite: cst.BaseSuite) -> bool:
    """Whether a block ends by leaving the one around it."""
    last = suite.body[-1] if suite.body else None
    if isinstance(last, cst.SimpleStatementLine):
        last = last.body[-1]
    return isinstance(last, _LEAVES)
