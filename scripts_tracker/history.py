"""What a person asks of one script: its runs, a page at a time, and the versions that the ledger keeps of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Q

from scripts_tracker.database import alias, needs_tables
from scripts_tracker.datatypes import Fingerprint, RunRecord
from scripts_tracker.models import ScriptRun, ScriptVersion

if TYPE_CHECKING:
    from typing import Any

_RUN = (
    "pk",
    "kind",
    "outcome",
    "started_at",
    "ended_at",
    "host",
    "pid",
    "user",
    "reason",
    "applies",
    "process",
)
_VERSION = ("version__algorithm", "version__digest", "version__content_digest")


@dataclass(frozen=True, slots=True)
class RunPage:
    """Some runs of one script, newest first; ``older`` is what to ask the next page with, None at the end."""

    runs: tuple[RunRecord, ...]
    older: int | None


@dataclass(frozen=True, slots=True)
class KeptVersion:
    """One version of a script; its source comes by ``source_of``, where it is kept."""

    pk: int
    fingerprint: Fingerprint
    content_digest: str
    has_source: bool


@needs_tables
def runs_of(script_pk: int, *, before: int | None = None, most: int = 25) -> RunPage:
    """A page of a script's runs without their output, in one query that no length of the history makes slow.

    Args:
        script_pk: whose.
        before: only runs older than this one, by its key.
        most: how many.
    """
    runs = ScriptRun.objects.using(alias()).filter(script=script_pk).order_by("-pk")
    if before is not None:
        runs = runs.filter(pk__lt=before)
    found = [_run(row) for row in runs.values_list(*_RUN, *_VERSION)[: most + 1]]
    return RunPage(tuple(found[:most]), found[most - 1].pk if len(found) > most else None)


def _run(row: tuple[Any, ...]) -> RunRecord:
    algorithm, digest, content_digest = row[len(_RUN) :]
    return RunRecord(
        **dict(zip(_RUN, row, strict=False)),
        version=Fingerprint(algorithm, digest) if algorithm else None,
        content_digest=content_digest,
    )


@needs_tables
def versions_of(script_pk: int, *, most: int = 50) -> tuple[KeptVersion, ...]:
    """The versions of a script without their sources, newest first (one query)."""
    versions = ScriptVersion.objects.using(alias()).filter(script=script_pk).order_by("-pk")
    rows = versions.annotate(has_source=Q(source__isnull=False))
    columns = ("pk", "algorithm", "digest", "content_digest", "has_source")
    return tuple(
        KeptVersion(pk, Fingerprint(algorithm, digest), content_digest, bool(has_source))
        for pk, algorithm, digest, content_digest, has_source in rows.values_list(*columns)[:most]
    )


@needs_tables
def source_of(script_pk: int, content_digest: str) -> bytes | None:
    """The source of one version of a script; None where it is not kept (one query)."""
    versions = ScriptVersion.objects.using(alias()).filter(script=script_pk, content_digest=content_digest)
    source = versions.values_list("source", flat=True).first()
    return None if source is None else bytes(source)  # PostgreSQL's driver gives a memoryview
