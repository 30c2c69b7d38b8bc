"""``check_scripts --format markdown --since``: what does not go with it, and how it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.db import Error

from scripts_tracker.exceptions import LedgerMissing
from scripts_tracker.ledger import rehearsals
from scripts_tracker.management.base import not_started
from scripts_tracker.project.review import review

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts_tracker.core.history import StoredRehearsal
    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.project.review import Review

# By the name in the options.
_NOT_WITH: Final = {
    name: f"--{name.replace('_', '-').replace('-scripts-as', '')}"
    for name in (
        *("all", "check", "show_dependencies", "mark_all_scripts_as_applied", "mark_applied", "unmark"),
        *("release", "verify", "reason", "plan"),
    )
}


def reviewed(options: Mapping[str, Any]) -> Review:
    """What the change since a revision does to every environment, with the rehearsals in this database.

    Raises:
        CommandError: the options do not go together.
        UnknownRevision: git does not know the revision, or cannot answer.
    """
    if options["format"] != "markdown":
        raise not_started("--since goes with --format markdown.")
    if not options["since"]:
        raise not_started("--format markdown needs --since REV, such as --since origin/main.")
    for name, option in _NOT_WITH.items():
        if options[name]:
            raise not_started(f"{option} does not go with --format markdown.")
    found = review(options["since"], options["names"], use_cache=options["use_cache"])
    return found._replace(rehearsals=_rehearsals())


def _rehearsals() -> Mapping[ScriptId, tuple[str, StoredRehearsal]]:
    """The last rehearsals; none where there are no tables, or no database."""
    try:
        return rehearsals.last_rehearsals()
    except (Error, ImproperlyConfigured, LedgerMissing):
        return {}
