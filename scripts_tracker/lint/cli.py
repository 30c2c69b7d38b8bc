"""``scripts-tracker-lint``: needs no settings, no database, and imports nothing of the project."""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import sys
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import codes
from scripts_tracker.lint import config as lint_config
from scripts_tracker.lint.config import WrongUseError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    from scripts_tracker.analysis.store.cache import FactCache
    from scripts_tracker.core.values import Finding
    from scripts_tracker.lint.engine import Session

CLEAN: Final = 0
FOUND: Final = 1
WRONG_USE: Final = 2
_INTERRUPTED: Final = 130
_MOST_ROUNDS: Final = 10
_USUAL_COLUMNS: Final = 80


def process() -> NoReturn:
    """Run the lint as all that a process does: what the console script calls."""
    # Trees and facts hold no cycles, so the collector would only walk them: a tenth of the time, and most of that at
    # the end, when the interpreter has it look through all modules before it lets go of them.
    gc.disable()
    status = main()
    gc.freeze()
    raise SystemExit(status)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the lint.

    Args:
        argv: the arguments; those of the process where None.

    Returns:
        0 for a clean project, 1 for findings, 2 for wrong use.
    """
    try:
        status = _run(_parser().parse_args(argv))
        if sys.stdout is not None:
            sys.stdout.flush()
    except WrongUseError as error:
        _complain(str(error))
        return WRONG_USE
    except BrokenPipeError:
        _let_go_of_output()
        return FOUND
    except KeyboardInterrupt:
        return _INTERRUPTED
    except OSError as error:
        _complain(str(error))
        _let_go_of_output()
        return WRONG_USE
    return status


class _Help(argparse.HelpFormatter):
    """Help as wide as the terminal; argparse would ask shutil, which loads all compressors, even to read options."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


def _columns() -> int:
    """What ``shutil.get_terminal_size()`` says."""
    with contextlib.suppress(KeyError, ValueError):
        if (given := int(os.environ["COLUMNS"])) > 0:
            return given
    with contextlib.suppress(AttributeError, OSError, ValueError):
        if sys.__stdout__ is not None:
            return os.get_terminal_size(sys.__stdout__.fileno()).columns or _USUAL_COLUMNS
    return _USUAL_COLUMNS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts-tracker-lint",
        formatter_class=_Help,
        description="Find broken tracked scripts without running or importing anything of the project.",
        epilog="Exit codes: 0 clean, 1 findings, 2 wrong use.",
    )
    add = parser.add_argument
    add("paths", nargs="*", metavar="PATH", help="report only on these files and folders (default: all)")
    add("--root", metavar="DIR", help="the project (default: the nearest folder with a pyproject.toml)")
    add("--format", default="text", metavar="FORMAT", help="text, json, github or sarif (default: text)")
    add("--select", action="append", metavar="CODES", help="report only these codes, such as ST003,ST01")
    add("--ignore", action="append", metavar="CODES", help="do not report these codes")
    add(
        "--since",
        metavar="REV",
        help="also tell which scripts changed silently since a git revision",
    )
    add("--fix", action="store_true", help="mend what can be mended safely")
    add("--diff", action="store_true", help="show what --fix would do, and write nothing")
    add("--list-rules", action="store_true", help="list the rules and exit")
    add("--explain", metavar="CODE", help="explain one rule and exit")
    add("--no-cache", action="store_true", help="neither read nor write .scripts_tracker_cache/")
    add("--no-color", action="store_true", help="plain text, as the environment's NO_COLOR asks for too")
    add("--version", action="store_true", help="tell the version and exit")
    return parser


def _run(options: argparse.Namespace) -> int:
    if options.version or options.list_rules or options.explain:
        _write(_told(options))
        return CLEAN
    render = _renderer(options)
    session = _session(options)
    cache = None if options.no_cache else _cache(session.request.root)
    found = session.findings(cache)
    if options.diff:
        from scripts_tracker.lint import fixing

        text = fixing.diff(session.request.root, found)
        _write(text)
        return FOUND if text else CLEAN
    if options.fix:
        found = _mended(session, cache, found)
    _write(render(found))
    return FOUND if found else CLEAN


