"""At a terminal of 60 or 40 columns everything that we say is wrapped, commands stay whole, and colours have a meaning."""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.conftest import ENVIRONMENT, NEWCOMER, Project
from tests.waiting import PATIENCE

pytestmark = [NEWCOMER, pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")]

# All in one process, which has one terminal.
TYPE = """
import json, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from django.core.management import execute_from_command_line
for line in json.loads(sys.argv[1]):
    print("$", line, flush=True)
    try:
        execute_from_command_line(["manage.py", *line.split()])
    except SystemExit:
        pass
"""
LINES = [
    *("migrate", "check_scripts --all", "check_scripts --show-dependencies", "check_scripts --untracked"),
    *("check_scripts --mark-all-applied --plan", "check_scripts nothing", "check_scripts --reason x"),
    *("check_scripts --force", "check_scripts --release shop.bad", "check_scripts --release shop.bad --plan"),
    *("check_scripts --verify shop.bad", "check_scripts --plan", "check_scripts --environment-moved"),
    *(
        "run_scripts --plan",
        "run_scripts --rehearse",
        "run_scripts --continue-on-error",
        "run_scripts shop.done",
    ),
    *("run_scripts --batches 3", "run_scripts --enqueue", "run_scripts --wait x", "run_scripts --qqqq"),
    *("check_scripts", "show_script bad", "show_script bad --run -1", "show_script bad --run 99"),
    *("show_script bad --watch", "show_script shop", "show_script done --diff", "show_script done --history"),
    *("start_script shop bad", "start_script shoop x", "start_script", "start_script shop new_script"),
    *("start_script --adopt plain", "start_script --adopt shop.bad", "prune_script_runs"),
    *("prune_script_runs --keep 1 --dry-run", "prune_script_runs --keep 1", "pause_script shop.bad"),
    *(
        "pause_script bad --reason x",
        "resume_script bad",
        "cancel_script bad --reason x",
        "adopt_scripts_tracker",
    ),
    *("check_scripts --unmark shop.done", "check_scripts --mark-applied shop.done --reason x"),
    *("check_scripts --mark-applied shop.done", "check_scripts --all --no-color"),
]
# What may be longer: a word of its own, a command to copy, a frame of a traceback, and what Django and argparse draw.
LONGER = re.compile(
    r"[\s│├└─]*\S+|Path +\S+|  Applying .*|\s*(\S+: )?'?(python )?manage\.py (?!.*: error:).*|\s*`python -m py_compile [^`]*`|\s*(File \"|raise ).*|\s*(usage: .*|[\[|].*)"
)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def typed(project: Project, columns: int) -> Iterator[tuple[str, list[str]]]:
    """What each line of ``LINES`` prints at a terminal."""
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    env = {name: value for name, value in ENVIRONMENT.items() if name not in {"COLUMNS", "NO_COLOR"}}
    with subprocess.Popen(
        [sys.executable, "-c", TYPE, json.dumps(LINES)],
        cwd=project.root,
        env={**env, **project.env, "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        read = b""
        try:
            while piece := os.read(ours, 65536):
                read += piece
        except OSError:  # Linux says so at the end
            pass
        assert process.wait(PATIENCE) == 0
    os.close(ours)
    for part in read.decode().replace("\r\n", "\n").split("$ ")[1:]:
        line, *rest = part.split("\n")
        yield line, rest


@pytest.fixture
def shop(project: Project) -> Project:
    project.command("shop.bad", body="raise RuntimeError('no space on the disk')")
    project.command("shop.done")
    project.command("shop.with_a_name_that_goes_on_and_on_for_52_letters_as_some")
    project.command("stock.after", decorators='@tracked_script\n    @required_preceding_script("shop.bad")')
    project.command("shop.plain", decorators="")
    project.write(
        "stock/management/commands/broken.py", "from scripts_tracker import tracked_script\nclass (\n"
    )
    return project


@pytest.mark.parametrize("columns", [60, 40])
def test_every_command_is_wrapped_and_colours_have_a_meaning(columns: int, shop: Project) -> None:
    seen = dict(typed(shop, columns))
    assert [*seen] == LINES
    for line, printed in seen.items():
        plain = [_COLOUR.sub("", one).rpartition("\r")[2] for one in printed]
        too_long = [one for one in plain if len(one) > columns and not LONGER.fullmatch(one)]
        assert (line, too_long) == (line, [])
        assert not any(one.rstrip().endswith("manage.py") for one in plain), line  # no command is cut
    listed = "\n".join(seen["check_scripts"])
    for colour, text in (
        ("31;1", "Failed scripts (1):"),
        ("31;1", "  shop/management/commands/bad.py"),
        ("33;1", "  stock/m"),
    ):
        space = text[: len(text) - len(text.lstrip())]
        assert f"{space}\x1b[{colour}m{text.lstrip()}" in listed, listed
    assert "\x1b" not in "".join(seen["check_scripts --all --no-color"])
