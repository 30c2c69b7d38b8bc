"""The ledger's tables. They hold facts; core/states.py derives the state of a script."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Script(models.Model):
    """One script with its last run, the run that applied it before, and the end of the last run's lease.

    While ``last_run`` is running, it holds the script, and its key is the token that proves it. Whether the last run
    applies, it says itself: ``applied_run`` is the one before.
    """

    # What identifies a script: for MySQL and MariaDB, fix and Fix would be the same text.
    identity = models.CharField(max_length=64, unique=True)
    app_label = models.CharField(max_length=100)
    name = models.CharField(max_length=255)
    path = models.TextField(default="")
    applied_run = models.ForeignKey(
        "ScriptRun", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    last_run = models.ForeignKey(
        "ScriptRun", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    # Seconds since 1970 by the database's clock, which neither USE_TZ nor a session's time zone can change.
    lease_expires = models.FloatField(default=0)
    # When the lease was taken or renewed last, by the same clock: the last sign of life.
    lease_renewed = models.FloatField(default=0, db_default=0)
    # The walk of a batched script that has begun and is not over; a check asks for walks only where one is open.
    walk = models.ForeignKey("ScriptWalk", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        permissions: ClassVar = [
            ("decide_script", "Can mark scripts as applied, unmark, release, pause, resume and cancel them")
        ]

    def __str__(self) -> str:
        from scripts_tracker.core.escaping import visible  # only the admin shows rows

        return visible(f"{self.app_label}.{self.name}")


class ScriptVersion(models.Model):
    """One file content of a script: its fingerprint, facts and source."""

    script = models.ForeignKey(Script, on_delete=models.CASCADE, related_name="versions")
    algorithm = models.CharField(max_length=16)
    digest = models.CharField(max_length=64)
    content_digest = models.CharField(max_length=64)
    # JSON as text: a JSONField makes every ``manage.py check`` open the database, and parses what is not needed.
    facts = models.TextField(default="", blank=True)
    source = models.BinaryField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["script", "content_digest"], name="scripts_tracker_version_content"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.digest}"


class ScriptRun(models.Model):
    """One attempt or one mark of a script; rows are added and ended, never rewritten.

    Attributes:
        kind: run or rehearsal; of a decision: mark, baseline (a mark in a new database), unmark, release, pause, resume, cancel or restart.
        outcome: running, then finally succeeded, failed or lost.
        applies: whether its version counts as applied by it, until the script is unmarked.
        process: identifies the process beyond its number, if the system can.
        reason: the reason for a decision, what failed in a line, why a success does not count, or who released a lost run.
        watched: JSON of the watched modules: their fingerprints and the digests of their bytes.
        token: random; an attempt finds its row by it beside the key, as another schema may have a row of the same key.
        walk: what a worker of a batched script works on, or a decision is about.
        lease_expires: when the lease of such a worker runs out, by the database's clock; other runs have that of the script.
        waiting: what such a worker waits for, empty while it works.
        environment: where it was recorded; none where that is not known.
        report: JSON of what a rehearsal has changed, empty without one.
    """

    script = models.ForeignKey(Script, on_delete=models.CASCADE, related_name="runs")
    version = models.ForeignKey(
        ScriptVersion, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    kind = models.CharField(max_length=16)
    outcome = models.CharField(max_length=16)
    applies = models.BooleanField(default=False)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    host = models.CharField(max_length=255, default="", blank=True)
    pid = models.BigIntegerField(null=True, blank=True)
    process = models.CharField(max_length=255, default="", blank=True)
    user = models.CharField(max_length=255, default="", blank=True)
    arguments = models.TextField(default="{}", blank=True)
    git_revision = models.CharField(max_length=64, default="", blank=True)
    output = models.TextField(default="", blank=True)
    traceback = models.TextField(default="", blank=True)
    reason = models.TextField(default="", blank=True)
    watched = models.TextField(default="", blank=True)
    token = models.CharField(max_length=32, default="", db_default="", blank=True)
    walk = models.ForeignKey(
        "ScriptWalk", null=True, blank=True, on_delete=models.SET_NULL, related_name="runs"
    )
    lease_expires = models.FloatField(default=0, db_default=0)
    waiting = models.CharField(max_length=255, default="", db_default="", blank=True)
    environment = models.ForeignKey(
        "ScriptEnvironment", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    report = models.TextField(default="", db_default="", blank=True)

    def __str__(self) -> str:
        return f"{self.kind} {self.outcome} {self.started_at:%Y-%m-%d %H:%M}"


class ScriptEnvironment(models.Model):
    """One place where the ledger was used: a restored copy finds the rows of the place that it comes from.

    Attributes:
        name: the setting "environment" there, empty without one.
        identity: what the database says of itself, as ``ledger.environments`` reads it; empty where it says nothing.
        first_seen_at: when the first run or decision was recorded there.
        continues: the place that this one is, under another name or on another server, as a person has confirmed.
        is_copy: whether a person has denied that.
        user: who has decided.
        reason: why.
        decided_at: when.
    """

    name = models.CharField(max_length=255, default="", blank=True)
    identity = models.CharField(max_length=255, default="", blank=True)
    first_seen_at = models.DateTimeField()
    continues = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    is_copy = models.BooleanField(default=False)
    user = models.CharField(max_length=255, default="", blank=True)
    reason = models.TextField(default="", blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name or self.identity


class ScriptWalk(models.Model):
    """One way of a batched script through the keys of its table, by one version of the code.

    Attributes:
        version: the file that it was begun with, or that a person has accepted since.
        watched: JSON of the watched modules then, as that of a run.
        outcome: open, then finally succeeded, cancelled or restarted.
        database: the alias of the table.
        key: the kind of its key: integer, uuid or other.
        hold: the decision to pause or to cancel it, while that is in force.
        finisher: the worker that does what follows the last batch.
        token: random, as that of a run.
    """

    script = models.ForeignKey(Script, on_delete=models.CASCADE, related_name="walks")
    version = models.ForeignKey(
        ScriptVersion, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    watched = models.TextField(default="", blank=True)
    outcome = models.CharField(max_length=16)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    database = models.CharField(max_length=255)
    table = models.CharField(max_length=255)
    key = models.CharField(max_length=16)
    hold = models.ForeignKey(ScriptRun, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    finisher = models.ForeignKey(
        ScriptRun, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    token = models.CharField(max_length=32)

    def __str__(self) -> str:
        return f"{self.table} {self.outcome} {self.started_at:%Y-%m-%d %H:%M}"


class ScriptRange(models.Model):
    """A part of the key space of a walk, which one worker at a time goes through.

    Keys are JSON lists of texts, one for each column of the key; empty where there is none.

    Attributes:
        number: its place in the walk, from 0.
        lower: the key that it begins after.
        upper: its last key.
        cursor: the last key whose batch is committed.
        outcome: open, done or parked.
        worker: who has it, or had it last: see ``ledger.walks``.
        token: random; a batch is committed only by the worker that has the range.
        keys: how many keys were walked.
        rows: how many rows ``process()`` says it has changed; keys where it says nothing.
        batches: how many batches were committed.
        batch_size: of the next batch.
        keys_per_second, rows_per_second: of the last batches.
        reason: why it is parked, with the row that fails, or what interrupted it.
    """

    walk = models.ForeignKey(ScriptWalk, on_delete=models.CASCADE, related_name="ranges")
    number = models.PositiveIntegerField()
    lower = models.TextField(default="", blank=True)
    upper = models.TextField(default="", blank=True)
    cursor = models.TextField(default="", blank=True)
    outcome = models.CharField(max_length=16)
    worker = models.ForeignKey(ScriptRun, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    token = models.CharField(max_length=32, default="", blank=True)
    keys = models.BigIntegerField(default=0)
    rows = models.BigIntegerField(default=0)
    batches = models.BigIntegerField(default=0)
    batch_size = models.PositiveIntegerField(default=0)
    keys_per_second = models.FloatField(default=0)
    rows_per_second = models.FloatField(default=0)
    reason = models.TextField(default="", blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["walk", "number"], name="scripts_tracker_range_number"),
        ]

    def __str__(self) -> str:
        return f"range {self.number} {self.outcome}"
