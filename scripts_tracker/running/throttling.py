"""Asks the throttles of the settings whether a batched script should wait."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

from scripts_tracker import conf
from scripts_tracker.core.text import error_text
from scripts_tracker.exceptions import ScriptsTrackerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripts_tracker.core.values import Work

_LONGEST: Final = 250  # characters; the ledger has room for 255


class UnknownThrottle(ScriptsTrackerError):
    """A dotted name in ``SCRIPTS_TRACKER["throttle"]`` leads to nothing that can be called."""


def reason_to_wait(work: Work) -> str | None:
    """The reason of the first throttle that has one, in a clause; None where a script may go on.

    A throttle that cannot be imported or raises is a reason to wait: what it protects is not known to be safe.
    """
    for throttle in conf.tracker_settings().throttle:
        reason = _reason(throttle, work)
        if reason is not None:
            text = " ".join(reason.split())
            return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
    return None


def load(throttle: str | Callable[..., object]) -> Callable[..., object]:
    """The callable that an entry of the setting stands for.

    Raises:
        UnknownThrottle: a dotted name leads nowhere.
    """
    if not isinstance(throttle, str):
        return throttle
    from django.utils.module_loading import import_string

    try:
        found: Any = import_string(throttle)
    except Exception as error:
        raise UnknownThrottle(f"the throttle {throttle} cannot be imported: {_described(error)}") from error
    if not callable(found):
        raise UnknownThrottle(f"the throttle {throttle} is not callable")
    return found  # type: ignore[no-any-return]  # it is callable


def _reason(throttle: str | Callable[..., object], work: Work) -> str | None:
    name = _name_of(throttle)
    try:
        function = load(throttle)
        answer = function(work) if _takes_work(function) else function()
    except UnknownThrottle as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the script waits, and says so
        return f"the throttle {name} failed: {_described(error)}"
    if not answer:
        return None
    if callable(answer):
        return f"the throttle {name} returned a function; write {name}() in the settings"
    return answer if isinstance(answer, str) else f"the throttle {name} says so"


def _takes_work(function: Callable[..., object]) -> bool:
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return False
    except ValueError:  # a function of an extension module may not have one
        return True
    return True


def _name_of(throttle: object) -> str:
    if isinstance(throttle, str):
        return throttle
    function = getattr(throttle, "func", throttle)  # behind functools.partial
    name = getattr(function, "__qualname__", None)
    return f"{function.__module__}.{name}" if name else repr(throttle)


def _described(error: BaseException) -> str:
    return f"{type(error).__name__}: {error_text(error)}".rstrip(": ")
