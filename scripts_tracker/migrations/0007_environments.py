from typing import Any

import django.db.models.deletion
from django.db import migrations, models
from django.db.migrations.operations.base import Operation


def _link() -> Any:
    return models.ForeignKey(
        "scripts_tracker.scriptenvironment",
        blank=True,
        null=True,
        on_delete=django.db.models.deletion.SET_NULL,
        related_name="+",
    )


class AddFirstPlace(Operation):
    """Record where the runs are that are there already, so that a copy made before the next run knows its origin.

    Where this ledger is a copy, it takes the runs for its own: what they were recorded in is not known any more.
    """

    reversible = True

    def state_forwards(self, app_label: str, state: Any) -> None:
        """The state stays."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:  # noqa: ARG002 - Django's signature
        """Add a row if there are runs; in SQL, as the models of a later version may have other columns."""
        from scripts_tracker.ledger import database, environments  # nobody else loads a migration

        connection = schema_editor.connection
        if connection.alias != database.alias() or schema_editor.collect_sql:
            return
        if not database.holds_ledger(connection.alias):
            return
        name, identity, has_runs = environments.name_and_identity()
        if has_runs and (name or identity):
            columns = ("name", "identity", "first_seen_at", "is_copy", "user", "reason")
            now = connection.ops.adapt_datetimefield_value(database.now())
            names = ", ".join(map(connection.ops.quote_name, columns))
            table = connection.ops.quote_name("scripts_tracker_scriptenvironment")
            values = (name, identity, now, False, "", "")
            with connection.cursor() as cursor:
                cursor.execute(f"INSERT INTO {table} ({names}) VALUES (%s, %s, %s, %s, %s, %s)", values)  # noqa: S608 - our own names

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """The table goes."""

    def describe(self) -> str:
        """As Django shows it."""
        return "Record where the runs are that are there already"


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
                ("reason", models.TextField(blank=True, default="")),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("continues", _link()),
            ],
        ),
        migrations.AddField("scriptrun", "environment", _link()),
        migrations.AddField("scriptrun", "report", models.TextField(blank=True, default="", db_default="")),
        AddFirstPlace(),
    ]
