"""``run_scripts --enqueue`` and its jobs, with a worker that the test plays; real ones are in test_queue_workers.py."""

from __future__ import annotations

import json
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management.base import CommandError
from django.db import transaction

from scripts_tracker.core.planning import Plan
from scripts_tracker.ledger import database
from scripts_tracker.models import ScriptRun
from scripts_tracker.project.status import load_status
from scripts_tracker.running import queue
from tests.builders import script_id
from tests.conftest import Project
from tests.jobs import Jobs
from tests.running import memory_queue
from tests.running.memory_queue import DUMMY, IMMEDIATE, PUT, deliver, deliver_all, scripts, use
from tests.walks import add_worker, begin, hold

ALWAYS = '@tracked_script(rerun="always")'


@pytest.fixture
def shop(jobs: Jobs, settings: Any) -> Jobs:
    """Two scripts, and one that requires the first."""
    use(settings)
    jobs.script("apples")
    jobs.script("pears")
    jobs.script("cider", requires="apples")
    return jobs


UNUSABLE = {
    "no setting": (
        {"SCRIPTS_TRACKER": {}},
        'SCRIPTS_TRACKER["queue"] is not set. Write "queue": {"backend": "default"} into SCRIPTS_TRACKER.',
    ),
    "no such backend": (
        {"SCRIPTS_TRACKER": {"queue": {"backend": "slow"}}},
        "names the backend 'slow', which TASKS does not have. Write one of: 'default'.",
    ),
    "no such queue": (
        {"SCRIPTS_TRACKER": {"queue": {"queue_name": "slow"}}},
        "names the queue 'slow', which TASKS['default'] does not have.",
    ),
    "a package that is missing": (
        {"TASKS": {"default": {"BACKEND": "nowhere.CeleryBackend"}}},
        "TASKS['default'] cannot be used: ",
    ),
}


