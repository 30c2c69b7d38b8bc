"""ST017."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.facts.values import PROCESS, REQUIRED, TRACKED
from scripts_tracker.analysis.fingerprint.literals import string_value
from scripts_tracker.lint.base import TreeRule
from scripts_tracker.lint.values import Edit, Violation, Where

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.lint.file import Tree

_ALONE: Final = re.compile(r"@\s*[\w.]+\s*(\([^()#]*\))?")
"""A decorator that starts and ends on its line, without a comment."""


class RepeatedDecorator(TreeRule):
    """A decorator is applied twice.

    ## What it does
    Reports methods with `@tracked_script` twice, and with `@required_preceding_script` twice for the same scripts.

    ## Why is this bad?
    A run is recorded once, however often the decorator is repeated. The second decorator has no effect, or
    contradicts the first: of two values of `rerun` only one can apply.

    ## Example
    ```python
    @tracked_script
    @required_preceding_script("import_vat_rates")
    @tracked_script
    def handle(self, *args, **options): ...
    ```

    ## Use instead
    ```python
    @tracked_script
    @required_preceding_script("import_vat_rates")
    def handle(self, *args, **options): ...
    ```
    `--fix` removes the inner of two identical decorators, if each is alone on its line.
    """

    code = codes.REPEATED_DECORATOR

    def check(self, tree: Tree) -> Iterator[Violation]:
        """Yield the decorators that repeat an earlier one."""
        for where, first, again in _repeated(tree):
            name = tree.our_name(again.decorator)
            yield Violation(
                tree.place(again),
                f"@{name} is applied to {where.method}() twice",
                "Remove one of the two.",
                where,
                fixable=_line_to_remove(tree, first, again) is not None,
                batched=True if where.method == PROCESS else None,
            )

    def edits(self, tree: Tree) -> Iterator[Edit]:
        """Remove the lines of repeated decorators."""
        for _, first, again in _repeated(tree):
            edit = _line_to_remove(tree, first, again)
            if edit is not None:
                yield edit


def _repeated(tree: Tree) -> Iterator[tuple[Where, cst.Decorator, cst.Decorator]]:
    """The decorators that repeat another one: the method, the first decorator, and the repeated one."""
    for one in tree.classes:
        for method in one.trackable:
            known: dict[object, cst.Decorator] = {}
            for decorator in method.decorators:
                key = _key(tree, decorator)
                first = known.setdefault(key, decorator) if key else decorator
                if first is not decorator:
                    yield Where(one.name, method.name.value), first, decorator


def _key(tree: Tree, decorator: cst.Decorator) -> tuple[str, ...]:
    """What no two decorators of a method may have in common; empty if the decorator may be repeated."""
    name, call = tree.our_name(decorator.decorator), decorator.decorator
    if name == TRACKED:
        return (name,)
    if name != REQUIRED or not isinstance(call, cst.Call) or not call.args:
        return ()
    scripts = [None if one.keyword or one.star else string_value(one.value) for one in call.args]
    texts = [script for script in scripts if isinstance(script, str)]
    return (name, *texts) if len(texts) == len(scripts) else ()


def _line_to_remove(tree: Tree, first: cst.Decorator, again: cst.Decorator) -> Edit | None:
    lines = tree.text.split("\n")
    kept, number = tree.place(first)[0], tree.place(again)[0]
    line = lines[number - 1].strip()
    # If a place is not certain, it is the one of an earlier decorator.
    if number <= kept or line != lines[kept - 1].strip() or not _ALONE.fullmatch(line):
        return None
    start = sum(len(line) + 1 for line in lines[: number - 1])
    return Edit(start, start + len(lines[number - 1]) + 1, "")
