"""One process whose wall clock is off, as that of a badly kept host; its monotonic clock is right."""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.databases.servers import program

SOURCE = Path(__file__).with_name("clock_off.c")


@functools.cache
def _library() -> Path:
    compiler = program("cc", "gcc")
    folder = Path(tempfile.mkdtemp(prefix="clock-"))
    atexit.register(shutil.rmtree, folder)
    made = folder / "clock_off.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-Wall", "-o", made, SOURCE, "-ldl"], check=True)
    return made


def off_by(seconds: int) -> dict[str, str]:
    """The environment of a process whose clock is ahead by so many seconds, or behind."""
    return {"LD_PRELOAD": str(_library()), "CLOCK_IS_OFF_BY": str(seconds)}
