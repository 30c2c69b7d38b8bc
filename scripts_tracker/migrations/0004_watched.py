from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("scripts_tracker", "0002_outcomes_decide")]

    operations = [
        migrations.AddField("scriptrun", "watched", models.TextField(blank=True, default="")),
    ]
