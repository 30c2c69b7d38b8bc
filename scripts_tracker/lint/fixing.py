"""``--fix``: exchanges what the rules say to exchange, and leaves every other byte of the file as it is."""

from __future__ import annotations

import bisect
import codecs
import contextlib
import os
import re
import shutil
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import codes, sources
from scripts_tracker.analysis.compiling import compiled
from scripts_tracker.analysis.extraction import Extraction
from scripts_tracker.analysis.lint import comments
from scripts_tracker.analysis.lint.base import Edit
from scripts_tracker.analysis.lint.rules import tree_rules
from scripts_tracker.analysis.parsing import decode, parse, source_encoding
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from scripts_tracker.datatypes import Finding

_LINE_END: Final = re.compile(r"\r\n|\r|\n")


class ChangedMeanwhileError(Exception):
    """The file is not what was looked at any more."""


def fixed(source: bytes, findings: Iterable[Finding]) -> bytes:
    """A file's bytes with everything mended that can be.

    Args:
        source: the file's bytes.
        findings: what is wrong with it; those that are not fixable are left alone.

    Returns:
        The new bytes; the same where nothing can be mended, or where mending would not leave a file that parses.

    Raises:
        UnreadableSource: the file cannot be analysed.
    """
    wanted = [finding for finding in findings if finding.fixable]
    text = decode(source)
    edits = [*_rule_edits(source, wanted), *_comment_edits(text, wanted)]
    changed = _exchanged(source, text, _apart(edits))
    if changed == source:
        return source
    with contextlib.suppress(UnreadableSource):
        compiled(changed)
        return changed
    return source


def write(path: str, before: bytes, after: bytes) -> None:
    """Put new bytes in the place of a file's old ones, at once; its permissions stay, and so do links to it.

    Raises:
        ChangedMeanwhileError: the file holds something else than ``before``.
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
        return sources.read_bytes(path)
    except UnreadableSource:
        return None


def _rule_edits(source: bytes, wanted: Collection[Finding]) -> Iterator[Edit]:
    places = {(one.code, (one.location.line, one.location.column)) for one in wanted}
    rules = [rule for rule in tree_rules() if rule.code in {code for code, _ in places}]
    if rules:
        tree = Extraction(parse(source)).tree()
        for rule in rules:
            fixable = (hit for hit in rule.check(tree) if hit.fixable)
            # A rule has an edit for each hit that it calls fixable; what `# noqa` hides is not asked for.
            for hit, edit in zip(fixable, rule.edits(tree), strict=True):
                if (rule.code, hit.place) in places:
                    yield edit


def _comment_edits(text: str, wanted: Iterable[Finding]) -> Iterator[Edit]:
    lines = text.split("\n")
    for finding in wanted:
        if finding.code == codes.UNUSED_NOQA:
            line, column = finding.location.line, finding.location.column
            start = sum(len(one) + 1 for one in lines[: line - 1])
            cut, kept = comments.without(lines[line - 1], column - 1, comments.idle_codes(finding))
            yield Edit(start + cut, start + len(lines[line - 1]), kept)


def _apart(edits: Iterable[Edit]) -> list[Edit]:
    """The edits in the order of their places, without those that would change what another changes."""
    kept: list[Edit] = []
    for edit in sorted(edits, key=lambda one: (one.start, one.end)):
        if not kept or edit.start >= kept[-1].end:
            kept.append(edit)
    return kept


def _exchanged(source: bytes, text: str, edits: list[Edit]) -> bytes:
    """The bytes after edits of the text, which has LF line ends and no byte order mark."""
    encoding = source_encoding(source)
    mark = codecs.BOM_UTF8 if source.startswith(codecs.BOM_UTF8) else b""
    encoding = "utf-8" if mark else encoding
    raw = source.removeprefix(mark).decode(encoding)
    if _LINE_END.sub("\n", raw) != text:
        return source
    # Where a line end has two characters, what comes after it stands one further than in the text.
    pairs = [match.start() - number for number, match in enumerate(re.finditer("\r\n", raw))]
    newline = "\r\n" if pairs else "\n"
    parts, done = [], 0
    for edit in edits:
        start, end = (offset + bisect.bisect_left(pairs, offset) for offset in (edit.start, edit.end))
        parts += [raw[done:start], edit.text.replace("\n", newline)]
        done = end
    return mark + "".join([*parts, raw[done:]]).encode(encoding)
