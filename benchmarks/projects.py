"""Django projects with any number of management commands, the same for the same seed."""

from __future__ import annotations

import json
import os
import random
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

from benchmarks import commands, words
from benchmarks.commands import Command

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMMANDS_AN_APP: Final = 125
_INHERITED: Final = 0.1
_REQUIRING: Final = 0.12

_MANAGE: Final = """\
#!/usr/bin/env python
import sys

from django.core.management import execute_from_command_line

execute_from_command_line(sys.argv)
"""

_SETTINGS: Final = """\
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "for benchmarks only"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPS = {apps!r}
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", *APPS]
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "plain.sqlite3"}}}}
"""

_TRACKER: Final = """\
from project.settings import *  # noqa: F403 - how Django settings build on others

INSTALLED_APPS = [*INSTALLED_APPS, "{package}"]
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "{package}.sqlite3"}}}}
"""
# django-scripts-tracker looks nowhere else; scripts_tracker finds the folders by the app registry.
_FOLDERS: Final = 'COMMANDS_DIRS = [f"{app}/management/commands" for app in APPS]\n'

_BASES: Final = '''\
"""What the project's commands have in common."""

from django.core.management.base import BaseCommand

from django_scripts_tracker.core_tracker import tracked_script


class ReportingMixin:
    """Commands that report to a person."""

    def report(self, text):
        self.stdout.write(text)


class BatchCommand(BaseCommand):
    """Goes through a queryset in batches."""

    batch_size = 100

    def handle(self, *args, **options):
        for row in self.get_queryset().iterator(chunk_size=self.batch_size):
            self.update(row)


class TrackedBackfill(BatchCommand):
    """The same, to be run once in every environment."""

    @tracked_script
    def handle(self, *args, **options):
        super().handle(*args, **options)
'''

_EDIT_BEFORE: Final = "    def handle(self, *args, **options):\n"
_EDIT: Final = '        self.edited = options["verbosity"] > 2\n'


@dataclass(frozen=True, slots=True)
class Shape:
    """What a project is like.

    Attributes:
        commands: how many management commands it has.
        tracked: the share of them that is tracked.
        seed: which of all such projects it is.
    """

    commands: int = 1_000
    tracked: float = 0.4
    seed: int = 1

    @property
    def tracked_count(self) -> int:
        """How many commands are tracked."""
        return round(self.commands * self.tracked)

    @property
    def apps(self) -> tuple[str, ...]:
        """The apps: as many as keep their folders of commands at the size of a large real one."""
        wanted = max(2, -(-self.commands // _COMMANDS_AN_APP))
        names = [*words.APPS, *(f"{app}{number}" for number in range(2, wanted) for app in words.APPS)]
        return tuple(names[:wanted])


def generate(root: str, shape: Shape) -> list[Command]:
    """Write a project into a folder; returns its commands."""
    rng = random.Random(shape.seed)
    planned = list(_planned(shape, rng))
    for path, text in _frame(shape, rng):
        _write(os.path.join(root, path), text)
    for command in planned:
        _write(os.path.join(root, command.path), commands.source(command, rng))
    manifest = {
        "commands": [command.path for command in planned],
        "tracked": [command.path for command in planned if command.tracking != "no"],
    }
    _write(os.path.join(root, "manifest.json"), json.dumps(manifest))
    return planned


def edit(root: str, planned: list[Command], count: int) -> None:
    """Change what that many tracked commands do."""
    own = [command for command in planned if command.tracking == "own"]
    for command in own[:: max(1, len(own) // count)][:count]:
        path = os.path.join(root, command.path)
        with open(path, encoding="utf-8") as stream:
            before = stream.read()
        _write(path, before.replace(_EDIT_BEFORE, _EDIT_BEFORE + _EDIT, 1))


def _planned(shape: Shape, rng: random.Random) -> Iterator[Command]:
    """Every command with its place; what it requires comes before it."""
    names = [
        "_".join(parts) for parts in product(words.VERBS, words.NOUNS, words.NOUNS) if parts[1] != parts[2]
    ]
    copies = range(2, 2 + shape.commands // len(names))
    chosen = rng.sample([*names, *(f"{name}_{copy}" for copy in copies for name in names)], shape.commands)
    tracked = set(rng.sample(range(shape.commands), shape.tracked_count))
    candidates: list[tuple[str, str]] = []
    for number, name in enumerate(chosen):
        app = shape.apps[number % len(shape.apps)]
        if number not in tracked:
            yield Command(app, name)
        elif rng.random() < _INHERITED:
            yield Command(app, name, "inherited")
        else:
            wants = len(candidates) > 1 and rng.random() < _REQUIRING
            yield Command(app, name, "own", tuple(rng.sample(candidates, rng.randint(1, 2))) if wants else ())
            candidates.append((app, name))


def _frame(shape: Shape, rng: random.Random) -> Iterator[tuple[str, str]]:
    """Everything but the commands."""
    yield "manage.py", _MANAGE
    yield "project/__init__.py", ""
    yield "project/settings.py", _SETTINGS.format(apps=list(shape.apps))
    for package in ("scripts_tracker", "django_scripts_tracker"):
        text = _TRACKER.format(package=package)
        yield f"project/with_{package}.py", text + (_FOLDERS if package.startswith("django") else "")
    yield "common/__init__.py", ""
    yield "common/scripts.py", _BASES
    for app in shape.apps:
        yield f"{app}/models.py", _models(rng)
        for package in ("", "management/", "management/commands/"):
            yield f"{app}/{package}__init__.py", ""


def _models(rng: random.Random) -> str:
    lines = ["from django.db import models", ""]
    for model in words.MODELS:
        lines += ["", f"class {model}(models.Model):"]
        lines += [
            '    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="children")'
        ]
        lines += [f"    {name} = models.IntegerField(null=True)" for name in words.FIELDS]
        lines += [f"    {name} = models.BooleanField(default={rng.random() < 0.5})" for name in words.FLAGS]
        lines += [f"    {name} = models.CharField(max_length={rng.randint(20, 200)})" for name in words.CODES]
        lines += [f"    {name} = models.DateTimeField(null=True)" for name in words.STAMPS]
        lines += [""]
    return "\n".join(lines)


def _write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)
