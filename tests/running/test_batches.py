"""Batched scripts in one process: which rows are processed, what a failure stops, and what the next run goes on with."""

from __future__ import annotations

import os
import re
import signal
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management.base import CommandError

from scripts_tracker.ledger import walks
from scripts_tracker.models import Script, ScriptRange, ScriptRun, ScriptWalk
from scripts_tracker.project.status import load_status
from scripts_tracker.running import batch, walking, worker
from tests.conftest import every_pair
from tests.jobs import Jobs
from tests.running.batches import DATA, HIT, LOG, add_rows, hits, script, untouched

POISON = """\
if DATA & set(batch.values_list("pk", flat=True)):
            batch.update(name=Concat("name", Value("x")))
            raise IntegrityError("bad row")
        return batch.update(name=Concat("name", Value("x")))"""


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "pause", lambda tries: 0.0)


KEYS = {
    "a row for every key": range(1, 101),
    "one row": [1],
    "no row": [],
    "below zero": range(-50, 50, 7),
    "far apart": [1, 2, 10**6, 10**12, 10**15],
    "at both ends of a bigint": [-(2**63), -(2**63) + 1, 0, 2**63 - 2, 2**63 - 1],
    "fewer than ranges": range(5, 10),
}


@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS.keys())
def test_every_row_is_processed_once_wherever_its_key_lies(jobs: Jobs, keys: Any) -> None:
    add_rows(keys)
    script(jobs)
    result = jobs.run()
    assert (result.code, result.err) == (0, "")
    assert hits() == ({1: len(keys)} if keys else {})
    assert LOG == ["finish"]
    assert jobs.states() == {"walk": "applied"}
    assert not Script.objects.get().walk_id
    assert ScriptWalk.objects.get().outcome == "succeeded"
    assert sum(ScriptRange.objects.values_list("rows", flat=True)) == len(keys)


def test_a_sparse_filter_walks_the_keys_and_processes_only_its_rows(jobs: Jobs) -> None:
    add_rows(range(1, 101))
    script(jobs, rows="Group.objects.filter(pk__in=[7, 99])")
    assert jobs.run().code == 0
    assert hits() == {1: 2, 0: 98}
    assert sum(ScriptRange.objects.values_list("keys", flat=True)) == 100


def test_rows_that_are_added_and_deleted_meanwhile_are_no_trouble(jobs: Jobs) -> None:
    add_rows(range(1, 41))
    process = """\
if not LOG:
            LOG.append("added")
            Group.objects.filter(pk__in=(3, 20, 21, 40)).delete()
            Group.objects.bulk_create(Group(pk=key, name=f"row {key} ") for key in range(41, 60))
        batch.update(name=Concat("name", Value("x")))"""
    script(jobs, process)
    assert jobs.run().code == 0
    assert hits() == {1: 55}


def test_a_bad_row_is_named_and_the_others_go_on(jobs: Jobs) -> None:
    add_rows(range(1, 201))
    script(jobs, POISON)
    DATA.add(37)
    result = jobs.run()
    assert result.code == 1
    assert "row 37: django.db.utils.IntegrityError: bad row" in result.out
    assert "% " in result.out or " %" in result.out
    assert 37 in untouched()
    assert set(untouched()) <= set(range(37, 51))  # what follows in its range
    assert LOG == []
    assert jobs.states() == {"walk": "failed"}


def test_the_next_run_goes_on_from_the_bad_row(jobs: Jobs) -> None:
    add_rows(range(1, 201))
    script(jobs, POISON)
    DATA.add(37)
    jobs.run()
    DATA.clear()
    assert jobs.run().code == 0
    assert hits() == {1: 200}
    assert LOG == ["finish"]
    assert jobs.outcomes() == ["walk failed", "walk succeeded"]


def test_a_batch_that_fails_once_is_tried_again(jobs: Jobs) -> None:
    add_rows(range(1, 41))
    process = """\
batch.update(name=Concat("name", Value("x")))
        if len(LOG) < 2:
            LOG.append("failed")
            raise OperationalError("deadlock detected")"""
    script(jobs, process, finish="pass")
    assert jobs.run().code == 0
    assert hits() == {1: 40}


