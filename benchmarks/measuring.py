"""Processes measured side by side: each round runs every one of them once, so that all meet the same machine."""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class BenchmarkError(Exception):
    """A measured command did not do what it was to be measured at."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One command line to measure.

    Attributes:
        arguments: the command.
        cwd: where it runs.
        env: its whole environment.
        expects: what it must print, as a proof that it did the work.
        before: what to do before each run, outside the measurement.
    """

    arguments: Sequence[str]
    cwd: str
    env: Mapping[str, str]
    expects: str = ""
    before: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """What one run cost; CPU time is user and system time of the process and of all its children."""

    wall: float
    cpu: float
    memory_mib: float


@dataclass(slots=True)
class Series:
    """All runs of one subject. The minimum counts: noise only ever adds."""

    samples: list[Sample] = field(default_factory=list)

    @property
    def wall(self) -> float:
        """Seconds on the clock."""
        return min(sample.wall for sample in self.samples)

    @property
    def cpu(self) -> float:
        """Seconds of CPU time."""
        return min(sample.cpu for sample in self.samples)

    @property
    def memory_mib(self) -> float:
        """Peak memory."""
        return min(sample.memory_mib for sample in self.samples)


def run(subject: Subject) -> tuple[Sample, str]:
    """Run a subject once; returns its cost and what it printed."""
    if subject.before is not None:
        subject.before()
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            subject.arguments,
            cwd=subject.cwd,
            env=dict(subject.env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        # Not Popen.wait(): only wait4() gives the resources of this one child.
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace")
    if process.returncode:
        raise BenchmarkError(
            f"{' '.join(subject.arguments)} ended with {process.returncode}:\n{text[-3000:]}"
        )
    if subject.expects not in text:
        raise BenchmarkError(
            f"{' '.join(subject.arguments)} did not print {subject.expects!r}:\n{text[:3000]}"
        )
    return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024), text


def own_memory_mib() -> float:
    """The peak memory of this process, which Linux takes for the least that any child of it has used."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def side_by_side(subjects: Mapping[str, Subject], rounds: int) -> dict[str, Series]:
    """Run all subjects in turn, round after round; the first round only warms up (bytecode, caches)."""
    series = {name: Series() for name in subjects}
    for number in range(rounds + 1):
        for name, subject in subjects.items():
            sample, _ = run(subject)
            if number:
                series[name].samples.append(sample)
    return series
