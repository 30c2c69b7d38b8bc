"""What the lint costs, as a hook and in a CI job that has no cache."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING, Final

from benchmarks.measuring import BenchmarkError, Subject, run, side_by_side
from benchmarks.rows import Row

if TYPE_CHECKING:
    from benchmarks.groups import Bench

GROUP: Final = "lint"
_HOOK_SECONDS: Final = 0.1
_ENTRY_POINT: Final = re.compile(r'^scripts-tracker-lint = "([\w.]+):(\w+)"$', re.MULTILINE)
_HERE: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_LOADED: Final = "import sys; from scripts_tracker.lint.cli import main; main(['--ignore', 'ST015']); print(sum(name.startswith('libcst') for name in sys.modules))"


def lint(tree: str = "") -> tuple[str, ...]:
    """What Python runs to lint, as the console script of a checkout does it.

    Generated commands have the imports of both trackers, which may not end the run.

    Args:
        tree: the checkout; this one by default.
    """
    with open(os.path.join(tree or _HERE, "pyproject.toml"), encoding="utf-8") as file:
        found = _ENTRY_POINT.search(file.read())
    if found is None:
        raise BenchmarkError(f"the pyproject.toml of {tree} names no scripts-tracker-lint")
    module, function = found.groups()
    return "-c", f"import sys; from {module} import {function}; sys.exit({function}())", "--ignore", "ST015"


def hook(bench: Bench) -> list[Row]:
    """The lint with a warm cache: nothing changed, and one script changed."""
    tool, root = bench.tracker, os.path.join(os.path.dirname(bench.sites.applied), "lint")
    shutil.copytree(bench.sites.applied, root)
    script = _first_script(root)
    with open(script, encoding="utf-8") as file:
        source = file.read()
    counter = iter(range(1_000_000))

    def edit() -> None:
        with open(script, "w", encoding="utf-8") as file:
            file.write(f"{source}\n\ndef added_{next(counter)}():\n    return 1\n")

    python, arguments = [tool.python], lint()
    run(Subject([*python, *arguments], root, tool.env()))
    subjects = {
        "import": Subject([*python, "-c", "import libcst"], root, tool.env()),
        "python": Subject([*python, "-c", "pass"], root, tool.env()),
        "unchanged": Subject([*python, *arguments, "manage.py"], root, tool.env()),
        "whole": Subject([*python, *arguments], root, tool.env()),
    }
    warm = side_by_side(subjects, bench.rounds)
    _, loaded = run(Subject([*python, "-c", _LOADED], root, tool.env()))
    edited = side_by_side(
        {
            "import": subjects["import"],
            "edited": Subject([*python, *arguments, script], root, tool.env(), before=edit),
        },
        bench.rounds,
    )
    return [
        Row(GROUP, "scripts-tracker-lint, no argument holds a script", "0.1 s", warm["unchanged"].wall, _HOOK_SECONDS, 1),
        Row(GROUP, "scripts-tracker-lint, the whole project, nothing changed", "0.1 s", warm["whole"].wall, _HOOK_SECONDS, 1),
        Row(GROUP, "modules of libcst that this imports", "none", int(loaded.split()[-1]), 0, 0, unit=""),
        Row(GROUP, "scripts-tracker-lint, one script changed", "python -c 'import libcst'", edited["edited"].wall,
            edited["import"].wall, 1.5, cpu=edited["edited"].cpu / edited["import"].cpu),
    ]  # fmt: skip


def _first_script(root: str) -> str:
    found = sorted(
        os.path.join(folder, name)
        for folder, _, names in os.walk(root)
        if folder.endswith(os.path.join("management", "commands"))
        for name in names
        if name != "__init__.py"
    )
    for path in found:
        with open(path, encoding="utf-8") as file:
            if "@tracked_script" in file.read():
                return path
    raise LookupError(root)
