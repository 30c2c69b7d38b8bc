from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("scripts_tracker", "0002_outcomes_decide")]

    operations = [
        migrations.AlterModelOptions(
            "script", {"permissions": [("decide_script", "Can mark scripts as applied and forget them")]}
        ),
    ]
