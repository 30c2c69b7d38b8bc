"""Adopting the table of django-scripts-tracker: what ran stays applied, and nothing runs a second time."""

from __future__ import annotations

import getpass
import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from scripts_tracker.adoption import legacy_sources
from scripts_tracker.adoption.legacy_sources import line_endings, md5
from tests.adoption.old_tracker import (
    COPY,
    NEW_IMPORT,
    OLD_IMPORT,
    SCHEMA,
    SOURCE,
    TABLE,
    OldTracker,
    commit,
    everything,
)
from tests.conftest import MATRIX, Project
from tests.databases.fixtures import HostedProject

WHEN = "2019-03-04T10:22:33.123456+00:00"
ELSEWHERE = "only the imports of the decorators changed"
SAME_CODE = "same code according to git history"


REHEARSING = (
    SOURCE.format(name="script")
    + """
    def add_arguments(self, parser):
        parser.add_argument('--dry-run', action='store_true')
"""
)


@pytest.fixture
def old(migrated: Project) -> OldTracker:
    tracker = OldTracker(migrated)
    tracker.create()
    return tracker


def adopted(project: Project, *arguments: str) -> dict[str, Any]:
    answer = project.manage("adopt_scripts_tracker", "--format", "json", *arguments)
    document: dict[str, Any] = json.loads(answer.out)
    return document


def unchanged(old: OldTracker) -> None:
    old.ran("script", old.write("script"))


def applied_twice(old: OldTracker) -> None:
    source = old.write("script")
    old.ran("script", b"another version", "2019-03-05 00:00:00")
    old.ran("script", source)
    old.ran("script", source, "2018-01-01 00:00:00")


def checked_out_on_windows(old: OldTracker) -> None:
    old.ran("shop\\management\\commands\\script.py", line_endings(old.write("script"))[2])


def below_the_root_of_imports(old: OldTracker) -> None:
    old.ran("./backend/shop/management/commands/script.py", old.write("script"))


def moved(old: OldTracker) -> None:
    old.ran("gone/management/commands/before.py", old.write("script"))


def imports_exchanged(old: OldTracker) -> None:
    source = old.write("script", SOURCE.format(name="script").replace(OLD_IMPORT, NEW_IMPORT))
    old.ran("script", source.replace(NEW_IMPORT.encode(), OLD_IMPORT.encode()))


def formatted(old: OldTracker) -> None:
    old.ran("script", old.write("script"))
    commit(old.project.root, "one")
    old.write("script", SOURCE.format(name="script").replace("'", '"'))


def moved_and_formatted_and_imports_exchanged(old: OldTracker) -> None:
    old.ran("before", old.write("before", SOURCE.format(name="script")))
    commit(old.project.root, "one")
    text = SOURCE.format(name="script").replace("'", '"').replace(OLD_IMPORT, NEW_IMPORT)
    old.project.path("shop.before").unlink()
    old.write("script", text)


def edited(old: OldTracker) -> None:
    old.ran("script", old.write("script"))
    commit(old.project.root, "one")
    old.write("script", SOURCE.format(name="script") + "        self.more()\n")


def edited_and_not_in_git(old: OldTracker) -> None:
    old.write("script")
    old.ran("script", b"another content")


def never_ran(old: OldTracker) -> None:
    old.write("script")
    old.ran("stock/management/commands/script.py", b"that of another app")


def cannot_be_analysed(old: OldTracker) -> None:
    old.ran("script", old.write("script", SOURCE.format(name="script") + "    def ("))


def in_the_ledger(old: OldTracker) -> None:
    unchanged(old)
    old.project.manage("check_scripts", "--mark-all-applied")


def tried_and_failed(old: OldTracker) -> None:
    old.ran("script", old.write("script"))
    body = SOURCE.format(name="script")
    old.write("script", body.replace("self.stdout.write('script done')", "raise ValueError"))
    old.project.manage("script", code=1)
    old.write("script")


