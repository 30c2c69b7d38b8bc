"""What changed in a script's file since it ran here: which two are compared, or why nothing can be."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from scripts_tracker import history, scan
from scripts_tracker.dossier import Comparison
from scripts_tracker.report import local_time, path_of
from scripts_tracker.states import State

if TYPE_CHECKING:
    from scripts_tracker.states import ScriptStatus


class _Base(NamedTuple):
    """The version that the file is compared with."""

    script_pk: int
    content_digest: str
    name: str


def compare(status: ScriptStatus, *, raw: bool = False, against: str = "") -> Comparison:
    """Compare what ran here with the file now (one query).

    What was applied last is compared; where nothing ever was, what was tried last.

    Args:
        status: the script's.
        raw: compare the text, formatting included.
        against: the digest of the content to compare with instead.
    """
    new = f"{path_of(status)} now"
    base = _base(status)
    if against and status.record is not None:
        base = _Base(status.record.pk, against, f"the version {against[:12]}")
    if base is None:
        return Comparison("", new, (), _nothing_to_compare(status))
    if status.definition is None:
        gone = "is no longer tracked" if status.file_exists else "is gone"
        return Comparison(
            base.name, "", (), f"The file {gone}: there is nothing to compare with what was {base.name}."
        )
    old = history.source_of(base.script_pk, base.content_digest)
    if old is None:
        return Comparison(base.name, new, (), _without_source(status))
    if hashlib.sha256(old).hexdigest() != base.content_digest:
        return Comparison(base.name, new, (), "The source that the ledger keeps of it is damaged.")
    return _compared(base.name, old, status, raw=raw)


def _compared(name: str, old: bytes, status: ScriptStatus, *, raw: bool) -> Comparison:
    from scripts_tracker import diffing  # difflib, and libcst where the bytes differ

    path = path_of(status)
    new = f"{path} now"
    try:
        with open(scan.absolute_path(path), "rb") as file:
            source = file.read()
    except OSError as error:
        return Comparison(name, new, (), f"{path} cannot be read: {error.strerror}.")
    found = diffing.compare(old, source, names=(name, new), raw=raw)
    return Comparison(name, new, found.lines, found.note, found.is_raw)


def _base(status: ScriptStatus) -> _Base | None:
    record = status.record
    if record is None:
        return None
    if record.applied_content is not None:
        return _Base(record.pk, record.applied_content, f"applied on {local_time(record.applied_at)}")
    run = record.last_run
    if run is not None and run.kind in {"run", "rehearsal"} and run.content_digest is not None:
        return _Base(record.pk, run.content_digest, f"tried on {local_time(run.started_at)}, never applied")
    return None


def _nothing_to_compare(status: ScriptStatus) -> str:
    if status.state is State.MOVED:
        return f"The code is what was applied as {status.moved_from}, whose file is gone."
    return f"{status.id} was never applied here: there is nothing to compare the file with."


def _without_source(status: ScriptStatus) -> str:
    is_same = status.state in {State.APPLIED, State.RECURRING}
    known = "; by its fingerprint the code is the same" if is_same and not _by_bytes(status) else ""
    return (
        f"The ledger keeps no source of what ran here{known}. It keeps that of what is run or marked while"
        ' the setting "store_source" is on; until then, git has it.'
    )


def _by_bytes(status: ScriptStatus) -> str:
    return status.record.bytes_only if status.record else ""
