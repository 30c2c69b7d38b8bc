"""``manage.py prune_script_runs``: what of the history goes, and above all what never does."""

from __future__ import annotations

import io
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from scripts_tracker.core.values import ScriptId
from scripts_tracker.ledger import pruning
from scripts_tracker.ledger.processes import Terminated
from scripts_tracker.ledger.statements import identity_of
from scripts_tracker.models import Script, ScriptRun, ScriptVersion
from tests.builders import script_id
from tests.conftest import ENVIRONMENT, Project
from tests.databases.fixtures import HostedProject
from tests.waiting import PATIENCE, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = {"+": "run", "-": "run", "?": "run", "~": "run", "m": "mark", "u": "unmark", "r": "rehearsal"}
OUTCOMES = {"-": "failed", "?": "running", "~": "lost"}


def write_history(text: str, name: str = "shop.first") -> list[ScriptRun]:
    """Write a script's runs, oldest first: ``40a+`` began 40 days ago and applied version a.

    After the version: + applied, - failed, ~ lost, ? running, m mark, u unmark (of all before), r rehearsal, R running one.
    """
    asked = script_id(name)
    script = Script.objects.create(identity=identity_of(asked), app_label=asked.app_label, name=asked.name)
    runs: list[ScriptRun] = []
    for token in text.split():
        age, letter, sign = token[:-2], token[-2], token[-1]
        version = version_of(script, letter) if letter != "_" else None
        if sign == "u":
            ScriptRun.objects.filter(script=script).update(applies=False)
            script.applied_run = None
        if script.last_run is not None and script.last_run.applies and sign not in "urR":
            script.applied_run = script.last_run
        outcome = "running" if sign == "R" else OUTCOMES.get(sign, "succeeded")
        run = ScriptRun.objects.create(
            script=script,
            version=version,
            kind=KINDS[sign.lower()],
            outcome=outcome,
            applies=sign in "+m",
            started_at=timezone.now() - timedelta(days=int(age), hours=1),
        )
        runs.append(run)
        if sign.lower() != "r":
            script.last_run = run
    script.save()
    return runs


def version_of(script: Script, letter: str) -> ScriptVersion:
    facts = {"algorithm": "st1", "digest": letter * 64, "source": letter.encode()}
    return ScriptVersion.objects.get_or_create(script=script, content_digest=letter, defaults=facts)[0]


def prune(*names: str, **options: Any) -> str:
    out = io.StringIO()
    call_command("prune_script_runs", *names, stdout=out, **options)
    return out.getvalue()


def rest(runs: list[ScriptRun]) -> str:
    """The numbers of the runs that are still there."""
    left = set(ScriptRun.objects.values_list("pk", flat=True))
    return " ".join(str(number) for number, run in enumerate(runs, start=1) if run.pk in left)


NEVER = {"keep": 0}
KEPT = {
    "the only run, which makes the script applied": ("99a+", NEVER, "1"),
    "the applied run beside a failed last one": ("99a+ 98a- 97a-", NEVER, "1 3"),
    "the last run though it failed": ("99a- 98a-", NEVER, "2"),
    "the last run though it was lost": ("99a- 98a~", NEVER, "2"),
    "a running one": ("99a- 98a?", NEVER, "2"),
    "a running rehearsal, which holds nothing": ("0aR 98a-", NEVER, "1 2"),
    "the newest run that applied each version": ("99a+ 98a+ 97b+ 96b+ 95c+", NEVER, "2 4 5"),
    "a mark as what applied a version": ("99am 98b+", NEVER, "1 2"),
    "the last unmark": ("99a+ 98_u 97a- 96_u 95a- 94a-", NEVER, "4 6"),
    "among the newest, though old": ("99a- 98a- 97a- 96a-", {"keep": 3}, "2 3 4"),
    "young, though not among the newest": ("99a- 2a- 1a- 0a-", {"older_than": 30}, "2 3 4"),
    "old, but among the newest": ("99a- 98a- 97a- 0a-", {"keep": 2, "older_than": 30}, "3 4"),
    "not among the newest, but young": ("99a- 9a- 8a- 0a-", {"keep": 1, "older_than": 30}, "2 3 4"),
    "all, where fewer are there than to keep": ("99a- 98a-", {"keep": 5}, "1 2"),
}


