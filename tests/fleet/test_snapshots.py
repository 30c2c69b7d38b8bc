"""Files that are read, and files that are refused in one line."""

from __future__ import annotations

import io
import json
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from scripts_tracker.core.forecast import Success
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
    "a-state-that-is-no-text": (
        json.dumps(document({**entry("a.x"), "state": None})).encode(),
        "is not the JSON of check_scripts",
    ),
    "a-date-before-all-dates-elsewhere": (
        json.dumps({**document(entry("a.x")), "taken_at": "0001-01-01T00:00:00+14:00"}).encode(),
        "is not the JSON of check_scripts",
    ),
    "a-date-after-all-dates-elsewhere": (
        json.dumps(document(entry("a.x", applied_at="9999-12-31T23:59:59-14:00"))).encode(),
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


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_that_powershell_wrote_is_read(tmp_path: Path, encoding: str) -> None:
    mark = "" if encoding == "utf-16" else "\ufeff"
    path = tmp_path / "x.json"
    path.write_bytes(f"{mark}{json.dumps(document(environment='pröd'), ensure_ascii=False)}".encode(encoding))
    assert snapshots.read(str(path)).environment == "pröd"


@pytest.mark.parametrize(("days", "is_stale"), [(0, False), (7, False), (8, True), (-2, True)])
def test_a_file_is_stale_after_a_week(tmp_path: Path, days: int, *, is_stale: bool) -> None:
    (path,) = write(tmp_path, x=document())
    now = datetime.fromisoformat(TAKEN) + timedelta(days=days)
    assert snapshots.read(path).is_stale(now) is is_stale


def test_a_file_without_a_date_is_stale(tmp_path: Path) -> None:
    (path,) = write(tmp_path, x=document(taken_at=None))
    assert snapshots.read(path).is_stale(datetime.now(timezone.utc))


SUCCESS = {
    "started_at": TAKEN,
    "seconds": 12.5,
    "fingerprint": "st1:a",
    "environment": None,
    "worker_seconds": 40,
    "keys": 100,
    "rows": 90,
    "table": "shop_order",
    "key_span": 2**70,
}
RUN = {"outcome": "succeeded", "kind": "run", "started_at": TAKEN, "seconds": 7.5}
SUCCESSES: dict[str, tuple[dict[str, Any], Success | None]] = {
    "a batched script": (
        {"last_success": SUCCESS},
        Success(datetime.fromisoformat(TAKEN), 12.5, "st1:a", "", 40.0, 100, 90, "shop_order", 2**70),
    ),
    "none": ({"last_success": None, "last_run": RUN}, None),
    "an older release whose last run succeeded": (
        {"last_run": RUN},
        Success(datetime.fromisoformat(TAKEN), 7.5, f"st1:{'a' * 64}"),
    ),
    "an older release whose last run failed": ({"last_run": {**RUN, "outcome": "failed"}}, None),
    "an older release where it was marked": ({"last_run": {**RUN, "kind": "mark"}}, None),
    "an older release where it runs": ({"last_run": {**RUN, "outcome": "running", "seconds": None}}, None),
}


@pytest.mark.parametrize(("facts", "success"), SUCCESSES.values(), ids=SUCCESSES)
def test_a_file_says_how_long_the_last_success_took(
    tmp_path: Path, facts: dict[str, Any], success: Success | None
) -> None:
    (path,) = write(tmp_path, x=document(entry("a.x", **facts)))
    assert snapshots.read(path).entries["a.x"].success == success


@pytest.mark.parametrize("seconds", [-1, "12", True, float("nan"), float("inf"), 10**400, [1]], ids=repr)
def test_a_file_with_a_number_that_is_none_is_refused(tmp_path: Path, seconds: object) -> None:
    (path,) = write(tmp_path, x=document(entry("a.x", last_success={**SUCCESS, "seconds": seconds})))
    with pytest.raises(WrongSnapshot, match="is not the JSON of check_scripts"):
        snapshots.read(path)


def test_standard_input_is_read_for_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(document(entry("a.x")))))
    found = snapshots.read("-")
    assert (found.environment, [*found.entries]) == ("standard input", ["a.x"])
