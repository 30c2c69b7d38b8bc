"""What commands say of a ledger that a dump has brought from another place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scripts_tracker.models import ScriptEnvironment
from tests.jobs import Jobs
from tests.places import Move, Q
from tests.running.memory_queue import deliver, use

QUESTION = """\
Some scripts ran in another database. This database is:
  the same environment, moved: manage.py check_scripts --environment-moved
  a copy: manage.py check_scripts --environment-copied
"""


@pytest.fixture
def shop(jobs: Jobs, at: Move) -> Jobs:
    """Of two scripts, one has run in production."""
    jobs.script("apples")
    jobs.script("pears")
    at("production")
    jobs.run("apples")
    return jobs


def check(shop: Jobs) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(shop.run(command="check_scripts", all=True, format="json").out)
    return document


def test_the_name_stands_in_every_report(shop: Jobs) -> None:
    assert check(shop)["environment"] == "production"
    texts = {
        "text": shop.run(command="check_scripts"),
        "dependencies": shop.run(command="check_scripts", show_dependencies=True),
        "mermaid": shop.run(command="check_scripts", format="mermaid"),
        "dot": shop.run(command="check_scripts", format="dot"),
        "one script": shop.run("apples", command="show_script"),
        "one script as JSON": shop.run("apples", command="show_script", format="json"),
        "a plan": shop.run(plan=True),
        "a run": shop.run(),
    }
    assert [name for name, result in texts.items() if "production" not in result.out] == []
    assert "inherited" not in "".join(result.out for result in texts.values() if '"' not in result.out)


def test_what_was_applied_elsewhere_is_called_inherited(shop: Jobs, at: Move) -> None:
    at("staging", Q)
    document = check(shop)
    apples, pears = document["scripts"]
    assert (apples["state"], apples["inherited_from"]) == ("applied", "production")
    assert pears["inherited_from"] is None
    assert document["environment_is_undecided"] is False
    day = apples["applied_at"][:10]
    line = f"jobs.apples: applied (inherited from production, {day})\n"
    assert line in shop.run(command="check_scripts", all=True).out
    detail = shop.run("apples", command="show_script").out
    assert f"applied (inherited from production, {day})" in detail
    assert ", in production\n" in detail
    assert "jobs.apples is up to date (applied (inherited from production, " in shop.run("apples").out
    (run,) = json.loads(shop.run("apples", command="show_script", format="json").out)["runs"]
    assert run["inherited_from"] == "production"


@pytest.mark.parametrize("command", ["check_scripts", "run_scripts", "show_script", "plan"])
def test_a_person_is_asked_whether_a_database_was_moved_or_copied(shop: Jobs, at: Move, command: str) -> None:
    at("", Q)
    names = ["apples"] if command == "show_script" else []
    if command == "plan":
        assert QUESTION in shop.run(plan=True).out
    else:
        assert QUESTION in shop.run(*names, command=command).out
    assert check(shop)["environment_is_undecided"] is True


ANSWERS = {
    "moved": ("This environment continues production: what was run there was run here.\n", None),
    "copied": ("This environment is a copy of production: what was run there is inherited.\n", "production"),
}


@pytest.mark.parametrize(("answer", "expected"), ANSWERS.items(), ids=ANSWERS)
def test_a_person_answers_once(shop: Jobs, at: Move, answer: str, expected: tuple[str, str | None]) -> None:
    at("", Q)
    said = shop.run(command="check_scripts", **{f"environment_{answer}": True}, reason="the new server")
    assert (said.code, said.out) == (0, expected[0])
    assert "This database is:" not in shop.run(command="check_scripts").out
    document = check(shop)
    assert document["scripts"][0]["inherited_from"] == expected[1]
    assert document["environment_is_undecided"] is False
    assert ScriptEnvironment.objects.get(identity=Q).reason == "the new server"
    again = shop.run(command="check_scripts", **{f"environment_{answer}": True})
    assert (again.code, again.err) == (2, "Nothing to decide: it is known where each script was run.\n")


def test_a_decision_about_the_environment_takes_no_names(shop: Jobs) -> None:
    refused = shop.run("apples", command="check_scripts", environment_moved=True)
    assert (refused.code, refused.err) == (2, "--environment-moved and --environment-copied take no names.\n")


def test_a_copy_says_how_many_runs_are_lost_by_that(shop: Jobs, at: Move) -> None:
    shop.begin_elsewhere("pears")
    at("", Q)
    assert shop.states()["pears"] == "running"
    said = shop.run(command="check_scripts", environment_copied=True)
    assert said.out.endswith("Recorded as lost here: 1 run that had not ended there.\n")
    assert shop.states()["pears"] == "lost"


# Of the place where a job was enqueued, and of the one where it is delivered.
DELIVERED: dict[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], str]] = {
    "to a copy": ((("production",), ("staging", Q)), "nothing done: this job was enqueued in production"),
    "to another database without a name": (
        (("",), ("", Q)),
        "nothing done: this job was enqueued in another database",
    ),
    "after a failover": ((("production",), ("production", Q)), "done in "),
    "after the place got a name": ((("",), ("production",)), "done in "),
}


@pytest.mark.parametrize(("way", "answer"), DELIVERED.values(), ids=DELIVERED)
def test_a_job_of_another_place_does_nothing(
    jobs: Jobs, at: Move, settings: Any, way: tuple[tuple[str, ...], tuple[str, ...]], answer: str
) -> None:
    use(settings)
    jobs.script("apples")
    at(*way[0])
    assert jobs.run(enqueue=True).code == 0
    at(*way[1])
    assert deliver().startswith(f"jobs.apples: {answer}")
    assert jobs.outcomes() == (["apples succeeded"] if answer.startswith("done") else [])
