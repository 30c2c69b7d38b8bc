"""``show_script --run``: all that the ledger keeps of any run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scripts_tracker.models import ScriptRun
from tests.jobs import Jobs

BODY = """
        for number in range(50):
            self.stdout.write(f"{mark} {number}")
        if "{mark}" == "old":
            raise ValueError("boom")"""


@pytest.fixture
def ran(jobs: Jobs) -> Jobs:
    """A script that failed, was corrected and ran, and was marked after that."""
    for mark in ("old", "new"):
        jobs.script("fix", BODY.replace("{mark}", mark).replace('"' + mark + '" ==', f'"{mark}" =='))
        jobs.run("fix", traceback=False)
    jobs.run(command="check_scripts", unmark=["fix"])
    return jobs


def shown(jobs: Jobs, run: object, **options: Any) -> str:
    result = jobs.run("fix", command="show_script", run=run, **options)
    assert result.code == 0, result.err
    return result.out


def test_the_whole_output_and_traceback_of_a_run_are_shown(ran: Jobs) -> None:
    old, new, decision = ScriptRun.objects.order_by("pk").values_list("pk", flat=True)
    assert shown(ran, -1) == shown(ran, str(new))
    text = shown(ran, "-2")
    assert text == shown(ran, old)
    lines = text.splitlines()
    assert lines[0] == f"jobs.fix: run {old}"
    assert lines[1].startswith(f"  #{old}  20")
    assert [f"  old {number}" for number in range(50)] == lines[lines.index("Output:") + 1 :][:50]
    traceback = lines[lines.index("Traceback:") + 1 :]
    assert next(line for line in traceback if line.startswith("    File ")).endswith(
        'fix.py", line 14, in handle'
    )
    assert traceback[-1] == "  ValueError: boom"
    assert "scripts_tracker" not in "\n".join(traceback)
    assert "It printed nothing that the ledger keeps." in shown(ran, decision)


def test_json_has_the_ids_of_all_runs_and_the_output_of_one(ran: Jobs) -> None:
    for _ in range(6):
        ran.run(command="check_scripts", mark_applied=["fix"])
        ran.run(command="check_scripts", unmark=["fix"])
    document = json.loads(ran.run("fix", command="show_script", format="json").out)
    keys = list(ScriptRun.objects.order_by("-pk").values_list("pk", flat=True))
    assert [run["id"] for run in document["runs"]] == keys
    one = json.loads(shown(ran, keys[-1], format="json"))
    assert (one["script"], one["run"]["id"], one["run"]["outcome"]) == ("jobs.fix", keys[-1], "failed")
    assert one["run"]["output"].endswith("old 49\n")
    assert one["run"]["traceback"].endswith("ValueError: boom\n")


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a word": ({"run": "last"}, "--run: expected the id of a run, as show_script prints it, or -1"),
    "zero": ({"run": "0"}, "--run: expected the id of a run"),
    "a number that no database has": ({"run": "9" * 30}, "--run: expected the id of a run"),
    "an id of no run": (
        {"run": "123456"},
        "jobs.fix has no run 123456; to list its runs: manage.py show_script",
    ),
    "more than there are": ({"run": "-3"}, "jobs.fix did not run 3 times here; to list its runs:"),
    "beside a diff": ({"run": "-1", "diff": True}, "--run takes neither --diff, --history nor --watch"),
}


@pytest.mark.parametrize(("options", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_run_is_one_line(ran: Jobs, options: dict[str, Any], words: str) -> None:
    result = ran.run("fix", command="show_script", **options)
    assert (result.code, result.out, len(result.err.splitlines())) == (2, "", 1)
    assert words in result.err


def test_a_script_that_never_ran_has_no_last_run(jobs: Jobs) -> None:
    jobs.script("fix")
    result = jobs.run("fix", command="show_script", run="-1")
    assert "jobs.fix never ran here" in result.err
