"""ST033."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.facts.values import BATCHES
from scripts_tracker.analysis.fingerprint.literals import string_value
from scripts_tracker.analysis.source.trees import descendants
from scripts_tracker.lint.base import TreeRule
from scripts_tracker.lint.batches import executed
from scripts_tracker.lint.parsers import keyword, method_of
from scripts_tracker.lint.values import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scripts_tracker.lint.file import Executed, Tree

_CONNECTIONS: Final = "django.db.connections"
_CHOOSING: Final = frozenset({"using", "db_manager"})
_READS: Final = frozenset(
    {"aggregate", "contains", "count", "dates", "datetimes", "earliest", "exists", "explain", "first", "get"}
    | {"in_bulk", "iterator", "last", "latest", "raw", "values", "values_list"}
)
"""What ends a chain that only reads."""
_DEFAULT: Final = "default"


class OtherDatabase(TreeRule):
    """`process()` works in another database than its batch.

    ## What it does
    Reports `.using("other")`, `connections["other"]` and `using="other"` in `process()` of a BatchedCommand, and in the
    methods and functions of the file that it calls, unless `batches()` uses the same database. Queries that only read,
    such as `.using("other").values_list(...)`, are fine, and so are names that are not literals. Nothing is reported
    if `batches()` is in another file.

    ## Why is this bad?
    Only the database of the rows takes part in the transaction of the batch. What is written elsewhere stays if the
    batch is rolled back, and is written again when it is retried.

    ## Example
    ```python
    def batches(self):
        return Order.objects.all()

    @tracked_script
    def process(self, batch):
        Archive.objects.using("archive").bulk_create(map(archived, batch))
    ```

    ## Use instead
    Make a repetition harmless, and hide the finding:
    ```python
    @tracked_script
    def process(self, batch):
        rows = map(archived, batch)
        Archive.objects.using("archive").bulk_create(rows, ignore_conflicts=True)  # noqa: ST033
    ```
    """

    code = codes.OTHER_DATABASE

    def check(self, tree: Tree) -> Iterator[Violation]:
        """Yield where another database is named."""
        text = tree.text
        if not tree.processes or not any(word in text for word in (*_CHOOSING, "connections")):
            return
        own = _databases_of_batches(tree)
        if own is None:
            return
        found = executed(tree)
        calls = {id(one.node): one.node for one in found if isinstance(one.node, cst.Call)}
        last = _last_methods(calls)
        for one in found:
            alias, node = _named(tree, one)
            if alias and alias not in own and last.get(id(one.node), "") not in _READS:
                message = f"process() works in the database {alias!r}, outside the transaction of the batch"
                hint = "Work in the database of the batch, or make sure that a repetition does no harm."
                yield Violation(tree.place(node, one.node), message, hint, one.where, batched=True)


def _databases_of_batches(tree: Tree) -> frozenset[str] | None:
    """The databases that ``batches()`` names; the default one where it names none; None where it is elsewhere."""
    methods = list(tree.batched_methods(BATCHES))
    if not methods:
        return None
    named = {
        _literal(_given(node))
        for method in methods
        for node in descendants(method.node.body)
        if isinstance(node, cst.Call) and method_of(node) in _CHOOSING
    }
    return frozenset(named or {_DEFAULT}) if "" not in named else None


def _given(call: cst.Call) -> cst.BaseExpression | None:
    """The database that a call chooses."""
    first = call.args[0] if call.args else None
    if method_of(call) in _CHOOSING and first is not None and first.keyword is None and not first.star:
        return first.value
    return keyword(call, "alias" if method_of(call) in _CHOOSING else "using")


def _literal(node: cst.BaseExpression | None) -> str:
    text = None if node is None else string_value(node)
    return text if isinstance(text, str) else ""


def _named(tree: Tree, one: Executed) -> tuple[str, cst.BaseExpression]:
    """The database that an expression names, and where; empty if it names none."""
    node = one.node
    if isinstance(node, cst.Call):
        given = _given(node)
        return _literal(given), given or node
    index = node.slice[0].slice if len(node.slice) == 1 else None
    if isinstance(index, cst.Index) and tree.origin(node.value, one.use) == _CONNECTIONS:
        return _literal(index.value), node
    return "", node


def _last_methods(calls: Mapping[int, cst.Call]) -> Mapping[int, str]:
    """The last method in the chain that each call stands in, by its id."""
    inner = {id(call.func.value) for call in calls.values() if isinstance(call.func, cst.Attribute)}
    found: dict[int, str] = {}
    for call in calls.values():
        if id(call) in inner:
            continue
        node: cst.BaseExpression = call
        while isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
            found[id(node)] = method_of(call)
            node = node.func.value
    return found
