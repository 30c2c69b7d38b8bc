from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("scripts_tracker", "0004_watched")]

    operations = [
        migrations.AddField(
            "scriptrun",
            "token",
            models.CharField(blank=True, db_default="", default="", max_length=32),
        ),
        migrations.AddField("script", "lease_renewed", models.FloatField(db_default=0, default=0)),
        migrations.AlterModelOptions(
            "script",
            {"permissions": [("decide_script", "Can mark scripts as applied, unmark and release them")]},
        ),
    ]
