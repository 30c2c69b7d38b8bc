"""What a change of the code does to every environment: what runs, runs again, stays or goes, in which order.

The states are decided as everywhere else. In place of a ledger stands an environment that has applied every script of
the revision that is compared with.
"""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from scripts_tracker import conf
from scripts_tracker.core import names, planning, renames, states, watches
from scripts_tracker.core.states import ScriptRecord, ScriptStatus, State
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.project import lineage, revision, scan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scripts_tracker.analysis.store.cache import Cache
    from scripts_tracker.core.history import StoredRehearsal
    from scripts_tracker.core.values import Finding, ProjectIndex, ScriptDefinition, ScriptId
    from scripts_tracker.project.revision import Revision

RUNS: Final = (State.NEW, State.MODIFIED)
"""The states in which ``run_scripts`` runs a script because of the change."""


class Change(NamedTuple):
    """One script that differs from the revision.

    Attributes:
        status: its state in an environment that has applied everything of the revision.
        before: the script in the revision; None if it had none of this id.
        after: the others that run before it because of the change, as it requires them.
        renamed_from: the path in the revision of a file that was renamed and edited.
        diff: what changed in its code, as a unified diff; empty if nothing did, or if there is nothing to compare with.
        note: a sentence about the diff.
        options: the options of the decorator that differ, each as ``name``, before and now.
        requires: the requirements that were added and removed, with a plus or a minus.
        modules: the watched modules that changed, as words; empty if none did.
    """

    status: ScriptStatus
    before: ScriptDefinition | None
    after: tuple[ScriptId, ...] = ()
    renamed_from: str = ""
    diff: tuple[str, ...] = ()
    note: str = ""
    options: tuple[tuple[str, object, object], ...] = ()
    requires: tuple[str, ...] = ()
    modules: str = ""

    @property
    def now(self) -> ScriptDefinition | None:
        """The script as its file defines it; None if it has none."""
        return self.status.definition


class Review(NamedTuple):
    """What a change does.

    Attributes:
        since: the revision that is compared with, as it was typed.
        commit: what that is.
        runs: the scripts that run in an environment that has applied everything of the revision, in their order.
        others: the scripts that changed, and do not run there.
        gone: the scripts that the revision has and the project has not.
        blocked: the scripts that would run and cannot, with the reasons.
        formatted: the scripts whose files changed in nothing but formatting.
        findings: the problems that the revision does not have.
        rehearsals: the last rehearsal of scripts in the database of the command, with the fingerprint that was
            rehearsed.
    """

    since: str
    commit: str
    runs: tuple[Change, ...]
    others: tuple[Change, ...]
    gone: tuple[Change, ...]
    blocked: tuple[tuple[ScriptId, tuple[str, ...]], ...]
    formatted: tuple[ScriptId, ...]
    findings: tuple[Finding, ...]
    rehearsals: Mapping[ScriptId, tuple[str, StoredRehearsal]] = MappingProxyType({})


def review(since: str, wanted: Sequence[str] = (), *, use_cache: bool = True) -> Review:
    """Compare the scripts of the project with those of a revision; the ledger is not needed.

    Args:
        since: the revision, as git takes it.
        wanted: names of scripts, as typed; none for all.
        use_cache: whether to read and write the cache in the project root.

    Raises:
        UnknownRevision: git does not know the revision, or cannot answer.
        UnknownScript: no script has such a name.
    """
    cache = scan.cache(None if use_cache else "")
    index = scan.scan(cache)
    with revision.checked_out(since, cache) as then:
        comparison = _Comparison(index, then, cache)
        paths = {one: status.path for one, status in comparison.by_id.items()}
        chosen = frozenset(names.resolve_all(wanted, paths) if wanted else paths)
        found = comparison.review(chosen)
    cache.save()
    return found


