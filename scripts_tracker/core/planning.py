"""From states to a plan: which scripts to run in which order, which cannot run, and why. Pure."""

from __future__ import annotations

import heapq
from graphlib import TopologicalSorter
from types import MappingProxyType
from typing import TYPE_CHECKING

from scripts_tracker.core import cycles, names, renames, watches
from scripts_tracker.core.escaping import escaped
from scripts_tracker.core.states import State, is_cancelled
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.exceptions import UnknownScript

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from scripts_tracker.core.cycles import Graph
    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import ScriptId

_UNREADABLE = {True: "its file cannot be parsed", False: "there is no source code to read"}


class Plan(NamedTuple):
    """What to run: ``steps`` in order; ``blocked`` with the reasons of each; ``cycles`` as closed paths."""

    steps: tuple[ScriptStatus, ...]
    blocked: tuple[tuple[ScriptStatus, tuple[str, ...]], ...]
    cycles: tuple[tuple[ScriptId, ...], ...]

    @property
    def after(self) -> Mapping[ScriptId, tuple[ScriptId, ...]]:
        """For each step the other steps that it requires, in the order of the plan."""
        place = {status.id: number for number, status in enumerate(self.steps)}
        return {
            status.id: tuple(
                sorted({one.target for one in status.requires if one.target in place}, key=place.__getitem__)
            )
            for status in self.steps
        }

    @property
    def before(self) -> Mapping[ScriptId, tuple[ScriptId, ...]]:
        """For each step the other steps that require it, in the order of the plan."""
        found: dict[ScriptId, list[ScriptId]] = {status.id: [] for status in self.steps}
        for script_id, others in self.after.items():
            for other in others:
                found[other].append(script_id)
        return {script_id: tuple(others) for script_id, others in found.items()}


def unapplied_requirements(
    status: ScriptStatus, by_id: Mapping[ScriptId, ScriptStatus]
) -> tuple[ScriptStatus, ...]:
    """The required scripts that exist here and are not applied, in source order."""
    required = (by_id.get(one.target) for one in status.requires if one.target is not None)
    return tuple(found for found in required if found is not None and not found.state.satisfies)


def awaited(
    status: ScriptStatus, plan: Plan, by_id: Mapping[ScriptId, ScriptStatus], since: int
) -> tuple[ScriptId, ...]:
    """The required scripts that must still run before one of a plan, where each step is a job of its own.

    Args:
        status: the script.
        plan: the plan that it belongs to.
        by_id: every script as it is now.
        since: the key of the newest run when the plan was made first: a recurring script runs once for a plan.
    """
    planned = {step.id for step in plan.steps}
    found = []
    for target in dict.fromkeys(one.target for one in status.requires):
        other = by_id.get(target) if target is not None else None
        if other is None:
            continue
        is_due = other.state is State.RECURRING and other.id in planned and not has_run(other, since)
        if is_due or not other.state.satisfies:
            found.append(other.id)
    return tuple(found)


def has_run(status: ScriptStatus, since: int) -> bool:
    """Whether a script has run, or a person has decided about it, after the run with that key."""
    return status.last_run is not None and status.last_run.pk > since


def unknown_requirements(status: ScriptStatus, by_id: Mapping[ScriptId, ScriptStatus]) -> tuple[str, ...]:
    """The requirements that name no script here, as written in the source."""
    return tuple(one.text for one in status.requires if one.target is None or one.target not in by_id)


def requirement_graph(
    chosen: Iterable[ScriptStatus], by_id: Mapping[ScriptId, ScriptStatus]
) -> dict[ScriptId, tuple[ScriptId, ...]]:
    """The chosen scripts and their requirements, transitively, each with those that run before it.

    Of the requirements, those that are not applied run, and those that were chosen anyway (``rerun="always"``).
    """
    graph: dict[ScriptId, tuple[ScriptId, ...]] = {}
    waiting = [status.id for status in chosen]
    wanted = frozenset(waiting)
    while waiting:
        script_id = waiting.pop()
        if script_id not in graph:
            targets = dict.fromkeys(one.target for one in by_id[script_id].requires)
            known = (one for one in targets if one is not None and one in by_id)
            graph[script_id] = tuple(one for one in known if one in wanted or not by_id[one].state.satisfies)
            waiting.extend(graph[script_id])
    return graph


