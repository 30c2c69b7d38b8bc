"""ST013."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.source.trees import descendants
from scripts_tracker.lint.base import TreeRule
from scripts_tracker.lint.file import opens_nothing
from scripts_tracker.lint.values import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.lint.file import Method, Tree


class DeferredHandle(TreeRule):
    """`handle()` is a coroutine function or a generator, so Django never runs its body.

    ## What it does
    Reports `async def handle()`, and a `handle()` with a `yield`. The same goes for `process()` and `finish()` of a
    BatchedCommand.

    ## Why is this bad?
    Django calls `handle()`, and neither awaits nor iterates over the result, so its body would never run. The tracker
    refuses to run such a script.

    ## Example
    ```python
    @tracked_script
    async def handle(self, *args, **options):
        await import_orders()
    ```

    ## Use instead
    ```python
    @tracked_script
    def handle(self, *args, **options):
        async_to_sync(import_orders)()
    ```
    `async_to_sync` comes from `asgiref.sync`. Move the part with the `yield` to another method, and loop over it.
    """

    code = codes.DEFERRED_HANDLE

    def check(self, tree: Tree) -> Iterator[Violation]:
        """Yield the methods that only return something to await or to iterate over."""
        if "async" not in tree.text and "yield" not in tree.text:
            return
        ends = ((one, True) for one in tree.batched_methods("finish")) if "finish" in tree.text else ()
        for method, batched in (*tree.runs, *ends):
            caller = "BatchedCommand" if batched else "Django"
            wrong = _wrong(method.node, caller) if _is_called_as_written(tree, method) else None
            if wrong is not None:
                yield Violation(tree.place(method.node), *wrong, method.where, batched=batched)


def _wrong(function: cst.FunctionDef, caller: str) -> tuple[str, str] | None:
    """What keeps the body of a function from being run by a call, and what to do about it."""
    name = function.name.value
    if any(isinstance(node, cst.Yield) for node in descendants(function.body, enter=opens_nothing)):
        message = f"{name}() has a yield, so {caller} does not run its body"
        return message, f"Move the part with the yield to another method, and loop over it in {name}()."
    if function.asynchronous:
        message = f"{name}() is async, but {caller} does not await it"
        return message, "Make it a plain def, and call async code with asgiref.sync.async_to_sync()."
    return None


def _is_called_as_written(tree: Tree, method: Method) -> bool:
    """Whether Django or the engine calls the method as it is written, without a decorator that makes another of it."""
    if not all(tree.our_name(one.decorator) for one in method.node.decorators):
        return False
    return method.is_first or bool(tree.decorators(method.node, "tracked_script"))
