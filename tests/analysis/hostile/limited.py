"""Asks `limited_worker` to do jobs, each under limits of processor time and memory."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.waiting import PATIENCE

CPU_SECONDS: Final = 30
"""What takes longer hangs, or grows faster than its input: the slowest of all jobs takes about a second."""
MEBIBYTES: Final = 1024

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Answer:
    """What a job came to; ``crash`` is how its process died or what it raised."""

    cpu: float
    mebibytes: float
    crash: str = ""
    line: int = 0
    column: int = 0
    reason: str = ""
    definitions: dict[str, str] = field(default_factory=dict)
    findings: list[list[Any]] = field(default_factory=list)


class Limited:
    """The worker, as long as it is used."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.analysis.hostile.limited_worker"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        self._process.communicate(timeout=PATIENCE)

    def read(self, source: bytes) -> Answer:
        """Extract the facts of a source."""
        return self._do(work="read", argument=source.decode("latin-1"))

    def analyse(self, root: Path, *, user: str = "") -> Answer:
        """Analyse the project in a folder."""
        return self._do(work="analyse", argument=str(root), user=user)

    def lint(self, root: Path) -> Answer:
        """Lint the project in a folder."""
        return self._do(work="lint", argument=str(root))

    def _do(self, **job: str) -> Answer:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return Answer(**json.loads(self._process.stdout.readline()))
