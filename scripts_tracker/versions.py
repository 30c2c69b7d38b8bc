"""Which version of a script is about to run, or to be marked: the file as it stands now."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from scripts_tracker import conf, scan
from scripts_tracker.datatypes import Fingerprint
from scripts_tracker.exceptions import UnreadableSource
from scripts_tracker.ledger import VersionFacts
from scripts_tracker.vocabulary import ALGORITHM

if TYPE_CHECKING:
    from scripts_tracker.analysis.facts import FileFacts
    from scripts_tracker.leases import KnownVersion


def describe(source: bytes, content_digest: str, known: KnownVersion | None) -> VersionFacts:
    """The version that these bytes are; what cannot be analysed is known by its bytes alone ("raw").

    Args:
        source: the file's bytes.
        content_digest: their digest.
        known: what the ledger has of them.
    """
    if known is not None and known.fingerprint.algorithm == ALGORITHM:
        return VersionFacts(known.fingerprint, content_digest, known.facts, kept(source))
    try:
        facts = scan.facts_of(source)  # libcst is needed only where the ledger does not know the fingerprint
    except UnreadableSource:
        facts = None
    return version_of(source, content_digest, facts)


def read_source(file: str) -> tuple[bytes, str]:
    """A file's bytes and their digest."""
    try:
        with open(file, "rb") as stream:
            source = stream.read()
    except OSError:
        source = b""  # only compiled code is there: nothing to compare, but the run still counts
    return source, hashlib.sha256(source).hexdigest()


def version_of(source: bytes, content_digest: str, facts: FileFacts | None) -> VersionFacts:
    """The version that these bytes are; without facts or a command in them, their digest stands in."""
    if facts is None or facts.fingerprint is None:
        return VersionFacts(Fingerprint.of_bytes(content_digest), content_digest, "", kept(source))
    fingerprint = Fingerprint.parse(facts.fingerprint)
    return VersionFacts(fingerprint, content_digest, facts.to_text(), kept(source))


def kept(source: bytes) -> bytes | None:
    """The source as far as the ledger is to keep it."""
    return source if conf.tracker_settings().store_source else None
