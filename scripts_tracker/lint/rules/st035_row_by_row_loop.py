"""ST035."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.facts.scopes import dotted_name, statements
from scripts_tracker.analysis.facts.values import TRACKED
from scripts_tracker.analysis.source.trees import descendants
from scripts_tracker.lint.base import TreeRule
from scripts_tracker.lint.file import HANDLE, opens_nothing
from scripts_tracker.lint.parsers import method_of
from scripts_tracker.lint.values import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.lint.file import Method, Tree

_SAVE: Final = "save"
_MANY: Final = frozenset({"all", "filter", "exclude", "iterator"})
"""The methods of a manager or queryset that give any number of rows."""
_FEW: Final = frozenset({"values", "values_list", "in_bulk", "aggregate", "count", "dates", "datetimes"})
"""Those that give something else than rows to save."""


class RowByRowLoop(TreeRule):
    """A script loops over a table and saves row by row.

    ## What it does
    Reports a `for` over `.all()`, `.filter()`, `.exclude()` or `.iterator()` that calls `save()` of each row, in the
    tracked `handle()` and the methods that it calls. A slice is skipped. This is a hint for large tables: it is reported
    only if its code or name is selected, such as by `extend_select = ["row-by-row-loop"]`.

    ## Why is this bad?
    With many rows it takes hours in one process. If it is interrupted, it begins again with the first row; with
    `atomic=True` its rows are locked until the end.

    ## Example
    ```python
    class Command(BaseCommand):
        @tracked_script
        def handle(self, *args, **options):
            for order in Order.objects.filter(total=None).iterator():
                order.total = order.cents / 100
                order.save()
    ```

    ## Use instead
    ```python
    class Command(BatchedCommand):
        def batches(self):
            return Order.objects.filter(total=None)

        @tracked_script
        def process(self, batch):
            batch.update(total=F("cents") / 100)
    ```
    """

    code = codes.ROW_BY_ROW_LOOP

    def check(self, tree: Tree) -> Iterator[Violation]:
        """Yield the loops that save each row."""
        if f".{_SAVE}" not in tree.text:
            return
        for method in _methods(tree):
            for loop, _path in statements(method.node.body.body):
                if isinstance(loop, cst.For) and _is_over_rows(loop, method) and _saves(tree, loop):
                    message = "this loop saves a table row by row, in one go"
                    hint = "Consider scripts_tracker.batches.BatchedCommand, which goes on where it was interrupted."
                    yield Violation(tree.place(loop.iter, loop), message, hint, method.where, batched=False)


def _methods(tree: Tree) -> Iterator[Method]:
    """The tracked ``handle()``, and the methods that it calls."""
    todo = [one for one in tree.methods(HANDLE) if tree.decorators(one.node, TRACKED)]
    known: set[int] = set()
    while todo:
        method = todo.pop()
        if id(method.node) not in known:
            known.add(id(method.node))
            yield method
            todo += [one for name in sorted(_called(method.node)) for one in tree.methods(name)]


def _called(function: cst.FunctionDef) -> set[str]:
    """The methods of the command that a function calls."""
    calls = (node for node in descendants(function.body) if isinstance(node, cst.Call))
    names = (dotted_name(call.func) for call in calls)
    return {name.removeprefix("self.") for name in names if name.startswith("self.") and name.count(".") == 1}


def _is_over_rows(loop: cst.For, method: Method) -> bool:
    """Whether a loop goes over the rows of a queryset."""
    expression = loop.iter
    if isinstance(expression, cst.Name):
        bound = [
            node.value
            for node, _path in statements(method.node.body.body)
            if isinstance(node, cst.Assign)
            and any(dotted_name(one.target) == expression.value for one in node.targets)
        ]
        expression = bound[0] if len(bound) == 1 else expression
    names = set()
    while isinstance(expression, cst.Call) and isinstance(expression.func, cst.Attribute):
        names.add(expression.func.attr.value)
        expression = expression.func.value
    return not names.isdisjoint(_MANY) and names.isdisjoint(_FEW) and bool(dotted_name(expression))


def _saves(tree: Tree, loop: cst.For) -> bool:
    """Whether a loop saves what it goes over, itself or in a method that it passes that to."""
    row = dotted_name(loop.target)
    if not row:
        return False
    for node in descendants(loop.body, enter=opens_nothing):
        if isinstance(node, cst.Call):
            if method_of(node) == _SAVE and dotted_name(node.func) == f"{row}.{_SAVE}":
                return True
            for number, arg in enumerate(node.args):
                if dotted_name(arg.value) == row and _saves_argument(tree, node, number):
                    return True
    return False


def _saves_argument(tree: Tree, call: cst.Call, number: int) -> bool:
    """Whether a method of the command saves what a call passes to it."""
    owner, _, name = dotted_name(call.func).rpartition(".")
    method = next(tree.methods(name), None) if owner == "self" else None
    params = method.node.params.params if method is not None else ()
    if method is None or number + 1 >= len(params):
        return False
    saved = f"{params[number + 1].name.value}.{_SAVE}"
    return any(
        isinstance(node, cst.Call) and dotted_name(node.func) == saved
        for node in descendants(method.node.body, enter=opens_nothing)
    )
