"""ST036."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.source.trees import descendants
from scripts_tracker.lint.base import TreeRule
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
    `super()`. An `execute()` that calls `self.handle()` is fine. In a file without a `Command`, only classes that
    inherit from BatchedCommand themselves are checked.

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
            for method in tree.sure_batched_methods(name) if f"def {name}" in tree.text else ():
                if not tree.calls_super(method.node) and not _calls(method.node, others):
                    message = f"{name}() does not call super().{name}(), so no batch is processed"
                    hint = f"Call super().{name}(...) in it, or remove it."
                    yield Violation(tree.place(method.node), message, hint, method.where, batched=True)


def _calls(function: cst.FunctionDef, names: frozenset[str]) -> bool:
    """Whether a method calls one of some names."""
    calls = (node for node in descendants(function.body) if isinstance(node, cst.Call))
    return any(
        method_of(call) in names or (isinstance(call.func, cst.Name) and call.func.value in names)
        for call in calls
    )
