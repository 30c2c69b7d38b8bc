from __future__ import annotations

import io
import sys
import unittest.mock
from pathlib import Path
from typing import Any

import black
import pytest
from django.core.management import call_command

from scripts_tracker.core.values import CommandsDir, ScriptId
from scripts_tracker.exceptions import NotScaffolded
from scripts_tracker.project import scaffold
from scripts_tracker.project.scaffold import Scaffold
from tests.conftest import Project
from tests.jobs import Jobs

ABOUT = ScriptId("shop", "fix_totals")


def template() -> str:
    return Path(scaffold.TEMPLATE).read_text()


def requires(*names: str) -> tuple[ScriptId, ...]:
    return tuple(ScriptId(*name.split(".")) for name in names)


SCAFFOLDS = {
    "nothing required": Scaffold(ABOUT, "Fix totals"),
    "something of the same app": Scaffold(ABOUT, "Fix totals", requires("shop.first")),
    "something of another app": Scaffold(ABOUT, "Fix totals", requires("stock.first", "shop.second")),
    "more than a line holds": Scaffold(
        ABOUT, "Fix totals", requires(*(f"stock.script{n}" for n in range(9)))
    ),
    "quotes": Scaffold(ABOUT, "Say \"hi\" to 'all' of them"),
    "double quotes": Scaffold(ABOUT, 'Say "hi"'),
    "a backslash and what is not ASCII": Scaffold(ABOUT, 'Où est C:\\new "x"\' ✓'),
    "dollars": Scaffold(ABOUT, "Costs $5 and $name"),
    "a long text": Scaffold(ABOUT, "word " * 60 + "end"),
}


@pytest.mark.parametrize("made", SCAFFOLDS.values(), ids=SCAFFOLDS)
def test_the_new_script_is_formatted_and_as_requested(made: Scaffold, tmp_path: Path) -> None:
    from scripts_tracker.analysis.linking.scanning import analyse

    file = tmp_path / "fix_totals.py"
    file.write_text(scaffold.render(made, template()))
    assert black.format_str(file.read_text(), mode=black.Mode()) == file.read_text()
    (found,) = analyse(
        [CommandsDir("shop", "shop.management.commands", str(tmp_path))], root=str(tmp_path)
    ).definitions
    assert (found.id, found.help) == (ABOUT, made.help)
    assert [one.text for one in found.requires] == [
        one.name if one.app_label == "shop" else str(one) for one in made.requires
    ]


BATCHED = {
    "one of its app": Scaffold(ABOUT, "Fix totals", model="Order", models="shop.models"),
    "with requirements": Scaffold(ABOUT, "Fix", requires("shop.first"), "Order", "shop.models"),
    "one with long names": Scaffold(
        ABOUT, "Fix totals", model="Order" * 9, models=".".join(["shop_of_many_things"] * 3)
    ),
}


@pytest.mark.parametrize("made", BATCHED.values(), ids=BATCHED)
def test_the_new_batched_script_is_formatted_and_tracked(made: Scaffold, tmp_path: Path) -> None:
    from scripts_tracker.analysis.linking.scanning import analyse

    file = tmp_path / "fix_totals.py"
    file.write_text(scaffold.render(made, Path(scaffold.BATCHED_TEMPLATE).read_text()))
    assert black.format_str(file.read_text(), mode=black.Mode()) == file.read_text()
    found = analyse([CommandsDir("shop", "shop.management.commands", str(tmp_path))], root=str(tmp_path))
    assert [(one.id, one.is_batched, len(one.requires)) for one in found.definitions] == [
        (ABOUT, True, len(made.requires))
    ]
    assert bool(found.findings) == bool(made.requires)  # what it requires is not there


NO_MODEL = {
    "an app without models": (("stock",), "stock has no models; name one: --model shop.Order"),
    "a slip": (
        ("scripts_tracker", "--model", "ScriptRnu"),
        "there is no model 'ScriptRnu'; did you mean ScriptRun?",
    ),
    "another app without it": (
        ("stock", "--model", "shop.Order"),
        "there is no model 'shop.Order'; name it as Order",
    ),
}


