"""Which version of a script is about to run, or to be marked: the file as it stands now."""

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


def describe(source: bytes, content_digest: str, known: KnownVersion | None) -> VersionFacts:
    """The version that these bytes are; what cannot be analysed is known by its bytes alone ("raw").

    So is what runs in a test: the parser would cost each test process a third of a second and a thread, for a record
    that is soon rolled back. A check that asks all the same has the source.

    Args:
        source: the file's bytes.
        content_digest: their digest.
        known: what the ledger has of them.
    """
    if known is not None and known.fingerprint.algorithm == ALGORITHM:
        return VersionFacts(known.fingerprint, content_digest, known.facts, stored_source(source))
    try:
        # libcst is needed only where the ledger does not know the fingerprint.
        facts = None if conf.is_under_test() else scan.facts_of(source)
    except UnreadableSource:
        facts = None
    return version_of(source, content_digest, facts)


def read_source(file: str) -> tuple[bytes, str]:
    """A file's bytes and their digest."""
    try:
        with io.open(file, "rb") as stream:  # noqa: UP020 - the tests of commands replace builtins.open
            source = stream.read()
    except OSError:
        source = b""  # only compiled code is there: nothing to compare, but the run still counts
    return source, hashlib.sha256(source).hexdigest()


def version_of(source: bytes, content_digest: str, facts: FileFacts | None) -> VersionFacts:
    """The version that these bytes are; without facts or a command in them, their digest stands in."""
    if facts is None or facts.fingerprint is None:
        return VersionFacts(Fingerprint.of_bytes(content_digest), content_digest, "", stored_source(source))
    fingerprint = Fingerprint.parse(facts.fingerprint)
    return VersionFacts(fingerprint, content_digest, facts.to_text(), stored_source(source))


def stored_source(source: bytes) -> bytes | None:
    """The source as far as the ledger is to keep it."""
    return source if conf.tracker_settings().store_source else None


def run_metadata(kind: Kind, *, given: str = "{}", reason: str = "", user: str = "") -> RunFacts:
    """One row's worth of it.

    Args:
        kind: run, rehearsal, mark or unmark.
        given: the arguments of a run, as JSON text.
        reason: why somebody decided something without a run.
        user: who it is, where somebody else than the process's own user decided it.
    """
    return RunFacts(
        kind=kind,
        host=processes.host(),
        pid=os.getpid(),
        process=processes.own(),
        user=(user or _user_of_the_process())[:255],
        arguments=given,
        git_revision=git.head_revision(conf.base_dir()),
        reason=redaction.bounded(reason),
    )


def _user_of_the_process() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # no such uid in this container, or no pwd module
        return str(os.getuid()) if hasattr(os, "getuid") else ""
