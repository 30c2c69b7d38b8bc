"""ST023."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.facts.values import BATCHES, PROCESS, Ref
from scripts_tracker.lint.base import TreeRule
from scripts_tracker.lint.members import is_transparent, mismatch
from scripts_tracker.lint.parsers import DJANGOS, declared
from scripts_tracker.lint.values import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.lint.classes import Class
    from scripts_tracker.lint.file import Method, Tree

_OTHERS: Final = re.compile(r"(?:^|[._])(?:typer|d?j?click)(?:[._]|$)|TyperCommand")


class InvalidHandleSignature(TreeRule):
    """`handle()` does not accept the arguments that Django passes.

    ## What it does
    Checks that `handle()` takes `self` and `**options`, and that every other parameter without a default is an
    option of the command. Nothing is reported if the options are not all literals, if another decorator may
    change the arguments, or for commands of django-typer and django-click. In a BatchedCommand, `process()` has to
    take the batch, and `batches()` and `finish()` nothing.

    ## Why is this bad?
    Django passes options such as `verbosity` and `settings` to every command by name. A `handle()` that does not
    accept them fails with a TypeError before its first line.

    ## Example
    ```python
    @tracked_script
    def handle(self):
        ...
    ```

    ## Use instead
    ```python
    @tracked_script
    def handle(self, *args, **options):
        ...
    ```
    """

    code = codes.INVALID_HANDLE_SIGNATURE

    def check(self, tree: Tree) -> Iterator[Violation]:
        """Yield what is wrong with the parameters."""
        if any(_calls_otherwise(one) for lineage in tree.lineages for one in lineage.classes):
            return
        for method in tree.methods("handle"):
            if method.is_first and all(is_transparent(tree, one) for one in method.node.decorators):
                message, hint = _wrong(tree, method)
                if message:
                    yield Violation(tree.place(method.node), message, hint, method.where)
        yield from _wrong_in_batches(tree)


_GIVEN: Final = {PROCESS: ("batch",), BATCHES: (), "finish": ()}
"""What BatchedCommand passes to its methods, by position."""


def _wrong_in_batches(tree: Tree) -> Iterator[Violation]:
    """The methods of a batched command that do not accept what it passes."""
    for name, given in _GIVEN.items():
        for method in tree.batched_methods(name) if name in tree.text else ():
            if method.is_first and all(is_transparent(tree, one) for one in method.node.decorators):
                wrong = mismatch(method.node.params, ("self", *given))
                if wrong:
                    shown = f"{name}({', '.join(('self', *given))})"
                    message = f"{name}() {wrong}, but BatchedCommand calls it as {shown}"
                    hint = f"Write def {shown}."
                    yield Violation(tree.place(method.node), message, hint, method.where, batched=True)


def _calls_otherwise(one: Class) -> bool:
    """Whether a class comes from django-typer or django-click, which pass what the parameters ask for."""
    paths = (value.path for values in one.bases for value in values if isinstance(value, Ref))
    return any(_OTHERS.search(path) for path in paths)


def _wrong(tree: Tree, method: Method) -> tuple[str, str]:
    """What is wrong with a method, and the hint; empty strings if nothing is."""
    params = method.node.params
    by_position = [*params.posonly_params, *params.params]
    named = {one.name.value for one in (*params.params, *params.kwonly_params)}
    if not by_position and not isinstance(params.star_arg, cst.Param):
        return "handle() does not take self", "Write def handle(self, *args, **options)."
    if params.star_kwarg is None and not named >= DJANGOS:
        message = "handle() does not take **options, which Django passes to every command"
        return message, "Write def handle(self, *args, **options)."
    known = _known(tree, method)
    without = [one.name.value for one in (*by_position[1:], *params.kwonly_params) if one.default is None]
    only = {one.name.value for one in params.posonly_params}
    lacking = [] if known is None else [name for name in without if name in only or name not in known]
    if not lacking:
        return "", ""
    message = f"handle() requires {lacking[0]}, which is not an option of the command"
    return message, f"Add the option in add_arguments(), or give {lacking[0]} a default."


def _known(tree: Tree, method: Method) -> frozenset[str] | None:
    """What Django passes to the method by name; None if that is not certain."""
    commands = [declared(tree, one) for one in tree.lineages if method.owner in one.classes]
    own = commands[0] if len(commands) == 1 else None
    # `args` is passed by position.
    return None if own is None or "args" in own else own | DJANGOS