@pytest.mark.django_db
@pytest.mark.parametrize(("history", "options", "expected"), KEPT.values(), ids=KEPT)
def test_it_is_kept(history: str, options: dict[str, int], expected: str) -> None:
    runs = write_history(history)
    said = prune(**options, dry_run=True)
    assert len(ScriptRun.objects.all()) == len(runs)
    assert prune(**options) == said.replace("would be deleted", "deleted")
    assert rest(runs) == expected
    assert prune(**options) == f"0 runs of 0 of 1 scripts deleted, {len(expected.split())} kept.\n"
    script = Script.objects.get()
    assert script.last_run is not None


WRONG = {
    "nothing says what may go": ({}, "specify --keep N, --older-than DAYS, or both."),
    "less than nothing": ({"keep": -1}, "--keep: expected a whole number from 0 to 2147483647, got -1."),
    "words": ({"keep": "many"}, "got 'many'."),
    "a fraction": (
        {"older_than": "1.5"},
        "--older-than: expected a whole number from 0 to 36500, got '1.5'.",
    ),
    "more than a calendar holds": ({"older_than": "999999999"}, "got '999999999'."),
    "digits that are none of ours": ({"keep": "²"}, "got '²'."),
    "a flood of digits": ({"keep": "9" * 5000}, "--keep: expected a whole number"),
    "more digits than Python prints": ({"keep": 10**5000}, "got a value of type int."),
    "not a number": ({"older_than": float("nan")}, "got nan."),
    "a truth": ({"keep": True}, "got True."),
    "an empty text": ({"keep": ""}, "got ''."),
}


@pytest.mark.django_db
@pytest.mark.parametrize(("options", "words"), WRONG.values(), ids=WRONG)
def test_wrong_use_is_one_line_and_deletes_nothing(options: dict[str, Any], words: str) -> None:
    runs = write_history("99a- 98a- 97a-")
    with pytest.raises(CommandError) as caught:
        prune(**options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.returncode == 2
    assert rest(runs) == "1 2 3"


@pytest.mark.django_db
def test_a_name_of_no_script_is_refused_before_anything_is_deleted() -> None:
    runs = write_history("99a- 98a-")
    with pytest.raises(CommandError, match=r"no tracked script 'frist'; did you mean shop.first\?") as caught:
        prune("shop.first", "frist", keep=0)
    assert caught.value.returncode == 2
    assert rest(runs) == "1 2"


@pytest.mark.django_db
def test_a_rehearsal_that_is_still_running_after_a_day_goes() -> None:
    runs = write_history("99aR 0aR 98a- 97a-")
    prune(keep=0)
    assert rest(runs) == "2 4"


@pytest.mark.django_db
def test_the_newest_run_stays_of_each_state_of_the_watched_modules() -> None:
    runs = write_history("99a+ 98a+ 97a+ 96a+ 95a-")
    for run, watched in zip(runs, ("one", "one", "two", "three"), strict=False):
        ScriptRun.objects.filter(pk=run.pk).update(watched=watched)
    prune(keep=0)
    assert rest(runs) == "2 3 4 5"


@pytest.mark.django_db
def test_only_the_named_scripts_are_pruned() -> None:
    first, second = write_history("99a- 98a-"), write_history("99a- 98a-", "stock.second")
    assert prune("second", keep=0) == (
        "  stock.second: 1 run deleted; 1 kept\n1 run of 1 of 1 scripts deleted, 1 kept.\n"
    )
    assert (rest(first), rest(second)) == ("1 2", "2")


SOURCES = {
    "what was applied keeps its source": ("99a+ 98b+ 97c+", "a b c"),
    "what failed last keeps it": ("99a+ 98b-", "a b"),
    "what only failed once loses it": ("99a- 98b- 97c+", "c"),
    "an unmarked run loses it": ("99a+ 98_u 97b+", "b"),
}


@pytest.mark.django_db
@pytest.mark.parametrize(("history", "expected"), SOURCES.values(), ids=SOURCES)
def test_the_source_goes_of_versions_that_no_run_names(history: str, expected: str) -> None:
    write_history(history)
    before = ScriptVersion.objects.count()
    said = prune(keep=0, dry_run=True)
    assert ScriptVersion.objects.filter(source__isnull=True).count() == 0
    assert prune(keep=0) == said.replace("would be deleted", "deleted")
    kept = ScriptVersion.objects.filter(source__isnull=False).order_by("pk")
    assert " ".join(kept.values_list("content_digest", flat=True)) == expected
    assert ScriptVersion.objects.count() == before


@pytest.mark.django_db
def test_what_a_script_came_to_refer_to_meanwhile_is_not_deleted() -> None:
    runs = write_history("99a- 98a-")
    Script.objects.update(applied_run=runs[0])
    assert pruning._delete([run.pk for run in runs]) == 0
    assert Script.objects.get().applied_run == runs[0]


@pytest.mark.django_db
def test_rows_go_in_batches_and_no_output_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "PAGE", 25)
    monkeypatch.setattr(pruning, "BATCH", 10)
    runs = write_history("99a-")
    row = {"script": runs[0].script, "kind": "run", "outcome": "failed", "started_at": timezone.now()}
    ScriptRun.objects.bulk_create(ScriptRun(**row, output="much") for _ in range(44))
    with CaptureQueriesContext(connection) as queries:
        assert "40 runs of 1 of 1 scripts deleted, 5 kept" in prune(keep=4)
    statements = [query["sql"] for query in queries]
    assert sum(sql.startswith("DELETE") for sql in statements) == 5  # 10, 10, 4 and 10, 6
    assert not [sql for sql in statements if "output" in sql or "traceback" in sql]


