"""ST013."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import TreeRule
from scripts_tracker.lint.values import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.lint.file import Method, Tree


class AsyncHandle(TreeRule):
    """`handle()` is a coroutine function, which Django never awaits.

    ## What it does
    Reports `async def handle()`.

    ## Why is this bad?
    Django calls `handle()` and does not await the result, so its body would never run. The tracker refuses to run
    such a script.

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
    `async_to_sync` comes from `asgiref.sync`.
    """

    code = codes.ASYNC_HANDLE

    def check(self, tree: Tree) -> Iterator[Violation]:
        """Yield the methods that are coroutine functions."""
        if "async" not in tree.text:
            return
        for method in tree.methods("handle"):
            if method.node.asynchronous and _is_unawaited(tree, method):
                yield Violation(
                    tree.place(method.node),
                    "handle() is async, but Django does not await it",
                    "Make it a plain def, and call async code with asgiref.sync.async_to_sync().",
                    method.where,
                )


def _is_unawaited(tree: Tree, method: Method) -> bool:
    decorators = method.node.decorators
    if not all(tree.our_name(one.decorator) for one in decorators):
        return False
    return method.is_first or bool(tree.decorators(method.node, "tracked_script"))
