"""The ledger's tables. Facts only: what a script's state is, states.py derives."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Script(models.Model):
    """One script: who it is, what was applied, what was tried last, and until when that holds it.

    ``last_run`` while it is running is the holder of the script, and its key the token that proves it.
    ``applied_run`` is what was applied before the last run, which says of itself whether it applies.
    """

    # What makes a script one: MySQL and MariaDB take fix and Fix for the same text.
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
    # Seconds since the epoch by the database's clock: the one form that no USE_TZ and no session zone can bend.
    lease_expires = models.FloatField(default=0)

    class Meta:
        permissions: ClassVar = [("decide_script", "Can mark scripts as applied and forget them")]

    def __str__(self) -> str:
        return f"{self.app_label}.{self.name}"


class ScriptVersion(models.Model):
    """One file content of a script: its fingerprint, the facts read from it, its source."""

    script = models.ForeignKey(Script, on_delete=models.CASCADE, related_name="versions")
    algorithm = models.CharField(max_length=16)
    digest = models.CharField(max_length=64)
    content_digest = models.CharField(max_length=64)
    # JSON as text: a JSONField makes every ``manage.py check`` open the database, and parses what nobody asks for.
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
    """One attempt or one decision about a script; rows are added and ended, never rewritten.

    ``kind`` is run, rehearsal, mark or unmark; ``outcome`` is running, then once and for all succeeded, failed or
    lost; ``reason`` is what a person gave for a mark, in a line what failed, or why a success does not count;
    ``applies`` tells whether its version counts as applied by it, until somebody unmarks the script;
    ``process`` names the process beyond its number, where the system can; ``watched`` is JSON: what the modules that
    the script watches were, as fingerprint and digest of the bytes.
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

    def __str__(self) -> str:
        return f"{self.kind} {self.outcome} {self.started_at:%Y-%m-%d %H:%M}"