def failed_at_the_version_that_ran(old: OldTracker) -> None:
    source = SOURCE.format(name="script").replace("self.stdout.write('script done')", "raise ValueError")
    old.ran("script", old.write("script", source))
    old.project.manage("script", code=1)


def rehearsed(old: OldTracker) -> None:
    old.ran("script", old.write("script", REHEARSING))
    old.project.manage("script", "--dry-run")


def unmarked_and_tried_again(old: OldTracker) -> None:
    failed_at_the_version_that_ran(old)
    old.project.manage("check_scripts", "--mark-applied", "shop.script")
    old.project.manage("check_scripts", "--unmark", "shop.script")
    old.project.manage("script", code=1)


CASES = (
    (tried_and_failed, "unchanged", "applied", ""),
    (failed_at_the_version_that_ran, "unchanged", "applied", ""),
    (rehearsed, "unchanged", "applied", ""),
    (unmarked_and_tried_again, "recorded", "failed", ""),
    (never_ran, "new", "new", ""),
    (cannot_be_analysed, "unreadable", "unreadable", ""),
    (edited, "modified", "modified", "the code has changed since"),
    (
        edited_and_not_in_git,
        "changed",
        "modified",
        "if only the formatting changed: manage.py check_scripts --mark-applied shop.script",
    ),
    (in_the_ledger, "recorded", "applied", ""),
    (unchanged, "unchanged", "applied", ""),
    (checked_out_on_windows, "unchanged", "applied", ""),
    (below_the_root_of_imports, "unchanged", "applied", ""),
    (moved, "unchanged", "applied", ""),
    (applied_twice, "unchanged", "applied", ""),
    (imports_exchanged, "restyled", "applied", ELSEWHERE),
    (formatted, "restyled", "applied", SAME_CODE),
    (moved_and_formatted_and_imports_exchanged, "restyled", "applied", SAME_CODE),
)


@MATRIX
@pytest.mark.parametrize(
    ("situation", "fate", "state", "note"), CASES, ids=[case[0].__name__ for case in CASES]
)
def test_an_adopted_script_gets_the_right_status(
    situation: Any, fate: str, state: str, note: str, old: OldTracker
) -> None:
    situation(old)
    (found,) = [one for one in adopted(old.project)["scripts"] if one["script"] == "shop.script"]
    assert found["fate"] == fate
    assert note in found["note"]
    (script,) = [one for one in old.project.check("--all")["scripts"] if one["script"] == "shop.script"]
    assert script["state"] == state
    if found["recorded"]:
        assert script["applied_at"] == WHEN


def test_runs_are_adopted_once_and_a_plan_changes_nothing(old: OldTracker) -> None:
    for name in ("first", "third"):
        old.ran(name, old.write(name))
    old.write("second")
    old.ran("second", b"other bytes", "2020-02-02 02:02:02")
    old.write("fourth")
    old.ran("long_ago", b"gone", "2017-01-01 00:00:00")
    old.write("_helper")
    old.project.write("shop/base.py", "")
    old.ran("shop/base.py", b"")
    before = old.execute("SELECT COUNT(*) FROM scripts_tracker_script")
    plan = adopted(old.project, "--plan")
    assert old.execute("SELECT COUNT(*) FROM scripts_tracker_script") == before
    assert adopted(old.project) == {**plan, "plan": False}
    assert {one["script"]: one["fate"] for one in plan["scripts"]} == {
        "shop.first": "unchanged",
        "shop.second": "changed",
        "shop.third": "unchanged",
        "shop.fourth": "new",
    }
    assert {one["path"]: one["why"].partition(":")[0] for one in plan["leftovers"]} == {
        "shop/base.py": "probably a base class, so it is unknown which command ran; if you know it",
        "shop/management/commands/long_ago.py": "the file is gone",
    }
    rows = old.execute("SELECT * FROM scripts_tracker_scriptrun")
    text = old.project.manage("adopt_scripts_tracker").out
    assert "Skipped: already in the ledger (3):" in text
    assert text.endswith("Nothing to record.\n")
    assert old.execute("SELECT * FROM scripts_tracker_scriptrun") == rows
    assert len(everything(old.project, old.table)) == 5
    words = old.project.manage("check_scripts").out
    assert "shop.second: the file changed since it was applied on 2020-02-01 20:02" in words
    assert "its fingerprint uses algorithm md5" in words
    answer = old.project.manage("show_script", "second").out
    assert "what changed:" not in answer
    assert "if only its formatting changed: manage.py check_scripts --mark-applied shop.second" in answer
    diff = " ".join(old.project.manage("show_script", "second", "--diff").out.split())
    assert "found no content with that checksum in git. If only its formatting changed" in diff
    assert "until then, git has it" not in diff