class _Comparison:
    def __init__(self, index: ProjectIndex, then: Revision, cache: Cache) -> None:
        self._index = index
        self._then = then
        self._now = {one.id: one for one in index.definitions}
        self._records, self._earlier = renames.carried_over(
            {one.id: _record(one) for one in then.definitions.values() if one.fingerprint is not None},
            lineage.earlier_ids(self._now),
        )
        self._records = {one.id: self._with_equivalence(one, cache) for one in self._records.values()}
        found = states.statuses(index.definitions, self._records, lambda record: scan.absence(record.path))
        self.by_id = {one.id: one._replace(renamed_from=self._earlier.get(one.id)) for one in found}

    def review(self, chosen: frozenset[ScriptId]) -> Review:
        """What the change does to the chosen scripts."""
        changed = [one for one in self.by_id.values() if one.id in chosen and self._is_changed(one)]
        running = [one for one in changed if one.state in RUNS]
        plan = planning.make_plan(running, self.by_id)
        planned = {one.id for one in plan.steps}
        shown = {one.id for one in changed}
        moved_from = {one.moved_from for one in changed if one.state is State.MOVED}
        gone = [
            one for one in self.by_id.values() if one.definition is None and one.id in chosen - moved_from
        ]
        return Review(
            self._then.name,
            self._then.commit,
            tuple(self._change(one, plan.after[one.id]) for one in plan.steps if one.id in shown),
            tuple(self._change(one) for one in changed if one.id not in planned),
            tuple(Change(one, self._before(one)) for one in gone),
            tuple((one.id, reasons) for one, reasons in plan.blocked if one.id in chosen),
            tuple(
                one.id for one in self.by_id.values() if one.id in chosen - shown and self._is_formatted(one)
            ),
            self._findings(chosen),
        )

    def _with_equivalence(self, record: ScriptRecord, cache: Cache) -> ScriptRecord:
        now = self._now.get(record.id)
        if now is None or not states.differs(now, record):
            return record
        from scripts_tracker.project.equivalence import is_equivalent  # only where something was edited

        is_same = is_equivalent(now, record, cache, self._earlier.get(record.id))
        return record._replace(is_equivalent=is_same)

    def _before(self, status: ScriptStatus) -> ScriptDefinition | None:
        return self._then.definitions.get(status.renamed_from or status.moved_from or status.id)

    def _is_changed(self, status: ScriptStatus) -> bool:
        now, before = status.definition, self._then.definitions.get(status.renamed_from or status.id)
        if now is None:
            return False
        return before is None or _essence(now) != _essence(before)

    def _is_formatted(self, status: ScriptStatus) -> bool:
        now, before = status.definition, self._before(status)
        return now is not None and before is not None and now.content_digest != before.content_digest

    def _change(self, status: ScriptStatus, after: Sequence[ScriptId] = ()) -> Change:
        now, before = status.definition, self._before(status)
        if now is None:
            return Change(status, before)
        renamed_from = "" if before is not None else self._then.renamed.get(status.path, "")
        old_path = before.location.path if before is not None else renamed_from
        diff, note = self._diff(old_path, status.path) if old_path else ((), "")
        return Change(
            status,
            before,
            tuple(after),
            renamed_from,
            diff,
            note,
            tuple(_options(before, now)) if before is not None else (),
            tuple(_requirements(before, now)) if before is not None else (),
            watches.changed_words(now.watches, before.watches) if before is not None else "",
        )

    def _diff(self, old_path: str, path: str) -> tuple[tuple[str, ...], str]:
        from scripts_tracker.analysis.diff import unified  # difflib, and libcst

        old = self._then.source(old_path)
        try:
            with open(os.path.join(conf.base_dir(), path), "rb") as file:
                new = file.read()
        except OSError as error:
            return (), f"{path} cannot be read: {error.strerror}."
        found = unified.compare(old, new, names=(f"{old_path} in {self._then.name}", f"{path} now"))
        return found.lines, found.note

    def _findings(self, chosen: frozenset[ScriptId]) -> tuple[Finding, ...]:
        others = {one.path for one in self.by_id.values() if one.id not in chosen}
        return tuple(
            one
            for one in self._index.findings
            if one.location.path not in others
            and (one.location.path, one.code, one.message) not in self._then.problems
        )


def _record(before: ScriptDefinition) -> ScriptRecord:
    """The record of a script in an environment that has applied this version."""
    return ScriptRecord(
        before.id,
        before.location.path,
        applied=before.fingerprint,
        applied_content=before.content_digest,
        applied_watched=before.watches,
    )


def _essence(one: ScriptDefinition) -> tuple[object, ...]:
    """What of a script makes a difference to what runs, and when."""
    required = tuple(_required(one))
    watched = tuple((each.module, each.fingerprint or each.content_digest) for each in one.watches)
    content = one.fingerprint or one.content_digest
    return content, one.options, required, watched, one.is_batched, one.help


def _options(before: ScriptDefinition, now: ScriptDefinition) -> Iterator[tuple[str, object, object]]:
    for name, old, new in zip(before.options._fields, before.options, now.options, strict=True):
        if old != new:
            yield name, old, new


def _requirements(before: ScriptDefinition, now: ScriptDefinition) -> Iterator[str]:
    old, new = ([*_required(one)] for one in (before, now))
    yield from (f"+{one}" for one in new if one not in old)
    yield from (f"-{one}" for one in old if one not in new)


def _required(script: ScriptDefinition) -> Iterator[str]:
    """What a script requires, whether or not that exists."""
    for one in script.requires:
        if one.target is not None:
            yield one.target.dotted
        else:
            yield one.text if "." in one.text else f"{script.id.app_label}.{one.text}"
