"""A typed view of the project's settings, read each time and never cached. Every ``manage.py check`` imports it."""

from __future__ import annotations

import os
import sys
import threading
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from django.conf import settings

from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator, Mapping, Sequence


class TrackerSettings(NamedTuple):
    """``SCRIPTS_TRACKER``: a field for each key, with its default.

    Attributes:
        enabled: False turns the decorators off: nothing is recorded or checked.
        notify: whether ``migrate`` ends with a notice.
        auto_run: whether a forward ``migrate`` runs the scripts that need action (as in django-scripts-tracker).
        store_source: whether the ledger stores the source of applied versions.
        capture_output: whether the ledger stores the end of the script's output.
        output_bytes: the length of that end.
        secret_pattern: a regular expression of what to mask in it; None for the usual names and forms of secrets.
        lease_seconds: how long a run holds its script after its last heartbeat.
        heartbeat_seconds: the time between two heartbeats; None for a quarter of ``lease_seconds``.
        wait_seconds: how long ``run_scripts`` waits for a script that another process runs.
        script_template: the file that ``start_script`` fills in, absolute or below BASE_DIR; None for ours.
        batched_template: the same for ``start_script --batched``.
        database: the alias of the ledger's database; None to ask the routers.
        renamed_apps: the label that an app has now, by an earlier one: its scripts keep their history.
        throttle: what batched scripts ask between two batches: dotted names or callables (``scripts_tracker.throttles``).
        queue: the backend of django.tasks that ``run_scripts --enqueue`` uses; None for no queue.
        environment: the name of this environment in reports: "production", say; empty for none.
        fresh_database: what new scripts do where ``migrate`` began on an empty database: "run", or "mark" as applied.
    """

    enabled: bool = True
    notify: bool = True
    auto_run: bool = False
    store_source: bool = True
    capture_output: bool = True
    output_bytes: int = 64 * 1024
    secret_pattern: str | re.Pattern[str] | None = None
    lease_seconds: float = 60
    heartbeat_seconds: float | None = None
    wait_seconds: float = 600
    script_template: str | None = None
    batched_template: str | None = None
    database: str | None = None
    renamed_apps: Mapping[str, str] = MappingProxyType({})
    throttle: Sequence[str | Callable[..., object]] = ()
    queue: Mapping[str, Any] | None = None
    environment: str = ""
    fresh_database: str = "run"


class QueueSettings(NamedTuple):
    """``SCRIPTS_TRACKER["queue"]``: a field for each key, with its default.

    Attributes:
        backend: the alias in ``TASKS``.
        queue_name: the queue of that backend.
        slice_seconds: how long a job works on a batched script before it makes room for others.
    """

    backend: str = "default"
    queue_name: str = "default"
    slice_seconds: float = 600


class Problem(NamedTuple):
    """What is wrong with a setting, and what to write instead."""

    setting: str
    message: str
    hint: str


class Kind(NamedTuple):
    """The valid values of a setting.

    Attributes:
        accepts: whether a value is valid.
        words: the valid values in words.
        example: a valid value.
        reason: why a value is invalid, if the words do not say it.
        nearest: the valid value nearest to an invalid one; empty to show the example.
    """

    accepts: Callable[[object], bool]
    words: str
    example: str
    reason: Callable[[object], str] = lambda _: ""
    nearest: Callable[[object], str] = lambda _: ""


