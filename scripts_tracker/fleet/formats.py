"""A fleet as text for a terminal, and as JSON; page.py has the page."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any, Final

from scripts_tracker.core.escaping import escaped, escaped_json
from scripts_tracker.core.text import local_time
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.fleet import comparison

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from scripts_tracker.fleet.comparison import Fleet, Row
    from scripts_tracker.fleet.snapshots import Entry, Snapshot

NOT_KNOWN: Final = "unknown"
"""What is shown in place of a state where an environment does not know a script."""
_GAP: Final = 2
_NARROWEST: Final = 40


class View(NamedTuple):
    """What to show of a fleet.

    Attributes:
        fleet: all of it.
        now: the present, for the age of the files.
        shows_all: whether scripts that every environment has applied in the same version are listed, too.
        width: of the terminal; None where the output goes elsewhere.
        required: the environments in which a script must be applied; empty without ``--check``.
    """

    fleet: Fleet
    now: datetime
    shows_all: bool = False
    width: int | None = None
    required: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        """The scripts to list."""
        return tuple(row for row in self.fleet.rows if self.shows_all or not row.is_uniform)


def cell(row: Row, environment: str) -> str:
    """A script in one environment: its state, with the number of the version where versions differ."""
    entry = row.entries[environment]
    if entry is None:
        return NOT_KNOWN
    version = row.versions.get(environment)
    return f"{entry.state} (v{version})" if row.differs and version else entry.state


def taken(snapshot: Snapshot, now: datetime) -> str:
    """When a file was made, and at which commit, as a clause."""
    if snapshot.taken_at is None:
        return "of unknown age"
    commit = f" at {snapshot.revision[:10]}" if snapshot.revision else ""
    old = ", older than a week" if snapshot.is_stale(now) else ""
    if snapshot.is_ahead(now):
        old = ", in the future: a clock is wrong"
    return f"of {local_time(snapshot.taken_at)}{commit}{old}"


def text(view: View) -> str:
    """A table of scripts by environments; one block a script where the table is wider than the terminal."""
    fleet = view.fleet
    lines = [*_heading(view), ""]
    if not view.rows:
        lines.append("Every script is applied in every environment, in the same version.")
    else:
        table = list(_table(view))
        fits = view.width is None or max(map(len, table)) <= view.width
        lines += table if fits else _blocks(view)
    uniform = len(fleet.rows) - len(view.rows)
    if uniform and view.rows:
        lines += ["", f"{_scripts(uniform)} applied everywhere in the same version (--all lists them)."]
    if view.required:
        lines += ["", *_missing(view)]
    return "\n".join(lines)


def _heading(view: View) -> Iterator[str]:
    environments = view.fleet.environments
    yield f"{_scripts(len(view.fleet.rows))} in {len(environments)} environment{'s' * (len(environments) != 1)}:"
    for snapshot in view.fleet.snapshots:
        waiting = sum(not entry.is_applied for entry in snapshot.entries.values())
        line = f"{escaped(snapshot.environment)}: {waiting} not applied, {taken(snapshot, view.now)}"
        yield from _wrapped(line, view.width)


def _wrapped(line: str, width: int | None) -> list[str]:
    if width is None:
        return [f"  {line}"]
    return textwrap.wrap(line, max(width, _NARROWEST), initial_indent="  ", subsequent_indent="    ")


def _table(view: View) -> Iterator[str]:
    names = view.fleet.environments
    rows = [["", *map(escaped, names)]]
    rows += [[escaped(row.script), *(cell(row, name) for name in names)] for row in view.rows]
    widths = [max(map(len, column)) + _GAP for column in zip(*rows, strict=True)]
    for row in rows:
        yield "".join(part.ljust(width) for part, width in zip(row, widths, strict=True)).rstrip()


def _blocks(view: View) -> Iterator[str]:
    """Each script with the environments by what is true there."""
    for row in view.rows:
        yield escaped(row.script)
        by_words: dict[str, list[str]] = {}
        for name in view.fleet.environments:
            by_words.setdefault(cell(row, name), []).append(escaped(name))
        for words, names in by_words.items():
            yield from _wrapped(f"{words}: {', '.join(names)}", view.width)


def _missing(view: View) -> Iterator[str]:
    found = comparison.missing(view.fleet, view.required)
    where = " and ".join(map(escaped, view.required))
    if not found:
        yield f"No script is missing in {where}."
        return
    yield f"Not applied ({len(found)}):"
    for environment, script, state in found:
        yield f"  {escaped(script)} in {escaped(environment)}: {state}"


def _scripts(count: int) -> str:
    return f"{count} script{'' if count == 1 else 's'}"


def as_json(view: View) -> str:
    """Version 1 of a document of its own; every script, whatever is listed as text."""
    document: dict[str, Any] = {
        "version": 1,
        "environments": [_environment(one, view.now) for one in view.fleet.snapshots],
        "scripts": [_script(row) for row in view.fleet.rows],
    }
    if view.required:
        found = comparison.missing(view.fleet, view.required)
        document["missing"] = [
            {"environment": environment, "script": script, "state": state}
            for environment, script, state in found
        ]
    return escaped_json(json.dumps(document, indent=2, ensure_ascii=False))


def _environment(snapshot: Snapshot, now: datetime) -> dict[str, Any]:
    return {
        "environment": snapshot.environment,
        "file": snapshot.file,
        "taken_at": snapshot.taken_at.isoformat() if snapshot.taken_at else None,
        "revision": snapshot.revision or None,
        "is_stale": snapshot.is_stale(now),
        "scripts": len(snapshot.entries),
        "not_applied": sum(not entry.is_applied for entry in snapshot.entries.values()),
    }


def _script(row: Row) -> dict[str, Any]:
    return {
        "script": row.script,
        "path": row.path,
        "versions_differ": row.differs,
        "environments": {name: _entry(entry, row.versions.get(name)) for name, entry in row.entries.items()},
    }


def _entry(entry: Entry | None, version: int | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    return {
        "state": entry.state,
        "applied": entry.is_applied,
        "version": version,
        "applied_at": entry.applied_at.isoformat() if entry.applied_at else None,
        "applied_fingerprint": entry.applied_fingerprint,
    }
