"""The modules that scripts watch, then and now: what changed, as half a sentence, and how the ledger stores them. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from scripts_tracker.core.values import Fingerprint, ModuleVersion

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def to_text(versions: Iterable[ModuleVersion]) -> str:
    """The modules as the ledger stores them: JSON, or the empty text for none."""
    columns = {
        one.module: [str(one.fingerprint) if one.fingerprint else None, one.content_digest]
        for one in versions
    }
    return json.dumps(columns, separators=(",", ":")) if columns else ""


def from_text(text: str | None) -> tuple[ModuleVersion, ...]:
    """The inverse of ``to_text``; no modules where the text is malformed."""
    if not text:
        return ()
    try:
        return tuple(
            ModuleVersion(module, Fingerprint.parse(fingerprint) if fingerprint else None, digest)
            for module, (fingerprint, digest) in json.loads(text).items()
        )
    except (ValueError, TypeError, AttributeError):
        return ()


def is_same(now: ModuleVersion, then: ModuleVersion | None) -> bool:
    """Whether a module is unchanged: the same code, the same bytes, or missing both times."""
    if then is None:
        return False
    if now.is_missing or then.is_missing:
        return now.is_missing and then.is_missing
    same_code = now.fingerprint is not None and now.fingerprint == then.fingerprint
    return same_code or (bool(now.content_digest) and now.content_digest == then.content_digest)


def changed(now: Sequence[ModuleVersion], then: Iterable[ModuleVersion]) -> tuple[str, ...]:
    """The watched modules that have changed, or were not watched then."""
    if not now:
        return ()
    before = {one.module: one for one in then}
    return tuple(one.module for one in now if not is_same(one, before.get(one.module)))


def refingerprinted(then: Sequence[ModuleVersion], now: Iterable[ModuleVersion]) -> tuple[ModuleVersion, ...]:
    """The modules as they were, with the current fingerprint of those whose bytes are the same now."""
    current = {(one.module, one.content_digest): one for one in now if one.fingerprint}
    return tuple(current.get((one.module, one.content_digest), one) for one in then)


def unreadable(versions: Iterable[ModuleVersion]) -> tuple[str, ...]:
    """The modules that cannot be parsed, so that changes in them cannot be seen."""
    return tuple(one.module for one in versions if one.is_unreadable)


def _clause(modules: Sequence[str], one: str, several: str = "") -> str:
    if not modules:
        return ""
    *others, last = modules
    listed = f"{', '.join(others)} and {last}" if others else last
    return f"{listed}, which it watches, {several or one if others else one}"


def unreadable_words(versions: Iterable[ModuleVersion]) -> str:
    """Which modules cannot be parsed, as half a sentence; empty if all can."""
    return _clause(unreadable(versions), "cannot be parsed")


def missing_words(versions: Iterable[ModuleVersion]) -> str:
    """Which modules do not exist, as half a sentence; empty if all do."""
    return _clause([one.module for one in versions if one.is_missing], "does not exist", "do not exist")


def changed_words(now: Sequence[ModuleVersion], then: Sequence[ModuleVersion]) -> str:
    """Which modules changed, and how, as half a sentence; empty if none did."""
    before = {one.module for one in then}
    missing = {one.module for one in now if one.is_missing}
    modules = changed(now, then)
    clauses = (
        _clause([one for one in modules if one in before - missing], "changed"),
        _clause([one for one in modules if one in before & missing], "was removed", "were removed"),
        _clause(
            [one for one in modules if one not in before], "was not watched then", "were not watched then"
        ),
    )
    return "; ".join(filter(None, clauses))


def bytes_only(now: Iterable[ModuleVersion], then: Iterable[ModuleVersion]) -> str:
    """Why only the bytes of a changed module could be compared; empty if the code was compared."""
    before = {one.module: one for one in then}
    for one in now:
        old = before.get(one.module)
        if old is None or one.fingerprint is None or old.is_missing or is_same(one, old):
            continue
        if old.fingerprint is None:
            return f"{one.module} could not be parsed then"
        if old.fingerprint.algorithm != one.fingerprint.algorithm:
            algorithms = f"{old.fingerprint.algorithm}, not {one.fingerprint.algorithm}"
            return f"the fingerprint of {one.module} uses algorithm {algorithms}"
    return ""
