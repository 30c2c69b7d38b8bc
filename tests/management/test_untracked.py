"""Commands without the decorator: how they are listed, and how it is put on them."""

from __future__ import annotations

import json

import pytest

from scripts_tracker.exceptions import NotScaffolded, UnreadableSource
from scripts_tracker.project import untracked
from tests.jobs import Jobs

PLAIN = """\
from django.core.management.base import BaseCommand

from shop.models import Order


class Command(BaseCommand):
    help = 'Odd   layout'
    def handle( self,*args, **options ):
        pass  # stays
"""
ADDED = PLAIN.replace(
    "BaseCommand\n\n", "BaseCommand\nfrom scripts_tracker import tracked_script\n\n", 1
).replace("    def handle", "    @tracked_script\n    def handle")

BEFORE_AND_AFTER = {
    "a plain command": (PLAIN, ADDED),
    "CRLF": (PLAIN.replace("\n", "\r\n"), ADDED.replace("\n", "\r\n")),
    "a byte order mark": (f"\ufeff{PLAIN}", f"\ufeff{ADDED}"),
    "tabs": (PLAIN.replace("    ", "\t"), ADDED.replace("    ", "\t")),
    "no line end at the end": (PLAIN.rstrip(), ADDED.rstrip()),
    "other decorators: ours comes first": (
        PLAIN.replace("    def", "    @no_translations\n    def"),
        ADDED.replace("@tracked_script\n    def", "@tracked_script\n    @no_translations\n    def"),
    ),
    "imported already": (
        f"from scripts_tracker import tracked_script\n{PLAIN}",
        "from scripts_tracker import tracked_script\n"
        + PLAIN.replace("    def", "    @tracked_script\n    def"),
    ),
    "imported by the path of django-scripts-tracker": (
        f"from django_scripts_tracker.core_tracker import tracked_script\n{PLAIN}",
        "from django_scripts_tracker.core_tracker import tracked_script\n"
        + PLAIN.replace("    def", "    @tracked_script\n    def"),
    ),
    "no import of Django": (
        '"""About."""\nfrom shop.base import Base\nclass Command(Base):\n    def handle(self): pass\n',
        (
            '"""About."""\nfrom shop.base import Base\nfrom scripts_tracker import tracked_script\n'
            "class Command(Base):\n    @tracked_script\n    def handle(self): pass\n"
        ),
    ),
    "nothing but a docstring and a future": (
        '"""About."""\nfrom __future__ import annotations\nclass Command(x):\n  def handle(self): pass\n',
        (
            '"""About."""\nfrom __future__ import annotations\n\nfrom scripts_tracker import tracked_script\n'
            "class Command(x):\n  @tracked_script\n  def handle(self): pass\n"
        ),
    ),
    "nothing above but comments": (
        "#!/usr/bin/env python\n# About.\nclass Command(x):\n    def handle(self): pass\n",
        (
            "#!/usr/bin/env python\n# About.\n\nfrom scripts_tracker import tracked_script\n"
            "class Command(x):\n    @tracked_script\n    def handle(self): pass\n"
        ),
    ),
    "an import over several lines": (
        (
            "from django.core.management.base import (\n    BaseCommand,\n)\nclass Command(BaseCommand):\n"
            "    def handle(self): pass\n"
        ),
        (
            "from django.core.management.base import (\n    BaseCommand,\n)\nfrom scripts_tracker import tracked_script\n"
            "class Command(BaseCommand):\n    @tracked_script\n    def handle(self): pass\n"
        ),
    ),
    "a batched command": (
        (
            "from scripts_tracker.batches import BatchedCommand\nclass Command(BatchedCommand):\n"
            "    def batches(self): ...\n    def process(self, batch): ...\n"
        ),
        (
            "from scripts_tracker.batches import BatchedCommand\nfrom scripts_tracker import tracked_script\n"
            "class Command(BatchedCommand):\n    def batches(self): ...\n    @tracked_script\n"
            "    def process(self, batch): ...\n"
        ),
    ),
    "a command in a block": (
        "import os\nif os.name:\n    class Command(x):\n        def handle(self): pass\n",
        (
            "import os\nfrom scripts_tracker import tracked_script\nif os.name:\n    class Command(x):\n"
            "        @tracked_script\n        def handle(self): pass\n"
        ),
    ),
}


