from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scripts_tracker.core.history import Past
from scripts_tracker.core.states import ScriptRecord, ScriptStatus, State
from scripts_tracker.core.values import Lease, ScriptId
from scripts_tracker.ledger import processes, queries
from scripts_tracker.models import Script, ScriptRun, ScriptVersion
from scripts_tracker.project import detail
from tests.builders import NOON, definition
from tests.builders import run as run_record
from tests.conftest import Project, make_project
from tests.databases.fixtures import SERVERS, HostedProject

SHOW = """
import io, json
from django.core.management import call_command
from django.core.management.base import CommandError
found = []
for arguments in {calls!r}:
    out = io.StringIO()
    try:
        call_command("show_script", *arguments, stdout=out)
    except CommandError as error:
        out.write(f"{{error.returncode}}: {{error}}")
    found.append(out.getvalue())
print(json.dumps(found))
"""
JSON = ("--format", "json")


def show(project: Project, *calls: Sequence[str]) -> list[str]:
    """What show_script writes, call by call: one process for all of them."""
    found: list[str] = json.loads(project.python(SHOW.format(calls=calls)).out)
    return found


@pytest.fixture(scope="module")
def after_a_run(migrated_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One script that ran and printed something, and one that requires it."""
    made = make_project(tmp_path_factory.mktemp("shown"), {})
    shutil.copy(migrated_database, made.root / "db.sqlite3")
    made.command("shop.first", decorators='@tracked_script(tags=("slow",))', body="print('hello'); x = 1")
    made.command("shop.second", decorators='@tracked_script\n    @required_preceding_script("first")')
    made.manage("first")
    return made


@pytest.fixture
def shop(after_a_run: Project, tmp_path: Path) -> Project:
    """The same in a folder of its own."""
    root = tmp_path / "a project"
    shutil.copytree(after_a_run.root, root, ignore=shutil.ignore_patterns("__pycache__"))
    return Project(root, after_a_run.env)


def edit(project: Project, old: str, new: str, script: str = "shop.first") -> None:
    file = project.path(script)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def document(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


WRONG = {
    "an unknown name": (["frist"], "did you mean shop.first?"),
    "an untracked command": (["ordinary"], "there is no tracked script 'ordinary'"),
    "a name that two apps have": (["second"], "use one of: shop.second, stock.second"),
    "raw without a diff": (["shop.first", "--raw"], "--raw goes with --diff"),
}


def test_a_wrong_use_is_one_line_that_says_what_to_type(shop: Project) -> None:
    shop.command("shop.ordinary", decorators="")
    shop.command("stock.second")
    answer = show(shop, *(arguments for arguments, _ in WRONG.values()))
    for text, (_, words) in zip(answer, WRONG.values(), strict=True):
        assert words in text
        assert text.startswith("2: ")
        assert len(text.strip().splitlines()) == 1


def test_before_the_first_migrate_it_names_the_command_to_type(project: Project) -> None:
    project.command("shop.first")
    result = project.manage("show_script", "first", code=2)
    assert "create them with: manage.py migrate scripts_tracker" in result.err


def test_a_script_that_ran_is_shown_with_its_past_and_who_requires_it(shop: Project) -> None:
    text, answer = show(shop, ["first"], ["shop.first", "--history", *JSON])
    for words in (
        "shop.first: applied\n",
        "tags: slow",
        "Required by  shop.second (new)",
        "last, current file",
    ):
        assert words in text
    assert "Output of the last run:\n  hello" in text
    found = document(answer)
    assert found["script"] == shop.check("--all", "first")["scripts"][0]
    assert found["required_by"] == ["shop.second"]
    assert found["output"] == "hello\n"
    assert [(run["outcome"], run["applies"]) for run in found["runs"]] == [("succeeded", True)]
    assert "diff" not in found


def test_the_diff_is_empty_while_only_the_layout_of_the_code_differs(shop: Project) -> None:
    edit(shop, "print('hello'); x = 1", '# note\n        print("hello")\n        x = 0x1')
    answer, raw = show(shop, ["first", "--diff", *JSON], ["first", "--diff", "--raw"])
    assert (document(answer)["script"]["state"], document(answer)["diff"]["text"]) == ("applied", "")
    assert "only formatting" in document(answer)["diff"]["note"]
    assert '+        print("hello")' in raw
    edit(shop, "0x1", "0x2")
    answer, text = show(shop, ["first", "--diff", *JSON], ["first"])
    assert document(answer)["script"]["state"] == "modified"
    assert [line for line in document(answer)["diff"]["text"].splitlines()[3:] if line[0] in "+-"] == [
        "-        print('hello'); x = 1",
        '+        print("hello")',
        "+        x = 0x2",
    ]
    assert "The current file is none of them." in text


def test_the_diff_is_empty_exactly_while_the_code_is_what_was_applied_last(shop: Project) -> None:
    for name, rerun in (("daily", "always"), ("former", "once"), ("back", "on-change")):
        shop.command(f"shop.{name}", decorators=f'@tracked_script(rerun="{rerun}")')
    edit(shop, "'done'", "'earlier'", "shop.back")
    shop.manage("run_scripts")
    names = ("first", "daily", "former", "back")
    same = [document(one) for one in show(shop, *([name, "--diff", *JSON] for name in names))]
    assert [one["diff"]["text"] for one in same] == [""] * len(names)
    edit(shop, "'earlier'", "'done'", "shop.back")
    shop.manage("run_scripts")
    edit(shop, "'done'", "'earlier'", "shop.back")
    edit(shop, "'done'", "'other'", "shop.daily")
    edit(shop, "'done'", "'other'", "shop.former")
    other = [document(one) for one in show(shop, *([name, "--diff", *JSON] for name in names))]
    assert [(one["script"]["state"], bool(one["diff"]["text"])) for one in other] == [
        ("applied", False),
        ("recurring", True),
        ("edited", True),
        ("reverted", True),
    ]


def test_the_diff_has_colours_on_request_and_no_foreign_ones(shop: Project) -> None:
    edit(shop, "x = 1", "x = '\x1b[2J'")
    answer, plain = show(shop, ["first", "--diff", "--force-color"], ["first", "--diff", "--no-color"])
    assert "\x1b[32;1m+" in answer
    assert "\x1b[2J" not in answer
    assert "x = '^[[2J'" in answer
    assert "\x1b" not in plain


def test_a_script_that_failed_shows_its_traceback_and_is_compared_with_what_failed(migrated: Project) -> None:
    migrated.command("shop.first", body="print('so far'); raise ValueError('boom')")
    migrated.manage("first", code=None)
    (before,) = show(migrated, ["first"])
    assert before.startswith("shop.first: failed\n")
    assert "so far" in before
    assert "ValueError: boom" in before[before.index("Traceback of the last run:") :]
    edit(migrated, "raise ValueError('boom')", "pass")
    diff = document(show(migrated, ["first", "--diff", *JSON])[0])["diff"]
    assert diff["old"].endswith(", never applied")
    assert diff["old"].startswith("tried on ")
    assert "+        print('so far'); pass" in diff["text"]


def test_a_file_that_cannot_be_analysed_is_shown_with_the_finding_and_the_raw_diff(shop: Project) -> None:
    edit(shop, "x = 1", "x = ")
    answer, text = show(shop, ["first", "--diff", *JSON], ["first"])
    found = document(answer)
    assert [problem["code"] for problem in found["problems"]] == ["ST000"]
    assert found["script"]["state"] == "unreadable"
    assert found["diff"]["is_raw"]
    assert "cannot be parsed" in found["diff"]["note"]
    assert "+        print('hello'); x = " in found["diff"]["text"].splitlines()
    assert "Problems (1):" in text


def test_a_script_whose_file_is_gone_or_moved_can_be_shown(shop: Project) -> None:
    shop.path("shop.first").rename(shop.path("stock.first"))
    names = ("shop.first", "stock.first")
    gone, moved, gone_diff, moved_diff = show(
        shop, *([name] for name in names), *([name, "--diff"] for name in names)
    )
    assert "the file is gone" in gone
    assert "The file is gone, so there is nothing" in gone_diff
    assert "applied as shop.first, whose file is gone" in moved
    assert "The same code was applied as shop.first" in moved_diff


def test_without_a_source_it_says_so_and_what_to_do(shop: Project) -> None:
    shop.python("from scripts_tracker.models import ScriptVersion; ScriptVersion.objects.update(source=None)")
    diff, text, new = show(shop, ["first", "--diff"], ["first"], ["second", "--diff"])
    assert "The source of this version was not stored; by its fingerprint the code is the same." in diff
    assert '"store_source" is on' in diff
    assert "source not stored" in text
    assert "was never applied here" in new


def test_without_a_source_other_code_is_not_called_the_same_and_no_diff_is_offered(shop: Project) -> None:
    shop.command("shop.daily", decorators='@tracked_script(rerun="always")')
    shop.manage("daily")
    shop.python("from scripts_tracker.models import ScriptVersion; ScriptVersion.objects.update(source=None)")
    edit(shop, "x = 1", "x = 2")
    edit(shop, "'done'", "'twice'", "shop.daily")
    answer = show(shop, ["first", "--diff"], ["daily", "--diff"], ["first"])
    assert [text.split(":")[1].split()[0] for text in answer] == ["modified", "recurring", "modified"]
    for text in answer[:2]:
        assert "The source of this version was not stored. Sources are stored" in text
    assert "--diff" not in answer[2]


def test_a_file_that_was_broken_from_the_start_is_offered_no_diff(shop: Project) -> None:
    shop.command("shop.broken").write_text("@tracked_script\ndef (")
    (text,) = show(shop, ["broken"])
    assert "--diff" not in text
    assert "when it is fixed: manage.py check_scripts shop.broken" in text


def test_without_a_diff_nothing_is_imported_that_compares(shop: Project) -> None:
    shop.manage("check_scripts")  # what is new is parsed once
    code = SHOW.format(calls=[["first"], ["first", "--diff"]])  # the bytes are the same
    out = shop.python(f"{code}\nimport sys\nprint('libcst' in sys.modules)").out
    assert out.splitlines()[-1] == "False"


def test_a_reader_that_goes_away_is_no_error_and_ascii_gets_escapes(shop: Project) -> None:
    edit(shop, "Does first", "Größe")
    assert shop.run("sh", "-c", f"{sys.executable} manage.py show_script first | true").err == ""
    assert "Gr\\xf6\\xdfe" in shop.manage("show_script", "first", PYTHONIOENCODING="ascii").out


@SERVERS
def test_every_kind_of_database_shows_the_past(hosted: HostedProject) -> None:
    hosted.command("shop.first", body="x = 1")
    hosted.manage("first")
    edit(hosted, "x = 1", "raise ValueError('boom')")
    hosted.manage("first", code=1)
    found = document(show(hosted, ["first", "--diff", *JSON])[0])
    assert [run["outcome"] for run in found["runs"]] == ["failed", "succeeded"]
    assert [(one["runs"], one["applied"], one["has_source"]) for one in found["versions"]] == [
        (1, 0, True),
        (1, 1, True),
    ]
    assert "-        x = 1" in found["diff"]["text"].splitlines()


# ---- The history, in the test suite's own database ----


def kept(outcome: str = "succeeded", **columns: Any) -> tuple[ScriptRecord, ScriptRun]:
    """A script with one run; the record that a check would have of it."""
    script = Script.objects.create(identity="1", app_label="shop", name="first", path="shop/first.py")
    version = ScriptVersion.objects.create(
        script=script, algorithm="st1", digest="a" * 64, content_digest="c" * 64, source=b"x = 1\n"
    )
    facts = {"kind": "run", "started_at": NOON, "version": version, **columns}
    run = ScriptRun.objects.create(script=script, outcome=outcome, **facts)
    return ScriptRecord(ScriptId("shop", "first"), script.path, pk=script.pk), run


OUTCOMES = {
    "a run that holds the script runs": ({}, True, "running"),
    "a run whose lease is over is lost": ({}, False, "lost"),
    "a run that is not the last is lost": ({"other": True}, True, "lost"),
    "a rehearsal of a living process runs": ({"kind": "rehearsal", "alive": True}, False, "running"),
    "a rehearsal of which nothing is known is lost": ({"kind": "rehearsal"}, True, "lost"),
}


@pytest.mark.django_db
@pytest.mark.parametrize(("columns", "lease_live", "outcome"), OUTCOMES.values(), ids=OUTCOMES)
def test_a_row_that_says_running_is_judged_by_its_lease(
    columns: dict[str, Any], *, lease_live: bool, outcome: str
) -> None:
    alive = columns.pop("alive", False)
    is_other = columns.pop("other", False)
    facts = {"pid": os.getpid(), "host": processes.host(), "process": processes.own()} if alive else {}
    record, run = kept("running", **columns, **facts)
    record = _with_last_run(record, run.pk + is_other, lease_live=lease_live)
    assert queries.history_of(record, 5).runs[0].outcome == outcome


def _with_last_run(record: ScriptRecord, pk: int, *, lease_live: bool) -> ScriptRecord:
    return record._replace(last_run=run_record("running")._replace(pk=pk), lease=Lease(lease_live, None, 1))


@pytest.mark.django_db
def test_runs_are_newest_first_and_bounded_and_counted_in_a_constant_number_of_queries() -> None:
    record, run = kept(applies=True, output="old")
    rows = [
        ScriptRun(
            script_id=record.pk, version_id=run.version_id, kind="run", outcome="failed", started_at=NOON
        )
        for _ in range(50)
    ]
    rows[-1].output, rows[-1].traceback = "printed", "trace"
    ScriptRun.objects.bulk_create(rows)
    ScriptRun.objects.create(script_id=record.pk, kind="unmark", outcome="succeeded", started_at=NOON)
    for limit in (5, 100):
        with CaptureQueriesContext(connection) as captured:
            past = queries.history_of(record, limit)
        assert len([query for query in captured if query["sql"].startswith("SELECT")]) <= 5
        assert past.total == 52
        assert len(past.runs) == min(limit, 52)
        assert past.runs[0].record.kind == "unmark"
        assert (past.output, past.traceback) == ("printed", "trace")
        (version,) = past.versions
        assert (version.runs, version.applied, version.has_source) == (51, 1, True)


@pytest.mark.django_db
def test_of_a_script_without_runs_there_is_no_past() -> None:
    script = Script.objects.create(identity="1", app_label="shop", name="first")
    record = ScriptRecord(ScriptId("shop", "first"), "", pk=script.pk)
    assert queries.history_of(record, 5) == Past()
    assert queries.source_of(script.pk, "none") is None


@pytest.mark.django_db
def test_a_source_that_is_damaged_is_called_that() -> None:
    record, _run = kept()
    record = record._replace(applied_content="c" * 64, applied_at=NOON)
    status = ScriptStatus(record.id, State.MODIFIED, definition("shop.first"), record)
    found = detail.compare(status)
    assert (found.lines, found.note) == ((), "The stored source of this version is damaged.")
