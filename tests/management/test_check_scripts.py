from __future__ import annotations

import json
import sys

import pytest

from tests.conftest import Project


@pytest.fixture
def shop(migrated: Project) -> Project:
    """Three scripts in a chain, one ordinary command, migrated."""
    migrated.command("shop.second", decorators='@tracked_script\n    @required_preceding_script("first")')
    migrated.command("shop.first")
    migrated.command(
        "stock.third", decorators='@tracked_script\n    @required_preceding_script("shop.second")'
    )
    ordinary = "from django.core.management.base import BaseCommand\nclass Command(BaseCommand): ...\n"
    migrated.write("shop/management/commands/ordinary.py", ordinary)
    return migrated


WRONG = {
    "an unknown name": (["frist"], "did you mean shop.first?"),
    "an unknown name to mark": (["--mark-applied", "shop.secnd"], "did you mean shop.second?"),
    "an unknown name to unmark": (["--unmark", "thrid"], "did you mean stock.third?"),
    "an untracked command": (["ordinary"], "there is no tracked script 'ordinary'"),
    "a reason without a decision": (["--reason", "x"], "--reason goes with"),
    "names beside --mark-all-applied": (["first", "--mark-all-applied"], "--mark-applied NAME"),
    "forgetting what was never applied": (["--unmark", "first"], "there is nothing to unmark"),
}