@pytest.mark.parametrize(("before", "after"), BEFORE_AND_AFTER.values(), ids=BEFORE_AND_AFTER)
def test_the_decorator_and_its_import_are_all_that_is_added(before: str, after: str) -> None:
    assert untracked.decorated(before.encode(), "x.py").decode() == after


REFUSED = {
    "an inherited handle()": (
        "class Command(shop.base.Base):\n    help = ''\n",
        (
            "x.py inherits handle() from shop.base.Base; add @tracked_script to that handle() if all its commands are to"
            " be tracked, or define handle() here and call super().handle()"
        ),
    ),
    "no class": ("Command = make()\n", "x.py has no class Command; add @tracked_script by hand"),
    "two classes": (
        "if a:\n    class Command(b): ...\nelse:\n    class Command(c): ...\n",
        "x.py has 2 classes named Command",
    ),
    "two methods": (
        "class Command(b):\n    if a:\n        def handle(self): ...\n    else:\n        def handle(self): ...\n",
        "x.py has 2 definitions of handle()",
    ),
    "an async method": (
        "class Command(b):\n    async def handle(self): ...\n",
        "x.py has an async handle(), which Django does not await; make it one plain def first",
    ),
    "a file that cannot be parsed": ("class Command(\n", "x.py cannot be parsed"),
}


@pytest.mark.parametrize(("source", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_decorated_is_refused_with_what_to_do(source: str, words: str) -> None:
    with pytest.raises((NotScaffolded, UnreadableSource)) as error:
        untracked.decorated(source.encode(), "x.py")
    assert words in str(error.value)


@pytest.fixture
def commands(jobs: Jobs) -> Jobs:
    """A tracked script, two commands without the decorator, and one that inherits."""
    jobs.script("tracked")
    jobs.script("plain", decorators="")
    jobs.script("report", decorators="")
    jobs.write(
        "heir", "from jobs.management.commands.plain import Command as Base\nclass Command(Base): ...\n"
    )
    return jobs


def test_commands_without_the_decorator_are_listed_with_what_to_type(commands: Jobs) -> None:
    names = ("heir", "plain", "report")
    assert commands.run(command="check_scripts", untracked=True).out == (
        "Commands without @tracked_script (3):\n"
        + "".join(f"  jobs/management/commands/{name}.py\n    jobs.{name}\n" for name in names)
        + "Run 'python manage.py start_script --adopt jobs.heir' to track it from now on.\n"
    )
    printed = commands.run("rep*", command="check_scripts", untracked=True, format="json").out
    assert json.loads(printed) == {
        "version": 1,
        "commands": [{"command": "jobs.report", "path": "jobs/management/commands/report.py"}],
    }
    assert "--untracked goes with" in commands.run(command="check_scripts", untracked=True, check=True).err


def test_an_adopted_command_is_new_and_runs(commands: Jobs) -> None:
    result = commands.run(command="start_script", adopt=["plain"])
    assert result.out.splitlines() == [
        "added @tracked_script to jobs/management/commands/plain.py",
        "To see what is new now: manage.py check_scripts jobs.plain",
        "Where it ran already, mark it as applied: manage.py check_scripts --mark-applied jobs.plain",
    ]
    assert commands.states() == {"tracked": "new", "plain": "new", "heir": "new"}
    again = commands.run(command="start_script", adopt=["plain"])
    assert (again.code, again.err) == (2, "jobs.plain is tracked already.\n")


def test_of_several_those_that_can_be_decorated_are(commands: Jobs) -> None:
    result = commands.run(command="start_script", adopt=["jobs"])
    assert result.code == 1
    assert (
        "jobs.heir was not changed: jobs/management/commands/heir.py inherits handle() from Base"
        in result.err
    )
    assert result.out.count("added @tracked_script") == 2


@pytest.mark.parametrize("options", [{"adopt": ["nothing"]}, {"adopt": ["plain"], "batched": True}, {}])
def test_wrong_use_of_start_script_exits_with_2_and_changes_nothing(
    commands: Jobs, options: dict[str, object]
) -> None:
    assert commands.run(command="start_script", **options).code == 2
    assert "tracked_script" not in commands.path("plain").read_text().partition("class")[2]
