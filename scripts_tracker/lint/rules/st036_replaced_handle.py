"""ST036."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.facts.scopes import dotted_name
from scripts_tracker.analysis.source.trees import descendants
from scripts_tracker.lint.base import TreeRule
from scripts_tracker.lint.classes import first_parameter
from scripts_tracker.lint.parsers import method_of
from scripts_tracker.lint.values import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.lint.file import Tree

_LEADS_TO: Final = {
    "handle": frozenset[str](),
    "execute": frozenset({"handle"}),
    "run_from_argv": frozenset({"handle", "execute", "call_command"}),
    "__init__": frozenset[str](),
}
"""The methods between the command line and the first batch, each with what it may call in place of its base class."""


class ReplacedHandle(TreeRule):
    """A batched script has a `handle()` of its own, so no batch is processed.

    ## What it does
    Reports `handle()`, `execute()`, `run_from_argv()` and `__init__()` of a BatchedCommand that do not call
    `super()`, whether a `def` makes them or an assignment (`handle = start`, a `lambda`, `partial()`). An `execute()` that
    calls `self.handle()` is fine, and so is a method that leaves the call to another function of the file. In a file
    without a `Command`, only classes that inherit from BatchedCommand themselves are checked.

    ## Why is this bad?
    `handle()` of BatchedCommand takes the batches from `batches()` and gives them to `process()`. In its place, the
    script ends without an error, has processed nothing, and is not recorded.

    ## Example
    ```python
    class Command(BatchedCommand):
        def handle(self, *args, **options):
            self.since = options["since"]

        @tracked_script
        def process(self, batch): ...
    ```

    ## Use instead
    ```python
    class Command(BatchedCommand):
        def handle(self, *args, **options):
            self.since = options["since"]
            super().handle(*args, **options)

        @tracked_script
        def process(self, batch): ...
    ```
    What only reads the options can do so in `process()`: they are in `self.batch_options`.
    """

    code = codes.REPLACED_HANDLE

    def check(self, tree: Tree) -> Iterator[Violation]:
        """Yield the methods that end the way to the first batch."""
        for name, others in _LEADS_TO.items():
            for method in tree.sure_batched_methods(name) if name in tree.text else ():
                if not _may_go_on(tree, method.node, others):
                    message = f"{name}() does not call super().{name}(), so no batch is processed"
                    hint = f"Call super().{name}(...) in it, or remove it."
                    yield Violation(tree.place(method.node), message, hint, method.where, batched=True)


def _may_go_on(tree: Tree, method: cst.FunctionDef, others: frozenset[str]) -> bool:
    """Whether a method calls that of a base class or one of some others, or a function of the file that may do so."""
    if tree.calls_super(method) or _calls(method, others):
        return True
    towards = {method.name.value, *others}
    todo, known = [method], {id(method)}
    while todo:
        for helper in _helpers(tree, todo.pop()):
            if id(helper) not in known:
                known.add(id(helper))
                todo.append(helper)
                if any(
                    isinstance(node, cst.Attribute) and node.attr.value in towards
                    for node in descendants(helper)
                ):
                    return True
    return False


def _helpers(tree: Tree, function: cst.FunctionDef) -> Iterator[cst.FunctionDef]:
    """The methods of the command and the functions of the file that a function names."""
    nodes = (node for node in descendants(function.body) if isinstance(node, cst.Name | cst.Attribute))
    for name in sorted({dotted_name(node) for node in nodes}):
        owner, _, method = name.rpartition(".")
        if owner == first_parameter(function):
            yield from (one.node for one in tree.batched_methods(method))
        elif not owner:
            bindings = tree.scope.names.get(name, ())
            yield from (one.node for one in bindings if isinstance(one.node, cst.FunctionDef))


def _calls(function: cst.FunctionDef, names: frozenset[str]) -> bool:
    """Whether a method calls one of some names."""
    calls = (node for node in descendants(function.body) if isinstance(node, cst.Call))
    return any(
        method_of(call) in names or (isinstance(call.func, cst.Name) and call.func.value in names)
        for call in calls
    )
