"""From what a person types to a script: full names, short names, and the nearest ones for a slip."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from scripts_tracker.exceptions import UnknownScript

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from scripts_tracker.core.values import ScriptId


# difflib's default of 0.6 takes "third" for a slip of "frist".
_LIKENESS = 0.65


def suggestion(text: str, known: Collection[ScriptId]) -> str:
    """``did you mean a.b or c.d?``, empty where nothing is near."""
    full = {str(script_id): script_id for script_id in known}
    short: dict[str, list[str]] = {}
    for script_id in known:
        short.setdefault(script_id.name, []).append(str(script_id))
    near = difflib.get_close_matches(text, full, n=3, cutoff=_LIKENESS)
    for name in difflib.get_close_matches(text.rpartition(".")[2], short, n=3, cutoff=_LIKENESS):
        near.extend(short[name])
    chosen = list(dict.fromkeys(near))[:3]
    return f"did you mean {' or '.join(chosen)}?" if chosen else ""


def resolve(text: str, known: Collection[ScriptId]) -> ScriptId:
    """The script that ``app.name`` or ``name`` names; raises UnknownScript, with what to type instead."""
    found = sorted(script_id for script_id in known if text in {str(script_id), script_id.name})
    exact = [script_id for script_id in found if str(script_id) == text]
    if exact or len(found) == 1:
        return (exact or found)[0]
    if found:
        choices = ", ".join(map(str, found))
        raise UnknownScript(f"{text!r} is the name of several scripts; type one of: {choices}")
    near = suggestion(text, known) or "manage.py check_scripts --all lists the scripts."
    raise UnknownScript(f"there is no tracked script {text!r}; {near}")


def resolve_all(texts: Iterable[str], known: Collection[ScriptId]) -> tuple[ScriptId, ...]:
    """Every named script once, in the order typed; raises UnknownScript with all the wrong names at once."""
    found: dict[ScriptId, None] = {}
    wrong: list[str] = []
    for text in texts:
        try:
            found[resolve(text, known)] = None
        except UnknownScript as error:
            wrong.append(str(error))
    if wrong:
        raise UnknownScript("\n".join(wrong))
    return tuple(found)
