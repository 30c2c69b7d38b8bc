"""What a rule asks about single files only where it matters: few files are asked, and the cache keeps what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from scripts_tracker.analysis.source import reading
from scripts_tracker.analysis.store.compiling import compiled
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripts_tracker.analysis.store.cache import Cache
    from scripts_tracker.analysis.store.compiling import Question

T = TypeVar("T")


class Answers(Generic[T]):
    """The answers of files to one question.

    Args:
        question: what to ask.
        read: makes a value of an answer; raises ValueError for anything else.
        cache: keeps the answers.
        digest_of: the digest of a file that was read.
    """

    def __init__(
        self, question: Question, read: Callable[[str], T], cache: Cache, digest_of: Callable[[str], str]
    ) -> None:
        self._question = question
        self._read = read
        self._cache = cache
        self._digest_of = digest_of
        self._found: dict[str, T | None] = {}

    def of(self, path: str) -> T | None:
        """The answer of a file; None where it cannot be known."""
        if path not in self._found:
            self._found[path] = self._look_up(path)
        return self._found[path]

    def _look_up(self, path: str) -> T | None:
        digest = self._digest_of(path)
        content = self._cache.text(self._question.kind, digest)
        try:
            if not content:
                source = reading.read_bytes(path)
                if reading.content_digest(source) != digest:
                    return None
                content = compiled(source, self._question.function).answer
                self._cache.put_text(self._question.kind, digest, content)
            return self._read(content)
        except (UnreadableSource, ValueError):
            return None
