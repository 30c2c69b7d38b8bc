"""From what a person types to scripts: names, apps, patterns, paths, and the nearest ones for a slip.

What can be typed for scripts is the same in every command: ``app.name``, ``name``, an app label (all scripts of that
app), a pattern (``orders.*``), or a path as the reports print it, of a file or of a folder.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from scripts_tracker.exceptions import UnknownScript

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Final

    from scripts_tracker.core.values import ScriptId

# For names of scripts, which share words: difflib's default of 0.6 takes "third" for a slip of "frist".
_LIKENESS = 0.65
# So many words that are alike, and no slip of one another, may be more similar than a right one.
_CANDIDATES = 10
# So many scripts of a group are named where only one can be meant.
_SOME = 5

LISTING: Final = "check_scripts --all"
"""The command that lists the scripts."""
_LISTED: Final = f"manage.py {LISTING}"


def typed(command: str, *names: object) -> str:
    """What to type for a command, where no tenant and no settings are chosen (else ``ledger.database.typed``).

    Args:
        command: with ``{}`` where a name belongs.
        names: what belongs there; each is quoted for a shell where that is needed.
    """
    from scripts_tracker.core.text import command_line  # as late as what to type

    return f"manage.py {command_line(command, *names)}"


def close_matches(word: str, known: Iterable[str], most: int = 1, likeness: float = 0.6) -> list[str]:
    """The known words that a misspelt one may be a slip of, the most similar first; empty if there is none.

    Args:
        word: what was written.
        known: the right words.
        most: how many to return.
        likeness: difflib's ratio; words that merely share letters reach it, and are left out.
    """
    import difflib  # needed only where something is misspelt

    similar = difflib.get_close_matches(word, list(known), n=most + _CANDIDATES, cutoff=likeness)
    return [one for one in similar if _is_slip(word.lower(), one.lower())][:most]


def _is_slip(word: str, right: str) -> bool:
    """Whether one piece was left out or added, or up to a quarter of the letters are wrong."""
    longest, shortest = max(len(word), len(right)), min(len(word), len(right))
    same = _same_at_start(word, right) + _same_at_start(word[::-1], right[::-1])
    return same >= shortest or letters_between(word, right) <= max(1, longest // 4)


def _same_at_start(one: str, other: str) -> int:
    """How many letters two words begin with alike."""
    return next(
        (index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word most like a misspelt one; empty if there is none."""
    return next(iter(close_matches(word, known)), "")


_NO_OPTION = "unrecognized arguments: "


def option_meant(message: str, known: Sequence[str], others: Mapping[str, str]) -> str:
    """What to type in place of an option that does not exist, to follow the error of argparse; empty for other errors.

    Args:
        message: the error.
        known: the options that exist.
        others: what to say about options that people know from elsewhere.
    """
    if not message.startswith(_NO_OPTION):
        return ""
    word = message.removeprefix(_NO_OPTION).split()[0].partition("=")[0]
    if not word.startswith("--"):
        return ""
    if word in others:
        return f"; {others[word]}"
    if longer := [name for name in known if name.startswith(word)]:
        return f"; did you mean {' or '.join(longer)}?"
    # Compared without the dashes, which all options have in common.
    near = nearest(word[2:], [name[2:] for name in (*known, *others) if name.startswith("--")])
    advice = others.get(f"--{near}", f"did you mean --{near}?")
    return f"; {advice}" if near else ""


def letters_between(one: str, other: str) -> int:
    """How many letters have to be added, left out, replaced or swapped with the next to make one word of another."""
    before, above = [0], list(range(len(other) + 1))
    for number, letter in enumerate(one, start=1):
        row = [number]
        for column, each in enumerate(other):
            row.append(min(above[column + 1] + 1, row[column] + 1, above[column] + (letter != each)))
            if number > 1 and column and (letter, one[number - 2]) == (other[column - 1], each):
                row[-1] = min(row[-1], before[column - 1] + 1)
        before, above = above, row
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


def resolve(text: str, paths: Mapping[ScriptId, str], listing: str = _LISTED) -> ScriptId:
    """The one script that a person names; raises UnknownScript, with what to type instead."""
    found = tuple(resolve_each([text], paths, listing))
    if len(found) == 1:
        return found[0]
    more = f", and {len(found) - _SOME} more" if len(found) > _SOME else ""
    some = ", ".join(map(str, found[:_SOME]))
    raise UnknownScript(f"{text!r} names {len(found)} scripts; name one of them: {some}{more}")


def resolve_all(
    texts: Iterable[str], paths: Mapping[ScriptId, str], listing: str = _LISTED
) -> tuple[ScriptId, ...]:
    """Every named script once, in the order typed; raises as ``resolve_each``."""
    return tuple(resolve_each(texts, paths, listing))


