"""Rows of walks for tests of what reads them and decides about them; no worker runs."""

from __future__ import annotations

import os
from typing import Any

from django.utils import timezone

from scripts_tracker.core.progress import to_text
from scripts_tracker.ledger import processes
from scripts_tracker.ledger.clock import DatabaseEpoch
from scripts_tracker.ledger.statements import identity_of
from scripts_tracker.models import Script, ScriptRange, ScriptRun, ScriptVersion, ScriptWalk
from tests.builders import fingerprint, script_id


def open_walk(text: str, *, version: ScriptVersion | None = None, **facts: Any) -> ScriptWalk:
    """A script that was begun: a range of the keys to 100 that is at 43, without a worker."""
    app_label, name = script_id(text)
    script, _ = Script.objects.get_or_create(
        identity=identity_of(script_id(text)),
        defaults={"app_label": app_label, "name": name, "path": f"{app_label}/management/commands/{name}.py"},
    )
    version = version or version_of(script)
    defaults = {"outcome": "open", "started_at": timezone.now(), "database": "default", "table": "shop_order"}
    walk = ScriptWalk.objects.create(
        script=script, version=version, token=os.urandom(16).hex(), **{**defaults, "key": "integer", **facts}
    )
    add_range(walk, 0, 100, 43)
    Script.objects.filter(pk=script.pk).update(walk=walk)
    return walk


def version_of(script: Script, letter: str = "a") -> ScriptVersion:
    found, _ = ScriptVersion.objects.get_or_create(
        script=script,
        content_digest=f"content of {letter}",
        defaults={"algorithm": "st1", "digest": fingerprint(letter).digest},
    )
    return found


def add_range(walk: ScriptWalk, lower: int, upper: int, cursor: int | None, **facts: Any) -> ScriptRange:
    key = None if cursor is None else (str(cursor),)
    return ScriptRange.objects.create(
        walk=walk,
        number=walk.ranges.count(),
        lower=to_text((str(lower),)),
        upper=to_text((str(upper),)),
        cursor=to_text(key),
        **{"outcome": "open", **facts},
    )


def add_worker(walk: ScriptWalk, outcome: str = "running", *, live: bool = True, **facts: Any) -> ScriptRun:
    """A worker that joined last: this process, or where it is not live, one of another host."""
    own = {"host": processes.host(), "pid": os.getpid(), "process": processes.own()}
    run = ScriptRun.objects.create(
        script=walk.script,
        version=walk.version,
        walk=walk,
        kind="run",
        outcome=outcome,
        started_at=timezone.now(),
        token=os.urandom(16).hex(),
        **{**(own if live else {"host": "elsewhere", "pid": 4}), **facts},
    )
    expires = DatabaseEpoch() + (600 if live else -1)
    ScriptRun.objects.filter(pk=run.pk).update(lease_expires=expires)
    Script.objects.filter(pk=walk.script_id).update(last_run=run)
    return run


def hold(walk: ScriptWalk, kind: str, reason: str = "the disk is full") -> ScriptRun:
    run = ScriptRun.objects.create(
        script=walk.script, walk=walk, kind=kind, outcome="succeeded", started_at=timezone.now(), user="anna",
        reason=reason,
    )  # fmt: skip
    ScriptWalk.objects.filter(pk=walk.pk).update(hold=run)
    return run


BATCHED = """\
from scripts_tracker import tracked_script
from scripts_tracker.batches import BatchedCommand
from scripts_tracker.models import ScriptVersion

class Command(BatchedCommand):
    help = "Does {name}"

    def batches(self):
        return ScriptVersion.objects.all()

    @tracked_script
    def process(self, batch):
        return {value}
"""


def batched(name: str, value: int = 0) -> str:
    """The source of a batched script; another ``value`` is other code."""
    return BATCHED.format(name=name, value=value)


def begin(text: str, **facts: Any) -> ScriptWalk:
    """Begin a script with the code that its file has now."""
    from scripts_tracker.project.status import load_status

    definition = load_status(with_fingerprints=True).by_id[script_id(text)].definition
    assert definition is not None
    assert definition.fingerprint is not None
    walk = open_walk(text, **facts)
    version = ScriptVersion.objects.create(
        script=walk.script,
        content_digest=definition.content_digest,
        algorithm=definition.fingerprint.algorithm,
        digest=definition.fingerprint.digest,
    )
    ScriptWalk.objects.filter(pk=walk.pk).update(version=version)
    walk.version = version
    return walk
