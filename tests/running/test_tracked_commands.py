from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.conftest import Project
from tests.waiting import wait_for

ROWS = """
import json
from scripts_tracker.models import ScriptRun
fields = ('script__name', 'kind', 'outcome', 'traceback', 'arguments', 'reason', 'version__digest', 'ended_at')
print(json.dumps(list(ScriptRun.objects.order_by('pk').values(*fields)), default=str))
"""


def rows(project: Project) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(project.python(ROWS).out)
    return found


@pytest.fixture
def shop(migrated: Project) -> Project:
    return migrated


FAILURES = {
    "an exception": ("raise ValueError('boom')", "ValueError: boom"),
    "a CommandError": (
        "from django.core.management import CommandError; raise CommandError('no')",
        "CommandError: no",
    ),
    "an exit with a code": ("raise SystemExit(3)", "SystemExit: 3"),
    "an exit with words": ("raise SystemExit('sorry')", "SystemExit: sorry"),
    "Ctrl-C": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
}


@pytest.mark.parametrize(("body", "words"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_recorded_with_its_traceback_and_raised(shop: Project, body: str, words: str) -> None:
    shop.command("shop.breaks", body=body)
    result = shop.manage("breaks", code=None)
    assert result.code != 0
    (row,) = rows(shop)
    assert (row["outcome"], row["kind"]) == ("failed", "run")
    assert row["traceback"].rstrip().endswith(words)
    assert shop.states() == {"shop.breaks": "failed"}
    shop.manage("check_scripts", "--check", code=3)


def test_a_fixed_script_is_new_and_a_second_success_is_applied(shop: Project) -> None:
    shop.command("shop.breaks", body="raise ValueError")
    shop.manage("breaks", code=1)
    shop.command("shop.breaks")
    assert shop.states() == {"shop.breaks": "new"}
    shop.manage("breaks")
    assert shop.states() == {"shop.breaks": "applied"}


def test_a_success_is_recorded(shop: Project) -> None:
    shop.command("shop.works")
    assert shop.manage("works").out == "done\n"
    (row,) = rows(shop)
    assert (row["outcome"], row["kind"], row["traceback"]) == ("succeeded", "run", "")
    assert row["ended_at"] != "None"
    assert shop.states() == {"shop.works": "applied"}


def test_an_exit_with_0_is_a_success_and_still_an_exit(shop: Project) -> None:
    shop.command("shop.leaves", body="raise SystemExit(0)")
    shop.manage("leaves", code=0)
    assert shop.states() == {"shop.leaves": "applied"}


def test_call_command_is_recorded_and_returns_what_handle_returns(shop: Project) -> None:
    shop.command("shop.answers", body="return 'forty-two'")
    out = shop.python(
        "from django.core.management import call_command; print(repr(call_command('answers')))"
    ).out
    assert "'forty-two'" in out
    assert shop.states() == {"shop.answers": "applied"}


def test_the_running_row_is_there_before_handle_starts(shop: Project) -> None:
    body = (
        "from scripts_tracker.models import ScriptRun;"
        " self.stdout.write(str(list(ScriptRun.objects.values_list('outcome'))))"
    )
    shop.command("shop.looks", body=body)
    assert shop.manage("looks").out == "[('running',)]\n"


DRY = """
from django.core.management.base import BaseCommand
from scripts_tracker import tracked_script

class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("--{option}", action="store_true")
        parser.add_argument("--db-password")

    @tracked_script{options}
    def handle(self, *args, **options):
        if options["db_password"] == "wrong":
            raise ValueError
"""


def test_a_rehearsal_is_kept_but_not_applied(shop: Project) -> None:
    shop.write("shop/management/commands/dry.py", DRY.format(option="dry-run", options=""))
    shop.manage("dry", "--dry-run")
    assert shop.states() == {"shop.dry": "new"}
    assert [(row["kind"], row["outcome"]) for row in rows(shop)] == [("rehearsal", "succeeded")]
    shop.manage("dry")
    assert shop.states() == {"shop.dry": "applied"}


def test_a_rehearsal_that_fails_leaves_an_applied_script_applied(shop: Project) -> None:
    shop.write("shop/management/commands/dry.py", DRY.format(option="dry-run", options=""))
    shop.manage("dry")
    shop.manage("dry", "--dry-run", "--db-password", "wrong", code=1)
    assert shop.states() == {"shop.dry": "applied"}


def test_unless_names_the_options_that_make_a_rehearsal(shop: Project) -> None:
    shop.write(
        "shop/management/commands/dry.py", DRY.format(option="preview", options='(unless=("preview",))')
    )
    shop.manage("dry", "--preview")
    assert shop.states() == {"shop.dry": "new"}


def test_arguments_are_kept_and_secrets_masked(shop: Project) -> None:
    shop.write("shop/management/commands/dry.py", DRY.format(option="dry-run", options=""))
    shop.manage("dry", "--db-password", "hunter2")
    assert json.loads(rows(shop)[0]["arguments"]) == {"dry_run": False, "db_password": "********************"}


def test_the_version_recorded_is_the_file_as_it_stood_at_the_start(shop: Project) -> None:
    body = "text = open(__file__).read(); open(__file__, 'w').write(text.replace('Does', 'Did'))"
    shop.command("shop.rewrites", body=body)
    shop.manage("rewrites")
    assert shop.states() == {"shop.rewrites": "modified"}


def test_atomic_rolls_the_script_back_and_keeps_the_failure(shop: Project) -> None:
    write = "from scripts_tracker.models import Script; Script.objects.create(app_label='x', name='x'); "
    shop.command(
        "shop.all_or_nothing", decorators="@tracked_script(atomic=True)", body=write + "raise ValueError"
    )
    shop.manage("all_or_nothing", code=1)
    assert shop.states() == {"shop.all_or_nothing": "failed"}
    count = "from scripts_tracker.models import Script; print(Script.objects.filter(app_label='x').count())"
    assert shop.python(count).out.strip() == "0"
    shop.command(
        "shop.all_or_nothing", decorators="@tracked_script(atomic=True)", body=write + "raise SystemExit(0)"
    )
    shop.manage("all_or_nothing")
    assert shop.states()["shop.all_or_nothing"] == "applied"
    assert shop.python(count).out.strip() == "1"


def test_an_async_handle_is_refused_before_it_counts_as_applied(shop: Project) -> None:
    file = shop.command("shop.waits")
    file.write_text(file.read_text().replace("def handle", "async def handle"))
    assert "which Django does not await" in shop.manage("waits", code=1).err
    assert shop.states() == {"shop.waits": "new"}


def test_a_tracked_command_before_the_first_migrate_is_one_clear_line(project: Project) -> None:
    project.command("shop.early")
    result = project.manage("early", code=1)
    assert result.err.strip().endswith("create them with: manage.py migrate scripts_tracker")
    assert "done" not in result.out
    assert "Traceback" not in result.err


def test_enabled_false_makes_the_decorators_pass_through(project: Project) -> None:
    project.settings('SCRIPTS_TRACKER = {"enabled": False}')
    decorators = '@tracked_script\n    @required_preceding_script("no.such")'
    project.command("shop.free", decorators=decorators)
    assert project.manage("free").out == "done\n"


def test_a_running_script_is_running_refused_elsewhere_and_lost_after_a_kill(shop: Project) -> None:
    shop.settings('SCRIPTS_TRACKER = {"lease_seconds": 1}')
    shop.command("shop.slow", body="import time; time.sleep(600)")
    process = subprocess.Popen(
        [sys.executable, "manage.py", "slow"], cwd=shop.root, env={**os.environ, **shop.env}
    )
    try:
        wait_for(lambda: shop.states() == {"shop.slow": "running"}, "it runs")
        time.sleep(1.5)  # past the lease: the process is still there to be seen
        assert shop.states() == {"shop.slow": "running"}
        refused = shop.manage("slow", code=1)
        assert f"process {process.pid}; its process is alive. Wait until that ends." in refused.err
        refused = shop.manage("check_scripts", "--mark-applied", "slow", code=1)
        assert "it is running" in refused.err
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_for(lambda: shop.states() == {"shop.slow": "lost"}, "its lease runs out")
    shop.manage("check_scripts", "--check", code=3)
    shop.command("shop.slow")
    shop.manage("slow")
    assert shop.states() == {"shop.slow": "applied"}


def test_the_script_is_the_command_that_runs_not_the_module_of_its_base(shop: Project) -> None:
    shop.write(
        "shop/base.py",
        "from django.core.management.base import BaseCommand\n"
        "from scripts_tracker import tracked_script\n"
        "class Command(BaseCommand):\n"
        "    @tracked_script\n"
        "    def handle(self, *args, **options): self.work()\n"
        "    def work(self): self.stdout.write('base')\n",
    )
    commands = "shop/management/commands"
    shop.write(
        f"{commands}/inherits.py", "from shop.base import Command as Base\nclass Command(Base): pass\n"
    )
    shop.write(f"{commands}/imports.py", "from shop.base import Command\n")
    shop.write(f"{commands}/again.py", "from .imports import Command\n")
    assert shop.states() == {"shop.inherits": "new", "shop.imports": "new", "shop.again": "new"}
    shop.manage("inherits")
    assert shop.states() == {"shop.inherits": "applied", "shop.imports": "new", "shop.again": "new"}
    shop.manage("again")
    assert shop.states()["shop.again"] == "applied"
    assert shop.states()["shop.imports"] == "new"
    shop.python(
        "from django.core.management import call_command; call_command('again'); call_command('imports')"
    )
    assert set(shop.states().values()) == {"applied"}


def test_a_tracked_handle_that_calls_a_tracked_base_is_one_run(shop: Project) -> None:
    shop.command("shop.outer")
    file = shop.path("shop.outer")
    text = file.read_text()
    file.write_text(
        text.replace("class Command(BaseCommand)", "class Base(BaseCommand)")
        + "\nclass Command(Base):\n    @tracked_script\n"
        "    def handle(self, *args, **options): super().handle(*args, **options)\n"
    )
    shop.manage("outer")
    assert len(rows(shop)) == 1


GIT = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com"]


def test_a_script_with_uncommitted_changes_is_not_marked_applied(shop: Project) -> None:
    shop.settings("CHECK_SCRIPT_GIT_STATUS = True")
    shop.command("shop.works")
    assert shop.run("git", "init", "-q").code == 0
    result = shop.manage("works")
    assert "has uncommitted changes: this run will not mark shop.works applied" in result.err
    assert shop.states() == {"shop.works": "new"}
    assert rows(shop)[0]["reason"] == "uncommitted changes"
    assert shop.run("git", "add", "-A").code == 0
    assert shop.run(*GIT, "commit", "-qm", "one").code == 0
    assert shop.manage("works").err == ""
    assert shop.states() == {"shop.works": "applied"}


def test_no_repository_is_a_warning_and_the_run_counts(shop: Project) -> None:
    shop.settings("CHECK_SCRIPT_GIT_STATUS = True")
    shop.command("shop.works")
    result = shop.manage("works")
    assert "cannot check for uncommitted changes" in result.err
    assert shop.states() == {"shop.works": "applied"}


def test_no_git_is_a_warning_and_the_run_counts(shop: Project) -> None:
    shop.settings("CHECK_SCRIPT_GIT_STATUS = True")
    shop.command("shop.works")
    result = shop.manage("works", PATH="/nowhere")
    assert "git is not installed" in result.err
    assert shop.states() == {"shop.works": "applied"}


LOST = "from django.db import connection; connection.connection.close()"


def test_a_success_whose_connection_was_lost_is_recorded_on_a_new_one(shop: Project) -> None:
    shop.command("shop.works", body=LOST)
    shop.manage("works")
    assert shop.states() == {"shop.works": "applied"}


def test_a_failure_whose_connection_was_lost_is_recorded_and_keeps_its_own_error(shop: Project) -> None:
    shop.command("shop.breaks", body=f"{LOST}; raise ValueError('boom')")
    assert "ValueError: boom" in shop.manage("breaks", code=1).err
    assert shop.states() == {"shop.breaks": "failed"}


def count(project: Project, label: str) -> int:
    code = f"from scripts_tracker.models import Script; print(Script.objects.filter(app_label={label!r}).count())"
    return int(project.python(code).out)


@pytest.mark.parametrize("end", ["pass", "raise ValueError"], ids=["success", "failure"])
def test_a_script_that_leaves_autocommit_off_has_failed_and_commits_nothing_more(
    shop: Project, end: str
) -> None:
    shop.command(
        "shop.manual",
        body="from django.db import transaction\n"
        "        from scripts_tracker.models import Script\n"
        "        transaction.set_autocommit(False)\n"
        "        Script.objects.create(app_label='kept', identity='kept')\n"
        "        transaction.commit()\n"
        "        Script.objects.create(app_label='left', identity='left')\n"
        f"        {end}",
    )
    shop.manage("manual", code=1)
    assert shop.states() == {"shop.manual": "failed"}
    assert (count(shop, "kept"), count(shop, "left")) == (1, 0)


def test_atomic_holds_the_scripts_own_database_where_the_ledger_is_elsewhere(shop: Project) -> None:
    shop.settings(
        'DATABASES["other"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "other.sqlite3"}\n'
        'SCRIPTS_TRACKER = {"database": "other"}'
    )
    shop.migrate("--database", "other")
    create = "from scripts_tracker.models import Script; Script.objects.create(app_label='x', identity='x'); "
    shop.command("shop.all", decorators="@tracked_script(atomic=True)", body=create + "raise ValueError")
    shop.manage("all", code=1)
    assert count(shop, "x") == 0
    hook = "from django.db import transaction; transaction.on_commit(lambda: 1 / 0)"
    shop.command("shop.hooked", decorators="@tracked_script(atomic=True)", body=create + hook)
    shop.manage("hooked", code=1)
    assert count(shop, "x") == 1
    assert shop.states() == {"shop.all": "failed", "shop.hooked": "applied"}


def test_a_ledger_that_cannot_be_written_is_one_line_before_anything_runs(shop: Project) -> None:
    shop.command("shop.works")
    shop.python(
        "from django.db import connection\n"
        "connection.cursor().execute('ALTER TABLE scripts_tracker_scriptrun RENAME COLUMN host TO lost')"
    )
    result = shop.manage("works", code=1)
    assert "shop.works was not run: the ledger in database 'default' cannot be used" in result.err
    assert len(result.err.strip().splitlines()) == 1
    assert result.out == ""


def test_names_that_differ_in_case_are_two_scripts(shop: Project) -> None:
    shop.command("shop.fix")
    shop.command("shop.Fix")
    shop.manage("fix")
    assert shop.states() == {"shop.fix": "applied", "shop.Fix": "new"}
    identities = "from scripts_tracker.models import Script; print(Script.objects.get().identity)"
    assert len(shop.python(identities).out.strip()) == 64


@pytest.mark.parametrize("process", ["", "another start of the kernel 12"])
def test_a_process_that_only_has_the_number_of_the_lost_one_does_not_hold_its_script(
    shop: Project, process: str
) -> None:
    shop.command("shop.works")
    shop.python(
        "import os, socket\n"
        "from datetime import datetime, timezone\n"
        "from scripts_tracker.ledger.statements import identity_of\n"
        "from scripts_tracker.core.values import ScriptId\n"
        "from scripts_tracker.models import Script, ScriptRun\n"
        "name = ScriptId('shop', 'works')\n"
        "script = Script.objects.create(identity=identity_of(name), app_label='shop', name='works')\n"
        f"run = ScriptRun.objects.create(script=script, kind='run', outcome='running', pid={os.getpid()},\n"
        f"    host=socket.gethostname(), process={process!r},\n"
        "    started_at=datetime(2020, 1, 1, tzinfo=timezone.utc))\n"
        "Script.objects.update(last_run=run, lease_expires=1)\n"
    )
    assert shop.states() == {"shop.works": "lost"}
    shop.manage("works")
    assert shop.states() == {"shop.works": "applied"}


OUTPUT = "from scripts_tracker.models import ScriptRun; print(repr(ScriptRun.objects.latest('pk').output))"
PRINTS = (
    "print('to stdout'); self.stderr.write('to stderr'); self.stdout.write('password=hunter2');"
    " import logging; logging.getLogger('x').warning('logged')"
)


def test_the_tail_of_what_is_printed_is_kept_in_order_without_secrets_and_shown_as_ever(
    shop: Project,
) -> None:
    shop.command("shop.prints", body=PRINTS)
    result = shop.manage("prints")
    assert (result.out, result.err) == ("to stdout\npassword=hunter2\n", "to stderr\nlogged\n")
    assert eval(shop.python(OUTPUT).out) == (  # noqa: S307 - what repr() printed above
        "to stdout\nto stderr\npassword=********************\nlogged\n"
    )


def test_a_failure_keeps_its_output_and_masks_its_traceback(shop: Project) -> None:
    shop.command("shop.breaks", body="print('so far'); raise ValueError('token=abc123')")
    assert "token=abc123" in shop.manage("breaks", code=1).err
    (row,) = rows(shop)
    assert "abc123" not in row["traceback"] + row["reason"]
    assert "so far" in shop.python(OUTPUT).out


@pytest.mark.parametrize("setting", ['"capture_output": False', '"secret_pattern": "to std..."'])
def test_what_is_kept_is_the_projects_choice(shop: Project, setting: str) -> None:
    shop.settings(f"SCRIPTS_TRACKER = {{{setting}}}")
    shop.command("shop.prints", body="print('to stdout', 1)")
    shop.manage("prints")
    kept = "" if "capture" in setting else "******************** 1\n"
    assert eval(shop.python(OUTPUT).out) == kept  # noqa: S307 - as above
