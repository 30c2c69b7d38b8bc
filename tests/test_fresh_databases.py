"""A new database: scripts that have nothing to do there are marked, not run."""

from __future__ import annotations

import pytest

from scripts_tracker import tracked_script
from tests.conftest import Project

MARKS = 'SCRIPTS_TRACKER = {"fresh_database": "mark"}\n'
AUTH = 'INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", *INSTALLED_APPS]\n'
LINE = "Management scripts: 2 marked as applied, because the database was empty when migrate began."


@pytest.fixture
def shop(project: Project) -> Project:
    project.command("shop.first")
    project.command("shop.second")
    return project


def test_without_the_setting_scripts_are_new(shop: Project) -> None:
    assert "You have 2 new and 0 modified" in shop.migrate().out


def test_a_new_database_is_marked_in_one_line(shop: Project) -> None:
    shop.settings(MARKS)
    out = shop.migrate().out
    assert out.count(LINE) == 1
    assert "Checking management scripts:" not in out
    assert shop.states() == {"shop.first": "applied", "shop.second": "applied"}
    history = shop.manage("show_script", "first", "--history").out
    assert "marked as applied in a new database" in history
    assert "the database was empty when migrate began" in history


def test_the_next_script_is_new(shop: Project) -> None:
    shop.settings(MARKS)
    shop.migrate()
    shop.command("shop.third")
    assert "You have 1 new and 0 modified" in shop.migrate().out
    assert shop.states()["shop.third"] == "new"


def test_a_database_with_rows_of_the_project_is_never_marked(shop: Project) -> None:
    shop.settings(AUTH + MARKS)
    shop.manage("migrate", "auth")
    shop.manage(
        "shell", "-c", "from django.contrib.auth.models import Group; Group.objects.create(name='staff')"
    )
    assert "You have 2 new and 0 modified" in shop.migrate().out
    assert shop.states() == {"shop.first": "new", "shop.second": "new"}


def test_a_database_with_tables_and_no_rows_is_new(shop: Project) -> None:
    shop.settings(AUTH + MARKS)
    shop.manage("migrate", "auth")
    assert LINE in shop.migrate().out


def test_tables_of_another_project_do_not_matter(shop: Project) -> None:
    shop.settings(MARKS)
    table = (
        "from django.db import connection as c; c.cursor().execute('CREATE TABLE theirs AS SELECT 1 AS a')"
    )
    shop.manage("shell", "-c", table)
    assert LINE in shop.migrate().out


def test_a_script_decides_for_itself_and_auto_run_runs_the_others(shop: Project) -> None:
    shop.settings('SCRIPTS_TRACKER = {"fresh_database": "mark", "auto_run": True}\n')
    path = shop.root / "shop/management/commands/second.py"
    path.write_text(path.read_text().replace("@tracked_script", '@tracked_script(fresh="run")'))
    out = shop.migrate().out
    assert LINE.replace("2", "1") in out
    assert "shop.second: done in" in out
    kinds = "from scripts_tracker.models import ScriptRun as R; print(sorted(R.objects.values_list('script__name', 'kind')))"
    assert (
        shop.manage("shell", "-c", kinds).out.strip().endswith("[('first', 'baseline'), ('second', 'run')]")
    )


def test_a_script_is_marked_by_its_own_word_without_the_setting(shop: Project) -> None:
    path = shop.root / "shop/management/commands/second.py"
    path.write_text(path.read_text().replace("@tracked_script", '@tracked_script(fresh="mark")'))
    out = shop.migrate().out
    assert LINE.replace("2", "1") in out
    assert "You have 1 new and 0 modified" in out
    assert shop.states() == {"shop.first": "new", "shop.second": "applied"}


def test_it_is_marked_without_the_notice_too(shop: Project) -> None:
    shop.settings('SCRIPTS_TRACKER = {"fresh_database": "mark", "notify": False}\n')
    assert LINE in shop.migrate().out


def test_only_run_and_mark_are_accepted() -> None:
    with pytest.raises(ValueError, match="fresh must be one of run, mark, not 'skip'"):
        tracked_script(fresh="skip")  # type: ignore[call-overload]
