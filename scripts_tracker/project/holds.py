"""Decisions about batched scripts that have begun: pause, cancel, resume, begin anew, go on with other code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import Error

from scripts_tracker.core import states, stops, watches
from scripts_tracker.core.progress import progress_of
from scripts_tracker.ledger import database, holds, walk_queries
from scripts_tracker.ledger.database import typed
from scripts_tracker.ledger.marking import nothing_else
from scripts_tracker.project import lineage, scan, versions
from scripts_tracker.project.marks import UNPARSED, WITHOUT_SOURCE, MarkResult
from scripts_tracker.project.versions import run_metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scripts_tracker.analysis.store.cache import Cache
    from scripts_tracker.core.progress import WalkRecord
    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.ledger.marking import Also
    from scripts_tracker.ledger.writing import RunFacts, VersionFacts

    Decide = Callable[[WalkRecord, RunFacts, Callable[[], None]], bool]

_CHANGED_FILE = "the file changed while this was decided; try again"


def why_not_to_pause(status: ScriptStatus) -> str:
    """Why a script cannot be paused, as half a sentence; empty if it can."""
    walk = status.walk
    if walk is None:
        return _not_begun(status, "pause")
    return f"already {stops.decision_words(walk.hold)}{_how_to_go_on(status)}" if walk.hold else ""


def why_not_to_cancel(status: ScriptStatus) -> str:
    """Why a script cannot be cancelled, as half a sentence; empty if it can."""
    walk = status.walk
    if walk is None:
        return _not_begun(status, "cancel")
    if walk.hold is not None and states.is_cancelled(walk):
        return f"already {stops.decision_words(walk.hold)}{_how_to_go_on(status)}"
    return ""


def why_not_to_resume(status: ScriptStatus) -> str:
    """Why a script cannot be resumed with the code that it was begun with, as half a sentence; empty if it can."""
    walk = status.walk
    if walk is None:
        return _given_up(status) or _not_begun(status, "resume")
    if missing := _without_file(status):
        return missing
    if stops.is_of_other_code(status) and not walk.live:
        return (
            f"it was begun with other code, {stops.at(progress_of(walk))}; add --accept-code to go on with the"
            " code of now, or --restart to begin anew"
        )
    if walk.hold is not None:
        return ""
    if walk.live:
        return "it is running, not paused"
    return f"it is not paused (state: {status.state.value}); to run it: {typed('run_scripts {}', status.id)}"


def why_not_to_restart(status: ScriptStatus) -> str:
    """Why a script cannot begin anew, as half a sentence; empty if it can."""
    walk = status.record.walk if status.record else None
    return _not_begun(status, "restart") if walk is None else _without_file(status) or _at_work(walk)


def why_not_to_accept(status: ScriptStatus) -> str:
    """Why a script cannot go on with the code that it has now, as half a sentence; empty if it can."""
    walk, definition = status.record.walk if status.record else None, status.definition
    if walk is None:
        return _not_begun(status, "resume")
    if definition is None:
        return _without_file(status)
    if status.state is states.State.UNREADABLE:
        return UNPARSED if status.has_source else WITHOUT_SOURCE
    if not definition.is_batched:
        return "its code is no longer that of a batched script; to run it as it is: --restart"
    if states.began_with(definition, walk):
        return f"its code is what it was begun with; to go on: {typed('resume_script {}', status.id)}"
    return _at_work(walk)


def pause(
    statuses: Iterable[ScriptStatus], reason: str, *, user: str = "", also: Also = nothing_else
) -> MarkResult:
    """Pause scripts: their workers stop after the batch that they are at, and no run goes on until they are resumed.

    Args:
        statuses: the scripts, as a check found them.
        reason: for the history.
        user: who decides; empty for the user of this process.
        also: is called in the transaction of each decision.
    """
    return _each(
        statuses, why_not_to_pause, run_metadata("pause", reason=reason, user=user), holds.hold, also
    )


def cancel(
    statuses: Iterable[ScriptStatus], reason: str, *, user: str = "", also: Also = nothing_else
) -> MarkResult:
    """Cancel scripts: as ``pause``, and a run of all scripts leaves them alone."""
    return _each(
        statuses, why_not_to_cancel, run_metadata("cancel", reason=reason, user=user), holds.hold, also
    )


def resume(
    statuses: Iterable[ScriptStatus], reason: str, *, user: str = "", also: Also = nothing_else
) -> MarkResult:
    """Resume paused and cancelled scripts: the next run goes on from where they are."""
    return _each(
        statuses, why_not_to_resume, run_metadata("resume", reason=reason, user=user), holds.resume, also
    )


def restart(
    statuses: Iterable[ScriptStatus], reason: str, *, user: str = "", also: Also = nothing_else
) -> MarkResult:
    """Give up what scripts have begun: the next run begins anew."""
    return _each(
        statuses, why_not_to_restart, run_metadata("restart", reason=reason, user=user), holds.restart, also
    )


def accept_code(
    statuses: Iterable[ScriptStatus],
    reason: str,
    cache: Cache,
    *,
    user: str = "",
    also: Also = nothing_else,
) -> MarkResult:
    """Resume scripts with the code that they have now.

    Args:
        statuses: as for ``pause``.
        reason: as there.
        cache: has the facts that the check read.
        user: as there.
        also: as there.
    """
    done: list[ScriptId] = []
    refused: list[tuple[ScriptId, str]] = []
    for status in statuses:
        definition = status.definition
        version = _version_now(status, cache) if not why_not_to_accept(status) else None

        def accept(
            seen: WalkRecord,
            facts: RunFacts,
            then: Callable[[], None],
            version: VersionFacts | None = version,
        ) -> bool:
            return holds.resume(seen, facts, then, version=version)

        def why_not(status: ScriptStatus, version: VersionFacts | None = version) -> str:
            return why_not_to_accept(status) or ("" if version else _CHANGED_FILE)

        facts = run_metadata("resume", reason=reason or "other code accepted", user=user)
        watched = watches.to_text(definition.watches) if definition else ""
        result = _each([status], why_not, facts._replace(watched=watched), accept, also)
        done += result.done
        refused += result.refused
    return MarkResult(tuple(done), tuple(refused))


def _each(
    statuses: Iterable[ScriptStatus],
    why_not: Callable[[ScriptStatus], str],
    facts: RunFacts,
    decide: Decide,
    also: Also,
) -> MarkResult:
    done, refused = [], []
    statuses = tuple(statuses)
    lineage.carry_over(statuses)
    for status in statuses:
        why = why_not(status) or _carry_out(status, facts, decide, also)
        if why:
            refused.append((status.id, why))
        else:
            done.append(status.id)
    return MarkResult(tuple(done), tuple(refused))


def _carry_out(status: ScriptStatus, facts: RunFacts, decide: Decide, also: Also) -> str:
    """Decide about the walk that was seen; returns why that was not possible."""
    walk = status.record.walk if status.record else None
    if walk is None:
        return "it has not begun"
    try:
        is_done = decide(walk, facts, lambda: also({}))
    except Error as error:
        if not database.is_contention(error):
            raise
        return f"another transaction has locked it ({database.error_summary(error)}); try again"
    return "" if is_done else _overtaken(status, walk)


def _overtaken(status: ScriptStatus, seen: WalkRecord) -> str:
    """What another process or person did first."""
    now = walk_queries.walk_of(seen.script_pk)
    if now is None or now.pk != seen.pk:
        return "it ended in the meantime"
    if now.hold is not None and now.hold != seen.hold:
        return f"in the meantime it was {stops.decision_words(now.hold)}{_how_to_go_on(status)}"
    return "it was resumed in the meantime" if seen.hold is not None and now.hold is None else _at_work(now)


def _version_now(status: ScriptStatus, cache: Cache) -> VersionFacts | None:
    """The version in the file; None if it has changed since the check."""
    definition = status.definition
    if definition is None:
        return None
    source, content_digest = versions.read_source(scan.absolute_path(definition.location.path))
    if content_digest != definition.content_digest:
        return None
    return versions.version_of(source, content_digest, scan.full_facts(source, content_digest, cache))


def _not_begun(status: ScriptStatus, verb: str) -> str:
    if not status.is_batched:
        return f"it is not a batched script, and only those can be {_PAST[verb]}"
    if _given_up(status):
        return _given_up(status)
    return f"it has not begun or is finished (state: {status.state.value}), so there is nothing to {verb}"


_PAST = {"pause": "paused", "cancel": "cancelled", "resume": "resumed", "restart": "restarted"}


def _given_up(status: ScriptStatus) -> str:
    words = stops.given_up(status)
    if not words:
        return ""
    run, resume = typed("run_scripts {}", status.id), typed("resume_script {} --accept-code", status.id)
    return f"{words}; to begin anew: {run}; to go on from there: {resume}"


def _without_file(status: ScriptStatus) -> str:
    if status.definition is not None:
        return ""
    unmark = typed("check_scripts --unmark {}", status.id)
    return f"{status.absence or 'its file is gone'}; restore it, or take the script off the list: {unmark}"


def _at_work(walk: WalkRecord) -> str:
    count = len(walk.live)
    if not count:
        return ""
    return f"{stops.counted(count, 'worker')} still at work; pause it first, or wait"


def _how_to_go_on(status: ScriptStatus) -> str:
    return f" ({stops.how_to_go_on(status, typed)})"
