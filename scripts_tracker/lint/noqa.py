"""``# noqa`` comments: which findings they hide, and which comments are unused."""

from __future__ import annotations

import contextlib
import io
import os
import re
from functools import cache
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.source import reading
from scripts_tracker.core.names import nearest
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import Finding, Location
from scripts_tracker.exceptions import UnreadableSource
from scripts_tracker.lint.values import Noqa

if TYPE_CHECKING:
    import tokenize
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from scripts_tracker.lint.values import FileViolations

_NOQA: Final = r"#\s*noqa\b(?:\s*:\s*(?P<listed>[^#]*)|\s+(?P<bare>ST\d{3}\b[^#]*))?"
_ITEM: Final = r"([A-Za-z][\w-]*)([,\s]*)"
_LAYOUT: Final = frozenset({"NL", "INDENT", "DEDENT", "ENDMARKER"})
_CODE: Final = r"[A-Z]+[0-9]+"
_QUOTED: Final = re.compile(r"`# noqa: ([^`]*)`")
# These findings depend on more than the files and are not found in every run, so their comments are never unused.
_NOT_ALWAYS_FOUND: Final = frozenset(
    {codes.UNREADABLE_FILE, codes.UNCOMMITTED_SCRIPT, codes.SILENT_CHANGE, codes.UNREACHABLE_SCRIPT}
)


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """Compiled only when there is such a comment: compiling takes as long as checking several files."""
    return re.compile(text, re.IGNORECASE)


class _Parsed(NamedTuple):
    """A comment in a text: where it starts, its codes and names with where they start and end, and what is neither."""

    start: int
    items: tuple[str, ...] | None
    items_start: int
    items_end: int
    wrong: str


def _parse(text: str, start: int = 0) -> _Parsed | None:
    match = _pattern(_NOQA).search(text, start)
    if match is None:
        return None
    group = "listed" if match["listed"] is not None else "bare"
    if match[group] is None:
        return _Parsed(match.start(), None, match.end(), match.end(), "")
    items, is_listed, wrong = list[str](), True, ""
    items_end = at = match.start(group)
    while one := _pattern(_ITEM).match(text, at, match.end()):
        if not _is_item(one[1]):
            # Prose may follow a list; after a comma, a slip of a name is no prose.
            wrong = one[1] if items and is_listed and nearest(one[1], codes.NAMES.values()) else ""
            break
        items.append(one[1])
        is_listed, items_end, at = "," in one[2], one.end(1), one.end()
    if not items:
        wrong = match[group].strip() or "nothing"
    return _Parsed(match.start(), tuple(items), match.start(group), items_end, wrong)


def _is_item(word: str) -> bool:
    return bool(_pattern(_CODE).fullmatch(word)) or codes.code_of(word) in codes.ALL


def read(text: str) -> tuple[Noqa, ...]:
    """The comments in a file; where the file cannot be tokenized, everything that looks like one."""
    if "noqa" not in text.lower():
        return ()
    import tokenize  # few files have such a comment

    try:
        found = list(_comments(text))
    except (tokenize.TokenError, SyntaxError, ValueError):
        lines = enumerate(text.split("\n"), start=1)
        found = [_Comment(n, line.find("#"), line[line.find("#") :], n) for n, line in lines if "#" in line]
    return tuple(_noqas(found))


class _Comment(NamedTuple):
    """A comment: its place, its text, and the first line that it counts for."""

    line: int
    column: int
    text: str
    first: int


def _comments(text: str) -> Iterator[_Comment]:
    """The comments of a file.

    At the end of a statement, or of the head of a block, a comment counts for all lines of that; at the end of a line
    inside, for this line and for the string that ends on it.
    """
    string, waiting = (0, 0), list[_Comment]()
    opened = list[int]()  # f-strings, which are several tokens since Python 3.12
    for kind, one, statement in _tokens(text):
        (line, column), last = one.start, one.end[0]
        if kind == "COMMENT":
            waiting.append(_Comment(line, column, one.string, string[0] if string[1] == line else line))
        elif kind == "NEWLINE":
            yield from (each._replace(first=statement) if each.line == line else each for each in waiting)
            waiting = []
        else:
            if kind.endswith("STRING_START"):
                opened.append(line)
            first = opened.pop() if kind.endswith("STRING_END") else line
            string = (first, last) if first < last else string
    yield from waiting


def _tokens(text: str) -> Iterator[tuple[str, tokenize.TokenInfo, int]]:
    """The tokens of a file without those of its layout: the kind, and the first line of the statement around each.

    Between two statements, where only comments are, that is 0.
    """
    import tokenize  # few files have a comment of ours

    statement = 0
    for one in tokenize.generate_tokens(io.StringIO(text).readline):
        kind = tokenize.tok_name[one.type]
        if kind not in _LAYOUT:
            statement = statement or (one.start[0] if kind not in {"NEWLINE", "COMMENT"} else 0)
            yield kind, one, statement
            statement = 0 if kind == "NEWLINE" else statement


def _noqas(comments: Iterable[_Comment]) -> Iterator[Noqa]:
    for comment in comments:
        parsed = _parse(comment.text)
        while parsed is not None:
            wanted = None if parsed.items is None else tuple(map(codes.code_of, parsed.items))
            column = comment.column + parsed.start + 1
            yield Noqa(comment.line, column, wanted, comment.first, parsed.wrong)
            parsed = _parse(comment.text, parsed.start + 1)


