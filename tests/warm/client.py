"""The tests' side of the warm parent: manage.py processes that start in a tenth of the time."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.waiting import PATIENCE

PARENT = Path(__file__).with_name("parent.py")


@dataclass
class Process:
    """A manage.py process that was started; leaving its ``with`` block ends it and takes its output away."""

    warm: Warm
    pid: int
    files: tuple[Path, Path]
    code: int | None = None

    def __enter__(self) -> Process:  # noqa: PYI034 - typing has Self since 3.11
        return self

    def __exit__(self, *_: object) -> None:
        if self.code is None:
            with contextlib.suppress(ProcessLookupError):
                self.signal(signal.SIGKILL)
            with contextlib.suppress(AssertionError):  # the test has failed by it already
                self.wait()
        for file in self.files:
            file.unlink(missing_ok=True)

    def signal(self, number: signal.Signals) -> None:
        """The number is its own only until a process has waited for it."""
        assert self.code is None
        os.kill(self.pid, number)

    def wait(self) -> int:
        """The exit code, negative for a signal."""
        if self.code is None:
            self.code = self.warm.ask({"wait": self.pid})
        return self.code

    @property
    def out(self) -> str:
        return self.files[0].read_text()

    @property
    def err(self) -> str:
        return self.files[1].read_text()


@dataclass
class Warm:
    """The warm parent; it is started when the first process is wanted."""

    env: Mapping[str, str]
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="warm-")))
    _parent: subprocess.Popen[str] | None = None
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def _start_parent(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-W", "error::ResourceWarning", PARENT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=dict(self.env),
        )

    def ask(self, order: dict[str, object]) -> Any:
        """Obey an order; after a failure, others begin with a new parent."""
        if self._parent is None:
            assert "start" in order, "the warm parent is gone, and its children with it"
            self._parent = self._start_parent()
        stdin, stdout = self._parent.stdin, self._parent.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(order) + "\n")
        stdin.flush()
        ready, _, _ = select.select([stdout], [], [], PATIENCE)
        answer = stdout.readline() if ready else ""
        if not answer:
            self._end_parent()
            raise AssertionError(f"no answer to {order}: it took too long, or the warm parent died")
        return json.loads(answer)

    def start(
        self, root: Path, *commands: Sequence[str], env: Mapping[str, str] | None = None
    ) -> list[Process]:
        """Start manage.py in the project's folder once for each command, all of them at once."""
        files = [self._files() for _ in commands]
        jobs = [
            {"cwd": str(root), "env": {**self.env, **(env or {})}, "out": str(out), "err": str(err)}
            | {"arguments": list(command)}
            for command, (out, err) in zip(commands, files, strict=True)
        ]
        pids = self.ask({"start": jobs})
        return [Process(self, pid, pair) for pid, pair in zip(pids, files, strict=True)]

    def _files(self) -> tuple[Path, Path]:
        number = next(self._numbers)
        return self.folder / f"{number}.out", self.folder / f"{number}.err"

    def _end_parent(self) -> None:
        if self._parent is not None:
            self._parent.kill()
            self._parent.communicate()
            self._parent = None

    def end(self) -> None:
        """A child that a test left behind is the test's own fault."""
        self._end_parent()
        shutil.rmtree(self.folder)
