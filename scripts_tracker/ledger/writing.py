"""Rows as they are written, in characters that the database has, and the fingerprints of versions that are there."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, DataError, Error, transaction

from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import ALGORITHM
from scripts_tracker.ledger import database, statements
from scripts_tracker.ledger.database import alias, error_summary, is_in_transaction
from scripts_tracker.models import Script, ScriptRun, ScriptWalk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from typing import Literal, TypeVar

    from scripts_tracker.core.values import Fingerprint, ScriptId

    T = TypeVar("T")
    Escape = Callable[[str], str]
    Kind = Literal[
        "run", "rehearsal", "mark", "baseline", "unmark", "release", "pause", "resume", "cancel", "restart"
    ]

logger = logging.getLogger("scripts_tracker")

_BATCH = 100
# MySQL and MariaDB: an invalid or incorrect string, an impossible conversion.
_CHARACTER_ERRORS = frozenset({1300, 1366, 1977, 3988})
# How long the name of a person or a machine may be.
_LONGEST_NAME = 255


class VersionFacts(NamedTuple):
    """One file content to record: ``facts`` is JSON text, ``source`` None if it is not to be stored."""

    fingerprint: Fingerprint
    content_digest: str
    facts: str
    source: bytes | None


class RunFacts(NamedTuple):
    """Who does something to a script, and how: one row of the history, before its outcome.

    ``arguments`` is JSON text, ``watched`` what ``watches.to_text`` made of the watched modules, ``report`` that of a
    rehearsal, ``environment_id`` what ``environments.recording`` gives.
    """

    kind: Kind
    host: str = ""
    pid: int | None = None
    process: str = ""
    user: str = ""
    arguments: str = "{}"
    git_revision: str = ""
    reason: str = ""
    watched: str = ""
    report: str = ""
    environment_id: int | None = None

    def escaped(self, escape: Escape) -> RunFacts:
        """The same with its texts as ``in_its_characters`` wants them; the others are JSON, which is ASCII."""
        host, process, user = (escape(one)[:_LONGEST_NAME] for one in (self.host, self.process, self.user))
        return self._replace(host=host, process=process, user=user, reason=escape(self.reason))

    @property
    def texts(self) -> tuple[str, ...]:
        """What ``escaped`` escapes."""
        return self.host, self.process, self.user, self.reason


def in_its_characters(write: Callable[[Escape], T], *texts: str) -> T:
    """Write texts as they are, or escaped if the database lacks some of their characters.

    Args:
        write: writes them, all or nothing; gets what to apply to each of them first.
        texts: the texts.
    """
    if all(map(str.isascii, texts)):
        return write(str)
    try:
        with database.savepoint():
            return write(str)
    except (DatabaseError, UnicodeError) as error:
        if not _is_about_characters(error):
            raise
    return write(_escaped)


def _is_about_characters(error: Exception) -> bool:
    if isinstance(error, DataError | UnicodeError):
        return True
    return database.connection().vendor == "mysql" and bool({*error.args[:1]} & _CHARACTER_ERRORS)


def _escaped(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()


def new_script(script_id: ScriptId, path: str, escape: Escape) -> Script:
    """The row of a script, not yet saved."""
    app_label, name = map(escape, script_id)
    identity = statements.identity_of(script_id)
    return Script(identity=identity, app_label=app_label, name=name, path=escape(path))


def columns_of(version: VersionFacts) -> dict[str, Any]:
    """The columns of a version's row, except for its script."""
    columns = {**version._asdict(), **version.fingerprint._asdict()}
    del columns["fingerprint"]
    return columns


def improve_version(pk: int, version: VersionFacts, *, algorithm: str, lacks_source: bool) -> None:
    """Add to the row of a known version the current algorithm's fingerprint and the source, if they are known now."""
    better: dict[str, Any] = {}
    if algorithm != ALGORITHM and version.fingerprint.algorithm == ALGORITHM:
        better.update(algorithm=ALGORITHM, digest=version.fingerprint.digest, facts=version.facts)
    if lacks_source and version.source is not None:
        better.update(source=version.source)
    if better:
        database.versions().filter(pk=pk).update(**better)


def new_run(
    script_pk: int,
    version_pk: int | None,
    facts: RunFacts,
    outcome: str,
    *,
    applies: bool = False,
    at: datetime | None = None,
) -> ScriptRun:
    """A row of the history, not yet saved; it began now, if not ``at`` another time."""
    now = at or database.now()
    return ScriptRun(
        script_id=script_pk,
        version_id=version_pk,
        outcome=outcome,
        applies=applies,
        started_at=now,
        ended_at=None if outcome == "running" else now,
        **facts._asdict(),
    )


def refingerprint(
    versions: Mapping[int, tuple[Fingerprint, str]], watched: Iterable[tuple[int, str, str]]
) -> None:
    """Save fingerprints by the current algorithm, to spare the next check the work.

    This waits for nothing, and nothing depends on it. Rows that another process has locked are left to it. Inside a
    transaction of the caller nothing is written: its locks would last as long, and MySQL rolls all of it back after a
    deadlock.

    Args:
        versions: fingerprint and facts of each version, by key.
        watched: the watched modules of a script's runs and walks: its key, their text until now, and the text to replace it.
    """
    if is_in_transaction():
        return
    try:
        for batch in batches(sorted(versions)):
            _refingerprint({pk: versions[pk] for pk in batch})
        for script_pk, before, after in watched:
            for rows in (database.runs(), ScriptWalk.objects.using(alias())):
                rows.filter(script=script_pk, watched=before).update(watched=after)
    except Error as error:
        logger.info("fingerprints could not be updated: %s", error_summary(error))


def _refingerprint(fingerprints: Mapping[int, tuple[Fingerprint, str]]) -> None:
    skips = database.connection().features.has_select_for_update_skip_locked
    with transaction.atomic(using=alias()):
        versions = database.versions().select_for_update(skip_locked=skips)
        rows = list(versions.filter(pk__in=fingerprints).exclude(algorithm=ALGORITHM).only("pk"))
        for row in rows:
            (row.algorithm, row.digest), row.facts = fingerprints[row.pk]
        database.versions().bulk_update(rows, ["algorithm", "digest", "facts"])


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Parts of a sequence, each for one statement."""
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))