def _mended(session: Session, cache: FactCache | None, found: list[Finding]) -> list[Finding]:
    """What is left to find when all has been mended; what is mended first may bring further things to light."""
    from scripts_tracker.lint import fixing

    for _ in range(_MOST_ROUNDS):
        changed, troubles = fixing.mend(session.request.root, found)
        for trouble in troubles:
            _complain(trouble)
        if not changed:
            break
        found = session.findings(cache)
    return found


def _session(options: argparse.Namespace) -> Session:
    from scripts_tracker.lint.engine import session

    if options.since == "":
        raise WrongUseError("--since needs a revision, such as --since origin/main")
    existing = [_existing(path) for path in options.paths]
    root = _root(options.root, existing)
    paths = [one for path in existing for one in _within(path, root)]
    config = lint_config.read(root)
    select = lint_config.chosen_codes(options.select, "--select")
    ignore = lint_config.chosen_codes(options.ignore, "--ignore")
    config = config._replace(
        select=config.select if select is None else select, ignore=(*config.ignore, *(ignore or ()))
    )
    return session(root, config, paths or None, options.since or "")


def _existing(path: str) -> str:
    absolute = os.path.abspath(path)
    if not os.path.lexists(absolute):
        raise WrongUseError(f"there is no file or folder {path}")
    return absolute


def _within(path: str, root: str) -> list[str]:
    """A path as it may stand in the project: as it is given, and where links lead to."""
    real, real_root = os.path.realpath(path), os.path.realpath(root)
    behind = os.path.normpath(os.path.join(root, os.path.relpath(real, real_root)))
    found = [one for one in dict.fromkeys((path, real, behind)) if _lies_in(one, root)]
    if not found:
        raise WrongUseError(f"{path} lies outside of the project {root}: give its folder with --root")
    return found


def _lies_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))


def _root(given: str | None, paths: Sequence[str]) -> str:
    if given is not None:
        root = os.path.abspath(given)
        if not os.path.isdir(root):
            raise WrongUseError(f"--root: there is no folder {given}")
        return root
    start = os.path.dirname(paths[0]) if paths and os.path.isfile(paths[0]) else paths[0] if paths else ""
    return lint_config.folder_of_project(os.getcwd()) or lint_config.folder_of_project(start) or os.getcwd()


def _cache(root: str) -> FactCache:
    from scripts_tracker.analysis.store.cache import FactCache

    return FactCache(root)


def _told(options: argparse.Namespace) -> str:
    from scripts_tracker.lint import explaining

    if options.version:
        from importlib.metadata import version

        return f"scripts-tracker-lint {version('scripts-tracker')}\n"
    if options.list_rules:
        return explaining.listed()
    (code,) = lint_config.checked_codes([options.explain], "--explain")
    if code not in codes.ALL:
        raise WrongUseError(
            f"--explain: {options.explain} is no whole code; --list-rules tells which there are"
        )
    return explaining.explained(code)


def _renderer(options: argparse.Namespace) -> Callable[[Sequence[Finding]], str]:
    from scripts_tracker.lint.formats import FORMATS, LintCanvas

    if options.format not in FORMATS:
        raise WrongUseError(f"--format: unknown format {options.format!r}; choose from {', '.join(FORMATS)}")
    canvas = LintCanvas(colour=_is_colourful(options), width=_width())
    return lambda found: FORMATS[options.format](found, canvas)


def _is_colourful(options: argparse.Namespace) -> bool:
    if options.no_color or os.environ.get("NO_COLOR"):
        return False
    return sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _width() -> int | None:
    """The columns of the terminal; None where the output goes elsewhere."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    return _columns()


def _write(text: str) -> None:
    if sys.stdout is None:
        raise WrongUseError("there is no standard output to write to")
    text = f"{text}\n" if text and not text.endswith("\n") else text
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))


def _let_go_of_output() -> None:
    """What could not be written is not tried again: Python would complain once more at its end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(text: str) -> None:
    encoding = sys.stderr.encoding or "utf-8"
    line = f"scripts-tracker-lint: {text}\n"
    sys.stderr.write(line.encode(encoding, "backslashreplace").decode(encoding))


if __name__ == "__main__":
    process()
