"""Page by page: in a project that is as the page has it, its shell lines do what it says."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest
import yaml  # pre-commit brings it

from tests.adoption.old_tracker import SOURCE, OldTracker, commit
from tests.conftest import COMMAND, ENVIRONMENT, MATRIX, ROOT, Project, Result
from tests.databases.fixtures import HostedProject
from tests.databases.kinds import PostgreSQL
from tests.end_to_end.pages import PATH, blocks, plays, type_in
from tests.running.tenants import Layouts
from tests.waiting import PATIENCE, wait_for


def by_shell(project: Project, line: str) -> Result:
    return project.run("sh", "-c", line, PATH=PATH)


def git(root: Path, *words: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    done = subprocess.run(["git", *identity, *words], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


# migrating.md


@pytest.fixture
def old(project: Project) -> OldTracker:
    """What ran is reformatted, edited, or as it was; the lint has yet to exchange the imports."""
    tracker = OldTracker(project)
    tracker.create()
    for name in ("fix_totals", "import_vat_rates", "split_names"):
        tracker.ran(name, tracker.write(name))
    commit(project.root, "what ran")
    tracker.write("import_vat_rates", SOURCE.format(name="import_vat_rates").replace("'", '"'))
    tracker.write("split_names", SOURCE.format(name="split_names") + "        self.more()\n")
    tracker.write("new_one")
    commit(project.root, "what came since")
    return tracker


@plays("migrating.md")
def test_a_team_migrates_as_the_page_shows(typed: list[str], old: OldTracker) -> None:
    fix, migrate, adopt = typed
    type_in(old.project, fix)
    assert "from scripts_tracker import tracked_script" in old.project.path("shop.fix_totals").read_text()
    type_in(old.project, migrate)
    type_in(old.project, adopt)


# fleet.md


@plays("fleet.md")
def test_environments_are_compared_as_the_page_shows(typed: list[str], project: Project) -> None:
    collect, compare, page, check, forecast, deletable, delete = typed
    project.command("shop.first")
    project.settings('SCRIPTS_TRACKER = {"environment": "production"}\n')
    project.migrate()
    assert by_shell(project, collect.removeprefix("$ ")).code == 0
    document = json.loads((project.root / "production.json").read_text())
    (script,) = document["scripts"]
    long_ago = {"state": "applied", "applied_at": "2020-01-01T00:00:00Z", "applied_fingerprint": "st1:a"}
    staging = {**document, "environment": "staging", "scripts": [{**script, **long_ago}]}
    (project.root / "staging.json").write_text(json.dumps(staging))
    assert "shop.first  new         applied" in by_shell(project, compare.removeprefix("$ ")).out
    assert by_shell(project, page.removeprefix("$ ")).code == 0
    assert (project.root / "scripts.html").read_text().startswith("<!DOCTYPE html>")
    assert by_shell(project, check.removeprefix("$ ")).code == 1
    assert "no figure (staging, it never ran there)" in by_shell(project, forecast.removeprefix("$ ")).out
    assert by_shell(project, deletable.removeprefix("$ ")).out == ""
    git(project.root, "init", "-q")
    git(project.root, "add", "--all")
    production = {**staging, "environment": "production"}
    (project.root / "production.json").write_text(json.dumps(production))
    assert (
        by_shell(project, delete.removeprefix("$ ").replace("| sh", "| sed s/rm/'rm --cached'/ | sh")).code
        == 0
    )
    assert not git(project.root, "ls-files", "shop/management/commands/first.py")


# environments.md


@plays("environments.md")
@pytest.mark.parametrize("kind_name", ["postgresql"])
def test_a_restored_dump_is_as_the_page_shows(typed: list[str], hosted: HostedProject) -> None:
    run, restore, check, rename, ask = typed
    kind, staging = hosted.kind, f"{hosted.database}_staging"
    assert isinstance(kind, PostgreSQL)
    path = hosted.command("shop.fix_totals", body="pass")
    path.write_text(path.read_text().replace("Does fix_totals", "Recompute order totals"))

    def use(database: str, **settings: str) -> None:
        hosted.settings(f"{kind.settings(database)}SCRIPTS_TRACKER = {settings}")

    use(hosted.database, environment="production")
    type_in(hosted, run)
    kind.create(staging)
    try:
        at = {"PGHOST": kind.server.host, "PGPORT": str(kind.server.port), "PGUSER": kind.server.user}
        names = restore.replace(" production", f" {hosted.database}").replace(" staging ", f" {staging} ")
        for line in names.splitlines():
            done = hosted.run(
                "sh", "-c", line.removeprefix("$ "), PATH=PATH, PGPASSWORD=kind.server.password, **at
            )
            assert done.code == 0, done.err
        use(staging, environment="staging")
        type_in(hosted, check)
        kind.execute(staging, "UPDATE scripts_tracker_scriptenvironment SET name = ''")
        use(staging)
        type_in(hosted, ask)
    finally:
        kind.drop(staging)
    use(hosted.database, environment="live")
    type_in(hosted, rename)


# reviewing.md

GH = """\
#!/bin/sh
echo "$@" >> gh.log
case "$*" in
  *--paginate*) test ! -e own || cat own ;;
  *) echo 17 > own ;;
