from importlib import import_module
from typing import Any

from django.db import migrations, models
from django.db.migrations.state import ProjectState
from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce, Substr


def create_missing_tables(apps: Any, schema_editor: Any) -> None:  # noqa: ARG001 - RunPython's signature
    """Do what 0001_initial does, where it counts as applied because another package of this name had one too.

    That is a copy of django-scripts-tracker called scripts_tracker; its table has another name, and is left alone.
    """
    if "scripts_tracker_script" not in schema_editor.connection.introspection.table_names():
        first = import_module("scripts_tracker.migrations.0001_initial")
        first.Migration("0001_initial", "scripts_tracker").apply(ProjectState(), schema_editor)


def keep_what_was_applied(apps: Any, schema_editor: Any) -> None:
    """What the columns that go said of versions, the runs say from now on."""
    runs = apps.get_model("scripts_tracker", "ScriptRun").objects.using(schema_editor.connection.alias)
    later_unmark = runs.filter(script=OuterRef("script"), kind="unmark", pk__gt=OuterRef("pk"))
    # A run with a reason counts too, if the reason is what went wrong after its success.
    made_applied = Q(ended_at=F("version__applied_at")) | Q(
        ended_at=None, started_at=F("version__applied_at")
    )
    counts = Q(kind="mark") | Q(kind="run", reason="") | Q(made_applied, kind="run")
    applied = runs.filter(counts, outcome="succeeded", version__applied_at__isnull=False)
    applied.exclude(Exists(later_unmark)).update(applies=True)


def restore_what_was_applied(apps: Any, schema_editor: Any) -> None:
    """What the runs say, the columns say that come back: what was applied, and who holds a script."""
    using = schema_editor.connection.alias
    scripts, versions, runs = (
        apps.get_model("scripts_tracker", name).objects.using(using)
        for name in ("Script", "ScriptVersion", "ScriptRun")
    )
    applying = runs.filter(version=OuterRef("pk"), applies=True).order_by("-pk")
    versions.update(applied_at=Subquery(applying.values(at=Coalesce("ended_at", "started_at"))[:1]))
    scripts.filter(last_run__applies=True).update(applied_run=F("last_run"))
    # Any text is a token; an empty one stands for a free script.
    scripts.filter(last_run__outcome="running").update(lease_token=Substr("identity", 1, 32))
    scripts.filter(lease_token="").update(lease_expires=0)


class Migration(migrations.Migration):
    dependencies = [("scripts_tracker", "0001_initial")]

    operations = [
        # Not atomic: MySQL and MariaDB make no tables inside a transaction.
        migrations.RunPython(create_missing_tables, migrations.RunPython.noop, elidable=True, atomic=False),
        migrations.AddField("scriptrun", "applies", models.BooleanField(default=False)),
        migrations.AddField("scriptrun", "process", models.CharField(blank=True, default="", max_length=255)),
        migrations.RunPython(keep_what_was_applied, restore_what_was_applied, elidable=True),
        migrations.RemoveField("scriptversion", "applied_at"),
        migrations.RemoveField("script", "lease_token"),
    ]
