"""The state of the process around a script of ``run_scripts``: what one script leaves changed, the next does not meet.

Saved and put back is what the interpreter and the operating system keep once per process, what changes the behaviour of
the next script or of the runner, and what Python can both read and set. A table below has a row for each. Context
variables, and with them Django's language and time zone, are kept by a copy of the context.
"""

from __future__ import annotations

import contextlib
import contextvars
import csv
import decimal
import gc
import locale
import logging
import os
import socket
import sys
import tempfile
import threading
import time
import warnings
from typing import TYPE_CHECKING, Any, TypeVar, cast

from django.conf import settings

from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.ledger import processes
from scripts_tracker.running import process_signals, standard_streams
from scripts_tracker.running.standard_streams import STREAMS, KeptFile, flush, for_each

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripts_tracker.core.values import ScriptId

T = TypeVar("T")

logger = logging.getLogger("scripts_tracker")

# Attributes that are replaced as a whole.
_ATTRIBUTES = (
    *((sys, name) for name in STREAMS),
    *((sys, f"__{name}__") for name in STREAMS),
    (sys, "excepthook"),
    (sys, "unraisablehook"),
    (sys, "displayhook"),
    (sys, "dont_write_bytecode"),
    (threading, "excepthook"),
    (tempfile, "tempdir"),
    (os, "environ"),
    (warnings, "showwarning"),
    (warnings, "_showwarnmsg_impl"),
    (logging, "raiseExceptions"),
    (logging, "lastResort"),
    (logging, "_warnings_showwarning"),  # of captureWarnings()
)
# Values with a function that reads and one that sets them. Python 3.10 lacks one, Windows others.
_VALUES = (
    (sys, "getrecursionlimit", "setrecursionlimit"),
    (sys, "getswitchinterval", "setswitchinterval"),
    (sys, "get_int_max_str_digits", "set_int_max_str_digits"),
    (socket, "getdefaulttimeout", "setdefaulttimeout"),
    (csv, "field_size_limit", "field_size_limit"),
)
_MISSING = object()
_lazy: Any = settings


class _Part(NamedTuple):
    """A part of the state: its name for warnings, what reads it, and what makes it so again."""

    name: str
    read: Callable[[], Any]
    restore: Callable[[Any], object]


class ProcessState:
    """The state at one moment; in a thread nothing of it, as the process belongs to other threads too."""

    def __init__(self) -> None:
        self._saved: list[tuple[_Part, Any]] = []
        self._mask: Any = None
        if threading.current_thread() is not threading.main_thread():
            return
        self._mask = process_signals.blocked()
        for part in _PARTS:
            with contextlib.suppress(Exception):  # a folder that may not be opened, say
                self._saved.append((part, part.read()))

    def restore(self, script_id: ScriptId) -> KeyboardInterrupt | None:
        """Make it so again, as often as wanted; warn about what cannot be undone.

        Returns:
            An interrupt that was blocked by the script or came meanwhile.

        Raises:
            KeyboardInterrupt: it came before anything was put back, or after all was.
        """
        interrupt: KeyboardInterrupt | None = None
        todo, failures = self._saved[::-1], dict[str, BaseException]()
        is_over = False
        while not is_over:
            # An interrupt may come anywhere: by way of another thread, which blocks no signals.
            try:
                with processes.signals_held(), process_signals.all_blocked(self._mask):
                    while todo:
                        _put_back(*todo[-1], failures)
                        todo.pop()
                is_over = True
            except KeyboardInterrupt as came:
                # Its traceback would keep alive what it has interrupted: the blocks above, half begun or half ended.
                interrupt = came.with_traceback(None)
        for name, reason in failures.items():
            text = "%s left %s changed, and it could not be put back for the scripts that follow: %s"
            logger.warning(text, script_id, name, reason)
        return interrupt

    def close(self) -> None:
        """Let go of what was kept open."""
        for _, value in self._saved:
            for file in value if isinstance(value, list) else ():
                if isinstance(file, KeptFile):
                    file.close()
        self._saved = []


def _put_back(part: _Part, value: Any, failures: dict[str, BaseException]) -> None:
    try:
        part.restore(value)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - nothing here may hide how the script ended
        failures[part.name] = error


def call_with_own_context(function: Callable[..., T], *args: Any) -> T:
    """Call a function whose changes of context variables are its own."""
    return contextvars.copy_context().run(_with_own_decimals, function, *args)


