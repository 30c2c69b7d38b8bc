"""Which scripts a run is about: what needs action, what runs every time, what somebody named. Pure."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts_tracker import names
from scripts_tracker.exceptions import UnknownScript
from scripts_tracker.states import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scripts_tracker.datatypes import ScriptId
    from scripts_tracker.states import ScriptStatus

LEFT = "its last attempt {} and is left to a person by --no-retry"


@dataclass(frozen=True, slots=True)
class Choice:
    """What to run; what was asked for and is not to be run.

    Attributes:
        chosen: what to run.
        idle: what somebody named although there is nothing to do.
        left: what is left to a person, and why; whoever requires it has to know.
        spared: those of ``left`` that would have been chosen otherwise.
    """

    chosen: tuple[ScriptStatus, ...]
    idle: tuple[ScriptStatus, ...]
    left: Mapping[ScriptId, str]
    spared: tuple[ScriptStatus, ...] = ()


def _is_to_run(status: ScriptStatus) -> bool:
    """Running ones too: whoever asks for them wants to know how that ends."""
    return status.state.needs_action or status.state in {State.RECURRING, State.RUNNING}


def _tags(status: ScriptStatus) -> tuple[str, ...]:
    return status.definition.options.tags if status.definition else ()


def _insist_on_tags(wanted: Sequence[str], known: set[str]) -> None:
    for tag in wanted:
        if tag not in known:
            near = difflib.get_close_matches(tag, known, n=1)
            there = f"the tags are: {', '.join(sorted(known))}" if known else "no script has a tag"
            raise UnknownScript(
                f"no tracked script has the tag {tag!r}; {f'did you mean {near[0]}?' if near else there}"
            )


def _insist_on_tagged(named: Iterable[ScriptStatus], tags: Sequence[str]) -> None:
    for status in named:
        if tags and not set(tags) & set(_tags(status)):
            raise UnknownScript(f"{status.id} does not have the tag {' or '.join(map(repr, tags))}")


def choose(
    by_id: Mapping[ScriptId, ScriptStatus],
    wanted: Sequence[str] = (),
    tags: Sequence[str] = (),
    *,
    retries: bool = True,
) -> Choice:
    """Pick the scripts that a run is about.

    Args:
        by_id: every script.
        wanted: names that somebody typed; none for all scripts.
        tags: only scripts with one of these; none for all.
        retries: whether failed and lost ones are to be tried again.

    Raises:
        UnknownScript: for a name or tag that nothing has.
    """
    _insist_on_tags(tags, {tag for status in by_id.values() for tag in _tags(status)})
    named = names.resolve_all(wanted, by_id.keys()) if wanted else by_id.keys()
    if wanted:
        _insist_on_tagged((by_id[one] for one in named), tags)
    pool = [by_id[one] for one in named if not tags or set(tags) & set(_tags(by_id[one]))]
    words = {State.FAILED: "failed", State.LOST: "never ended"}
    left = {
        status.id: LEFT.format(words[status.state])
        for status in by_id.values()
        if not retries and status.state in words
    }
    return Choice(
        chosen=tuple(status for status in pool if _is_to_run(status) and status.id not in left),
        idle=tuple(status for status in pool if wanted and not _is_to_run(status)),
        left=left,
        spared=tuple(status for status in pool if status.id in left),
    )
