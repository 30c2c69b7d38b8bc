from typing import Any

import django.db.models.deletion
from django.db import migrations, models


def _key() -> Any:
    return models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


def _link(to: str, related_name: str = "+") -> Any:
    on_delete = django.db.models.deletion.SET_NULL
    to = f"scripts_tracker.{to}"
    return models.ForeignKey(to, blank=True, null=True, on_delete=on_delete, related_name=related_name)


def _part_of(to: str, related_name: str) -> Any:
    on_delete = django.db.models.deletion.CASCADE
    return models.ForeignKey(f"scripts_tracker.{to}", on_delete=on_delete, related_name=related_name)


class Migration(migrations.Migration):
    dependencies = [("scripts_tracker", "0005_run_tokens")]

    operations = [
        migrations.CreateModel(
            "ScriptWalk",
            [
                ("id", _key()),
                ("watched", models.TextField(blank=True, default="")),
                ("outcome", models.CharField(max_length=16)),
                ("started_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("database", models.CharField(max_length=255)),
                ("table", models.CharField(max_length=255)),
                ("key", models.CharField(max_length=16)),
                ("token", models.CharField(max_length=32)),
                ("script", _part_of("script", "walks")),
                ("version", _link("scriptversion")),
                ("hold", _link("scriptrun")),
                ("finisher", _link("scriptrun")),
            ],
        ),
        migrations.CreateModel(
            "ScriptRange",
            [
                ("id", _key()),
                ("number", models.PositiveIntegerField()),
                ("lower", models.TextField(blank=True, default="")),
                ("upper", models.TextField(blank=True, default="")),
                ("cursor", models.TextField(blank=True, default="")),
                ("outcome", models.CharField(max_length=16)),
                ("token", models.CharField(blank=True, default="", max_length=32)),
                ("keys", models.BigIntegerField(default=0)),
                ("rows", models.BigIntegerField(default=0)),
                ("batches", models.BigIntegerField(default=0)),
                ("batch_size", models.PositiveIntegerField(default=0)),
                ("keys_per_second", models.FloatField(default=0)),
                ("rows_per_second", models.FloatField(default=0)),
                ("reason", models.TextField(blank=True, default="")),
                ("walk", _part_of("scriptwalk", "ranges")),
                ("worker", _link("scriptrun")),
            ],
            {
                "constraints": [
                    models.UniqueConstraint(fields=["walk", "number"], name="scripts_tracker_range_number")
                ]
            },
        ),
        migrations.AddField("script", "walk", _link("scriptwalk")),
        migrations.AddField("scriptrun", "walk", _link("scriptwalk", "runs")),
        migrations.AddField("scriptrun", "lease_expires", models.FloatField(db_default=0, default=0)),
        migrations.AddField(
            "scriptrun", "waiting", models.CharField(blank=True, db_default="", default="", max_length=255)
        ),
        migrations.AlterModelOptions(
            "script",
            {
                "permissions": [
                    (
                        "decide_script",
                        "Can mark scripts as applied, unmark, release, pause, resume and cancel them",
                    )
                ]
            },
        ),
    ]
