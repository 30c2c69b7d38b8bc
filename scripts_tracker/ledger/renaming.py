"""Scripts under the new label of their app or a new name: the row keeps its history and gets the id of now."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction

from scripts_tracker.ledger import database
from scripts_tracker.ledger.database import needs_tables
from scripts_tracker.ledger.statements import identity_of
from scripts_tracker.ledger.writing import in_its_characters
from scripts_tracker.models import Script

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.db.models import QuerySet

    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.ledger.writing import Escape


@needs_tables
def carry_over(pairs: Iterable[tuple[ScriptId, ScriptId]]) -> None:
    """Give scripts their ids of now, unless those have rows of their own.

    Args:
        pairs: the earlier id and the id of now of each.
    """
    alias = database.alias()
    for old, new in pairs:
        rows = Script.objects.using(alias).filter(identity=identity_of(old))
        rename = functools.partial(_rename, rows, new)
        try:
            with transaction.atomic(using=alias):
                in_its_characters(rename, *new)
        except IntegrityError:
            continue  # it has run under its new name already, or another process was faster


def _rename(rows: QuerySet[Script], new: ScriptId, escape: Escape) -> None:
    rows.update(identity=identity_of(new), app_label=escape(new.app_label), name=escape(new.name))
