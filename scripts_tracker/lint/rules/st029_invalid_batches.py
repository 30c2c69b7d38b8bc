"""ST029."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.facts.scopes import dotted_name, statements
from scripts_tracker.analysis.facts.values import BATCHES
from scripts_tracker.analysis.source.trees import descendants
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.lint.base import TreeRule
from scripts_tracker.lint.classes import is_super
from scripts_tracker.lint.file import opens_nothing
from scripts_tracker.lint.parsers import method_of
from scripts_tracker.lint.values import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.lint.file import Tree
    from scripts_tracker.lint.values import Where

_ORDERS: Final = frozenset({"order_by", "reverse"})
_PROBLEMS: Final = {
    "order_by": ("is ordered", "Remove order_by(): batches are ranges of keys."),
    "reverse": ("is ordered", "Remove reverse(): batches are ranges of keys."),
    "distinct": ("is distinct", "Filter with Exists() or pk__in instead of a join, and remove distinct()."),
    "values": ("has no model instances", "Remove values(), and call it on the batch in process()."),
    "values_list": ("has no model instances", "Remove values_list(), and call it on the batch in process()."),
    **dict.fromkeys(
        ("union", "intersection", "difference"),
        ("is combined from several", "Write the conditions with Q() in one filter()."),
    ),
    **{
        name: ("is no queryset", f"Return the queryset without {name}().")
        for name in (
            *(
                "aggregate",
                "bulk_create",
                "count",
                "dates",
                "datetimes",
                "earliest",
                "exists",
                "first",
                "get",
            ),
            *("in_bulk", "iterator", "last", "latest", "raw", "update", "delete"),
        )
    },
}
"""What is wrong with what a method of a queryset returns, and what to do about it."""
_SLICED: Final = ("is sliced", "Remove the slice: the size of a batch is batch_size.")
_LIST: Final = ("is no queryset", "Return the queryset itself: it is cut into batches later.")
_LISTS: Final = frozenset(
    {"list", "tuple", "set", "sorted", "iter", "enumerate", "map", "filter", "reversed"}
)
_DISPLAYS: Final = (cst.List, cst.Tuple, cst.Set, cst.Dict, cst.ListComp, cst.GeneratorExp, cst.SetComp)


class _Step(NamedTuple):
    """An expression that becomes what ``batches()`` returns.

    Attributes:
        node: the expression.
        function: the function that it stands in.
        where: the method of the command.
        is_reordered: whether a later ``order_by()`` drops its order.
    """

    node: cst.BaseExpression
    function: cst.FunctionDef
    where: Where
    is_reordered: bool = False


class InvalidBatches(TreeRule):
    """`batches()` returns something else than a plain queryset.

    ## What it does
    Follows what `batches()` of a BatchedCommand returns, through local variables, conditions and other methods and
    functions of the file. Reports slices, `order_by()`, `reverse()`, `distinct()`, `values()`, `values_list()`,
    `union()` and the like, lists, and a `batches()` with a `yield`. `order_by()` without arguments is fine.

    ## Why is this bad?
    The key space of the table is cut into ranges, and each batch is the queryset with a condition on the key. A slice, a
    union, a list and `values()` cannot be cut so: the script fails when it starts. An order has no effect on the order of
    the batches, and Django refuses to delete, and partly to update, what is distinct.

    ## Example
    ```python
    def batches(self):
        return Order.objects.filter(total=None).order_by("created_at")[:100_000]
    ```

    ## Use instead
    ```python
    def batches(self):
        return Order.objects.filter(total=None)
    ```
    """

    code = codes.INVALID_BATCHES

    def check(self, tree: Tree) -> Iterator[Violation]:
        """Yield what makes the queryset unusable."""
        if BATCHES not in tree.text:
            return
        seen: set[int] = set()
        for method in tree.batched_methods(BATCHES):
            yields = (
                node
                for node in descendants(method.node.body, enter=opens_nothing)
                if isinstance(node, cst.Yield)
            )
            if next(yields, None) is not None:
                message, hint = "batches() has a yield, so what it returns is no queryset", _LIST[1]
                yield Violation(tree.place(method.node), message, hint, method.where, batched=True)
                continue
            todo = list(_returned(method.node, method.where))
            while todo:
                step = todo.pop()
                if id(step.node) not in seen:
                    seen.add(id(step.node))
                    yield from _wrong(tree, step)
                    todo += _next(tree, step)


def _returned(function: cst.FunctionDef, where: Where, *, is_reordered: bool = False) -> Iterator[_Step]:
    for node, _path in statements(function.body.body):
        if isinstance(node, cst.Return) and node.value is not None:
            yield _Step(node.value, function, where, is_reordered)


def _wrong(tree: Tree, step: _Step) -> Iterator[Violation]:
    """What the outermost operation of an expression does to the queryset."""
    node, problem, at = step.node, None, step.node
    if isinstance(node, cst.Subscript):
        problem = _SLICED if isinstance(node.slice[0].slice, cst.Slice) else None
    elif isinstance(node, _DISPLAYS):
        problem = _LIST
    elif isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
        at = node.func.attr
        if not _is_helper(node) and not (node.func.attr.value in _ORDERS and _is_dropped(step)):
            problem = _PROBLEMS.get(node.func.attr.value)
    elif isinstance(node, cst.Call) and dotted_name(node.func) in _LISTS - {*tree.scope.names}:
        problem = _LIST
    if problem is not None:
        what, hint = problem
        message = (
            f"the queryset of batches() {what}" if problem is not _LIST else f"what batches() returns {what}"
        )
        yield Violation(tree.place(at, node), message, hint, step.where, batched=True)


def _is_dropped(step: _Step) -> bool:
    """Whether an order does not matter: another one replaces it, or there is none."""
    node = step.node
    return step.is_reordered or (
        isinstance(node, cst.Call) and method_of(node) == "order_by" and not node.args
    )


def _is_helper(call: cst.Call) -> bool:
    """Whether a call is that of another method of the command."""
    return isinstance(call.func, cst.Attribute) and (
        dotted_name(call.func.value) in {"self", "cls"} or is_super(call.func)
    )


def _next(tree: Tree, step: _Step) -> Iterator[_Step]:
    """What an expression is made of in turn."""
    node = step.node
    if isinstance(node, cst.IfExp):
        yield from (step._replace(node=one) for one in (node.body, node.orelse))
    elif isinstance(node, cst.BooleanOperation | cst.BinaryOperation):
        yield from (step._replace(node=one) for one in (node.left, node.right))
    elif isinstance(node, cst.Subscript | cst.NamedExpr):
        yield step._replace(node=node.value)
    elif isinstance(node, cst.Name):
        yield from _assigned(step, node.value)
    elif isinstance(node, cst.Call) and (_is_helper(node) or isinstance(node.func, cst.Name)):
        yield from _called(tree, step, node)
    elif isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
        is_reordered = step.is_reordered or method_of(node) == "order_by"
        yield step._replace(node=node.func.value, is_reordered=is_reordered)


def _assigned(step: _Step, name: str) -> Iterator[_Step]:
    """What is assigned to a local variable; the order of the assignments does not matter here."""
    for node, _path in statements(step.function.body.body):
        targets = [one.target for one in node.targets] if isinstance(node, cst.Assign) else []
        if isinstance(node, cst.AnnAssign):
            targets = [node.target]
        if any(dotted_name(one) == name for one in targets):
            value = node.value if isinstance(node, cst.Assign | cst.AnnAssign) else None
            if value is not None:
                yield step._replace(node=value)


def _called(tree: Tree, step: _Step, call: cst.Call) -> Iterator[_Step]:
    """What a method of the command, or a function of the file, returns."""
    if isinstance(call.func, cst.Attribute):
        name = method_of(call)
        methods = [one for one in tree.batched_methods(name) if one.node is not step.function]
        if not is_super(call.func):
            methods = methods[:1]
        for method in methods:
            yield from _returned(method.node, method.where, is_reordered=step.is_reordered)
        return
    bindings = tree.scope.names.get(dotted_name(call.func), ())
    for binding in bindings:
        if isinstance(binding.node, cst.FunctionDef):
            yield from _returned(binding.node, step.where, is_reordered=step.is_reordered)
