"""``# noqa`` comments: which findings they hide, and which comments are unused."""

from __future__ import annotations

import io
import os
import re
from functools import cache
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.source import reading
from scripts_tracker.core.values import Finding, Location
from scripts_tracker.exceptions import UnreadableSource
from scripts_tracker.lint.values import Noqa

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from scripts_tracker.lint.values import FileViolations

_NOQA: Final = r"#\s*noqa(?:\s*:\s*(?P<codes>[A-Z][A-Z0-9]*[0-9]+(?:[,\s]+[A-Z][A-Z0-9]*[0-9]+)*))?"
_CODE: Final = re.compile(r"ST\d{3}")
_SEPARATOR: Final = re.compile(r"[,\s]+")
# These findings depend on more than the files and are not found in every run, so their comments are never unused.
_NOT_ALWAYS_FOUND: Final = frozenset(
    {codes.UNREADABLE_FILE, codes.UNCOMMITTED_SCRIPT, codes.SILENT_CHANGE, codes.UNREACHABLE_SCRIPT}
)


@cache
def _pattern() -> re.Pattern[str]:
    """Compiled only when there is such a comment: compiling takes as long as checking several files."""
    return re.compile(_NOQA, re.IGNORECASE)


def read(text: str) -> tuple[Noqa, ...]:
    """The comments in a file; where the file cannot be tokenized, everything that looks like one."""
    if "noqa" not in text.lower():
        return ()
    import tokenize  # few files have such a comment

    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
        found = [(one.start, one.string) for one in tokens if one.type == tokenize.COMMENT]
    except (tokenize.TokenError, SyntaxError, ValueError):
        lines = enumerate(text.split("\n"), start=1)
        found = [((number, line.find("#")), line[line.find("#") :]) for number, line in lines if "#" in line]
    return tuple(_noqas(found))


def _noqas(comments: Iterable[tuple[tuple[int, int], str]]) -> Iterator[Noqa]:
    for (line, column), comment in comments:
        match = _pattern().search(comment)
        if match:
            named = match["codes"]
            wanted = tuple(code.upper() for code in _SEPARATOR.split(named)) if named else None
            yield Noqa(line, column + match.start() + 1, wanted)


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
        used: set[tuple[str, int, str]] = set()
        for finding in findings:
            if self.hides(finding):
                used.add((finding.location.path, finding.location.line, finding.code))
            else:
                yield finding
        for path in self._known:
            for one in self._of(path):
                idle = [code for code in one.codes or () if self._is_idle(path, one, code, used)]
                if idle and not one.hides(codes.UNUSED_NOQA):
                    yield _unused(path, one, idle)

    def hides(self, finding: Finding) -> bool:
        """Whether a comment on the line hides a finding."""
        where = finding.location
        return any(one.line == where.line and one.hides(finding.code) for one in self._of(where.path))

    def _is_idle(self, path: str, one: Noqa, code: str, used: set[tuple[str, int, str]]) -> bool:
        ours = code in codes.ALL and code not in _NOT_ALWAYS_FOUND
        return ours and (path, one.line, code) not in used

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


def _unused(path: str, one: Noqa, idle: list[str]) -> Finding:
    named = ", ".join(idle)
    return Finding(
        Location(path, one.line, one.column),
        codes.UNUSED_NOQA,
        f"unused `# noqa: {named}`",
        f"Remove {named} from the comment.",
        fixable=True,
    )


def idle_codes(finding: Finding) -> tuple[str, ...]:
    """The codes that a finding about an unused comment names."""
    return tuple(_CODE.findall(finding.message))


def without(line: str, start: int, idle: Iterable[str]) -> tuple[int, str]:
    """Remove codes from a comment: the offset from which to replace the line, and the replacement.

    Args:
        line: the line.
        start: the offset of the comment's ``#``.
        idle: the codes to remove; without any code left the comment goes, too.
    """
    match = _pattern().match(line, start)
    if match is None or not match["codes"]:
        return len(line), ""
    kept = [code for code in _SEPARATOR.split(match["codes"]) if code.upper() not in idle]
    rest = line[match.end() :]
    if kept:
        return match.start("codes"), ", ".join(kept) + rest
    before = line[:start].rstrip()
    return len(before), f"  {rest.strip()}" if rest.strip().startswith("#") else ""
