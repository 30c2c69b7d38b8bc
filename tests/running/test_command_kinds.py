"""Commands that are not plain: other parsers, django-typer, django-click; what cannot be tracked says why."""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from scripts_tracker.models import ScriptRun
from scripts_tracker.project.status import load_status
from tests.conftest import MATRIX, Project, every_pair
from tests.jobs import PACKAGE, Jobs


@pytest.fixture
def shop(migrated: Project) -> Project:
    return migrated


# Parsers.

OWN_PARSER = """def create_parser(self, prog_name, subcommand, **kwargs):
        import argparse
        parser = argparse.ArgumentParser(prog=prog_name)
        parser.add_argument("--colour", default="red")
        return parser

    def execute(self, *args, **options):
        return self.handle(*args, **options)"""
PARSERS = {
    "knows no option of Django": (OWN_PARSER, "print(sorted(options))"),
    "takes parts of its own": (
        "def add_arguments(self, parser): parser.add_subparsers(dest='part').add_parser('one')",
        "assert options['part'] is None",
    ),
    "has options for code alone": ("stealth_options = ('interactive', 'verbose')", "pass"),
    "wants no system checks": ("requires_system_checks = []", "pass"),
    "wants system checks of its own": ("requires_system_checks = ['models', 'database']", "pass"),
    "wants to see the migrations": ("requires_migrations_checks = True", "pass"),
    "prints SQL": ("output_transaction = True", "return 'SELECT 1;'"),
}


@pytest.mark.parametrize("interactive", [True, False], ids=["with input", "--no-input"])
@pytest.mark.parametrize(("attributes", "body"), PARSERS.values(), ids=PARSERS)
def test_a_script_is_run_whose_command(jobs: Jobs, attributes: str, body: str, *, interactive: bool) -> None:
    jobs.script("a", body, attributes=attributes)
    result = jobs.run(interactive=interactive)
    assert (result.code, jobs.outcomes()) == (0, ["a succeeded"]), result


NO_INPUT = {
    "sets a variable of its own": "parser.add_argument('--no-input', dest='batch', action='store_const', const='yes')",
    "sets it to false": "parser.add_argument('--noinput', dest='batch', action='store_false')",
    "stands in a subparser": "parser.add_subparsers().add_parser('x').add_argument('--noinput', dest='batch',"
    " action='store_const', const='yes')",
}


@pytest.mark.parametrize("declaration", NO_INPUT.values(), ids=NO_INPUT)
def test_no_input_reaches_a_script_whose_option(jobs: Jobs, declaration: str) -> None:
    show = "self.stdout.write(str(options.get('batch')))"
    jobs.script("a", show, attributes=f"def add_arguments(self, parser): {declaration}")
    assert jobs.run(interactive=False).out.splitlines()[2] in {"yes", "False"}


NEEDS = {
    "a positional argument": ("BaseCommand", "parser.add_argument('file')", "required: file"),
    "an option": ("BaseCommand", "parser.add_argument('--to', required=True)", "required: --to"),
    "a subcommand": ("BaseCommand", "parser.add_subparsers(dest='part', required=True)", "required: part"),
    "labels": ("LabelCommand", "super().add_arguments(parser)", "Enter at least one label."),
    "apps": ("AppCommand", "super().add_arguments(parser)", "Enter at least one application label."),
}


@pytest.mark.parametrize(("base", "declaration", "words"), NEEDS.values(), ids=NEEDS)
def test_run_scripts_says_that_a_script_needs(jobs: Jobs, base: str, declaration: str, words: str) -> None:
    jobs.script("a", "pass", attributes=f"def add_arguments(self, parser): {declaration}")
    text = jobs.path("a").read_text()
    imports = "from django.core.management.base import AppCommand, LabelCommand\n"
    jobs.write("a", imports + text.replace("(BaseCommand)", f"({base})"))
    result = jobs.run(verbosity=0)
    assert result.code == 1
    assert f"{words} {HINT.format('a')}\n" in result.err
    assert jobs.outcomes() == ["a failed"]


HINT = (
    "(run_scripts passes no arguments; add what is missing to @tracked_script(arguments=...), or run it by hand:"
    " manage.py {} ...)"
)

# What never runs its body.

UNRUN = {
    "async": ("async def handle(self, **options): open(options['nothing'])", "handle() is async"),
    "a generator": ("def handle(self, **options): yield", "handle() has a yield"),
    "an async generator": ("async def handle(self, **options): yield", "handle() has a yield"),
    "a function around a coroutine": (
        "def handle(self, **options):\n        async def work(): ...\n        return work()",
        "handle() returned a coroutine, which Django does not run",
    ),
    "a function around a generator": (
        "def handle(self, **options): return (print(one) for one in '12')",
        "handle() returned a generator, which Django does not run",
    ),
}


