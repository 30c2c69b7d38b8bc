"""Files that differ from what was applied in nothing that runs: in an import path of ours, or a renamed label."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis.store.cache import FACTS
from scripts_tracker.exceptions import UnreadableSource
from scripts_tracker.project import scan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scripts_tracker.analysis.store.cache import Cache
    from scripts_tracker.core.states import ScriptRecord
    from scripts_tracker.core.values import ScriptDefinition, ScriptId

_NAMES: Final = ("tracked_script", "required_preceding_script")
_PATH: Final = r"(?:django_)?scripts_tracker(?:\.(?:core_tracker|dependency_tracker|decorators))?"
_IN_FACTS: Final = rf'"({_PATH})[:.]({"|".join(_NAMES)})"'
_IMPORT: Final = rf"(?m)^([ \t]*)from[ \t]+({_PATH})[ \t]+import[ \t]*(?:\(([^)]*)\)|([^\n#;(]*))"
_OLD_PATHS: Final = {
    "tracked_script": "django_scripts_tracker.core_tracker",
    "required_preceding_script": "django_scripts_tracker.dependency_tracker",
}


def is_equivalent(
    definition: ScriptDefinition, record: ScriptRecord, cache: Cache, earlier: ScriptId | None
) -> bool:
    """Whether a file that differs from what was applied does the same.

    Args:
        definition: the file.
        record: what was applied.
        cache: has the facts of both, and keeps the answer.
        earlier: the id of the script before its app was renamed.
    """
    then = _paths(cache, record.applied_content or "") or _OLD_PATHS
    now = _paths(cache, definition.content_digest)
    moved = {name: path for name, path in then.items() if name in now and now[name] != path}
    if record.applied is None or not (moved or earlier):
        return False
    kind = f"equivalent {record.applied} {earlier or ''}"
    if not cache.text(kind, definition.content_digest):
        answer = _is_same(definition, record, moved, earlier)
        cache.put_text(kind, definition.content_digest, "yes" if answer else "no")
    return cache.text(kind, definition.content_digest) == "yes"


def _paths(cache: Cache, content_digest: str) -> dict[str, str]:
    """Where the code with this digest imports the decorators from, by its facts, of whatever version they are."""
    text = cache.text(FACTS, content_digest)
    if not text and (facts := cache.facts(content_digest)) is not None:
        text = facts.to_text()
    return {name: path for path, name in re.findall(_IN_FACTS, text)}


def _is_same(
    definition: ScriptDefinition, record: ScriptRecord, moved: Mapping[str, str], earlier: ScriptId | None
) -> bool:
    from scripts_tracker.analysis.fingerprint import fingerprint  # this imports libcst

    try:
        with open(scan.absolute_path(definition.location.path), encoding="utf-8", newline="") as file:
            source = file.read()
        return any(
            fingerprint(one.encode()) == record.applied
            for one in _variants(source, definition, moved, earlier)
        )
    except (OSError, UnicodeDecodeError, UnreadableSource):
        return False


def _variants(
    source: str, definition: ScriptDefinition, moved: Mapping[str, str], earlier: ScriptId | None
) -> Iterator[str]:
    """The file as it may have been when it was applied."""
    before = re.sub(_IMPORT, lambda match: _import_from(match, moved), source) if moved else source
    if earlier is None:
        yield before
        return
    label, name = definition.id.app_label, earlier.app_label
    yield re.sub(rf"\b{re.escape(label)}\b", name, before)


def _import_from(match: re.Match[str], moved: Mapping[str, str]) -> str:
    """An import of our decorators, with each from its earlier path."""
    indentation, path, bracketed, plain = match.groups()
    names = [one.strip() for one in re.sub(r"#[^\n]*", "", bracketed or plain or "").split(",")]
    statements = [f"from {moved.get(one.split()[0], path)} import {one}" for one in names if one]
    return "\n".join(indentation + one for one in statements)
