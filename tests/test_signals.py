"""What the signals carry, and when they are sent."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.dispatch import Signal

from scripts_tracker import conf, signals
from scripts_tracker.models import Script, ScriptRun
from scripts_tracker.running import start
from tests.builders import script_id
from tests.jobs import Jobs

NAMES = ("script_started", "script_succeeded", "script_failed", "script_lost")


class Heard:
    """Every signal in order, with the outcome that the ledger had at that moment."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.facts: list[dict[str, Any]] = []
        self.then: Any = None

    def receiver(self, name: str) -> Any:
        def hear(signal: Signal, **facts: Any) -> None:
            row = ScriptRun.objects.filter(pk=facts["run"]).first()
            self.names.append(f"{name[7:]} while {row.outcome if row else 'gone'}")
            self.facts.append(facts)
            if self.then is not None:
                raise self.then

        return hear


@pytest.fixture
def heard() -> Iterator[Heard]:
    made = Heard()
    receivers = {name: made.receiver(name) for name in NAMES}
    for name, receiver in receivers.items():
        getattr(signals, name).connect(receiver)
    yield made
    for name, receiver in receivers.items():
        getattr(signals, name).disconnect(receiver)


def test_a_success_is_signalled_when_it_is_recorded(jobs: Jobs, heard: Heard) -> None:
    jobs.script("a")
    jobs.run()
    assert heard.names == ["started while running", "succeeded while succeeded"]
    started, succeeded = heard.facts
    assert str(started["script"]) == "jobs.a"
    assert started["sender"].__module__ == "jobs.management.commands.a"
    ends = {"seconds", "kind", "applies"}
    assert started == {key: value for key, value in succeeded.items() if key not in ends}
    assert (succeeded["kind"], succeeded["applies"]) == ("run", True)
    assert 0 <= succeeded["seconds"] < 60
    assert started["run"] == ScriptRun.objects.get().pk


def test_an_atomic_success_is_signalled_after_the_commit(jobs: Jobs, heard: Heard) -> None:
    jobs.script("a", decorators="@tracked_script(atomic=True)")
    jobs.run()
    assert heard.names == ["started while running", "succeeded while succeeded"]


@pytest.mark.parametrize(
    "body", ["raise ValueError('boom')", "raise KeyboardInterrupt", "raise SystemExit(2)"]
)
def test_a_failure_carries_its_error(jobs: Jobs, heard: Heard, body: str) -> None:
    jobs.script("a", body)
    jobs.run()
    assert heard.names == ["started while running", "failed while failed"]
    assert set(heard.facts[-1]) == {"sender", "script", "run", "seconds", "error", "kind", "applies"}
    assert (heard.facts[-1]["kind"], heard.facts[-1]["applies"]) == ("run", False)
    assert type(heard.facts[-1]["error"]).__name__ in body


@pytest.mark.parametrize("body", ["pass", "raise ValueError"])
def test_the_end_of_a_dry_run_is_signalled_as_one(jobs: Jobs, heard: Heard, body: str) -> None:
    argument = "def add_arguments(self, parser): parser.add_argument('--dry-run', action='store_true')"
    jobs.script("a", body, attributes=argument)
    with contextlib.suppress(ValueError):
        jobs.run_alone("a", dry_run=True)
    assert (heard.facts[-1]["kind"], heard.facts[-1]["applies"]) == ("rehearsal", False)


def test_a_run_that_does_not_apply_is_signalled_as_one(
    jobs: Jobs, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "_why_not_applied", lambda *_: "uncommitted changes")
    jobs.script("a")
    jobs.run()
    assert heard.names[-1] == "succeeded while succeeded"
    assert (heard.facts[-1]["kind"], heard.facts[-1]["applies"]) == ("run", False)


@pytest.mark.parametrize("is_test", [False, True], ids=["in earnest", "in a test"])
def test_a_hook_that_fails_after_the_commit_does_not_make_it_a_failure(
    jobs: Jobs, heard: Heard, monkeypatch: pytest.MonkeyPatch, *, is_test: bool
) -> None:
    monkeypatch.setattr(conf, "is_under_test", lambda: is_test)
    body = "from django.db import transaction; transaction.on_commit(lambda: 1 / 0)"
    jobs.script("a", body, decorators="@tracked_script(atomic=True)")
    with pytest.raises(ZeroDivisionError):
        jobs.run_alone("a")
    assert heard.names == ["started while running", "succeeded while succeeded"]


def test_a_script_whose_handle_is_not_reached_is_signalled_as_failed_only(jobs: Jobs, heard: Heard) -> None:
    jobs.write("a", "raise ImportError\nfrom scripts_tracker import tracked_script\nclass Command:\n"
               "    @tracked_script\n    def handle(self): pass\n")  # fmt: skip
    jobs.run()
    assert heard.names == ["failed while failed"]
    assert isinstance(heard.facts[0]["error"], ImportError)


def test_a_lost_attempt_is_signalled_by_the_next_one(jobs: Jobs, heard: Heard) -> None:
    jobs.script("a")
    lost = jobs.begin_elsewhere("a")
    began = ScriptRun.objects.get().started_at
    Script.objects.update(lease_expires=0)
    jobs.run()
    assert heard.names == ["lost while lost", "started while running", "succeeded while succeeded"]
    facts = heard.facts[0]
    assert facts.pop("sender").__name__ == "Command"
    assert facts == {
        "script": script_id("jobs.a"),
        "run": lost.pk,
        "host": "elsewhere",
        "pid": 4,
        "started_at": began,
    }


def test_a_script_that_is_not_run_sends_no_signal(jobs: Jobs, heard: Heard) -> None:
    jobs.script("a")
    jobs.begin_elsewhere("a")
    jobs.run(wait=0)
    jobs.run(plan=True)
    assert heard.names == []


def test_a_receiver_that_raises_does_not_break_the_run(
    jobs: Jobs, heard: Heard, caplog: pytest.LogCaptureFixture
) -> None:
    heard.then = ValueError("no network")
    jobs.script("a")
    jobs.begin_elsewhere("a")
    Script.objects.update(lease_expires=0)
    jobs.script("b", "raise KeyError", requires="a")
    with caplog.at_level(logging.ERROR, "django.dispatch"):
        assert "failed after" in jobs.run().out
    assert jobs.outcomes() == ["a lost", "a succeeded", "b failed"]
    assert sum("no network" in record.getMessage() for record in caplog.records) == 5


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1)], ids=["Ctrl-C", "an exit"])
def test_an_interrupt_of_the_first_receiver_is_the_failure_of_the_script(
    jobs: Jobs, heard: Heard, error: BaseException
) -> None:
    heard.then = error
    jobs.script("a", "raise AssertionError('handle() is not to be reached')")
    with pytest.raises(type(error)):
        jobs.run_alone("a")
    assert jobs.outcomes() == ["a failed"]