def test_an_adopted_run_is_not_attributed_to_the_user_who_adopts_it(old: OldTracker) -> None:
    old.ran("first", old.write("first"))
    old.project.manage("adopt_scripts_tracker")
    document = json.loads(old.project.manage("show_script", "first", "--history", "--format", "json").out)
    (run,) = document["runs"]
    assert run["started_at"] == WHEN
    assert [run[name] for name in ("user", "host", "pid", "git_revision")] == ["", "", None, ""]
    path = "shop/management/commands/first.py"
    assert re.fullmatch(
        rf"adopted on \d{{4}}-\d\d-\d\d \d\d:\d\d \S+ by {getpass.getuser()} on {re.escape(socket.gethostname())}"
        rf" from django-scripts-tracker, which recorded {path}",
        run["reason"],
    )


def test_a_missing_table_or_database_is_one_clear_line(project: Project) -> None:
    missing = project.manage("adopt_scripts_tracker", code=2).err
    assert missing.startswith("there is no table django_scripts_tracker_appliedmanagementscripts or")
    assert (
        "no database 'nowhere'"
        in project.manage("adopt_scripts_tracker", "--database", "nowhere", code=2).err
    )
    OldTracker(project).create()
    assert "manage.py migrate scripts_tracker" in project.manage("adopt_scripts_tracker", code=2).err


@MATRIX
def test_dates_are_adopted_without_time_zones_and_from_another_database(migrated: Project) -> None:
    migrated.settings("USE_TZ = False")
    migrated.settings("DATABASES['old'] = {**DATABASES['default'], 'NAME': BASE_DIR / 'old.sqlite3'}")
    old = OldTracker(migrated, database="old.sqlite3")
    old.create()
    old.ran("first", old.write("first"))
    migrated.manage("adopt_scripts_tracker", "--database", "old")
    (script,) = migrated.check("--all")["scripts"]
    assert script["applied_at"] == WHEN.removesuffix("+00:00")


# A copy in the project that was named scripts_tracker: Django considers our 0001_initial applied

DIALECTS = {
    "sqlite": SCHEMA,
    "postgresql": SCHEMA.replace("integer NOT NULL PRIMARY KEY AUTOINCREMENT", "serial PRIMARY KEY").replace(
        "datetime", "timestamp with time zone"
    ),
    "mariadb": SCHEMA.replace('"', "`")
    .replace("AUTOINCREMENT", "AUTO_INCREMENT")
    .replace("datetime", "datetime(6)"),
}


def as_a_copy_left_it(project: HostedProject, kind_name: str) -> None:
    project.migrate("scripts_tracker", "zero")
    project.execute(DIALECTS[kind_name].format(table=COPY))
    project.command("shop.first")
    digest = md5(project.path("shop.first").read_bytes())
    project.execute(
        f"INSERT INTO {COPY} (file_path, file_hash, applied_date) VALUES"  # noqa: S608 - our own name
        f" ('shop/management/commands/first.py', '{digest}', '2019-03-04 10:22:33.123456')"
    )
    project.execute(
        "INSERT INTO django_migrations (app, name, applied) VALUES"
        " ('scripts_tracker', '0001_initial', '2019-01-01 00:00:00')"
    )