@pytest.mark.parametrize(("given", "words"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_queue_that_cannot_be_used_is_one_line(
    shop: Jobs, settings: Any, given: dict[str, Any], words: str
) -> None:
    for name, value in given.items():
        setattr(settings, name, value)
    if "TASKS" in given:
        use(settings, "nowhere.CeleryBackend")
    result = shop.run(enqueue=True)
    assert result.code == 2
    assert result.out == ""
    assert words in result.err
    assert result.err.count("\n") == 1


def test_a_django_without_tasks_says_what_to_install(shop: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "_library_name", lambda: None)
    result = shop.run(enqueue=True)
    assert result.code == 2
    assert 'Install django-tasks and add "django_tasks" to INSTALLED_APPS, or use Django 6.0.' in result.err


def test_a_time_limit_has_no_meaning_for_jobs(shop: Jobs) -> None:
    result = shop.run(enqueue=True, duration="30m")
    assert (result.code, PUT) == (2, [])
    assert "--for does not go with --enqueue" in result.err


def test_what_can_begin_is_enqueued_and_the_rest_follows_in_order(shop: Jobs) -> None:
    result = shop.run(enqueue=True)
    assert result.out.splitlines() == [
        "Enqueuing management scripts (3):",
        "  jobs.apples: 1 job",
        "  jobs.cider: follows jobs.apples",
        "  jobs.pears: 1 job",
    ]
    assert scripts() == ["jobs.apples", "jobs.pears"]
    assert shop.outcomes() == []
    assert deliver().endswith("; enqueued jobs.cider")
    assert scripts() == ["jobs.pears", "jobs.cider"]
    deliver_all()
    assert set(shop.states().values()) == {"applied"}
    assert shop.run(enqueue=True).out == "No scripts to run.\n"


def test_only_what_was_asked_for_follows(shop: Jobs) -> None:
    shop.run("apples", enqueue=True)
    deliver_all()
    assert shop.states() == {"apples": "applied", "cider": "new", "pears": "new"}


def test_a_requirement_that_nobody_named_is_enqueued_first(shop: Jobs) -> None:
    shop.run("cider", enqueue=True)
    assert scripts() == ["jobs.apples"]
    deliver_all()
    assert shop.states() == {"apples": "applied", "cider": "applied", "pears": "new"}


def test_a_job_that_is_delivered_twice_does_no_harm(shop: Jobs) -> None:
    shop.run("apples", enqueue=True)
    deliver(keep=True)
    assert "nothing done: it is applied already" in deliver()
    assert shop.outcomes() == ["apples succeeded"]


def test_a_job_that_is_delivered_again_does_not_repeat_a_failure(shop: Jobs) -> None:
    shop.script("apples", "raise CommandError('out of apples')")
    shop.run(enqueue=True)
    with pytest.raises(CommandError, match=r"^jobs\.apples failed: out of apples$"):
        deliver(keep=True)
    assert "it has failed in the meantime; to try again: manage.py run_scripts --enqueue" in deliver()
    assert shop.outcomes() == ["apples failed"]
    assert scripts() == ["jobs.pears"]
    shop.run("apples", enqueue=True)
    with pytest.raises(CommandError):
        deliver(), deliver()


def test_no_retry_goes_with_the_job(shop: Jobs) -> None:
    shop.script("apples", "raise CommandError('out of apples')")
    shop.run("apples")
    assert shop.run("cider", enqueue=True, retries=False).code == 1
    assert PUT == []


def test_a_recurring_script_runs_once_for_one_enqueue_and_before_what_requires_it(shop: Jobs) -> None:
    shop.script("apples", decorators=ALWAYS)
    shop.script("cider", decorators=ALWAYS, requires="apples")
    shop.run()
    assert shop.states()["apples"] == "recurring"
    shop.run(enqueue=True)
    assert scripts() == ["jobs.apples"]
    deliver(keep=True)
    deliver()
    deliver_all()
    assert shop.outcomes()[3:] == ["apples succeeded", "cider succeeded"]


def test_lost_jobs_are_enqueued_again(shop: Jobs) -> None:
    shop.run(enqueue=True)
    deliver()
    PUT.clear()
    shop.run(enqueue=True)
    assert sorted(scripts()) == ["jobs.cider", "jobs.pears"]


def test_jobs_that_wait_are_not_enqueued_again_where_the_queue_can_say(
    shop: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "queued", lambda _: Counter(scripts()))
    shop.run(enqueue=True)
    result = shop.run(enqueue=True)
    assert "  jobs.apples: 1 job is queued already" in result.out
    assert scripts() == ["jobs.apples", "jobs.pears"]
    plan = shop.run(enqueue=True, plan=True).out
    assert plan.splitlines()[-3:] == ["On the queue (2):", "  jobs.apples: 1 job", "  jobs.pears: 1 job"]


def test_a_plan_enqueues_nothing(shop: Jobs) -> None:
    assert shop.run(enqueue=True, plan=True).out.endswith("The queue cannot say which jobs it has.\n")
    assert PUT == []


MEANWHILE = {
    "deleted": (lambda shop: shop.path("apples").unlink(), "nothing done: it has no file here"),
    "run": (lambda shop: shop.run("apples"), "nothing done: it is applied already"),
    "edited to be blocked": (
        lambda shop: shop.script("apples", requires="nowhere"),
        "nothing done: requires nowhere, which does not exist",
    ),
    "edited to follow another one": (
        lambda shop: shop.script("apples", requires="pears"),
        "nothing done: it follows jobs.pears",
    ),
}


@pytest.mark.parametrize(("change", "words"), MEANWHILE.values(), ids=MEANWHILE)
def test_a_script_that_was_meanwhile(shop: Jobs, change: Any, words: str) -> None:
    shop.run(enqueue=True)
    change(shop)
    assert words in deliver()


def test_a_job_of_a_script_that_another_process_runs_looks_again_later(shop: Jobs, settings: Any) -> None:
    use(settings, defers=True)
    shop.run("apples", enqueue=True)
    shop.begin_elsewhere("apples")
    assert "running since" in deliver(keep=True)
    assert deliver().endswith("looks again in 15 s")
    del PUT[0]
    assert deliver().endswith("looks again in 30 s")
    (job,) = PUT
    assert job.run_after is not None
    ScriptRun.objects.update(outcome="lost")
    deliver()
    assert shop.states()["apples"] == "applied"


def test_a_queue_that_cannot_wait_says_what_to_type(shop: Jobs) -> None:
    shop.run("apples", enqueue=True)
    shop.begin_elsewhere("apples")
    assert "this queue cannot wait, so later: manage.py run_scripts --enqueue" in deliver()
    assert PUT == []


def test_a_broker_that_is_down_is_one_line_and_loses_nothing(shop: Jobs, settings: Any) -> None:
    use(settings, down=1)
    result = shop.run(enqueue=True)
    assert result.code == 1
    heal = "When the queue takes jobs again: manage.py run_scripts --enqueue"
    assert result.err == f"jobs.pears was not enqueued: ConnectionError: Connection refused. {heal}\n"
    assert scripts() == ["jobs.apples"]


def test_a_broker_that_is_down_after_a_script_does_not_make_it_fail(shop: Jobs, settings: Any) -> None:
    use(settings, down=2)
    shop.run(enqueue=True)
    PUT.append(PUT[1])
    assert "done in" in deliver()
    assert shop.states()["apples"] == "applied"


def test_the_jobs_wait_for_the_transaction_around_them(shop: Jobs) -> None:
    with transaction.atomic():
        shop.run("apples", enqueue=True)
        assert PUT == []
    assert scripts() == ["jobs.apples"]


def test_a_ledger_that_is_turned_off_is_left_alone(shop: Jobs, settings: Any) -> None:
    shop.run(enqueue=True)
    settings.SCRIPTS_TRACKER = {"enabled": False, "queue": {}}
    assert deliver().endswith("nothing done: runs are not recorded here")


def test_a_job_of_a_newer_version_is_understood(shop: Jobs) -> None:
    shop.run("apples", enqueue=True)
    PUT[0].given["colour"] = "red"
    assert "done in" in deliver()


def test_the_immediate_backend_runs_everything_in_order(shop: Jobs, settings: Any) -> None:
    use(settings, IMMEDIATE)
    before = "apples"
    for number in range(60):  # each would begin inside the one before
        shop.script(f"cider{number}", requires=before)
        before = f"cider{number}"
    result = shop.run(enqueue=True)
    assert result.code == 0
    assert set(shop.states().values()) == {"applied"}
    assert "jobs.pears: 1 job; jobs.pears: done in" in result.out


def test_a_failure_in_the_immediate_backend_fails_the_command(shop: Jobs, settings: Any) -> None:
    use(settings, IMMEDIATE)
    shop.script("apples", "raise CommandError('out of apples')")
    result = shop.run(enqueue=True)
    assert result.code == 1
    assert "jobs.apples failed: out of apples" in result.out
    assert result.err == "Some scripts were not enqueued: 1 failed.\n"
    assert shop.states() == {"apples": "failed", "cider": "new", "pears": "applied"}


def test_the_dummy_backend_takes_the_jobs(shop: Jobs, settings: Any) -> None:
    use(settings, DUMMY)
    assert shop.run(enqueue=True).code == 0
    backend = memory_queue.LIBRARY.task_backends["default"]
    assert [result.kwargs["script"] for result in backend.results] == ["jobs.apples", "jobs.pears"]


@pytest.fixture
def walk(jobs: Jobs, settings: Any) -> Jobs:
    """A batched script over two rows, one a batch, and a script that requires it."""
    use(settings, defers=True)
    jobs.script("first")
    jobs.script("second")
    jobs.run()
    jobs.write("walk", BATCHED)
    jobs.script("after", requires="walk")
    return jobs


BATCHED = """\
from scripts_tracker import tracked_script
from scripts_tracker.batches import BatchedCommand
from scripts_tracker.models import ScriptVersion

class Command(BatchedCommand):
    help = "Walks"
    batch_size = 1
    batch_seconds = 0

    def batches(self):
        return ScriptVersion.objects.filter(pk__lte=2)

    @tracked_script
    def process(self, batch):
        pass
"""


def test_a_batched_script_is_one_job_after_another_until_it_is_finished(
    walk: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk.run(enqueue=True)
    settings_now = queue.settings_now()
    with monkeypatch.context() as patch:
        patch.setattr(queue, "settings_now", lambda: settings_now._replace(slice_seconds=0.0001))
        assert deliver().endswith("enqueued again")
        assert walk.states()["walk"] in {"failed", "new"}
    assert scripts() == ["jobs.walk"]
    assert deliver().endswith("; enqueued jobs.after")
    deliver_all()
    assert walk.states()["after"] == "applied"


def test_a_throttled_script_makes_room_and_looks_again_later(walk: Jobs, settings: Any) -> None:
    settings.SCRIPTS_TRACKER = {"queue": {}, "throttle": [lambda: "the replicas are behind"]}
    walk.run(enqueue=True)
    assert deliver() == "jobs.walk: the replicas are behind; looks again in 15 s"
    assert PUT[0].run_after is not None
    settings.SCRIPTS_TRACKER = {"queue": {}}
    deliver_all()
    assert walk.states()["after"] == "applied"


def test_a_paused_script_looks_again_later_and_a_cancelled_one_does_not(walk: Jobs) -> None:
    walk.run(enqueue=True)
    paused = hold(begin("jobs.walk"), "pause")
    assert deliver() == "jobs.walk: it is paused; looks again in 15 s"
    ScriptRun.objects.filter(pk=paused.pk).update(kind="cancel")
    assert "nothing done: " in deliver()
    assert PUT == []


def test_no_more_jobs_work_on_a_script_than_were_asked_for(walk: Jobs) -> None:
    walk.run(enqueue=True)
    add_worker(begin("jobs.walk"))
    assert deliver() == "jobs.walk: nothing done: 1 worker is at work"
    assert "  jobs.walk: 1 worker is at work" in walk.run(enqueue=True).out
    assert PUT == []


# How many jobs ask for, wait already, and work already; how many are put.
NUMBERS = {
    "one by default": (1, 0, 0, 1),
    "as many as workers": (4, 0, 0, 4),
    "those that wait are counted": (4, 3, 0, 1),
    "those at work are counted": (4, 0, 1, 3),
    "both are counted": (4, 2, 1, 1),
    "none if there are enough": (4, 3, 1, 0),
    "none if there are more": (2, 5, 0, 0),
}


@pytest.mark.parametrize(("workers", "waiting", "live", "put"), NUMBERS.values(), ids=NUMBERS)
def test_the_jobs_of_a_batched_script_are_as_many_as_its_workers(
    walk: Jobs, monkeypatch: pytest.MonkeyPatch, *, workers: int, waiting: int, live: int, put: int
) -> None:
    work = begin("jobs.walk")
    for _ in range(live):
        add_worker(work)
    status = load_status().by_id[script_id("jobs.walk")]
    counted = Counter({"jobs.walk": waiting})
    from scripts_tracker.running import jobs

    monkeypatch.setattr(jobs, "_put", lambda job: memory_queue.PUT.append(memory_queue.Put(job.script, {})))
    request = queue.Job("", workers=workers)
    # One writer at a time: SQLite has one job.
    monkeypatch.setattr(database, "connection", lambda: SimpleNamespace(vendor="postgresql"))
    placed = jobs._place(status, Plan((status,), (), ()), {status.id: status}, request, counted)
    assert (placed.jobs, len(PUT)) == (put, put)
    assert bool(placed.text) == (put == 0)


def test_on_sqlite_a_batched_script_has_one_job_whatever_is_asked_for(walk: Jobs) -> None:
    result = walk.run(enqueue=True, workers=4)
    assert "  jobs.walk: 1 job\n" in result.out
    assert result.err == "SQLite has one writer at a time, so there is one worker.\n"
    assert scripts() == ["jobs.walk"]


UNKNOWN = "The queue cannot say which jobs it has."


def test_reports_say_how_many_jobs_wait_for_what_is_not_applied(
    shop: Jobs, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def queued(task: object) -> Counter[str]:
        asked.append(task)
        return Counter(scripts())

    shop.run("pears")
    shop.run("apples", enqueue=True)
    assert UNKNOWN in shop.run(command="check_scripts").out
    assert "Queue        not known, this queue cannot say\n" in shop.run("apples", command="show_script").out
    monkeypatch.setattr(queue, "queued", queued)
    check = shop.run(command="check_scripts").out
    assert "jobs.apples: never applied here\n    1 job on the queue\n" in check
    assert (check.count("on the queue"), UNKNOWN in check) == (1, False)
    assert "Queue        1 job\n" in shop.run("apples", command="show_script").out
    found = json.loads(shop.run(command="check_scripts", format="json").out)["scripts"]
    assert {one["script"]: one["queued_jobs"] for one in found} == {"jobs.apples": 1, "jobs.cider": 0}
    assert len(asked) == 3
    assert "on the queue" not in shop.run("pears", command="check_scripts").out
    settings.SCRIPTS_TRACKER = {}
    assert "queue" not in shop.run(command="check_scripts").out
    assert len(asked) == 3, "nothing is asked without a queue, or a script that may wait"


def test_a_queue_that_is_broken_does_not_break_a_check(shop: Jobs, settings: Any) -> None:
    use(settings, "nowhere.CeleryBackend")
    assert UNKNOWN in shop.run(command="check_scripts").out


DOWN = f"""\
from {memory_queue.LIBRARY.__name__}.backends.base import BaseTaskBackend

class Down(BaseTaskBackend):
    def enqueue(self, *args):
        raise ConnectionError("Connection refused")
"""
IN_MIGRATE = {
    "a queue": (DUMMY, "Enqueued: shop.walk: 1 job\n", ""),
    "a queue that is away": (
        "shop.down.Down",
        "",
        "Batched scripts were not enqueued: shop.walk was not enqueued: ConnectionError: Connection refused\n",
    ),
    "a backend that would run it inside": (IMMEDIATE, "", ""),
}


@pytest.mark.parametrize(("backend", "out", "err"), IN_MIGRATE.values(), ids=IN_MIGRATE)
def test_migrate_enqueues_batched_scripts_with_auto_run_and(
    migrated: Project, backend: str, out: str, err: str
) -> None:
    migrated.write("shop/down.py", DOWN)
    migrated.path("shop.walk").write_text(BATCHED)
    migrated.settings(
        f'SCRIPTS_TRACKER = {{"auto_run": True, "queue": {{}}}}\nTASKS = {{"default": {{"BACKEND": {backend!r}}}}}'
    )
    result = migrated.migrate()
    assert ("Enqueued" in result.out, result.err) == (bool(out), err)
    assert out in result.out
    assert migrated.states() == {"shop.walk": "new"}


def test_nothing_imports_the_library_of_tasks_without_the_setting(migrated: Project) -> None:
    migrated.command("shop.first")
    out = migrated.python(
        "import sys\n"
        "from django.core.management import call_command\n"
        "import scripts_tracker.tasks\n"
        "for command in ('check', 'check_scripts', 'run_scripts'): call_command(command)\n"
        "print([name for name in sys.modules if name.startswith(('django.tasks.b', 'django_tasks', 'scripts_tracker.running.q',"
        " 'scripts_tracker.running.j'))])"
    ).out
    assert out.splitlines()[-1] == "[]"


def test_a_worker_of_celery_learns_the_task_by_its_name(migrated: Project) -> None:
    migrated.settings('SCRIPTS_TRACKER = {"queue": {}}')
    out = migrated.python(
        "import scripts_tracker.tasks as tasks; print(tasks.jobs.run_slice.module_path)"
    ).out
    assert out == "scripts_tracker.running.jobs.run_slice\n"
    migrated.settings('SCRIPTS_TRACKER = {"queue": {"backend": "nowhere"}}')
    result = migrated.python("import scripts_tracker.tasks")
    assert "No scripts are run from the queue" in result.err
