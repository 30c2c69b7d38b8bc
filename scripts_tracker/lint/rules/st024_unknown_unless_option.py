"""ST024."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.facts.values import PROCESS, TRACKED
from scripts_tracker.analysis.fingerprint.literals import string_value
from scripts_tracker.core.names import nearest
from scripts_tracker.lint.base import TreeRule
from scripts_tracker.lint.parsers import DJANGOS, declared, keyword
from scripts_tracker.lint.values import Violation, Where

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.lint.classes import Lineage
    from scripts_tracker.lint.file import Tree

# call_command() passes these on too.
_ALWAYS_THERE: Final = DJANGOS | {"args", "stdout", "stderr"}


class UnknownUnlessOption(TreeRule):
    """`unless` names an option that the command does not have.

    ## What it does
    Compares the names in `unless` with the options that `add_arguments()` adds. Nothing is reported if these are
    not all literals, or if a base class may add others.

    ## Why is this bad?
    `unless` keeps dry runs from being recorded as applied. With an unknown name every dry run counts: the script is
    recorded as applied without ever having done its work.

    ## Example
    ```python
    def add_arguments(self, parser):
        parser.add_argument("--dry-run", action="store_true")

    @tracked_script(unless=("dryrun",))
    def handle(self, *args, **options): ...
    ```

    ## Use instead
    ```python
    def add_arguments(self, parser):
        parser.add_argument("--dry-run", action="store_true")

    @tracked_script(unless=("dry_run",))
    def handle(self, *args, **options): ...
    ```
    """

    code = codes.UNKNOWN_UNLESS_OPTION

    def check(self, tree: Tree) -> Iterator[Violation]:
        """Yield the names that no option has."""
        if "unless" not in tree.text:
            return
        for lineage in tree.lineages:
            known = declared(tree, lineage)
            if known is None:
                continue
            for where, call, name in _unless(tree, lineage):
                if name not in known | _ALWAYS_THERE:
                    message = f"unless names the option {name!r}, which the command does not have"
                    arg = next(one for one in call.args if one.keyword and one.keyword.value == "unless")
                    batched = True if where.method == PROCESS else None
                    hint = _hint(name, known)
                    yield Violation(tree.place(arg, call), message, hint, where, batched=batched)


def _unless(tree: Tree, lineage: Lineage) -> Iterator[tuple[Where, cst.Call, str]]:
    """The literal names in `unless`, with their calls."""
    for one in lineage.classes:
        for method in one.trackable:
            for decorator in tree.decorators(method, TRACKED):
                call = decorator.decorator
                if isinstance(call, cst.Call):
                    for name in _texts(keyword(call, "unless")):
                        yield Where(one.name, method.name.value), call, name


def _texts(given: cst.BaseExpression | None) -> list[str]:
    if not isinstance(given, cst.Tuple | cst.List):
        return []
    values = [string_value(one.value) for one in given.elements if isinstance(one, cst.Element)]
    return [value for value in values if isinstance(value, str)]


def _hint(name: str, known: frozenset[str]) -> str:
    near = nearest(name, known)
    if near:
        return f"Did you mean {near!r}?"
    options = f"The command has {', '.join(sorted(known))}." if known else "The command has no options."
    return f"{options} Add the option in add_arguments(), or remove the name."
