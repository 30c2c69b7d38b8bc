"""A cache of queries never answers the ledger's questions: they go to the database."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models import Count
from django.db.models.sql.compiler import SQLCompiler

from scripts_tracker.ledger import database, queries, reading
from scripts_tracker.ledger.clock import DatabaseEpoch
from scripts_tracker.models import Script
from scripts_tracker.project import following
from tests.builders import script_id
from tests.jobs import Jobs
from tests.running.shops import Shop


@pytest.fixture
def orm_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is read through the ORM, where a cache would answer. What locks rows is never answered by one."""
    found: list[str] = []
    real = SQLCompiler.execute_sql

    def execute_sql(compiler: Any, *args: Any, **kwargs: Any) -> Any:
        query = compiler.query
        if type(compiler) is SQLCompiler and not query.select_for_update:
            found.append(str(query))
        return real(compiler, *args, **kwargs)

    monkeypatch.setattr(SQLCompiler, "execute_sql", execute_sql)
    return found


def run(jobs: Jobs) -> None:
    assert jobs.run("first").code == 0
    jobs.run_alone("second")


def fail(jobs: Jobs) -> None:
    jobs.script("first", "raise ValueError('no')")
    assert jobs.run("first").code == 1


def take_over(jobs: Jobs) -> None:
    jobs.begin_elsewhere("first")
    Script.objects.update(lease_expires=DatabaseEpoch() - 1)
    assert jobs.run("first").code == 0


def decide(jobs: Jobs) -> None:
    for options in (
        {"mark_applied": ["first"]},
        {"unmark": ["first"]},
        {"mark_all_scripts_as_applied": True},
    ):
        assert jobs.run(command="check_scripts", **options).code == 0
    jobs.begin_elsewhere("first")
    assert jobs.run(command="check_scripts", release=["first"], reason="dead").code == 0


def look(jobs: Jobs) -> None:
    run(jobs)
    jobs.script("first", "print('changed')")
    for options in ({}, {"history": True}, {"diff": True}, {"format": "json"}):
        assert jobs.run("first", command="show_script", **options).code == 0
    assert jobs.run(command="check_scripts", all=True).code == 0
    record = queries.record_of(script_id("jobs.first"))
    assert record is not None
    assert record.last_run is not None
    list(following.follow(record.last_run.pk))


def prune(jobs: Jobs) -> None:
    for _ in range(3):
        jobs.run_alone("first")
    call_command("prune_script_runs", keep=1, verbosity=0)


@pytest.mark.parametrize("do", [run, fail, take_over, decide, look, prune])
def test_nothing_is_read_where_a_cache_could_answer(
    jobs: Jobs, orm_reads: list[str], do: Callable[[Jobs], None]
) -> None:
    for name in ("first", "second"):
        jobs.script(name)
    do(jobs)
    found = [sql for sql in orm_reads if "scripts_tracker_" in sql]
    assert found == [], "read these with reading.fetch()"


def test_a_row_is_read_as_the_orm_would_have_it(jobs: Jobs) -> None:
    for name in ("first", "second"):
        jobs.script(name)
        jobs.run_alone(name)
    rows = database.runs().order_by("pk")
    columns = ("started_at", "applies", "version__source", "kind")
    assert reading.fetch(rows.values_list(*columns)) == list(rows.values_list(*columns))
    counted = rows.order_by().values_list("script").annotate(Count("pk")).order_by("script")
    assert reading.fetch(counted) == list(counted)
    assert reading.fetch(rows.filter(pk__in=[]).values_list("pk")) == []


# Reads, waits for the test, and reads again; both times also through the ORM.
READER = """\
import io, json
        from django.core.management import call_command
        from scripts_tracker.models import ScriptRun
        def look(name, *arguments, **options):
            out = io.StringIO()
            call_command(name, *arguments, stdout=out, **options)
            return out.getvalue()
        def looks():
            return [
                ScriptRun.objects.count(),
                len(json.loads(look("show_script", "first", "--history", "--format", "json"))["runs"]),
                look("prune_script_runs", keep=1, dry_run=True),
                look("check_scripts", "--all"),
            ]
        before = looks()
        hold("reader")
        print(json.dumps([before, looks()]))"""


def test_django_cachalot_does_not_answer_in_place_of_the_ledger(shop: Shop) -> None:
    pytest.importorskip("cachalot", reason="django-cachalot is not installed")
    shop.project.settings('INSTALLED_APPS += ["cachalot"]')
    shop.script("shop.first", "print(1)")
    shop.script("shop.reader", READER)
    shop.project.path("shop.reader").write_text(
        shop.project.path("shop.reader").read_text().replace("    @tracked_script()\n", "")
    )
    assert shop.run("first").code == 0
    reader = shop.hold("reader", "reader")
    for command in (("first",), ("first",), ("check_scripts", "--unmark", "first")):
        assert shop.run(*command).code == 0
    shop.go("reader")
    assert reader.wait() == 0, reader.err
    before, after = json.loads(reader.out.splitlines()[-1])
    assert before[0] == after[0] == 1, "the cache answers the ORM"
    assert (before[1], after[1]) == (1, 4)
    assert before[2] != after[2] == shop.run("prune_script_runs", "--keep", "1", "--dry-run").out
    assert "applied on" in before[3]
    assert "unmarked on" in after[3]
