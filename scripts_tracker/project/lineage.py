"""Where scripts come from: files that were moved, apps that were renamed, and releases older than what was applied."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import apps

from scripts_tracker import conf
from scripts_tracker.core import renames
from scripts_tracker.core.git import GitUnavailable
from scripts_tracker.core.states import State, is_same_code
from scripts_tracker.ledger import queries
from scripts_tracker.project import git

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scripts_tracker.core.states import ScriptRecord, ScriptStatus
    from scripts_tracker.core.values import ScriptId


def earlier_ids(wanted: Iterable[ScriptId]) -> list[tuple[ScriptId, ScriptId]]:
    """The ids that scripts had before their apps were renamed, each with the id of now."""
    renamed = conf.tracker_settings().renamed_apps
    if not renamed:
        return []
    installed = {app.label for app in apps.get_app_configs()}
    return list(renames.origins(tuple(wanted), renamed, installed))


def carry_over(statuses: Iterable[ScriptStatus]) -> None:
    """Give the rows of scripts in renamed apps their ids of now, before something is decided about them."""
    pairs = [(status.renamed_from, status.id) for status in statuses if status.renamed_from]
    if pairs:
        from scripts_tracker.ledger import renaming  # few projects have renamed an app

        renaming.carry_over(pairs)


def verified(
    statuses: Sequence[ScriptStatus], records: Mapping[ScriptId, ScriptRecord]
) -> tuple[ScriptStatus, ...]:
    """The statuses, after git was asked whether a file was moved, and whether it is older than what was applied.

    Where git cannot tell, a new script with the code of one whose file is gone has been moved, and a version that the
    ledger does not know is newer.
    """
    older = _older([status for status in statuses if status.state is State.MODIFIED])
    found = []
    for status in statuses:
        checked = status
        if status.state is State.MOVED and status.moved_from is not None:
            if _went_together(records[status.moved_from].path, status.path) is False:
                checked = status._replace(state=State.NEW)
        elif status.id in older:
            checked = status._replace(state=State.REVERTED, is_older=True)
        found.append(checked)
    return tuple(found)


def _went_together(old: str, new: str) -> bool | None:
    """Whether one change took a file away and brought the other; None if git cannot tell."""
    folder = conf.base_dir()
    try:
        added = git.ask(folder, "log", "-1", "--no-renames", "--diff-filter=A", "--format=%H", "--", new)
        commit = added.decode().strip()
        if not commit:
            return _holds(folder, "HEAD", old)
        return _holds(folder, f"{commit}^", old) and not _holds(folder, commit, old)
    except GitUnavailable:
        return None


def _holds(folder: str, revision: str, path: str) -> bool:
    return bool(git.ask(folder, "ls-tree", "--name-only", revision, "--", path).strip())


def _older(modified: Sequence[ScriptStatus]) -> set[ScriptId]:
    """The scripts whose file is an older version than the one that was applied, as git or the ledger can tell."""
    records = {
        status.record.pk: status
        for status in modified
        if status.record and status.definition and not is_same_code(status.definition, status.record)
    }
    if not records:
        return set()
    tried = queries.tried_versions(records)
    older = {
        one.id
        for pk, one in records.items()
        if one.definition and str(one.definition.fingerprint) in tried[pk]
    }
    head = git.head_revision(conf.base_dir())
    revisions = queries.applied_revisions(records) if head else {}
    bases = {one: _common_base(head, one) for one in {*revisions.values()} - {"", head}}
    return older | {
        one.id
        for pk, one in records.items()
        if (base := bases.get(revisions.get(pk, ""), "")) and _is_behind(one.path, base, head, revisions[pk])
    }


def _common_base(head: str, revision: str) -> str:
    """The commit from which two others come; empty if git cannot tell."""
    try:
        return git.ask(conf.base_dir(), "merge-base", head, revision).decode().strip()
    except GitUnavailable:
        return ""


def _is_behind(path: str, base: str, head: str, revision: str) -> bool:
    """Whether what is checked out lacks the change of a file that was applied with another commit.

    Either it is an ancestor, or a branch that left before the change and has not touched the file.
    """
    if base in {head, revision}:
        return base == head
    try:
        return not git.ask(
            conf.base_dir(), "diff-index", "--name-only", base, "--", f":(literal){path}"
        ).strip()
    except GitUnavailable:
        return False
