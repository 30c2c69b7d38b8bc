"""What happens while a plan is carried out, and how it ends: the values that the runner tells."""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import RunRecord

NOT_STARTED = 2
"""The exit code of a command that tried nothing: wrong use, an unknown script, a ledger that cannot be used."""


class StepOutcome(Enum):
    """How a step ends: its name in events, in half a sentence, and what the summary counts it as."""

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
    UNCOUNTED = ("uncounted", "was run, which does not count as applied", "done")
    FAILED = ("failed", "failed", "failed")
    HELD = ("held", "is still run by another process", "failed")
    BLOCKED = ("blocked", "is blocked", "blocked")
    SKIPPED = ("skipped", "was skipped", "skipped")

    @property
    def blocks(self) -> bool:
        """Whether what requires the script cannot run; after one that was skipped it would be skipped itself."""
        return self not in {StepOutcome.DONE, StepOutcome.ELSEWHERE, StepOutcome.SKIPPED}


class Result(NamedTuple):
    """How one step ended: after how many seconds, the reason in a line, what the script raised."""

    status: ScriptStatus
    outcome: StepOutcome
    seconds: float = 0.0
    text: str = ""
    error: BaseException | None = None


class RunEvent(NamedTuple):
    """Something that happens to step ``number`` of ``total``.

    Attributes:
        kind: started, waiting, or the value of the ``StepOutcome``.
        status: the script.
        seconds: how long that has taken so far.
        holder: while waiting, the attempt that holds the script; None where only a lock is seen.
        result: at the end of the step.
    """

    kind: str
    status: ScriptStatus
    number: int
    total: int
    seconds: float = 0.0
    holder: RunRecord | None = None
    result: Result | None = None


class Summary(NamedTuple):
    """How a run ended: each step's result, what could not run included; the interrupt that ended it, if one did."""

    results: tuple[Result, ...]
    interrupt: KeyboardInterrupt | None = None

    def counted(self, counts_as: str) -> tuple[Result, ...]:
        """The results that the summary counts as done, failed, blocked or skipped."""
        return tuple(result for result in self.results if result.outcome.counts_as == counts_as)

    @property
    def is_good(self) -> bool:
        """Whether everything that was to run has run."""
        return len(self.counted("done")) == len(self.results)


class RunOptions(NamedTuple):
    """How to carry out a plan.

    Attributes:
        wait: for how many seconds to wait for a script that another process runs.
        continue_on_error: whether to go on with what does not depend on a failed script.
        interactive: whether scripts may ask somebody.
        given: options for every command: verbosity, colours, streams.
    """

    wait: float
    continue_on_error: bool = False
    interactive: bool = True
    given: Mapping[str, Any] = MappingProxyType({})
