"""Where findings are gathered, and how paths become locations."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import codes
from scripts_tracker.core.text import quoted
from scripts_tracker.core.values import Finding, Location
from scripts_tracker.exceptions import UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from scripts_tracker.core.values import Place
    from scripts_tracker.exceptions import UnreadableSource

CYCLE_OF_LINKS: Final = "it is part of a cycle of links"
"""The reason why a file or folder cannot be read."""
# How the reasons begin that are not Python's, which shows no error then.
_OUR_LIMITS: Final = ("the source has ", "the source is nested ", "libcst cannot ")
_MOST_LINKS: Final = 200


def in_script(finding: Finding, script: Location) -> Finding:
    """A finding about a script, shown at the script, if its cause is in another file, such as that of a base class."""
    cause = finding.location
    if cause.path == script.path or finding.code == codes.UNREADABLE_FILE:
        return finding
    message = f"{finding.message} (inherited from {cause.path}:{cause.line})"
    return finding._replace(location=script, message=message, origin=cause)


class Findings:
    """Gathers findings, each once; iterates over them in their order.

    Args:
        root: the absolute folder that paths are shown relative to.
    """

    def __init__(self, root: str) -> None:
        self._root = os.path.normpath(root)
        self._findings: set[Finding] = set()
        self._recorded: set[Finding] = set()
        self._shown: dict[str, str] = {}

    def __iter__(self) -> Iterator[Finding]:
        return iter(sorted(self._findings))

    def update(self, findings: Iterable[Finding]) -> None:
        """Add several findings."""
        for finding in findings:
            self._findings.add(finding)
            self._recorded.add(finding)

    def add(self, location: Location, code: str, message: str, hint: str, *, fixable: bool = False) -> None:
        """Add a finding at a location."""
        self.update([Finding(location, code, message, hint, fixable)])

    def move(self, findings: Iterable[Finding], script: Location) -> set[Finding]:
        """Show findings at the script that they are about, by ``in_script``."""
        before = set(findings)
        after = {in_script(finding, script) for finding in before}
        self._findings -= before - after
        self.update(after)
        return after

    def report(self, path: str, place: Place, code: str, message: str, hint: str) -> None:
        """Add a finding at a place in a file."""
        self.add(self.location(path, place), code, message, hint)

    def cycle_of_links(self, links: Sequence[str]) -> None:
        """Add the finding that links lead to each other, or to folders that contain them."""
        names = [self.shown(link) for link in links]
        message = f"a cycle of links: {' -> '.join([*names, *names[:1]])}"
        if len(links) == 1 and leads_around(links[0]):
            message = "the link leads to a folder that contains it"
        hint = "Delete the link, or correct where it leads."
        self.report(links[0], (1, 1), codes.UNREADABLE_FILE, message, hint)

    def unreadable(self, path: str, error: UnreadableSource) -> None:
        """Add the finding that a file cannot be parsed."""
        if error.reason == CYCLE_OF_LINKS:
            self.cycle_of_links(links_in_cycle(path) or (path,))
            return
        message = f"the file cannot be parsed: {error.reason}"
        shown = quoted(self.shown(path))
        hint = f"Fix the file; `python -m py_compile {shown}` shows the error."
        if error.reason.startswith(_OUR_LIMITS):
            hint = "Python may read this, but the tracker does not: move it into a module that is no command."
        elif isinstance(error, UnreadableFile):  # a compiler would wait for a pipe
            hint = f"Put a readable source file at {shown}, or delete what is there."
        self.report(path, (error.line, error.column), codes.UNREADABLE_FILE, message, hint)

    def followed_by_bytes(self, path: str, reason: str, place: Place) -> None:
        """Add the finding that a statement cannot be parsed, so that the script is followed by its bytes."""
        message = f"this is followed byte by byte, as libcst cannot parse what Python can: {reason}"
        hint = "Write the statement another way; until then, a change of the layout counts as a change of the code."
        self.report(path, place, codes.UNREADABLE_FILE, message, hint)

    def inherited_in_part(self, script: Location, path: str, reason: str, place: Place) -> None:
        """Add the finding that a file with a base class of a script is read without a statement."""
        base = self.location(path, place)
        message = (
            f"a base class is in {base.path}, which is read without line {base.line}: libcst cannot parse there what"
            f" Python can: {reason}"
        )
        hint = "Write the statement another way; until then, what it does to the script is not checked."
        self.update([Finding(script, codes.UNREADABLE_FILE, message, hint, origin=base)])

    def watched_by_bytes(self, path: str, place: Place, module: str, reason: str, line: int) -> None:
        """Add the finding that a watched module is followed by its bytes."""
        message = (
            f"the watched module {module} is followed byte by byte, as libcst cannot parse line {line}, which Python"
            f" can: {reason}"
        )
        hint = "Write the statement another way; until then, a change of its layout counts as a change of the code."
        self.report(path, place, codes.UNREADABLE_FILE, message, hint)

    @contextmanager
    def recorded(self) -> Iterator[set[Finding]]:
        """The findings that are added meanwhile, those included that were added before."""
        self._recorded = set()
        yield self._recorded
        self._recorded = set()

    def location(self, path: str, place: Place = (1, 1)) -> Location:
        """A place in a file."""
        return Location(self.shown(path), *place)

    def shown(self, path: str) -> str:
        """A path as people see it: posix, relative to the root where it is below it, else absolute."""
        if path not in self._shown:
            normal = os.path.normpath(path)
            if normal.startswith(os.path.join(self._root, "")):
                normal = os.path.relpath(normal, self._root)
            shown = normal.replace(os.sep, "/")
            self._shown[path] = shown.encode("utf-8", "replace").decode("utf-8")
        return self._shown[path]


def links_in_cycle(path: str) -> tuple[str, ...]:
    """The links that lead to each other, if a path leads to one of them; the first command among them is the first."""
    chain: list[str] = []
    for _ in range(_MOST_LINKS):
        try:
            target = os.readlink(path)
        except OSError:
            path, below = os.path.dirname(path), path  # a folder on the way may be the link
            if path == below:
                break
            continue
        if path in chain:
            cycle = chain[chain.index(path) :]
            first = cycle.index(min(cycle, key=lambda link: (not link.endswith(".py"), link)))
            return (*cycle[first:], *cycle[:first])
        chain.append(path)
        path = os.path.normpath(os.path.join(os.path.dirname(path), target))
    return ()


def leads_around(path: str) -> bool:
    """Whether a path is a link to a folder that contains it."""
    if not os.path.islink(path):
        return False
    around = os.path.join(os.path.realpath(path), "")
    return os.path.join(os.path.realpath(os.path.dirname(path)), "").startswith(around)
