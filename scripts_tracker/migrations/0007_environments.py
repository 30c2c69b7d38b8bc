from typing import Any

import django.db.models.deletion
from django.db import migrations, models


def _link() -> Any:
    return models.ForeignKey(
        "scripts_tracker.scriptenvironment",
        blank=True,
        null=True,
        on_delete=django.db.models.deletion.SET_NULL,
        related_name="+",
    )


class Migration(migrations.Migration):
    dependencies = [("scripts_tracker", "0006_walks")]

    operations = [
        migrations.CreateModel(
            "ScriptEnvironment",
            [
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(blank=True, default="", max_length=255)),
                ("identity", models.CharField(blank=True, default="", max_length=255)),
                ("first_seen_at", models.DateTimeField()),
                ("is_copy", models.BooleanField(default=False)),
                ("user", models.CharField(blank=True, default="", max_length=255)),
                ("continues", _link()),
            ],
        ),
        migrations.AddField("scriptrun", "environment", _link()),
        migrations.AddField("scriptrun", "report", models.TextField(blank=True, default="", db_default="")),
    ]
