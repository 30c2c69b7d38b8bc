"""``python -m benchmarks.instructions``: how many instructions whole processes execute, in this tree and in others.

Valgrind counts them, so that the figures are the same on a busy machine; a process takes about fifty times as long.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.linting import lint
from benchmarks.measuring import BenchmarkError, Subject, run
from benchmarks.projects import Shape, edit, generate
from benchmarks.sites import CACHE, forget_cache
from benchmarks.tools import Tool

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.commands import Command

_COUNTED: Final = re.compile(r"I\s+refs:\s+([\d,]+)")
_SETTLED_SECONDS: Final = 2.5
"""Files that were written just before a check are read again by the next one."""


class Case(NamedTuple):
    """One situation.

    Attributes:
        arguments: what Python runs, in the project's folder; empty for the lint, whose entry point the tree names.
        edited: how many scripts are edited after the last check.
        has_index: whether the remembered index may be used.
        is_cold: whether nothing is known at all.
    """

    arguments: tuple[str, ...]
    edited: int = 0
    has_index: bool = True
    is_cold: bool = False


_CHECK: Final = ("manage.py", "check_scripts")
CASES: Final = {
    "floor": Case(("manage.py", "diffsettings")),
    "untracked": Case(("manage.py", "untracked_no_op")),
    "tracked": Case(("manage.py", "tracked_no_op")),
    "nothing-new": Case(_CHECK),
    "edited-1": Case(_CHECK, edited=1),
    "edited-3": Case(_CHECK, edited=3),
    "no-index": Case(_CHECK, has_index=False),
    "cold": Case((*_CHECK, "--no-cache"), is_cold=True),
    "lint": Case(()),
    "lint-edited-1": Case((), edited=1),
    "lint-no-index": Case((), has_index=False),
}
"""By name."""


_NO_OP: Final = """\
from django.core.management.base import BaseCommand
{import_line}


class Command(BaseCommand):
    help = "Does nothing"
    {decorator}
    def handle(self, *args, **options):
        pass
"""


class Count(NamedTuple):
    """What one process did: instructions, and how many modules it had imported in the end."""

    instructions: int
    modules: int


class Site:
    """One project, prepared by one tree of the tracker.

    Args:
        folder: where to put it; empty.
        tool: the tree.
        shape: of the project.
    """

    def __init__(self, folder: str, tool: Tool, shape: Shape) -> None:
        self._tool, self._shape = tool, shape
        self._unseen, self._applied = os.path.join(folder, "unseen"), os.path.join(folder, "applied")
        self._planned: list[Command] = generate(self._unseen, shape)
        _add_no_ops(os.path.join(self._unseen, os.path.dirname(self._planned[0].path)))
        run(tool.manage(self._unseen, "migrate"))
        shutil.copytree(self._unseen, self._applied)
        run(tool.manage(self._applied, "check_scripts", "--mark-all-applied"))

    def count(self, name: str) -> Count:
        """Measure one case, in a copy of the project: the first run there warms up the bytecode."""
        case = CASES[name]
        root = os.path.join(os.path.dirname(self._applied), name)
        shutil.copytree(self._unseen if case.is_cold else self._applied, root)
        arguments = case.arguments or lint(self._tool.path)
        subject = Subject([self._tool.python, *arguments], root, self._env())
        if not case.is_cold:
            time.sleep(_SETTLED_SECONDS)
            run(subject)
        prepare = self._preparation(root, case)
        prepare()
        run(subject)
        prepare()
        instructions = _instructions(subject)
        prepare()
        return Count(instructions, _modules(subject))

    def _env(self) -> dict[str, str]:
        return self._tool.env(SCRIPTS_TRACKER_PROCESSES="1")

    def _preparation(self, root: str, case: Case) -> Callable[[], None]:
        """What to do before each run: the ledger and the cache as they were, and the edit."""
        if case.is_cold:
            return lambda: forget_cache(root)
        if case.edited:
            edit(root, self._planned, case.edited)
            time.sleep(_SETTLED_SECONDS)
        kept = f"{root}-kept"
        shutil.copytree(os.path.join(root, CACHE), os.path.join(kept, CACHE))
        database = "scripts_tracker.sqlite3"
        shutil.copy2(os.path.join(root, database), kept)

        def restore() -> None:
            forget_cache(root)
            shutil.copytree(os.path.join(kept, CACHE), os.path.join(root, CACHE))
            shutil.copy2(os.path.join(kept, database), root)
            for entry in os.listdir(os.path.join(root, CACHE)):
                if entry.startswith("index-") and not case.has_index:
                    os.unlink(os.path.join(root, CACHE, entry))

        return restore


def _add_no_ops(folder: str) -> None:
    """What a tracked command costs beside the same one without the decorator."""
    tracked = {"import_line": "from scripts_tracker import tracked_script", "decorator": "@tracked_script"}
    for name, lines in (("untracked_no_op", dict.fromkeys(tracked, "")), ("tracked_no_op", tracked)):
        with open(os.path.join(folder, f"{name}.py"), "w", encoding="utf-8") as file:
            file.write(_NO_OP.format(**lines))


def _instructions(subject: Subject) -> int:
    valgrind = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
    _, text = run(replace(subject, arguments=[*valgrind, *subject.arguments]))
    found = _COUNTED.search(text)
    if found is None:
        raise BenchmarkError(f"valgrind did not count:\n{text[-2000:]}")
    return int(found[1].replace(",", ""))


def _modules(subject: Subject) -> int:
    python, *arguments = subject.arguments
    _, text = run(replace(subject, arguments=[python, "-X", "importtime", *arguments]))
    return sum(line.startswith("import time:") for line in text.splitlines()) - 1


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    parser.add_argument(
        "--against", nargs="*", default=[], metavar="FOLDER", help="other checkouts of the tracker"
    )
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES), help="default: all")
    parser.add_argument("--commands", type=int, nargs="+", default=[400, 1_000], help="default: 400 1000")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print a table: millions of instructions and modules, the first tree being this one."""
    options = _arguments(argv)
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    trees = [here, *map(os.path.abspath, options.against)]
    print("| commands | case |", *(f"{tree}, modules | ratio |" for tree in trees))
    print("|---|---|", "---|---|" * len(trees))
    for commands in options.commands:
        with tempfile.TemporaryDirectory(prefix="instructions-") as folder:
            sites = [
                Site(
                    os.path.join(folder, str(number)),
                    Tool("scripts_tracker", sys.executable, tree),
                    Shape(commands, seed=options.seed),
                )
                for number, tree in enumerate(trees)
            ]
            for name in options.cases:
                counts = [site.count(name) for site in sites]
                cells = [
                    f"{one.instructions / 1e6:,.1f}, {one.modules} | {counts[0].instructions / one.instructions:.4f} |"
                    for one in counts
                ]
                print(f"| {commands} | {name} |", *cells, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
