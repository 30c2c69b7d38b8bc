"""Which version of a script is about to run, or to be marked: the file as it stands now."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from scripts_tracker import conf, ledger, scan
from scripts_tracker.datatypes import Fingerprint
from scripts_tracker.exceptions import UnreadableSource
from scripts_tracker.ledger import VersionFacts

if TYPE_CHECKING:
    from scripts_tracker.datatypes import ScriptId


def read_version(script_id: ScriptId, file: str) -> VersionFacts:
    """The file as it stands now; what cannot be analysed is known by its bytes alone ("raw")."""
    try:
        with open(file, "rb") as stream:
            source = stream.read()
    except OSError:
        source = b""  # only compiled code is there: nothing to compare, but the run still counts
    return version_of(script_id, source)


def version_of(script_id: ScriptId, source: bytes) -> VersionFacts:
    """The version that these bytes are; libcst is not needed where the ledger has seen them."""
    content_digest = hashlib.sha256(source).hexdigest()
    kept = source if conf.tracker_settings().store_source else None
    known = ledger.known_version(script_id, content_digest)
    if known is not None:
        return VersionFacts(known[0], content_digest, known[1], kept)
    try:
        facts = scan.facts_of(source)
    except UnreadableSource:
        return VersionFacts(Fingerprint("raw", content_digest), content_digest, "", kept)
    if facts.fingerprint is None:
        return VersionFacts(Fingerprint("raw", content_digest), content_digest, "", kept)
    return VersionFacts(
        Fingerprint.parse(facts.fingerprint), content_digest, json.dumps(facts.to_json()), kept
    )
