"""The files: which commands a folder offers, their bytes, whether they are worth a parse, and whether they changed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import time
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis.findings import CYCLE_OF_LINKS
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import ScriptId
from scripts_tracker.exceptions import UnreadableFile, UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from scripts_tracker.core.values import CommandsDir

MARKER: Final = b"tracked_script"
"""What a file must mention to be parsed; ``scripts_tracker`` does not contain it."""
PACKAGE: Final = b"scripts_tracker"
REQUIREMENT_MARKER: Final = b"required_preceding_script"
MAX_BYTES: Final = 16 * 1024 * 1024
MAX_ATTEMPTS: Final = 3
"""How often a file is read that changes while it is being read."""
_SUFFIX: Final = ".py"
_COMPILED: Final = (".pyc", ".so", ".pyd")
# In UTF-16 and UTF-32, whichever byte comes first.
_WIDE_MARKERS: Final = tuple(zeros.join(map(bytes, zip(MARKER, strict=True))) for zeros in (b"\0", b"\0\0\0"))
_FILE_REASONS: Final = {
    errno.ENOENT: "the file does not exist, or is a broken link",
    errno.ENOTDIR: "the file does not exist, or is a broken link",
    errno.ELOOP: CYCLE_OF_LINKS,
    errno.EACCES: "no permission to read the file",
    errno.EPERM: "no permission to read the file",
}
_FOLDER_REASONS: Final = {
    errno.ENOENT: "the folder of commands does not exist",
    errno.ENOTDIR: "the folder of commands is a file",
    errno.ELOOP: CYCLE_OF_LINKS,
    errno.EACCES: "no permission to list the folder of commands",
    errno.EPERM: "no permission to list the folder of commands",
}


class CommandFile(NamedTuple):
    """One file that Django offers as a command; ``ignored`` where the settings leave it out."""

    folder: CommandsDir
    name: str
    path: str
    ignored: bool

    @property
    def script_id(self) -> ScriptId:
        """The id of the script that it may hold."""
        return ScriptId(self.folder.app_label, self.name)

    @property
    def has_source(self) -> bool:
        """Whether there is source code to read: not for bytecode, an extension module, or a command in a zip file."""
        return self.path.endswith(_SUFFIX)

    @property
    def module(self) -> str:
        """The dotted name of the module."""
        return f"{self.folder.package}.{self.name}" if self.folder.package else self.name


def list_commands(
    folder: CommandsDir, ignored_files: Collection[str] = (), ignored_prefixes: tuple[str, ...] = ()
) -> tuple[CommandFile, ...]:
    """The commands that Django would offer from a folder, sorted by name.

    Args:
        folder: where to look.
        ignored_files: names of files to mark as ignored, in lower case.
        ignored_prefixes: beginnings of names of files to mark as ignored, in lower case.

    Raises:
        UnreadableSource: the folder does not exist or cannot be listed.
    """
    try:
        entries = os.listdir(folder.path)
    except (OSError, ValueError) as error:
        zipped = _zipped(folder.path)
        if zipped:
            paths = {name: os.path.join(folder.path, name) for name in zipped}
            return tuple(CommandFile(folder, name, path, ignored=False) for name, path in paths.items())
        reason = _reason(error, _FOLDER_REASONS, "the folder of commands cannot be listed")
        raise UnreadableSource(reason) from error
    found = []
    start = os.path.join(folder.path, "")
    if _UNSAVED:
        entries = [
            *{*entries, *(os.path.basename(one) for one in _UNSAVED if os.path.dirname(one) == folder.path)}
        ]
    others = {entry for entry in entries if not entry.endswith(_SUFFIX)}
    compiled = _without_source(others, entries)
    for entry in entries:
        name = entry.partition(".")[0] if entry in compiled else entry.removesuffix(_SUFFIX)
        # The rules of pkgutil.iter_modules() and of django.core.management.find_commands().
        if name == entry or not name or name.startswith("_") or "." in name:
            continue
        if name in others and os.path.isfile(os.path.join(folder.path, name, "__init__.py")):
            continue
        lowered = entry.lower() if entry not in compiled else f"{name}{_SUFFIX}".lower()
        ignored = lowered in ignored_files or lowered.startswith(ignored_prefixes)
        found.append(CommandFile(folder, name, start + entry, ignored))
    return tuple(sorted(found, key=attrgetter("name")))


def _without_source(others: Collection[str], entries: Collection[str]) -> frozenset[str]:
    """The files that Python can import without a source."""
    candidates = [entry for entry in others if entry.endswith(_COMPILED)]
    if not candidates:
        return frozenset()
    from importlib.machinery import BYTECODE_SUFFIXES, EXTENSION_SUFFIXES  # seldom needed

    found: dict[str, str] = {}
    for entry in sorted(candidates):
        name, _, suffix = entry.partition(".")
        is_importable = f".{suffix}" in (*BYTECODE_SUFFIXES, *EXTENSION_SUFFIXES)
        if is_importable and f"{name}{_SUFFIX}" not in entries:
            found.setdefault(name, entry)
    return frozenset(found.values())


def is_zipped(path: str) -> bool:
    """Whether a folder is inside a file: a zip file that Python imports from."""
    while path and not os.path.exists(path):
        path, tail = os.path.split(path)
        if not tail:
            return False
    return os.path.isfile(path)


def _zipped(path: str) -> list[str]:
    """The commands that Django finds in a folder of a zip file."""
    if not is_zipped(path):
        return []
    import pkgutil  # seldom needed

    modules = pkgutil.iter_modules([path])
    return sorted(one.name for one in modules if not one.ispkg and not one.name.startswith("_"))


def _reason(error: OSError | ValueError, known: Mapping[int, str], otherwise: str) -> str:
    number, text = (error.errno, error.strerror) if isinstance(error, OSError) else (None, None)
    return known.get(number or 0) or f"{otherwise} ({text or error})"


# The bytes of files that an editor has changed and not saved, by absolute path.
_UNSAVED: dict[str, bytes] = {}


@contextlib.contextmanager
def unsaved(path: str, source: bytes) -> Iterator[None]:
    """Read these bytes in place of an absolute path's while the block runs, whether there is such a file or not."""
    _UNSAVED[path] = source
    try:
        yield
    finally:
        del _UNSAVED[path]


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a regular file; never waits, whatever the path leads to.

    Raises:
        UnreadableSource: the file does not exist, must not be read, is a folder, pipe or device, or is huge.
    """
    if _UNSAVED and os.fspath(path) in _UNSAVED:
        return _UNSAVED[os.fspath(path)]
    try:
        _refuse_irregular(os.stat(path).st_mode)
        for _attempt in range(MAX_ATTEMPTS):
            source, is_whole = _read_once(path)
            if is_whole:
                break
        else:
            raise UnreadableFile("the file changes while it is being read")
    except (OSError, ValueError) as error:
        raise UnreadableFile(_reason(error, _FILE_REASONS, "the file cannot be read")) from error
    if len(source) > MAX_BYTES:
        raise UnreadableFile(f"the file is larger than {MAX_BYTES // 1024 // 1024} MB")
    return source


def _read_once(path: str | os.PathLike[str]) -> tuple[bytes, bool]:
    """A file's bytes, and whether it stayed unchanged meanwhile: half of one version and half of another is neither."""
    # A pipe could have replaced the file by now: O_NONBLOCK keeps the open from waiting for a writer.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        before = os.fstat(descriptor)
        _refuse_irregular(before.st_mode)
        source = up_to(descriptor, min(before.st_size, MAX_BYTES) + 1)
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    unchanged = (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)
    return source, unchanged and len(source) == min(before.st_size, MAX_BYTES + 1)


