"""Releases: a person ends the lease of a run whose process is known to be dead."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from django.db import transaction

from scripts_tracker.core.text import by_whom
from scripts_tracker.ledger import database, environments, leases
from scripts_tracker.ledger.database import alias, needs_tables
from scripts_tracker.ledger.marking import nothing_else
from scripts_tracker.ledger.writing import in_its_characters, new_run
from scripts_tracker.models import ScriptRange

if TYPE_CHECKING:
    from scripts_tracker.ledger.marking import Also
    from scripts_tracker.ledger.writing import Escape, RunFacts


class _Ended(Exception):
    """The run has ended; what was written before is rolled back."""


@needs_tables
def release(script_pk: int, run_pk: int, facts: RunFacts, also: Also = nothing_else) -> bool:
    """Record one run of a script as lost, and end its lease; a row of the history says who did it, when and why.

    Args:
        script_pk: the key of the script's row.
        run_pk: the key of the run that a person wants to release, the last run or a worker; another is never changed.
        facts: who releases it, and why.
        also: is called in the same transaction.

    Returns:
        False if that run has ended or was taken over: then nothing is changed.
    """

    def write(escape: Escape) -> bool:
        return _release(script_pk, run_pk, facts.escaped(escape), also)

    try:
        return in_its_characters(write, *facts.texts)
    except _Ended:
        return False


def _release(script_pk: int, run_pk: int, facts: RunFacts, also: Also) -> bool:
    """The script's row first, like a run that begins: two that wait for each other's rows would be a deadlock."""
    how: dict[str, Any] = {
        "outcome": "lost",
        "reason": f"{leases.RELEASED}{by_whom(facts.user, facts.host)}: {facts.reason}",
    }
    with transaction.atomic(using=alias()):
        is_last = database.scripts().filter(pk=script_pk, last_run=run_pk).update(lease_expires=0)
        runs = database.runs().filter(pk=run_pk, script=script_pk, outcome="running")
        # A worker of a batched script need not be the last run.
        if not (runs if is_last else runs.filter(walk__outcome="open")).update(lease_expires=0, **how):
            raise _Ended
        # Another token: a batch of the worker cannot be committed any more.
        ranges = ScriptRange.objects.using(alias()).filter(worker=run_pk, outcome="open")
        ranges.update(token=os.urandom(16).hex(), worker=None)
        facts = facts._replace(environment_id=environments.recording())
        new_run(script_pk, None, facts, "succeeded").save(using=alias(), force_insert=True)
        also({})
    return True
