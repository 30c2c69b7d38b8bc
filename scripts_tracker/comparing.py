"""What changed in a script's file since it ran here: which two are compared, or why nothing can be."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from scripts_tracker import history, scan, watches
from scripts_tracker.dossier import Comparison, base_of
from scripts_tracker.report import local_time, path_of
from scripts_tracker.states import State, is_same_code

if TYPE_CHECKING:
    from scripts_tracker.datatypes import ScriptDefinition
    from scripts_tracker.dossier import Base
    from scripts_tracker.states import ScriptStatus


def compare(status: ScriptStatus, *, raw: bool = False, against: str = "") -> Comparison:
    """Compare what ran here with the file now (one query).

    What was applied last is compared; where nothing ever was, what was tried last.

    Args:
        status: the script's.
        raw: compare the text, formatting included.
        against: the digest of the content to compare with instead.
    """
    base, definition = base_of(status.record), status.definition
    if against and status.record is not None and (base is None or against != base.content_digest):
        return _compared(f"the version {against[:12]}", against, status, raw=raw)
    if base is None:
        return Comparison("", f"{path_of(status)} now", (), _nothing_to_compare(status))
    words = "applied on {}" if base.is_applied else "tried on {}, never applied"
    found = _compared(words.format(local_time(base.at)), base.content_digest, status, raw=raw)
    return found if definition is None else _with_modules(found, definition, base)


def _compared(name: str, content_digest: str, status: ScriptStatus, *, raw: bool) -> Comparison:
    new = f"{path_of(status)} now"
    if status.definition is None or status.record is None:
        gone = "is no longer tracked" if status.file_exists else "is gone"
        note = f"The file {gone}: there is nothing to compare with what was {name}."
        return Comparison(name, "", (), note)
    old = history.source_of(status.record.pk, content_digest)
    if old is None:
        return Comparison(name, new, (), _without_source(status, content_digest))
    if hashlib.sha256(old).hexdigest() != content_digest:
        return Comparison(name, new, (), "The source that the ledger keeps of it is damaged.")
    return _with_the_file(name, old, path_of(status), raw=raw)


def _with_the_file(name: str, old: bytes, path: str, *, raw: bool) -> Comparison:
    from scripts_tracker import diffing  # difflib, and libcst where the bytes differ

    new = f"{path} now"
    try:
        with open(scan.absolute_path(path), "rb") as file:
            source = file.read()
    except OSError as error:
        return Comparison(name, new, (), f"{path} cannot be read: {error.strerror}.")
    found = diffing.compare(old, source, names=(name, new), raw=raw)
    hides_layout = found.note in {diffing.ONLY_LAYOUT, diffing.LEFT_OUT}
    return Comparison(name, new, found.lines, found.note, found.is_raw, hides_layout)


def _with_modules(found: Comparison, definition: ScriptDefinition, base: Base) -> Comparison:
    """The same, with the watched modules that changed: no diff can show them, so that words have to."""
    modules = watches.changed(definition.watches, base.watched)
    if not modules:
        return found
    words = watches.changed_words(definition.watches, base.watched)
    about = f"{words}. The ledger keeps no source of watched modules; git has it."
    # Otherwise "the same" would speak of all that the script relies on.
    note = found.note.replace("The two are", "The script's own file is", 1)
    note = note.replace("The code is", "The code of the script's own file is", 1)
    return replace(found, note=note, changed_modules=modules, about_modules=about)


def _nothing_to_compare(status: ScriptStatus) -> str:
    if status.state is State.MOVED:
        return f"The code is what was applied as {status.moved_from}, whose file is gone."
    return f"{status.id} was never applied here: there is nothing to compare the file with."


def _without_source(status: ScriptStatus, content_digest: str) -> str:
    if content_digest.startswith("md5:"):
        return _adopted_by_checksum(status)
    known = (
        "; by its fingerprint the code is the same" if _is_known_to_be_same(status, content_digest) else ""
    )
    return (
        f"The ledger keeps no source of what ran here{known}. It keeps that of what is run or marked while"
        ' the setting "store_source" is on; until then, git has it.'
    )


def _is_known_to_be_same(status: ScriptStatus, content_digest: str) -> bool:
    definition, record = status.definition, status.record
    if definition is None or record is None or record.bytes_only:
        return False
    return content_digest == record.applied_content and is_same_code(definition, record)


def _adopted_by_checksum(status: ScriptStatus) -> str:
    """What adopt_scripts_tracker took over without a source: its own notice said that git has none either."""
    found = (
        "django-scripts-tracker kept a checksum of what ran here, and no source; adopt_scripts_tracker found no"
        " content with that checksum in git."
    )
    if status.definition is None or status.definition.fingerprint is None:
        return found
    return f"{found} If only its formatting changed: manage.py check_scripts --mark-applied {status.id}"
