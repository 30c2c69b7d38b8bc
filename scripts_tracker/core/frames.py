"""Tracebacks as the author of a script wants them: without the frames that have called it, and without ours."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from traceback import FrameSummary, TracebackException

_OURS = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")
# What calls a script is left out only above its first frame: the script may call it, too.
_CALLERS = (_OURS, os.path.join(os.path.dirname(importlib.__file__), ""), "<frozen importlib")
_MANAGEMENT = os.path.join("", "django", "core", "management", "")


def leave_out_others(shown: TracebackException) -> None:
    """Leave out what is not of the script, in an exception and in those that it came of."""
    waiting, met = [shown], set()
    while waiting:
        one = waiting.pop()
        if id(one) in met:
            continue
        met.add(id(one))
        one.stack[:] = _of_the_script(one.stack)
        related = (one.__cause__, one.__context__, *(getattr(one, "exceptions", None) or ()))
        waiting += [each for each in related if each is not None]


def _of_the_script(stack: Sequence[FrameSummary]) -> list[FrameSummary]:
    """The frames from the script's first one on, without ours between; the last one is where it happened."""
    first = next((number for number, frame in enumerate(stack) if not _calls(frame)), None)
    if first is None:  # the script was not even reached
        return list(stack)
    between = [frame for frame in stack[first:-1] if not frame.filename.startswith(_OURS)]
    return [*between, stack[-1]]


def _calls(frame: FrameSummary) -> bool:
    return frame.filename.startswith(_CALLERS) or _MANAGEMENT in frame.filename
