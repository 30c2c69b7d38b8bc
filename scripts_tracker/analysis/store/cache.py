"""Facts in a folder of the project: for files that the ledger has not seen, and for the lint, which has no ledger.

Each file is written as a whole and put in its place at once; what is damaged or of another version is no cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from typing import TYPE_CHECKING, Final, Protocol

from scripts_tracker.analysis.facts.values import ANALYSIS_VERSION
from scripts_tracker.core.values import ALGORITHM

if TYPE_CHECKING:
    from scripts_tracker.analysis.facts.values import FileFacts, Verdict

FOLDER: Final = ".scripts_tracker_cache"
MAX_BYTES: Final = 16 << 20
"""What was asked for longest ago goes first."""
MAX_INDEXES: Final = 8
"""So many ways of asking are remembered: the settings, the lint's arguments."""
ABANDONED_SECONDS: Final = 3600
"""After so long nobody is writing a temporary file any more."""
_TEMPORARY: Final = ".tmp"
_NAME: Final = "facts"
_INDEX: Final = "index-"
_WATCHED: Final = "watched-"
_IGNORE: Final = "# This folder is a cache: it may be deleted at any time.\n*\n"
_HEADER: Final = f"scripts_tracker {ANALYSIS_VERSION} {ALGORITHM} "


class FactCache:
    """A FactStore and an IndexMemory in a folder; whatever the file system refuses makes it forgetful, and is no error.

    Args:
        root: the folder that the cache's own folder stands in.
    """

    def __init__(self, root: str) -> None:
        self._folder = os.path.join(root, FOLDER)
        self._texts: dict[str, str] | None = None
        self._seen: tuple[int, ...] = ()
        self._used: dict[str, None] = {}
        self._new: dict[str, str] = {}
        self._indexes: dict[str, str] = {}

    def verdict(self, digest: str) -> Verdict | None:
        """What the bytes with this digest are by themselves; None where they are not known or it depends."""
        from scripts_tracker.analysis.facts.values import verdict_of

        content = self._text(digest)
        try:
            return None if content is None else verdict_of(content)
        except ValueError:
            return None

    def get(self, digest: str) -> FileFacts | None:
        """The facts of the bytes with this digest; None where they are not known."""
        from scripts_tracker.analysis.facts.values import FileFacts

        content = self._text(digest)
        try:
            return None if content is None else FileFacts.from_text(content)
        except ValueError:
            return None

    def hits(self, digest: str) -> str:
        """What the rules of the lint say of the bytes with this digest, as text; empty where that is not known."""
        from scripts_tracker.analysis.facts.values import hits_of

        return hits_of(self._text(digest) or "")

    def put(self, digest: str, facts: FileFacts) -> None:
        """Remember the facts of the bytes with this digest."""
        self._new[digest] = facts.to_text()
        self._used[digest] = None

    def fingerprint(self, digest: str) -> str:
        """The fingerprint of the bytes with this digest, a command or not; empty where it is not known."""
        return self._text(f"{_WATCHED}{digest}") or ""

    def put_fingerprint(self, digest: str, fingerprint: str) -> None:
        """Remember the fingerprint of the bytes with this digest."""
        self._new[f"{_WATCHED}{digest}"] = fingerprint
        self._used[f"{_WATCHED}{digest}"] = None

    def recall(self, key: str) -> str | None:
        """What was remembered for this way of asking; None where there is nothing."""
        return self._read(f"{_INDEX}{key[:16]}").get(key)

    def remember(self, key: str, content: str) -> None:
        """Keep the text for this way of asking."""
        self._indexes[key] = content

    def save(self) -> None:
        """Write what is new, together with what other processes have written meanwhile."""
        with contextlib.suppress(OSError):
            if self._new:
                self._save_facts()
            for key, content in self._indexes.items():
                self._write(f"{_INDEX}{key[:16]}", {key: content})
            if self._new or self._indexes:
                self._tidy()
        self._new, self._indexes = {}, {}

    def _save_facts(self) -> None:
        is_as_read = self._texts is not None and self._seen and self._seen == self._identity()
        known = {**((is_as_read and self._texts) or self._read(_NAME)), **self._new}
        kept: dict[str, str] = {}
        size = 0
        for digest in (*self._used, *reversed(known)):
            if digest not in kept and digest in known:
                size += len(digest) + len(known[digest]) + 2
                if size > MAX_BYTES:
                    break
                kept[digest] = known[digest]
        # The last in the file are those that were asked for last.
        self._write(_NAME, {digest: kept[digest] for digest in reversed(kept)})

    def _text(self, digest: str) -> str | None:
        if digest in self._new:
            return self._new[digest]
        if self._texts is None:
            self._seen = self._identity()
            self._texts = self._read(_NAME)
        found = self._texts.get(digest)
        if found is not None:
            self._used[digest] = None
        return found

    def _identity(self) -> tuple[int, ...]:
        """What tells whether the file of facts is still the same: each is written as a new file. Empty for none."""
        try:
            found = os.stat(os.path.join(self._folder, _NAME))
        except OSError:
            return ()
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def _read(self, name: str) -> dict[str, str]:
        try:
            with open(os.path.join(self._folder, name), "rb") as file:
                header, _, body = file.read(2 * MAX_BYTES).partition(b"\n")
            if header.decode() != _HEADER + hashlib.sha256(body).hexdigest():
                return {}
            return dict(line.split(" ", 1) for line in body.decode().splitlines())
        except (OSError, ValueError):
            return {}

    def _write(self, name: str, texts: dict[str, str]) -> None:
        os.makedirs(self._folder, exist_ok=True)
        ignore = os.path.join(self._folder, ".gitignore")
        if not os.path.exists(ignore):
            self._put_in_place(ignore, _IGNORE.encode())
        body = "".join(f"{key} {content}\n" for key, content in texts.items()).encode()
        content = f"{_HEADER}{hashlib.sha256(body).hexdigest()}\n".encode() + body
        self._put_in_place(os.path.join(self._folder, name), content)

    def _tidy(self) -> None:
        """Drop the oldest indexes, and what processes that were killed left half-written."""
        ages = {name: os.path.getmtime(os.path.join(self._folder, name)) for name in os.listdir(self._folder)}
        indexes = [name for name in ages if name.startswith(_INDEX) and not name.endswith(_TEMPORARY)]
        old = sorted(indexes, key=ages.__getitem__)[:-MAX_INDEXES]
        limit = time.time() - ABANDONED_SECONDS
        old += [name for name, age in ages.items() if name.endswith(_TEMPORARY) and age < limit]
        for name in old:
            os.unlink(os.path.join(self._folder, name))

    def _put_in_place(self, path: str, content: bytes) -> None:
        temporary = f"{path}.{os.urandom(8).hex()}{_TEMPORARY}"
        try:
            with open(temporary, "xb") as file:
                file.write(content)
            os.replace(temporary, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise


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
