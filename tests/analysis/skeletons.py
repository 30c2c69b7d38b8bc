"""What the facts of a skeleton are compared with: those of the whole source."""

from __future__ import annotations

import textwrap

from scripts_tracker.analysis.facts.extraction import extract
from scripts_tracker.analysis.facts.skeleton import skeleton
from scripts_tracker.analysis.facts.values import NOT_COMPUTED, FileFacts
from scripts_tracker.analysis.source.parsing import read_text
from scripts_tracker.exceptions import UnreadableSource

_HEAD = "from scripts_tracker import tracked_script\nclass Command:\n"
_METHOD = "    @tracked_script\n    def handle(self):\n"


def difference(source: bytes) -> str:
    """Where the facts of a source differ that are extracted without its fingerprint and with it; empty if nowhere."""
    part, whole = (_extracted(source, with_fingerprint=one) for one in (False, True))
    if isinstance(part, str) or isinstance(whole, str):
        return "" if part == whole else f"{part} != {whole}"
    if part.fingerprint not in {whole.fingerprint, NOT_COMPUTED if whole.fingerprint else None}:
        return f"fingerprint: {part.fingerprint} != {whole.fingerprint}"
    both = zip(part._fields, part, whole._replace(fingerprint=part.fingerprint), strict=True)
    return "\n".join(f"{name}: {one} != {other}" for name, one, other in both if one != other)


def _extracted(source: bytes, *, with_fingerprint: bool) -> FileFacts | str:
    try:
        return extract(source, with_fingerprint=with_fingerprint)
    except UnreadableSource as error:
        return f"{error.line}:{error.column}: {error.reason}"


def has_skeleton(source: bytes) -> bool:
    """Whether something can be cut out of a source."""
    try:
        return skeleton(read_text(source)) is not None
    except UnreadableSource:
        return False


def in_method(source: bytes) -> bytes:
    """A program that has the statements of another in a method."""
    text = source.decode("utf-8", "surrogatepass").replace("\r\n", "\n").replace("\r", "\n")
    return f"{_HEAD}{_METHOD}{textwrap.indent(text, ' ' * 8)}".encode("utf-8", "surrogatepass")