def resolve_each(
    texts: Iterable[str],
    paths: Mapping[ScriptId, str],
    listing: str = _LISTED,
    kind: str = "tracked script",
) -> dict[ScriptId, bool]:
    """Every named script once, in the order typed, and whether it was named by itself, not as one of a group.

    Args:
        texts: what a person typed.
        paths: the scripts that can be named, and their files relative to the project root.
        listing: the command that lists the scripts.
        kind: what they are, for errors.

    Raises:
        UnknownScript: with all the wrong names at once.
    """
    texts = tuple(texts)
    if not texts:  # as for most checks
        return {}
    known = _Known(paths)
    found: dict[ScriptId, bool] = {}
    wrong: list[str] = []
    for text in texts:
        try:
            one = known.one(text)
        except UnknownScript as error:
            wrong.append(str(error))
            continue
        if one is not None:
            found[one] = True
        elif group := known.group(text):
            for each in group:
                found.setdefault(each, False)
        else:
            wrong.append(f"{_why_not(text, kind)}; {known.instead_of(text, listing)}")
    if wrong:
        raise UnknownScript("\n".join(wrong))
    return found


class _Known:
    """The scripts that can be named, by what may be typed for them.

    Args:
        paths: the file of each script, relative to the project root.
    """

    def __init__(self, paths: Mapping[ScriptId, str]) -> None:
        self._paths = paths
        # An odd name is found as it is, and as the reports print it.
        self._full = {str(one): one for one in paths} | {one.dotted: one for one in paths}
        self._by_name: dict[str, list[ScriptId]] = {}
        self._by_label: dict[str, list[ScriptId]] = {}
        self._by_path: dict[str, ScriptId] = {}
        for one in sorted(paths):
            self._by_name.setdefault(one.name, []).append(one)
            self._by_label.setdefault(one.app_label, []).append(one)
            self._by_path[paths[one]] = one

    def one(self, text: str) -> ScriptId | None:
        """The script that a text names by itself; None for a group, and for nothing; raises UnknownScript if in doubt."""
        if text in self._full:
            return self._full[text]
        named = self._by_name.get(text, [])
        if len(named) > 1:
            which = ", ".join(map(str, named))
            raise UnknownScript(f"several scripts are named {text!r}; use one of: {which}")
        group = self._by_label.get(text, named)
        if named and group != named:
            raise UnknownScript(
                f"{text!r} is a script and an app; use {named[0]} for the script, or '{text}.*' for all"
                f" {len(group)} scripts of the app"
            )
        return named[0] if named else self._in_file(text)

    def _in_file(self, text: str) -> ScriptId | None:
        """The script of a file; a relative path may begin above the project root, as git prints it."""
        if not _is_path(text):
            return None
        parts = _as_path(text).split("/")
        for number in range(len(parts) if parts[0] else 1):
            if found := self._by_path.get("/".join(parts[number:])):
                return found
        return None

    def group(self, text: str) -> tuple[ScriptId, ...]:
        """The scripts of an app, in a folder, or that match a pattern, sorted; empty without any."""
        if text in self._by_label:
            return tuple(self._by_label[text])
        path = _as_path(text) if _is_path(text) else text
        if is_pattern(text):
            import fnmatch  # only for patterns

            keys = {one: self._compared_with(one, path) for one in self._paths}
            return tuple(sorted(one for one, key in keys.items() if fnmatch.fnmatchcase(key, path)))
        below = (one for one in self._paths if self._paths[one].startswith(f"{path}/"))
        return tuple(sorted(below)) if _is_path(text) else ()

    def _compared_with(self, script_id: ScriptId, pattern: str) -> str:
        """What a pattern is about: paths if it has a slash, full names if it has a dot, else short names."""
        if "/" in pattern:
            return self._paths[script_id]
        return script_id.dotted if "." in pattern else script_id.name

    def instead_of(self, text: str, listing: str) -> str:
        """What to type in place of what names nothing."""
        label, dot, rest = text.partition(".")
        if is_pattern(text):
            near = nearest(label, self._by_label) if dot and label not in self._by_label else ""
            return f"did you mean '{near}.{rest}'?" if near else f"to list them: {listing}"
        word = _as_path(text).rpartition("/")[2].removesuffix(".py") if _is_path(text) else text
        if near := nearest_scripts(word, self._paths) or nearest(text, self._by_label):
            return f"did you mean {near}?"
        return f"to list them: {listing}"


def _why_not(text: str, kind: str) -> str:
    return f"no {kind} matches {text!r}" if is_pattern(text) else f"there is no {kind} {text!r}"


def is_pattern(text: str) -> bool:
    """Whether a name is a pattern, as of a shell."""
    return any(each in text for each in "*?[")


def _is_path(text: str) -> bool:
    return "/" in text or "\\" in text


def _as_path(text: str) -> str:
    """A path as the reports print it, from one with backslashes, ``./``, or a line and column as of a problem."""
    path = text.replace("\\", "/")
    stem, ending, place = path.rpartition(".py:")
    if ending and place.replace(":", "").isdigit():
        path = f"{stem}.py"
    return posixpath.normpath(path)
