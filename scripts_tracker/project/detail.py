"""What is known of one script, ready to be formatted: its status, its past, what to do next. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from scripts_tracker.core import watches
from scripts_tracker.core.history import Past, PastVersion
from scripts_tracker.core.states import State, is_same_code
from scripts_tracker.core.text import local_time, path_of
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.ledger import queries
from scripts_tracker.project import scan

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import (
        Finding,
        Fingerprint,
        ModuleVersion,
        ScriptDefinition,
        ScriptId,
        ScriptRecord,
    )
    from scripts_tracker.project.status import ProjectStatus


class BaseVersion(NamedTuple):
    """The version that the file is compared with, and what the script watched then."""

    fingerprint: Fingerprint | None
    content_digest: str
    at: datetime | None
    watched: tuple[ModuleVersion, ...]
    is_applied: bool


def base_version(record: ScriptRecord | None) -> BaseVersion | None:
    """What was applied last; where nothing ever was, what was tried last."""
    if record is None:
        return None
    if record.applied_content is not None:
        return BaseVersion(
            record.applied, record.applied_content, record.applied_at, record.applied_watched, is_applied=True
        )
    run = record.last_run
    if run is not None and run.kind in {"run", "rehearsal"} and run.content_digest is not None:
        return BaseVersion(run.version, run.content_digest, run.started_at, run.watched, is_applied=False)
    return None


class Comparison(NamedTuple):
    """A diff and what it compares.

    Attributes:
        old: what the one is called.
        new: what the other is called.
        lines: the diff of the script's own file; without them the note says why.
        note: a sentence about it.
        is_raw: whether the text was compared, and not the code.
        hides_layout: whether the text may differ where the diff shows nothing.
        changed_modules: the modules that the script watches which changed; no diff shows them.
        about_modules: what became of them, in a sentence; empty without any.
    """

    old: str
    new: str
    lines: tuple[str, ...]
    note: str
    is_raw: bool = False
    hides_layout: bool = False
    changed_modules: tuple[str, ...] = ()
    about_modules: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """All that is to be said of it."""
        return tuple(filter(None, (self.about_modules, self.note)))


class ScriptDetail(NamedTuple):
    """One script.

    Attributes:
        status: its state, file and record.
        required: the scripts that it requires, with None for what is not known here, by what its author wrote.
        required_by: the scripts that require it, sorted.
        findings: what is wrong with its file.
        past: what happened to it here.
        comparison: what changed since, where that was asked for.
    """

    status: ScriptStatus
    required: Mapping[str, ScriptStatus | None]
    required_by: tuple[ScriptStatus, ...]
    findings: tuple[Finding, ...]
    past: Past
    comparison: Comparison | None = None

    def is_now(self, version: PastVersion) -> bool:
        """Whether the file now holds a version, or the same code in another layout."""
        now = self.status.definition
        if now is None:
            return False
        return version.content_digest == now.content_digest or version.fingerprint == now.fingerprint

    def is_applied(self, version: PastVersion) -> bool:
        """Whether a version is the one that was applied last."""
        record = self.status.record
        return record is not None and version.content_digest == record.applied_content

    @property
    def has_diff(self) -> bool:
        """Whether a diff has something to show: the code is another one, and the source of what ran is kept."""
        base, now = base_version(self.status.record), self.status.definition
        if base is None or now is None or now.content_digest == base.content_digest:
            return False
        return now.fingerprint != base.fingerprint and any(
            one.has_source for one in self.past.versions if one.content_digest == base.content_digest
        )


def next_steps(detail: ScriptDetail) -> Mapping[str, str]:
    """What to type next, by what it is for; nothing where there is nothing to do."""
    name, record = detail.status.id, detail.status.record
    run = {"run it": f"manage.py run_scripts {name}"}
    mark = f"manage.py check_scripts --mark-applied {name}"
    diff = {"what changed": f"manage.py show_script {name} --diff"} if detail.has_diff else {}
    if record is not None and record.bytes_only:
        diff["if only its formatting changed"] = mark
    steps: Mapping[State, Mapping[str, str]] = {
        State.NEW: run,
        State.FAILED: {**run, "mended by hand": mark},
        State.LOST: {**run, "done all the same": mark},
        State.MODIFIED: {**diff, **run},
        State.EDITED: diff,
        State.REVERTED: diff,
        State.MOVED: {"record it under its new name": mark},
        State.UNREADABLE: {**diff, "when it is mended": f"manage.py check_scripts {name}"},
    }
    return steps.get(detail.status.state, {})


def compare(status: ScriptStatus, *, raw: bool = False, against: str = "") -> Comparison:
    """Compare what ran here with the file now (one query).

    What was applied last is compared; where nothing ever was, what was tried last.

    Args:
        status: the script's.
        raw: compare the text, formatting included.
        against: the digest of the content to compare with instead.
    """
    base, definition = base_version(status.record), status.definition
    if against and status.record is not None and (base is None or against != base.content_digest):
        return _compared(f"the version {against[:12]}", against, status, raw=raw)
    if base is None:
        return Comparison("", f"{path_of(status)} now", (), _nothing_to_compare(status))
    words = "applied on {}" if base.is_applied else "tried on {}, never applied"
    found = _compared(words.format(local_time(base.at)), base.content_digest, status, raw=raw)
    return found if definition is None else _with_modules(found, definition, base)


def _compared(name: str, content_digest: str, status: ScriptStatus, *, raw: bool) -> Comparison:
    new = f"{path_of(status)} now"
    if status.definition is None or status.record is None:
        gone = "is no longer tracked" if status.file_exists else "is gone"
        note = f"The file {gone}: there is nothing to compare with what was {name}."
        return Comparison(name, "", (), note)
    old = queries.source_of(status.record.pk, content_digest)
    if old is None:
        return Comparison(name, new, (), _without_source(status, content_digest))
    if hashlib.sha256(old).hexdigest() != content_digest:
        return Comparison(name, new, (), "The source that the ledger keeps of it is damaged.")
    return _with_the_file(name, old, path_of(status), raw=raw)


def _with_the_file(name: str, old: bytes, path: str, *, raw: bool) -> Comparison:
    from scripts_tracker.analysis.diff import unified  # difflib, and libcst where the bytes differ

    new = f"{path} now"
    try:
        with open(scan.absolute_path(path), "rb") as file:
            source = file.read()
    except OSError as error:
        return Comparison(name, new, (), f"{path} cannot be read: {error.strerror}.")
    found = unified.compare(old, source, names=(name, new), raw=raw)
    hides_layout = found.note in {unified.ONLY_LAYOUT, unified.LEFT_OUT}
    return Comparison(name, new, found.lines, found.note, found.is_raw, hides_layout)


def _with_modules(found: Comparison, definition: ScriptDefinition, base: BaseVersion) -> Comparison:
    """The same, with the watched modules that changed: no diff can show them, so that words have to."""
    modules = watches.changed(definition.watches, base.watched)
    if not modules:
        return found
    words = watches.changed_words(definition.watches, base.watched)
    about = f"{words}. The ledger keeps no source of watched modules; git has it."
    # Otherwise "the same" would speak of all that the script relies on.
    note = found.note.replace("The two are", "The script's own file is", 1)
    note = note.replace("The code is", "The code of the script's own file is", 1)
    return found._replace(note=note, changed_modules=modules, about_modules=about)


def _nothing_to_compare(status: ScriptStatus) -> str:
    if status.state is State.MOVED:
        return f"The code is what was applied as {status.moved_from}, whose file is gone."
    return f"{status.id} was never applied here: there is nothing to compare the file with."


def _without_source(status: ScriptStatus, content_digest: str) -> str:
    if content_digest.startswith("md5:"):
        return _adopted_by_checksum(status)
    known = (
        "; by its fingerprint the code is the same" if _is_known_to_be_same(status, content_digest) else ""
    )
    return (
        f"The ledger keeps no source of what ran here{known}. It keeps that of what is run or marked while"
        ' the setting "store_source" is on; until then, git has it.'
    )


def _is_known_to_be_same(status: ScriptStatus, content_digest: str) -> bool:
    definition, record = status.definition, status.record
    if definition is None or record is None or record.bytes_only:
        return False
    return content_digest == record.applied_content and is_same_code(definition, record)


def _adopted_by_checksum(status: ScriptStatus) -> str:
    """What adopt_scripts_tracker took over without a source: its own notice said that git has none either."""
    found = (
        "django-scripts-tracker kept a checksum of what ran here, and no source; adopt_scripts_tracker found no"
        " content with that checksum in git."
    )
    if status.definition is None or status.definition.fingerprint is None:
        return found
    return f"{found} If only its formatting changed: manage.py check_scripts --mark-applied {status.id}"


LAST_RUNS = 5


def load_detail(overview: ProjectStatus, script_id: ScriptId, *, limit: int = LAST_RUNS) -> ScriptDetail:
    """Everything that is known of a script.

    Args:
        overview: where every script stands.
        script_id: one of them.
        limit: how many of its runs are wanted.
    """
    by_id = overview.by_id
    status = by_id[script_id]
    requires = status.definition.requires if status.definition else ()
    path = path_of(status)
    return ScriptDetail(
        status,
        {str(one.target or one.text): by_id.get(one.target) if one.target else None for one in requires},
        tuple(other for other in overview.statuses if _requires(other, script_id)),
        tuple(finding for finding in overview.findings if finding.location.path == path),
        queries.history_of(status.record, limit) if status.record else Past(),
    )


def with_comparison(found: ScriptDetail, *, raw: bool = False) -> ScriptDetail:
    """The same, with what changed in the file since it ran here."""
    return found._replace(comparison=compare(found.status, raw=raw))


def _requires(status: ScriptStatus, script_id: ScriptId) -> bool:
    return status.definition is not None and any(
        one.target == script_id for one in status.definition.requires
    )
