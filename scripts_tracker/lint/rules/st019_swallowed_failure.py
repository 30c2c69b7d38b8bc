"""ST019."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.facts.scopes import statements
from scripts_tracker.analysis.linking.resolving import TRACKED
from scripts_tracker.analysis.source.trees import descendants
from scripts_tracker.lint.base import Hit, TreeRule
from scripts_tracker.lint.file import Use

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.lint.file import Method, Tree

# What runs before handle() or around it is not recorded.
_OUTSIDE: Final = frozenset({"", "execute", "run_from_argv"})
_ALL: Final = frozenset({"builtins.Exception", "builtins.BaseException"})
_SUPPRESS: Final = "contextlib.suppress"
_LEAVE: Final = frozenset({"sys.exit", "builtins.exit", "builtins.quit", "builtins.SystemExit"})
_NOW: Final = "os._exit"
_TELLING: Final = frozenset(
    {"debug", "info", "warning", "warn", "error", "exception", "critical", "log", "write"}
    | {"print", "print_exc", "print_exception", "pprint", "secho", "echo", "capture_exception"}
    | {"rollback", "set_rollback"}
)
"""The last names of what only says something, or takes back what was done."""
_WORDING: Final = frozenset({"str", "repr", "format", "format_exc", "get"})
_LEADING_UP: Final = (cst.Import, cst.ImportFrom, cst.Assign, cst.AnnAssign)


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
                for node in _swallowing(tree, method):
                    message = "a failure ends here, so the script is recorded as applied whatever happens"
                    hint = "Raise CommandError, or let the exception pass."
                    yield Hit(tree.place(node), message, hint, method.where)

    def _exits(self, tree: Tree) -> Iterator[Hit]:
        owners = {one.name for lineage in tree.lineages for one in lineage.classes}
        for node, name, use in _exits(tree):
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


def _exits(tree: Tree) -> Iterator[tuple[cst.BaseExpression, str, Use]]:
    """What ends the process with code 0, or at once; with its name."""
    forks = "fork" in tree.text
    for use in tree.uses:
        node = use.node.exc if isinstance(use.node, cst.Raise) else use.node
        if isinstance(node, cst.Name) and isinstance(use.node, cst.Raise):
            if tree.origin(node, use) == "builtins.SystemExit":
                yield node, "SystemExit", use
        elif isinstance(node, cst.Call) and node is use.node:
            name = tree.origin(node.func, use)
            if (name == _NOW and not forks) or (name in _LEAVE and _is_zero(node)):
                yield node, name.removeprefix("builtins."), use


def _is_zero(call: cst.Call) -> bool:
    given = [arg.value for arg in call.args if not arg.star]
    if len(given) != len(call.args) or len(given) > 1:
        return False
    code = given[0] if given else cst.Name("None")
    return (isinstance(code, cst.Integer) and code.value == "0") or (
        isinstance(code, cst.Name) and code.value in {"None", "False"}
    )


def _swallowing(tree: Tree, method: Method) -> Iterator[cst.ExceptHandler | cst.BaseExpression]:
    """What catches everything that is raised in the whole of a method, and drops it."""
    use = Use(cst.Call(cst.Name("_")), (method.node,), method.where)
    whole = _whole(method.node.body)
    while isinstance(whole, cst.With):
        suppressing = [one.item for one in whole.items if _suppresses(tree, one.item, use)]
        if suppressing:
            yield suppressing[0]
            return
        whole = _whole(whole.body)
    if isinstance(whole, cst.Try):
        # What is noted may tell `finally` of the failure.
        notes = whole.finalbody is None
        for handler in whole.handlers:
            if _catches_all(tree, handler.type, use) and _is_dropped(handler.body, notes=notes):
                yield handler


def _whole(suite: cst.BaseSuite) -> cst.CSTNode | None:
    """The one compound statement that a suite is made of, but for what leads up to it and says how it went."""
    found: cst.CSTNode | None = None
    for line in suite.body:
        for node in line.body if isinstance(line, cst.SimpleStatementLine) else (line,):
            if not isinstance(node, cst.BaseSmallStatement):
                if found is not None:
                    return None
                found = node
            elif not (_is_quiet(node) or (found is None and isinstance(node, _LEADING_UP))):
                return None
    return found


def _suppresses(tree: Tree, expression: cst.BaseExpression, use: Use) -> bool:
    if not isinstance(expression, cst.Call) or tree.origin(expression.func, use) != _SUPPRESS:
        return False
    return any(_catches_all(tree, arg.value, use) for arg in expression.args if not arg.star)


def _catches_all(tree: Tree, caught: cst.BaseExpression | None, use: Use) -> bool:
    if isinstance(caught, cst.Tuple):
        return any(tree.origin(one.value, use) in _ALL for one in caught.elements)
    return caught is None or tree.origin(caught, use) in _ALL


def _is_dropped(suite: cst.BaseSuite, *, notes: bool) -> bool:
    return all(isinstance(node, cst.If) or _is_quiet(node, notes=notes) for node, _ in statements(suite.body))


def _is_quiet(node: cst.CSTNode, *, notes: bool = True) -> bool:
    """Whether a statement does nothing but say something, leave, or note something in a variable."""
    if isinstance(node, cst.Assign):
        return (
            notes and not _works(node.value) and all(isinstance(one.target, cst.Name) for one in node.targets)
        )
    return isinstance(node, cst.Pass) or (
        isinstance(node, cst.Expr | cst.Return) and not (node.value and _works(node.value))
    )


def _works(expression: cst.BaseExpression) -> bool:
    """Whether anything is called in an expression but what only says or words something."""
    return _is_no_talk(expression) and any(
        _is_no_talk(node) and _called_name(node) not in _WORDING
        for node in descendants(expression, enter=_is_no_talk)
        if isinstance(node, cst.Call | cst.Await | cst.Yield)
    )


def _is_no_talk(node: cst.CSTNode) -> bool:
    return _called_name(node) not in _TELLING


def _called_name(node: cst.CSTNode) -> str:
    """The last name of what a call calls; empty for anything else."""
    function = node.func if isinstance(node, cst.Call) else None
    if isinstance(function, cst.Attribute):
        return function.attr.value
    return function.value if isinstance(function, cst.Name) else ""
