"""Coming over from django-scripts-tracker: which of its rows tell of which script, and what the ledger is to hold."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from django.db import DEFAULT_DB_ALIAS

from scripts_tracker import conf
from scripts_tracker.adoption import legacy_table
from scripts_tracker.adoption.legacy_table import Owners
from scripts_tracker.adoption.report import Account, Fate, Judgement, Leftover
from scripts_tracker.core.git import GitUnavailable
from scripts_tracker.core.states import State
from scripts_tracker.core.text import local_time
from scripts_tracker.core.values import Fingerprint
from scripts_tracker.exceptions import UnreadableSource
from scripts_tracker.ledger import database, queries, writing
from scripts_tracker.ledger.writing import Mark, RunFacts, VersionFacts
from scripts_tracker.project import git, scan, versions
from scripts_tracker.project.versions import run_metadata

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from scripts_tracker.adoption.legacy_table import Row
    from scripts_tracker.analysis.facts.values import FileFacts
    from scripts_tracker.analysis.store.cache import FactStore
    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import ScriptDefinition, ScriptId
    from scripts_tracker.project.status import ProjectStatus

# For each of the two questions: which files there were, and what was in them.
_SECONDS: Final = 60
_BATCH: Final = 500
_COMMANDS: Final = ":(top,glob)**/management/commands/*.py"


def md5(source: bytes) -> str:
    """The digest that django-scripts-tracker took of a file."""
    return hashlib.md5(source, usedforsecurity=False).hexdigest()


def line_endings(source: bytes) -> tuple[bytes, bytes, bytes]:
    """The source as it is, as Unix and as Windows have it: the same file may be checked out on either."""
    unix = source.replace(b"\r\n", b"\n")
    return source, unix, unix.replace(b"\n", b"\r\n")


def contents(folder: str, wanted: Collection[str]) -> tuple[dict[str, bytes], str]:
    """What git knows of these digests, and why it knows no more where it could not be asked.

    Args:
        folder: lies in the repository; every command file on any branch counts.
        wanted: MD5 digests.
    """
    found: dict[str, bytes] = {}
    try:
        blobs = _blobs(folder) if wanted else []
        for start in range(0, len(blobs), _BATCH):
            for source in _read(folder, blobs[start : start + _BATCH]):
                found.update({md5(one): one for one in line_endings(source) if md5(one) in wanted})
            if len(found) == len(wanted):
                break
    except GitUnavailable as error:
        return found, str(error)
    return found, ""


def _blobs(folder: str) -> list[str]:
    """Every content that a command file ever had, newest first; of merges, what is in none of the parents."""
    log = ("log", "--all", "-c", "--raw", "--no-abbrev", "--no-renames", "--format=", "--", _COMMANDS)
    lines = git.ask(folder, *log, seconds=_SECONDS).decode(errors="replace").splitlines()
    return list(dict.fromkeys(blob for line in lines if (blob := _result_of(line)).strip("0")))


def _result_of(line: str) -> str:
    """The content that a line of ``git log --raw`` ends with: two modes and two blobs, one more of each for each parent."""
    parents = len(line) - len(line.lstrip(":"))
    words = line.split("\t", 1)[0].split()
    return words[2 * parents + 1] if parents and len(words) > 2 * parents + 1 else ""


def _read(folder: str, blobs: Sequence[str]) -> Iterator[bytes]:
    asked = "".join(f"{blob}\n" for blob in blobs).encode()
    answer = git.ask(folder, "cat-file", "--batch", seconds=_SECONDS, given=asked)
    at = 0
    while at < len(answer):
        end = answer.index(b"\n", at)
        words = answer[at:end].split()
        at = end + 1
        if len(words) == 3 and words[1] == b"blob":  # noqa: PLR2004 - name, kind, size; else "missing"
            size = int(words[2])
            yield answer[at : at + size]
            at += size + 1


ADOPT_FIRST = (
    "django-scripts-tracker ran scripts here before; to take over what it recorded:"
    " manage.py adopt_scripts_tracker --plan"
)


class Verdict(NamedTuple):
    """What becomes of a script, and what is to be recorded of it, if anything."""

    judgement: Judgement
    mark: Mark | None = None


def survey(overview: ProjectStatus, using: str, tables: Sequence[str]) -> tuple[Account, list[Mark]]:
    """What is to be said, and to be recorded by ``record``.

    Args:
        overview: every script with what the ledger has of it.
        using: the database with the old tables.
        tables: their names.
    """
    rows = [row for table in tables for row in legacy_table.rows(using, table)]
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
    here = run_metadata("mark")
    who = "".join(f" {word} {name}" for word, name in (("by", here.user), ("on", here.host)) if name)
    words = f"adopted on {local_time(database.now())}{who}"
    told = [mark._replace(reason=f"{words} {mark.reason}") for mark in marks]
    writing.mark_applied(told, RunFacts("mark"))


def is_waiting(overview: ProjectStatus) -> bool:
    """Whether django-scripts-tracker has run a script that could run here now, as nothing in the ledger speaks of it.

    The old table is read only where a script was never applied here. Not even a ledger that took the table over
    can do without: a file that could not be analysed then, or came back later, would run once more.
    """
    open_ids = [one.id for one in _undecided(overview) if one.definition and one.definition.fingerprint]
    if not open_ids:
        return False
    using, tables = legacy_table.find(dict.fromkeys((database.alias(), DEFAULT_DB_ALIAS)))
    rows = [row for table in tables for row in legacy_table.rows(using, table)]
    if not rows:
        return False
    beside = _Survey(rows, _definitions(overview), overview.facts)
    return any(map(beside.knows, open_ids))


def _definitions(overview: ProjectStatus) -> dict[ScriptId, ScriptDefinition]:
    return {status.id: status.definition for status in overview.statuses if status.definition}


def _undecided(overview: ProjectStatus) -> list[ScriptStatus]:
    """The scripts that were never applied here, and of which nobody has said that they were, or were not.

    An attempt that failed and a rehearsal say nothing of what ran before.
    """
    tried = [status.record.pk for status in overview.unapplied if status.record]
    decided = queries.ever_marked(tried) if tried else frozenset()
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
        contents = (source, *legacy_table.with_old_imports(source))
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
        before = (one for old in legacy_table.with_old_imports(source) for one in line_endings(old))
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
        return contents(conf.base_dir(), self._latest.keys())

    @property
    def _former(self) -> Mapping[str, bytes]:
        """Contents that git knows, by the digest of their rows."""
        return self._git[0]

    def _fingerprints(self, digest: str) -> frozenset[Fingerprint]:
        """What a content that git knows does, as it was and as it is with today's imports."""
        source = self._former.get(digest)
        if source is not None and digest not in self._seen:
            sources = (source, legacy_table.with_new_imports(source))
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
