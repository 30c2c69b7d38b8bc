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

    class Meta:
        permissions: ClassVar = [("decide_script", "Can mark scripts as applied, unmark and release them")]

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
        kind: run, rehearsal, mark, unmark or release.
        outcome: running, then finally succeeded, failed or lost.
        applies: whether its version counts as applied by it, until the script is unmarked.
        process: identifies the process beyond its number, if the system can.
        reason: the reason for a decision, what failed in a line, why a success does not count, or who released a lost run.
        watched: JSON of the watched modules: their fingerprints and the digests of their bytes.
        token: random; an attempt finds its row by it beside the key, as another schema may have a row of the same key.
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

    def __str__(self) -> str:
        return f"{self.kind} {self.outcome} {self.started_at:%Y-%m-%d %H:%M}"
