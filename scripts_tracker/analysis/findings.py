"""Where findings are gathered, and how paths become locations."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from scripts_tracker.analysis import codes
from scripts_tracker.core.values import Finding, Location

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scripts_tracker.core.values import Place
    from scripts_tracker.exceptions import UnreadableSource


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

    def unreadable(self, path: str, error: UnreadableSource) -> None:
        """Add the finding that a file cannot be parsed."""
        message = f"the file cannot be parsed: {error.reason}"
        import shlex  # a name may mean something to a shell

        shown = shlex.quote(self.shown(path))
        hint = f"Fix the file; `python -m py_compile {shown}` shows the error."
        self.report(path, (error.line, error.column), codes.UNREADABLE_FILE, message, hint)

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