@pytest.mark.parametrize(("arguments", "words"), NO_MODEL.values(), ids=NO_MODEL)
def test_a_batched_script_needs_a_model(
    arguments: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.apps import AppConfig, apps
    from django.core.management.base import CommandError

    from scripts_tracker.management.commands import start_script

    label, wanted = arguments[0], arguments[-1] if len(arguments) > 1 else None
    if label == "stock":
        monkeypatch.setattr(AppConfig, "get_models", lambda *_: iter(()))
        label = apps.get_app_config("scripts_tracker").label
        words = words.replace("stock", label)
    with pytest.raises(CommandError) as error:
        start_script._find_model(label, wanted)
    assert words in str(error.value)


def test_a_new_batched_script_passes_the_lint_and_runs(migrated: Project) -> None:
    from scripts_tracker.lint import cli

    model = ("--batched", "--model", "scripts_tracker.ScriptVersion")
    out = migrated.manage("start_script", "shop", "backfill", *model).out
    assert out.endswith("Fill it in, then run it: manage.py run_scripts shop.backfill --plan\n")
    assert (
        cli.main([str(migrated.root), "--root", str(migrated.root), "--ignore", "ST020", "--no-cache"]) == 0
    )
    assert "1 done" in migrated.manage("run_scripts").out
    assert migrated.states("--all") == {"shop.backfill": "applied"}


TEMPLATES = {
    "of its own": ({"batched_template": "own.py-tpl"}, "of ScriptVersion", ""),
    "of its own beside one of plain scripts": (
        {"batched_template": "own.py-tpl", "script_template": "plain.py-tpl"},
        "of ScriptVersion",
        "",
    ),
    "only one of plain scripts": (
        {"script_template": "plain.py-tpl"},
        "class Command(BatchedCommand)",
        'The built-in template is used: "script_template" is for plain scripts; for --batched, set "batched_template".\n',
    ),
}


@pytest.mark.parametrize(("given", "words", "err"), TEMPLATES.values(), ids=TEMPLATES)
def test_a_batched_script_has_a_template(
    jobs: Jobs, settings: Any, given: dict[str, str], words: str, err: str
) -> None:
    (jobs.root / "own.py-tpl").write_text("# $name of $model\n")
    (jobs.root / "plain.py-tpl").write_text("# $name\n")
    settings.SCRIPTS_TRACKER = given
    from scripts_tracker.management.commands import start_script

    written = io.StringIO()
    command = start_script.Command(stderr=written, stdout=io.StringIO())
    folder = CommandsDir("jobs", "jobs", str(jobs.path("x").parent))
    with unittest.mock.patch.object(start_script, "_find_folder", return_value=folder):
        call_command(command, "scripts_tracker", "fill", batched=True, model="scripts_tracker.ScriptVersion")
    assert words in jobs.path("fill").read_text()
    assert written.getvalue() == err


@pytest.mark.parametrize("text", ["$nothing", "$", "${help", "100 $% of it"])
def test_a_template_with_an_unknown_variable_is_refused(text: str) -> None:
    with pytest.raises(NotScaffolded, match=r"the variables are \$app_label, \$name"):
        scaffold.render(Scaffold(ABOUT, "x"), text)


def test_nothing_is_left_behind_where_the_file_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "management" / "commands" / ("x" * 300)
    with pytest.raises(NotScaffolded, match="cannot be written: File name too long"):
        scaffold.write(str(path), "text")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "words"),
    {"fix_totals": "Fix totals", "x": "X", "import_kingston-upon-hull": "Import kingston upon hull"}.items(),
)
def test_a_name_makes_a_help_text_to_begin_with(name: str, words: str) -> None:
    assert scaffold.help_of(name) == words


REFUSED = {
    "an app that does not exist": (["shpo", "fix"], "there is no app 'shpo'; did you mean shop?"),
    "an app that is not the project's": (["contenttypes", "fix"], "the app is not part of this project"),
    "an underscore": (["shop", "_fix"], "'_fix' is not a name for a script"),
    "a path": (["shop", "../fix"], "'../fix' is not a name for a script"),
    "a name with an ending": (["shop", "fix.py"], "'fix.py' is not a name for a script"),
    "an ignored prefix": (["shop", "tmp_fix"], "the settings ignore tmp_fix.py"),
    "a command of Django": (["shop", "migrate"], "django.core already has a command 'migrate'"),
    "a script that is there": (["stock", "first"], "shop already has a command 'first'"),
    "a requirement that does not exist": (
        ["shop", "fix", "--require", "shop.frist"],
        "there is no tracked script 'shop.frist'; did you mean shop.first?",
    ),
}


@pytest.fixture
def shop(project: Project) -> Project:
    project.settings(
        'INSTALLED_APPS = ["django.contrib.contenttypes", *INSTALLED_APPS]\nIGNORED_CMD_PREFIXES = ("tmp_",)'
    )
    project.command("shop.first")
    return project


def test_an_invalid_request_is_one_line_and_leaves_nothing(shop: Project) -> None:
    code = (
        "from django.core.management import CommandError, call_command\n"
        f"for arguments in {[arguments for arguments, _ in REFUSED.values()]!r}:\n"
        "    try: call_command('start_script', *arguments)\n"
        "    except CommandError as error: print(error)\n"
    )
    before = sorted(shop.root.rglob("*.py"))
    lines = shop.python(code).out.splitlines()
    assert sorted(shop.root.rglob("*.py")) == before
    for line, (_, words) in zip(lines, REFUSED.values(), strict=True):
        assert words in line


def test_a_script_is_made_runs_and_pleases_the_lint(shop: Project) -> None:
    shop.app("bare")
    for path in ("management/commands/__init__.py", "management/__init__.py"):
        (shop.root / "bare" / path).unlink()
    (shop.root / "bare/management/commands").rmdir()
    (shop.root / "bare/management").rmdir()
    shop.settings('INSTALLED_APPS += ["bare"]')
    result = shop.manage("start_script", "bare", "fix_it", "--require", "first", "--help-text", "Fix it")
    assert result.out.splitlines() == [
        "created bare/management",
        "created bare/management/__init__.py",
        "created bare/management/commands",
        "created bare/management/commands/__init__.py",
        "created bare/management/commands/fix_it.py",
        "Fill it in, then run it: manage.py run_scripts bare.fix_it --plan",
    ]
    lint = "from scripts_tracker.lint.cli import main; raise SystemExit(main([]))"
    assert shop.run(sys.executable, "-c", lint).text == "All checks passed.\n"
    shop.migrate()
    shop.manage("first")
    assert shop.manage("fix_it", "--dry-run").out == "0 rows would be changed.\n"
    assert shop.states()["bare.fix_it"] == "new"
    shop.manage("fix_it")
    assert shop.states()["bare.fix_it"] == "applied"


def test_the_project_may_bring_its_own_template(shop: Project) -> None:
    shop.settings('SCRIPTS_TRACKER = {"script_template": "ours.py-tpl"}')
    assert "cannot read the template" in shop.manage("start_script", "shop", "fix", code=2).err
    shop.write("ours.py-tpl", "# costs $$5\nHELP = $help\n$decorators\n")
    shop.manage("start_script", "shop", "fix")
    assert shop.path("shop.fix").read_text() == '# costs $5\nHELP = "Fix"\n    @tracked_script\n'