class Comments:
    """The comments of a project's files.

    Args:
        root: the project root.
        known: the violations of the files of scripts, by path as reports show it.
    """

    def __init__(self, root: str, known: Mapping[str, FileViolations]) -> None:
        self._root = root
        self._known = known
        self._read: dict[str, tuple[Noqa, ...]] = {}

    def applied(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        """The findings that no comment hides, and one for each comment with a code of ours that hides nothing."""
        hidden: dict[str, set[tuple[int, str]]] = {}
        for finding in findings:
            if self.hides(finding):
                for place in {finding.location, finding.cause}:
                    hidden.setdefault(place.path, set()).add((place.line, finding.code))
            else:
                yield finding
        for path in self._known:
            for one in self._of(path):
                if not one.hides(codes.UNUSED_NOQA):
                    yield from _unused(path, one, hidden.get(path, set()))

    def hides(self, finding: Finding) -> bool:
        """Whether a comment hides a finding, where it is shown or where its cause is."""
        places = {finding.location, finding.cause}
        return any(one.hides(finding.code, place.line) for place in places for one in self._of(place.path))

    def _of(self, path: str) -> tuple[Noqa, ...]:
        if path in self._known:
            return self._known[path].comments
        if path not in self._read:
            self._read[path] = self._in_file(path)
        return self._read[path]

    def _in_file(self, path: str) -> tuple[Noqa, ...]:
        try:
            source = reading.read_bytes(os.path.join(self._root, path))
        except UnreadableSource:
            return ()
        return read(source.decode("utf-8", "replace"))


def _unused(path: str, one: Noqa, hidden: set[tuple[int, str]]) -> Iterator[Finding]:
    """What is wrong with a comment: it has codes that hide nothing, or no codes after its colon."""
    place = Location(path, one.line, one.column)
    wanted = [code for code in one.codes or () if code in codes.ALL and code not in _NOT_ALWAYS_FOUND]
    idle = [
        code for code in wanted if not any(one.hides(code, line) and code == each for line, each in hidden)
    ]
    if idle:
        named = ", ".join(idle)
        message, hint = f"unused `# noqa: {named}`", f"Remove {named} from the comment."
        yield Finding(place, codes.UNUSED_NOQA, message, hint, fixable=True)
    if one.wrong:
        near = nearest(one.wrong, codes.NAMES.values())
        hint = f"Did you mean {near}?" if near else "Write codes or names of rules, such as `# noqa: ST012`."
        yield Finding(
            place, codes.UNUSED_NOQA, f"`# noqa` with {one.wrong!r}, which names no rule, hides nothing", hint
        )


def idle_codes(finding: Finding) -> tuple[str, ...]:
    """The codes that a finding about an unused comment names."""
    match = _QUOTED.search(finding.message)
    return tuple(match[1].split(", ")) if match else ()


def without(line: str, start: int, idle: Iterable[str]) -> tuple[int, str]:
    """Remove codes from a comment: the offset from which to replace the line, and the replacement.

    Args:
        line: the line.
        start: the offset of the comment's ``#``.
        idle: the codes to remove; without any code left the comment goes, too.
    """
    parsed = _parse(line, start)
    if parsed is None or not parsed.items:
        return len(line), ""
    kept = [item for item in parsed.items if codes.code_of(item) not in idle]
    rest = line[parsed.items_end :]
    if kept:
        return parsed.items_start, ", ".join(kept) + rest
    before = line[:start].rstrip()
    return len(before), f"  {rest.strip()}" if rest.strip().startswith("#") else ""


def additions(text: str, wanted: Mapping[int, Collection[str]]) -> Iterator[tuple[int, int, str]]:
    """The edits that add codes to the comments of lines: from an offset to another, and the new text.

    Args:
        text: of the file.
        wanted: codes by the line of their finding; the comment stands at the end of the statement around it.
    """
    lines, last = text.split("\n"), _last_lines(text)
    by_line: dict[int, set[str]] = {}
    for line, named in wanted.items():
        by_line.setdefault(last.get(line, line), set()).update(named)
    comments = {one.line: one for one in read(text) if one.codes}
    for line, named in by_line.items():
        start, shown = sum(len(each) + 1 for each in lines[: line - 1]), lines[line - 1]
        parsed = _parse(shown, comments[line].column - 1) if line in comments else None
        if parsed is not None and parsed.items:
            known = {codes.code_of(item) for item in parsed.items}
            more = "".join(f", {code}" for code in sorted(named - known))
            yield start + parsed.items_end, start + parsed.items_end, more
        else:
            end = start + len(shown.rstrip())
            yield end, start + len(shown), f"  # noqa: {', '.join(sorted(named))}"


def _last_lines(text: str) -> dict[int, int]:
    """The last line of the statement, or of the head of the block, around each line."""
    import tokenize  # as above

    found: dict[int, int] = {}
    with contextlib.suppress(tokenize.TokenError, SyntaxError, ValueError):
        for kind, one, statement in _tokens(text):
            if kind == "NEWLINE":
                line = one.start[0]
                found.update(dict.fromkeys(range(statement or line, line + 1), line))
    return found
