"""``--fix``: applies the edits of the rules, and leaves every other byte of the file as it is."""

from __future__ import annotations

import bisect
import codecs
import contextlib
import difflib
import os
import re
import shutil
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.facts.extraction import Extraction, extract
from scripts_tracker.analysis.source import reading
from scripts_tracker.analysis.source.parsing import decode, parse, source_encoding
from scripts_tracker.core.escaping import escaped
from scripts_tracker.exceptions import UnreadableSource
from scripts_tracker.lint import noqa
from scripts_tracker.lint.file import Tree
from scripts_tracker.lint.places import shown_path
from scripts_tracker.lint.rules import tree_rules
from scripts_tracker.lint.values import Edit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from scripts_tracker.core.values import Finding

CHANGE_CODE: Final = frozenset({codes.HANDLE_NOARGS, codes.REPEATED_DECORATOR})
"""The rules whose fixes change what runs; those of the others change import paths and comments."""
_LINE_END: Final = re.compile(r"\r\n|\r|\n")


class ChangedMeanwhileError(Exception):
    """The file changed after it was checked."""


def fixed(source: bytes, findings: Iterable[Finding]) -> bytes:
    """A file's bytes after all fixes.

    Args:
        source: the file's bytes.
        findings: what is wrong with it; those that are not fixable are ignored.

    Returns:
        The new bytes; the same if there is nothing to fix, or if the result would not parse.

    Raises:
        UnreadableSource: the file cannot be parsed.
    """
    wanted = [finding for finding in findings if finding.fixable]
    text = decode(source)
    edits = [*_rule_edits(source, wanted), *_comment_edits(text, wanted)]
    changed = exchanged(source, text, _apart(edits))
    if changed == source:
        return source
    with contextlib.suppress(UnreadableSource):
        extract(changed)
        return changed
    return source


def write(path: str, before: bytes, after: bytes) -> None:
    """Replace a file's bytes atomically; its permissions stay, and so do links to it.

    Raises:
        ChangedMeanwhileError: the file no longer holds ``before``.
        OSError: it cannot be written.
    """
    target = os.path.realpath(path)
    temporary = f"{target}.{os.urandom(8).hex()}.tmp"
    try:
        with open(temporary, "xb") as file:
            file.write(after)
        shutil.copymode(target, temporary)
        if _now(target) != before:
            raise ChangedMeanwhileError(path)
        os.replace(temporary, target)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def _now(path: str) -> bytes | None:
    try:
        return reading.read_bytes(path)
    except UnreadableSource:
        return None


def _rule_edits(source: bytes, wanted: Collection[Finding]) -> Iterator[Edit]:
    places = {(one.code, (one.cause.line, one.cause.column)) for one in wanted}
    rules = [rule for rule in tree_rules() if rule.code in {code for code, _ in places}]
    parsed = parse(source) if rules else None
    # Places in a rewritten text are not those in the file.
    if parsed is not None and not parsed.is_rewritten:
        tree = Tree(Extraction(parsed))
        for rule in rules:
            fixable = (violation for violation in rule.check(tree) if violation.fixable)
            # A rule has an edit for each fixable violation; those that a comment hides are not in ``wanted``.
            for violation, edit in zip(fixable, rule.edits(tree), strict=True):
                if (rule.code, violation.place) in places:
                    yield edit


def _comment_edits(text: str, wanted: Iterable[Finding]) -> Iterator[Edit]:
    lines = text.split("\n")
    for finding in wanted:
        if finding.code == codes.UNUSED_NOQA:
            line, column = finding.cause.line, finding.cause.column
            start = sum(len(one) + 1 for one in lines[: line - 1])
            cut, kept = noqa.without(lines[line - 1], column - 1, noqa.idle_codes(finding))
            yield Edit(start + cut, start + len(lines[line - 1]), kept)


def _apart(edits: Iterable[Edit]) -> list[Edit]:
    """The edits in order, without those that overlap an earlier one."""
    kept: list[Edit] = []
    for edit in sorted(edits, key=lambda one: (one.start, one.end)):
        if not kept or edit.start >= kept[-1].end:
            kept.append(edit)
    return kept


