"""``scripts-tracker-lint``: needs no settings and no database, and imports nothing from the project."""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import sys
from collections import Counter
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import codes
from scripts_tracker.core.escaping import escaped
from scripts_tracker.core.text import encodable, quoted
from scripts_tracker.lint import config as lint_config
from scripts_tracker.lint.config import WrongUseError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from typing import NoReturn

    from scripts_tracker.analysis.store.cache import Cache
    from scripts_tracker.core.values import Finding, Place
    from scripts_tracker.lint.engine import Session
    from scripts_tracker.lint.formats import Format
    from scripts_tracker.lint.places import Project

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
        _complain("interrupted")
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


class _Parser(argparse.ArgumentParser):
    """Repeats a wrong argument in a harmless form: it may be the name of a file."""

    def error(self, message: str) -> NoReturn:
        if sys.stderr is None:  # argparse of Python 3.10 writes to it nevertheless
            raise SystemExit(WRONG_USE)
        from scripts_tracker.core import names  # for wrong use alone

        known = [name for action in self._actions for name in action.option_strings]
        super().error(escaped(f"{message}{names.option_meant(message, known, _MEANT)}"))


_MEANT: Final = {
    "--json": "did you mean --format json?",
    "--check": "it checks unless --fix or --add-noqa is given; it exits with 1 if it finds something",
    "--dry-run": "did you mean --diff?",
    "--exclude": "list it under exclude of [tool.scripts_tracker] in pyproject.toml",
}
"""What to say about options that people know from elsewhere."""


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="scripts-tracker-lint",
        allow_abbrev=False,  # --fi would write
        formatter_class=_Help,
        description="Find broken tracked scripts without running or importing anything of the project.",
        epilog="Exit codes: 0 clean, 1 findings, 2 wrong use.",
    )
    add = parser.add_argument
    add("paths", nargs="*", metavar="PATH", help="report only on these files and folders (default: all)")
    add("--root", metavar="DIR", help="the project (default: the nearest folder with a pyproject.toml)")
    formats = "text, concise, json, github, gitlab, junit or sarif (default: text)"
    add("--format", default="text", metavar="FORMAT", help=formats)
    add("--select", action="append", metavar="CODES", help="report only these codes, such as ST003,ST01")
    add("--extend-select", action="append", metavar="CODES", help="report these codes, too")
    add("--ignore", action="append", metavar="CODES", help="do not report these codes")
    add(
        "--since",
        metavar="REV",
        help="also report scripts that changed since a git revision without an explicit rerun=",
    )
    add("--fix", action="store_true", help="apply safe fixes")
    add("--diff", action="store_true", help="show what --fix would change, and write nothing")
    add("--add-noqa", action="store_true", help="hide every finding by a comment in its line")
    add("--statistics", action="store_true", help="report only how often each code was found")
    add("--exit-zero", action="store_true", help="exit with 0 even if there are findings")
    add("--stdin-filename", metavar="PATH", help="report on this file, with the text on standard input")
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
    form = _format(options)
    with _unsaved(options):
        checks = [_Check(each, options) for each in _sessions(options)]
        if options.diff or options.add_noqa:
            return _diff(checks) if options.diff else _add_noqa(checks)
        if options.fix:
            _fix(checks)
        _write(_report(checks, form, options))
    return FOUND if any(one.findings for one in checks) and not options.exit_zero else CLEAN


class _Check:
    """The lint of one project.

    Attributes:
        findings: what it found, with paths relative to the root.
        root: of the project.
    """

    def __init__(self, session: Session, options: argparse.Namespace) -> None:
        self.root = session.request.root
        self._session = session
        self._cache = None if options.no_cache else _cache(self.root)
        self.findings = session.findings(self._cache)
        if self._cache is not None and self._cache.refusal:
            _complain(self._cache.refusal)

    def again(self) -> None:
        """Look for findings once more."""
        self.findings = self._session.findings(self._cache)


def _diff(checks: Sequence[_Check]) -> int:
    from scripts_tracker.lint import fixing

    text = "".join(fixing.diff(one.root, one.findings, os.getcwd()) for one in checks)
    _write(text)
    return FOUND if text else CLEAN


def _add_noqa(checks: Sequence[_Check]) -> int:
    from scripts_tracker.lint import fixing

    written, troubles = 0, list[str]()
    for one in checks:
        paths, problems = fixing.add_noqa(one.root, one.findings)
        written, troubles = written + len(paths), [*troubles, *problems]
    for trouble in troubles:
        _complain(trouble)
    _write(f"Added comments to {written} file{'' if written == 1 else 's'}.")
    return WRONG_USE if troubles else CLEAN


