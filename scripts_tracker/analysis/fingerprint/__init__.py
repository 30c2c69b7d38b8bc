"""The fingerprint of Python source: what it does, not how it is written."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from scripts_tracker.analysis import canonical, limits
from scripts_tracker.analysis.literals import InvalidLiteralError
from scripts_tracker.analysis.parsing import collector_paused, parse
from scripts_tracker.datatypes import Fingerprint
from scripts_tracker.exceptions import UnreadableSource
from scripts_tracker.vocabulary import ALGORITHM

if TYPE_CHECKING:
    from scripts_tracker.analysis.parsing import ParsedSource

__all__ = ["ALGORITHM", "fingerprint", "fingerprint_parsed"]


def fingerprint(source: bytes) -> Fingerprint:
    """The fingerprint of one file's bytes.

    Args:
        source: the bytes as they are on disk.

    Returns:
        The fingerprint; ``str()`` of it is ``st1:`` and 64 hexadecimal digits.

    Raises:
        UnreadableSource: with line, column and reason, where the source cannot be analysed.
    """
    with collector_paused():
        return fingerprint_parsed(parse(source))


def fingerprint_parsed(parsed: ParsedSource) -> Fingerprint:
    """The fingerprint of a source that is already parsed; raises UnreadableSource as ``fingerprint`` does."""
    try:
        stream = canonical.stream(parsed.module)
    except InvalidLiteralError as error:
        # Trees carry no positions; most pieces of source that are wrong occur once.
        place = limits.place(parsed.text, max(parsed.text.find(error.literal), 0))
        raise UnreadableSource(error.reason, *place) from error
    except (RecursionError, MemoryError) as error:
        raise UnreadableSource("the source is nested too deeply to be analysed") from error
    return Fingerprint(ALGORITHM, hashlib.sha256(stream.encode("utf-8", "surrogatepass")).hexdigest())
