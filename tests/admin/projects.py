"""A project with Django's admin, and one with scripts in every state that people look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Project

ADMIN = """
INSTALLED_APPS = [
    "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
    "django.contrib.messages", "django.contrib.staticfiles", *INSTALLED_APPS,
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]},
}]
DEBUG = True
ROOT_URLCONF = "urls"
STATIC_URL = "static/"
ALLOWED_HOSTS = ["*"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
"""

URLS = """
from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
"""

PEOPLE = """
from django.contrib.auth.models import Permission, User
User.objects.create_superuser("ada", "ada@example.com", "secret")
reader = User.objects.create_user("rosa", "", "secret", is_staff=True)
reader.user_permissions.set(Permission.objects.filter(codename__in=["view_script", "view_scriptrun"]))
"""

NOISY = """\
for number in range(40):
            self.stdout.write(f"row {number}: \\x1b[32mok\\x1b[0m" + " and so on" * 20)
        self.stderr.write("<b>bold?</b>")
        raise ValueError("<script>alert(1)</script> is no amount")"""


def add_admin(project: Project) -> None:
    """Give a project the admin."""
    project.settings(ADMIN)
    project.write("urls.py", URLS)


RUN = """
import contextlib, io, sys
from django.core.management import call_command
for name in sys.argv[1:]:
    with contextlib.suppress(ValueError), contextlib.redirect_stdout(io.StringIO()):
        with contextlib.redirect_stderr(io.StringIO()):
            call_command(name)
"""


def run(project: Project, *names: str) -> None:
    """Run commands, whether they fail or not."""
    project.python(RUN.replace("sys.argv[1:]", repr(names)))


def requiring(*names: str, tracked: str = "@tracked_script") -> str:
    return f"{tracked}\n    @required_preceding_script({', '.join(map(repr, names))})"


def fill(project: Project) -> None:
    """Scripts in every state, with requirements in several layers, migrated and with people."""
    for app in ("billing", "catalog", WIDE_APP):
        project.app(app)
    project.settings(f'INSTALLED_APPS += ["billing", "catalog", "{WIDE_APP}"]\nTIME_ZONE = "Europe/Berlin"')
    add_admin(project)
    project.command("catalog.import_vat_rates")
    project.command("catalog.normalise_skus", decorators='@tracked_script(tags=("slow", "catalogue"))')
    project.command("catalog.rebuild_search", decorators='@tracked_script(rerun="always")')
    project.command("catalog.old_name")
    project.command("shop.freeze_prices", decorators='@tracked_script(rerun="once")')
    project.command("shop.import_orders", body=NOISY)
    project.command("shop.renumber_invoices", decorators=requiring("catalog.import_vat_rates"))
    project.command("stock.leaves")
    project.command("stock.count_again")
    project.command(
        LONG, body="raise ValueError('x' * 300)", decorators='@tracked_script(tags=("slow", "nightly"))'
    )
    project.migrate()
    project.python(PEOPLE)
    first = ("import_vat_rates", "normalise_skus", "rebuild_search", "old_name", "freeze_prices")
    run(project, *first, "renumber_invoices", "leaves", "count_again", "count_again", "import_orders")
    run(project, LONG.partition(".")[2])
    project.command(
        "shop.renumber_invoices", body="print(1)", decorators=requiring("catalog.import_vat_rates")
    )
    project.command("shop.freeze_prices", decorators='@tracked_script(rerun="once")', body="print(2)")
    project.path("stock.leaves").unlink()
    project.path("catalog.old_name").rename(project.path("catalog.new_name"))
    project.write("billing/management/commands/broken.py", BROKEN)
    project.command("stock.count_again", body="print(4)")
    run(project, "count_again")
    project.python(FIXED)
    project.command("stock.count_again")
    _unapplied(project)
    project.command("shop.recount", decorators='@tracked_script(tags=("slow",))')
    project.python(RUNNING)
    from tests.walks import batched  # needs the models

    project.write("shop/management/commands/backfill.py", batched("backfill"))
    project.python(BATCHED)
    tags = '@tracked_script(tags=("nightly-maintenance-windows-only", "customers"))'
    wide = project.path(WIDE)
    wide.write_text(batched(WIDE.partition(".")[2]).replace("@tracked_script", tags))
    project.python(WIDEST)


LONG = "shop.recompute_the_totals_of_all_invoices_after_vat_change"
# As wide as it gets: of an app with a long name, without an end that is known, under names as they are on a cluster.
WIDE_APP = "international_accounting_and_bookkeeping"
WIDE = f"{WIDE_APP}.recategorise_the_ledger_entries_of_all_customers"
WIDE_PLACE = (
    'user="system:serviceaccount:production:deployer",'
    ' host="shop-migrations-7d9f8b6c5d-x2x4z.eu-central-1.compute.internal"'
)
# Neither the hour nor this machine: the widths of a page are the same at every run.
FIXED = f"""
from datetime import datetime, timedelta, timezone
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from scripts_tracker.models import Script, ScriptRun
for run in ScriptRun.objects.all():
    begun = datetime(2026, 8, 28, 20, 28, tzinfo=timezone.utc) + timedelta(minutes=run.pk)
    ScriptRun.objects.filter(pk=run.pk).update(
        user="deploy", host="web-3", started_at=begun, ended_at=begun + timedelta(seconds=0.4 + 7 * run.pk)
    )
script = Script.objects.get(name="renumber_invoices")
user = User.objects.create_user("deploy@" + "international-accounting." * 4, first_name="Wolfeschlegelsteinhausenbergerdorff")
for number in range(2):
    LogEntry.objects.create(
        user=user, content_type=ContentType.objects.get_for_model(Script), object_id=script.pk, action_flag=2,
        object_repr="a script", change_message="Marked as applied: " + "looked-at-every-invoice-" * 20,
    )
long = ScriptRun.objects.filter(script__name="{LONG.partition(".")[2]}")
long.update(ended_at=long.get().started_at + timedelta(hours=23, minutes=59), {WIDE_PLACE})
"""

# Workers of other hosts at a table of eight ranges, one of them parked; no end of their leases is near.
BATCHED = """
from django.utils import timezone
from scripts_tracker.ledger.clock import DatabaseEpoch
from scripts_tracker.models import Script, ScriptRun
from tests.walks import add_range, begin
walk = begin("shop.backfill")
for number, waiting in enumerate(("", "the replica is 12 s behind")):
    run = ScriptRun.objects.create(
        script=walk.script, version=walk.version, walk=walk, kind="run", outcome="running", pid=4711 + number,
        started_at=timezone.now(), host=f"worker-{number + 1}.eu-central.example.org", user="deploy", waiting=waiting,
    )
    ScriptRun.objects.filter(pk=run.pk).update(lease_expires=DatabaseEpoch() + 36000)
    add_range(
        walk, number * 100 + 100, number * 100 + 200, number * 100 + 160, worker=run, batch_size=500,
        rows=12_345, keys=12_400, batches=30, rows_per_second=1234.5, keys_per_second=1240,
    )
for number in range(3, 7):
    add_range(walk, number * 100, number * 100 + 100, None, outcome="open" if number > 4 else "done")
Script.objects.filter(pk=walk.script_id).update(last_run=run)
reason = "row 761: IntegrityError: duplicate key value violates unique constraint shop_order_number_key"
add_range(walk, 700, 800, 760, outcome="parked", reason=reason)
"""


# A worker at keys that do not say how far it is.
WIDEST = f"""
from django.utils import timezone
from scripts_tracker.ledger.clock import DatabaseEpoch
from scripts_tracker.models import Script, ScriptRun
from tests.walks import add_range, begin
walk = begin("{WIDE}", key="other", table="accounting_" * 5)
run = ScriptRun.objects.create(
    script=walk.script, version=walk.version, walk=walk, kind="run", outcome="running", pid=4194304,
    started_at=timezone.now(), waiting="the replica " + "db-replica-" * 12 + " is 1 h 12 min behind", {WIDE_PLACE},
)
ScriptRun.objects.filter(pk=run.pk).update(lease_expires=DatabaseEpoch() + 36000)
Script.objects.filter(pk=walk.script_id).update(last_run=run)
add_range(
    walk, "customer-" * 9, "ledger-entry-" * 9, "customer-" * 9 + "z", worker=run, batch_size=50_000, rows=98_765_432_109,
    keys=98_765_432_109, batches=1_975_308, rows_per_second=123456.7, keys_per_second=123456.7, reason="x" * 300,
)
"""

# A run of another host, with a sign of life a minute before its page is opened.
RUNNING = """
from django.utils import timezone
from scripts_tracker.core.values import ScriptId
from scripts_tracker.ledger.clock import DatabaseEpoch
from scripts_tracker.ledger.statements import identity_of
from scripts_tracker.models import Script, ScriptRun
script = Script.objects.create(
    identity=identity_of(ScriptId("shop", "recount")), app_label="shop", name="recount",
    path="shop/management/commands/recount.py",
)
run = ScriptRun.objects.create(
    script=script, kind="run", outcome="running", started_at=timezone.now(), host="web-3", user="deploy", pid=4711,
    output="".join(f"batch {number}: 1000 rows recounted\\n" for number in range(60)) + "  98 %",
)
script.last_run = run
script.save()
Script.objects.filter(pk=script.pk).update(
    lease_renewed=DatabaseEpoch() - 60, lease_expires=DatabaseEpoch() + 36000
)
"""

BROKEN = """\
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options:
        pass
"""


def _unapplied(project: Project) -> None:
    """New scripts: a chain over several apps, a cycle, and hostile texts."""
    project.command(
        "billing.fix_totals",
        decorators=requiring("shop.renumber_invoices", "shop.import_orders", "catalog.normalise_skus"),
    )
    project.command("billing.send_corrections", decorators=requiring("fix_totals", "shop.freeze_prices"))
    project.command(
        "billing.report_to_the_tax_office_and_everybody", decorators=requiring("send_corrections")
    )
    project.command("billing.chicken", decorators=requiring("egg", "catalog.no_such_script"))
    project.command("billing.egg", decorators=requiring("chicken"))
    hostile = project.command("billing.hostile", decorators='@tracked_script(tags=("<i>tag</i>",))')
    hostile.write_text(hostile.read_text().replace("Does hostile", "</p><script>alert('help')</script>"))
