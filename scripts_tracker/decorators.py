"""The run-time half of the two decorators. Standard library only: the rest is imported inside a call."""

from __future__ import annotations

import functools
import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeVar

    from scripts_tracker.core.values import Fresh, Required, Rerun, ScriptOptions

    # Its bound is text that Python compiles when it is defined, which takes longer than to import all of this module.
    Handle = TypeVar("Handle", bound="Callable[..., Any]")

# What the decorators go on in a batched script.
_PROCESS = "process"


def _strings(option: str, value: Iterable[str]) -> tuple[str, ...]:
    if isinstance(value, str) or not all(isinstance(name, str) for name in value):
        raise TypeError(f'@tracked_script: {option} takes a tuple of strings, such as {option}=("name",)')
    return tuple(value)


def _modules(value: Iterable[str]) -> tuple[str, ...]:
    names = ("",) if isinstance(value, str | ModuleType) else tuple(value)
    if "" in names or not all(isinstance(name, str) for name in names):
        example = 'watch=("shop.pricing",)'
        raise TypeError(
            f"@tracked_script: watch takes dotted names of modules, such as {example}, not {value!r}"
        )
    return tuple(dict.fromkeys(names))


def _options(
    rerun: Rerun,
    atomic: object,
    watch: Iterable[str],
    verify: object,
    fresh: Fresh | None,
    **texts: Iterable[str],
) -> ScriptOptions:
    from scripts_tracker.core.values import (
        FRESH_VALUES,
        RERUN_VALUES,
        ScriptOptions,
    )  # not before a command is imported

    if rerun not in RERUN_VALUES:
        raise ValueError(f"@tracked_script: rerun must be one of {', '.join(RERUN_VALUES)}, not {rerun!r}")
    if not isinstance(atomic, bool):
        raise TypeError(f"@tracked_script: atomic must be True or False, not {atomic!r}")
    if verify is not None and not (isinstance(verify, str) and verify.isidentifier()):
        raise TypeError(
            f'@tracked_script: verify takes the name of a method, such as verify="check_totals", not {verify!r}'
        )
    if fresh is not None and fresh not in FRESH_VALUES:
        raise ValueError(f"@tracked_script: fresh must be one of {', '.join(FRESH_VALUES)}, not {fresh!r}")
    strings = {name: _strings(name, value) for name, value in texts.items()}
    return ScriptOptions(rerun, atomic, watch=_modules(watch), verify=verify, fresh=fresh, **strings)


@overload
def tracked_script(handle: Handle, /) -> Handle: ...


@overload
def tracked_script(
    *,
    rerun: Rerun = "on-change",
    atomic: bool = False,
    tags: Iterable[str] = (),
    unless: Iterable[str] = ("dry_run",),
    watch: Iterable[str] = (),
    arguments: Iterable[str] = (),
    verify: str | None = None,
    fresh: Fresh | None = None,
) -> Callable[[Handle], Handle]: ...