def _with_own_decimals(function: Callable[..., T], *args: Any) -> T:
    decimal.setcontext(
        decimal.getcontext().copy()
    )  # the variable is copied with the context, its value is not
    return function(*args)


# The interpreter and the operating system


def _folder() -> list[Any]:
    """The path and the folder itself, which may be moved or deleted."""
    if not hasattr(os, "fchdir"):
        return [os.getcwd()]
    return [KeptFile.keep(os.open(os.curdir, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)))]


def _set_folder(saved: list[Any]) -> None:
    (place,) = saved
    if isinstance(place, KeptFile):
        os.fchdir(place.check())
    else:
        os.chdir(place)


def _umask() -> int:
    before = os.umask(0o077)  # it cannot be read otherwise; strict, as another thread may create a file now
    os.umask(before)
    return before


def _attributes() -> list[tuple[Any, str, Any]]:
    return [(owner, name, getattr(owner, name, _MISSING)) for owner, name in _ATTRIBUTES]


def _set_attributes(saved: list[tuple[Any, str, Any]]) -> None:
    def restore(owner: Any, name: str, value: Any) -> None:
        if value is not _MISSING and getattr(owner, name, _MISSING) is not value:
            setattr(owner, name, value)

    for name in STREAMS[1:]:
        flush(name)
    for_each(saved, restore)


def _lists() -> tuple[list[str], list[str], list[str], list[str]]:
    return sys.argv, sys.argv[:], sys.path, sys.path[:]


def _set_lists(saved: tuple[list[str], list[str], list[str], list[str]]) -> None:
    """What the script added to sys.path moves to its end: modules that it has imported may need it."""
    sys.argv, sys.argv[:], path, before = saved[0], saved[1], saved[2], saved[3]
    if sys.path is not path or path != before:
        added = [entry for entry in sys.path if entry not in before]
        sys.path, path[:] = path, [*before, *added]


def _environment() -> tuple[dict[str, str], Any]:
    return dict(os.environ), (time.tzname, time.timezone, time.altzone)


def _set_environment(saved: tuple[dict[str, str], Any]) -> None:
    before, zone = saved
    if dict(os.environ) != before:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)
    if hasattr(time, "tzset") and (time.tzname, time.timezone, time.altzone) != zone:
        time.tzset()


def _locale() -> str:
    return locale.setlocale(locale.LC_ALL)


def _set_locale(saved: str) -> None:
    if _locale() != saved:
        locale.setlocale(locale.LC_ALL, saved)


def _values() -> list[tuple[Any, Any]]:
    return [
        (getattr(owner, setter), getattr(owner, getter)())
        for owner, getter, setter in _VALUES
        if hasattr(owner, getter)
    ]


def _set_values(saved: list[tuple[Any, Any]]) -> None:
    for_each(saved, lambda setter, value: setter(value))


def _collector() -> tuple[bool, tuple[int, int, int]]:
    return gc.isenabled(), gc.get_threshold()


def _set_collector(saved: tuple[bool, tuple[int, int, int]]) -> None:
    is_enabled, threshold = saved
    (gc.enable if is_enabled else gc.disable)()
    gc.set_threshold(*threshold)


def _start_method() -> str | None:
    """How multiprocessing starts processes; None before a script has decided, which may be done once."""
    module = sys.modules.get("multiprocessing")
    return module.get_start_method(allow_none=True) if module else None


def _set_start_method(saved: str | None) -> None:
    if _start_method() != saved:
        sys.modules["multiprocessing"].set_start_method(saved, force=True)


def _set_warnings(saved: list[Any]) -> None:
    if warnings.filters != saved:
        warnings.resetwarnings()  # Python notes the change
        cast("list[Any]", warnings.filters).extend(saved)


# Logging and Django


_LOGGER_STATE = ("level", "propagate", "disabled", "handlers", "filters")
_HANDLER_STATE = ("level", "formatter", "filters")


def _loggers() -> tuple[int, list[tuple[Any, Any, tuple[str, ...]]]]:
    """The state of every logger and of every handler that one has. Loggers that a script adds come with its modules."""
    named = list(logging.root.manager.loggerDict.values())
    loggers = [logging.root, *(one for one in named if isinstance(one, logging.Logger))]
    handlers = {id(handler): handler for one in loggers for handler in one.handlers}.values()
    states: list[tuple[Any, Any, tuple[str, ...]]] = [
        (one, _logger_state(one), _LOGGER_STATE) for one in loggers
    ]
    states += [(handler, _handler_state(handler), _HANDLER_STATE) for handler in handlers]
    return logging.root.manager.disable, states


