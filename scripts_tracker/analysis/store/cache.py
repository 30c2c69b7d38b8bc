"""What was computed of files before, by the digest of their bytes, and whole results, by what was asked for.

It is kept in a folder of the project, or as long as the process lasts. Each file of the folder is written as a whole and
put in place at once; a file that is damaged or of another version counts as missing.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from functools import cached_property
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import ANALYSIS_VERSION
from scripts_tracker.core.values import ALGORITHM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scripts_tracker.analysis.facts.values import FileFacts

FOLDER: Final = ".scripts_tracker_cache"
FACTS: Final = "facts"
FINGERPRINT: Final = "fingerprint"
"""Of the bytes of a module, whether or not it is a command."""
MAX_BYTES: Final = 16 << 20
"""What was used longest ago goes first."""
MAX_INDEXES: Final = 8
"""The settings and the lint's arguments make different indexes."""
ABANDONED_SECONDS: Final = 3600
"""After that no process is still writing a temporary file."""
_TEMPORARY: Final = ".tmp"
_NAME: Final = "facts"
_INDEX: Final = "index-"
_IGNORE: Final = "# This folder is a cache: it may be deleted at any time.\n*\n"
_HEADER: Final = f"scripts_tracker {ANALYSIS_VERSION} {ALGORITHM} "


def key_of(kind: str, digest: str) -> str:
    """The key of one text: FACTS, FINGERPRINT or another kind, of the bytes with this digest."""
    return f"{kind} {digest}"


class Cache:
    """Facts and other texts by content digest, and indexes. What the file system refuses is not kept, and is no error.

    Args:
        root: the folder that the cache's own folder stands in; empty to keep everything in memory.
        more: gives further texts by ``key_of``, such as those of the ledger; called at most once.

    Attributes:
        is_kept: whether another process will find what was put here.
    """

    def __init__(self, root: str = "", more: Callable[[], Mapping[str, str]] = dict) -> None:
        self.is_kept = bool(root)
        self._folder = os.path.join(root, FOLDER)
        self._ask_more = more
        self._signature: tuple[int, ...] = ()
        self._used: dict[str, None] = {}
        self._facts: dict[str, FileFacts] = {}
        self._texts: dict[str, str] = {}
        self._unsaved: dict[str, FileFacts | str] = {}
        self._indexes: dict[str, str] = {}

    def facts(self, digest: str) -> FileFacts | None:
        """The facts of the bytes with this digest; None where they are unknown, damaged or of an older analysis."""
        if digest not in self._facts:
            from scripts_tracker.analysis.facts.values import FileFacts

            try:
                self._facts[digest] = FileFacts.from_text(self.text(FACTS, digest))
            except ValueError:
                return None
        return self._facts[digest]

    def put_facts(self, digest: str, facts: FileFacts) -> None:
        """Keep the facts of the bytes with this digest."""
        self._facts[digest] = self._unsaved[key_of(FACTS, digest)] = facts

    def text(self, kind: str, digest: str) -> str:
        """The text of one kind about the bytes with this digest; empty where there is none."""
        key = key_of(kind, digest)
        if key in self._texts:
            return self._texts[key]
        if key in self._stored:
            self._used[key] = None
            return self._stored[key]
        return self._more.get(key, "")

    def put_text(self, kind: str, digest: str, content: str) -> None:
        """Keep a text of one line about the bytes with this digest."""
        key = key_of(kind, digest)
        self._texts[key] = self._unsaved[key] = content

    def index(self, key: str) -> str:
        """The index that was asked for in this way, as text; empty where there is none."""
        return self._read(f"{_INDEX}{key[:16]}").get(key, "") if self.is_kept else ""

    def put_index(self, key: str, content: str) -> None:
        """Keep the text of an index."""
        self._indexes[key] = content

    def save(self) -> None:
        """Write what is new, together with what other processes have written meanwhile."""
        if not self.is_kept:
            return
        with contextlib.suppress(OSError):
            if self._unsaved:
                self._save_texts()
            for key, content in self._indexes.items():
                self._write(f"{_INDEX}{key[:16]}", {key: content})
            if self._unsaved or self._indexes:
                self._tidy()
        self._unsaved, self._indexes = {}, {}

    @cached_property
    def _more(self) -> Mapping[str, str]:
        return self._ask_more()

    @cached_property
    def _stored(self) -> dict[str, str]:
        self._signature = self._current_signature()
        return self._read(_NAME) if self.is_kept else {}

    def _save_texts(self) -> None:
        new = {key: one if isinstance(one, str) else one.to_text() for key, one in self._unsaved.items()}
        is_as_read = self._signature and self._signature == self._current_signature()
        known = {**(self._stored if is_as_read else self._read(_NAME)), **new}
        kept: dict[str, str] = {}
        size = 0
        for key in (*self._used, *new, *reversed(known)):
            if key not in kept and key in known:
                size += len(key) + len(known[key]) + 2
                if size > MAX_BYTES:
                    break
                kept[key] = known[key]
        # The last in the file are those that were used last.
        self._write(_NAME, {key: kept[key] for key in reversed(kept)})

    def _current_signature(self) -> tuple[int, ...]:
        """Differs as soon as another process has written the file of texts; empty where there is none."""
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
            return dict(line.split("\t", 1) for line in body.decode().splitlines())
        except (OSError, ValueError):
            return {}

    def _write(self, name: str, texts: Mapping[str, str]) -> None:
        os.makedirs(self._folder, exist_ok=True)
        ignore = os.path.join(self._folder, ".gitignore")
        if not os.path.exists(ignore):
            self._put_in_place(ignore, _IGNORE.encode())
        body = "".join(f"{key}\t{content}\n" for key, content in texts.items()).encode()
        content = f"{_HEADER}{hashlib.sha256(body).hexdigest()}\n".encode() + body
        self._put_in_place(os.path.join(self._folder, name), content)

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

    def _tidy(self) -> None:
        """Drop the oldest indexes, and what killed processes left half-written."""
        ages = {name: os.path.getmtime(os.path.join(self._folder, name)) for name in os.listdir(self._folder)}
        indexes = [name for name in ages if name.startswith(_INDEX) and not name.endswith(_TEMPORARY)]
        old = sorted(indexes, key=ages.__getitem__)[:-MAX_INDEXES]
        limit = time.time() - ABANDONED_SECONDS
        old += [name for name, age in ages.items() if name.endswith(_TEMPORARY) and age < limit]
        for name in old:
            os.unlink(os.path.join(self._folder, name))
