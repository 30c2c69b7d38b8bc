"""The version of a script that is about to run, or to be marked: the file as it is now."""

from __future__ import annotations

import getpass
import hashlib
import io
import os
from typing import TYPE_CHECKING

from scripts_tracker import conf
from scripts_tracker.core import redaction
from scripts_tracker.core.values import ALGORITHM, Fingerprint
from scripts_tracker.exceptions import UnreadableSource
from scripts_tracker.ledger import processes
from scripts_tracker.ledger.writing import RunFacts, VersionFacts
from scripts_tracker.project import git, scan

if TYPE_CHECKING:
    from scripts_tracker.analysis.facts.values import FileFacts
    from scripts_tracker.ledger.leases import KnownVersion
    from scripts_tracker.ledger.writing import Kind


def read_source(file: str) -> tuple[bytes, str]:
    """A file's bytes and their digest; no bytes if only compiled code exists: the run counts, and nothing can differ."""
    try:
        with io.open(file, "rb") as stream:  # noqa: UP020 - tests of commands replace builtins.open
            source = stream.read()
    except OSError:
        source = b""
    return source, hashlib.sha256(source).hexdigest()


def describe(source: bytes, content_digest: str, known: KnownVersion | None) -> VersionFacts:
    """The version with these bytes, identified by its bytes alone ("raw") if they cannot be parsed.

    Nothing is parsed in a test: each test process would spend a third of a second and a thread on a record that is
    soon rolled back. A check that runs in a test has the source to compare.

    Args:
        source: the file's bytes.
        content_digest: their digest.
        known: what the ledger knows of them.
    """
    if known is not None and known.fingerprint.algorithm == ALGORITHM:
        return VersionFacts(known.fingerprint, content_digest, known.facts, _stored_source(source))
    try:
        facts = None if conf.is_under_test() else scan.facts_of(source)
    except UnreadableSource:
        facts = None
    return version_of(source, content_digest, facts)


def version_of(source: bytes, content_digest: str, facts: FileFacts | None) -> VersionFacts:
    """The version with these bytes; without facts, or a command in them, the digest is its identity."""
    if facts is None or facts.fingerprint is None:
        return VersionFacts(Fingerprint.of_bytes(content_digest), content_digest, "", _stored_source(source))
    fingerprint = Fingerprint.parse(facts.fingerprint)
    return VersionFacts(fingerprint, content_digest, facts.to_text(), _stored_source(source))


def _stored_source(source: bytes) -> bytes | None:
    return source if conf.tracker_settings().store_source else None


def run_metadata(kind: Kind, *, given: str = "{}", reason: str = "", user: str = "") -> RunFacts:
    """What a new row of the history says about who acts, where and why.

    Args:
        kind: run, rehearsal, or a decision.
        given: the arguments of a run, as JSON text.
        reason: the reason of a decision without a run.
        user: who decides; empty for the user of this process.
    """
    return RunFacts(
        kind=kind,
        host=processes.host(),
        pid=os.getpid(),
        process=processes.own(),
        user=(user or process_user())[:255],
        arguments=given,
        git_revision=git.head_revision(conf.base_dir()),
        reason=redaction.bounded(reason),
    )


def process_user() -> str:
    """The name of the user that this process belongs to, or its number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # no such uid in this container, or no pwd module
        return str(os.getuid()) if hasattr(os, "getuid") else ""