def tracked_script(
    handle: Handle | None = None,
    /,
    *,
    rerun: Rerun = "on-change",
    atomic: bool = False,
    tags: Iterable[str] = (),
    unless: Iterable[str] = ("dry_run",),
    watch: Iterable[str] = (),
    arguments: Iterable[str] = (),
    verify: str | None = None,
    fresh: Fresh | None = None,
) -> Handle | Callable[[Handle], Handle]:
    """Record every run of a command's ``handle()`` in the ledger.

    Args:
        handle: the method, if the decorator is used without parentheses.
        rerun: when to run again: "on-change" of the code, only "once", or "always", at every ``run_scripts``.
        atomic: run ``handle()`` and the record of its success in one transaction.
        tags: names to choose scripts by.
        unless: names of options that make a run a dry run, which does not count as applied.
        watch: dotted names of modules of the project whose change counts as a change of the script.
        arguments: what ``run_scripts`` passes to the command, as one would type it.
        verify: the name of a method of the command that is called after ``handle()``; what it raises fails the run.
        fresh: "mark" to count the script as applied where ``migrate`` began on an empty database, "run" to have it run
            there; None for what the setting ``fresh_database`` says.

    Returns:
        The wrapped method, or a decorator where options were given.

    Raises:
        TypeError, ValueError: for an option of a wrong type or value.
    """
    texts = {"tags": tags, "unless": unless, "arguments": arguments}
    options = _options(rerun, atomic, watch, verify, fresh, **texts)

    def decorate(function: Handle) -> Handle:
        if not callable(function):
            raise TypeError(f"@tracked_script goes on a command's handle(), not on {function!r}")

        is_process = getattr(function, "__name__", "") == _PROCESS

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if is_process and _is_batched(args):
                return function(*args, **kwargs)
            running = _running()
            if running is None:
                return function(*args, **kwargs)
            call = running.calls.call_of(function, args, kwargs)
            return running.attempt.run_tracked(call, options, functools.partial(_ask_to_abort, kwargs))

        wrapper._is_tracked_script = True  # type: ignore[attr-defined]  # noqa: SLF001 - as in django-scripts-tracker
        wrapper.script_options = options  # type: ignore[attr-defined]  # for ``run_batched``
        return wrapper  # type: ignore[return-value]  # functools.wraps keeps what matters of the signature

    return decorate if handle is None else decorate(handle)


def _required(script: object) -> Required:
    from scripts_tracker.core.values import Required  # as above

    if isinstance(script, ModuleType):
        return Required(script.__name__, is_module=True)
    if isinstance(script, str) and script:
        return Required(script, is_module=False)
    raise TypeError(
        "@required_preceding_script takes the scripts that must run first, as strings or modules, such as"
        f' @required_preceding_script("app.name"); {script!r} is neither'
    )


def required_preceding_script(*scripts: str | ModuleType) -> Callable[[Handle], Handle]:
    """Let a command run only after other tracked scripts have been applied.

    Args:
        scripts: "app.name", "name" of a script in the same app, or the command's module.

    Returns:
        The decorator for ``handle()``.

    Raises:
        TypeError: for anything that is neither a string nor a module.
    """
    required = tuple(_required(script) for script in scripts)

    def decorate(function: Handle) -> Handle:
        is_process = getattr(function, "__name__", "") == _PROCESS

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if is_process and _is_batched(args):
                return function(*args, **kwargs)
            running = _running()
            if running is None:
                return function(*args, **kwargs)
            call = running.calls.call_of(function, args, kwargs)
            return running.attempt.run_required(call, required, functools.partial(_ask_to_abort, kwargs))

        # tracked_script checks these before it records an attempt, wherever it stands.
        inner: tuple[Required, ...] = getattr(function, "required_scripts", ())
        wrapper.required_scripts = required + inner  # type: ignore[attr-defined]
        return wrapper  # type: ignore[return-value]  # as in tracked_script

    return decorate


def _is_batched(args: tuple[Any, ...]) -> bool:
    """Whether a ``process()`` is that of a batched script: its batches are recorded, not its calls."""
    return bool(args) and getattr(args[0], "is_batched", False) is True


