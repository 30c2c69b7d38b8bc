"""What the runner reports while it carries out a plan, and at the end."""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scripts_tracker.core.progress import Progress
    from scripts_tracker.core.reports import RehearsalReport
    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import Lease, RunRecord


EXIT_STOPPED: Final = 75
"""The exit code of a run that has stopped before its end and that the next run continues: EX_TEMPFAIL of sysexits(3)."""


class StepOutcome(Enum):
    """How a step ends: its name in events, a phrase for sentences, and the heading that counts it in the summary."""

    phrase: str
    counts_as: str

    def __new__(cls, name: str, phrase: str, counts_as: str) -> StepOutcome:  # noqa: PYI034 - Enum members are no Self
        """Build the member."""
        member = object.__new__(cls)
        member._value_ = name
        member.phrase = phrase
        member.counts_as = counts_as
        return member

    DONE = ("done", "was run", "done")
    ELSEWHERE = ("elsewhere", "was run by another process", "done")
    REHEARSED = ("rehearsed", "was rehearsed", "done")
    UNCOUNTED = ("uncounted", "was run, but not marked as applied", "done")
    FAILED = ("failed", "failed", "failed")
    HELD = ("held", "is still run by another process", "held")
    STOPPED = ("stopped", "is not finished", "stopped")
    BLOCKED = ("blocked", "is blocked", "blocked")
    SKIPPED = ("skipped", "was skipped", "skipped")

    @property
    def blocks(self) -> bool:
        """Whether scripts that require this one are blocked; after a skipped one, they are skipped as well."""
        return self not in _THEN_GOES_ON


_THEN_GOES_ON = frozenset(
    {StepOutcome.DONE, StepOutcome.ELSEWHERE, StepOutcome.REHEARSED, StepOutcome.SKIPPED}
)


class Result(NamedTuple):
    """How one step ended.

    Attributes:
        status: the script.
        outcome: how.
        seconds: it took.
        text: the reason in a line.
        error: the exception that the script raised.
        report: of a rehearsal.
    """

    status: ScriptStatus
    outcome: StepOutcome
    seconds: float = 0.0
    text: str = ""
    error: BaseException | None = None
    report: RehearsalReport | None = None


class RunEvent(NamedTuple):
    """An event of step ``number`` of ``total``.

    Attributes:
        kind: started, waiting, progress, printed, statement, or the value of the ``StepOutcome``.
        status: the script.
        seconds: how long that has taken so far.
        holder: while waiting, the attempt that holds the script; None if only its lock is seen.
        lease: how it holds the script.
        result: at the end of the step.
        progress: how far a batched script is.
        line: a line that a worker has printed, without its end, or a notice about it; a statement of a rehearsal.
        is_error: whether that belongs on stderr.
        worker: the number of that worker.
    """

    kind: str
    status: ScriptStatus
    number: int
    total: int
    seconds: float = 0.0
    holder: RunRecord | None = None
    lease: Lease | None = None
    result: Result | None = None
    progress: Progress | None = None
    line: str = ""
    is_error: bool = False
    worker: int = 0


class Summary(NamedTuple):
    """The results of all steps, also those that could not run, and the interrupt that ended the run, if any."""

    results: tuple[Result, ...]
    interrupt: KeyboardInterrupt | None = None

    def counted(self, counts_as: str) -> tuple[Result, ...]:
        """The results that the summary counts as done, failed, held, stopped, blocked or skipped."""
        return tuple(result for result in self.results if result.outcome.counts_as == counts_as)

    @property
    def is_good(self) -> bool:
        """Whether every script ran."""
        return len(self.counted("done")) == len(self.results)

    @property
    def is_unfinished(self) -> bool:
        """Whether scripts have stopped before their end, and nothing else keeps the others from being done."""
        stopped = {result.status.id for result in self.counted("stopped")}
        behind = set(stopped)
        for result in self.counted("blocked"):
            required = {one.target for one in result.status.requires}
            if required & behind:
                behind.add(result.status.id)
        return bool(stopped) and len(behind) + len(self.counted("done")) == len(self.results)


class WorkerStart(NamedTuple):
    """How to start a worker: its command line but for the script, and what its environment has beyond our own."""

    arguments: tuple[str, ...]
    env: Mapping[str, str] = MappingProxyType({})


class Placed(NamedTuple):
    """What became of a step of a plan on the queue: how many jobs were put there, and why not more, or how they ended."""

    status: ScriptStatus
    jobs: int
    text: str = ""
    is_failure: bool = False


class RunOptions(NamedTuple):
    """How to carry out a plan.

    Attributes:
        wait: the seconds to wait for a script that another process runs.
        continue_on_error: whether to run the scripts that do not require a failed one.
        interactive: whether scripts may prompt for input.
        given: options for every command: verbosity, colours, streams.
        workers: how many processes share a batched script.
        seconds: the time after which to begin nothing more; None for no limit.
        start: how to start these processes; None where this process does all by itself, or is one of them.
        patient: whether batched scripts wait for throttles; a job on the queue ends instead.
    """

    wait: float
    continue_on_error: bool = False
    interactive: bool = True
    given: Mapping[str, Any] = MappingProxyType({})
    workers: int = 1
    seconds: float | None = None
    start: WorkerStart | None = None
    patient: bool = True


class WorkOptions(NamedTuple):
    """How to work on a batched script.

    Attributes:
        workers: how many share its walk, if this one begins it.
        until: when to stop, by ``time.monotonic()``; None to go on to the end.
        wait: the seconds to wait for other workers to end.
        report: gets how far the script is, between batches, at most once a second.
        patient: whether to wait for throttles; a job on the queue ends instead.
    """

    workers: int = 1
    until: float | None = None
    wait: float = 0.0
    report: Callable[[Progress], None] | None = None
    patient: bool = True
