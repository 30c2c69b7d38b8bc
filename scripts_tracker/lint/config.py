"""``[tool.scripts_tracker]`` in pyproject.toml, and which findings it lets through."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any, Final

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.source import reading
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.exceptions import UnreadableSource
from scripts_tracker.lint.layout import is_excluded

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scripts_tracker.core.values import Finding


FILE: Final = "pyproject.toml"
TABLE: Final = "scripts_tracker"
_HEADER: Final = b"[tool.scripts_tracker"
_EVERYTHING: Final = "ALL"


class WrongUseError(Exception):
    """Wrong options or settings; the message is one line that says what to type instead."""


class Config(NamedTuple):
    """The settings of the lint.

    Attributes:
        select: codes, or their beginnings; only these are reported. Those of ``codes.ON_REQUEST`` only if written out.
        extend_select: codes, or their beginnings, that are reported too.
        ignore: codes, or their beginnings, that are not reported.
        per_file_ignores: patterns of paths, each with what is not reported there.
        exclude: patterns of paths that are skipped.
        roots: folders that Python imports from, absolute.
        commands_dirs: folders of commands, absolute; empty means that the lint finds them.
        ignored_files: names of files that the tracker leaves out, like IGNORED_FILES in Django's settings.
        ignored_cmd_prefixes: beginnings of such names, like IGNORED_CMD_PREFIXES.
    """

    select: tuple[str, ...] = (_EVERYTHING,)
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    exclude: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    commands_dirs: tuple[str, ...] = ()
    ignored_files: tuple[str, ...] = ("__init__.py",)
    ignored_cmd_prefixes: tuple[str, ...] = ()

    def reports(self, finding: Finding) -> bool:
        """Whether to report a finding."""
        if is_excluded(finding.location.path, self.exclude):
            return False
        return self.wants(finding.code) and not any(
            _names(finding.code, ignored)
            for pattern, ignored in self.per_file_ignores
            if is_excluded(finding.location.path, (pattern,))
        )

    def wants(self, code: str) -> bool:
        """Whether a code is reported anywhere."""
        chosen = (*self.select, *self.extend_select)
        is_chosen = code in chosen if code in codes.ON_REQUEST else _names(code, chosen)
        return is_chosen and not _names(code, self.ignore)


def _names(code: str, chosen: Iterable[str]) -> bool:
    return any(one == _EVERYTHING or code.startswith(one) for one in chosen)


def checked_codes(chosen: Iterable[str], origin: str) -> tuple[str, ...]:
    """Codes, and beginnings of codes, in capitals.

    Args:
        chosen: what was written: codes, beginnings of codes, names of rules.
        origin: where, for the message.

    Raises:
        WrongUseError: there is no such code.
    """
    found = []
    for one in chosen:
        name = codes.code_of(one.strip())
        if not name or (name != _EVERYTHING and not any(code.startswith(name) for code in codes.ALL)):
            from scripts_tracker.core.names import nearest  # only for what is wrong already

            near = nearest(name, codes.ALL) or nearest(one.strip().lower(), codes.NAMES.values())
            advice = f"did you mean {near}?" if near else "see --list-rules."
            raise WrongUseError(f"{origin}: unknown rule {one!r}; {advice}")
        found.append(name)
    return tuple(found)


def folder_of_project(start: str, name: str = FILE) -> str | None:
    """The nearest folder with a pyproject.toml, or another file, from a folder upwards; None where there is none."""
    folder = os.path.abspath(start)
    while not os.path.isfile(os.path.join(folder, name)):
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
    return folder


def configured_folder(start: str) -> str | None:
    """The nearest folder, from one upwards, whose pyproject.toml has a table of ours; None where there is none."""
    folder = folder_of_project(start)
    while folder is not None:
        with contextlib.suppress(UnreadableSource):
            if _HEADER in reading.read_bytes(os.path.join(folder, FILE)):
                return folder
        parent = os.path.dirname(folder)
        folder = None if parent == folder else folder_of_project(parent)
    return None


def read(root: str) -> Config:
    """The settings of the project in a folder; the defaults where it has none.

    Raises:
        WrongUseError: pyproject.toml cannot be read, or has a key or value of ours that is not understood.
    """
    table = _table(os.path.join(root, FILE))
    known = Config._fields
    values: dict[str, Any] = {}
    for key, value in table.items():
        name = str(key).replace("-", "_").lower()
        if name not in known:
            from scripts_tracker.core.names import nearest  # as above

            near = nearest(name, known)
            advice = f"did you mean {near}?" if near else f"known keys: {', '.join(known)}."
            raise WrongUseError(f"{FILE}: unknown key {key!r} in [tool.{TABLE}]; {advice}")
        values[name] = _value(name, value, root)
    return Config(**values)


def _table(path: str) -> dict[str, Any]:
    if not os.path.lexists(path):
        return {}
    try:
        content = reading.read_bytes(path)
    except UnreadableSource as error:
        raise WrongUseError(f"{FILE} cannot be read: {error.reason}") from error
    # Most projects have no such table, and the parser is slow.
    if TABLE.encode() not in content:
        return {}
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        tool = tomllib.loads(content.decode()).get("tool", {})
    except ValueError as error:
        raise WrongUseError(f"{FILE} is not valid TOML: {error}") from error
    table = tool.get(TABLE, {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise WrongUseError(f"{FILE}: [tool.{TABLE}] is not a table")
    return table


def _value(name: str, value: object, root: str) -> Any:
    if name == "per_file_ignores":
        if not isinstance(value, dict):
            raise WrongUseError(f'{FILE}: {name} must be a table, for example {{"legacy/*" = ["ST016"]}}')
        return tuple(
            (pattern, checked_codes(_texts(f"{name}.{pattern}", chosen), f"{FILE}: {name}"))
            for pattern, chosen in value.items()
        )
    texts = _texts(name, value)
    if name in {"select", "extend_select", "ignore"}:
        return checked_codes(texts, f"{FILE}: {name}")
    if name in {"roots", "commands_dirs"}:
        return tuple(_existing(name, text, root) for text in texts)
    return (*texts, "__init__.py") if name == "ignored_files" else texts


def _texts(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    raise WrongUseError(f'{FILE}: {name} must be a list of strings, for example ["..."]')


def _existing(name: str, text: str, root: str) -> str:
    path = os.path.normpath(os.path.join(root, text))
    if not os.path.isdir(path):
        raise WrongUseError(f"{FILE}: {name}: no such folder: {text}")
    return path


def chosen_codes(arguments: Sequence[str] | None, origin: str) -> tuple[str, ...] | None:
    """The codes that an option names, which may be given several times and with commas; None if it is not given."""
    if arguments is None:
        return None
    return checked_codes([one for text in arguments for one in text.split(",") if one.strip()], origin)
