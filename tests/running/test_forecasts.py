"""run_scripts --plan --from: how long each step took elsewhere, as text and as JSON; a plan of its own, too."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group

from scripts_tracker.project.status import load_status
from scripts_tracker.running.keys import key_span
from tests.builders import script_id
from tests.fleet.builders import TAKEN, document, entry, write
from tests.jobs import Jobs
from tests.running import batches
from tests.walks import open_walk

WRONG = {
    "a file without a plan": ({"sources": ["x.json"]}, "--from goes with --plan."),
    "a format without a plan": ({"format": "json"}, "--format goes with --plan or --rehearse."),
    "no such file": (
        {"plan": True, "sources": ["staging.json"]},
        "--from: staging.json cannot be read: No such file or directory.",
    ),
    "the name of a script after the files": (
        {"plan": True, "sources": ["jobs.first"]},
        "jobs.first cannot be read: No such file or directory. Names of scripts go before --from.",
    ),
}


@pytest.mark.parametrize(("options", "words"), WRONG.values(), ids=WRONG)
def test_wrong_use_is_one_line(jobs: Jobs, options: dict[str, Any], words: str) -> None:
    jobs.script("first")
    result = jobs.run(**options)
    assert (result.code, result.out) == (2, "")
    assert words in result.err
    assert result.err.count("\n") == 1


def test_what_is_no_report_is_refused_and_nothing_is_planned(jobs: Jobs, tmp_path: Path) -> None:
    (path,) = write(tmp_path, staging={"version": 2, "scripts": []})
    result = jobs.run(plan=True, sources=[path])
    assert (result.code, result.out) == (2, "")
    assert "staging.json has version 2" in result.err


def success(**facts: Any) -> dict[str, Any]:
    return {"started_at": TAKEN, "seconds": 90.0, "fingerprint": "st1:x", **facts}


def run(outcome: str, kind: str = "run", seconds: float | None = 12.0) -> dict[str, Any]:
    return {"outcome": outcome, "kind": kind, "started_at": TAKEN, "seconds": seconds}


THERE: dict[str, tuple[dict[str, Any], str]] = {
    "it ran": (
        {"last_success": success(), "last_run": run("succeeded")},
        "about 1 min 30 s (staging, 2026-11-20, another version)",
    ),
    "it failed": (
        {"state": "failed", "last_success": None, "last_run": run("failed")},
        "no figure (staging, it failed there on 2026-11-20 after 12 s)",
    ),
    "it failed after a success": (
        {"state": "failed", "last_success": success(), "last_run": run("failed")},
        "about 1 min 30 s (staging, 2026-11-20, another version, it failed there later on 2026-11-20)",
    ),
    "it was killed": (
        {"state": "lost", "last_success": None, "last_run": run("lost", seconds=None)},
        "no figure (staging, its run there on 2026-11-20 never ended)",
    ),
    "it is running": (
        {"state": "running", "last_run": run("running", seconds=None), "progress": {"percent": 43.2}},
        "no figure (staging, it is running there, 43.2 % is done)",
    ),
    "it was marked": (
        {"last_success": None, "last_run": run("succeeded", "mark")},
        "no figure (staging, it was marked as applied there on 2026-11-20, without a run)",
    ),
    "it never ran": (
        {"state": "new", "last_success": None, "last_run": None},
        "no figure (staging, it never ran there)",
    ),
}


@pytest.mark.parametrize(("facts", "line"), THERE.values(), ids=THERE)
def test_a_step_shows_how_long_it_took_there_or_why_that_is_not_known(
    jobs: Jobs, tmp_path: Path, facts: dict[str, Any], line: str
) -> None:
    jobs.script("first")
    paths = write(tmp_path, staging=document(entry("jobs.first", **facts)))
    result = jobs.run(plan=True, sources=paths)
    assert result.code == 0, result
    assert line in result.out
    assert jobs.outcomes() == []


def test_several_places_have_a_line_each_and_the_total_is_at_the_end(jobs: Jobs, tmp_path: Path) -> None:
    jobs.script("first")
    jobs.script("second", requires="first")
    jobs.script("third")
    (first,) = (one for one in load_status(with_fingerprints=True).statuses if one.id.name == "first")
    assert first.definition is not None
    same = success(fingerprint=str(first.definition.fingerprint), seconds=30.0)
    paths = write(
        tmp_path,
        staging=document(entry("jobs.first", last_success=same), environment="stage one"),
        copy=document(
            entry("jobs.first", last_success=success()), entry("jobs.second", last_success=success())
        ),
    )
    result = jobs.run(plan=True, sources=paths)
    lines = [" ".join(line.split()) for line in result.out.splitlines()]
    start = lines.index("Plan (3):")
    assert [line.partition(":")[0] if ". jobs" in line else line for line in lines[start + 1 :]] == [
        "1. jobs.first",
        "about 30 s (stage one, 2026-11-20, same version)",
        "about 1 min 30 s (copy, 2026-11-20, another version)",
        "2. jobs.second",
        "no figure (stage one, does not know the script)",
        "about 1 min 30 s (copy, 2026-11-20, another version)",
        "3. jobs.third",
        "no figure (stage one, does not know the script)",
        "no figure (copy, does not know the script)",
        "Total: about 2 min for 2 of 3 scripts; 1 without a figure.",
    ]


def test_a_batched_script_is_scaled_by_its_keys_without_counting_rows(
    jobs: Jobs, tmp_path: Path, django_assert_num_queries: Any
) -> None:
    batches.script(jobs)
    Group.objects.bulk_create(Group(pk=key, name=f"{key}") for key in (1, 7, 200))
    there = success(worker_seconds=100.0, keys=50, rows=50, table=Group._meta.db_table, key_span=100)
    paths = write(tmp_path, staging=document(entry("jobs.walk", last_success=there)))
    result = jobs.run(plan=True, sources=paths)
    words = "about 3 min 20 s (staging, 2026-11-20, 50 rows there, by keys about 100 here, another version)"
    assert words in result.out
    with django_assert_num_queries(2):
        assert key_span(Group._meta.db_table) == 200


def test_what_is_done_here_is_left_out(jobs: Jobs, tmp_path: Path) -> None:
    batches.script(jobs)
    open_walk("jobs.walk")
    there = success(worker_seconds=100.0, keys=50, rows=50, table="gone_table", key_span=100)
    paths = write(tmp_path, staging=document(entry("jobs.walk", last_success=there)))
    status = load_status(with_fingerprints=True).by_id[script_id("jobs.walk")]
    from scripts_tracker.fleet import snapshots
    from scripts_tracker.running.forecasting import figures

    (found,) = figures([status], snapshots.read_all(paths), 2)[status.id]
    assert found.seconds == pytest.approx(28.5)
    assert "43 % is done here" in found.basis
    assert "with 2 workers" in found.basis


def test_a_rehearsal_here_is_a_second_basis(jobs: Jobs, tmp_path: Path) -> None:
    jobs.script("first", "from django.contrib.auth.models import Group; Group.objects.create(name='x')")
    jobs.script("second")
    assert jobs.run("first", rehearse=True).code == 0
    paths = write(tmp_path, staging=document(entry("jobs.first", last_success=success())))
    out = " ".join(jobs.run(plan=True, sources=paths).out.split())
    assert "about 1 min 30 s (staging, 2026-11-20, another version)" in out
    day = r"\d{4}-\d\d-\d\d"
    (figure,) = re.findall(rf"about (\S+ s) \(a rehearsal here, {day}, 1 row changed, same version\)", out)
    assert f"Total: about {figure} for 1 of 2 scripts; 1 without a figure." in out


def test_tables_that_are_not_there_have_no_span(transactional_db: None) -> None:
    assert key_span("gone_table") is None
    Group.objects.all().delete()
    assert key_span(Group._meta.db_table) == 0, "but one without rows has"


def test_a_plan_as_json_has_the_order_the_reasons_and_the_figures(jobs: Jobs, tmp_path: Path) -> None:
    jobs.script("first", decorators="@tracked_script(tags=('nightly',), arguments=('--verbosity', '0'))")
    jobs.script("second", requires="first")
    jobs.script("third", requires="gone")
    jobs.script("done")
    jobs.run("done")
    paths = write(tmp_path, staging=document(entry("jobs.first", last_success=success())))
    result = jobs.run("first", "second", "third", "done", plan=True, sources=paths, format="json")
    found = json.loads(result.out)
    assert [one["script"] for one in found["steps"]] == ["jobs.first", "jobs.second"]
    first, second = found["steps"]
    assert first["forecast"] == [
        {
            "environment": "staging",
            "seconds": 90.0,
            "same_version": False,
            "basis": "2026-11-20, another version",
        }
    ]
    assert (first["required_by"], first["after"]) == (["jobs.second"], [])
    assert (second["required_by"], second["after"]) == ([], ["jobs.first"])
    assert (first["tags"], first["arguments"], first["state"]) == (["nightly"], ["--verbosity", "0"], "new")
    assert found["blocked"][0]["reasons"] == ["requires gone, which does not exist"]
    assert [one["script"] for one in found["not_run"]] == ["jobs.done"]
    assert found["forecast"] == {"seconds": 90.0, "known": 1, "unknown": 1}
    assert json.loads(jobs.run(plan=True, format="json").out)["forecast"] is None


def test_what_check_scripts_prints_in_one_place_is_the_forecast_of_another(
    jobs: Jobs, tmp_path: Path
) -> None:
    batches.script(jobs)
    batches.add_rows(range(1, 9))
    jobs.run()
    printed = jobs.run(command="check_scripts", format="json", all=True).out
    (there,) = json.loads(printed)["scripts"]
    assert (there["last_success"]["keys"], there["last_success"]["key_span"]) == (8, 8)
    jobs.run("walk", command="check_scripts", unmark=["walk"])
    (tmp_path / "x.json").write_text(printed)
    out = jobs.run(plan=True, sources=[str(tmp_path / "x.json")]).out
    assert "(x, " in out
    assert "8 rows there, by keys about 8 here, same version)" in out
