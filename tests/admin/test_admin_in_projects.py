"""The admin in projects that differ: other databases, no time zones, another language, no admin at all."""

from __future__ import annotations

import pytest

from tests.admin.projects import add_admin
from tests.conftest import MATRIX, Project

# One run, one mark by the admin's page, and what the pages show of both.
DECIDE = """
import re
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from scripts_tracker.models import ScriptRun
from scripts_tracker.ledger.database import alias
ada = Client()
ada.force_login(User.objects.create_superuser("ada"))
base = "/admin/scripts_tracker/script/"
for page in (base, base + "?q=fir&state=failed&o=-2", base + "shop.breaks/change/", "/admin/"):
    response = ada.get(page)
    assert response.status_code == 200, (page, response.status_code)
    print(page, response.content.decode().count("shop."))
path = base + "shop.first/mark/"
seen = re.search('name="seen" value="([^"]*)"', ada.get(path).content.decode())[1]
assert ada.post(path, {"seen": seen, "reason": "by hand"}).status_code == 302
run = ScriptRun.objects.using(alias()).latest("pk")
assert (run.kind, run.user, run.reason) == ("mark", "ada", "by hand")
entry = LogEntry.objects.get()
assert ada.get(entry.get_admin_url()).status_code == 302
for view in ("history", "change"):
    page = ada.get(f"{base}shop.first/{view}/").content.decode()
    assert "by hand" in page, view
page = ada.get(f"/admin/scripts_tracker/scriptrun/{ScriptRun.objects.using(alias()).earliest('pk').pk}/change/")
assert "no such thing" in page.content.decode()
print(ada.get("/admin/scripts_tracker/scriptrun/?outcome=failed&q=shop.breaks").content.decode().count("shop.breaks"))
response = ada.get(base, headers={"Accept-Language": "de"})
assert response.headers["Content-Language"] == "en", response.headers
print(response.content.decode())
"""

ROUTER = """
class Router:
    def db_for_read(self, model, **hints):
        return "people" if model._meta.app_label in ("auth", "admin", "contenttypes", "sessions") else None
    db_for_write = db_for_read
    def allow_migrate(self, db, app_label, **hints):
        return (db == "people") == (app_label in ("auth", "admin", "contenttypes", "sessions"))
"""

LEDGER = """
DATABASES["ledger"] = {**DATABASES["default"], "NAME": BASE_DIR / "ledger.sqlite3"}
SCRIPTS_TRACKER = {"database": "ledger"}
"""
PEOPLE = """
DATABASES["people"] = {**DATABASES["default"], "NAME": BASE_DIR / "people.sqlite3"}
DATABASE_ROUTERS = ["router.Router"]
"""
GERMAN = """
LANGUAGE_CODE, USE_I18N = "de", True
TIME_ZONE, USE_TZ, DEBUG = "Asia/Kolkata", False, False
"""
# The settings, and the option of a second migrate.
PROJECTS = {
    "the ledger elsewhere": (LEDGER, "--database=ledger"),
    "people elsewhere": (PEOPLE, "--database=people"),
    "German, without time zones": (GERMAN, ""),
}


@pytest.fixture
def shop(project: Project) -> Project:
    add_admin(project)
    project.write("router.py", ROUTER)
    project.command("shop.first")
    project.command("shop.breaks", body="raise ValueError('no such thing')")
    return project


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=MATRIX if "people" in one else ()) for one in PROJECTS]
)
def test_the_pages_work_and_a_decision_is_recorded(shop: Project, name: str) -> None:
    settings, database = PROJECTS[name]
    shop.settings(settings)
    shop.migrate()
    if database:
        shop.migrate(database)
    shop.manage("breaks", code=1)
    page = shop.python(DECIDE).out
    if "German" in name:  # Django's own pages are, and ours are in one language: English
        assert 'lang="en' in page
        assert "By state" in page
        assert "Suchen" not in page


def test_a_project_without_the_admin_imports_none_of_it(project: Project) -> None:
    project.migrate()
    out = project.python(
        "import sys\n"
        "from django.core.management import call_command\n"
        "call_command('check_scripts')\n"
        "print([name for name in sys.modules if 'admin' in name])"
    ).out
    assert out.splitlines()[-1] == "[]"


def test_a_start_with_the_admin_reads_no_scripts_and_imports_no_libcst(shop: Project) -> None:
    out = shop.python(
        "import sys\n"
        "heavy = ('libcst', 'scripts_tracker.analysis', 'scripts_tracker.project.status', 'scripts_tracker.project.marks')\n"
        "print('scripts_tracker.admin' in sys.modules, [name for name in sys.modules if name.startswith(heavy)])"
    ).out
    assert out == "True []\n"


def test_the_system_checks_of_the_admin_find_nothing(shop: Project) -> None:
    assert "no issues" in shop.manage("check").text


BEFORE_AN_UPGRADE = """
from django.contrib.auth.models import User
from django.test import Client
ada = Client()
ada.force_login(User.objects.get_or_create(username="ada", is_staff=True, is_superuser=True)[0])
base = "/admin/scripts_tracker/"
print(ada.get(base + "script/").content.decode())
print(ada.get(base + "script/shop.first/change/").status_code)
for page in ("scriptrun/", "scriptrun/1/change/"):
    print(ada.get(base + page, follow=True).content.decode())
"""


@pytest.mark.parametrize(
    ("migration", "words"),
    [
        ("0003", "(after an upgrade: manage.py migrate scripts_tracker)"),
        ("zero", "create them with: manage.py migrate scripts_tracker"),
    ],
)
def test_no_page_fails_while_an_upgrade_is_unfinished(migrated: Project, migration: str, words: str) -> None:
    add_admin(migrated)
    migrated.command("shop.first")
    migrated.migrate()
    migrated.manage("migrate", "scripts_tracker", migration)
    said = migrated.python(BEFORE_AN_UPGRADE).out
    assert said.count(words) == 3
    assert "\n404\n" in said
