"""A new command file from a template; writing it creates missing folders and never overwrites a file."""

from __future__ import annotations

import json
import os
import string
from typing import TYPE_CHECKING

from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.exceptions import NotScaffolded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts_tracker.core.values import ScriptId

TEMPLATE = os.path.join(
    os.path.dirname(os.path.dirname(__file__)), "templates", "scripts_tracker", "script.py-tpl"
)
BATCHED_TEMPLATE = os.path.join(os.path.dirname(TEMPLATE), "batched.py-tpl")
# black's line length; longer lines are split as black splits them.
_WIDTH = 88
_INDENT = "    "


class Scaffold(NamedTuple):
    """A new script: its id, its help text, the scripts that it requires; of a batched one, its model and where that is."""

    id: ScriptId
    help: str
    requires: tuple[ScriptId, ...] = ()
    model: str = ""
    models: str = ""

    @property
    def values(self) -> dict[str, str]:
        """The variables of a template."""
        names = "required_preceding_script, tracked_script" if self.requires else "tracked_script"
        return {
            "app_label": self.id.app_label,
            "name": self.id.name,
            "help": _literal(self.help),
            "docstring": self.help.replace("\\", "\\\\").replace('"', '\\"'),
            "decorators": _decorators(self._required),
            "imports": self._imports(names) if self.model else names,
            "model": self.model,
        }

    def _imports(self, names: str) -> str:
        """The imports of a batched script, in the order of isort."""
        own = [
            f"from scripts_tracker import {names}",
            "from scripts_tracker.batches import BatchedCommand",
        ]
        models = f"from {self.models} import {self.model}"
        others = (
            [models] if len(models) <= _WIDTH else [f"from {self.models} import (", f"    {self.model},", ")"]
        )
        return "\n".join([*own, "", *others])

    @property
    def _required(self) -> list[str]:
        """The requirements as short as the decorator allows."""
        own = self.id.app_label
        return [_literal(one.name if one.app_label == own else one.dotted) for one in self.requires]


def _literal(text: str) -> str:
    """A Python string as black writes it: in double quotes, unless single quotes need fewer escapes."""
    literal = json.dumps(text, ensure_ascii=False)
    if text.count('"') <= text.count("'"):
        return literal
    inner = literal[1:-1].replace('\\"', '"').replace("'", "\\'")
    return f"'{inner}'"


def _decorators(required: Sequence[str]) -> str:
    lines = [f"{_INDENT}@tracked_script"]
    line = f"{_INDENT}@required_preceding_script({', '.join(required)})"
    if required and len(line) <= _WIDTH:
        lines.append(line)
    elif required:
        lines.append(f"{_INDENT}@required_preceding_script(")
        lines.extend(f"{_INDENT * 2}{one}," for one in required)
        lines.append(f"{_INDENT})")
    return "\n".join(lines)


def help_of(name: str) -> str:
    """A first help text: of ``fix_totals``, "Fix totals"."""
    words = " ".join(name.replace("-", "_").split("_")).strip()
    return words[:1].upper() + words[1:]


def render(scaffold: Scaffold, template: str) -> str:
    """The text of the file; raises NotScaffolded if the template has an unknown variable."""
    try:
        return string.Template(template).substitute(scaffold.values)
    except (KeyError, ValueError) as error:
        known = ", ".join(f"${name}" for name in scaffold.values)
        raise NotScaffolded(
            f"invalid template for scripts: {error}; the variables are {known}, and $$ is a $"
        ) from error


def write(path: str, text: str) -> list[str]:
    """Write a new file and the missing packages above it; returns the created paths, the file last.

    Raises:
        NotScaffolded: the file exists, or cannot be written; nothing is left behind.
    """
    created: list[str] = []
    try:
        if os.path.lexists(path):
            raise NotScaffolded(f"{path} already exists; choose another name, or edit it")
        commands = os.path.dirname(path)
        for folder in (os.path.dirname(commands), commands):
            _package(folder, created)
        with open(path, "x", encoding="utf-8", newline="\n") as file:
            created.append(path)
            file.write(text)
    except OSError as error:
        _undo(created)
        raise NotScaffolded(f"{path} cannot be written: {error.strerror}") from error
    return created


def _package(folder: str, created: list[str]) -> None:
    """Create a package; an existing folder is unchanged, as it may be a namespace package."""
    if os.path.isdir(folder):
        return
    os.mkdir(folder)
    created.append(folder)
    init = os.path.join(folder, "__init__.py")
    open(init, "x", encoding="utf-8").close()
    created.append(init)


def _undo(created: Sequence[str]) -> None:
    for path in reversed(created):
        if os.path.isdir(path):
            os.rmdir(path)
        else:
            os.remove(path)