def run_batched(command: Any, args: tuple[Any, ...], options: Mapping[str, Any]) -> None:
    """Run a batched script, as ``@tracked_script`` on its ``process()`` says.

    Args:
        command: the ``BatchedCommand``.
        args: as ``handle()`` got them.
        options: as above.

    Raises:
        CommandError: the decorator is missing, or as for a plain script.
    """
    from django.core.management.base import CommandError

    called = _called(type(command))
    process = next((one for one in called if getattr(one, "_is_tracked_script", False)), None)
    where = f"{type(command).__module__}.{type(command).__qualname__}"
    if process is None:
        inherited = (vars(one).get(_PROCESS) for one in type(command).__mro__)
        is_replaced = any(getattr(one, "_is_tracked_script", False) for one in inherited)
        how = "replaces a tracked one without calling it" if is_replaced else "is not tracked"
        raise CommandError(f"{where} is batched, but its process() {how}; put @tracked_script on it.")
    if getattr(type(command).handle, "_is_tracked_script", False):
        raise CommandError(f"{where} is batched: put @tracked_script on its process(), not on handle().")
    if process.script_options.atomic:
        raise CommandError(
            f"{where} is batched: each batch is a transaction of its own, so leave out atomic=True."
        )
    if _running() is None:
        from scripts_tracker.running import unrecorded

        unrecorded.walk(command)
        return
    from scripts_tracker.running import worker

    required = tuple(
        dict.fromkeys(script for one in called for script in getattr(one, "required_scripts", ()))
    )
    tracking = process.script_options, required
    worker.run(command, tracking, args, options, functools.partial(_ask_to_abort, options))


def _called(command: type) -> list[Any]:
    """The ``process()`` methods that a call of it reaches, as a check of the files sees it: the first, and what it calls."""
    found = []
    for one in command.__mro__:
        method = vars(one).get(_PROCESS)
        if method is not None:
            found.append(method)
            if not _calls_base(method, command):
                break
    return found


def _calls_base(method: Any, command: type) -> bool:
    """Whether a ``process()`` calls that of a base class; True for what is no Python function."""
    while hasattr(method, "__wrapped__"):
        method = method.__wrapped__
    code = getattr(method, "__code__", None)
    if code is None:
        return True
    names, todo = set[str](), [code]
    while todo:
        code = todo.pop()
        names.update(code.co_names)
        todo += [one for one in code.co_consts if isinstance(one, type(code))]
    bases = {"super", *(one.__name__ for one in command.__mro__)}
    mro = set(map(id, command.__mro__))
    is_named = not bases.isdisjoint(names) or any(id(method.__globals__.get(name)) in mro for name in names)
    return _PROCESS in names and is_named


def _running() -> Any:
    """The package that records runs; None where the tracker is switched off and its app is not installed either.

    Raises:
        CommandError: the app is not installed.
    """
    try:
        from scripts_tracker import running
        from scripts_tracker.running import attempt, calls  # noqa: F401 - they become attributes of the package
    except RuntimeError:  # Django's, about the models
        from django.apps import apps
        from django.core.management.base import CommandError

        from scripts_tracker import conf

        if apps.is_installed("scripts_tracker"):
            raise
        if not conf.tracker_settings().enabled:
            return None
        advice = 'add "scripts_tracker" to INSTALLED_APPS, then run manage.py migrate scripts_tracker'
        raise CommandError(f"this command is tracked, but the tracker is not installed: {advice}.") from None
    return running


def _ask_to_abort(options: Mapping[str, Any], warning: str, question: str) -> bool | None:
    """Ask a person at a terminal whether to run it anyway; no answer, the end of input and Ctrl-C abort.

    Returns:
        None where there is no one to ask: in CI, without a terminal on both ends, with ``--no-input``.
    """
    is_silenced = options.get("interactive") is False or options.get("no_input") or options.get("noinput")
    # input() needs stderr as well.
    has_streams = _is_terminal(sys.stdin) and _is_terminal(sys.stdout) and sys.stderr is not None
    if is_silenced or os.environ.get("CI") or not has_streams:
        return None
    from scripts_tracker.core.text import encodable

    sys.stdout.write(encodable(sys.stdout, warning) + "\n")
    while True:
        try:
            answer = input(question).strip().lower()
        except (EOFError, KeyboardInterrupt):
            sys.stdout.write("\n")
            return True
        if answer in {"y", "yes", "n", "no", ""}:
            return not answer.startswith("y")


def _is_terminal(stream: Any) -> bool:
    """Whether a person is at the stream; not if the process has started without it, or has closed it."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False
