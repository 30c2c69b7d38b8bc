"""The text of one management command, as varied as real ones and always the same for the same random numbers."""

from __future__ import annotations

import os
import textwrap
from dataclasses import dataclass
from functools import cache
from string import Template
from typing import TYPE_CHECKING, Final, Literal

from benchmarks import words

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

Tracking = Literal["no", "own", "inherited"]

# The import paths of django-scripts-tracker, which scripts_tracker answers to as well: both tools read the same bytes.
_TRACKED: Final = "from django_scripts_tracker.core_tracker import tracked_script"
_REQUIRING: Final = "from django_scripts_tracker.dependency_tracker import required_preceding_script"
_MEDIAN_SIZE: Final = 2_900
_SMALLEST: Final = 1_000
_LARGEST: Final = 10_000


@dataclass(frozen=True, slots=True)
class Command:
    """One command to be written.

    Attributes:
        app: the app that holds it; ``name`` is the command's own.
        tracking: whether handle() is tracked: in this file, in a base class of the project, or not at all.
        requires: tracked commands that must run before it, as (app, name).
    """

    app: str
    name: str
    tracking: Tracking = "no"
    requires: tuple[tuple[str, str], ...] = ()

    @property
    def path(self) -> str:
        """The file, relative to the root of the project."""
        return f"{self.app}/management/commands/{self.name}.py"


@cache
def _blocks() -> dict[str, list[Template]]:
    found: dict[str, list[Template]] = {}
    with open(os.path.join(os.path.dirname(__file__), "blocks.txt"), encoding="utf-8") as stream:
        for block in stream.read().split("\n== "):
            kind, _, text = block.removeprefix("== ").partition("\n")
            found.setdefault(kind, []).append(Template(text.rstrip()))
    return found


def source(command: Command, rng: random.Random) -> str:
    """The file's text.

    Args:
        command: what it is.
        rng: decides everything else.
    """
    size = min(max(rng.lognormvariate(0, 0.6) * _MEDIAN_SIZE, _SMALLEST), _LARGEST)
    base = _base(command, rng)
    functions = [_fill(block, rng) for block in _some(_blocks()["function"], rng, (0.6, 0.3, 0.1))]
    head = _class_head(command, base, rng)
    body = _handle(command, base, rng)
    length = sum(map(len, (*functions, head, body)))
    helpers: list[str] = []
    while length + 600 < size:
        helpers.append(_fill(rng.choice(_blocks()["helper"]), rng))
        length += len(helpers[-1])
    text = "\n\n\n".join([*_constants(rng), *functions, "\n\n".join([head, body, *helpers])])
    return f"{_opening(rng)}{_imports(command, base, text)}\n\n\n{text}\n"


def _some(choices: list[Template], rng: random.Random, weights: tuple[float, ...]) -> list[Template]:
    return rng.sample(choices, rng.choices(range(len(weights)), weights)[0])


def _fill(block: Template, rng: random.Random, method: str = "") -> str:
    verb, noun, model = rng.choice(words.VERBS), rng.choice(words.NOUNS), rng.choice(words.MODELS)
    return block.substitute(
        model=model,
        other=rng.choice(words.MODELS),
        row=model.lower(),
        plural=f"{noun}s",
        parent="parent",
        field=rng.choice(words.FIELDS),
        flag=rng.choice(words.FLAGS),
        code=rng.choice(words.CODES),
        stamp=rng.choice(words.STAMPS),
        method=method or f"{verb}_{rng.choice(words.NOUNS)}_{noun}",
        verb=verb,
        Verb=verb.capitalize(),
        noun=noun,
        Noun=noun.capitalize(),
        word=rng.choice(words.NOUNS),
        number=rng.choice((50, 100, 200, 250, 500, 1000, 2000)),
        small=rng.randint(2, 40),
        digit=rng.randint(1, 9),
        year=rng.randint(15, 26),
    )


def _base(command: Command, rng: random.Random) -> str:
    if command.tracking == "inherited":
        return "TrackedBackfill"
    return rng.choices(("BaseCommand", "BatchCommand", "ReportingMixin, BaseCommand"), (80, 8, 12))[0]