def make_plan(
    chosen: Iterable[ScriptStatus],
    by_id: Mapping[ScriptId, ScriptStatus],
    excluded: Mapping[ScriptId, str] = MappingProxyType({}),
) -> Plan:
    """Order the scripts by their requirements, then by id; name those that cannot run, and why.

    Args:
        chosen: the scripts to run; what they require is added.
        by_id: every script.
        excluded: scripts that do not run, and why.
    """
    graph = requirement_graph(chosen, by_id)
    found = cycles.find_cycles(graph)
    blocked: dict[ScriptId, tuple[str, ...]] = {}
    for cycle in sorted(found, key=len):
        reason = (f"a cycle: {cycles.describe(cycle)}",)
        for script_id in cycle:
            blocked.setdefault(script_id, reason)
    for script_id in graph.keys() - blocked.keys():
        reasons = _reasons(by_id[script_id], by_id, excluded)
        if reasons:
            blocked[script_id] = reasons
    _block_dependents(blocked, graph)
    steps = _ordered({node: required for node, required in graph.items() if node not in blocked})
    return Plan(
        tuple(by_id[script_id] for script_id in steps),
        tuple((by_id[script_id], blocked[script_id]) for script_id in sorted(blocked)),
        found,
    )


def _reasons(
    status: ScriptStatus, by_id: Mapping[ScriptId, ScriptStatus], excluded: Mapping[ScriptId, str]
) -> tuple[str, ...]:
    """Why a script cannot run, whatever happens to the others."""
    if status.id in excluded:
        return (excluded[status.id],)
    if status.state is State.UNREADABLE:
        return (watches.unreadable_words(status.watches) or _UNREADABLE[status.has_source],)
    return tuple(f"requires {text}, which does not exist" for text in unknown_requirements(status, by_id))


def _block_dependents(blocked: dict[ScriptId, tuple[str, ...]], graph: Graph) -> None:
    """Add what requires a blocked script, transitively."""
    requiring: dict[ScriptId, list[ScriptId]] = {}
    for script_id, required in graph.items():
        for other in required:
            requiring.setdefault(other, []).append(script_id)
    waiting, reached = list(blocked), set(blocked)
    while waiting:
        found = [one for one in requiring.get(waiting.pop(), ()) if one not in reached]
        reached.update(found)
        waiting.extend(found)
    for script_id in reached - blocked.keys():
        obstacles = (other for other in graph[script_id] if other in reached)
        blocked[script_id] = tuple(f"requires {other}, which cannot run" for other in obstacles)


def _ordered(graph: Graph) -> list[ScriptId]:
    """Requirements first; among those that are ready, by id."""
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    order: list[ScriptId] = []
    ready: list[ScriptId] = []  # a heap
    while sorter.is_active():
        for script_id in sorter.get_ready():
            heapq.heappush(ready, script_id)
        order.append(heapq.heappop(ready))
        sorter.done(order[-1])
    return order


class Choice(NamedTuple):
    """What to run, and what was asked for but does not run.

    Attributes:
        chosen: what to run.
        up_to_date: what was named by itself although there is nothing to do.
        not_retried: every failed or lost script where those are not retried, with the reason.
        held: every batched script that a person has paused or cancelled, or must decide about, with the reason, and those
            that do not run now.
        skipped_by_no_retry: those of ``not_retried`` that would have been chosen otherwise.
        cancelled: those of ``held`` that are cancelled, and were not named.
        batched: the batched scripts that would have been chosen otherwise.
        moved: what is not run because its code was applied under another name.
        renamed: what has the history of a renamed app.
        hint: what to do about an app that seems to be renamed; empty if none does.
        is_by_name: whether each script was named by itself, and not as one of all, or of an app.
    """

    chosen: tuple[ScriptStatus, ...]
    up_to_date: tuple[ScriptStatus, ...]
    not_retried: Mapping[ScriptId, str]
    held: Mapping[ScriptId, str] = MappingProxyType({})
    skipped_by_no_retry: tuple[ScriptStatus, ...] = ()
    cancelled: tuple[ScriptStatus, ...] = ()
    batched: tuple[ScriptStatus, ...] = ()
    moved: tuple[ScriptStatus, ...] = ()
    renamed: tuple[ScriptStatus, ...] = ()
    hint: str = ""
    is_by_name: bool = False

    @property
    def excluded(self) -> Mapping[ScriptId, str]:
        """What does not run, and why, for ``make_plan``."""
        return {**self.not_retried, **self.held}


