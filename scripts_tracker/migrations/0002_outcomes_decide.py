from typing import Any

from django.db import migrations, models
from django.db.models import Q


def keep_what_was_applied(apps: Any, schema_editor: Any) -> None:
    """What the columns that go said of versions, the runs say from now on."""
    runs = apps.get_model("scripts_tracker", "ScriptRun").objects.using(schema_editor.connection.alias)
    counts = Q(kind="mark") | Q(kind="run", reason="")
    runs.filter(counts, outcome="succeeded", version__applied_at__isnull=False).update(applies=True)


class Migration(migrations.Migration):
    dependencies = [("scripts_tracker", "0001_initial")]

    operations = [
        migrations.AddField("scriptrun", "applies", models.BooleanField(default=False)),
        migrations.AddField("scriptrun", "process", models.CharField(blank=True, default="", max_length=255)),
        migrations.RunPython(keep_what_was_applied, migrations.RunPython.noop, elidable=True),
        migrations.RemoveField("scriptversion", "applied_at"),
        migrations.RemoveField("script", "lease_token"),
    ]
