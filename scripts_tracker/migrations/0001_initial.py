import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Script",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("identity", models.CharField(max_length=64, unique=True)),
                ("app_label", models.CharField(max_length=100)),
                ("name", models.CharField(max_length=255)),
                ("path", models.TextField(default="")),
                ("lease_token", models.CharField(blank=True, default="", max_length=32)),
                ("lease_expires", models.FloatField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="ScriptRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=16)),
                ("outcome", models.CharField(max_length=16)),
                ("started_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("host", models.CharField(blank=True, default="", max_length=255)),
                ("pid", models.BigIntegerField(blank=True, null=True)),
                ("user", models.CharField(blank=True, default="", max_length=255)),
                ("arguments", models.TextField(blank=True, default="{}")),
                ("git_revision", models.CharField(blank=True, default="", max_length=64)),
                ("output", models.TextField(blank=True, default="")),
                ("traceback", models.TextField(blank=True, default="")),
                ("reason", models.TextField(blank=True, default="")),
                (
                    "script",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="runs",
                        to="scripts_tracker.script",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="script",
            name="applied_run",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="scripts_tracker.scriptrun",
            ),
        ),
        migrations.AddField(
            model_name="script",
            name="last_run",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="scripts_tracker.scriptrun",
            ),
        ),
        migrations.CreateModel(
            name="ScriptVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("algorithm", models.CharField(max_length=16)),
                ("digest", models.CharField(max_length=64)),
                ("content_digest", models.CharField(max_length=64)),
                ("facts", models.TextField(blank=True, default="")),
                ("source", models.BinaryField(blank=True, null=True)),
                ("applied_at", models.DateTimeField(blank=True, null=True)),
                (
                    "script",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="versions",
                        to="scripts_tracker.script",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="scriptrun",
            name="version",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="scripts_tracker.scriptversion",
            ),
        ),
        migrations.AddConstraint(
            model_name="scriptversion",
            constraint=models.UniqueConstraint(
                fields=("script", "content_digest"), name="scripts_tracker_version_content"
            ),
        ),
    ]
