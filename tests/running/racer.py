"""A process of the mixed races: one command after the other, as people and deploys type them, and what came of each."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SCRIPTS = ("shop.s0", "stock.s1", "shop.s2", "stock.s3")
ATOMIC = frozenset({"stock.s1", "stock.s3"})


def choose(choice: random.Random, *, prunes: bool) -> tuple[str, ...]:
    """One command; of the scripts some are named, so that several decide about the same ones.

    Where runs are pruned none is released: what became of a released run could not be looked up.
    """
    some = sorted(choice.sample(SCRIPTS, choice.choice((1, 2, 4))))
    check = ("check_scripts", "--reason", "a race")
    commands: dict[tuple[str, ...], int] = {
        ("run_scripts", "--wait", "600"): 4,
        (some[0].partition(".")[2],): 3,
        (*check, "--mark-applied", *some): 2,
        (*check, "--mark-all-applied"): 2,
        (*check, "--unmark", *some): 4,
        ("adopt_scripts_tracker",): 2,
        ("prune_script_runs", "--keep", "0"): 2 * prunes,
        (*check, "--release", some[0]): 2 * (not prunes),
    }
    return choice.choices(list(commands), list(commands.values()))[0]


def perform(command: Sequence[str]) -> tuple[int, str, str]:
    """Exit code, output and errors of a command, with a traceback where one would be shown."""
    from django.core.management import ManagementUtility

    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            ManagementUtility(["manage.py", *command]).execute()
        except SystemExit as error:
            code = int(error.code or 0)
        except BaseException:  # noqa: BLE001 - what Python would show
            code = 99
            traceback.print_exc()
    return code, out.getvalue(), err.getvalue()


def main(number: int, steps: int, folder: str, *, prunes: bool) -> None:
    """Say that it is ready, wait for the start, and print what came of everything as JSON."""
    from scripts_tracker import signals

    ends: list[tuple[str, str]] = []

    def remember(signal: Any, end: str) -> None:
        def receive(script: object, **_: object) -> None:
            ends.append((str(script), end))

        signal.connect(receive, weak=False)

    remember(signals.script_succeeded, "succeeded")
    remember(signals.script_failed, "failed")
    here, choice = Path(folder), random.Random(number)  # noqa: S311 - to be had again
    (here / f"ready.{os.getpid()}").touch()
    while not (here / "go").exists():
        time.sleep(0.01)
    done = []
    for _ in range(steps):
        command = choose(choice, prunes=prunes)
        done.append((command, *perform(command)))
    print(json.dumps({"pid": os.getpid(), "commands": done, "ends": ends}))  # noqa: T201 - for the test