def test_a_fault_between_the_effect_and_the_cursor_undoes_both(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_rows(range(1, 41))
    script(jobs)
    save, faults = walks.save_cursor, [KeyboardInterrupt(), OSError(), OSError()]

    def fail_first(*args: Any) -> Any:
        if faults:
            raise faults.pop()
        return save(*args)

    monkeypatch.setattr(walks, "save_cursor", fail_first)
    with pytest.raises(KeyboardInterrupt):
        jobs.run_alone("walk")
    assert hits() == {0: 40}
    assert jobs.run().code == 0
    assert hits() == {1: 40}


def test_a_lost_answer_to_a_commit_does_not_repeat_the_batch(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_rows(range(1, 41))
    process = """\
batch.update(name=Concat("name", Value("x")))
        if "once" in DATA:
            DATA.clear()
            commit = connection.commit
            def lose():
                del connection.commit
                commit()
                raise OperationalError("server closed the connection unexpectedly")
            connection.commit = lose"""
    script(jobs, process)
    DATA.add("once")
    assert jobs.run().code == 0
    assert hits() == {1: 40}


HOOK = """\
batch.update(name=Concat("name", Value("x")))
        def hook():
            LOG.append(Group.objects.filter(name__contains="x").count())
            raise RuntimeError("no mail server")
        transaction.on_commit(hook)"""


def test_hooks_follow_the_commit_and_their_errors_do_not_undo_it(
    jobs: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    add_rows(range(1, 11))
    script(jobs, HOOK, finish="pass")
    assert jobs.run().code == 0
    assert hits() == {1: 10}
    assert LOG[0] == 1
    assert "no mail server" in caplog.text
    shown = jobs.run("walk", command="show_script").out
    assert "error after the commit of a batch: RuntimeError: no mail server (and 9 more)" in shown
    assert "Traceback of the last run:" in shown
    assert "Warning: jobs.walk: a hook of on_commit failed after its batch" in ScriptRun.objects.get().output
    assert jobs.states() == {"walk": "applied"}


BROKEN = {
    "a rollback is requested": ("transaction.set_rollback(True)", "undid the transaction"),
    "the transaction is committed": ("connection.cursor().execute('COMMIT')", "ended the transaction"),
    "it is a generator": ("yield", "returned a generator"),
}


@pytest.mark.parametrize(("process", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_batch_whose_transaction_is_broken_fails_at_once(jobs: Jobs, process: str, message: str) -> None:
    add_rows([1])
    script(jobs, process)
    result = jobs.run()
    assert result.code == 1
    assert f"row 1: process() {message}" in result.out
    assert ScriptRange.objects.get().outcome == "parked"


WRONG_SIZES = [
    *(("batch_size", one) for one in ("0", "-1", "None", "'9'", "1.5", "True", "2**31")),
    *(("batch_max", one) for one in ("0", "None", "1e9", "False")),
    *(("batch_seconds", one) for one in ("-1", "None", "'1'", "1e400", "float('nan')", "86401", "True")),
]


COMMANDS = {name: name for name in ("run_scripts", "rehearse", "dry run")}


@pytest.mark.parametrize(
    ("size", "command"),
    every_pair({f"{name}-{value}": (name, value) for name, value in WRONG_SIZES}, COMMANDS),
)
def test_a_wrong_size_is_one_clear_line(jobs: Jobs, size: tuple[str, str], command: str) -> None:
    name, value = size
    add_rows(range(1, 5))
    script(jobs, attributes=f"{name} = {value}", decorators="@tracked_script(unless=('verbosity',))")
    if command == "dry run":
        with pytest.raises(CommandError, match=f"^{name}: expected a "):
            jobs.run_alone("walk", verbosity=1)
    else:
        script(jobs, attributes=f"{name} = {value}")
        result = jobs.run(rehearse=command == "rehearse")
        assert result.code == 1
        assert re.search(rf"jobs\.walk: {name}: expected a .* from [01] to \d+, got ", result.out)
    assert hits() == {0: 4}


def test_the_first_batch_is_no_larger_than_the_largest(jobs: Jobs) -> None:
    add_rows(range(1, 40))
    script(jobs, f"LOG.append(len(batch)); {HIT}", size=100, attributes="batch_max = 2")
    assert jobs.run().code == 0
    assert (max(LOG[:-1]), hits()) == (2, {1: 39})  # type: ignore[type-var]  # numbers


NO_COUNTS = ["-1", "10**30", "True", "'text'", "1.5"]


@pytest.mark.parametrize("result", NO_COUNTS)
def test_what_is_no_count_of_rows_counts_as_the_keys(jobs: Jobs, result: str) -> None:
    add_rows(range(1, 8))
    script(jobs, f"{HIT.removeprefix('return ')}; return {result}")
    assert jobs.run().code == 0
    assert sum(ScriptRange.objects.values_list("rows", flat=True)) == 7


BAD_QUERYSETS = {
    "Group.objects.all()[:5]": "a slice",
    "Group.objects.values('pk')": "values()",
    "Group.objects.select_for_update(skip_locked=True)": "would leave out rows that are locked",
    "Group.objects.all().union(Group.objects.all())": "union()",
    "[1, 2]": "must return a queryset, not list",
    "1 / 0": "ZeroDivisionError",
}


@pytest.mark.parametrize(("rows", "message"), BAD_QUERYSETS.items(), ids=BAD_QUERYSETS.keys())
def test_what_has_no_batches_fails_and_is_recorded(jobs: Jobs, rows: str, message: str) -> None:
    script(jobs, rows=rows)
    result = jobs.run()
    assert result.code == 1
    assert message in result.out + result.err
    assert jobs.outcomes() == ["walk failed"]


def test_an_end_that_fails_is_repeated_alone(jobs: Jobs) -> None:
    add_rows(range(1, 41))
    script(jobs, finish="LOG.append('finish'); assert DATA")
    assert jobs.run().code == 1
    assert jobs.states() == {"walk": "failed"}
    DATA.add("now it can")
    assert jobs.run().code == 0
    assert LOG == ["finish", "finish"]
    assert hits() == {1: 40}


@pytest.mark.parametrize(
    ("decorators", "message"),
    [("", "put @tracked_script on it"), ("@tracked_script(atomic=True)", "leave out atomic=True")],
)
def test_what_cannot_be_recorded_is_not_run(jobs: Jobs, decorators: str, message: str) -> None:
    add_rows([1])
    script(jobs, decorators=decorators)
    with pytest.raises(CommandError, match=message):
        jobs.run_alone("walk")
    assert hits() == {0: 1}


BASE = """\
    @tracked_script
    def process(self, batch):
        return batch.update(name=Concat("name", Value("x")))

class Helper:
    def process(self, batch):
        return batch.update(name=Concat("name", Value("x")))

class Command(Base):
    {decorator}
    def process(self, batch):
        {body}
"""
# What stands in place of a tracked process(), and whether the script is tracked: for handle() the answers are the same.
OVERRIDES = {
    "another": ("", "pass", False),
    "one that calls it": ("", "return super().process(batch)", True),
    "one that calls it by its class": ("", "return Base.process(self, batch)", True),
    "one that calls it inside of another function": (
        "",
        "return (lambda: super(Command, self).process(batch))()",
        True,
    ),
    "one that calls that of another object": ("", "return Helper().process(batch)", False),
    "one that is tracked itself": ("@tracked_script", "return Helper().process(batch)", True),
    "one with another decorator that calls it": (
        "@transaction.atomic",
        "return super().process(batch)",
        True,
    ),
    "one with another decorator": ("@transaction.atomic", "return Helper().process(batch)", False),
}


def override(jobs: Jobs, decorator: str, body: str) -> None:
    script(jobs)
    source = jobs.path("walk").read_text().replace("class Command(", "class Base(")
    head, _, rest = source.partition("    @tracked_script\n")
    finish = rest[rest.index("    def finish") :]
    base, _, command = BASE.format(decorator=decorator, body=body).partition("class Helper")
    jobs.write("walk", f"{head}{base}{finish}\nclass Helper{command}")


@pytest.mark.parametrize(("decorator", "body", "is_tracked"), OVERRIDES.values(), ids=OVERRIDES)
def test_a_check_and_a_run_agree_whether_an_overridden_process_is_tracked(
    jobs: Jobs, decorator: str, body: str, *, is_tracked: bool
) -> None:
    add_rows([1])
    override(jobs, decorator, body)
    if is_tracked:
        jobs.run_alone("walk")
        assert (hits(), jobs.states()) == ({1: 1}, {"walk": "applied"})
    else:
        with pytest.raises(CommandError, match="replaces a tracked one without calling it"):
            jobs.run_alone("walk")
        assert (hits(), jobs.states()) == ({0: 1}, {})


def test_a_requirement_of_an_override_counts_beside_those_of_what_it_calls(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.script("first")
    override(jobs, "@required_preceding_script('first')", "return super().process(batch)")
    (found,) = (status for status in load_status().statuses if status.is_batched)
    assert [one.text for one in found.requires] == ["jobs.first"]
    given: list[Any] = []
    monkeypatch.setattr(worker, "run", lambda _command, tracking, *_: given.extend(tracking[1]))
    jobs.run_alone("walk")
    assert [one.name for one in given] == ["first"]


def test_process_can_be_called_by_a_test_of_the_project(jobs: Jobs) -> None:
    import importlib

    add_rows([1, 2])
    script(jobs)
    command = importlib.import_module("jobs.management.commands.walk").Command()
    assert command.process(Group.objects.all()) == 2
    assert not ScriptRun.objects.exists()


def test_without_the_tracker_all_batches_are_processed_and_nothing_is_recorded(
    jobs: Jobs, settings: Any
) -> None:
    settings.SCRIPTS_TRACKER = {"enabled": False}
    add_rows(range(1, 41))
    script(jobs)
    jobs.run_alone("walk")
    assert (hits(), LOG) == ({1: 40}, ["finish"])
    assert not ScriptRun.objects.exists()


DRY = """\
def add_arguments(self, parser):
        parser.add_argument("--dry-run", action="store_true")"""


def test_a_dry_run_leaves_no_walk(jobs: Jobs) -> None:
    add_rows(range(1, 5))
    script(jobs, "LOG.append(self.batch_options['dry_run'])", attributes=DRY, finish="pass")
    jobs.run_alone("walk", dry_run=True)
    assert LOG == [True, True]
    assert not ScriptWalk.objects.exists()
    assert ScriptRun.objects.get().kind == "rehearsal"
    assert jobs.states() == {"walk": "new"}


def test_other_code_does_not_go_on_by_itself(jobs: Jobs) -> None:
    add_rows(range(1, 41))
    script(jobs, POISON)
    DATA.add(1)
    jobs.run()
    script(jobs, f"LOG.append('other')\n        {POISON}")
    with pytest.raises(CommandError, match=r"begun with other code at [\d.]+ %.*--accept-code"):
        jobs.run_alone("walk")


def test_requirements_of_process_are_those_of_the_script(jobs: Jobs) -> None:
    jobs.script("first", "raise CommandError('no')")
    script(jobs, decorators="@tracked_script\n    @required_preceding_script('first')")
    add_rows([1])
    assert jobs.run().code == 1
    assert hits() == {0: 1}


def test_a_run_of_the_same_script_after_its_end_begins_again(jobs: Jobs) -> None:
    add_rows([1])
    script(jobs)
    jobs.run_alone("walk")
    jobs.run_alone("walk")
    assert hits() == {2: 1}
    assert set(ScriptWalk.objects.values_list("outcome", flat=True)) == {"succeeded"}


CHECK = "def check(self):\n        LOG.append('check'); assert DATA, 'rows are left'\n"


def test_the_method_of_verify_decides_at_the_end_whether_the_script_has_succeeded(jobs: Jobs) -> None:
    add_rows(range(1, 41))
    script(jobs, decorators='@tracked_script(verify="check")', attributes=CHECK)
    result = jobs.run()
    assert (result.code, jobs.states()) == (1, {"walk": "failed"})
    assert "AssertionError: rows are left" in result.out
    DATA.add("nothing left")
    assert jobs.run().code == 0
    assert (hits(), LOG) == ({1: 40}, ["finish", "check", "finish", "check"])
    assert jobs.states() == {"walk": "applied"}


def test_a_worker_that_stops_early_is_not_asked(jobs: Jobs) -> None:
    add_rows(range(1, 41))
    process = "import time; time.sleep(1.1)"
    script(jobs, process, decorators='@tracked_script(verify="check")', attributes=CHECK)
    assert jobs.run(duration="1s").code == 75
    assert LOG == []


# What happens after the last look at the signals, and how.
LAST = ("begin_finish", "ranges", "left")


@pytest.mark.parametrize("step", LAST)
def test_a_ctrl_c_at_the_very_end_is_not_lost(jobs: Jobs, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    add_rows(range(1, 7))
    script(jobs)
    jobs.script("xlast")
    real, numbers = getattr(walks, step), [signal.SIGINT]

    def pressed(*given: Any) -> Any:
        result = real(*given)
        if numbers and not ScriptRange.objects.exclude(outcome="done"):
            os.kill(os.getpid(), numbers.pop())
        return result

    monkeypatch.setattr(walks, step, pressed)
    result = jobs.run(continue_on_error=True)
    assert (result.code, LOG) == (130, [])
    assert "  jobs.walk: interrupted: Ctrl-C" in result.out
    assert jobs.outcomes() == ["walk failed"]
    assert jobs.run().code == 0
    assert (hits(), LOG) == ({1: 6}, ["finish"])
    assert jobs.outcomes() == ["walk failed", "walk succeeded", "xlast succeeded"]


def test_a_ctrl_c_at_the_moment_of_a_failure_is_not_lost(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    add_rows(range(1, 3))
    script(jobs, "1 / 0", size=1)
    jobs.script("xlast")
    real, numbers = walking.at_percent, [signal.SIGINT]

    def pressed(walk_pk: int) -> str:
        if numbers:
            os.kill(os.getpid(), numbers.pop())
        return real(walk_pk)

    monkeypatch.setattr(walking, "at_percent", pressed)
    result = jobs.run(continue_on_error=True)
    assert result.code == 130
    assert jobs.outcomes() == ["walk failed"]
    assert "row 1: ZeroDivisionError: division by zero" in jobs.run("walk", command="show_script").out


ARGUED = """
    def add_arguments(self, parser):
        parser.add_argument("--since", default="")
"""
OTHER = 'Warning: jobs.walk: it was begun with other arguments ({"since": "2024"}), which the rows that are done were'


def begin_with_arguments(jobs: Jobs) -> None:
    add_rows(range(1, 9))
    script(jobs, f"if 'bad' in DATA: 1 / 0\n        {HIT}", attributes=ARGUED)
    DATA.add("bad")
    with pytest.raises(CommandError):
        jobs.run_alone("walk", since="2024")
    DATA.clear()


@pytest.mark.parametrize("since", ["2024", "2025", ""])
def test_other_arguments_than_those_of_the_first_worker_are_named(jobs: Jobs, since: str) -> None:
    begin_with_arguments(jobs)
    said = jobs.run_alone("walk", since=since, verbosity=2)
    assert (OTHER in said) is (since != "2024")
    assert ("To begin again: manage.py resume_script jobs.walk --restart." in said) is (since != "2024")
    assert hits() == {1: 8}


def test_accepted_code_may_have_other_arguments(jobs: Jobs) -> None:
    begin_with_arguments(jobs)
    script(jobs, HIT, attributes=ARGUED)
    assert jobs.run("walk", command="resume_script", accept_code=True).code == 0
    assert "other arguments" not in jobs.run_alone("walk", since="2025")


@pytest.mark.parametrize(
    ("then", "message"),
    [
        ({"key": "other"}, "begun on keys of the kind other, and auth_group has keys of another kind now"),
        (
            {"table": "old"},
            "begun on table old in database 'default', and batches() now returns rows of auth_group",
        ),
    ],
    ids=["another kind of key", "another table"],
)
def test_a_walk_does_not_go_on_by_other_keys(jobs: Jobs, then: dict[str, str], message: str) -> None:
    add_rows(range(1, 9))
    script(jobs, "1 / 0 if 'bad' in DATA else batch.update(name=Concat('name', Value('x')))")
    DATA.add("bad")
    assert jobs.run().code == 1
    DATA.clear()
    ScriptWalk.objects.update(**then)
    result = jobs.run()
    assert result.code == 1
    assert message in result.out
    assert "To begin again: manage.py resume_script jobs.walk --restart" in result.out
    assert jobs.run("walk", command="resume_script", restart=True).code == 0
    assert jobs.run().code == 0
    assert hits() == {1: 8}
