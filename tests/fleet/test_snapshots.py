"""Files that are read, and files that are refused in one line."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from scripts_tracker.fleet import snapshots
from scripts_tracker.fleet.snapshots import WrongSnapshot
from tests.fleet.builders import TAKEN, document, entry, write

REFUSED = {
    "not-json": (b"Checking management scripts:", "is not JSON"),
    "empty": (b"", "is not JSON"),
    "not-text": (b"\xff\xfe\x00\x01", "is not JSON"),
    "a-list": (b"[]", "is not the JSON of check_scripts"),
    "the-lint": (b'{"version": 1, "findings": []}', "is not the JSON of check_scripts"),
    "no-version": (b'{"scripts": []}', "is not the JSON of check_scripts"),
    "a-later-version": (b'{"version": 2, "scripts": []}', "has version 2, and this release reads version 1"),
    "a-script-without-a-state": (
        b'{"version": 1, "counts": {}, "scripts": [{"script": "a.x"}]}',
        "is not the JSON of check_scripts",
    ),
    "a-wrong-date": (
        json.dumps(document(entry("a.x", applied_at="yesterday"))).encode(),
        "is not the JSON of check_scripts",
    ),
    "without-all": (
        json.dumps({**document(entry("a.x")), "counts": {"applied": 3}}).encode(),
        "lists 1 of 3 scripts: it was made without --all",
    ),
    "deeply-nested": (b"[" * 100_000, "JSON"),
}


@pytest.mark.parametrize(("content", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_report_is_refused_in_a_line_that_names_the_file(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "production.json"
    path.write_bytes(content)
    with pytest.raises(WrongSnapshot, match=r"production\.json") as error:
        snapshots.read(str(path))
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongSnapshot, match=r"nothing\.json cannot be read: No such file"):
        snapshots.read(str(tmp_path / "nothing.json"))


def test_two_files_of_one_environment_are_refused(tmp_path: Path) -> None:
    paths = write(
        tmp_path, monday=document(environment="production"), tuesday=document(environment="production")
    )
    with pytest.raises(WrongSnapshot, match="are both of the environment production: pass one of them"):
        snapshots.read_all(paths)


def test_an_environment_without_a_name_has_that_of_its_file(tmp_path: Path) -> None:
    paths = write(tmp_path, first=document(environment="production"), staging=document())
    assert [one.environment for one in snapshots.read_all(paths)] == ["production", "staging"]


def test_a_file_of_an_editor_of_windows_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(document()).encode())
    assert snapshots.read(str(path)).entries == {}


@pytest.mark.parametrize(
    ("state", "version", "is_applied"),
    [
        *((state, "a", True) for state in ("applied", "recurring", "edited", "reverted", "missing")),
        ("moved", "", True),
        *((state, "", False) for state in ("new", "failed", "running", "missing", "unreadable")),
        *((state, "a", False) for state in ("modified", "failed", "lost", "paused")),
    ],
)
def test_a_script_has_done_its_work_or_not(
    tmp_path: Path, state: str, version: str, *, is_applied: bool
) -> None:
    (path,) = write(tmp_path, x=document(entry("a.x", state, version)))
    assert snapshots.read(path).entries["a.x"].is_applied is is_applied


@pytest.mark.parametrize(("days", "is_stale"), [(0, False), (7, False), (8, True)])
def test_a_file_is_stale_after_a_week(tmp_path: Path, days: int, *, is_stale: bool) -> None:
    (path,) = write(tmp_path, x=document())
    now = datetime.fromisoformat(TAKEN) + timedelta(days=days)
    assert snapshots.read(path).is_stale(now) is is_stale


def test_a_file_without_a_date_is_stale(tmp_path: Path) -> None:
    (path,) = write(tmp_path, x=document(taken_at=None))
    assert snapshots.read(path).is_stale(datetime.now(timezone.utc))


def test_only_a_run_that_succeeded_says_how_long_it_takes(tmp_path: Path) -> None:
    runs = {"succeeded": 12.5, "failed": 1.0, "running": None}
    scripts = [
        entry(f"a.{name}", last_run={"outcome": name, "seconds": seconds}) for name, seconds in runs.items()
    ]
    (path,) = write(tmp_path, x=document(*scripts))
    found = snapshots.read(path).entries
    assert {name: found[f"a.{name}"].seconds for name in runs} == {
        "succeeded": 12.5,
        "failed": None,
        "running": None,
    }
