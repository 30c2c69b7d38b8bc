"""Which script a path of django-scripts-tracker means: it wrote down modules as paths, and folders as they were typed."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from typing import TYPE_CHECKING

from scripts_tracker import conf, scan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scripts_tracker.datatypes import ScriptDefinition, ScriptId

_TAIL_LENGTH = 4  # app/management/commands/name.py


class Owners:
    """The scripts of the project by the paths that may be theirs."""

    def __init__(self, definitions: Iterable[ScriptDefinition]) -> None:
        self._packages = {os.path.normpath(one.path): one.package for one in scan.commands_dirs()}
        self._by_path: dict[str, ScriptId] = {}
        by_tail: dict[str, set[ScriptId]] = defaultdict(set)
        for definition in definitions:
            for name in self._names(definition):
                self._by_path.setdefault(name, definition.id)
                by_tail[_tail(name)].add(definition.id)
        self._by_tail = {tail: next(iter(ids)) for tail, ids in by_tail.items() if len(ids) == 1}

    def _names(self, definition: ScriptDefinition) -> Iterator[str]:
        shown = definition.location.path
        absolute = scan.absolute_path(shown)
        yield shown
        package = self._packages.get(os.path.normpath(os.path.dirname(absolute)))
        if package:
            yield f"{package.replace('.', '/')}/{definition.id.name}.py"
        yield os.path.relpath(absolute).replace(os.sep, "/")
        # An absolute folder lost its first slash.
        yield absolute.replace(os.sep, "/").lstrip("/")

    def of(self, path: str) -> ScriptId | None:
        """The script that was at this path, also where the folder above its app has another name now."""
        return self._by_path.get(path) or self._by_tail.get(_tail(path))

    def why_none(self, path: str) -> str:
        """Why a path is no script's."""
        if _is_there(path) and _is_in_commands(path):
            return "the file is no tracked script: ignored, without the decorator, or in no folder that is looked at"
        if not _is_in_commands(path):
            return (
                "a base class, say: which command ran is not known; for one that did:"
                " manage.py check_scripts --mark-applied NAME"
            )
        return "the file is gone"


def _tail(path: str) -> str:
    return "/".join(path.split("/")[-_TAIL_LENGTH:])


def _is_in_commands(path: str) -> bool:
    return "/management/commands/" in f"/{path}" and not os.path.basename(path).startswith("_")


def _is_there(path: str) -> bool:
    return any(os.path.isfile(os.path.join(root or ".", path)) for root in (conf.base_dir(), "", *sys.path))