@pytest.mark.parametrize(("handle", "words"), UNRUN.values(), ids=UNRUN)
def test_a_handle_is_refused_that_is(jobs: Jobs, handle: str, words: str) -> None:
    jobs.script("a")
    text = jobs.path("a").read_text()
    jobs.write("a", text[: text.index("    def handle")] + f"    {handle}\n")
    result = jobs.run()
    assert result.code == 1
    assert words in result.out
    assert jobs.states() == {"a": "failed"}


# django-typer.

TYPER = """\
import typer
from django_typer.management import Typer, TyperCommand, command, initialize
from scripts_tracker import required_preceding_script, tracked_script

"""
TYPED = {
    "its handle": "class Command(TyperCommand):\n"
    "    @tracked_script\n    def handle(self, count: int = 3): self.stdout.write(f'{count} things')",
    "its handle, as a command": "class Command(TyperCommand):\n"
    "    @command()\n    @tracked_script\n    def handle(self, count: int = 3): self.echo(f'{count} things')",
    "what it does without a subcommand": "class Command(TyperCommand):\n"
    "    @initialize(invoke_without_command=True)\n    @tracked_script\n"
    "    def handle(self, count: int = 3): self.echo(f'{count} things')\n\n"
    "    @command()\n    def part(self): ...",
    "an exit with 0": "class Command(TyperCommand):\n    @tracked_script\n"
    "    def handle(self, count: int = 3):\n        self.stdout.write(f'{count} things')\n"
    "        raise typer.Exit()",
    "in one transaction": "class Command(TyperCommand):\n"
    "    @tracked_script(atomic=True)\n    def handle(self, count: int = 3): self.stdout.write(f'{count} things')",
}
UNTYPED: dict[str, tuple[str, list[str]]] = {
    "a subcommand": (
        "class Command(TyperCommand):\n    @command()\n    @tracked_script\n    def one(self): ...",
        [],
    ),
    "a function": (
        "app = Typer()\n\n@app.command()\n@tracked_script\ndef main(self, count: int = 3): ...",
        [],
    ),
    "a function without the command": (
        "app = Typer()\n\n@app.command()\n@tracked_script\ndef main(count: int = 3): ...",
        [],
    ),
}

# django-typer's own, when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:.*'shell_complete' is deprecated:DeprecationWarning")
needs_typer = pytest.mark.skipif(sys.version_info < (3, 11), reason="django-typer needs Python 3.11")


OPTIONS: dict[str, dict[str, Any]] = {
    "no options": {},
    "no input, verbosely": {"interactive": False, "verbosity": 2},
    "no colours": {"no_color": True},
}


@needs_typer
@pytest.mark.parametrize(("source", "options"), every_pair(TYPED, OPTIONS))
def test_run_scripts_runs_a_typer_command_by(jobs: Jobs, source: str, options: dict[str, Any]) -> None:
    jobs.script("next")
    jobs.write("typed", f"{TYPER}{source}\n")
    result = jobs.run(**options)
    assert (result.code, "3 things" in result.out) == (0, True), result
    assert jobs.states() == {"typed": "applied", "next": "applied"}


@needs_typer
@MATRIX
@pytest.mark.parametrize("source", TYPED.values(), ids=TYPED)
def test_by_call_command_a_typer_command_is_recorded_by(jobs: Jobs, source: str) -> None:
    jobs.write("typed", f"{TYPER}{source}\n")
    assert "5 things" in jobs.run_alone("typed", count=5)
    assert jobs.states() == {"typed": "applied"}
    assert json.loads(ScriptRun.objects.get().arguments) == {"count": 5}


@needs_typer
def test_by_hand_a_typer_command_is_recorded(shop: Project) -> None:
    shop.write("shop/management/commands/typed.py", TYPER + TYPED["its handle"])
    assert "5 things" in shop.manage("typed", "--count=5").out
    assert shop.states() == {"shop.typed": "applied"}
    failing = TYPED["its handle"].replace("self.stdout", "1 / 0; self.stdout")
    shop.write("shop/management/commands/typed.py", TYPER + failing)
    shop.manage("typed", code=1)
    assert shop.states() == {"shop.typed": "failed"}


@needs_typer
def test_the_requirements_of_a_typer_command_run_first(jobs: Jobs) -> None:
    both = "@tracked_script\n    @required_preceding_script('next')"
    jobs.write("typed", TYPER + TYPED["its handle"].replace("@tracked_script", both))
    jobs.script("next")
    assert jobs.run("typed").code == 0
    assert jobs.outcomes() == ["next succeeded", "typed succeeded"]


