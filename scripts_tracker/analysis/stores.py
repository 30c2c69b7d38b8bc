"""What remembers the facts of files, by the digest of their bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from scripts_tracker.analysis.facts import FileFacts, Verdict


class FactStore(Protocol):
    """Remembers facts by the sha256 of the file's bytes."""

    def verdict(self, digest: str) -> Verdict | None:
        """What the bytes with this digest are by themselves; None where they are not known or it depends."""

    def get(self, digest: str) -> FileFacts | None:
        """The facts of the bytes with this digest; None where they are not known."""

    def hits(self, digest: str) -> str:
        """What the rules of the lint say of the bytes with this digest, as text; empty where that is not known."""

    def put(self, digest: str, facts: FileFacts) -> None:
        """Remember the facts of the bytes with this digest."""

    def fingerprint(self, digest: str) -> str:
        """The fingerprint of the bytes with this digest, a command or not; empty where it is not known."""

    def put_fingerprint(self, digest: str, fingerprint: str) -> None:
        """Remember the fingerprint of the bytes with this digest."""


class MemoryStore:
    """A FactStore that lasts as long as the process."""

    def __init__(self) -> None:
        self.known: dict[str, FileFacts] = {}
        self._fingerprints: dict[str, str] = {}

    def verdict(self, digest: str) -> Verdict | None:
        """What the bytes with this digest are by themselves; None where they are not known or it depends."""
        facts = self.known.get(digest)
        return facts.verdict if facts else None

    def get(self, digest: str) -> FileFacts | None:
        """The facts of the bytes with this digest; None where they are not known."""
        return self.known.get(digest)

    def hits(self, digest: str) -> str:
        """What the rules of the lint say of the bytes with this digest, as text; empty where that is not known."""
        facts = self.known.get(digest)
        return facts.hits if facts else ""

    def put(self, digest: str, facts: FileFacts) -> None:
        """Remember the facts of the bytes with this digest."""
        self.known[digest] = facts

    def fingerprint(self, digest: str) -> str:
        """The fingerprint of the bytes with this digest, a command or not; empty where it is not known."""
        return self._fingerprints.get(digest, "")

    def put_fingerprint(self, digest: str, fingerprint: str) -> None:
        """Remember the fingerprint of the bytes with this digest."""
        self._fingerprints[digest] = fingerprint
