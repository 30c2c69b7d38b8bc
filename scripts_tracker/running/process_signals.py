"""The signals around a script: which are blocked, who handles each, and the timers that send some."""

from __future__ import annotations

import contextlib
import signal
import time
from typing import TYPE_CHECKING, Any

from scripts_tracker.running.standard_streams import for_each

if TYPE_CHECKING:
    from collections.abc import Iterator

_SLACK = 1.0  # seconds by which a timer may differ from what is expected


def blocked() -> Any:
    """The signals that are blocked now; None on Windows, which blocks none."""
    return signal.pthread_sigmask(signal.SIG_BLOCK, ()) if hasattr(signal, "pthread_sigmask") else None


@contextlib.contextmanager
def all_blocked(afterwards: Any) -> Iterator[None]:
    """Block all signals; after the block, those that were blocked before the script."""
    if afterwards is None:  # Windows, or a thread
        yield
        return
    try:
        # It raises the interrupt that came just before, when it has blocked the rest.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, afterwards)


def handlers() -> dict[int, Any]:
    """The handler of each signal that may have one."""
    fixed = {getattr(signal, name, None) for name in ("SIGKILL", "SIGSTOP")}
    return {number: signal.getsignal(number) for number in signal.valid_signals() - fixed}


def set_handlers(saved: dict[int, Any]) -> None:
    """Make these the handlers again."""

    def restore(number: int, handler: Any) -> None:
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)  # a handler that C code has installed is None, which is refused

    for_each(saved.items(), restore)


def timers() -> tuple[float, dict[int, tuple[float, float]]]:
    """The timers of the process, as seconds left and interval, and when that was."""
    kinds = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
    return time.monotonic(), {kind: signal.getitimer(kind) for kind in kinds}


def set_timers(saved: tuple[float, dict[int, tuple[float, float]]]) -> None:
    """Stop what the script has started, before its handler is gone; start again what it has replaced."""
    then, timers = saved
    for kind, (left, interval) in timers.items():
        if not left:
            if signal.getitimer(kind)[0]:
                signal.setitimer(kind, 0)
            _discard(kind)
        elif kind == signal.ITIMER_REAL:  # the others count the seconds of the processor
            rest = left - (time.monotonic() - then)
            if rest <= 0:
                rest = rest % interval if interval else 0
            now = signal.getitimer(kind)
            if abs(now[0] - rest) > _SLACK or now[1] != interval:
                signal.setitimer(kind, rest, interval)


def _discard(kind: int) -> None:
    """Discard the signal of a timer that is waiting, as signals are blocked here: by default it ends the process."""
    numbers = {signal.ITIMER_REAL: signal.SIGALRM, signal.ITIMER_VIRTUAL: signal.SIGVTALRM}
    number = numbers.get(kind, signal.SIGPROF)
    if number in signal.sigpending():
        signal.sigwait({number})
