"""The same mistake, the same exit code and a line that says what to type, whatever the command."""

from __future__ import annotations

import shlex
import sys

import pytest

from tests.commands import Answer, ask
from tests.conftest import Project

# How each command is called with a name, and with nothing wrong.
WITH_NAME = {
    "check_scripts": "check_scripts {}",
    "to mark": "check_scripts --mark-applied {}",
    "to unmark": "check_scripts --unmark {}",
    "to release": "check_scripts --release {} --reason x",
    "to verify": "check_scripts --verify {}",
    "run_scripts": "run_scripts {}",
    "to plan": "run_scripts {} --plan",
    "to rehearse": "run_scripts {} --rehearse",
    "run_all_scripts": "run_all_scripts {}",
    "show_script": "show_script {}",
    "to watch": "show_script {} --watch",
    "to see a run": "show_script {} --run -1",
    "pause_script": "pause_script {} --reason x",
    "resume_script": "resume_script {}",
    "cancel_script": "cancel_script {} --reason x",
    "prune_script_runs": "prune_script_runs {} --keep 1",
    "to require": "start_script shop new --require {}",
    "to adopt": "start_script --adopt {}",
}
NAMES = {
    "a slip": ("shop.fix_totlas", "did you mean"),
    "nothing like it": ("qqqqqq", "to list them: manage.py check_scripts --"),
    "a pattern": ("'qq*'", "to list them: manage.py check_scripts --"),
    "a path": ("nowhere/qqqqqq.py", "to list them: manage.py check_scripts --"),
    "a script of two apps": ("twice", "use one of: shop.twice, stock.twice"),
}
OTHERS = {
    "an option that does not exist": (
        [
            *(
                "check_scripts --qq",
                "run_scripts --qq",
                "run_all_scripts --qq",
                "show_script shop.twice --qq",
            ),
            *("start_script --qq", "prune_script_runs --qq", "pause_script a --qq", "resume_script a --qq"),
            *("cancel_script a --qq", "adopt_scripts_tracker --qq"),
        ],
        "unrecognized arguments: --qq",
    ),
    "an abbreviation": (
        [
            *(
                "check_scripts --untrack",
                "run_scripts --enq",
                "run_all_scripts --enq",
                "show_script a --hist",
            ),
            *("start_script --batch", "prune_script_runs --old", "resume_script a --rest"),
            *("cancel_script a --reas", "adopt_scripts_tracker --data"),
        ],
        "did you mean --",
    ),
    "a format that does not exist": (
        [
            *("check_scripts --format qq", "show_script a --format qq", "run_scripts --plan --format qq"),
            "adopt_scripts_tracker --format qq",
        ],
        "invalid choice: 'qq'",
    ),
    "no number": (
        [
            *("run_scripts --wait qq", "run_scripts --workers qq", "run_scripts --rehearse --batches qq"),
            *("prune_script_runs --keep qq", "prune_script_runs --older-than qq"),
        ],
        ", got 'qq'.",
    ),
    "no reason": (
        [
            *("pause_script shop.twice", "cancel_script shop.twice", "check_scripts --release shop.twice"),
            "pause_script shop.twice --reason ' '",
        ],
        "needs a reason, which the ledger keeps: --reason",
    ),
    "options that need another one": (
        [
            *(
                "check_scripts --plan",
                "check_scripts --reason x",
                "check_scripts --since main",
                "run_scripts --sql",
            ),
            *("run_scripts --from x.json", "show_script shop.twice --raw", "start_script shop new --model x"),
        ],
        " goes with ",
    ),
    "nothing to do it with": (
        ["start_script", "start_script shop", "prune_script_runs"],
        "",
    ),
    "a missing argument": (["show_script", "pause_script", "resume_script", "cancel_script"], "required: "),
}


@pytest.fixture
def shop(migrated: Project) -> Project:
    for script in ("shop.fix_totals", "shop.twice", "stock.twice"):
        migrated.command(script)
    migrated.command("shop.plain", decorators="")
    return migrated


def answers(project: Project, lines: list[str]) -> list[tuple[str, Answer]]:
    """Each line, with what manage.py says to it."""
    return list(zip(lines, ask(project, *(("manage.py", *shlex.split(line)) for line in lines)), strict=True))


