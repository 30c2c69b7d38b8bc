"""Renamed apps and files: whose history scripts continue. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from scripts_tracker.core.states import State, began_with
from scripts_tracker.core.values import ScriptId

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from scripts_tracker.core.states import ScriptRecord, ScriptStatus
    from scripts_tracker.core.values import ScriptDefinition

_FEWEST: Final = 2
"""One script of the same name in two apps is no sign that an app was renamed."""
_MOST_OF_THEM: Final = 0.8


def origins(
    wanted: Iterable[ScriptId], renamed: Mapping[str, str], installed: Collection[str] = ()
) -> Iterator[tuple[ScriptId, ScriptId]]:
    """The earlier ids that scripts may have, each with the id of now.

    Args:
        wanted: the scripts.
        renamed: the label of now for each earlier label of an app.
        installed: the labels of all apps; an earlier label that is one of them means another app.
    """
    for old in renamed:
        label = _label_of_now(old, renamed, installed)
        yield from ((ScriptId(old, one.name), one) for one in wanted if one.app_label == label)


def _label_of_now(old: str, renamed: Mapping[str, str], installed: Collection[str]) -> str:
    """The label of an app after all of its renames; empty if it still has the old one, or if they lead back to it."""
    label, seen = old, set[str]()
    while label in renamed and label not in installed and label not in seen:
        seen.add(label)
        label = renamed[label]
    return "" if label in seen or label == old else label


def carried_over(
    records: Mapping[ScriptId, ScriptRecord], pairs: Iterable[tuple[ScriptId, ScriptId]]
) -> tuple[Mapping[ScriptId, ScriptRecord], Mapping[ScriptId, ScriptId]]:
    """The records under the ids of now, and the earlier id of each that was renamed; a record of its own comes first."""
    found, earlier = dict(records), {}
    for old, new in pairs:
        if old in found and new not in found:
            found[new] = found.pop(old)._replace(id=new)
            earlier[new] = old
    return found, earlier


def renamed_walks(
    records: Mapping[ScriptId, ScriptRecord],
    definitions: Mapping[ScriptId, ScriptDefinition],
    is_gone: Callable[[ScriptRecord], bool],
) -> list[tuple[ScriptId, ScriptId]]:
    """Batched scripts that have begun under another name: the earlier id and the id of now of each.

    Args:
        records: what the ledger knows.
        definitions: the scripts in the files. One that has never run, with the code that a walk was begun with, is its
            script under a new name.
        is_gone: whether the file of a script is gone.
    """
    begun = [one for one in records.values() if one.walk is not None and one.id not in definitions]
    new = sorted(one.id for one in definitions.values() if begun and one.is_batched and one.id not in records)
    pairs = []
    for record in sorted(filter(is_gone, begun), key=lambda record: record.id):
        walk = record.walk
        found = next((one for one in new if walk is not None and began_with(definitions[one], walk)), None)
        if found is not None:
            new.remove(found)
            pairs.append((record.id, found))
    return pairs


def hint(statuses: Collection[ScriptStatus]) -> str:
    """What to write into the settings if an app seems to be renamed; empty if none does."""
    gone, new = defaultdict(set), defaultdict(set)
    for status in statuses:
        if status.state is State.MISSING and not status.absence:
            gone[status.id.app_label].add(status.id.name)
        elif status.state is State.NEW:
            new[status.id.app_label].add(status.id.name)
    for old, names in sorted(gone.items()):
        for label, others in sorted(new.items()):
            same = len(names & others)
            if same >= _FEWEST and same >= _MOST_OF_THEM * max(len(names), len(others)):
                return (
                    f"{same} scripts of {old} are missing, and {label} has {same} new ones of the same names. If the app"
                    f' was renamed, write SCRIPTS_TRACKER = {{"renamed_apps": {{"{old}": "{label}"}}}} into the settings;'
                    " otherwise all of them run again."
                )
    return ""
