"""``scripts-tracker-fleet``: scripts by environments, from files; needs neither settings nor a database."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Final

from scripts_tracker.core import names
from scripts_tracker.core.escaping import escaped
from scripts_tracker.core.text import encodable, quoted
from scripts_tracker.exceptions import ScriptsTrackerError
from scripts_tracker.fleet import comparison, deletable, formats, snapshots

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from scripts_tracker.fleet.comparison import Fleet

GOOD: Final = 0
MISSING: Final = 1
WRONG_USE: Final = 2
_INTERRUPTED: Final = 130
_DAYS: Final = 180.0


def _page(view: formats.View) -> str:
    from scripts_tracker.fleet import page  # of three formats, one is asked for

    return page.html(view)


FORMATS: Final = {"text": formats.text, "json": formats.as_json, "html": _page}
"""By the value of ``--format``."""


def process() -> NoReturn:
    """Run and exit: the entry point of the console script."""
    raise SystemExit(main())


def main(argv: Sequence[str] | None = None) -> int:
    """Compare environments.

    Args:
        argv: the arguments; None means those of the process.

    Returns:
        0; 1 where ``--check`` misses a script; 2 for wrong use.
    """
    try:
        options = _parser().parse_args(argv)
        status = _run(options)
        sys.stdout.flush()
    except ScriptsTrackerError as error:
        _complain(str(error))
        return WRONG_USE
    except BrokenPipeError:
        with contextlib.suppress(OSError, ValueError):  # otherwise Python tries again at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return MISSING
    except KeyboardInterrupt:
        _complain("interrupted")
        return _INTERRUPTED
    return status


class _Parser(argparse.ArgumentParser):
    """Repeats a wrong argument in a harmless form: it may be the name of a file."""

    def error(self, message: str) -> NoReturn:
        known = [name for action in self._actions for name in action.option_strings]
        super().error(escaped(f"{message}{names.option_meant(message, known, _MEANT)}"))


_MEANT: Final = {f"--{name}": f"did you mean --format {name}?" for name in ("json", "html")}
"""What to say about options that people know from elsewhere."""


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="scripts-tracker-fleet",
        allow_abbrev=False,  # as in the commands of manage.py
        description="Compare environments by what 'manage.py check_scripts --all --format json' printed in each.",
        epilog="Exit codes: 0 good, 1 --check found a script that is not applied, 2 wrong use.",
    )
    add = parser.add_argument
    add("files", nargs="+", metavar="FILE", help="one for each environment, such as production.json")
    add("--format", choices=tuple(FORMATS), default="text", help="default: text")
    add("--all", action="store_true", help="list scripts that are applied everywhere, too")
    add(
        "--check",
        action="store_true",
        help="exit with 1 if a script is not applied in a required environment",
    )
    require = "with --check: an environment in which every script must be applied (default: all)"
    add("--require", nargs="+", action="extend", default=[], metavar="ENVIRONMENT", help=require)
    add("--deletable", action="store_true", help="print git rm lines for scripts that are no longer needed")
    older = f"with --deletable: applied everywhere at least so long ago (default: {_DAYS:g})"
    add("--older-than", type=float, metavar="DAYS", help=older)
    root = "with --deletable: the project, whose migrations may name scripts (default: this folder)"
    add("--root", metavar="DIR", help=root)
    return parser


def _run(options: argparse.Namespace) -> int:
    _validate(options)
    fleet = comparison.compare(snapshots.read_all(options.files))
    required = _required(fleet, options) if options.check else ()
    now = datetime.now(timezone.utc)
    if options.deletable:
        return _deletable(fleet, options, now)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    view = formats.View(fleet, now, options.all, width, required)
    _write(FORMATS[options.format](view))
    return MISSING if comparison.missing(fleet, required) else GOOD


def _validate(options: argparse.Namespace) -> None:
    if options.require and not options.check:
        raise ScriptsTrackerError("--require goes with --check.")
    for name in ("older_than", "root"):
        if getattr(options, name) is not None and not options.deletable:
            raise ScriptsTrackerError(f"--{name.replace('_', '-')} goes with --deletable.")
    if options.deletable and (options.check or options.format != "text" or options.all):
        raise ScriptsTrackerError("--deletable goes with no --check, --all or --format.")
    if options.older_than is not None and not 0 <= options.older_than <= 36500:  # noqa: PLR2004 - a century
        raise ScriptsTrackerError(f"--older-than: expected days from 0 to 36500, got {options.older_than:g}.")


def _required(fleet: Fleet, options: argparse.Namespace) -> tuple[str, ...]:
    """The environments of ``--require``, or all."""
    for name in options.require:
        if name not in fleet.environments:
            like = names.nearest(name, fleet.environments)
            hint = f"did you mean {like}?" if like else f"the files are of {', '.join(fleet.environments)}."
            raise ScriptsTrackerError(f"--require: no file is of the environment {name}; {hint}")
    return tuple(dict.fromkeys(options.require)) or fleet.environments


def _deletable(fleet: Fleet, options: argparse.Namespace, now: datetime) -> int:
    root = options.root or os.getcwd()
    if not os.path.isdir(root):
        raise ScriptsTrackerError(f"--root: {root} is not a folder.")
    gates = deletable.gates_below(root)
    days = _DAYS if options.older_than is None else options.older_than
    found = deletable.deletable(fleet, gates, days, now)
    for snapshot in fleet.snapshots:
        if snapshot.is_stale(now):
            _complain(f"{snapshot.file} is {formats.taken(snapshot, now)}: what it shows may have changed.")
    for place in gates.unknown:
        _complain(
            f"{place}: the scripts that RequireScripts names there cannot be read; see that none is below."
        )
    _complain(f"{len(found.scripts)} of {len(fleet.rows)} scripts can be deleted.")
    for script, reason in found.kept:
        _complain(f"  {script} stays: {reason}")
    _write("\n".join(f"git rm {quoted(path)}" for _, path in found.scripts))
    return GOOD


def _write(text: str) -> None:
    if sys.stdout is None:
        raise ScriptsTrackerError("standard output is closed.")
    sys.stdout.write(encodable(sys.stdout, f"{text}\n" if text and not text.endswith("\n") else text))


def _complain(text: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(encodable(sys.stderr, f"scripts-tracker-fleet: {escaped(text)}\n"))


if __name__ == "__main__":
    process()