def _opening(rng: random.Random) -> str:
    if rng.random() < 0.3:  # a docstring
        lines = textwrap.wrap(" ".join(rng.sample(words.PROSE, rng.randint(1, 4))), 88)
        return "\n".join(['"""' + lines[0], *lines[1:], '"""', "", ""])
    if rng.random() < 0.1:
        return "# Copyright (c) the owners of the shop. All rights reserved.\n# See LICENSE.\n\n"
    return ""


def _constants(rng: random.Random) -> Iterable[str]:
    if rng.random() < 0.4:
        lines = [
            f'    "{noun}": {rng.randint(1, 9_999)},' for noun in rng.sample(words.NOUNS, rng.randint(2, 8))
        ]
        yield "\n".join([f"{rng.choice(words.NOUNS).upper()}_CODES = {{", *lines, "}"])
    if rng.random() < 0.2:
        yield f"IGNORED = {tuple(sorted(rng.sample(words.NOUNS, 3)))!r}\nRATE = {rng.uniform(0, 20):.2f}"


def _class_head(command: Command, base: str, rng: random.Random) -> str:
    verb, _, rest = command.name.partition("_")
    lines = [f"class Command({base}):"]
    if rng.random() < 0.25:
        lines += [f'    """{verb.capitalize()} the {rest.replace("_", " ")} once."""', ""]
    prose = rng.choice(words.PROSE)
    if rng.random() < 0.3:
        lines += [
            "    help = (",
            f'        "{verb.capitalize()} the {rest.replace("_", " ")}. "',
            f'        "{prose}"',
            "    )",
        ]
    else:
        lines += [f'    help = "{verb.capitalize()} the {rest.replace("_", " ")}"']
    if rng.random() < 0.6:
        lines += ["", "    def add_arguments(self, parser):"]
        lines += [f"        {argument}" for argument in rng.sample(words.ARGUMENTS, rng.randint(1, 4))]
    return "\n".join(lines)


def _handle(command: Command, base: str, rng: random.Random) -> str:
    verb, noun = rng.choice(words.VERBS), rng.choice(words.NOUNS)
    batches = "Batch" in base or "Backfill" in base
    if batches and command.tracking != "own":
        text = _fill(rng.choice(_blocks()["batch"]), rng, f"{verb}_{noun}")
    else:
        text = _fill(rng.choice(_blocks()["handle"]), rng, f"{verb}_{noun}")
    helper = _fill(rng.choice(_blocks()["helper"]), rng, f"{verb}_{noun}")
    decorators = []
    if command.tracking == "own":
        decorators.append("    @tracked_script\n")
    if command.requires:
        decorators.append(
            f"    @required_preceding_script({', '.join(name for _, name in command.requires)})\n"
        )
    if not batches and rng.random() < 0.2:
        decorators.append("    @transaction.atomic\n")
    text = text.replace("    def handle(", "".join(decorators) + "    def handle(", 1)
    return f"{text}\n\n{helper}"


def _imports(command: Command, base: str, text: str) -> str:
    standard = {line for trigger, line in words.IMPORTS if trigger in text}
    django = {line for trigger, line in words.DJANGO_IMPORTS if trigger in text}
    project = {
        f"from {command.app}.models import {model}" for model in words.MODELS if f"{model}.objects" in text
    }
    project |= {f"from {app}.management.commands import {name}" for app, name in command.requires}
    for name in base.split(", "):
        if name == "BaseCommand":
            django.add("from django.core.management.base import BaseCommand")
        else:
            project.add(f"from common.scripts import {name}")
    if command.tracking == "own":
        project.add(_TRACKED)
    if command.requires:
        project.add(_REQUIRING)
    groups = [_joined(standard), _joined(django), _joined(project)]
    logger = ["logger = logging.getLogger(__name__)"] if "logger" in text else []
    return "\n\n".join("\n".join(group) for group in (*groups, logger) if group)


def _joined(lines: Iterable[str]) -> list[str]:
    """Imports as isort leaves them: one statement a module."""
    whole = sorted(line for line in lines if line.startswith("import "))
    names: dict[str, list[str]] = {}
    for line in sorted(set(lines).difference(whole)):
        module, _, taken = line.removeprefix("from ").partition(" import ")
        names.setdefault(module, []).append(taken)
    return [*whole, *(f"from {module} import {', '.join(taken)}" for module, taken in sorted(names.items()))]
