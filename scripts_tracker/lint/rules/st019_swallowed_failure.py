"""ST019."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.facts.scopes import dotted_name, statements
from scripts_tracker.analysis.facts.values import TRACKED
from scripts_tracker.analysis.source.trees import descendants
from scripts_tracker.lint.base import TreeRule
from scripts_tracker.lint.batches import executed
from scripts_tracker.lint.file import Use, opens_nothing
from scripts_tracker.lint.values import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.lint.file import Method, Tree

# These methods run before or around handle(): their exit code is not recorded.
_OUTSIDE: Final = frozenset({"", "execute", "run_from_argv"})
_EVERYTHING: Final = frozenset({"builtins.Exception", "builtins.BaseException"})
_SUPPRESS: Final = "contextlib.suppress"
_EXITS: Final = frozenset({"sys.exit", "builtins.exit", "builtins.quit", "builtins.SystemExit"})
_EXIT_NOW: Final = "os._exit"
_LOGGING: Final = frozenset(
    {"debug", "info", "warning", "warn", "error", "exception", "critical", "log", "write"}
    | {"print", "print_exc", "print_exception", "pprint", "secho", "echo", "capture_exception"}
    | {"rollback", "set_rollback"}
)
"""The last names of calls that only log or print, or roll back."""
_FORMATTING: Final = frozenset({"str", "repr", "format", "format_exc", "get"})
_PREPARING: Final = (cst.Import, cst.ImportFrom, cst.Assign, cst.AnnAssign)


class SwallowedFailure(TreeRule):
    """A failure of the script is recorded as success.

    ## What it does
    Reports `except Exception` around the whole of `handle()`, or of the one method that it calls, if the handler does
    nothing but log or print; a `return` in `finally`, which drops every exception; an error that is written to stderr
    before a `return`; `sys.exit(0)` and similar calls in the methods of the command, and `os._exit()`. A `try` around
    each item of a loop is fine, and so is one around a part of the work. `process()` of a BatchedCommand is treated as
    `handle()` is.

    ## Why is this bad?
    A script that ends without an exception, or with exit code 0, is recorded as applied: the failure goes
    unnoticed, and the script never runs again. `os._exit()` ends the process before anything is recorded.

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
            raise CommandError(f"the totals are unchanged: {error}") from error
    ```
    """

    code = codes.SWALLOWED_FAILURE

    def check(self, tree: Tree) -> Iterator[Violation]:
        """Yield what hides a failure, and what looks like success."""
        yield from self._swallowed(tree)
        if "exit" in tree.text.lower():
            yield from self._successful_exits(tree)

    def _swallowed(self, tree: Tree) -> Iterator[Violation]:
        for method, batched in _tracked_methods(tree):
            for node in _swallowing(tree, method):
                message = "this swallows every exception, so a failure is recorded as success"
                hint = "Raise CommandError, or do not catch the exception."
                yield Violation(tree.place(node), message, hint, method.where, batched=batched)
            for statement, message, hint in _false_returns(method.node):
                yield Violation(tree.place(statement), message, hint, method.where, batched=batched)

    def _successful_exits(self, tree: Tree) -> Iterator[Violation]:
        owners = {one.name for lineage in tree.lineages for one in lineage.classes}
        in_batches = {id(call) for call, _, _ in executed(tree)}
        for node, name, use in _exits(tree):
            if name == "os._exit":
                message = "os._exit() ends the process before anything is recorded"
                yield Violation(tree.place(node), message, "Raise CommandError, or return.", use.where)
            elif (
                use.where
                and use.where.owner in owners
                and use.where.method not in _OUTSIDE
                # An inner function may run on a signal, or never.
                and len(use.inside) == 1
            ):
                is_in_batch = id(node) in in_batches
                message = f"{name}() without an error code is recorded as success"
                hint = "Use return if the work is done, and raise CommandError if it is not."
                yield Violation(
                    tree.place(node), message, hint, use.where, batched=False if is_in_batch else None
                )
                if is_in_batch:
                    message = f"{name}() in a batch is a failure, whatever its code: the batch is rolled back"
                    hint = "Use return if the rows are done, and raise CommandError if they are not."
                    yield Violation(tree.place(node), message, hint, use.where, batched=True)


def _tracked_methods(tree: Tree) -> Iterator[tuple[Method, bool | None]]:
    """The tracked ``handle()`` or ``process()``, and the method that it calls if it does nothing else, and so on."""
    for method, batched in tree.runs:
        if tree.decorators(method.node, TRACKED):
            known: set[int] = set()
            one: Method | None = method
            while one is not None and id(one.node) not in known:
                known.add(id(one.node))
                yield one, batched
                name = _only_called(one.node)
                one = next(tree.methods(name), None) if name else None


def _only_called(function: cst.FunctionDef) -> str:
    """The method that a function calls if it does nothing else but log; empty if it does."""
    called = []
    for node, path in statements(function.body.body):
        value = node.value if isinstance(node, cst.Expr | cst.Return | cst.Assign) else None
        name = dotted_name(value.func) if isinstance(value, cst.Call) else ""
        if path or not (name.startswith("self.") and name.count(".") == 1):
            if not (_is_quiet(node) or isinstance(node, _PREPARING)):
                return ""
        else:
            called.append(name.removeprefix("self."))
    return called[0] if len(called) == 1 else ""


def _false_returns(function: cst.FunctionDef) -> Iterator[tuple[cst.Return, str, str]]:
    """The returns that end a failed run as a success, with message and hint."""
    for node in descendants(function.body, enter=opens_nothing):
        if isinstance(node, cst.Finally):
            for each in descendants(node, enter=opens_nothing):
                if isinstance(each, cst.Return):
                    message = "return in finally drops every exception, so a failure is recorded as success"
                    yield each, message, "Return after the try statement."
        elif isinstance(node, cst.If | cst.Else | cst.ExceptHandler):
            returned = _complains_and_returns(node.body)
            if returned is not None:
                message = "this reports an error and returns, which is recorded as success"
                yield returned, message, "Raise CommandError with the message."


def _complains_and_returns(suite: cst.BaseSuite) -> cst.Return | None:
    """The last statement of a block that writes to stderr and returns nothing, and does nothing else."""
    nodes = [
        node
        for line in suite.body
        for node in (line.body if isinstance(line, cst.SimpleStatementLine) else (line,))
    ]
    *before, last = nodes or [cst.Pass()]
    if not isinstance(last, cst.Return) or not (last.value is None or dotted_name(last.value) == "None"):
        return None
    return last if all(map(_is_quiet, before)) and any(map(_writes_to_stderr, before)) else None


def _writes_to_stderr(node: cst.CSTNode) -> bool:
    call = node.value if isinstance(node, cst.Expr) else None
    if not isinstance(call, cst.Call):
        return False
    names = {dotted_name(each) for each in descendants(call) if isinstance(each, cst.Attribute)}
    is_printed = dotted_name(call.func) == "print" and not names.isdisjoint({"sys.stderr", "self.stderr"})
    is_written = dotted_name(call.func) in {"self.stderr.write", "sys.stderr.write"}
    return is_printed or is_written or "self.style.ERROR" in names


def _exits(tree: Tree) -> Iterator[tuple[cst.BaseExpression, str, Use]]:
    """What ends the process with exit code 0, or immediately, with its name."""
    forks = "fork" in tree.text
    for use in tree.uses:
        node = use.node.exc if isinstance(use.node, cst.Raise) else use.node
        if isinstance(node, cst.Name) and isinstance(use.node, cst.Raise):
            if tree.origin(node, use) == "builtins.SystemExit":
                yield node, "SystemExit", use
        elif isinstance(node, cst.Call) and node is use.node:
            name = tree.origin(node.func, use)
            if (name == _EXIT_NOW and not forks) or (name in _EXITS and _is_zero(node)):
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
    """What catches every exception in the whole of a method, and drops it."""
    use = Use(cst.Call(cst.Name("_")), (method.node,), method.where)
    whole = _only_compound(method.node.body)
    while isinstance(whole, cst.With):
        suppressing = [one.item for one in whole.items if _suppresses(tree, one.item, use)]
        if suppressing:
            yield suppressing[0]
            return
        whole = _only_compound(whole.body)
    if isinstance(whole, cst.Try):
        # A variable may pass the failure on to `finally`.
        notes = whole.finalbody is None
        for handler in whole.handlers:
            if _catches_all(tree, handler.type, use) and _is_dropped(handler.body, notes=notes):
                yield handler


def _only_compound(suite: cst.BaseSuite) -> cst.CSTNode | None:
    """The only compound statement of a suite; there may be assignments before it, and logging around it."""
    found: cst.CSTNode | None = None
    for line in suite.body:
        for node in line.body if isinstance(line, cst.SimpleStatementLine) else (line,):
            if not isinstance(node, cst.BaseSmallStatement):
                if found is not None:
                    return None
                found = node
            elif not (_is_quiet(node) or (found is None and isinstance(node, _PREPARING))):
                return None
    return found


def _suppresses(tree: Tree, expression: cst.BaseExpression, use: Use) -> bool:
    if not isinstance(expression, cst.Call) or tree.origin(expression.func, use) != _SUPPRESS:
        return False
    return any(_catches_all(tree, arg.value, use) for arg in expression.args if not arg.star)


def _catches_all(tree: Tree, caught: cst.BaseExpression | None, use: Use) -> bool:
    if isinstance(caught, cst.Tuple):
        return any(tree.origin(one.value, use) in _EVERYTHING for one in caught.elements)
    return caught is None or tree.origin(caught, use) in _EVERYTHING


def _is_dropped(suite: cst.BaseSuite, *, notes: bool) -> bool:
    return all(isinstance(node, cst.If) or _is_quiet(node, notes=notes) for node, _ in statements(suite.body))


def _is_quiet(node: cst.CSTNode, *, notes: bool = True) -> bool:
    """Whether a statement only logs, returns, or, with ``notes``, assigns to a variable."""
    if isinstance(node, cst.Assign):
        return (
            notes and not _works(node.value) and all(isinstance(one.target, cst.Name) for one in node.targets)
        )
    return isinstance(node, cst.Pass) or (
        isinstance(node, cst.Expr | cst.Return) and not (node.value and _works(node.value))
    )


def _works(expression: cst.BaseExpression) -> bool:
    """Whether an expression calls anything besides logging and formatting."""
    return _is_not_logging(expression) and any(
        _is_not_logging(node) and _called_name(node) not in _FORMATTING
        for node in descendants(expression, enter=_is_not_logging)
        if isinstance(node, cst.Call | cst.Await | cst.Yield)
    )


def _is_not_logging(node: cst.CSTNode) -> bool:
    return _called_name(node) not in _LOGGING


def _called_name(node: cst.CSTNode) -> str:
    """The last name in the function of a call; empty for anything else."""
    function = node.func if isinstance(node, cst.Call) else None
    if isinstance(function, cst.Attribute):
        return function.attr.value
    return function.value if isinstance(function, cst.Name) else ""