@pytest.mark.parametrize(
    "kind_name", ["sqlite", *(pytest.param(name, marks=MATRIX) for name in ("postgresql", "mariadb"))]
)
def test_a_copy_named_scripts_tracker_does_not_prevent_adoption(
    hosted: HostedProject, kind_name: str
) -> None:
    as_a_copy_left_it(hosted, kind_name)
    hosted.migrate()
    hosted.manage("adopt_scripts_tracker")
    (script,) = hosted.check("--all")["scripts"]
    assert script["state"] == "applied"
    assert script["applied_at"] == WHEN
    assert hosted.execute(f"SELECT COUNT(*) FROM {COPY}") == [(1,)]  # noqa: S608 - as above


def test_every_kind_of_database_is_adopted_once(hosted: HostedProject, kind_name: str) -> None:
    hosted.execute(DIALECTS[kind_name].format(table=TABLE))
    for name in ("first", "second"):
        hosted.command(f"shop.{name}")
    digest = md5(hosted.path("shop.first").read_bytes())
    hosted.execute(
        f"INSERT INTO {TABLE} (file_path, file_hash, applied_date) VALUES"  # noqa: S608 - our own name
        f" ('shop/management/commands/first.py', '{digest}', '2019-03-04 10:22:33.123456')"
    )
    hosted.manage("second")
    assert "adopt_scripts_tracker --plan" in hosted.manage("run_scripts", code=2).err
    assert "Nothing was changed." in hosted.manage("adopt_scripts_tracker", "--plan").out
    assert hosted.states() == {"shop.first": "new", "shop.second": "applied"}
    for _ in range(2):
        hosted.manage("adopt_scripts_tracker")
        first, second = hosted.check("--all")["scripts"]
        assert (first["state"], first["applied_at"], second["state"]) == ("applied", WHEN, "applied")
        hosted.manage("run_scripts")
    assert hosted.execute(f"SELECT COUNT(*) FROM {TABLE}") == [(1,)]  # noqa: S608 - as above


# The parts


@pytest.mark.parametrize(
    "source",
    [
        b"from scripts_tracker.exceptions import UnknownScript\n",
        b"import scripts_tracker\n",
        b"# from scripts_tracker import tracked_script\n",
        b"from shop.scripts_tracker import tracked_script\n",
        b"x = 'from scripts_tracker import tracked_script'\n",
    ],
)
def test_other_imports_are_unchanged(source: bytes) -> None:
    assert legacy_sources.with_new_imports(source) == source
    assert set(legacy_sources.with_old_imports(source)) == {source}


def test_imports_are_replaced_as_the_lint_replaces_them() -> None:
    was = (
        b"from django_scripts_tracker.core_tracker import tracked_script\r\n"
        b"from  django_scripts_tracker.dependency_tracker  import (\r\n  required_preceding_script,\r\n)\r\n"
    )
    now = was.replace(b"django_scripts_tracker.core_tracker", b"scripts_tracker").replace(
        b"django_scripts_tracker.dependency_tracker", b"scripts_tracker"
    )
    assert legacy_sources.with_new_imports(was) == now
    assert was in legacy_sources.with_old_imports(now)


def test_git_finds_every_content_on_every_branch(tmp_path: Path) -> None:
    file = tmp_path / "backend" / "shop" / "management" / "commands" / "a b.py"
    file.parent.mkdir(parents=True)
    versions = [b"one\n", b"two\r\n", b"three"]
    for number, version in enumerate(versions):
        file.write_bytes(version)
        commit(tmp_path, str(number))
    file.unlink()
    (tmp_path / "other.py").write_bytes(b"elsewhere")
    commit(tmp_path, "gone")
    wanted = {md5(one) for one in (b"one\r\n", b"two\r\n", b"elsewhere", b"never")}
    found, trouble = legacy_sources.contents_in_git(str(file.parents[3]), wanted)
    assert (set(found.values()), trouble) == ({b"one\r\n", b"two\r\n"}, "")


def test_the_reason_is_given_if_git_cannot_answer(tmp_path: Path) -> None:
    found, trouble = legacy_sources.contents_in_git(str(tmp_path), {"x"})
    assert found == {}
    assert "not a git repository" in trouble
