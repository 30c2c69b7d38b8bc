"""The modules that scripts watch, then and now: what changed, the words for it, and how the ledger keeps them. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from scripts_tracker.core.values import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scripts_tracker.core.values import ModuleVersion


def to_text(versions: Iterable[ModuleVersion]) -> str:
    """The modules as the ledger keeps them: JSON, and the empty text for none."""
    columns = {
        one.module: [str(one.fingerprint) if one.fingerprint else None, one.content_digest]
        for one in versions
    }
    return json.dumps(columns, separators=(",", ":")) if columns else ""


def from_text(text: str | None) -> tuple[ModuleVersion, ...]:
    """The inverse of ``to_text``; what is no such text says nothing of any module."""
    if not text:
        return ()
    from scripts_tracker.core.values import ModuleVersion  # few scripts watch anything

    try:
        return tuple(
            ModuleVersion(module, Fingerprint.parse(fingerprint) if fingerprint else None, digest)
            for module, (fingerprint, digest) in json.loads(text).items()
        )
    except (ValueError, TypeError, AttributeError):
        return ()


def is_same(now: ModuleVersion, then: ModuleVersion | None) -> bool:
    """Whether a module is what it was: the same code, the same bytes, or gone both times."""
    if then is None:
        return False
    if now.is_missing or then.is_missing:
        return now.is_missing and then.is_missing
    same_code = now.fingerprint is not None and now.fingerprint == then.fingerprint
    return same_code or (bool(now.content_digest) and now.content_digest == then.content_digest)


def changed(now: Sequence[ModuleVersion], then: Iterable[ModuleVersion]) -> tuple[str, ...]:
    """The modules that a script watches which are not what they were; also those that nobody looked at then."""
    if not now:
        return ()
    before = {one.module: one for one in then}
    return tuple(one.module for one in now if not is_same(one, before.get(one.module)))


def stamped(then: Sequence[ModuleVersion], now: Iterable[ModuleVersion]) -> tuple[ModuleVersion, ...]:
    """The modules as they were, with today's fingerprints where today's file has their very bytes."""
    current = {(one.module, one.content_digest): one for one in now if one.fingerprint}
    return tuple(current.get((one.module, one.content_digest), one) for one in then)


def unreadable(versions: Iterable[ModuleVersion]) -> tuple[str, ...]:
    """The modules whose file cannot be analysed, so that nobody can tell whether they changed."""
    return tuple(one.module for one in versions if one.is_unreadable)


def listed(modules: Sequence[str]) -> str:
    """Some modules in half a sentence."""
    *others, last = modules
    return f"{', '.join(others)} and {last}" if others else last


def _clause(modules: Sequence[str], one: str, several: str) -> str:
    return f"{listed(modules)}, which it watches, {one if len(modules) == 1 else several}" if modules else ""


def unreadable_words(versions: Sequence[ModuleVersion]) -> str:
    """That modules cannot be analysed, as half a sentence; empty where all of them can."""
    return _clause(unreadable(versions), "cannot be analysed", "cannot be analysed")


def missing_words(versions: Iterable[ModuleVersion]) -> str:
    """That modules do not exist, as half a sentence; empty where all of them do."""
    return _clause([one.module for one in versions if one.is_missing], "does not exist", "do not exist")


def changed_words(now: Sequence[ModuleVersion], then: Sequence[ModuleVersion]) -> str:
    """What became of the modules that changed, as half a sentence; empty where none did."""
    before = {one.module: one for one in then}
    missing = {one.module for one in now if one.is_missing}
    modules = changed(now, then)
    unknown = [one for one in modules if one not in before]
    gone = [one for one in modules if one in before and one in missing]
    clauses = (
        _clause([one for one in modules if one not in (*unknown, *gone)], "changed", "changed"),
        _clause(gone, "is gone", "are gone"),
        _clause(unknown, "was not looked at then", "were not looked at then"),
    )
    return "; ".join(filter(None, clauses))


def bytes_only(now: Iterable[ModuleVersion], then: Iterable[ModuleVersion]) -> str:
    """Why modules that differ could be compared by their bytes alone; empty where their code was compared."""
    before = {one.module: one for one in then}
    for one in now:
        old = before.get(one.module)
        if old is None or one.fingerprint is None or old.is_missing or is_same(one, old):
            continue
        if old.fingerprint is None:
            return f"{one.module} could not be analysed then"
        if old.fingerprint.algorithm != one.fingerprint.algorithm:
            algorithms = f"{old.fingerprint.algorithm}, not {one.fingerprint.algorithm}"
            return f"the fingerprint of {one.module} is by algorithm {algorithms}"
    return ""
