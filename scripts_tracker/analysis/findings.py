"""Where findings are gathered, and how places in files become locations."""

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


class Findings:
    """Gathers findings, each once.

    Args:
        root: the absolute folder that paths are shown relative to.
    """

    def __init__(self, root: str) -> None:
        self._root = os.path.normpath(root)
        self._found: set[Finding] = set()
        self._recorded: set[Finding] = set()
        self._shown: dict[str, str] = {}

    def __iter__(self) -> Iterator[Finding]:
        return iter(sorted(self._found))

    def add(self, location: Location, code: str, message: str, hint: str, *, fixable: bool = False) -> None:
        """Keep a finding."""
        self.take([Finding(location, code, message, hint, fixable)])

    def take(self, findings: Iterable[Finding]) -> None:
        """Keep further findings."""
        for finding in findings:
            self._found.add(finding)
            self._recorded.add(finding)

    @contextmanager
    def recorded(self) -> Iterator[set[Finding]]:
        """Those that are kept meanwhile, also where they were kept before."""
        self._recorded = set()
        yield self._recorded
        self._recorded = set()

    def report(self, path: str, place: Place, code: str, message: str, hint: str) -> None:
        """Keep a finding at a place in a file."""
        self.add(self.location(path, place), code, message, hint)

    def unreadable(self, path: str, error: UnreadableSource) -> None:
        """Keep the finding that a file cannot be analysed."""
        shown = self.shown(path)
        message = f"the file cannot be analysed: {error.reason}"
        hint = f"Fix the file; `python -m py_compile {shown}` shows the error."
        self.add(Location(shown, error.line, error.column), codes.UNREADABLE_FILE, message, hint)

    def location(self, path: str, place: Place = (1, 1)) -> Location:
        """A place in a file."""
        return Location(self.shown(path), *place)

    def shown(self, path: str) -> str:
        """A path as people see it: relative to the root where it lies in it, else absolute; posix."""
        if path not in self._shown:
            self._shown[path] = self._relative(path)
        return self._shown[path]

    def _relative(self, path: str) -> str:
        normal = os.path.normpath(path)
        if normal.startswith(os.path.join(self._root, "")):
            normal = os.path.relpath(normal, self._root)
        return normal.replace(os.sep, "/").encode("utf-8", "replace").decode("utf-8")
