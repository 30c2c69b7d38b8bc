"""Values for tests, with the details that a test does not speak of filled in."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

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
    ScriptRecord,
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
    )
