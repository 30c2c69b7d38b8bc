"""What was computed of files before, by the digest of their bytes, and whole results, by what was asked for.

It is kept in a folder of the project, or as long as the process lasts. Each file of the folder is written as a whole and
put in place at once; a file that is damaged or of another version counts as missing. A folder or a file that another user
may have written is not trusted, and no link is followed: whatever stands in the place of the cache, a check only takes
longer. That of root is trusted, as an image is built by root, and root may do anything.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import time
from functools import cached_property
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import ANALYSIS_VERSION
from scripts_tracker.analysis.source import reading
from scripts_tracker.core.values import ALGORITHM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scripts_tracker.analysis.facts.values import FileFacts

FOLDER: Final = ".scripts_tracker_cache"
FACTS: Final = "facts"
FINGERPRINT: Final = "fingerprint"
NAMES: Final = "names"
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
_IGNORE_FILE: Final = ".gitignore"
_IGNORE: Final = "# This folder is a cache: it may be deleted at any time.\n*\n"
_HEADER: Final = f"scripts_tracker {ANALYSIS_VERSION} {ALGORITHM} "
# Windows has neither descriptors of folders nor these flags; a link is recognised there, though not one that was made
# in the meantime.
_HAS_DESCRIPTORS: Final = os.open in os.supports_dir_fd and os.listdir in os.supports_fd
_NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_OPEN_FILE: Final = os.O_RDONLY | _NO_FOLLOW | getattr(os, "O_BINARY", 0)
_OPEN_FOLDER: Final = os.O_RDONLY | _NO_FOLLOW | getattr(os, "O_DIRECTORY", 0)
_HAS_OWNERS: Final = hasattr(os, "geteuid")
_ROOT: Final = 0
_JUNCTION: Final = 0xA0000003
"""``stat.IO_REPARSE_TAG_MOUNT_POINT``, which only Windows has: a link to a folder that counts as a folder."""


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
        self._folder = _Folder(os.path.join(root, FOLDER))
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
            text = self.text(FACTS, digest)
            if not text:
                return None
            from scripts_tracker.analysis.facts.values import FileFacts

            try:
                self._facts[digest] = FileFacts.from_text(text)
            except ValueError:
                return None
        return self._facts[digest]

    def full_facts(self, digest: str) -> FileFacts | None:
        """As ``facts``, but only with the fingerprint."""
        facts = self.facts(digest)
        if facts is None or facts.has_fingerprint:
            return facts
        from scripts_tracker.analysis.facts.values import FileFacts

        # The ledger may have it, as it has that of everything that ever ran.
        with contextlib.suppress(ValueError):
            facts = FileFacts.from_text(self._more.get(key_of(FACTS, digest), ""))
        return facts if facts.has_fingerprint else None

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
        return self._read(f"{_INDEX}{key[:16]}").get(key, "")

    def put_index(self, key: str, content: str) -> None:
        """Keep the text of an index."""
        self._indexes[key] = content

    def save(self) -> None:
        """Write what is new, together with what other processes have written meanwhile."""
        if self.is_kept and (self._unsaved or self._indexes):
            with contextlib.suppress(OSError):
                self._folder.create()
                with self._folder as is_usable:
                    # Where it is part of an image, the texts would be made in vain by each check.
                    if is_usable and self._folder.is_writable:
                        self._save()
        self._unsaved, self._indexes = {}, {}

    @property
    def refusal(self) -> str:
        """Why the folder was not used when it was needed last; empty if it was, or if it does not exist."""
        reason = self._folder.refusal
        return f"{FOLDER} is not used: {reason}. Delete it, or use --no-cache." if reason else ""

    @cached_property
    def _more(self) -> Mapping[str, str]:
        return self._ask_more()

    @cached_property
    def _stored(self) -> dict[str, str]:
        return self._read(_NAME)

    def _read(self, name: str) -> dict[str, str]:
        if not self.is_kept:
            return {}
        with self._folder as is_usable:
            return self._parsed(name) if is_usable else {}

    def _parsed(self, name: str) -> dict[str, str]:
        if name == _NAME:
            self._signature = self._folder.signature(name)
        try:
            header, _, body = self._folder.read(name).partition(b"\n")
            if header.decode() != _HEADER + hashlib.sha256(body).hexdigest():
                return {}
            return dict(line.split("\t", 1) for line in body.decode().splitlines())
        except (OSError, ValueError):
            return {}

    def _save(self) -> None:
        if not self._folder.signature(_IGNORE_FILE):
            self._folder.put(_IGNORE_FILE, _IGNORE.encode())
        if self._unsaved:
            self._save_texts()
        for key, content in self._indexes.items():
            self._put_texts(f"{_INDEX}{key[:16]}", {key: content})
        self._tidy()

    def _save_texts(self) -> None:
        new = {key: one if isinstance(one, str) else one.to_text() for key, one in self._unsaved.items()}
        is_as_read = self._signature and self._signature == self._folder.signature(_NAME)
        known = {**(self._stored if is_as_read else self._parsed(_NAME)), **new}
        kept: dict[str, str] = {}
        size = 0
        for key in (*self._used, *new, *reversed(known)):
            if key not in kept and key in known:
                size += len(key) + len(known[key]) + 2
                if size > MAX_BYTES:
                    break
                kept[key] = known[key]
        # The last in the file are those that were used last.
        self._put_texts(_NAME, {key: kept[key] for key in reversed(kept)})

    def _put_texts(self, name: str, texts: Mapping[str, str]) -> None:
        body = "".join(f"{key}\t{content}\n" for key, content in texts.items()).encode()
        content = f"{_HEADER}{hashlib.sha256(body).hexdigest()}\n".encode() + body
        self._folder.put(name, content)

    def _tidy(self) -> None:
        """Drop the oldest indexes, and what killed processes left half-written."""
        ages = self._folder.ages()
        indexes = [name for name in ages if name.startswith(_INDEX) and not name.endswith(_TEMPORARY)]
        old = sorted(indexes, key=ages.__getitem__)[:-MAX_INDEXES]
        limit = time.time() - ABANDONED_SECONDS
        old += [name for name, age in ages.items() if name.endswith(_TEMPORARY) and age < limit]
        for name in old:
            self._folder.remove(name)


class _Folder:
    """The cache's own folder. Nothing in it is followed, waited for, or used if another user may have written it.

    Args:
        path: where it is, or will be.

    Attributes:
        refusal: why it was not used; empty if it was, or does not exist.
    """

    def __init__(self, path: str) -> None:
        self.refusal = ""
        self._path = path
        self._descriptor: int | None = None

    def __enter__(self) -> bool:
        """Open it; False where there is none to use."""
        self.refusal = ""
        try:
            status = os.lstat(self._path)
            self.refusal = _why_not(status, stat.S_IFDIR)
            if not self.refusal and _HAS_DESCRIPTORS:
                self._descriptor = os.open(self._path, _OPEN_FOLDER)
                if not os.path.samestat(os.fstat(self._descriptor), status):
                    self.refusal = "it was replaced in the meantime"
        except FileNotFoundError:
            return False
        except OSError as error:
            self.refusal = error.strerror or str(error)
        return not self.refusal

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def create(self) -> None:
        """Make it, so that only this user can write it; but not in a project of another user, who could not delete it."""
        if not _HAS_OWNERS or os.stat(os.path.dirname(self._path)).st_uid == os.geteuid():
            with contextlib.suppress(FileExistsError):
                os.mkdir(self._path, 0o700)

    @property
    def is_writable(self) -> bool:
        """Whether this process may put files into it."""
        return os.access(self._path, os.W_OK)

    def signature(self, name: str) -> tuple[int, ...]:
        """Differs as soon as another process has written the file; empty where there is none to use."""
        found = self._usable(name)
        return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns) if found else ()

    def read(self, name: str) -> bytes:
        """The bytes of a file; empty where there is none to use, or it is too large to be ours."""
        for _attempt in range(reading.MAX_ATTEMPTS):
            seen = self._usable(name)
            if seen is None:
                break
            descriptor = os.open(self._at(name), _OPEN_FILE, dir_fd=self._descriptor)
            try:
                found = os.fstat(descriptor)
                # Another process may have put a new file in place, and where links are followed, this may be another.
                if _NO_FOLLOW or os.path.samestat(found, seen):
                    return reading.up_to(descriptor, found.st_size + 1) if _is_usable(found) else b""
            finally:
                os.close(descriptor)
        return b""

    def put(self, name: str, content: bytes) -> None:
        """Put a file in place as a whole, also in that of a link or a pipe."""
        temporary = f"{name}.{os.urandom(8).hex()}{_TEMPORARY}"
        try:
            with open(temporary, "xb", opener=self._create) as file:
                file.write(content)
            ours, at = self._descriptor, self._at
            os.replace(at(temporary), at(name), src_dir_fd=ours, dst_dir_fd=ours)
        except OSError:
            self.remove(temporary)
            raise

    def ages(self) -> dict[str, float]:
        """When each file was written, by its name."""
        names = os.listdir(self._path if self._descriptor is None else self._descriptor)
        found = {name: self._status(name) for name in names}
        return {name: one.st_mtime for name, one in found.items() if one}

    def remove(self, name: str) -> None:
        """Delete a file, if that is possible."""
        with contextlib.suppress(OSError):
            os.unlink(self._at(name), dir_fd=self._descriptor)

    def _at(self, name: str) -> str:
        return os.path.join(self._path, name) if self._descriptor is None else name

    def _create(self, name: str, flags: int) -> int:
        return os.open(self._at(name), flags | _NO_FOLLOW, 0o600, dir_fd=self._descriptor)

    def _status(self, name: str) -> os.stat_result | None:
        try:
            return os.stat(self._at(name), dir_fd=self._descriptor, follow_symlinks=False)
        except OSError:
            return None

    def _usable(self, name: str) -> os.stat_result | None:
        found = self._status(name)
        return found if found is not None and _is_usable(found) else None


def _is_usable(status: os.stat_result) -> bool:
    return not _why_not(status, stat.S_IFREG) and status.st_size <= 2 * MAX_BYTES


def _why_not(status: os.stat_result, kind: int) -> str:
    """Why a file or folder is not used; empty if only this user can have written it."""
    is_junction = getattr(status, "st_reparse_tag", 0) == _JUNCTION
    if stat.S_ISLNK(status.st_mode) or is_junction:
        return "it is a link"
    if stat.S_IFMT(status.st_mode) != kind:
        return "it is not a folder" if kind == stat.S_IFDIR else "it is not a file"
    if _is_of_another_user(status):
        return "it belongs to another user"
    is_open = _HAS_OWNERS and status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return "other users may write to it" if is_open else ""


def _is_of_another_user(status: os.stat_result) -> bool:
    return _HAS_OWNERS and status.st_uid not in (os.geteuid(), _ROOT)
