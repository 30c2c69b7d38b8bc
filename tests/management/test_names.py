"""What is printed can be typed: apps, patterns and paths, in every command; and what each says to type next."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import load_command_class
from django.core.management.base import CommandError

from scripts_tracker.models import ScriptRun
from tests.jobs import Jobs

PATH = "jobs/management/commands/{}.py"


@pytest.fixture
def three(jobs: Jobs) -> Jobs:
    for name in ("fix_a", "fix_b", "other"):
        jobs.script(name)
    return jobs


UNKNOWN: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "to run": (("run_scripts", "fx_a"), {}),
    "to check": (("check_scripts", "fx_a"), {}),
    "to mark": (("check_scripts",), {"mark_applied": ["fx_a"]}),
    "to unmark": (("check_scripts",), {"unmark": ["fx_a"]}),
    "to release": (("check_scripts",), {"release": ["fx_a"], "reason": "gone"}),
    "to verify": (("check_scripts",), {"verify": ["fx_a"]}),
    "to show": (("show_script", "fx_a"), {}),
    "to prune": (("prune_script_runs", "fx_a"), {"keep": "1"}),
    "to pause": (("pause_script", "fx_a"), {"reason": "later"}),
    "to resume": (("resume_script", "fx_a"), {}),
    "to cancel": (("cancel_script", "fx_a"), {"reason": "wrong"}),
    "to require": (("start_script", "jobs", "new"), {"require": ["fx_a"]}),
}


@pytest.mark.parametrize(("words", "options"), UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_name_is_refused_with_the_nearest_one(
    three: Jobs, words: tuple[str, ...], options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from scripts_tracker.management.commands import start_script

    monkeypatch.setattr(start_script, "_find_folder", lambda _: three_folder())
    result = three.run(*words[1:], command=words[0], **options)
    assert result.code == 2
    assert "there is no tracked script 'fx_a'; did you mean jobs.fix_" in result.err
    assert not ScriptRun.objects.exists()


def three_folder() -> Any:
    from scripts_tracker.project import scan

    return scan.commands_dirs()[0]


GROUPS = {
    "an app": ("jobs", ["fix_a", "fix_b", "other"]),
    "a pattern": ("jobs.fix_*", ["fix_a", "fix_b"]),
    "a path": (PATH.format("other"), ["other"]),
}


@pytest.mark.parametrize(("name", "scripts"), GROUPS.values(), ids=GROUPS)
def test_scripts_are_named_in_the_same_way_everywhere(three: Jobs, name: str, scripts: list[str]) -> None:
    checked = json.loads(three.run(name, command="check_scripts", format="json").out)["scripts"]
    assert [one["script"] for one in checked] == [f"jobs.{one}" for one in scripts]
    plan = three.run(name, plan=True).out
    assert [line.split()[1] for line in plan.splitlines()[1:]] == [f"jobs.{one}:" for one in scripts]
    three.run(command="check_scripts", mark_applied=[name])
    assert [one for one, state in three.states().items() if state == "applied"] == scripts
    assert three.run(name, command="prune_script_runs", keep="1", dry_run=True).code == 0
    three.run(command="check_scripts", unmark=[name])
    assert set(three.states().values()) == {"new"}
    assert three.run(name).code == 0
    assert [one for one, state in three.states().items() if state == "applied"] == scripts


def test_of_a_group_only_what_needs_action_is_marked_and_of_names_each(three: Jobs) -> None:
    three.run("fix_a")
    group = three.run(command="check_scripts", mark_applied=["jobs"])
    assert (group.code, "fix_a" in group.text) == (0, False)
    named = three.run(command="check_scripts", mark_applied=["fix_a"])
    assert (named.code, named.err) == (1, "jobs.fix_a skipped: already applied\n")
    assert three.run(command="check_scripts", mark_applied=["jobs"]).out == (
        "Nothing to mark as applied here. Nothing was changed.\n"
    )
    assert three.run(command="check_scripts", release=["jobs"], reason="gone").out == (
        "Nothing to release here. Nothing was changed.\n"
    )


def test_of_a_group_only_what_needs_action_runs(three: Jobs) -> None:
    three.run("fix_a")
    out = three.run("fix_*").out
    assert "Running management scripts (1):" in out
    assert "fix_a" not in out
    assert "No scripts to run." in three.run("fix_*").out
    assert "jobs.fix_a is up to date" in three.run("fix_a").out


def test_a_script_that_is_named_is_listed_in_any_state(three: Jobs) -> None:
    three.run("fix_a")
    assert "Applied scripts (1):" in three.run("fix_a", command="check_scripts").out
    assert "Not listed: 1 applied" in three.run("jobs", command="check_scripts").out


def test_one_script_is_shown_however_it_is_named(three: Jobs) -> None:
    shown = {three.run(name, command="show_script").out for name in ("other", "oth*", PATH.format("other"))}
    assert len(shown) == 1
    several = three.run("jobs", command="show_script")
    assert (several.code, several.err) == (
        2,
        "'jobs' names 3 scripts; name one of them: jobs.fix_a, jobs.fix_b, jobs.other\n",
    )


PLANS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a mark": (
        {"mark_applied": ["fix_b"]},
        ["Would mark as applied (1):", "  jobs.fix_b: new, never applied here"],
    ),
    "a mark of what is applied": (
        {"mark_applied": ["fix_a"]},
        ["Would mark as applied (0):", "Would skip (1):", "  jobs.fix_a: already applied"],
    ),
    "all": (
        {"mark_all_scripts_as_applied": True},
        [
            "Would mark as applied (2):",
            "  jobs.fix_b: new, never applied here",
            "  jobs.other: new, never applied here",
        ],
    ),
    "an unmark": (
        {"unmark": ["fix_b"]},
        [
            "Would unmark (0):",
            "Would skip (1):",
            "  jobs.fix_b: it is not applied, so there is nothing to unmark",
        ],
    ),
    "a release, without a reason yet": (
        {"release": ["other"]},
        ["Would release (0):", "Would skip (1):", "  jobs.other: it is not running (state: new)"],
    ),
}


@pytest.mark.parametrize(("options", "lines"), PLANS.values(), ids=PLANS)
def test_the_plan_of_a_decision_changes_nothing(
    three: Jobs, options: dict[str, Any], lines: list[str]
) -> None:
    three.run("fix_a")
    before = list(ScriptRun.objects.values())
    result = three.run(command="check_scripts", plan=True, **options)
    assert result.out.splitlines() == [*lines, "Nothing was changed. To do it, leave out --plan."]
    assert (result.code, list(ScriptRun.objects.values())) == (0, before)


def test_a_plan_without_a_decision_is_wrong_use(three: Jobs) -> None:
    result = three.run(command="check_scripts", plan=True)
    assert (result.code, "--plan goes with --mark-all-applied" in result.err) == (2, True)


def test_a_check_ends_with_the_command_to_type(three: Jobs) -> None:
    def last(*names: str) -> str:
        return three.run(*names, command="check_scripts").out.splitlines()[-1]

    assert last() == "Run 'python manage.py run_scripts' to apply them."
    assert last("fix_*") == "Run 'python manage.py run_scripts \"fix_*\"' to apply them."
    three.script("other", "raise ValueError")
    three.run(continue_on_error=True)
    assert (
        last() == "Run 'python manage.py show_script jobs.other' to see why it failed and what to type next."
    )
    three.script("other", "pass")
    three.run()
    assert last() == "Not listed: 3 applied. To list all: manage.py check_scripts --all"


def test_a_run_that_fails_ends_with_the_command_to_type(three: Jobs) -> None:
    three.script("fix_b", "raise ValueError")
    result = three.run()
    assert result.err.splitlines()[-2:] == [
        "Some scripts did not run: 1 failed, 1 skipped.",
        "Run 'python manage.py show_script jobs.fix_b' to see its output and what to type next.",
    ]


def test_what_another_process_holds_has_not_failed(three: Jobs) -> None:
    three.begin_elsewhere("fix_b")
    result = three.run(wait="0", continue_on_error=True)
    assert result.code == 1
    assert "2 done, 0 failed, 1 held, 0 blocked, 0 skipped." in result.out
    assert "Held (1):\n  jobs.fix_b: running since " in result.out
    assert result.err.splitlines() == [
        "Some scripts did not run: 1 held.",
        "Run 'python manage.py show_script jobs.fix_b --watch' to follow it until it ends.",
    ]


NO_OPTIONS = {
    "a part of one of Django's": (
        "run_scripts --force",
        "--force; to run a script that is up to date: manage.py NAME",
    ),
    "one of other tools": ("run_scripts --dry-run", "--dry-run; to see what would run: --plan"),
    "one of other tools, elsewhere": ("check_scripts --fake", "did you mean --mark-applied NAME?"),
    "a part of one": ("check_scripts --show-dep", "--show-dep; did you mean --show-dependencies?"),
    "a part of several": ("check_scripts --mark", "did you mean --mark-all-applied or --mark-applied?"),
    "a slip": ("show_script x --histroy", "did you mean --history?"),
    "like nothing": ("show_script x --qqqq", "unrecognized arguments: --qqqq\n"),
}


@pytest.mark.parametrize(("line", "words"), NO_OPTIONS.values(), ids=NO_OPTIONS)
def test_an_option_that_does_not_exist_is_no_abbreviation(
    line: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    name, *arguments = line.split()
    parser = load_command_class("scripts_tracker", name).create_parser("manage.py", name)
    parser.called_from_command_line = True  # as run_from_argv() makes it
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def by_hand(command: str, *arguments: str) -> tuple[int, str]:
    """What a command line ends with and prints to stderr."""
    made = load_command_class("scripts_tracker", command)
    made.stderr = made.stderr.__class__(io.StringIO())
    try:
        made.run_from_argv(["manage.py", command, *arguments])
    except SystemExit as ended:
        return int(ended.code or 0), made.stderr._out.getvalue()  # type: ignore[attr-defined]  # Django's wrapper
    return 0, made.stderr._out.getvalue()  # type: ignore[attr-defined]  # as above


@pytest.mark.parametrize("command", ["check_scripts", "show_script", "run_scripts", "pause_script"])
def test_an_error_is_printed_without_the_name_of_a_class(
    three: Jobs, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import connections

    monkeypatch.setattr(connections, "close_all", lambda: None)  # they are the test's
    reason = ("--reason", "x") if command == "pause_script" else ()
    code, text = by_hand(command, "nothing", *reason, "--skip-checks")
    assert (code, text.partition(" 'nothing'")[0]) == (2, "there is no tracked script")


def test_errors_of_ours_have_the_name_of_djangos() -> None:
    from scripts_tracker.running import batch, calls, outcome, requirements, start

    ours: list[type] = [start.Held, start.Changed, outcome.Unrecorded, batch.BrokenBatch]
    ours += [
        requirements.Aborted,
        requirements.RequiredScripts,
        calls.Refused,
        calls.Stopped,
        calls.TakenOver,
    ]
    assert {one.__name__ for one in ours} == {CommandError.__name__}
