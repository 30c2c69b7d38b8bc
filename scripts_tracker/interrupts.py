"""A request to end, as an exception: whoever evicts a pod sends SIGTERM, which would kill without a word."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


class Terminated(KeyboardInterrupt):
    """SIGTERM has come: as Ctrl-C, no script is to swallow it by ``except Exception``."""


def exit_code(interrupt: KeyboardInterrupt) -> int:
    """What a shell expects of a program that ended by this signal."""
    return 128 + (signal.SIGTERM if isinstance(interrupt, Terminated) else signal.SIGINT)


@contextlib.contextmanager
def sigterm_raises() -> Iterator[None]:
    """Turn SIGTERM into ``Terminated`` while the block runs; where somebody else handles it, or in a thread, nothing."""
    is_ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    process = os.getpid()

    def terminate(number: int, _frame: FrameType | None) -> None:
        if os.getpid() == process:
            raise Terminated("SIGTERM")
        signal.signal(number, signal.SIG_DFL)  # a child that a script has forked ends as it always did
        os.kill(os.getpid(), number)

    if is_ours:
        signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        if is_ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