@pytest.mark.parametrize(("arguments", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_use_is_one_line_that_says_what_to_type(
    shop: Project, arguments: list[str], words: str
) -> None:
    result = shop.manage("check_scripts", *arguments, code=None)
    assert result.code not in {0, 3, 4}
    assert words in result.err
    assert "Traceback" not in result.text
    assert len(result.err.strip().splitlines()) == 1


def test_two_decisions_at_once_are_refused(shop: Project) -> None:
    result = shop.manage("check_scripts", "--mark-all-applied", "--unmark", "first", code=2)
    assert "not allowed with" in result.err


def test_before_the_first_migrate_it_names_the_command_to_type(project: Project) -> None:
    project.command("shop.first")
    result = project.manage("check_scripts", code=2)
    assert result.err.strip() == (
        "the tables of scripts_tracker do not exist in database 'default';"
        " create them with: manage.py migrate scripts_tracker"
    )


def test_a_missing_database_is_one_clear_line(project: Project) -> None:
    project.settings('DATABASES["default"]["NAME"] = "/proc/no/such/folder/db.sqlite3"')
    result = project.manage("check_scripts", code=2)
    assert "Traceback" not in result.text
    assert "unable to open database file" in result.err


def test_new_scripts_are_listed_with_path_help_and_why(shop: Project) -> None:
    lines = shop.manage("check_scripts").out.splitlines()
    assert lines[:3] == [
        "Checking management scripts:",
        "  You have 3 new and 0 modified management scripts to be applied.",
        "New scripts (3):",
    ]
    at = lines.index("  shop/management/commands/second.py")
    assert lines[at + 1 : at + 4] == [
        "    Does second",
        "    shop.second: never applied here",
        "    requires shop.first (new)",
    ]
    assert "ordinary" not in "\n".join(lines)


def test_names_limit_the_report(shop: Project) -> None:
    found = shop.check("second", "stock.third")["scripts"]
    assert [script["script"] for script in found] == ["shop.second", "stock.third"]


def test_without_a_change_the_exit_code_is_0_unless_check_asks(shop: Project) -> None:
    shop.manage("check_scripts", code=0)
    shop.manage("check_scripts", "--check", code=1)
    shop.manage("check_scripts", "--mark-all-applied")
    shop.manage("check_scripts", "--check", code=0)


def test_mark_all_applied_records_every_script_with_the_reason(shop: Project) -> None:
    result = shop.manage("check_scripts", "--mark-all-applied", "--reason", "ran by hand")
    assert result.out.splitlines() == [
        "Marked as applied (3):",
        "  shop.first",
        "  shop.second",
        "  stock.third",
    ]
    assert set(shop.states().values()) == {"applied"}
    rows = shop.python(
        "from scripts_tracker.models import ScriptRun\n"
        "print(list(ScriptRun.objects.values_list('kind', 'outcome', 'reason').distinct()))"
    )
    assert rows.out.strip() == "[('mark', 'succeeded', 'ran by hand')]"


def test_mark_all_applied_answers_to_the_old_name_in_call_command(shop: Project) -> None:
    shop.python(
        "from django.core.management import call_command\n"
        "call_command('check_scripts', mark_all_scripts_as_applied=True)"
    )
    assert set(shop.states().values()) == {"applied"}


def test_mark_applied_and_unmark_change_only_what_is_named(shop: Project) -> None:
    shop.manage("check_scripts", "--mark-applied", "first", "stock.third")
    assert shop.states() == {"shop.first": "applied", "shop.second": "new", "stock.third": "applied"}
    shop.manage("check_scripts", "--unmark", "stock.third")
    assert shop.states()["stock.third"] == "new"


def test_a_script_that_cannot_be_marked_is_named_and_the_rest_is_done(shop: Project) -> None:
    shop.path("shop.first").write_text("from scripts_tracker import tracked_script\ndef broken(:\n")
    result = shop.manage("check_scripts", "--mark-all-applied", code=1)
    assert "shop.first skipped: the file cannot be parsed; fix it first" in result.err
    assert shop.states() == {"shop.first": "unreadable", "shop.second": "applied", "stock.third": "applied"}


def test_an_unmarked_script_without_a_file_is_dropped(shop: Project) -> None:
    shop.manage("check_scripts", "--mark-applied", "first")
    shop.path("shop.first").unlink()
    assert shop.states()["shop.first"] == "missing"
    assert "--unmark" in shop.manage("check_scripts", "--mark-applied", "first", code=1).err
    shop.manage("check_scripts", "--unmark", "first")
    assert "shop.first" not in shop.states()


def test_formatting_keeps_a_script_applied_and_a_change_makes_it_modified(shop: Project) -> None:
    shop.manage("check_scripts", "--mark-all-applied")
    file = shop.path("shop.first")
    before = file.read_text()
    file.write_text("# a licence\n\n" + before.replace("'done'", '"done"').replace("\n", "\r\n"))
    assert shop.states()["shop.first"] == "applied"
    file.write_text(before.replace("'done'", "'gone'"))
    assert shop.states()["shop.first"] == "modified"
    shop.manage("check_scripts", "--check", code=1)
    shop.manage("check_scripts", "--mark-applied", "first")
    file.write_text(before)
    assert shop.states()["shop.first"] == "reverted"


def test_a_script_that_moves_to_another_app_is_moved(shop: Project) -> None:
    shop.manage("check_scripts", "--mark-applied", "first")
    shop.path("shop.first").rename(shop.path("stock.first"))
    states = shop.states()
    assert (states["shop.first"], states["stock.first"]) == ("missing", "moved")
    document = shop.check()
    assert [script["script"] for script in document["scripts"] if script["state"] == "moved"] == [
        "stock.first"
    ]


def test_rerun_once_is_edited_and_rerun_always_recurring(migrated: Project) -> None:
    migrated.command("shop.once", decorators='@tracked_script(rerun="once")')
    migrated.command("shop.always", decorators='@tracked_script(rerun="always")')
    migrated.manage("check_scripts", "--mark-all-applied")
    for name in ("once", "always"):
        file = migrated.path(f"shop.{name}")
        file.write_text(file.read_text().replace("done", "gone"))
    assert migrated.states() == {"shop.once": "edited", "shop.always": "recurring"}
    migrated.manage("check_scripts", "--check", code=0)


def test_the_tree_shows_unapplied_scripts_and_their_unapplied_requirements(shop: Project) -> None:
    out = shop.manage("check_scripts", "--show-dependencies").out
    tree = out[out.index("Script dependencies:") :].splitlines()
    assert tree[1:4] == ["  └── stock.third", "      └── shop.second", "          └── shop.first"]
    shop.manage("check_scripts", "--mark-applied", "first")
    assert "└── shop.first" not in shop.manage("check_scripts", "--show-dependencies").out


def test_a_cycle_is_named_as_a_cycle(shop: Project) -> None:
    shop.command("shop.first", decorators='@tracked_script\n    @required_preceding_script("stock.third")')
    out = shop.manage("check_scripts", "--show-dependencies").out
    assert "Cycle: shop.first -> stock.third -> shop.second -> shop.first" in out
    assert "ST006" in out


def test_plain_text_goes_to_a_pipe_and_colours_only_on_request(shop: Project) -> None:
    assert "\x1b[" not in shop.manage("check_scripts").out
    assert "\x1b[" in shop.manage("check_scripts", "--force-color").out
    assert "\x1b[" not in shop.manage("check_scripts", "--no-color").out


def test_json_after_a_decision_is_only_json(shop: Project) -> None:
    result = shop.manage("check_scripts", "--mark-all-applied", "--format", "json", "--all")
    assert json.loads(result.out)["counts"]["applied"] == 3
    assert "Marked as applied (3)" in result.err


def test_mermaid_is_drawn(shop: Project) -> None:
    assert shop.manage("check_scripts", "--format", "mermaid").out.startswith("flowchart TD\n")


def test_one_broken_file_is_reported_at_its_place_and_hides_nothing(shop: Project) -> None:
    marker = b"from scripts_tracker import tracked_script\n"
    folder = "shop/management/commands"
    shop.write(f"{folder}/binary.py", marker + b"\x00\x01\x02")
    shop.write(f"{folder}/latin.py", marker + "name = 'é'\n".encode("latin-1"))
    shop.write(f"{folder}/unfinished.py", marker + b"def f(:\n")
    shop.write(f"{folder}/huge.py", marker + b"x = 1\n" * 2_000_000)
    shop.write(f"{folder}/nested.py", marker + b"x = " + b"[" * 5_000 + b"]" * 5_000)
    (shop.root / folder / "folder.py").mkdir()
    (shop.root / folder / "dangling.py").symlink_to("nowhere.py")
    document = shop.check("--all")
    states = {script["script"]: script["state"] for script in document["scripts"]}
    for name in ("binary", "latin", "unfinished", "huge", "nested"):
        assert states[f"shop.{name}"] == "unreadable"
    assert states["shop.first"] == "new"
    problems = {problem["path"]: problem for problem in document["problems"]}
    assert problems[f"{folder}/latin.py"]["line"] == 2
    assert problems[f"{folder}/unfinished.py"]["line"] == 2
    assert {"binary", "latin", "unfinished", "huge", "nested", "folder", "dangling"} == {
        path.rpartition("/")[2].removesuffix(".py") for path in problems
    }
    assert all(problem["code"] == "ST000" and problem["hint"] for problem in problems.values())
    shop.manage("check_scripts", "--check", code=4)
    assert "New scripts" in shop.migrate().out


def test_an_ignored_script_is_not_gone_and_its_copy_has_not_moved(shop: Project) -> None:
    shop.manage("check_scripts", "--mark-applied", "first")
    shop.write("stock/management/commands/copy.py", shop.path("shop.first").read_bytes())
    shop.settings('IGNORED_FILES = ("first.py",)')
    states = shop.states()
    assert (states["shop.first"], states["stock.copy"]) == ("missing", "new")
    assert "its file is ignored by IGNORED_FILES" in shop.manage("check_scripts", "--all").out


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_stream_that_knows_only_ascii_gets_escapes(shop: Project, form: str) -> None:
    file = shop.path("shop.first")
    file.write_text(file.read_text().replace("Does first", "Größe \\x1b[31m ☃"))
    result = shop.manage("check_scripts", "--format", form, "--show-dependencies", PYTHONIOENCODING="ascii")
    assert "Gr\\xf6\\xdfe" in result.out if form == "text" else json.loads(result.out)
    assert "\x1b" not in result.out
    assert "Gr\\xf6\\xdfe" in shop.manage("migrate", PYTHONIOENCODING="ascii").out


def test_a_closed_pipe_is_no_error(shop: Project) -> None:
    for number in range(300):
        shop.command(f"shop.many{number}")
    result = shop.run("sh", "-c", f"{sys.executable} manage.py check_scripts | true")
    assert result.err == ""


def test_a_reason_of_any_bytes_is_kept(shop: Project) -> None:
    shop.manage("check_scripts", "--mark-applied", "first", "--reason", "caf\udcff")
    assert shop.states()["shop.first"] == "applied"
