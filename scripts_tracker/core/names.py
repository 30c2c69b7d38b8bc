"""From what a person types to a script: full names, short names, and the nearest ones for a slip."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts_tracker.exceptions import UnknownScript

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from scripts_tracker.core.values import ScriptId

# For names of scripts, which share words: difflib's default of 0.6 takes "third" for a slip of "frist".
_LIKENESS = 0.65


def close_matches(word: str, known: Iterable[str], most: int = 1, likeness: float = 0.6) -> list[str]:
    """The known words most like a misspelt one, the most similar first; empty if there is none."""
    import difflib  # needed only where something is misspelt

    return difflib.get_close_matches(word, list(known), n=most, cutoff=likeness)


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word most like a misspelt one; empty if there is none."""
    return next(iter(close_matches(word, known)), "")


def letters_between(one: str, other: str) -> int:
    """How many letters have to be added, left out or exchanged to make one word of another (Levenshtein's distance)."""
    above = list(range(len(other) + 1))
    for number, letter in enumerate(one, start=1):
        row = [number]
        for column, each in enumerate(other):
            row.append(min(above[column + 1] + 1, row[column] + 1, above[column] + (letter != each)))
        above = row
    return above[-1]


def nearest_scripts(text: str, known: Iterable[ScriptId]) -> str:
    """The scripts whose full or short name is most like a misspelt one, as ``a.b or c.d``; empty if there is none."""
    by_short_name: dict[str, list[str]] = {}
    for script_id in sorted(known):
        by_short_name.setdefault(script_id.name, []).append(str(script_id))
    near = close_matches(text, (one for several in by_short_name.values() for one in several), 3, _LIKENESS)
    for name in close_matches(text.rpartition(".")[2], by_short_name, 3, _LIKENESS):
        near.extend(by_short_name[name])
    return " or ".join(list(dict.fromkeys(near))[:3])


def resolve(text: str, known: Collection[ScriptId]) -> ScriptId:
    """The script that ``app.name`` or ``name`` names; raises UnknownScript, with what to type instead."""
    return _resolve(text, _by_text(known), known)


def resolve_all(texts: Iterable[str], known: Collection[ScriptId]) -> tuple[ScriptId, ...]:
    """Every named script once, in the order typed; raises UnknownScript with all the wrong names at once."""
    texts = tuple(texts)
    if not texts:  # as for most checks
        return ()
    by_text = _by_text(known)
    found: dict[ScriptId, None] = {}
    wrong: list[str] = []
    for text in texts:
        try:
            found[_resolve(text, by_text, known)] = None
        except UnknownScript as error:
            wrong.append(str(error))
    if wrong:
        raise UnknownScript("\n".join(wrong))
    return tuple(found)


def _by_text(known: Collection[ScriptId]) -> dict[str, list[ScriptId]]:
    """The scripts by what may be typed for them, each list sorted; a full name before the short name of others."""
    shown = {str(script_id): [script_id] for script_id in known}
    full = {script_id.dotted: [script_id] for script_id in known}
    short: dict[str, list[ScriptId]] = {}
    for script_id in sorted(known):
        short.setdefault(script_id.name, []).append(script_id)
    return short | shown | full


def _resolve(text: str, by_text: Mapping[str, list[ScriptId]], known: Collection[ScriptId]) -> ScriptId:
    found = by_text.get(text, [])
    if len(found) == 1:
        return found[0]
    if found:
        raise UnknownScript(f"several scripts are named {text!r}; use one of: {', '.join(map(str, found))}")
    near = nearest_scripts(text, known)
    hint = f"did you mean {near}?" if near else "manage.py check_scripts --all lists the scripts."
    raise UnknownScript(f"there is no tracked script {text!r}; {hint}")