def _fix(checks: Sequence[_Check]) -> None:
    """Apply all fixes; one fix may bring further findings to light, so there are several rounds."""
    from scripts_tracker.lint import fixing

    before = [finding for one in checks for finding in one.findings]
    rewritten: set[str] = set()
    for one in checks:
        for _ in range(_MOST_ROUNDS):
            changed, troubles = fixing.fix(one.root, one.findings)
            for trouble in troubles:
                _complain(trouble)
            if not changed:
                break
            rewritten.update(each.location.path for each in one.findings if each.code in fixing.CHANGE_CODE)
            one.again()
    if before:
        _say_fixed(before, [finding for one in checks for finding in one.findings], rewritten)


def _say_fixed(before: Sequence[Finding], after: Sequence[Finding], rewritten: Collection[str]) -> None:
    """Say what was fixed, and what it means for environments that have applied the scripts."""
    kept = Counter((one.location.path, one.code, one.message) for one in after)
    gone = Counter((one.location.path, one.code, one.message) for one in before if one.fixable) - kept
    text = f"Fixed {gone.total()} of {len(before)}."
    changed = sorted(path for path, code, _ in gone if path in rewritten and code in _changing())
    if changed:
        text += (
            f" The code changed of: {', '.join(dict.fromkeys(changed))}. Where these scripts were applied, they are modified and"
            " run again; to prevent that, mark them: manage.py check_scripts --mark-applied NAME."
        )
    _complain(text)


def _changing() -> Collection[str]:
    from scripts_tracker.lint import fixing

    return fixing.CHANGE_CODE


def _sessions(options: argparse.Namespace) -> list[Session]:
    from scripts_tracker.lint import places
    from scripts_tracker.lint.engine import session

    if options.since == "":
        raise WrongUseError("--since needs a revision, for example --since origin/main")
    select = lint_config.chosen_codes(options.select, "--select")
    extend = lint_config.chosen_codes(options.extend_select, "--extend-select")
    ignore = lint_config.chosen_codes(options.ignore, "--ignore")
    found = []
    projects = places.projects(_paths(options), options.root)
    _say_left_out(projects, _paths(options))
    for root, paths in projects:
        config = lint_config.read(root)
        config = config._replace(
            select=config.select if select is None else select,
            extend_select=(*config.extend_select, *(extend or ())),
            ignore=(*config.ignore, *(ignore or ())),
        )
        found.append(session(root, config, paths or None, options.since or ""))
    return found


def _say_left_out(projects: Sequence[Project], paths: Sequence[str]) -> None:
    """Say which of the given paths are not looked at, as they lie in hidden folders, environments and the like."""
    from scripts_tracker.lint import layout, places

    given = set(map(os.path.abspath, paths))
    folders = {layout.left_out(one.root, path) for one in projects for path in given.intersection(one.paths)}
    for folder in sorted(folders - {""}):
        shown = quoted(places.shown_path(folder, os.getcwd()))
        _complain(
            f"nothing below {shown} is checked: the search leaves out hidden folders and environments;"
            f" to check it as a project of its own: scripts-tracker-lint --root {shown}"
        )


def _paths(options: argparse.Namespace) -> list[str]:
    """The paths to report on."""
    if options.stdin_filename is None:
        return list(options.paths)
    if options.paths or options.fix or options.add_noqa:
        raise WrongUseError("--stdin-filename goes with no other path, and not with --fix or --add-noqa")
    return [options.stdin_filename]


@contextlib.contextmanager
def _unsaved(options: argparse.Namespace) -> Iterator[None]:
    """Take standard input for the file that ``--stdin-filename`` names."""
    if options.stdin_filename is None:
        yield
        return
    from scripts_tracker.analysis.source import reading

    if sys.stdin is None:
        raise WrongUseError("--stdin-filename: standard input is closed")
    with reading.unsaved(os.path.abspath(options.stdin_filename), sys.stdin.buffer.read()):
        yield


def _report(checks: Sequence[_Check], form: Format, options: argparse.Namespace) -> str:
    from scripts_tracker.lint import formats, places

    shown: list[Finding] = []
    ends: dict[Finding, Place] = {}
    for one in checks:
        # Paths from several roots would be ambiguous.
        base = "top" if form.base == "root" and len(checks) > 1 else form.base
        moved = [places.moved(each, one.root, places.base_of(base, one.root)) for each in one.findings]
        shown += moved
        if form.shows_ends:
            ends.update(zip(moved, places.ends_of(one.root, one.findings), strict=True))
    if options.statistics:
        return formats.render_statistics(shown, options.format)
    return form.render(shown, formats.LintCanvas(_is_colourful(options), _width(), ends))


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


def _format(options: argparse.Namespace) -> Format:
    from scripts_tracker.lint.formats import FORMATS

    if options.format not in FORMATS:
        raise WrongUseError(f"--format: unknown format {options.format!r}; choose from {', '.join(FORMATS)}")
    if options.statistics and options.format not in {"text", "json"}:
        raise WrongUseError(f"--statistics goes with --format text or json, not with {options.format}")
    return FORMATS[options.format]


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
    if sys.stderr is None:  # the process was started without it
        return
    sys.stderr.write(encodable(sys.stderr, f"scripts-tracker-lint: {escaped(text)}\n"))


if __name__ == "__main__":
    process()