def test_on_the_command_line_it_ends_with_a_code_and_the_states_stay(migrated: Project) -> None:
    migrated.command("shop.first")
    for _ in range(4):  # the last, and the one applied before it, stay
        migrated.manage("first")
    before = migrated.states()
    assert "specify --keep" in migrated.manage("prune_script_runs", code=2).err
    assert "got 'x'" in migrated.manage("prune_script_runs", "--keep", "x", code=2).err
    dry = migrated.manage("prune_script_runs", "--keep", "1", "--dry-run", "first").out
    assert dry.splitlines()[-1] == "2 runs of 1 of 1 scripts would be deleted, 2 kept."
    done = migrated.manage("prune_script_runs", "--keep=0", "--older-than=0", "--verbosity", "0")
    assert done.text == ""
    assert migrated.states() == before == {"shop.first": "applied"}


INTERRUPTS = {
    "Ctrl-C": (KeyboardInterrupt(), 130),
    "SIGTERM": (Terminated("SIGTERM"), 143),
    "SIGHUP": (Terminated("SIGHUP"), 129),
}


@pytest.mark.django_db
@pytest.mark.parametrize(("interrupt", "code"), INTERRUPTS.values(), ids=INTERRUPTS)
def test_an_interrupt_ends_it_with_the_code_of_the_signal_and_says_what_went(
    interrupt: BaseException, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> Iterator[pruning.Pruned]:
        yield pruning.Pruned(ScriptId("shop", "first"), 2, 1, 0)
        raise interrupt

    monkeypatch.setattr(pruning, "prune", interrupted)
    err = io.StringIO()
    with pytest.raises(SystemExit) as caught:
        call_command("prune_script_runs", keep=1, stdout=io.StringIO(), stderr=err)
    assert caught.value.code == code
    assert "2 runs of 1 of 1 scripts deleted, 1 kept. Run the command again to continue." in err.getvalue()


MANY = """
from django.utils import timezone
from scripts_tracker.models import Script, ScriptRun
script = Script.objects.get(name="waits")
row = dict(script=script, kind="run", outcome="failed", started_at=timezone.now(), output="much" * 100)
ScriptRun.objects.bulk_create([ScriptRun(**row) for _ in range(1200)], batch_size=400)
"""


def test_a_script_that_runs_meanwhile_is_not_disturbed(hosted: HostedProject) -> None:
    waiting, free = hosted.root / "waiting", hosted.root / "free"
    hosted.command("shop.waits")
    hosted.manage("waits")
    hosted.python(MANY)
    body = f"import os, time; open({str(waiting)!r}, 'w').close()\n"
    body += f"        while not os.path.exists({str(free)!r}): time.sleep(0.05)"
    hosted.command("shop.waits", body=body)
    process = subprocess.Popen(
        [sys.executable, "manage.py", "waits"], cwd=hosted.root, env={**ENVIRONMENT, **hosted.env}
    )
    try:
        wait_for(waiting.exists, "the script runs")
        said = hosted.manage("prune_script_runs", "--keep", "0").out
        assert said.splitlines()[-1] == "1200 runs of 1 of 1 scripts deleted, 2 kept."
        assert hosted.states() == {"shop.waits": "running"}
    finally:
        free.touch()
        assert process.wait(PATIENCE) == 0
    assert hosted.states() == {"shop.waits": "applied"}
    assert hosted.execute("SELECT count(*) FROM scripts_tracker_scriptrun") == [(2,)]
