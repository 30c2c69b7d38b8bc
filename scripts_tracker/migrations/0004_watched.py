import json
from typing import Any

from django.db import migrations, models

# Where a run keeps its watched modules while there is no column for them.
KEY = "scripts_tracker.watched"


def restore_watched(apps: Any, schema_editor: Any) -> None:
    """Take the watched modules of runs from where ``keep_watched`` has put them."""
    runs = apps.get_model("scripts_tracker", "ScriptRun").objects.using(schema_editor.connection.alias)
    for pk, text in list(runs.filter(arguments__contains=f'"{KEY}"').values_list("pk", "arguments")):
        arguments = json.loads(text)
        watched = arguments.pop(KEY, "")
        runs.filter(pk=pk).update(watched=watched, arguments=json.dumps(arguments))


def keep_watched(apps: Any, schema_editor: Any) -> None:
    """Put the watched modules of runs among their arguments, as their column goes."""
    runs = apps.get_model("scripts_tracker", "ScriptRun").objects.using(schema_editor.connection.alias)
    for pk, text, watched in list(runs.exclude(watched="").values_list("pk", "arguments", "watched")):
        runs.filter(pk=pk).update(arguments=json.dumps({**json.loads(text), KEY: watched}))


class Migration(migrations.Migration):
    dependencies = [("scripts_tracker", "0003_decide_script")]

    operations = [
        migrations.AddField("scriptrun", "watched", models.TextField(blank=True, default="")),
        migrations.RunPython(restore_watched, keep_watched, elidable=True),
    ]
