"""ST015."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.facts.scopes import dotted_name
from scripts_tracker.analysis.source.trees import in_suites
from scripts_tracker.lint.base import TreeRule
from scripts_tracker.lint.file import OURS
from scripts_tracker.lint.values import Edit, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.lint.file import Tree

_OLD, _NEW = "django_scripts_tracker", "scripts_tracker"
_KEPT = frozenset({"core_tracker", "dependency_tracker"})


class LegacyImportPath(TreeRule):
    """The decorators are imported from a path of django-scripts-tracker.

    ## What it does
    Reports imports from `django_scripts_tracker`, and from the modules `core_tracker` and `dependency_tracker`.
    Imports inside `try` are skipped: such a file works with both packages.

    ## Why is this bad?
    These paths exist only to keep old commands working. `django_scripts_tracker` is not a real package, and it can
    be imported only after `django.setup()`.

    ## Example
    ```python
    from django_scripts_tracker.core_tracker import tracked_script
    ```

    ## Use instead
    ```python
    from scripts_tracker import tracked_script
    ```
    `--fix` replaces the path if only the two decorators are imported. A script that was applied stays applied.
    """

    code = codes.LEGACY_IMPORT_PATH

    def check(self, tree: Tree) -> Iterator[Violation]:
        """Yield the imports from these paths."""
        for node in _imports(tree):
            yield Violation(
                tree.place(node),
                f"{_old_path(node)} is an import path of django-scripts-tracker",
                "Import tracked_script and required_preceding_script from scripts_tracker. Applied scripts stay applied.",
                fixable=_path_to_exchange(tree, node) is not None,
            )

    def edits(self, tree: Tree) -> Iterator[Edit]:
        """Replace the paths."""
        for node in _imports(tree):
            edit = _path_to_exchange(tree, node)
            if edit is not None:
                yield edit


def _imports(tree: Tree) -> Iterator[cst.Import | cst.ImportFrom]:
    count = _mentions(tree.text)
    if not count:
        return
    found = [one for node in tree.module.body for one in _in_statement(node)]
    # Most imports are at the top; the whole tree is searched only if some mentions are elsewhere.
    if count > sum(_mentions(_old_path(one)) for one in found):
        inside = in_suites(tree.module, enter=lambda one: not isinstance(one, cst.Try | cst.TryStar))
        found = [one for node in inside for one in _in_statement(node)]
    yield from found


def _mentions(text: str) -> int:
    return sum(text.count(name) for name in (_OLD, *_KEPT))


def _in_statement(node: cst.CSTNode) -> Iterator[cst.Import | cst.ImportFrom]:
    for one in node.body if isinstance(node, cst.SimpleStatementLine) else [node]:
        if isinstance(one, cst.Import | cst.ImportFrom) and _old_path(one):
            yield one


def _old_path(node: cst.Import | cst.ImportFrom) -> str:
    """The first old path in an import; empty if there is none."""
    if isinstance(node, cst.Import):
        paths = [dotted_name(alias.name) for alias in node.names]
    else:
        module = dotted_name(node.module) if node.module and not node.relative else ""
        names = (
            [] if isinstance(node.names, cst.ImportStar) else [dotted_name(one.name) for one in node.names]
        )
        # In `from scripts_tracker import core_tracker` the last part is the imported name.
        paths = [module, *(f"{module}.{name}" for name in names)]
    return next((path for path in paths if _is_old(path)), "")


def _is_old(path: str) -> bool:
    package, _, rest = path.partition(".")
    return package == _OLD or (package == _NEW and rest.partition(".")[0] in _KEPT)


def _path_to_exchange(tree: Tree, node: cst.Import | cst.ImportFrom) -> Edit | None:
    if not isinstance(node, cst.ImportFrom) or isinstance(node.names, cst.ImportStar) or node.module is None:
        return None
    path = dotted_name(node.module)
    if not _is_old(path) or not all(dotted_name(one.name) in OURS for one in node.names):
        return None
    start = tree.offset(node.module, node)
    # A path with spaces or line breaks in it is not changed.
    return Edit(start, start + len(path), _NEW) if tree.text.startswith(path, start) else None