def up_to(descriptor: int, size: int) -> bytes:
    """At most so many bytes; a buffer of MAX_BYTES for every small file would take longer than the file."""
    source = os.read(descriptor, size)
    while 0 < len(source) < size and (more := os.read(descriptor, size - len(source))):
        source += more
    return source


def _refuse_irregular(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise UnreadableFile("this is a folder, not a file")
    if not stat.S_ISREG(mode):
        raise UnreadableFile("this is a pipe, socket or device, not a file")


def content_digest(source: bytes) -> str:
    """The sha256 of a file's bytes, in hexadecimal digits."""
    return hashlib.sha256(source).hexdigest()


def with_other_line_endings(source: bytes) -> Iterator[bytes]:
    """The same text as git checks it out elsewhere: with LF for CRLF, or CRLF for LF."""
    if b"\r" not in source:
        yield source.replace(b"\n", b"\r\n")
    elif b"\r" not in (unix := source.replace(b"\r\n", b"\n")):
        yield unix


def mentions_us(source: bytes) -> bool:
    """Whether a command may have to do with us: it mentions ``tracked_script``, perhaps misspelt, or our package."""
    return MARKER in source or PACKAGE in source or has_marker(source)


def has_marker(source: bytes) -> bool:
    """Whether a file mentions ``tracked_script``, in whatever encoding."""
    if MARKER in source:
        return True
    return b"\x00" in source and any(marker in source for marker in _WIDE_MARKERS)


SETTLED_NS: Final = 2_000_000_000
"""A file is trusted only if it was written so long before it was read: FAT counts in steps of two seconds."""
_HAS_CHANGE_TIME: Final = os.name == "posix"  # elsewhere st_ctime is the time of creation


def now() -> int:
    """The time in nanoseconds, for ``since`` below; ask before anything is read."""
    return time.time_ns()


def stat_signatures(paths: Iterable[str], since: int | None = None) -> list[str]:
    """What changes whenever a file does, without reading it; empty for files where that is not certain.

    Args:
        paths: the files; links are followed.
        since: when reading them began, by ``now()``; None where they are only compared with earlier signatures.
    """
    limit = None if since is None else since - SETTLED_NS
    return [_stat_signature(path, limit) for path in paths]


def _stat_signature(path: str, limit: int | None) -> str:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return ""
    if path in _UNSAVED:
        return ""
    changed, written = status.st_ctime_ns, status.st_mtime_ns
    if not _HAS_CHANGE_TIME or (limit is not None and (changed > limit or written > limit)):
        return ""
    return f"{status.st_mode:o} {status.st_ino} {status.st_size} {written} {changed}"