_NOT_RETRIED = "its last attempt {}, and --no-retry skips it"
_RETRIED = {State.FAILED: "failed", State.LOST: "never ended"}
# Whoever runs the scripts wants to know how the running ones end.
_RUNNABLE = {State.RECURRING, State.RUNNING, State.PAUSED}
NOT_IN_MIGRATE = "is batched, which never runs inside migrate"


def choose(
    by_id: Mapping[ScriptId, ScriptStatus],
    wanted: Sequence[str] = (),
    tags: Sequence[str] = (),
    *,
    retries: bool = True,
    in_migrate: bool = False,
    typed: Callable[..., str] = names.typed,
) -> Choice:
    """Choose the scripts to run.

    Args:
        by_id: every script.
        wanted: names as typed (``core.names``); none for all scripts. Of a group, what has nothing to do is left out.
        tags: only scripts with one of these; none for all.
        retries: whether to try failed and lost scripts again.
        in_migrate: whether ``migrate`` waits for it, so that batched scripts do not run.
        typed: what to type for a command that is about this ledger.

    Raises:
        UnknownScript: no script has such a name or tag, or a named one does not have the tag.
    """
    _validate_tags(tags, by_id.values())
    named = (
        names.resolve_each(wanted, {one: by_id[one].path for one in by_id}, typed(names.LISTING))
        if wanted
        else {}
    )
    by_name = {one for one in named if named[one]}
    pool = [by_id[one] for one in named or by_id if not tags or set(tags).intersection(by_id[one].tags)]
    if untagged := by_name.difference(status.id for status in pool):
        raise UnknownScript(f"{min(untagged)} does not have the tag {' or '.join(map(repr, tags))}")
    not_retried = {
        status.id: _NOT_RETRIED.format(_RETRIED[status.state])
        for status in by_id.values()
        if not retries and status.state in _RETRIED
    }
    stopped = held(by_id.values(), typed, in_migrate=in_migrate)
    runnable = {
        one.id for one in pool if one.definition and (one.state.needs_action or one.state in _RUNNABLE)
    }
    batched = [one for one in pool if in_migrate and one.id in runnable and one.is_batched]
    cancelled = [one for one in pool if one.id in stopped and one.id not in by_name and _is_cancelled(one)]
    left_alone = {one.id for one in (*batched, *cancelled)}.union(not_retried)
    return Choice(
        chosen=tuple(one for one in pool if one.id in runnable and one.id not in left_alone),
        up_to_date=tuple(one for one in pool if one.id in by_name and one.id not in runnable),
        not_retried=not_retried,
        held=stopped,
        skipped_by_no_retry=tuple(one for one in pool if one.id in not_retried and one not in cancelled),
        cancelled=tuple(one for one in cancelled if one not in batched),
        batched=tuple(batched),
        moved=tuple(one for one in pool if one.state is State.MOVED and one.id not in by_name),
        renamed=tuple(one for one in pool if one.renamed_from is not None),
        hint=renames.hint(pool),
        is_by_name=len(by_name) == len(named) > 0,
    )


def held(
    statuses: Iterable[ScriptStatus], typed: Callable[..., str] = names.typed, *, in_migrate: bool = False
) -> Mapping[ScriptId, str]:
    """The batched scripts that do not run now, with the reason as half a sentence: a person must decide first.

    Args:
        statuses: the scripts.
        typed: what to type for a command that is about this ledger.
        in_migrate: whether ``migrate`` would run them: it runs no batched script.
    """
    found: dict[ScriptId, str] = {}
    for status in statuses:
        if status.walk is not None:
            from scripts_tracker.core import stops  # few scripts are batched

            if reason := stops.obstacle(status, typed):
                found[status.id] = reason
        if in_migrate and status.is_batched and status.id not in found:
            found[status.id] = NOT_IN_MIGRATE
    return found


def _is_cancelled(status: ScriptStatus) -> bool:
    return status.walk is not None and is_cancelled(status.walk)


def _validate_tags(wanted: Iterable[str], statuses: Iterable[ScriptStatus]) -> None:
    known = {tag for status in statuses for tag in status.tags}
    for tag in wanted:
        if tag not in known:
            near = names.nearest(tag, known)
            tags = f"the tags are: {', '.join(sorted(known))}" if known else "no script has a tag"
            hint = f"did you mean {near}?" if near else tags
            raise UnknownScript(escaped(f"no tracked script has the tag {tag!r}; {hint}"))