def exchanged(source: bytes, text: str, edits: list[Edit]) -> bytes:
    """The bytes after edits of the text, which has LF line ends and no byte order mark."""
    encoding = source_encoding(source)
    mark = codecs.BOM_UTF8 if source.startswith(codecs.BOM_UTF8) else b""
    encoding = "utf-8" if mark else encoding
    raw = source.removeprefix(mark).decode(encoding)
    if _LINE_END.sub("\n", raw) != text:
        return source
    # CRLF is two characters here and one in the text, so every later offset shifts by one.
    pairs = [match.start() - number for number, match in enumerate(re.finditer("\r\n", raw))]
    newline = "\r\n" if pairs else "\n"
    parts, done = [], 0
    for edit in edits:
        start, end = (offset + bisect.bisect_left(pairs, offset) for offset in (edit.start, edit.end))
        parts += [raw[done:start], edit.text.replace("\n", newline)]
        done = end
    return mark + "".join([*parts, raw[done:]]).encode(encoding)


def fix(root: str, findings: Sequence[Finding]) -> tuple[list[str], list[str]]:
    """Fix the files of a project.

    Args:
        root: the project root.
        findings: what is wrong.

    Returns:
        The paths of the files that were written, and a line for each file that could not be written.
    """
    return _written(root, _fixed_files(root, findings))


def add_noqa(root: str, findings: Sequence[Finding]) -> tuple[list[str], list[str]]:
    """Hide findings by comments: as ``fix``, but the files get a ``# noqa`` with the codes of each line.

    Files that cannot be parsed are left alone, and so are unused comments.
    """
    return _written(root, _hidden_files(root, findings))


def _written(root: str, files: Iterable[tuple[str, bytes, bytes]]) -> tuple[list[str], list[str]]:
    written, troubles = [], []
    for path, before, after in files:
        try:
            write(os.path.join(root, path), before, after)
            written.append(path)
        except ChangedMeanwhileError:
            troubles.append(f"{path} changed in the meantime and was not written; run it again")
        except OSError as error:
            troubles.append(f"{path} cannot be written: {error.strerror}")
    return written, troubles


def diff(root: str, findings: Sequence[Finding], base: str) -> str:
    """What ``fix`` would change, as one unified diff with paths from another folder."""
    return "".join(
        line
        for path, before, after in _fixed_files(root, findings)
        for line in _diff(shown_path(os.path.join(root, path), base), before, after)
    )


def _fixed_files(root: str, findings: Sequence[Finding]) -> Iterator[tuple[str, bytes, bytes]]:
    """Each file that would change: its path, its bytes now, and after the fix."""
    fixable = [finding for finding in findings if finding.fixable]
    for path in dict.fromkeys(finding.cause.path for finding in fixable):
        try:
            before = reading.read_bytes(os.path.join(root, path))
            after = fixed(before, [one for one in fixable if one.cause.path == path])
        except UnreadableSource:
            continue
        if after != before:
            yield path, before, after


def _hidden_files(root: str, findings: Sequence[Finding]) -> Iterator[tuple[str, bytes, bytes]]:
    """Each file that would get comments: its path, its bytes now, and after that."""
    wanted = [one for one in findings if one.code not in {codes.UNREADABLE_FILE, codes.UNUSED_NOQA}]
    for path in dict.fromkeys(finding.location.path for finding in wanted):
        by_line: dict[int, set[str]] = {}
        for one in wanted:
            if one.location.path == path:
                by_line.setdefault(one.location.line, set()).add(one.code)
        try:
            before = reading.read_bytes(os.path.join(root, path))
            text = decode(before)
            edits = [Edit(*one) for one in noqa.additions(text, by_line)]
            after = exchanged(before, text, _apart(edits))
            extract(after)
        except UnreadableSource:
            continue
        if after != before:
            yield path, before, after


def _diff(path: str, before: bytes, after: bytes) -> Iterator[str]:
    old, new = (_lines(source.decode("utf-8", "backslashreplace")) for source in (before, after))
    for line in difflib.unified_diff(old, new, f"a/{path}", f"b/{path}"):
        shown = escaped(line.removesuffix("\n"))
        yield f"{shown}\n" if line.endswith("\n") else f"{shown}\n\\ No newline at end of file\n"


def _lines(text: str) -> list[str]:
    """The lines as patch counts them; ``str.splitlines`` would also split at form feeds and the like."""
    *whole, last = text.split("\n")
    return [*(f"{line}\n" for line in whole), *filter(None, [last])]
