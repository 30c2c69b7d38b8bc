"""The modules that scripts watch: which file each is, its fingerprint, and what is wrong with it. Imports are not followed."""

from __future__ import annotations

import difflib
import os
import sys
from typing import TYPE_CHECKING, Final, Protocol

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.modules import SKIPPED
from scripts_tracker.datatypes import Fingerprint, ModuleVersion
from scripts_tracker.exceptions import UnreadableSource
from scripts_tracker.vocabulary import INSTALLED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts_tracker.analysis.findings import Findings
    from scripts_tracker.analysis.modules import Finder, Library, Module
    from scripts_tracker.analysis.values import Place

_ONLY_OURS: Final = "Remove it from watch: what is installed beside the project is none of its modules."


class ReadsWatches(Protocol):
    """A WatchReader, or what stands for one."""

    def read(
        self, names: Sequence[str], home: Module, place: Place, own_path: str
    ) -> tuple[ModuleVersion, ...]:
        """The modules that one script watches, as they are now."""


class WatchReader:
    """Reads watched modules, each once, whoever watches it.

    Args:
        finder: finds them.
        library: reads them.
        findings: takes what is wrong.
    """

    def __init__(self, finder: Finder, library: Library, findings: Findings) -> None:
        self._finder = finder
        self._library = library
        self._findings = findings

    def read(
        self, names: Sequence[str], home: Module, place: Place, own_path: str
    ) -> tuple[ModuleVersion, ...]:
        """The modules that one script watches, as they are now.

        Args:
            names: dotted.
            home: the module in which they are named.
            place: where in it.
            own_path: the file of the script.
        """
        versions = []
        for name in names:
            wrong = self._wrong(name, own_path)
            if wrong is not None:
                self._findings.report(home, place, codes.WATCHES_NOTHING, *wrong)
            versions.append(self.version(name))
        return tuple(versions)

    def version(self, name: str) -> ModuleVersion:
        """One module as it is now; reports a file that cannot be analysed."""
        path = self._path(name)
        if path is None:
            return ModuleVersion(name)
        digest = ""
        try:
            digest = self._library.digest(path)
            return ModuleVersion(name, Fingerprint.parse(self._library.fingerprint(path)), digest)
        except UnreadableSource as error:
            self._findings.unreadable(path, error)
            return ModuleVersion(name, None, digest)

    def _path(self, name: str) -> str | None:
        """The module's file; None where the project has none."""
        module = self._finder.find(name)
        return None if module is None or self._is_installed(module) else module.path

    def _is_installed(self, module: Module) -> bool:
        shown = self._findings.shown(module.path or "")
        return not set(INSTALLED).isdisjoint(shown.split("/"))

    def _wrong(self, name: str, own_path: str) -> tuple[str, str] | None:
        """Why it is of no use to watch a module, and what to do; None where it is of use."""
        module, top = self._finder.find(name), name.partition(".")[0]
        if top in SKIPPED or (module is not None and self._is_installed(module)):
            return f"the watched module {name} is one of an installed package", _ONLY_OURS
        if module is None:
            if top in sys.stdlib_module_names:
                return f"the watched module {name} is one of the standard library", _ONLY_OURS
            return f"the watched module {name} does not exist", self._hint(name)
        if module.path is None:
            hint = f"Name the modules in it that the script uses, such as {name}.something."
            return (
                f"the watched module {name} is a folder without __init__.py, so there is no code in it",
                hint,
            )
        if module.path == own_path:
            return f"the watched module {name} is the script itself", "Remove it: its own file always counts."
        return None

    def _hint(self, name: str) -> str:
        found = self._finder.longest(name)
        if found is not None and found[0].path is not None and not found[0].is_package:
            return f"Write {found[0].name!r}: a module is watched as a whole."
        near = [one for one in _near(name, self._finder) if self._path(one) is not None]
        if near:
            return f"Did you mean {' or '.join(near)}?"
        return 'Write the dotted name of a module of this project, such as watch=("shop.pricing",).'


def _near(name: str, finder: Finder) -> list[str]:
    """The dotted names that are most like one that does not exist."""
    prefixes = [""]
    for part in name.removesuffix(".py").replace("/", ".").strip(".").split("."):
        longer = []
        for prefix in prefixes:
            names = _below(finder.folders_of(prefix))
            fitting = [part] if part in names else difflib.get_close_matches(part, names, n=3)
            longer += [f"{prefix}.{one}".lstrip(".") for one in fitting]
        prefixes = longer[:3]
    return prefixes


def _below(folders: Sequence[str]) -> list[str]:
    """The names of what may be modules in some folders."""
    names: set[str] = set()
    for folder in folders:
        try:
            entries = os.listdir(folder)
        except OSError:
            continue
        names.update(entry.removesuffix(".py") for entry in entries)
    return sorted(name for name in names if name.isidentifier())
