"""Projects that differ from the plain one: time zones, user models, keys, folders, databases."""

from __future__ import annotations

import pytest

from tests.conftest import MATRIX, ROOT, Project

USER = """
from django.contrib.auth.models import AbstractBaseUser
from django.db import models

class Person(AbstractBaseUser):
    email = models.EmailField(unique=True)
    USERNAME_FIELD = "email"
"""

PROJECTS = {
    "USE_TZ = False": "USE_TZ = False\nTIME_ZONE = 'Pacific/Auckland'",
    "another time zone": "TIME_ZONE = 'America/St_Johns'",
    "AutoField": "DEFAULT_AUTO_FIELD = 'django.db.models.AutoField'",
    "no BASE_DIR": "del BASE_DIR",
    "a custom user model": (
        "INSTALLED_APPS = ['django.contrib.contenttypes', 'django.contrib.auth', *INSTALLED_APPS]\n"
        "AUTH_USER_MODEL = 'shop.Person'"
    ),
    "autocommit off by default": "DATABASES['default']['ATOMIC_REQUESTS'] = True",
    "a language": "LANGUAGE_CODE = 'de'\nUSE_I18N = True",
}


MANY = ("another time zone", "AutoField", "autocommit off by default", "a language")


@pytest.fixture(
    params=[
        pytest.param(text, id=name, marks=[MATRIX] if name in MANY else []) for name, text in PROJECTS.items()
    ]
)
def shop(project: Project, request: pytest.FixtureRequest) -> Project:
    project.settings(request.param)
    if "Person" in request.param:
        project.write("shop/models.py", USER)
    project.command("shop.first")
    project.command("shop.breaks", body="raise ValueError")
    return project


def test_the_main_job_is_done(shop: Project) -> None:
    if "AUTH_USER_MODEL" in (shop.root / "settings.py").read_text():
        shop.manage("makemigrations", "shop")
    assert "You have 2 new" in shop.migrate().out
    shop.manage("first")
    shop.manage("breaks", code=1)
    assert shop.states() == {"shop.first": "applied", "shop.breaks": "failed"}
    assert shop.check("first", "--all")["scripts"][0]["path"] == "shop/management/commands/first.py"
    shop.manage("makemigrations", "--check", "--dry-run", "scripts_tracker")


def test_check_scripts_makes_a_constant_number_of_queries(project: Project) -> None:
    count = (
        "from django.db import connection\n"
        "from django.test.utils import CaptureQueriesContext\n"
        "from scripts_tracker.project.status import load_status\n"
        "with CaptureQueriesContext(connection) as queries: found = load_status()\n"
        "print(len(found.statuses), len(queries))"
    )
    # One query for the records. One for facts, if the cache lacks those of a file; two for the history, if code differs.
    project.command("shop.first")
    project.migrate()
    project.manage("first")
    assert [project.python(count).out for _ in range(2)] == ["1 1\n", "1 1\n"]
    for number in range(30):
        project.command(f"shop.more{number}")
    project.manage("check_scripts", "--mark-all-applied")
    project.manage("first")
    project.manage("first")
    assert [project.python(count).out for _ in range(2)] == ["31 1\n", "31 1\n"]
    for number in range(5):
        project.command(f"shop.more{number}", body="pass")
    assert [project.python(count).out for _ in range(2)] == ["31 4\n", "31 3\n"]


def test_the_migrations_of_the_package_are_complete(project: Project) -> None:
    result = project.manage("makemigrations", "scripts_tracker", "--check", "--dry-run", code=None)
    assert result.code == 0, (
        f"models and migrations differ; run: manage.py makemigrations scripts_tracker\n{result.out}"
    )


def test_the_newest_migration_is_the_one_that_advice_names() -> None:
    from scripts_tracker.ledger.database import NEWEST_MIGRATION

    names = [file.stem for file in (ROOT / "scripts_tracker" / "migrations").glob("0*.py")]
    assert max(names) == NEWEST_MIGRATION, "name the new migration in scripts_tracker/ledger/database.py"
