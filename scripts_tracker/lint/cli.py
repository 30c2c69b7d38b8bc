"""``scripts-tracker-lint``: needs no settings and no database, and imports nothing from the project."""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import sys
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import codes
from scripts_tracker.core.text import encodable
from scripts_tracker.lint import config as lint_config
from scripts_tracker.lint.config import WrongUseError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    from scripts_tracker.analysis.store.cache import Cache
    from scripts_tracker.core.values import Finding
    from scripts_tracker.lint.engine import Session

CLEAN: Final = 0
FOUND: Final = 1
WRONG_USE: Final = 2
_INTERRUPTED: Final = 130
_MOST_ROUNDS: Final = 10
_USUAL_COLUMNS: Final = 80


def process() -> NoReturn:
    """Run the lint and exit: the entry point of the console script."""
    # Trees and facts hold no cycles, so the garbage collector would only walk them. That is a tenth of the time, most
    # of it at exit, when the interpreter collects once more before it unloads all modules.
    gc.disable()
    status = main()
    gc.freeze()
    raise SystemExit(status)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the lint.

    Args:
        argv: the arguments; None means those of the process.

    Returns:
        0 without findings, 1 with findings, 2 for wrong use.
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
    """Help as wide as the terminal; argparse itself would import shutil and all compressors to find the width."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


def _columns() -> int:
    """The width of the terminal, as ``shutil.get_terminal_size()`` has it."""
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
        help="also report scripts that changed since a git revision without an explicit rerun=",
    )
    add("--fix", action="store_true", help="apply safe fixes")
    add("--diff", action="store_true", help="show what --fix would change, and write nothing")
    add("--list-rules", action="store_true", help="list the rules and exit")
    add("--explain", metavar="CODE", help="explain one rule and exit")
    add("--no-cache", action="store_true", help="do not read or write .scripts_tracker_cache/")
    add("--no-color", action="store_true", help="plain text; so does the environment variable NO_COLOR")
    add("--version", action="store_true", help="show the version and exit")
    return parser


def _run(options: argparse.Namespace) -> int:
    if options.version or options.list_rules or options.explain:
        _write(_information(options))
        return CLEAN
    render = _renderer(options)
    session = _session(options)
    cache = None if options.no_cache else _cache(session.request.root)
    found = session.findings(cache)
    if cache is not None and cache.refusal:
        _complain(cache.refusal)
    if options.diff:
        from scripts_tracker.lint import fixing

        text = fixing.diff(session.request.root, found)
        _write(text)
        return FOUND if text else CLEAN
    if options.fix:
        found = _fixed(session, cache, found)
    _write(render(found))
    return FOUND if found else CLEAN


def _fixed(session: Session, cache: Cache | None, found: list[Finding]) -> list[Finding]:
    """What is left after all fixes; one fix may bring further findings to light, so there are several rounds."""
    from scripts_tracker.lint import fixing

    for _ in range(_MOST_ROUNDS):
        changed, troubles = fixing.fix(session.request.root, found)
        for trouble in troubles:
            _complain(trouble)
        if not changed:
            break
        found = session.findings(cache)
    return found


def _session(options: argparse.Namespace) -> Session:
    from scripts_tracker.lint.engine import session

    if options.since == "":
        raise WrongUseError("--since needs a revision, for example --since origin/main")
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
        raise WrongUseError(f"no such file or folder: {path}")
    return absolute


def _within(path: str, root: str) -> list[str]:
    """The ways a path may be written inside the project: as given, and with links resolved."""
    real, real_root = os.path.realpath(path), os.path.realpath(root)
    behind = os.path.normpath(os.path.join(root, os.path.relpath(real, real_root)))
    found = [one for one in dict.fromkeys((path, real, behind)) if _lies_in(one, root)]
    if not found:
        raise WrongUseError(f"{path} is outside the project {root}; choose another project with --root")
    return found


def _lies_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))


def _root(given: str | None, paths: Sequence[str]) -> str:
    if given is not None:
        root = os.path.abspath(given)
        if not os.path.isdir(root):
            raise WrongUseError(f"--root: no such folder: {given}")
        return root
    start = os.path.dirname(paths[0]) if paths and os.path.isfile(paths[0]) else paths[0] if paths else ""
    return lint_config.folder_of_project(os.getcwd()) or lint_config.folder_of_project(start) or os.getcwd()


def _cache(root: str) -> Cache:
    from scripts_tracker.analysis.store.cache import Cache

    return Cache(root)


def _information(options: argparse.Namespace) -> str:
    from scripts_tracker.lint import explaining

    if options.version:
        from importlib.metadata import version

        return f"scripts-tracker-lint {version('scripts-tracker')}\n"
    if options.list_rules:
        return explaining.listed()
    (code,) = lint_config.checked_codes([options.explain], "--explain")
    if code not in codes.ALL:
        raise WrongUseError(f"--explain: unknown code {options.explain}; see --list-rules")
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
        raise WrongUseError("standard output is closed")
    text = f"{text}\n" if text and not text.endswith("\n") else text
    sys.stdout.write(encodable(sys.stdout, text))


def _let_go_of_output() -> None:
    """Drop what could not be written; otherwise Python tries again at exit and complains once more."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(text: str) -> None:
    sys.stderr.write(encodable(sys.stderr, f"scripts-tracker-lint: {text}\n"))


if __name__ == "__main__":
    process()
