"""What the import contracts cannot see: no query is written outside ``ledger/``.

A query needs a manager, a queryset's method, an expression of ``django.db.models`` or a cursor. This looks for all
of them in the syntax trees. To fix a failure, add a function to ``scripts_tracker/ledger`` and call that.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "scripts_tracker"
# The tables' own files, and the room that may query them.
FREE = ("ledger/", "migrations/", "models.py")
MANAGERS = {"objects", "_base_manager", "_default_manager"}
RAW_SQL = {"cursor", "chunked_cursor", "_raw_delete"}
OF_QUERYSETS = {
    *("aggregate", "annotate", "bulk_create", "bulk_update", "defer", "filter", "get_or_create"),
    *("order_by", "only", "prefetch_related", "select_for_update", "select_related"),
    *("update_or_create", "using", "values_list"),
}
WORDS = MANAGERS | RAW_SQL | OF_QUERYSETS
# Tables of others, never the ledger's.
ALLOWED = {
    "core/progress.py: cursor": "the last key that was walked",
    "admin/page.py: cursor": "as above",
    "adoption/legacy_table.py: cursor": "the table of django-scripts-tracker",
    "running/queue.py: objects": "the jobs of django-tasks-db",
    "running/queue.py: filter": "as above",
    "running/queue.py: values_list": "as above",
    "running/queue.py: using": "of a task",
    "running/batch.py: cursor": "timeouts of the session that the project's rows are changed in",
    **{
        f"running/keys.py: {word}": "the keys of the project's rows"
        for word in ("models", "filter", "order_by", "using", "values_list", "cursor")
    },
    "running/walking.py: cursor": "the last key of a range",
    "running/requirements.py: _base_manager": "whether the project's tables hold a row",
    "running/requirements.py: using": "as above",
    "testing.py: _base_manager": "the project's rows before and after a script",
    "testing.py: using": "as above",
    "testing.py: values_list": "as above",
    "throttles.py: cursor": "the statistics of the project's databases",
}
# The admin registers models and asks whether one is registered.
MODELS_AT_RUN_TIME = {"admin/__init__.py", "admin/base.py"}


def queries_in(tree: ast.AST) -> Iterator[str]:
    """The words that write a query, and what is imported to write one."""
    for node in _at_run_time(tree):
        if isinstance(node, ast.Attribute) and node.attr in WORDS:
            yield node.attr
        elif isinstance(node, ast.ImportFrom) and node.module in {"django.db.models", "django.db"}:
            yield from (name.name for name in node.names if node.module[10:] or name.name == "models")


def _at_run_time(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under ``if TYPE_CHECKING:``."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield from _at_run_time(child)


def imports_models(tree: ast.AST) -> bool:
    return any(
        isinstance(node, ast.ImportFrom) and node.module == "scripts_tracker.models"
        for node in _at_run_time(tree)
    )


def files() -> Iterator[tuple[str, ast.AST]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(FREE):
            yield name, ast.parse(path.read_bytes())


def test_only_the_ledger_queries() -> None:
    found = {f"{name}: {word}" for name, tree in files() for word in queries_in(tree)}
    assert found - ALLOWED.keys() == set(), "move these into scripts_tracker/ledger"
    assert ALLOWED.keys() - found == set(), "these need no exception any more"


def test_the_models_are_imported_for_their_registration_only() -> None:
    assert {name for name, tree in files() if imports_models(tree)} == MODELS_AT_RUN_TIME


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("Script.objects.get(pk=1)", {"objects"}),
        ("rows.filter(pk=1)", {"filter"}),
        ("runs.annotate(x=1).values_list('pk')", {"annotate", "values_list"}),
        ("connections[using].cursor()", {"cursor"}),
        ("from django.db.models import F, Q", {"F", "Q"}),
        ("from django.db import models", {"models"}),
    ],
)
def test_what_counts_as_a_query(source: str, words: set[str]) -> None:
    assert set(queries_in(ast.parse(source))) == words


@pytest.mark.parametrize(
    "source",
    [
        "filter(None, names)",
        "from django.db import connections, transaction",
        "from django.db.models.signals import post_migrate",
        "if TYPE_CHECKING:\n    from django.db.models import QuerySet",
    ],
)
def test_what_counts_as_no_query(source: str) -> None:
    assert list(queries_in(ast.parse(source))) == []
