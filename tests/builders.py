"""Values for tests, with the details that a test does not speak of filled in."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from scripts_tracker.core.progress import RangeRecord, WalkRecord, WorkerRecord
from scripts_tracker.core.states import ScriptRecord
from scripts_tracker.core.values import (
    Fingerprint,
    Lease,
    Location,
    ModuleVersion,
    Requirement,
    RunRecord,
    ScriptDefinition,
    ScriptId,
    ScriptOptions,
)

NOON = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)


def script_id(text: str) -> ScriptId:
    app_label, _, name = text.partition(".")
    return ScriptId(app_label, name)


def fingerprint(letter: str) -> Fingerprint:
    return Fingerprint("st1", letter * 64)


def module(text: str) -> ModuleVersion:
    """A watched module: ``pricing=a`` with the letter of its fingerprint, ``pricing=?`` cannot be parsed, ``pricing=`` is gone."""
    name, _, code = text.partition("=")
    return ModuleVersion(
        name, fingerprint(code) if code.isalpha() else None, f"content of {code}" if code else None
    )


def path_of(text: str) -> str:
    app, _, name = text.partition(".")
    return f"{app}/management/commands/{name}.py"


def definition(
    text: str,
    code: str | None = "a",
    *,
    requires: tuple[str, ...] = (),
    watches: tuple[str, ...] = (),
    is_batched: bool = False,
    **options: Any,
) -> ScriptDefinition:
    """A script's file; ``code`` is the letter of its fingerprint, None for an unreadable one."""
    location = Location(path_of(text))
    return ScriptDefinition(
        id=script_id(text),
        location=location,
        fingerprint=fingerprint(code) if code else None,
        content_digest=f"content of {code}",
        help=f"Does {text}",
        options=ScriptOptions(**options, watch=tuple(one.partition("=")[0] for one in watches)),
        requires=tuple(Requirement(script_id(name), name, location) for name in requires),
        watches=tuple(map(module, watches)),
        is_batched=is_batched,
    )


def run(outcome: str, code: str = "a", kind: str = "run", *, watched: tuple[str, ...] = ()) -> RunRecord:
    version, content, modules = fingerprint(code), f"content of {code}", tuple(map(module, watched))
    return RunRecord(1, kind, outcome, version, content, NOON, NOON, "web-1", 42, "deploy", watched=modules)


def record(
    text: str,
    applied: str | None = None,
    *,
    before: str = "",
    last_run: RunRecord | None = None,
    lease_live: bool = False,
    watched: tuple[str, ...] = (),
    walk: WalkRecord | None = None,
) -> ScriptRecord:
    """A script's row; the letters of the fingerprints applied last, and before with what it watches as it is now."""
    return ScriptRecord(
        id=script_id(text),
        path=path_of(text),
        applied=fingerprint(applied) if applied else None,
        applied_content=f"content of {applied}" if applied else None,
        applied_at=NOON if applied else None,
        applied_before=frozenset(map(fingerprint, before)),
        last_run=last_run or (run("succeeded", applied) if applied else None),
        lease=Lease(lease_live, None, 60.0 if lease_live else -60.0)
        if last_run and last_run.outcome == "running"
        else None,
        applied_watched=tuple(map(module, watched)),
        walk_pk=walk.pk if walk else 0,
        walk=walk,
    )


def key_range(number: int, cursor: int | None, outcome: str = "open", **facts: Any) -> RangeRecord:
    """A range of a hundred integer keys, walked up to ``cursor``."""
    lower, upper = number * 100, number * 100 + 100
    last = None if cursor is None else (str(cursor),)
    return RangeRecord(number + 1, number, (str(lower),), (str(upper),), last, outcome, **facts)


def worker(
    pk: int, outcome: str = "running", *, live: bool = True, waiting: str = "", ago: float | None = None
) -> WorkerRecord:
    """A worker; with ``ago``, the seconds since its last sign of life, as on a server."""
    lease = None if ago is None else Lease(live, ago, 60 - ago)
    return WorkerRecord(run(outcome)._replace(pk=pk, ended_at=None), live, waiting, lease)


def walk(code: str = "a", *, hold: str = "", watched: tuple[str, ...] = (), **facts: Any) -> WalkRecord:
    """A walk over the keys to 100, which is at 43 %; ``hold`` is the kind of a decision of anna's."""
    decision = run("succeeded", kind=hold)._replace(user="anna", reason="the disk is full", pk=9)
    found = WalkRecord(
        pk=7,
        script_pk=1,
        token="t" * 32,
        version=fingerprint(code),
        content_digest=f"content of {code}",
        watched=tuple(map(module, watched)),
        outcome="open",
        started_at=NOON,
        ended_at=None,
        database="default",
        table="shop_order",
        key="integer",
        hold=decision if hold else None,
        ranges=(key_range(0, 43, keys=40, rows=30, batches=4, batch_size=10),),
    )
    return found._replace(**facts)
