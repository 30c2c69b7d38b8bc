"""Coming over from django-scripts-tracker: which of its rows tell of which script, and what the ledger is to hold."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from django.db import DEFAULT_DB_ALIAS

from scripts_tracker import (
    clock,
    conf,
    database,
    decisions,
    githistory,
    predecessor,
    scan,
    snapshots,
    versions,
)
from scripts_tracker.datatypes import Fingerprint
from scripts_tracker.decisions import Mark
from scripts_tracker.exceptions import UnreadableSource
from scripts_tracker.fates import Account, Fate, Judgement, Leftover
from scripts_tracker.githistory import line_endings, md5
from scripts_tracker.ledger import RunFacts, VersionFacts
from scripts_tracker.owners import Owners
from scripts_tracker.provenance import who_and_where
from scripts_tracker.report import local_time
from scripts_tracker.states import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from scripts_tracker.analysis.facts import FileFacts
    from scripts_tracker.analysis.stores import FactStore
    from scripts_tracker.datatypes import ScriptDefinition, ScriptId
    from scripts_tracker.overview import Overview
    from scripts_tracker.predecessor import Row
    from scripts_tracker.states import ScriptStatus


ADOPT_FIRST = (
    "django-scripts-tracker ran scripts here before; to take over what it recorded:"
    " manage.py adopt_scripts_tracker --plan"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a script, and what is to be recorded of it, if anything."""

    judgement: Judgement
    mark: Mark | None = None


def survey(overview: Overview, using: str, tables: Sequence[str]) -> tuple[Account, list[Mark]]:
    """What is to be said, and to be recorded by ``record``.

    Args:
        overview: every script with what the ledger has of it.
        using: the database with the old tables.
        tables: their names.
    """
    rows = [row for table in tables for row in predecessor.rows(using, table)]
    definitions = _definitions(overview)
    beside = _Survey(rows, definitions, overview.facts)
    undecided = {status.id: status.state for status in _undecided(overview)}
    verdicts = [beside.judge(one, undecided.get(one)) for one in definitions]
    marks = [verdict.mark for verdict in verdicts if verdict.mark]
    judgements = tuple(verdict.judgement for verdict in verdicts)
    leftovers = tuple(beside.leftovers({one.ran_as for one in judgements}))
    return Account(using, tuple(tables), len(rows), judgements, leftovers), marks


def record(marks: Sequence[Mark]) -> None:
    """Write them into the history: with the old date, and so not as if who adopts it now had applied it then."""
    here = who_and_where("mark")
    who = "".join(f" {word} {name}" for word, name in (("by", here.user), ("on", here.host)) if name)
    words = f"adopted on {local_time(clock.now())}{who}"
    told = [replace(mark, reason=f"{words} {mark.reason}") for mark in marks]
    decisions.mark_applied(told, RunFacts("mark"))


def is_waiting(overview: Overview) -> bool:
    """Whether django-scripts-tracker has run a script that could run here now, as nothing in the ledger speaks of it.

    The old table is read only where a script was never applied here. Not even a ledger that took the table over
    can do without: a file that could not be analysed then, or came back later, would run once more.
    """
    open_ids = [one.id for one in _undecided(overview) if one.definition and one.definition.fingerprint]
    if not open_ids:
        return False
    using, tables = predecessor.find(dict.fromkeys((database.alias(), DEFAULT_DB_ALIAS)))
    rows = [row for table in tables for row in predecessor.rows(using, table)]
    if not rows:
        return False
    beside = _Survey(rows, _definitions(overview), overview.facts)
    return any(map(beside.knows, open_ids))


def _definitions(overview: Overview) -> dict[ScriptId, ScriptDefinition]:
    return {status.id: status.definition for status in overview.statuses if status.definition}


def _undecided(overview: Overview) -> list[ScriptStatus]:
    """The scripts that were never applied here, and of which nobody has said that they were, or were not.

    An attempt that failed and a rehearsal say nothing of what ran before.
    """
    tried = [status.record.pk for status in overview.unapplied if status.record]
    decided = snapshots.decided(tried) if tried else frozenset()
    return [one for one in overview.unapplied if one.record is None or one.record.pk not in decided]


