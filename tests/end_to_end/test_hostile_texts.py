"""No command prints what a stranger wrote as it is: it might control the terminal, or the log of a CI server."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import pytest

from scripts_tracker.lint.formats import FORMATS
from tests import commands as one_process
from tests.adoption.old_tracker import OldTracker
from tests.commands import Answer
from tests.conftest import COMMAND, Project, make_project

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has no such names of files")

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

H = "\x1b[2J\u202e\n::error::x\r\x9b2J\x07##vso[x]\u2028"
"""Clears the screen, turns the text, starts a line that GitHub takes for a command; Azure takes the rest for one."""
LINE = H.replace("\n", "").replace("\r", "").replace("\u2028", "")
"""What of it may stand in a line of Python."""
FOLDER = "shop/management/commands"
OURS = r"\x1b\[[\d;]*m|\r\x1b\[K|\x1b\[1A\x1b\[K"
"""Colours, and the update of a line in place."""


def ask(project: Project, *commands: tuple[str, ...], **env: str) -> list[Answer]:
    """What the commands answer to a user with a hostile name."""
    return one_process.ask(project, *commands, LOGNAME=f"user{H}", COLUMNS="80", **env)


def assert_harmless(answer: Answer) -> None:
    """No character that controls or hides, and no line that a CI server obeys, except those of the format for it."""
    for text in (re.sub(OURS, "", answer.out), re.sub(OURS, "", answer.err)):
        unprintable = {one for one in text if not one.isprintable() and one not in "\n\t"}
        assert not unprintable, (answer.arguments, sorted(unprintable), text)
        assert not re.search(r"##\w*\[", text), (answer.arguments, text)
        lines = [line for line in text.split("\n") if line.strip().startswith("::")]
        if "github" in answer.arguments:
            lines = [line for line in lines if not re.fullmatch(r"::error file=[^:]*,title=ST\d+::.*", line)]
        assert not lines, (answer.arguments, text)


def _source(*, help_: str = "", decorators: str = "", body: str = "pass") -> str:
    text = COMMAND.format(name="it", decorators=f"{decorators}\n    @tracked_script".strip(), body=body)
    return text.replace('"Does it"', repr(help_ or f"Helps{H}"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, migrated_database: Path) -> Project:
    """A project in which everything that has a name or a text has a hostile one, and a history of such runs."""
    project = make_project(tmp_path_factory.mktemp("hostile") / "a project", {})
    project.write("db.sqlite3", migrated_database.read_bytes())
    project.app("shop")
    scripts = {
        "new": _source(
            decorators=f"@required_preceding_script({f'shop.none{H}'!r}, {f'shop.ran{H}'!r})",
        ).replace(
            "@tracked_script", f"@tracked_script(tags=({f'tag{H}'!r},), watch=({f'shop.watched{H}'!r},))"
        ),
        "ran": _source(body=f"self.stdout.write({H!r})"),
        "edited": _source(),
        "gone": _source(),
        "fails": _source(body=f"raise RuntimeError({H!r})"),
        "refuses": _source(
            body=f"from django.core.management.base import CommandError; raise CommandError({H!r})"
        ),
        "exits": _source(body=f"raise SystemExit({H!r})"),
        "one": _source(decorators=f"@required_preceding_script({f'shop.other{H}'!r})"),
        "other": _source(decorators=f"@required_preceding_script({f'shop.one{H}'!r})"),
        "waits": _source(body=f"x = input({H!r})").replace("help =", "text ="),
        "fixable": _source(body=f"'{LINE}'").replace(
            "def handle",
            f"@required_preceding_script({f'shop.ran{H}'!r})\n    @tracked_script\n    def handle",
        ),
    }
    for name, source in scripts.items():
        project.write(f"{FOLDER}/{name}{H}.py", source)
    project.write(f"{FOLDER}/_hidden{H}.py", _source())
    project.write(f"lib{H}/management/commands/elsewhere{H}.py", _source(body="input()"))
    project.write("::error::y/management/commands/third.py", _source(body="input()"))
    ask(project, ("manage.py", "run_scripts", "--continue-on-error", "--no-input"))
    project.write(f"{FOLDER}/edited{H}.py", _source(body=f"text = '{LINE}'"))
    project.write(f"{FOLDER}/broken{H}.py", f"@tracked_script\n'{LINE}' = (")
    (project.root / FOLDER / f"gone{H}.py").unlink()
    host = f"from scripts_tracker.models import ScriptRun; ScriptRun.objects.update(host={f'host{H}'!r})"
    project.python(host)
    return project


NAMES = [
    f"shop.{name}{H}"
    for name in ("new", "ran", "edited", "gone", "fails", "refuses", "exits", "one", "broken")
]
CHECKS = [
    ("manage.py", "check_scripts", "--all", "--show-dependencies", "--check", "--format", format_)
    for format_ in ("text", "json", "mermaid", "dot")
]
SHOWS = [
    ("manage.py", "show_script", name, "--history", *options)
    for name in NAMES
    for options in ([], ["--diff"], ["--diff", "--raw"], ["--format", "json"])
] + [("manage.py", "show_script", name, "--watch") for name in NAMES]
RUNS = [
    ("manage.py", "run_scripts", "--plan"),
    ("manage.py", "run_scripts", "--plan", "--no-retry", *NAMES[:4]),
    (
        "manage.py",
        "run_scripts",
        "--continue-on-error",
        f"shop.fails{H}",
        f"shop.refuses{H}",
        f"shop.exits{H}",
    ),
    ("manage.py", "run_scripts", "--verbosity", "0", f"shop.fails{H}"),
    ("manage.py", "run_all_scripts", f"shop.fails{H}", f"shop.edited{H}"),
]
DECISIONS = [
    ("manage.py", "check_scripts", "--unmark", f"shop.ran{H}", f"shop.one{H}", "--reason", f"because{H}"),
    (
        "manage.py",
        "check_scripts",
        "--mark-applied",
        f"shop.ran{H}",
        f"shop.gone{H}",
        "--reason",
        f"because{H}",
    ),
    ("manage.py", "check_scripts", "--release", f"shop.ran{H}", "--reason", f"because{H}"),
    ("manage.py", "prune_script_runs", "--keep", "0", "--verbosity", "2"),
]
WRONG = [
    ("manage.py", "check_scripts", f"none{H}"),
    ("manage.py", "check_scripts", f"--none{H}"),
    ("manage.py", "check_scripts", "--format", f"none{H}"),
    ("manage.py", "check_scripts", "--unmark", f"none{H}"),
    ("manage.py", "show_script", f"none{H}"),
    ("manage.py", "run_scripts", f"none{H}"),
    ("manage.py", "run_scripts", "--wait", f"none{H}"),
    ("manage.py", "run_scripts", "--tag", f"tap{H}"),
    ("manage.py", "run_scripts", "--tag", "nothing like it"),
    ("manage.py", "run_scripts", f"shop.ran{H}", "--tag", f"tag{H}"),
    ("manage.py", "prune_script_runs", "--keep", f"none{H}"),
    ("manage.py", "prune_script_runs", "--older-than", f"none{H}"),
    ("manage.py", "prune_script_runs", f"none{H}"),
    ("manage.py", "adopt_scripts_tracker", "--database", f"none{H}"),
    ("manage.py", "start_script", f"none{H}", "fix"),
    ("manage.py", "start_script", "shop", f"none{H}"),
    ("manage.py", "start_script", "shop", "fix", "--require", f"none{H}"),
    ("manage.py", "start_script", "shop", "made", "--require", f"shop.ran{H}", "--help-text", f"Helps{H}"),
    ("lint", f"none{H}"),
    ("lint", f"--none{H}"),
    ("lint", "--root", f"none{H}"),
    ("lint", "--format", f"none{H}"),
    ("lint", "--select", f"none{H}"),
    ("lint", "--explain", f"none{H}"),
    ("lint", "--since", f"none{H}"),
    ("lint", "--stdin-filename", f"none{H}"),
]
LINTS = [
    ("lint", "--root", ".", *options)
    for options in (
        *(["--format", format_] for format_ in FORMATS),
        ["--statistics"],
        ["--diff"],
        [f"lib{H}"],
        ["--add-noqa"],
        ["--fix"],
    )
]
QUESTIONS = {
    "checks": [*CHECKS, ("manage.py", "migrate"), ("manage.py", "check", "--deploy")],
    "details": SHOWS,
    "lint": LINTS,
    "wrong use": WRONG,
    "runs": RUNS,
    "decisions": DECISIONS,
}


@pytest.mark.parametrize("env", [{}, {"TERMINAL": "1"}], ids=["in a log", "at a terminal"])
@pytest.mark.parametrize("commands", QUESTIONS.values(), ids=QUESTIONS)
def test_what_strangers_wrote_is_shown_in_a_harmless_form(
    commands: list[tuple[str, ...]], env: dict[str, str], hostile: Project
) -> None:
    for answer in ask(hostile, *commands, **env):
        assert_harmless(answer)


def test_json_has_the_names_as_they_are(hostile: Project) -> None:
    check, lint = ask(hostile, CHECKS[1], ("lint", "--root", ".", "--format", "json"))
    scripts = {script["script"]: script for script in json.loads(check.out)["scripts"]}
    assert set(NAMES) <= set(scripts)
    assert scripts[NAMES[0]]["help"] == f"Helps{H}".rstrip()
    assert scripts[NAMES[0]]["requires"] == [f"shop.none{H}", f"shop.ran{H}"]
    assert f"{FOLDER}/broken{H}.py" in {found["path"] for found in json.loads(lint.out)["findings"]}


def _with_settings(project: Project) -> list[tuple[str, ...]]:
    project.settings(
        f"SCRIPTS_TRACKER = {{{H!r}: 1, 'database': {H!r}, 'secret_pattern': {'(' + H!r}, 'lease_seconds': {H!r}}}\n"
        f"COMMANDS_DIRS = [{f'none{H}'!r}, 'shop/management/commands']\nIGNORED_FILES = {H!r}"
    )
    return [
        ("manage.py", "check"),
        ("manage.py", "check_scripts"),
        ("manage.py", "start_script", "shop", "x"),
    ]


def _with_a_template(project: Project) -> list[tuple[str, ...]]:
    project.settings(f"SCRIPTS_TRACKER = {{'script_template': {f'none{H}'!r}}}")
    return [("manage.py", "start_script", "shop", "fix")]


def _with_a_lint_table(project: Project) -> list[tuple[str, ...]]:
    for number, line in enumerate(
        (f"{json.dumps(H)} = 1", f"select = [{json.dumps(H)}]", f"roots = [{json.dumps(H)}]", f"= {LINE}")
    ):
        project.write(f"{number}/pyproject.toml", f"[tool.scripts_tracker]\n{line}\n")
    project.write("pyproject.toml", f"[tool.scripts_tracker]\nroots = [{json.dumps(H)}]\n")
    return [*(("lint", "--root", str(number)) for number in range(4)), ("manage.py", "check", "--deploy")]


def _with_a_broken_git(project: Project) -> list[tuple[str, ...]]:
    project.settings("CHECK_SCRIPT_GIT_STATUS = True")
    project.write(".git", f"gitdir: {H}")
    project.write(f"{FOLDER}/one{H}.py", _source())
    return [("manage.py", "run_scripts"), ("lint", "--since", "main"), ("lint",)]


def _with_an_old_table(project: Project) -> list[tuple[str, ...]]:
    old = OldTracker(project)
    old.create()
    project.write(f"{FOLDER}/one{H}.py", _source())
    for path in (f"{FOLDER}/one{H}.py", f"{FOLDER}/other{H}.py", f"{H}/elsewhere.py"):
        old.ran(path, b"")
    adopt = ("manage.py", "adopt_scripts_tracker")
    return [("manage.py", "migrate"), (*adopt, "--plan"), (*adopt, "--format", "json", "--plan"), adopt]


def _with_a_locked_script(project: Project) -> list[tuple[str, ...]]:
    project.write(f"{FOLDER}/one{H}.py", _source())
    project.python(
        "from scripts_tracker.core.values import ScriptId\n"
        "from scripts_tracker.models import Script, ScriptRun\n"
        "from scripts_tracker.ledger.statements import identity_of\n"
        "from django.utils import timezone\n"
        f"name = {f'one{H}'!r}\n"
        "script = Script.objects.create(identity=identity_of(ScriptId('shop', name)), app_label='shop', name=name,"
        f" path={f'{FOLDER}/one{H}.py'!r}, lease_expires=2**40)\n"
        "script.last_run = ScriptRun.objects.create(script=script, kind='run', outcome='running', pid=7,"
        f" started_at=timezone.now(), host={H!r}, user={H!r})\n"
        "script.save()"
    )
    return [
        ("manage.py", "run_scripts", "--wait", "0.2"),
        ("manage.py", f"one{H}"),
        ("manage.py", "check_scripts", "--mark-all-applied"),
        ("manage.py", "check_scripts", "--mark-applied", f"one{H}"),
        ("manage.py", "show_script", f"one{H}"),
        ("manage.py", "check_scripts"),
        ("manage.py", "check_scripts", "--release", f"one{H}", "--reason", f"because{H}"),
        ("manage.py", "show_script", f"one{H}", "--history"),
    ]


@pytest.mark.parametrize("env", [{}, {"TERMINAL": "1"}], ids=["in a log", "at a terminal"])
@pytest.mark.parametrize(
    "prepare",
    [
        _with_settings,
        _with_a_template,
        _with_a_lint_table,
        _with_a_broken_git,
        _with_an_old_table,
        _with_a_locked_script,
    ],
    ids=lambda prepare: prepare.__name__.strip("_").replace("_", " "),
)
def test_what_stands_in_settings_tables_and_repositories_is_shown_in_a_harmless_form(
    prepare: Callable[[Project], list[tuple[str, ...]]], env: dict[str, str], migrated: Project
) -> None:
    answers = ask(migrated, *prepare(migrated), **env)
    for answer in answers:
        assert_harmless(answer)
    said = "".join(answer.out + answer.err for answer in answers)
    assert "<U+202E>" in said or "\\u202e" in said, "it is shown at all"
