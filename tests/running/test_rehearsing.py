"""What a rehearsal says, keeps and refuses, and how it ends; test_rehearsals.py has what scripts do to real databases."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Group
from django.core import mail
from django.db import connection, transaction
from django.db.backends.signals import connection_created

from scripts_tracker.core import reports
from scripts_tracker.ledger import sessions
from scripts_tracker.models import Script, ScriptRun, ScriptVersion
from scripts_tracker.running.rolled_back import RolledBack
from scripts_tracker.signals import script_failed, script_started, script_succeeded
from tests.jobs import Jobs
from tests.running.batches import LOG, add_rows, script
from tests.running.memory_queue import LIBRARY, PUT, scripts, use

IMPORT = "from django.contrib.auth.models import Group; from django.db import connection, transaction; "
CREATE = f"{IMPORT}Group.objects.create(name='new')"

NOT_TOGETHER: dict[str, tuple[dict[str, Any], str]] = {
    "workers": ({"workers": 2}, "--workers does not go with --rehearse: other processes do not see"),
    "for": ({"duration": "30m"}, "--for does not go with --rehearse: use --batches N"),
    "enqueue": (
        {"enqueue": True},
        "--enqueue does not go with --rehearse: what a job does is not rolled back.",
    ),
    "plan": ({"plan": True}, "--plan does not go with --rehearse: a plan runs nothing."),
    "no batches": ({"batches": "0"}, "--batches: expected a number from 1 to 10000, got '0'."),
    "some batches": ({"batches": "some"}, "--batches: expected a number from 1 to 10000, got 'some'."),
    "sql without a rehearsal": ({"rehearse": False, "sql": True}, "--sql goes with --rehearse."),
    "batches without a rehearsal": ({"rehearse": False, "batches": "3"}, "--batches goes with --rehearse."),
    "json without a rehearsal": (
        {"rehearse": False, "format": "json"},
        "--format goes with --plan or --rehearse.",
    ),
}


def rehearse(jobs: Jobs, *names: str, code: int = 0, **options: Any) -> dict[str, dict[str, Any]]:
    """What JSON has of each script, by name."""
    result = jobs.run(*names, rehearse=True, format="json", **options)
    assert result.code == code, result
    return {one["script"].removeprefix("jobs."): one for one in json.loads(result.out)["scripts"]}


@pytest.mark.parametrize(("options", "line"), NOT_TOGETHER.values(), ids=NOT_TOGETHER)
def test_what_does_not_go_together_is_refused_in_a_line(
    jobs: Jobs, options: dict[str, Any], line: str, settings: Any
) -> None:
    settings.SCRIPTS_TRACKER = {"queue": {}}
    jobs.script("a", CREATE)
    result = jobs.run(**{"rehearse": True, **options})
    assert result.code == 2
    assert result.err.startswith(line), result.err
    assert result.err.count("\n") == 1
    assert not ScriptRun.objects.exists()


def test_a_rehearsal_leaves_a_row_with_its_report_and_nothing_else(jobs: Jobs) -> None:
    jobs.script("a", f"{CREATE}; self.stdout.write('hello')")
    result = jobs.run(rehearse=True)
    assert result.code == 0
    assert "jobs.a: rehearsed in " in result.out
    assert "  auth_group: 1 inserted (1 statement, " in result.out
    assert result.out.endswith("Everything was rolled back; no script was marked as applied.\n")
    assert not Group.objects.exists()
    run = ScriptRun.objects.get()
    assert (run.kind, run.outcome, run.applies) == ("rehearsal", "succeeded", False)
    assert run.output == "hello\n"
    assert run.started_at <= run.ended_at  # type: ignore[operator]  # it has ended
    report = reports.from_text(run.report)
    assert report is not None
    assert reports.row_counts(report.tables) == {"auth_group": {"inserted": 1, "updated": 0, "deleted": 0}}
    assert (Script.objects.get().last_run, ScriptVersion.objects.count()) == (None, 1)
    assert jobs.states() == {"a": "new"}


def test_a_failure_is_recorded_with_what_was_done_until_then(jobs: Jobs) -> None:
    jobs.script("a", f"{CREATE}; raise ValueError('no luck, password=hunter2')")
    jobs.script("b", requires="a")
    jobs.script("c")
    result = jobs.run(rehearse=True)
    assert result.code == 1
    assert "The rehearsal failed: 1 failed, 1 blocked, 1 skipped. Everything was rolled back.\n" in result.err
    assert "ValueError: no luck" in result.err
    run = ScriptRun.objects.get()  # none of those that were not reached
    assert (run.outcome, run.reason[:20]) == ("failed", "ValueError: no luck,")
    assert "hunter2" not in run.reason + run.traceback
    assert "no luck" in run.traceback
    assert '"inserted":1' in run.report
    assert not Group.objects.exists()
    assert jobs.states() == {"a": "new", "b": "new", "c": "new"}


def test_verify_is_asked_inside_and_fails_the_rehearsal(jobs: Jobs) -> None:
    check = f"def check(self):\n        {IMPORT}assert Group.objects.count() == 2, 'one is missing'"
    jobs.script("a", CREATE, decorators='@tracked_script(verify="check")', attributes=check)
    found = rehearse(jobs, code=1)
    assert found["a"]["reason"] == "AssertionError: one is missing"
    Group.objects.create(name="old")
    assert rehearse(jobs)["a"]["outcome"] == "rehearsed"


def test_an_atomic_script_is_rehearsed_as_it_runs(jobs: Jobs) -> None:
    jobs.script("a", CREATE, decorators="@tracked_script(atomic=True)")
    assert rehearse(jobs)["a"]["outcome"] == "rehearsed"
    assert not Group.objects.exists()


def test_a_script_that_is_running_is_not_rehearsed(jobs: Jobs) -> None:
    jobs.script("a", CREATE)
    jobs.begin_elsewhere("a")
    found = rehearse(jobs, code=1)
    assert found["a"]["outcome"] == "held"
    assert "elsewhere" in found["a"]["reason"]
    assert ScriptRun.objects.get().kind == "run"


def test_a_rehearsal_holds_no_script(jobs: Jobs) -> None:
    body = "from tests.running.test_rehearsing import held; held()"
    jobs.script("a", body)
    assert rehearse(jobs)["a"]["outcome"] == "rehearsed"
    assert LOG.pop() == []


def held() -> None:
    """Which scripts a live lease holds while one is rehearsed."""
    from scripts_tracker.ledger import queries

    LOG.append([one.id.name for one in queries.records().values() if one.is_held])


@pytest.mark.parametrize("error", ["KeyboardInterrupt()", "processes.Terminated('SIGTERM')"])
def test_an_interrupt_in_the_middle_rolls_everything_back(jobs: Jobs, error: str) -> None:
    jobs.script("a", CREATE)
    raises = (
        f"from scripts_tracker.ledger import processes; {IMPORT}Group.objects.all().delete(); raise {error}"
    )
    jobs.script("b", raises)
    jobs.script("c")
    Group.objects.create(name="old")
    result = jobs.run(rehearse=True)
    number = signal.SIGTERM if "SIGTERM" in error else signal.SIGINT
    assert result.code == 128 + number
    assert [one.name for one in Group.objects.all()] == ["old"]
    assert jobs.outcomes() == ["a succeeded", "b failed"]
    assert ScriptRun.objects.get(outcome="failed").reason.startswith("interrupted")
    assert connection.get_autocommit()


BEGINNING = ((RolledBack, "_look_fresh"), (RolledBack, "_patches"), (sessions, "tables_without_transactions"))


@pytest.mark.parametrize(("owner", "name"), [*BEGINNING, (connection_created, "connect")])
def test_an_interrupt_while_it_begins_leaves_nothing_behind(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    jobs.script("a")
    real = getattr(owner, name)

    def pressed(*args: Any, **named: Any) -> None:
        real(*args, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, pressed)
        with pytest.raises(KeyboardInterrupt):
            jobs.run(rehearse=True)
    connection.close()
    assert (jobs.outcomes(), connection.get_autocommit()) == ([], True)
    assert jobs.run(rehearse=True).code == 0


def test_an_applied_script_is_rehearsed_if_it_is_named(jobs: Jobs) -> None:
    jobs.script("a", f"{IMPORT}Group.objects.get_or_create(name='new')")
    assert jobs.run().code == 0
    assert jobs.run(rehearse=True).out == "No scripts to run.\n"
    assert rehearse(jobs) == {}
    assert rehearse(jobs, "a")["a"]["report"]["tables"][0]["inserted"] == 0
    assert jobs.states() == {"a": "applied"}
    assert jobs.outcomes() == ["a succeeded"] * 2


def test_run_scripts_inside_of_a_rehearsal_is_refused_in_a_line(jobs: Jobs) -> None:
    jobs.script("a", "from django.core.management import call_command; call_command('run_scripts', 'b')")
    jobs.script("b")
    assert rehearse(jobs, "a", code=1)["a"]["reason"].startswith(
        "run_scripts does not go inside of a rehearsal"
    )


def test_inside_a_transaction_of_the_caller_only_the_rehearsal_is_rolled_back(jobs: Jobs) -> None:
    jobs.script("a", f"{CREATE}; assert connection.get_autocommit()")
    jobs.script("b", f"{CREATE}; raise ValueError")
    hooks: list[str] = []
    with transaction.atomic():
        Group.objects.create(name="before")
        transaction.on_commit(lambda: hooks.append("kept"))
        found = rehearse(jobs, code=1)
        Group.objects.create(name="after")
    assert [one["outcome"] for one in found.values()] == ["rehearsed", "failed"]
    assert sorted(one.name for one in Group.objects.all()) == ["after", "before"]
    assert hooks == ["kept"]
    assert jobs.outcomes() == ["a succeeded", "b failed"]


def test_statements_are_shown_with_their_values_and_without_secrets(jobs: Jobs) -> None:
    jobs.script(
        "a",
        f"{IMPORT}Group.objects.filter(name='old').update(name='new');"
        ' connection.cursor().execute("SELECT %s AS token", ["token=sesame"])',
    )
    result = jobs.run(rehearse=True, sql=True)
    assert '  UPDATE "auth_group" SET "name" = \'new\' WHERE "auth_group"."name" = \'old\';\n' in result.out
    assert "sesame" not in result.out
    found = rehearse(jobs, sql=True)
    assert found["a"]["statements"][0].startswith('UPDATE "auth_group"')
    assert len(found["a"]["statements"]) == 2


def test_json_is_alone_on_stdout(jobs: Jobs, capsys: pytest.CaptureFixture[str]) -> None:
    jobs.script("a", "print('by print'); self.stdout.write('by the command')")
    result = jobs.run(rehearse=True, format="json")
    document = json.loads(result.out)
    assert document["version"] == 1
    assert document["not_rolled_back"] == []
    assert document["notes"][0].startswith("All databases are rolled back at the end.")
    assert "by the command" in result.err
    printed = capsys.readouterr()
    assert ("by print" in printed.out, "by print" in printed.err) == (False, True)


def test_signals_are_not_sent(jobs: Jobs) -> None:
    sent: list[object] = []

    def receive(**facts: object) -> None:
        sent.append(facts)

    for one in (script_started, script_succeeded, script_failed):
        one.connect(receive)
    try:
        jobs.script("a")
        jobs.script("b", "raise ValueError")
        rehearse(jobs, code=1)
    finally:
        for one in (script_started, script_succeeded, script_failed):
            one.disconnect(receive)
    assert not sent


def test_the_process_is_put_back_after_each_script(jobs: Jobs) -> None:
    jobs.script(
        "a", "import os; os.environ['LEFT'] = 'x'; from django.conf import settings; settings.LEFT = 1"
    )
    jobs.script("b", "import os; assert 'LEFT' not in os.environ")
    assert {one["outcome"] for one in rehearse(jobs).values()} == {"rehearsed"}
    assert not hasattr(django_settings, "LEFT")


MAILS = {
    "send_mail": "mail.send_mail('s', 'b', 'a@b.c', ['d@e.f'])",
    "a message": "mail.EmailMessage('s', 'b', 'a@b.c', ['d@e.f']).send()",
    "a backend made by hand": (
        "from django.core.mail.backends.smtp import EmailBackend;"
        " EmailBackend(host='127.0.0.1', port=1).send_messages([mail.EmailMessage('s', 'b', 'a@b.c', ['d@e.f'])])"
    ),
}


@pytest.mark.parametrize("send", MAILS.values(), ids=MAILS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_mail_is_counted_and_not_sent(jobs: Jobs, send: str) -> None:
    jobs.script("a", f"from django.core import mail; {send}")
    assert rehearse(jobs)["a"]["report"]["mails"] == 1
    assert not mail.outbox
    mail.send_mail("s", "b", "a@b.c", ["d@e.f"])
    assert len(mail.outbox) == 1


COMMITS = {
    "few": ("Group.objects.create(name='a')", None),
    "one for each row": ("[Group.objects.create(name=str(n)) for n in range(12)]", "12 commits"),
    "one for all": (
        "b = transaction.atomic()\n        with b:\n            [Group.objects.create(name=str(n)) for n in range(12)]",
        None,
    ),
    "only read": ("[Group.objects.count() for _ in range(12)]", None),
    "a transaction for each": (
        "[transaction.atomic(Group.objects.create)(name=str(n)) for n in range(12)]",
        "12 commits",
    ),
}


@pytest.mark.parametrize(("body", "words"), COMMITS.values(), ids=COMMITS)
def test_a_note_says_how_many_commits_took_no_time(jobs: Jobs, body: str, words: str | None) -> None:
    jobs.script("a", IMPORT + body)
    warnings = rehearse(jobs)["a"]["report"]["warnings"]
    assert [one.partition(" were not made; in a real run, each waits")[0] for one in warnings] == (
        [words] if words else []
    )


def test_jobs_are_counted_and_not_enqueued(jobs: Jobs, settings: Any) -> None:
    use(settings)
    task = "from tests.running.test_rehearsing import work; work.enqueue(script='x')"
    jobs.script("a", f"{task}; {task}")
    assert rehearse(jobs)["a"]["report"]["jobs"] == 2
    assert "; 2 jobs not enqueued." in jobs.run(rehearse=True).out
    assert not PUT
    jobs.run("a")
    assert scripts() == ["x", "x"]


def work(script: str) -> None:
    """Not done."""


work = LIBRARY.task(work)


def test_show_script_has_the_last_rehearsal(jobs: Jobs) -> None:
    jobs.script("a", CREATE)
    assert json.loads(jobs.run("a", command="show_script", format="json").out)["rehearsal"] is None
    rehearse(jobs)
    shown = jobs.run("a", command="show_script").out
    assert "succeeded):\n  auth_group: 1 inserted (1 statement, " in shown.partition("Last rehearsal (")[2]
    assert "  rehearsal succeeded in " in shown
    found = json.loads(jobs.run("a", command="show_script", format="json").out)["rehearsal"]
    assert (found["outcome"], found["tables"][0]["inserted"]) == ("succeeded", 1)
    jobs.script("a", f"{CREATE}; print('more')")
    assert ", succeeded, other code):" in jobs.run("a", command="show_script").out
    jobs.run_alone("a")
    assert "  succeeded in " in jobs.run("a", command="show_script").out


# Batched scripts

SAMPLES: dict[str, tuple[Any, int, dict[str, Any]]] = {
    "a row for every key": (
        range(1, 101),
        5,
        {"batches": 5, "keys": 15, "percent": 15.0, "estimated_rows": 100},
    ),
    "half of the keys": (
        [*range(1, 51), 100],
        2,
        {"batches": 2, "keys": 4, "percent": 53.0, "estimated_rows": 51},
    ),
    "fewer rows than a batch": ([5, 7], 5, {"batches": 3, "keys": 2, "percent": 100.0, "estimated_rows": 2}),
    "no row": ([], 5, {"batches": 0, "keys": 0, "percent": 100.0, "estimated_rows": 0}),
}


@pytest.mark.parametrize(("keys", "count", "expected"), SAMPLES.values(), ids=SAMPLES)
def test_a_batched_script_processes_some_batches_and_says_what_that_makes_for_all(
    jobs: Jobs, keys: Any, count: int, expected: dict[str, Any]
) -> None:
    add_rows(keys)
    before = sorted(Group.objects.values_list("pk", "name"))
    script(jobs)
    found = rehearse(jobs, batches=count)["walk"]
    assert found["outcome"] == "rehearsed"
    sample = found["report"]["sample"]
    assert {name: sample[name] for name in expected} == expected
    assert ["finish"] * (expected["percent"] == 100) == LOG
    assert sorted(Group.objects.values_list("pk", "name")) == before
    assert jobs.states() == {"walk": "new"}


def test_keys_that_do_not_say_how_far_they_are_apart_are_taken_from_the_first_one(jobs: Jobs) -> None:
    from django.contrib.sessions.models import Session
    from django.utils import timezone

    Session.objects.bulk_create(
        Session(session_key=f"k{n:02}", session_data="", expire_date=timezone.now()) for n in range(20)
    )
    rows = "__import__('django.contrib.sessions.models').contrib.sessions.models.Session.objects.all()"
    script(jobs, "batch.update(session_data='x')", rows=rows)
    sample = rehearse(jobs, batches=2)["walk"]["report"]["sample"]
    assert (sample["keys"], sample["percent"], sample["estimated_rows"]) == (6, None, None)
    assert "For the whole: not known" in jobs.run(rehearse=True, batches=2).out
    whole = rehearse(jobs, batches=50)["walk"]["report"]["sample"]
    assert (whole["keys"], whole["percent"], whole["estimated_rows"]) == (20, 100.0, 20)