class _Survey:
    """The rows, put beside the files."""

    def __init__(
        self, rows: Sequence[Row], definitions: Mapping[ScriptId, ScriptDefinition], store: FactStore
    ) -> None:
        self._rows = rows
        self._definitions = definitions
        self._store = store
        self._owners = Owners(definitions.values())
        self._latest = {row.digest: row for row in rows}
        self._seen: dict[str, frozenset[Fingerprint]] = {}
        self._own: dict[ScriptId | None, list[Row]] = defaultdict(list)
        for row in reversed(rows):
            self._own[self._owners.of(row.path)].append(row)

    def knows(self, script_id: ScriptId) -> bool:
        """Whether a row tells of the script."""
        if self._own[script_id]:
            return True
        source, _ = versions.read_source(scan.absolute_path(self._definitions[script_id].location.path))
        contents = (source, *predecessor.with_old_imports(source))
        return any(self._row_of(script_id, line_endings(one)) for one in contents)

    def judge(self, script_id: ScriptId, undecided: State | None) -> Verdict:
        """What becomes of one script.

        Args:
            script_id: which.
            undecided: the state of one of which the ledger says nothing that counts; None for the others.
        """
        definition = self._definitions[script_id]
        path = definition.location.path
        if undecided is None:
            return Verdict(Judgement(script_id, path, Fate.RECORDED))
        if undecided is State.RUNNING:
            return Verdict(
                Judgement(script_id, path, Fate.RUNNING, note="wait until that ends, then adopt again")
            )
        source, content_digest = versions.read_source(scan.absolute_path(path))
        if definition.fingerprint is None or content_digest != definition.content_digest:
            return Verdict(Judgement(script_id, path, Fate.UNREADABLE, note="mend it, then adopt again"))
        version = versions.version_of(source, content_digest, self._facts(source, content_digest))
        same = self._same(definition, source)
        if same:
            row, fate, note = same
            return self._recorded(definition, row, version, fate, note)
        return self._other(definition)

    def _same(self, definition: ScriptDefinition, source: bytes) -> tuple[Row, Fate, str] | None:
        """The latest row of this code, and what has changed beside it."""
        row = self._row_of(definition.id, line_endings(source))
        if row:
            return row, Fate.UNCHANGED, ""
        before = (one for old in predecessor.with_old_imports(source) for one in line_endings(old))
        row = self._row_of(definition.id, before)
        if row:
            return row, Fate.RESTYLED, "and since then it only imports the decorators from elsewhere"
        for row in (*self._own[definition.id], *self._own[None]):
            if definition.fingerprint in self._fingerprints(row.digest):
                return row, Fate.RESTYLED, "by the history of git the code is the same"
        return None

    def _row_of(self, script_id: ScriptId, sources: Iterable[bytes]) -> Row | None:
        """The latest row of one of these contents: the script's own, else any, as django-scripts-tracker has it."""
        digests = {md5(source) for source in sources}
        own = next((row for row in self._own[script_id] if row.digest in digests), None)
        return own or next((self._latest[one] for one in digests if one in self._latest), None)

    def _other(self, definition: ScriptDefinition) -> Verdict:
        """A script whose code no row tells of."""
        own = self._own[definition.id]
        if not own:
            return Verdict(Judgement(definition.id, definition.location.path, Fate.NEW))
        row = own[0]
        source = self._former.get(row.digest)
        if source is None:
            trouble = self._git[1] or "git has no such content"
            note = (
                f"other bytes than now ({trouble}); if only its formatting changed:"
                f" manage.py check_scripts --mark-applied {definition.id}"
            )
            return self._recorded(definition, row, _by_digest(row), Fate.CHANGED, note)
        digest = hashlib.sha256(source).hexdigest()
        version = versions.version_of(source, digest, self._facts(source, digest))
        return self._recorded(definition, row, version, Fate.MODIFIED, "other code than now")

    @staticmethod
    def _recorded(
        definition: ScriptDefinition, row: Row, version: VersionFacts, fate: Fate, note: str
    ) -> Verdict:
        path = definition.location.path
        reason = f"from django-scripts-tracker, which recorded {row.path}"
        mark = Mark(definition.id, path, version, at=row.applied_at, reason=reason)
        return Verdict(Judgement(definition.id, path, fate, row.applied_at, row.path, note), mark)

    @cached_property
    def _git(self) -> tuple[dict[str, bytes], str]:
        return githistory.contents(conf.base_dir(), self._latest.keys())

    @property
    def _former(self) -> Mapping[str, bytes]:
        """Contents that git knows, by the digest of their rows."""
        return self._git[0]

    def _fingerprints(self, digest: str) -> frozenset[Fingerprint]:
        """What a content that git knows does, as it was and as it is with today's imports."""
        source = self._former.get(digest)
        if source is not None and digest not in self._seen:
            sources = (source, predecessor.with_new_imports(source))
            found = (self._facts(one, hashlib.sha256(one).hexdigest()) for one in sources)
            self._seen[digest] = frozenset(
                Fingerprint.parse(facts.fingerprint) for facts in found if facts and facts.fingerprint
            )
        return self._seen.get(digest, frozenset())

    def _facts(self, source: bytes, content_digest: str) -> FileFacts | None:
        try:
            return self._store.get(content_digest) or scan.facts_of(source)
        except UnreadableSource:
            return None

    def leftovers(self, used: set[str]) -> Iterator[Leftover]:
        """The rows of paths that are no script's, and that have not turned out to be one that moved.

        Args:
            used: the paths that have.
        """
        counts = Counter(row.path for row in self._own[None] if row.path not in used)
        dates = {row.path: row.applied_at for row in reversed(self._own[None])}
        for path, count in sorted(counts.items()):
            yield Leftover(path, count, dates[path], self._owners.why_none(path))


def _by_digest(row: Row) -> VersionFacts:
    """A content of which nothing is known but its MD5: the ledger then says that the bytes differ."""
    return VersionFacts(Fingerprint("md5", row.digest[:64]), f"md5:{row.digest}"[:64], "", None)
