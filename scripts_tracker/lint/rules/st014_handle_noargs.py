"""ST014."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.facts.values import LOCAL_CLASS, UNBOUND, Ref
from scripts_tracker.lint.base import TreeRule
from scripts_tracker.lint.values import Edit, Violation, Where

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.analysis.facts.values import Values
    from scripts_tracker.lint.classes import Class
    from scripts_tracker.lint.file import Tree

_OLD, _NEW = "handle_noargs", "handle"


class HandleNoargs(TreeRule):
    """`handle_noargs()` is not called by any supported version of Django.

    ## What it does
    Reports tracked methods with this name.

    ## Why is this bad?
    Django 1.10 removed `NoArgsCommand` and its `handle_noargs()`: the script fails, or does nothing at all.

    ## Example
    ```python
    class Command(BaseCommand):
        @tracked_script
        def handle_noargs(self, **options): ...
    ```

    ## Use instead
    ```python
    class Command(BaseCommand):
        @tracked_script
        def handle(self, **options): ...
    ```
    `--fix` renames the method, unless the file mentions its name elsewhere. An applied script is then shown
    as modified.
    """

    code = codes.HANDLE_NOARGS

    def check(self, tree: Tree) -> Iterator[Violation]:
        """Yield the tracked methods with this name."""
        for one in self._classes(tree):
            yield Violation(
                tree.place(one.methods[_OLD]),
                "Django no longer calls handle_noargs() (removed in 1.10)",
                "Rename it to handle(self, *args, **options).",
                Where(one.name, _OLD),
                fixable=self._is_safe(tree, one),
                batched=False,
            )

    def edits(self, tree: Tree) -> Iterator[Edit]:
        """Rename the methods."""
        for one in self._classes(tree):
            if self._is_safe(tree, one):
                start = tree.offset(one.methods[_OLD])
                yield Edit(start, start + len(_OLD), _NEW)

    def _classes(self, tree: Tree) -> Iterator[Class]:
        # The project may have kept the base class that Django removed.
        is_called = f"self.{_OLD}(" in tree.text and any(_NEW in one.methods for one in tree.classes)
        for one in tree.classes:
            is_tracked = _OLD in one.methods and tree.decorators(one.methods[_OLD], "tracked_script")
            if is_tracked and not is_called and all(map(_is_known, one.bases)):
                yield one

    def _is_safe(self, tree: Tree, one: Class) -> bool:
        return _NEW not in one.methods and tree.text.count(_OLD) == 1


def _is_known(base: Values) -> bool:
    """Whether a base class comes from Django, from Python, or from the same file."""
    paths = [one.path if isinstance(one, Ref) else "" for one in base]
    return all(path.startswith(("django.", LOCAL_CLASS, UNBOUND)) for path in paths)
