"""Everything known of one script: its status, its history, what changed since it was applied, what to do next."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from scripts_tracker import conf
from scripts_tracker.core import states, watches
from scripts_tracker.core.history import Past, PastVersion
from scripts_tracker.core.states import State, is_same_code
from scripts_tracker.core.text import local_time
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import Queued
from scripts_tracker.exceptions import UnknownRun
from scripts_tracker.ledger import queries
from scripts_tracker.ledger.database import typed
from scripts_tracker.project import scan
from scripts_tracker.project.fingerprints import with_fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from scripts_tracker.core.forecast import Success
    from scripts_tracker.core.history import RunText
    from scripts_tracker.core.states import ScriptRecord, ScriptStatus
    from scripts_tracker.core.values import Finding, Fingerprint, ModuleVersion, ScriptId
    from scripts_tracker.project.status import ProjectStatus

LAST_RUNS = 5


class BaseVersion(NamedTuple):
    """The version that the file is compared with, and the modules watched then."""

    fingerprint: Fingerprint | None
    content_digest: str
    at: datetime | None
    watched: tuple[ModuleVersion, ...]
    is_applied: bool


def base_version(record: ScriptRecord | None) -> BaseVersion | None:
    """The version applied last; if none ever was, the version tried last."""
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
        old: the name of the earlier version.
        new: the name of the file now.
        lines: the diff of the script's own file; if empty, the note says why.
        note: a sentence about it.
        is_raw: whether the text was compared and not the code.
        hides_layout: whether the text may differ where the diff shows nothing.
        changed_modules: the watched modules that changed; the diff does not show them.
        about_modules: what changed in them, as a sentence; empty if nothing did.
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
        """The sentences to show with the diff."""
        return tuple(filter(None, (self.about_modules, self.note)))


class ScriptDetail(NamedTuple):
    """Everything known of one script.

    Attributes:
        status: its state, file and record.
        required: its requirements, by name; None for one that names no script here.
        required_by: the scripts that require it, sorted.
        findings: the problems in its file.
        past: its history.
        comparison: what changed since it was applied, if asked for.
        environment: the name of the environment; empty without one.
        queued: the jobs that wait on the queue.
        success: its last run that succeeded, if asked for.
    """

    status: ScriptStatus
    required: Mapping[str, ScriptStatus | None]
    required_by: tuple[ScriptStatus, ...]
    findings: tuple[Finding, ...]
    past: Past
    comparison: Comparison | None = None
    environment: str = ""
    queued: Queued = Queued()
    success: Success | None = None

    def is_now(self, version: PastVersion) -> bool:
        """Whether a version is in the file now, perhaps formatted differently."""
        now = self.status.definition
        return now is not None and (
            version.content_digest == now.content_digest or version.fingerprint == now.fingerprint
        )

    def is_applied(self, version: PastVersion) -> bool:
        """Whether a version is the one applied last."""
        record = self.status.record
        return record is not None and version.content_digest == record.applied_content

    @property
    def has_diff(self) -> bool:
        """Whether there is a diff to show: the code differs, and the source of the earlier version is stored."""
        base, now = base_version(self.status.record), self.status.definition
        if base is None or now is None or now.content_digest == base.content_digest:
            return False
        return now.fingerprint != base.fingerprint and any(
            one.has_source for one in self.past.versions if one.content_digest == base.content_digest
        )


def load_detail(project: ProjectStatus, script_id: ScriptId, *, limit: int = LAST_RUNS) -> ScriptDetail:
    """Read the history of a script.

    Args:
        project: every script.
        script_id: one of them.
        limit: how many of its runs to read.
    """
    by_id = project.by_id
    status = with_fingerprint(by_id[script_id], project.cache)
    return ScriptDetail(
        status,
        {
            str(one.target or one.text): by_id.get(one.target) if one.target else None
            for one in status.requires
        },
        tuple(other for other in project.statuses if any(one.target == script_id for one in other.requires)),
        tuple(finding for finding in project.findings if finding.location.path == status.path),
        queries.history_of(status.record, limit) if status.record else Past(),
        environment=conf.tracker_settings().environment,
    )


def load_run(status: ScriptStatus, which: int) -> RunText:
    """Read one run of a script with its whole output and traceback.

    Args:
        status: the script's.
        which: the id of the run; -1 for the last attempt, -2 for the one before, and so on.

    Raises:
        UnknownRun: the script has none like that.
    """
    found = queries.run_text(status.record, which) if status.record else None
    if found is not None:
        return found
    listing = typed("show_script {} --history", status.id)
    if which > 0:
        raise UnknownRun(f"{status.id} has no run {which}; to list its runs: {listing}")
    has = "never ran here" if which == -1 else f"did not run {-which} times here"
    raise UnknownRun(f"{status.id} {has}; to list its runs: {listing}")


def next_steps(detail: ScriptDetail) -> Mapping[str, str]:
    """The commands to type next, by their purpose; empty if there is nothing to do."""
    name, record = detail.status.id, detail.status.record
    run = {"run it": typed("run_scripts {}", name)}
    mark = typed("check_scripts --mark-applied {}", name)
    diff = {"what changed": typed("show_script {} --diff", name)} if detail.has_diff else {}
    if record is not None and record.bytes_only:
        diff["if only its formatting changed"] = mark
    steps: Mapping[State, Mapping[str, str]] = {
        State.NEW: run,
        State.FAILED: {**run, "fixed by hand": mark},
        State.LOST: {**run, "its work is done": mark},
        State.RUNNING: {
            "follow it": typed("show_script {} --watch", name),
            "its process is dead": typed('check_scripts --release {} --reason "..."', name),
        },
        State.MODIFIED: {**diff, **run},
        State.EDITED: diff,
        State.REVERTED: diff,
        State.MOVED: {"mark it under its new name": mark},
        State.UNREADABLE: {**diff, "when it is fixed": typed("check_scripts {}", name)},
    }
    if detail.status.definition is None and detail.status.state is not State.RUNNING:
        return {"it needs no run any more": typed("check_scripts --unmark {}", name)}
    found = steps.get(detail.status.state, {})
    return _steps_of_walk(detail.status, found) if detail.status.walk or detail.status.is_batched else found


def _steps_of_walk(status: ScriptStatus, others: Mapping[str, str]) -> Mapping[str, str]:
    """The same for a batched script, which can be paused, resumed and cancelled where it has begun."""
    walk, name = status.walk, status.id
    resume, pause = typed("resume_script {}", name), typed('pause_script {} --reason "..."', name)
    if walk is None or status.state is State.UNREADABLE:
        accept = {"go on from where it was cancelled": f"{resume} --accept-code"}
        return {**others, **(accept if status.record and status.record.walk else {})}
    cancel = {"give it up": typed('cancel_script {} --reason "..."', name)}
    accept = {"go on with the code of now": f"{resume} --accept-code"}
    is_other = status.definition is not None and not states.began_with(status.definition, walk)
    if status.state is State.PAUSED:
        return {**(accept if is_other else {"go on": resume}), **cancel}
    if status.state is State.RUNNING:
        return {**others, "pause it": pause, **cancel}
    restart = {"begin anew": f"{resume} --restart"}
    if states.is_cancelled(walk):
        return {"go on": resume, **restart}
    if is_other:
        return {**accept, **restart, **cancel}
    return {**others, **restart, **cancel}


def with_comparison(detail: ScriptDetail, *, raw: bool = False) -> ScriptDetail:
    """The same detail with what changed in the file since the script ran here."""
    return detail._replace(comparison=compare(detail.status, raw=raw))


def compare(status: ScriptStatus, *, raw: bool = False, against: str = "") -> Comparison:
    """Compare the file with the version applied last; if none ever was, with the version tried last (one query).

    Args:
        status: the script's.
        raw: compare the text, formatting included.
        against: the digest of another content to compare with.
    """
    base = base_version(status.record)
    if against and status.record is not None and (base is None or against != base.content_digest):
        return _compared(f"the version {against[:12]}", against, status, raw=raw)
    if base is None:
        return Comparison("", f"{status.path} now", (), _nothing_to_compare(status))
    name = ("applied on {}" if base.is_applied else "tried on {}, never applied").format(local_time(base.at))
    return _with_modules(_compared(name, base.content_digest, status, raw=raw), status, base)


def _compared(name: str, content_digest: str, status: ScriptStatus, *, raw: bool) -> Comparison:
    new = f"{status.path} now"
    if status.definition is None or status.record is None:
        gone = "is no longer tracked" if status.absence else "is gone"
        note = f"The file {gone}, so there is nothing to compare with what was {name}."
        return Comparison(name, "", (), note)
    old = queries.source_of(status.record.pk, content_digest)
    if old is None:
        return Comparison(name, new, (), _without_source(status, content_digest))
    if hashlib.sha256(old).hexdigest() != content_digest:
        return Comparison(name, new, (), "The stored source of this version is damaged.")
    return _with_file(name, old, status.path, raw=raw)


def _with_file(name: str, old: bytes, path: str, *, raw: bool) -> Comparison:
    from scripts_tracker.analysis.diff import unified  # difflib, and libcst if the bytes differ

    new = f"{path} now"
    try:
        with open(scan.absolute_path(path), "rb") as file:
            source = file.read()
    except OSError as error:
        return Comparison(name, new, (), f"{path} cannot be read: {error.strerror}.")
    found = unified.compare(old, source, names=(name, new), raw=raw)
    hides_layout = found.note in {unified.ONLY_LAYOUT, unified.LEFT_OUT}
    return Comparison(name, new, found.lines, found.note, found.is_raw, hides_layout)


def _with_modules(found: Comparison, status: ScriptStatus, base: BaseVersion) -> Comparison:
    """Add the watched modules that changed, in words: their sources are not stored, so there is no diff."""
    modules = watches.changed(status.watches, base.watched)
    if not modules:
        return found
    changes = watches.changed_words(status.watches, base.watched)
    return found._replace(
        note=found.note if found.lines else f"The script's own file: {found.note}",
        changed_modules=modules,
        about_modules=f"{changes}. The ledger does not store watched modules; git has their changes.",
    )


def _nothing_to_compare(status: ScriptStatus) -> str:
    if status.state is State.MOVED:
        return f"The same code was applied as {status.moved_from}, whose file is gone."
    return f"{status.id} was never applied here, so there is nothing to compare the file with."


def _without_source(status: ScriptStatus, content_digest: str) -> str:
    if content_digest.startswith("md5:"):
        return _adopted_by_checksum(status)
    same = "; by its fingerprint the code is the same" if _is_same_code(status, content_digest) else ""
    return (
        f"The source of this version was not stored{same}. Sources are stored when a script is run or marked while"
        ' the setting "store_source" is on. Until then, git has it.'
    )


def _is_same_code(status: ScriptStatus, content_digest: str) -> bool:
    definition, record = status.definition, status.record
    if definition is None or record is None or record.bytes_only:
        return False
    return content_digest == record.applied_content and is_same_code(definition, record)


def _adopted_by_checksum(status: ScriptStatus) -> str:
    """The note about a version that adopt_scripts_tracker took over without a source, as git had none either."""
    note = (
        "django-scripts-tracker stored only a checksum of this version, and adopt_scripts_tracker found no content with"
        " that checksum in git."
    )
    if status.definition is None or status.definition.fingerprint is None:
        return note
    return f"{note} If only its formatting changed: {typed('check_scripts --mark-applied {}', status.id)}"
