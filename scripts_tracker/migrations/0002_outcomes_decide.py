from importlib import import_module
from typing import Any

from django.db import migrations, models
from django.db.migrations.state import ProjectState
from django.db.models import Q


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
    counts = Q(kind="mark") | Q(kind="run", reason="")
    runs.filter(counts, outcome="succeeded", version__applied_at__isnull=False).update(applies=True)


class Migration(migrations.Migration):
    dependencies = [("scripts_tracker", "0001_initial")]

    operations = [
        # Not atomic: MySQL and MariaDB make no tables inside a transaction.
        migrations.RunPython(create_missing_tables, migrations.RunPython.noop, elidable=True, atomic=False),
        migrations.AddField("scriptrun", "applies", models.BooleanField(default=False)),
        migrations.AddField("scriptrun", "process", models.CharField(blank=True, default="", max_length=255)),
        migrations.RunPython(keep_what_was_applied, migrations.RunPython.noop, elidable=True),
        migrations.RemoveField("scriptversion", "applied_at"),
        migrations.RemoveField("script", "lease_token"),
    ]
