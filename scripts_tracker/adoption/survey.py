"""Which rows of django-scripts-tracker are about which script, and what the ledger takes over."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from functools import cached_property
from typing import TYPE_CHECKING

from django.db import DEFAULT_DB_ALIAS

from scripts_tracker import conf
from scripts_tracker.adoption import legacy_table
from scripts_tracker.adoption.legacy_sources import (
    contents_in_git,
    line_endings,
    md5,
    with_new_imports,
    with_old_imports,
)
from scripts_tracker.adoption.report import AdoptionReport, AdoptionResult, AdoptionStatus, OrphanRow
from scripts_tracker.core.states import State
from scripts_tracker.core.text import by_whom, local_time
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import Fingerprint
from scripts_tracker.exceptions import UnreadableSource
from scripts_tracker.ledger import database, marking, queries
from scripts_tracker.ledger.marking import Mark
from scripts_tracker.ledger.writing import RunFacts, VersionFacts
from scripts_tracker.project import scan, versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from scripts_tracker.adoption.legacy_table import Row
    from scripts_tracker.analysis.facts.values import FileFacts
    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import ScriptDefinition, ScriptId
    from scripts_tracker.ledger.marking import Refusal
    from scripts_tracker.project.status import ProjectStatus


def adopt_first() -> str:
    """That another tracker may have run the scripts already, and what to type."""
    command = database.typed("adopt_scripts_tracker --plan")
    return f"django-scripts-tracker ran scripts here before. To adopt its records: {command}"


_WAIT = "wait until it ends, then adopt again"
_LEFT_OUT: Mapping[Refusal, tuple[AdoptionStatus, None, str, str]] = {
    "changed": (AdoptionStatus.OVERTAKEN, None, "", "it was run or marked in the meantime; adopt again"),
    "held": (AdoptionStatus.RUNNING, None, "", _WAIT),
    "locked": (
        AdoptionStatus.OVERTAKEN,
        None,
        "",
        "another transaction has locked it; adopt again when that has ended",
    ),
}


def survey(overview: ProjectStatus, using: str, tables: Sequence[str]) -> tuple[AdoptionReport, list[Mark]]:
    """What to report, and what to pass to ``record``.

    Args:
        overview: every script with its record in the ledger.
        using: the database with the old tables.
        tables: their names.
    """
    rows = legacy_table.rows(using, tables)
    matcher = _Matcher(rows, overview)
    undecided = {status.id: status.state for status in _undecided(overview)}
    matches = [matcher.match(one, undecided.get(one)) for one in matcher.definitions]
    results = tuple(match.result for match in matches)
    orphans = tuple(matcher.orphans({result.ran_as for result in results}))
    marks = [match.mark for match in matches if match.mark]
    return AdoptionReport(using, tuple(tables), len(rows), results, orphans), marks


def record(report: AdoptionReport, marks: Sequence[Mark]) -> AdoptionReport:
    """Add them to the history with the old dates; only the reason names who adopts them, and when.

    Returns:
        The report, with what could not be adopted because another process was faster.
    """
    here = versions.run_metadata("mark")
    prefix = f"adopted on {local_time(database.now())}{by_whom(here.user, here.host)}"
    refused = marking.mark_applied(
        [mark._replace(reason=f"{prefix} {mark.reason}") for mark in marks], RunFacts("mark")
    )
    results = (
        AdoptionResult(one.id, one.path, *_LEFT_OUT[refused[one.id]]) if one.id in refused else one
        for one in report.results
    )
    return report._replace(results=tuple(results))


def is_pending(overview: ProjectStatus) -> bool:
    """Whether django-scripts-tracker ran a script that would run here now, as the ledger has nothing about it.

    The old table is read only if a script was never applied here. That holds after an adoption too: a file that could
    not be parsed then, or came back later, would run once more.
    """
    candidates = [one.id for one in _undecided(overview) if one.definition and one.definition.fingerprint]
    if not candidates:
        return False
    rows = legacy_table.rows(*legacy_table.find(dict.fromkeys((database.alias(), DEFAULT_DB_ALIAS))))
    return bool(rows) and any(map(_Matcher(rows, overview).has_row, candidates))


def _undecided(overview: ProjectStatus) -> list[ScriptStatus]:
    """The scripts that were never applied, marked or unmarked here; a failed run or a dry run decides nothing."""
    tried = [status.record.pk for status in overview.unapplied if status.record]
    decided = queries.ever_marked(tried) if tried else frozenset()
    return [one for one in overview.unapplied if one.record is None or one.record.pk not in decided]


class _Match(NamedTuple):
    """How a script is adopted, and what to record of it, if anything."""

    result: AdoptionResult
    mark: Mark | None = None


class _Matcher:
    """The rows of the old table beside the files of the project."""

    def __init__(self, rows: Sequence[Row], overview: ProjectStatus) -> None:
        self.definitions = {status.id: status.definition for status in overview.statuses if status.definition}
        self._last_runs = {status.id: status.last_run for status in overview.statuses}
        self._cache = overview.cache
        self._latest = {row.digest: row for row in rows}
        self._fingerprints_seen: dict[str, frozenset[Fingerprint]] = {}
        # Newest first; under None those of paths without a script.
        self._rows_of: dict[ScriptId | None, list[Row]] = defaultdict(list)
        paths = legacy_table.LegacyPaths(self.definitions.values())
        for row in reversed(rows):
            self._rows_of[paths.script_at(row.path)].append(row)

    def has_row(self, script_id: ScriptId) -> bool:
        """Whether a row is about the script."""
        if self._rows_of[script_id]:
            return True
        source, _ = versions.read_source(scan.absolute_path(self.definitions[script_id].location.path))
        contents = (source, *with_old_imports(source))
        return any(self._row_with(script_id, line_endings(one)) for one in contents)

    def match(self, script_id: ScriptId, undecided: State | None) -> _Match:
        """How one script is adopted.

        Args:
            script_id: which script.
            undecided: its state if the ledger has no decision about it; None if it has.
        """
        definition = self.definitions[script_id]
        if undecided is None:
            return _skipped(definition, AdoptionStatus.RECORDED)
        if undecided is State.RUNNING:
            return _skipped(definition, AdoptionStatus.RUNNING, _WAIT)
        source, content_digest = versions.read_source(scan.absolute_path(definition.location.path))
        if definition.fingerprint is None or content_digest != definition.content_digest:
            return _skipped(definition, AdoptionStatus.UNREADABLE, "fix it, then adopt again")
        same = self._same(definition, source)
        if same is None:
            return self._other(definition)
        row, status, note = same
        return self._recorded(definition, row, self._version_of(source), status, note)

    def _same(self, definition: ScriptDefinition, source: bytes) -> tuple[Row, AdoptionStatus, str] | None:
        """The latest row of this code, and what else changed."""
        row = self._row_with(definition.id, line_endings(source))
        if row:
            return row, AdoptionStatus.UNCHANGED, ""
        before = (one for old in with_old_imports(source) for one in line_endings(old))
        row = self._row_with(definition.id, before)
        if row:
            return row, AdoptionStatus.RESTYLED, "only the imports of the decorators changed"
        for row in (*self._rows_of[definition.id], *self._rows_of[None]):
            if definition.fingerprint in self._fingerprints(row.digest):
                return row, AdoptionStatus.RESTYLED, "same code according to git history"
        return None

    def _row_with(self, script_id: ScriptId, sources: Iterable[bytes]) -> Row | None:
        """The latest row of one of these contents: the script's own, or else any, as in django-scripts-tracker."""
        digests = {md5(source) for source in sources}
        own = next((row for row in self._rows_of[script_id] if row.digest in digests), None)
        return own or next((self._latest[one] for one in digests if one in self._latest), None)

    def _other(self, definition: ScriptDefinition) -> _Match:
        """A script whose code is in no row."""
        own = self._rows_of[definition.id]
        if not own:
            return _skipped(definition, AdoptionStatus.NEW)
        row = own[0]
        contents, trouble = self._git
        if row.digest in contents:
            version = self._version_of(contents[row.digest])
            return self._recorded(
                definition, row, version, AdoptionStatus.MODIFIED, "the code has changed since"
            )
        note = (
            f"the bytes have changed since ({trouble or 'git does not have the old content'});"
            f" if only the formatting changed: {database.typed('check_scripts --mark-applied {}', definition.id)}"
        )
        # The MD5 is all that is known of the content: the ledger then says that the bytes differ.
        version = VersionFacts(Fingerprint("md5", row.digest[:64]), f"md5:{row.digest}"[:64], "", None)
        return self._recorded(definition, row, version, AdoptionStatus.CHANGED, note)

    def _recorded(
        self, definition: ScriptDefinition, row: Row, version: VersionFacts, status: AdoptionStatus, note: str
    ) -> _Match:
        path, seen = definition.location.path, self._last_runs[definition.id]
        reason = f"from django-scripts-tracker, which recorded {row.path}"
        mark = Mark(definition.id, path, version, seen=seen, at=row.applied_at, reason=reason)
        return _Match(AdoptionResult(definition.id, path, status, row.applied_at, row.path, note), mark)

    @cached_property
    def _git(self) -> tuple[dict[str, bytes], str]:
        return contents_in_git(conf.base_dir(), self._latest.keys())

    def _fingerprints(self, digest: str) -> frozenset[Fingerprint]:
        """The fingerprints of a content in git, as it was and with today's imports."""
        source = self._git[0].get(digest)
        if source is not None and digest not in self._fingerprints_seen:
            both = (self._facts(one) for one in (source, with_new_imports(source)))
            self._fingerprints_seen[digest] = frozenset(
                Fingerprint.parse(facts.fingerprint) for facts in both if facts and facts.fingerprint
            )
        return self._fingerprints_seen.get(digest, frozenset())

    def _version_of(self, source: bytes) -> VersionFacts:
        return versions.version_of(source, hashlib.sha256(source).hexdigest(), self._facts(source))

    def _facts(self, source: bytes) -> FileFacts | None:
        try:
            return scan.full_facts(source, hashlib.sha256(source).hexdigest(), self._cache)
        except UnreadableSource:
            return None

    def orphans(self, used: set[str]) -> Iterator[OrphanRow]:
        """The rows of paths that have no script.

        Args:
            used: the paths of scripts that moved.
        """
        rows = [row for row in self._rows_of[None] if row.path not in used]
        counts = Counter(row.path for row in rows)
        dates = {row.path: row.applied_at for row in reversed(rows)}
        for path, count in sorted(counts.items()):
            yield OrphanRow(path, count, dates[path], legacy_table.why_no_script(path))


def _skipped(definition: ScriptDefinition, status: AdoptionStatus, note: str = "") -> _Match:
    return _Match(AdoptionResult(definition.id, definition.location.path, status, note=note))