esac
"""


class Notes(BaseHTTPRequestHandler):
    """The notes of a merge request, as GitLab keeps them."""

    notes: ClassVar[dict[int, str]] = {}
    calls: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.answer([{"id": number, "body": body} for number, body in self.notes.items()])

    def do_POST(self) -> None:
        self.take(len(self.notes) + 1)

    def do_PUT(self) -> None:
        self.take(int(self.path.rpartition("/")[2]))

    def take(self, number: int) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.notes[number] = parse_qs(sent)["body"][0]
        self.answer({"id": number})

    def answer(self, content: object) -> None:
        assert self.headers["PRIVATE-TOKEN"] == "secret"
        self.calls.append(f"{self.command} {self.path.partition('?')[0]}")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def changed(project: Project) -> Project:
    """A branch with a new script, and no database."""
    project.write(".gitignore", "*\n!*/\n!*.py\n")
    git(project.root, "init", "-q", "-b", "main")
    git(project.root, "add", "--all")
    git(project.root, "commit", "-q", "-m", "first")
    git(project.root, "update-ref", "refs/remotes/origin/main", "main")
    project.command("shop.fix_totals")
    return project


@plays("reviewing.md")
def test_a_pull_request_gets_one_comment_that_is_updated(typed: list[str], changed: Project) -> None:
    shell, github, _ = typed
    shown = by_shell(changed, shell.removeprefix("$ "))
    assert "| 1 | `shop.fix_totals` | new |" in shown.out, shown
    jobs = yaml.safe_load(github)["jobs"]
    (_, review) = [step["run"] for step in jobs["review"]["steps"] if "run" in step]
    (post,) = [step["run"] for step in jobs["comment"]["steps"] if "run" in step]
    assert {job["permissions"].get("pull-requests") for job in jobs.values()} == {None, "write"}
    assert changed.run("sh", "-c", review, PATH=PATH, GITHUB_BASE_REF="main").code == 0
    assert (changed.root / "review.md").read_text() == shown.out.replace("`main`", "`origin/main`")
    changed.write("bin/gh", GH).chmod(0o755)
    path = f"{changed.root / 'bin'}:{PATH}"
    for _ in range(2):
        posted = changed.run("sh", "-ec", post, PATH=path, GITHUB_REPOSITORY="a/b", NUMBER="7")
        assert posted.code == 0, posted
    methods = re.findall(r"--method (.*)", (changed.root / "gh.log").read_text())
    assert methods == [
        "POST repos/a/b/issues/7/comments --field body=@review.md",
        "PATCH repos/a/b/issues/comments/17 --field body=@review.md",
    ]


@plays("reviewing.md")
def test_a_merge_request_gets_one_note_that_is_updated(typed: list[str], changed: Project) -> None:
    (job,) = yaml.safe_load(typed[2]).values()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Notes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Notes.notes, Notes.calls = {1: "a note of a person"}, []
    variables = {
        "CI_API_V4_URL": f"http://127.0.0.1:{server.server_port}/api/v4",
        "CI_PROJECT_ID": "3",
        "CI_MERGE_REQUEST_IID": "7",
        "CI_MERGE_REQUEST_DIFF_BASE_SHA": git(changed.root, "rev-parse", "main"),
        "REVIEW_TOKEN": "secret",
    }
    script = "\n".join(line for line in job["script"] if not line.startswith("pip install "))
    for help_text in ("Does fix_totals", "Does more"):
        path = changed.path("shop.fix_totals")
        path.write_text(path.read_text().replace("Does fix_totals", help_text))
        done = changed.run("bash", "-eo", "pipefail", "-c", script, PATH=PATH, **variables)
        assert done.code == 0, done
    server.shutdown()
    server.server_close()
    notes = "/api/v4/projects/3/merge_requests/7/notes"
    assert Notes.calls == [f"GET {notes}", f"POST {notes}", f"GET {notes}", f"PUT {notes}/2"]
    assert Notes.notes[1] == "a note of a person"
    assert "> Does more" in Notes.notes[2]


# migrations.md

MODEL = (
    "from django.db import models\n\nclass Order(models.Model):\n    total = models.IntegerField(default=0)\n"
)


@plays("migrations.md")
def test_the_gate_stops_migrate_until_the_script_has_run(typed: list[str], migrated: Project) -> None:
    (gate,) = typed
    migrated.write("shop/models.py", MODEL)
    migrated.write("shop/migrations/__init__.py", "")
    migrated.manage("makemigrations", "shop")
    migrated.migrate()
    migrated.python("from shop.models import Order\nOrder.objects.create(total=1)")
    migrated.command("shop.fix_totals")
    migrated.write("shop/models.py", MODEL.replace("total = models.IntegerField(default=0)", "pass"))
    migrated.write("shop/migrations/0002_drop_total.py", blocks(ROOT / "docs" / "migrations.md")[0].text)
    type_in(migrated, gate, 1)
    assert "No changes detected" in migrated.manage("makemigrations", "--check").out


# rules.md


@plays("rules.md")
def test_git_tracks_the_script_after_the_commands_of_the_page(typed: list[str], migrated: Project) -> None:
    example, instead = typed
    migrated.settings("INSTALLED_APPS += ['orders']")
    migrated.app("orders")
    migrated.command("orders.fix_totals")
    migrated.write(".gitignore", "fix_*.py\n")
    git(migrated.root, "init", "-q")
    type_in(migrated, example)
    lint = ("scripts-tracker-lint", "--select", "ST020")
    assert "ST020" in migrated.run(*lint, PATH=PATH).out
    type_in(migrated, instead)
    assert migrated.run(*lint, PATH=PATH).out == "All checks passed.\n"


# deploying.md


def steps(block: str) -> list[str]:
    """What a workflow of GitHub Actions runs, but for the installation of what is installed here."""
    lines = [step["run"] for step in yaml.safe_load(block) if "run" in step]
    return [line for line in lines if not line.startswith("pip install ")]


def command_of(block: str) -> list[str]:
    (container,) = yaml.safe_load(block)["initContainers"]
    command: list[str] = container["command"]
    return command


@plays("deploying.md")
def test_the_lint_reports_silent_changes_of_a_pull_request(typed: list[str], project: Project) -> None:
    lint, *_ = typed
    (line,) = steps(lint)
    project.command("shop.fix_totals")
    commit(project.root, "released")
    base = git(project.root, "symbolic-ref", "--short", "HEAD")
    clone = Project(project.root.parent / "clone", project.env)
    git(clone.root.parent, "clone", "-q", str(project.root), clone.root.name)
    git(clone.root, "switch", "-q", "-c", "feature")
    assert clone.run("sh", "-c", line, PATH=PATH, GITHUB_BASE_REF=base).code == 0
    clone.command("shop.fix_totals", body="self.stdout.write('done, and more')")
    commit(clone.root, "edited")
    answer = clone.run("sh", "-c", line, PATH=PATH, GITHUB_BASE_REF=base)
    assert answer.code == 1
    assert re.search(r"^::\w+ file=shop/management/commands/fix_totals.py,.*ST021", answer.out, re.MULTILINE)


@plays("deploying.md")
def test_a_merge_request_gets_a_report_with_paths_from_the_top(typed: list[str], project: Project) -> None:
    _, _, merge, *_ = typed
    (job,) = yaml.safe_load(merge).values()
    (line,) = (each for each in job["script"] if not each.startswith("pip install "))
    project.command("shop.fix_totals", body="input()")
    commit(project.root, "released")
    git(project.root, "update-ref", "refs/remotes/origin/main", "HEAD")
    answer = by_shell(project, line.replace("$CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"))
    report = json.loads((project.root / job["artifacts"]["reports"]["codequality"]).read_text())
    assert (answer.code, [one["check_name"] for one in report]) == (1, ["ST012"])
    assert report[0]["location"]["path"] == "shop/management/commands/fix_totals.py"


@plays("deploying.md")
def test_the_gate_before_a_release_lists_what_is_new(typed: list[str], migrated: Project) -> None:
    _, gate, *_ = typed
    (line,) = steps(gate)
    assert by_shell(migrated, line).code == 0
    migrated.command("shop.fix_totals")
    assert by_shell(migrated, line).code == 1
    assert migrated.states() == {"shop.fix_totals": "new"}


@plays("deploying.md")
def test_an_init_container_and_a_release_phase_migrate_and_run_the_scripts(
    typed: list[str], project: Project
) -> None:
    _, _, _, pod, release, *_ = typed
    for number, command in enumerate((command_of(pod), ["sh", "-c", yaml.safe_load(release)["release"]])):
        project.command(f"shop.script_{number}")
        result = project.run(*command, PATH=PATH)
        assert result.code == 0, result
        assert "Checking management scripts:" in result.out
        assert "1 done, 0 failed, 0 blocked, 0 skipped." in result.out
    project.write("settings.py", "raise ValueError('migrate cannot run')\n")
    assert project.run(*command_of(pod), PATH=PATH).code == 1


@plays("deploying.md")
def test_after_a_build_of_the_image_the_first_check_of_a_new_database_parses_nothing(
    typed: list[str], project: Project
) -> None:
    def libcst_modules(*arguments: str) -> int:
        result = project.run(sys.executable, "-X", "importtime", "manage.py", *arguments)
        assert "You have 2 new and 0 modified management scripts" in result.out
        return len(re.findall(r"\| +libcst\b", result.err))

    project.command("shop.fix_totals")
    project.write("shop/base.py", COMMAND.format(name="", decorators="@tracked_script", body="pass"))
    inherited = "from shop.base import Command as Base\nclass Command(Base):\n    help = 'Inherits'\n"
    project.write("shop/management/commands/inherited.py", inherited)
    (line,) = re.findall("^RUN (.*)", typed[-1], re.MULTILINE)
    assert by_shell(project, line).code == 0
    assert libcst_modules("migrate") == 0
    assert libcst_modules("check_scripts") == 0
    assert libcst_modules("check_scripts", "--no-cache") > 0


def last_run(project: Project) -> dict[str, Any]:
    shown = project.manage("show_script", "fix_totals", "--history", "--format", "json")
    (run,) = json.loads(shown.out)["runs"]
    return dict(run)


@plays("deploying.md")
def test_a_pod_that_is_evicted_leaves_a_record_of_its_interrupted_script(
    typed: list[str], migrated: Project
) -> None:
    """It gets the signal that the shell got its process for, which is process 1 of a container."""
    _, _, _, pod, *_ = typed
    body = "import time; open('began', 'w').close(); time.sleep(600)"
    migrated.command("shop.fix_totals", body=body)
    env = {**ENVIRONMENT, **migrated.env, "PATH": PATH}
    with subprocess.Popen(command_of(pod), cwd=migrated.root, env=env, start_new_session=True) as process:
        try:
            wait_for((migrated.root / "began").exists, "the script runs")
            assert last_run(migrated)["pid"] == process.pid, (
                "a shell stands before Python, and takes the signal"
            )
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 128 + signal.SIGTERM
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    run = last_run(migrated)
    assert run["outcome"] == "failed"
    assert run["reason"].startswith("interrupted")


# upgrading.md


@plays("upgrading.md")
def test_after_an_upgrade_nothing_runs_before_the_command_of_the_page(
    typed: list[str], migrated: Project
) -> None:
    assert not typed
    text = (ROOT / "docs" / "upgrading.md").read_text()
    line, back = [words for words in re.findall(r"`([^`]+)`", text) if "manage.py" in words]
    migrated.command("shop.fix_totals")
    migrated.command("shop.first")
    assert migrated.manage("first").out == "done\n"
    assert by_shell(migrated, back).code == 0
    assert by_shell(migrated, line).code == 0
    assert migrated.states() == {"shop.first": "applied", "shop.fix_totals": "new"}
    migrated.migrate("scripts_tracker", "0003")
    stopped = migrated.manage("fix_totals", code=1)
    assert "done" not in stopped.out
    assert line.removeprefix("python ") in stopped.err
    assert by_shell(migrated, line).code == 0
    assert migrated.manage("fix_totals").out == "done\n"


# tenants.md

RENAMED = (
    "UPDATE customers_client SET schema_name = '{}' WHERE schema_name = '{}'",
    "ALTER SCHEMA {1} RENAME TO {0}",
)


def with_tenants(layouts: Layouts, root: Path, layout: str) -> HostedProject:
    """A project with the tenants of the page."""
    project = layouts.make(root, layout)
    for schema, name in (("t1", "acme"), ("t2", "zoo")):
        for statement in RENAMED:
            project.execute(statement.format(name, schema))
    return project


@plays("tenants.md")
@pytest.mark.parametrize(
    "layout", ["tenant", *(pytest.param(one, marks=MATRIX) for one in ("shared", "both"))]
)
def test_in_each_layout_scripts_run_as_often_as_the_page_says(
    typed: list[str], layouts: Layouts, layout: str, tmp_path: Path
) -> None:
    deployed, one, new, shared, both = typed
    project = with_tenants(layouts, tmp_path / "a project", layout)
    try:
        path = project.command("shop.fix_totals", body="pass")
        path.write_text(path.read_text().replace("Does fix_totals", "Recompute order totals"))
        if layout == "tenant":
            type_in(project, deployed)
            type_in(project, one)
            project.command("shop.later")
            type_in(project, new)
        elif layout == "shared":
            (loop,) = [
                block.text for block in blocks(ROOT / "docs" / "tenants.md") if "for tenant in" in block.text
            ]
            head, _, _ = path.read_text().partition("class Command")
            path.write_text(head + loop)
            type_in(project, shared)
        else:
            for name, tag in (("fix_totals", "per-tenant"), ("once", "once")):
                project.command(f"shop.{name}", decorators=f"@tracked_script(tags=({tag!r},))")
            type_in(project, both)
    finally:
        project.kind.drop(project.database)


# batches.md


@plays("batches.md")
def test_the_batched_script_of_the_page_fills_the_totals(typed: list[str], migrated: Project) -> None:
    (run,) = typed
    fields = "cents = models.IntegerField()\n    total = models.IntegerField(null=True)\n"
    migrated.write("shop/models.py", MODEL.replace("total = models.IntegerField(default=0)\n", fields))
    migrated.write("shop/migrations/__init__.py", "")
    migrated.manage("makemigrations", "shop")
    migrated.migrate()
    migrated.python(
        "from shop.models import Order\nfor one in range(9): Order.objects.create(cents=100 * one)"
    )
    example = blocks(ROOT / "docs" / "batches.md")[0].text
    migrated.write(example.splitlines()[0].removeprefix("# "), example)
    type_in(migrated, run)
    asked = "from shop.models import Order; print(sorted(Order.objects.values_list('total', flat=True)))"
    assert migrated.python(asked).out == "[0, 1, 2, 3, 4, 5, 6, 7, 8]\n"


# rehearsing.md

FILL = """\
from customers.models import Customer
from scripts_tracker import tracked_script
from scripts_tracker.batches import BatchedCommand

class Command(BatchedCommand):
    batch_size = 10

    def batches(self):
        return Customer.objects.all()

    @tracked_script
    def process(self, batch):
        batch.update(region="somewhere")
"""


@plays("rehearsing.md")
def test_a_rehearsal_shows_what_the_page_shows(typed: list[str], demo: Project) -> None:
    plain, batched, shown = typed
    demo.manage("migrate", "-v0")
    type_in(demo, plain)
    customers = "Customer(pk=n, email=str(n), name='', region='') for n in range(5, 101)"
    code = f"from customers.models import Customer\nCustomer.objects.bulk_create({customers})"
    demo.manage("shell", "-v0", "-c", code)
    demo.write("customers/management/commands/fill_totals.py", FILL)
    type_in(demo, batched)
    type_in(demo, shown)