@needs_typer
@pytest.mark.parametrize(
    ("parameter", "shown"),
    [("no_input: bool = False", "no_input"), ("interactive: bool = True", "not interactive")],
)
def test_no_input_reaches_a_typer_command_by(jobs: Jobs, parameter: str, shown: str) -> None:
    source = f"class Command(TyperCommand):\n    @tracked_script\n    def handle(self, {parameter}): "
    jobs.write("typed", f"{TYPER}{source}self.stdout.write(str({shown}))\n")
    assert "True" in jobs.run(interactive=False).out.splitlines()


@needs_typer
def test_run_scripts_says_that_a_typer_command_needs_an_argument(jobs: Jobs) -> None:
    jobs.write("typed", TYPER + TYPED["its handle"].replace(" = 3", ""))
    result = jobs.run()
    assert f"Missing parameter: count {HINT.format('typed')}" in result.out
    assert "Traceback" not in result.text


@needs_typer
@pytest.mark.parametrize(
    "leave", ["raise typer.Exit(3)", "raise typer.Abort()", "raise typer.BadParameter('no')"]
)
def test_a_typer_command_has_failed_by(jobs: Jobs, leave: str) -> None:
    jobs.write(
        "typed", f"{TYPER}class Command(TyperCommand):\n    @tracked_script\n    def handle(self): {leave}"
    )
    assert jobs.run().code == 1
    assert jobs.states() == {"typed": "failed"}


@needs_typer
@pytest.mark.parametrize(("source", "args"), UNTYPED.values(), ids=UNTYPED)
def test_what_is_not_the_handle_of_a_typer_command_says_so(jobs: Jobs, source: str, args: list[str]) -> None:
    jobs.write("typed", f"{TYPER}{source}\n")
    command = importlib.import_module(f"{PACKAGE}.typed").Command()
    with pytest.raises(CommandError, match=r"which is not the handle\(\) of a Command class"):
        call_command(command, *args)
    assert jobs.outcomes() == []
    assert [found.code for found in load_status().findings] == ["ST001"]


# django-click.

CLICK = "import djclick as click\nfrom django.core.management.base import BaseCommand\nfrom scripts_tracker import tracked_script\n"
FUNCTION = "\n@click.command()\n@click.option('--count', default=3)\n{}def clicked(count): click.echo(f'{{count}} things')\n"
WRAPPED = "\n\nclass Command(BaseCommand):\n    @tracked_script\n    def handle(self, **options): {}\n"


@pytest.mark.parametrize("decorators", ["", "@click.pass_context\n"], ids=["alone", "with a context"])
def test_a_click_command_says_that_it_cannot_be_tracked(shop: Project, decorators: str) -> None:
    source = FUNCTION.format(f"{decorators}@tracked_script\n")
    shop.write("shop/management/commands/clicked.py", CLICK + source)
    (line,) = shop.manage("clicked", code=1).err.splitlines()
    assert "shop.management.commands.clicked.clicked(), which is not the handle() of a Command class" in line
    assert "ST001" in shop.manage("check_scripts").out
    assert shop.states() == {}


@pytest.mark.parametrize("end", ["", "; raise click.exceptions.Exit(0)"], ids=["to its end", "by an exit"])
def test_a_click_command_is_tracked_by_the_command_that_calls_it(shop: Project, end: str) -> None:
    source = FUNCTION.format("").rstrip() + end
    body = "clicked.main(args=[], standalone_mode=False)"
    shop.write("shop/management/commands/by_click.py", CLICK + source + WRAPPED.format(body))
    assert "3 things" in shop.manage("run_scripts").out
    assert shop.states() == {"shop.by_click": "applied"}


def test_an_untracked_click_command_is_as_it_was(shop: Project) -> None:
    shop.write("shop/management/commands/clicked.py", CLICK + FUNCTION.format(""))
    assert shop.manage("clicked").out == "3 things\n"
    assert shop.manage("run_scripts").out == "No scripts to run.\n"


def test_a_function_that_makes_the_command_is_one(jobs: Jobs) -> None:
    jobs.script("a")
    text = jobs.path("a").read_text().replace("class Command", "class Made")
    jobs.write("a", f"{text}\n\ndef Command():\n    return Made()\n")
    assert jobs.run().code == 0
    assert ScriptRun.objects.count() == 0
    jobs.run_alone("a")
    assert jobs.outcomes() == ["a succeeded"]
