"""What the runner reports while it carries out a plan, and at the end."""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import Lease, RunRecord


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
    UNCOUNTED = ("uncounted", "was run, but not marked as applied", "done")
    FAILED = ("failed", "failed", "failed")
    HELD = ("held", "is still run by another process", "failed")
    BLOCKED = ("blocked", "is blocked", "blocked")
    SKIPPED = ("skipped", "was skipped", "skipped")

    @property
    def blocks(self) -> bool:
        """Whether scripts that require this one are blocked; after a skipped one, they are skipped as well."""
        return self not in {StepOutcome.DONE, StepOutcome.ELSEWHERE, StepOutcome.SKIPPED}


class Result(NamedTuple):
    """How one step ended: the seconds it took, the reason in a line, the exception that the script raised."""

    status: ScriptStatus
    outcome: StepOutcome
    seconds: float = 0.0
    text: str = ""
    error: BaseException | None = None


class RunEvent(NamedTuple):
    """An event of step ``number`` of ``total``.

    Attributes:
        kind: started, waiting, or the value of the ``StepOutcome``.
        status: the script.
        seconds: how long that has taken so far.
        holder: while waiting, the attempt that holds the script; None if only its lock is seen.
        lease: how it holds the script.
        result: at the end of the step.
    """

    kind: str
    status: ScriptStatus
    number: int
    total: int
    seconds: float = 0.0
    holder: RunRecord | None = None
    lease: Lease | None = None
    result: Result | None = None


class Summary(NamedTuple):
    """The results of all steps, also those that could not run, and the interrupt that ended the run, if any."""

    results: tuple[Result, ...]
    interrupt: KeyboardInterrupt | None = None

    def counted(self, counts_as: str) -> tuple[Result, ...]:
        """The results that the summary counts as done, failed, blocked or skipped."""
        return tuple(result for result in self.results if result.outcome.counts_as == counts_as)

    @property
    def is_good(self) -> bool:
        """Whether every script ran."""
        return len(self.counted("done")) == len(self.results)


class RunOptions(NamedTuple):
    """How to carry out a plan.

    Attributes:
        wait: the seconds to wait for a script that another process runs.
        continue_on_error: whether to run the scripts that do not require a failed one.
        interactive: whether scripts may prompt for input.
        given: options for every command: verbosity, colours, streams.
    """

    wait: float
    continue_on_error: bool = False
    interactive: bool = True
    given: Mapping[str, Any] = MappingProxyType({})