def _logger_state(one: logging.Logger) -> tuple[Any, ...]:
    return one.level, one.propagate, one.disabled, (*one.handlers,), (*one.filters,)


def _handler_state(handler: logging.Handler) -> tuple[Any, ...]:
    return handler.level, handler.formatter, (*handler.filters,)


def _set_loggers(saved: tuple[int, list[tuple[Any, Any, tuple[str, ...]]]]) -> None:
    disabled, states = saved

    def restore(one: Any, state: tuple[Any, ...], names: tuple[str, ...]) -> None:
        if (_logger_state if isinstance(one, logging.Logger) else _handler_state)(one) == state:
            return
        for name, value in zip(names, state, strict=True):
            setattr(one, name, list(value) if isinstance(value, tuple) else value)
        one.setLevel(one.level)  # loggers remember what is enabled

    for_each(states, restore)
    if logging.root.manager.disable != disabled:
        logging.disable(disabled)


def _settings() -> tuple[Any, dict[str, Any]]:
    wrapped = _lazy._wrapped  # noqa: SLF001 - as override_settings does
    return wrapped, dict(vars(wrapped))


def _set_settings(saved: tuple[Any, dict[str, Any]]) -> None:
    wrapped, before = saved
    if _lazy._wrapped is not wrapped:  # noqa: SLF001 - as above
        _lazy._wrapped = wrapped  # noqa: SLF001 - as above
    now = vars(wrapped)
    for name in {*before, *now}:
        value = before.get(name, _MISSING)
        if name.isupper() and now.get(name, _MISSING) is not value:
            delattr(settings, name) if value is _MISSING else setattr(settings, name, value)


def _limits() -> dict[int, tuple[int, int]]:
    import resource  # not on Windows

    names = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    return {number: resource.getrlimit(number) for number in (getattr(resource, name) for name in names)}


def _set_limits(saved: dict[int, tuple[int, int]]) -> None:
    import resource  # as above

    def restore(number: int, limit: tuple[int, int]) -> None:
        if resource.getrlimit(number) != limit:
            resource.setrlimit(number, limit)

    for_each(saved.items(), restore)


def _priority() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


def _set_priority(saved: int) -> None:
    if _priority() != saved:
        os.setpriority(os.PRIO_PROCESS, 0, saved)


def _user() -> tuple[Any, Any, list[int]]:
    return os.getresuid(), os.getresgid(), os.getgroups()


def _set_user(saved: tuple[Any, Any, list[int]]) -> None:
    user, group, groups = saved
    if os.getresuid() != user:
        os.setresuid(*user)
    if os.getresgid() != group:
        os.setresgid(*group)
    if os.getgroups() != groups:
        os.setgroups(groups)


# In the order in which they are put back: first what may interrupt that, and whoever may do the rest; warnings need
# logging and stderr, which are there at the end.
_PARTS = (
    _Part("a timer", process_signals.timers, process_signals.set_timers),
    _Part("a signal handler", process_signals.handlers, process_signals.set_handlers),
    _Part("the user or group of the process", _user, _set_user),
    _Part("a limit of the process", _limits, _set_limits),
    _Part("the priority of the process", _priority, _set_priority),
    _Part("sys or another module", _attributes, _set_attributes),
    _Part("a standard file descriptor", standard_streams.descriptors, standard_streams.set_descriptors),
    _Part("a standard stream", standard_streams.stream_options, standard_streams.set_stream_options),
    _Part("the working folder", _folder, _set_folder),
    _Part("the umask", _umask, os.umask),
    _Part("the environment", _environment, _set_environment),
    _Part("the locale", _locale, _set_locale),
    _Part("sys.argv or sys.path", _lists, _set_lists),
    _Part("a limit of Python", _values, _set_values),
    _Part("the garbage collector", _collector, _set_collector),
    _Part("the start method of multiprocessing", _start_method, _set_start_method),
    _Part("the warnings filters", lambda: list(warnings.filters), _set_warnings),
    _Part("logging", _loggers, _set_loggers),
    _Part("the settings", _settings, _set_settings),
)
