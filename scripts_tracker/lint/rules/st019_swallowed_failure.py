"""ST019."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.linking.resolving import TRACKED
from scripts_tracker.lint import swallowing
from scripts_tracker.lint.base import Hit, TreeRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.lint.file import Tree

# What runs before handle() or around it is not recorded.
_OUTSIDE: Final = frozenset({"", "execute", "run_from_argv"})


class SwallowedFailure(TreeRule):
    """A failure of the script is taken for a success.

    ## What it does
    Looks for `except Exception` around the whole of `handle()` with nothing behind it but words, for `sys.exit(0)`
    and the like in the methods of the command, and for `os._exit()`. A `try` for each item of a loop is fine, and so
    is one around a part of the work.

    ## Why is this bad?
    A script that ends without an exception, or with code 0, is recorded as applied: nobody hears of the failure, and
    the script never runs again. `os._exit()` ends the process before anything is recorded.

    ## Example
    ```python
    @tracked_script
    def handle(self, *args, **options):
        try:
            self.recompute_totals()
        except Exception as error:
            self.stderr.write(str(error))
    ```

    ## Use instead
    ```python
    @tracked_script
    def handle(self, *args, **options):
        try:
            self.recompute_totals()
        except Exception as error:
            raise CommandError(f"the totals are as they were: {error}") from error
    ```
    """

    code = codes.SWALLOWED_FAILURE

    def check(self, tree: Tree) -> Iterator[Hit]:
        """What hides a failure, and what looks like a success."""
        yield from self._swallowed(tree)
        if "exit" in tree.text.lower():
            yield from self._exits(tree)

    def _swallowed(self, tree: Tree) -> Iterator[Hit]:
        for method in tree.methods("handle"):
            if tree.decorators(method.node, TRACKED):
                for node in swallowing.swallows(tree, method):
                    message = "a failure ends here, so the script is recorded as applied whatever happens"
                    hint = "Raise CommandError, or let the exception pass."
                    yield Hit(tree.place(node), message, hint, method.where)

    def _exits(self, tree: Tree) -> Iterator[Hit]:
        owners = {one.name for lineage in tree.lineages for one in lineage.classes}
        for node, name, use in swallowing.exits(tree):
            if name == "os._exit":
                message = "os._exit() ends the process before anything is recorded"
                yield Hit(tree.place(node), message, "Raise CommandError, or return.", use.where)
            elif (
                use.where
                and use.where.owner in owners
                and use.where.method not in _OUTSIDE
                # What is defined within may run at a signal, or never.
                and len(use.inside) == 1
            ):
                message = f"{name}() without an error code ends the script as if all were done"
                hint = "Use return where all is done, and raise CommandError where it is not."
                yield Hit(tree.place(node), message, hint, use.where)
