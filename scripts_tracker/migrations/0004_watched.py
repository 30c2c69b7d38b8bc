from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("scripts_tracker", "0003_decide_script")]

    operations = [
        migrations.AddField("scriptrun", "watched", models.TextField(blank=True, default="")),
    ]
