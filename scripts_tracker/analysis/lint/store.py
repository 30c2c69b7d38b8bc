"""The lint's view of kept facts: a script whose file the rules have not seen is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts_tracker.analysis.lint import hits

if TYPE_CHECKING:
    from scripts_tracker.analysis.facts import FileFacts, Verdict
    from scripts_tracker.analysis.lint.hits import FileHits
    from scripts_tracker.analysis.stores import FactStore


class LintStore:
    """A FactStore whose facts carry hits.

    Args:
        store: keeps the facts.
    """

    def __init__(self, store: FactStore) -> None:
        self._store = store
        self._texts: dict[str, str] = {}
        # By text: most files say the same, which is nothing.
        self._read: dict[str, FileHits] = {}

    def verdict(self, digest: str) -> Verdict | None:
        """What the bytes with this digest are by themselves; None where they are not known or it depends."""
        verdict = self._store.verdict(digest)
        if verdict is None or verdict.script is None:
            return verdict
        return verdict if self.knows(digest) else None

    def get(self, digest: str) -> FileFacts | None:
        """The facts of the bytes with this digest; None where the rules have not seen them."""
        return self._store.get(digest) if self.knows(digest) else None

    def put(self, digest: str, facts: FileFacts) -> None:
        """Remember the facts of the bytes with this digest."""
        self._store.put(digest, facts)
        self._texts.pop(digest, None)

    def fingerprint(self, digest: str) -> str:
        """The fingerprint of the bytes with this digest, a command or not; empty where it is not known."""
        return self._store.fingerprint(digest)

    def put_fingerprint(self, digest: str, fingerprint: str) -> None:
        """Remember the fingerprint of the bytes with this digest."""
        self._store.put_fingerprint(digest, fingerprint)

    def hits(self, digest: str) -> str:
        """The hits in the bytes with this digest, as text."""
        if digest not in self._texts:
            self._texts[digest] = self._store.hits(digest)
        return self._texts[digest]

    def knows(self, digest: str) -> bool:
        """Whether today's rules have seen the bytes with this digest."""
        return hits.is_current(self.hits(digest))

    def read(self, digest: str) -> FileHits:
        """The hits in the bytes with this digest; none where they are not known."""
        content = self.hits(digest)
        if content not in self._read:
            try:
                self._read[content] = hits.read(content)
            except ValueError:
                self._read[content] = hits.FileHits()
        return self._read[content]