def _number(least: float, most: float, what: str, example: str, *, or_none: bool = False) -> Kind:
    """A number within bounds, a whole one if they are whole; neither a boolean nor a NaN is a number."""
    numbers = int if isinstance(least, int) else (int, float)

    def accepts(value: object) -> bool:
        if value is None or isinstance(value, bool):
            return value is None and or_none
        return isinstance(value, numbers) and least <= value <= most

    def nearest_to(value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:  # noqa: PLR0124 - NaN
            return ""
        if least <= value <= most:  # a fraction where a whole number is expected
            return str(round(value))
        return f"{most if value > most else least:.15g}"

    words = f"{what} from {least:.15g} to {most:.15g}{', or None' if or_none else ''}"
    return Kind(accepts, words, example, nearest=nearest_to)


def _pattern_error(value: object) -> str:
    if value is None:
        return ""
    from scripts_tracker.core import redaction  # only for a project with its own pattern

    return redaction.pattern_error(value)


def _are(kinds: type | tuple[type, ...]) -> Callable[[object], bool]:
    def accepts(value: object) -> bool:
        return isinstance(value, list | tuple | set | frozenset) and all(
            isinstance(item, kinds) for item in value
        )

    return accepts


def _is_throttle(item: object) -> bool:
    return callable(item) or (
        isinstance(item, str) and "." in item and all(part.isidentifier() for part in item.split("."))
    )


def _throttle_error(value: object) -> str:
    if not isinstance(value, list | tuple):
        return ""
    wrong = next((item for item in value if not _is_throttle(item)), None)
    if isinstance(wrong, str) and "(" in wrong:
        return f"{shown(wrong)} is a call in quotes; import the function into the settings, and call it there"
    return f"{shown(wrong)} is neither callable nor a dotted name"


_QUEUE_KEYS: Mapping[str, Kind] = {
    "backend": Kind(lambda value: isinstance(value, str) and bool(value), "an alias of TASKS", '"default"'),
    "queue_name": Kind(lambda value: isinstance(value, str) and bool(value), "a name", '"default"'),
    "slice_seconds": _number(1.0, 86400.0, "a number of seconds", "600"),
}


def _queue_error(value: object) -> str:
    """What is wrong in a dictionary; empty for one without a fault, and for what is none."""
    for key, item in value.items() if isinstance(value, dict) else ():
        if key not in _QUEUE_KEYS:
            from scripts_tracker.core.names import nearest  # only if a key is misspelt

            like = nearest(str(key), _QUEUE_KEYS)
            known = f'did you mean "{like}"?' if like else f"the keys are {', '.join(_QUEUE_KEYS)}"
            return f"unknown key {shown(key)}; {known}"
        if not _QUEUE_KEYS[key].accepts(item):
            return f'"{key}" must be {_QUEUE_KEYS[key].words}, not {shown(item)}'
    return ""


def _template(example: str) -> Kind:
    return Kind(
        lambda value: value is None or (isinstance(value, str) and bool(value)), "a path", f'"{example}"'
    )


_BOOL = Kind(lambda value: isinstance(value, bool), "True or False", "True")
_WEEK = 7 * 86400.0
_LONGEST_NAME = 100
_KEYS: Mapping[str, Kind] = {
    "enabled": _BOOL,
    "notify": _BOOL,
    "auto_run": _BOOL,
    "store_source": _BOOL,
    "capture_output": _BOOL,
    "output_bytes": _number(1, 4 * 1024 * 1024, "a whole number of bytes", "65536"),
    "secret_pattern": Kind(
        lambda value: not _pattern_error(value),
        "a regular expression",
        r'r"card=(?P<secret>\d+)"',
        _pattern_error,
    ),
    "lease_seconds": _number(0.1, _WEEK, "a number of seconds", "60"),
    "heartbeat_seconds": _number(0.01, _WEEK, "a number of seconds", "15", or_none=True),
    "wait_seconds": _number(0.0, _WEEK, "a number of seconds", "600"),
    "script_template": _template("script.py-tpl"),
    "batched_template": _template("batched.py-tpl"),
    "database": Kind(
        lambda value: value is None or (isinstance(value, str) and value in settings.DATABASES),
        "an alias of DATABASES",
        '"default"',
    ),
    "renamed_apps": Kind(
        lambda value: (
            isinstance(value, dict) and all(isinstance(one, str) for pair in value.items() for one in pair)
        ),
        "a dictionary from the earlier label of each app to the one of now",
        '{"orders": "sales"}',
    ),
    "throttle": Kind(
        lambda value: isinstance(value, list | tuple) and all(map(_is_throttle, value)),
        "a list of dotted names or callables",
        '["scripts_tracker.throttles.replica_lag"]',
        _throttle_error,
    ),
    "queue": Kind(
        lambda value: value is None or (isinstance(value, dict) and not _queue_error(value)),
        "a dictionary, or None",
        '{"backend": "default", "queue_name": "default", "slice_seconds": 600}',
        _queue_error,
    ),
    "environment": Kind(
        lambda value: isinstance(value, str) and len(value) <= _LONGEST_NAME and value.isprintable(),
        "a name of at most 100 characters",
        '"production"',
    ),
    "fresh_database": Kind(lambda value: value in ("run", "mark"), '"run" or "mark"', '"mark"'),
}
_TOP_LEVEL: Mapping[str, Kind] = {
    "COMMANDS_DIRS": Kind(_are((str, os.PathLike)), "a list of folders", '["shop/management/commands"]'),
    "IGNORED_FILES": Kind(_are(str), "a tuple of file names", '("__init__.py",)'),
    "IGNORED_CMD_PREFIXES": Kind(
        lambda value: isinstance(value, str) or _are(str)(value), "a tuple of prefixes", '("tmp_",)'
    ),
    "CHECK_SCRIPT_GIT_STATUS": _BOOL,
}
_LONGEST = 100  # characters of a wrong value that a message shows
TOP_LEVEL_NAMES = ("SCRIPTS_TRACKER", *_TOP_LEVEL)


def tracker_settings() -> TrackerSettings:
    """``SCRIPTS_TRACKER`` as it is now, with the default for an invalid value (which a system check reports)."""
    given = getattr(settings, "SCRIPTS_TRACKER", None)
    if not isinstance(given, dict):
        return TrackerSettings()
    usable = {key: value for key, value in given.items() if key in _KEYS and _KEYS[key].accepts(value)}
    return TrackerSettings(**usable)


def queue_settings() -> QueueSettings | None:
    """``SCRIPTS_TRACKER["queue"]`` as it is now; None where the project sets none."""
    given = tracker_settings().queue
    return None if given is None else QueueSettings(**given)


def _top_level(name: str, default: object) -> object:
    value = getattr(settings, name, default)
    return value if _TOP_LEVEL[name].accepts(value) else default


def base_dir() -> str:
    """The absolute project root: BASE_DIR if set, else the working directory."""
    given = getattr(settings, "BASE_DIR", None)
    return os.path.abspath(given) if isinstance(given, str | os.PathLike) and given else os.getcwd()


def commands_dirs() -> tuple[str, ...] | None:
    """``COMMANDS_DIRS`` as absolute folders, or None; a relative one is below BASE_DIR or the working directory."""
    given = _top_level("COMMANDS_DIRS", None)
    if given is None:
        return None
    found = []
    for entry in given:  # type: ignore[attr-defined]  # accepted by _top_level
        candidates = [os.path.normpath(os.path.join(base, entry)) for base in (base_dir(), os.getcwd())]
        found.append(next((path for path in candidates if os.path.isdir(path)), candidates[0]))
    return tuple(dict.fromkeys(found))


def ignored_files() -> frozenset[str]:
    """``IGNORED_FILES``: names of files, compared in lower case."""
    return frozenset(_top_level("IGNORED_FILES", ("__init__.py",)))  # type: ignore[call-overload,no-any-return]  # as above


def ignored_prefixes() -> tuple[str, ...]:
    """``IGNORED_CMD_PREFIXES``: starts of file names, compared in lower case."""
    given = _top_level("IGNORED_CMD_PREFIXES", ())
    return (given,) if isinstance(given, str) else tuple(given)  # type: ignore[arg-type]  # as above


def checks_git_status() -> bool:
    """``CHECK_SCRIPT_GIT_STATUS``: whether a run with uncommitted changes does not mark the script as applied."""
    return bool(_top_level("CHECK_SCRIPT_GIT_STATUS", False))  # noqa: FBT003 - a setting's default


def problems() -> Iterator[Problem]:
    """The problems in the settings, for the system checks."""
    for name, kind in _TOP_LEVEL.items():
        value = getattr(settings, name, None)
        if hasattr(settings, name) and not kind.accepts(value):
            yield _wrong(name, value, kind, f"{name} = {kind.example}")
    given = getattr(settings, "SCRIPTS_TRACKER", {})
    if not isinstance(given, dict):
        yield Problem(
            "SCRIPTS_TRACKER",
            f"SCRIPTS_TRACKER must be a dictionary, not {shown(given)}.",
            'Write SCRIPTS_TRACKER = {"notify": True}, or leave it out.',
        )
        return
    for key, value in given.items():
        if key not in _KEYS:
            yield _unknown(key)
        elif not _KEYS[key].accepts(value):
            example = _KEYS[key].nearest(value) or _KEYS[key].example
            yield _wrong(f'SCRIPTS_TRACKER["{key}"]', value, _KEYS[key], f'"{key}": {example}')


def _wrong(name: str, value: object, kind: Kind, example: str) -> Problem:
    reason = kind.reason(value)
    because = f": {reason}" if reason else ""
    return Problem(name, f"{name} must be {kind.words}, not {shown(value)}{because}.", f"Write {example}.")


def is_valid(key: str, value: object) -> bool:
    """Whether a value is valid for a key of ``SCRIPTS_TRACKER``."""
    return _KEYS[key].accepts(value)


def words_for(key: str) -> str:
    """The valid values for a key of ``SCRIPTS_TRACKER`` in words."""
    return _KEYS[key].words


def shown(value: object) -> str:
    """An invalid value in a message; Python refuses to print an integer of thousands of digits."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - the value may be any object
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _unknown(key: object) -> Problem:
    from scripts_tracker.core.names import nearest  # only if a key is misspelt

    like = nearest(str(key), _KEYS)
    hint = f'Did you mean "{like}"?' if like else f"The keys are: {', '.join(sorted(_KEYS))}."
    return Problem("SCRIPTS_TRACKER", f"SCRIPTS_TRACKER has an unknown key {shown(key)}.", hint)


def is_under_test() -> bool:
    """Whether the test runner of Django or of pytest-django has prepared this process.

    ``setup_test_environment()`` saves there what it restores later. (Its mail outbox proves nothing: the backend "locmem"
    creates one too.)
    """
    state = getattr(sys.modules.get("django.test.utils"), "_TestState", None)
    return hasattr(state, "saved_data")


def is_beside_a_test() -> bool:
    """Whether a test started this thread, whose connections stay open until the database is dropped."""
    return is_under_test() and threading.current_thread() is not threading.main_thread()