@pytest.mark.parametrize(("name", "words"), NAMES.values(), ids=NAMES)
def test_a_wrong_name(name: str, words: str, shop: Project) -> None:
    kinds = [kind for kind in WITH_NAME if kind != "to adopt" or name != "twice"]
    for line, result in answers(shop, [WITH_NAME[kind].format(name) for kind in kinds]):
        assert (line, result.code, result.out) == (line, 2, "")
        assert words in result.err
        assert result.err.count("\n") == 1, result.err


@pytest.mark.parametrize(("lines", "words"), OTHERS.values(), ids=OTHERS)
def test_another_mistake(lines: list[str], words: str, shop: Project) -> None:
    for line, result in answers(shop, lines):
        assert (line, result.code, result.out) == (line, 2, "")
        assert words in result.err, line
        assert "Traceback" not in result.err


REFUSED = [
    "check_scripts --unmark shop.fix_totals",
    "check_scripts --release shop.fix_totals --reason x",
    "pause_script shop.fix_totals --reason x",
    "resume_script shop.fix_totals",
    "cancel_script shop.fix_totals --reason x",
]


def test_what_a_script_is_not_in_a_state_for_is_refused_with_1(shop: Project) -> None:
    for line, result in answers(shop, REFUSED):
        assert (line, result.code) == (line, 1)
        assert result.err.startswith("shop.fix_totals "), result.err


WITHOUT_LEDGER = [
    line.format("shop.fix_totals")
    for kind, line in WITH_NAME.items()
    if kind not in {"to require", "to adopt"}  # they write files
] + ["check_scripts", "run_scripts", "check_scripts --mark-all-applied", "adopt_scripts_tracker"]
BROKEN = {
    "no tables": (
        "",
        "do not exist in database 'default'; create them with: manage.py migrate scripts_tracker\n",
    ),
    "no database": (
        "DATABASES['default']['NAME'] = BASE_DIR / 'nowhere' / 'db.sqlite3'",
        "the ledger in database 'default' cannot be used: unable to open database file\n",
    ),
}


@pytest.mark.parametrize(("settings", "words"), BROKEN.values(), ids=BROKEN)
def test_a_ledger_that_cannot_be_used(settings: str, words: str, project: Project) -> None:
    project.command("shop.fix_totals")
    project.settings(settings)
    for line, result in answers(project, WITHOUT_LEDGER):
        assert (line, result.code, result.out) == (line, 2, "")
        if not line.startswith("adopt"):
            assert result.err.endswith(words), (line, result.err)
        assert result.err.count("\n") == 1, result.err


READING = ["check_scripts", "check_scripts --all", "show_script fix_totals", "run_scripts --plan"]
WRITING = ["run_scripts", "check_scripts --mark-all-applied", "fix_totals"]


def test_a_database_that_is_read_only_can_be_read(shop: Project) -> None:
    options = "NAME='file:db.sqlite3?mode=ro', OPTIONS={'uri': True}"
    shop.settings(f"DATABASES['default'].update({options})")
    for line in READING:
        shop.manage(*shlex.split(line))
    for line in WRITING:
        result = shop.manage(*shlex.split(line), code=None)
        assert (line, result.code) in {(line, 1), (line, 2)}
        assert "attempt to write a readonly database" in result.text, (line, result)
        assert "Traceback" not in result.err


@pytest.mark.parametrize("program", ["lint", "fleet"])
def test_the_programs_of_ours_have_the_same_codes(program: str, shop: Project) -> None:
    code = f"from scripts_tracker.{program}.cli import process; process()"
    for arguments in (["--qq"], ["--form", "text"], ["--format", "qq", "x"], ["nowhere.json"]):
        result = shop.run(sys.executable, "-c", code, *arguments)
        assert (arguments, result.code, result.out) == (arguments, 2, "")
        assert "Traceback" not in result.err


def test_a_name_of_two_apps_is_not_typed_for_the_script_that_django_does_not_offer(shop: Project) -> None:
    shop.command("stock.twice", body="print('that of stock')")
    shop.manage("check_scripts", "--mark-all-applied")
    hint = "To run it anyway: manage.py twice\n"
    assert hint in shop.manage("run_scripts", "shop.twice").out
    assert "stock" not in shop.manage("twice").out
    other = shop.manage("run_scripts", "stock.twice").out
    assert "stock.twice is up to date (applied on " in other
    assert hint not in other
