"""The files: which commands a folder offers, their bytes, and whether the bytes are worth a parse."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from scripts_tracker.core.values import CommandsDir

MARKER: Final = b"tracked_script"
"""What a file must mention to be parsed; ``scripts_tracker`` does not contain it."""
REQUIREMENT_MARKER: Final = b"required_preceding_script"
MAX_BYTES: Final = 16 * 1024 * 1024
MAX_ATTEMPTS: Final = 3
"""So often a file is read anew that changed while it was being read."""
_SUFFIX: Final = ".py"
_WIDE_MARKERS: Final = tuple(
    MARKER.decode().encode(name) for name in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
)
_REASONS: Final = {
    errno.ENOENT: "the file does not exist, or is a link that leads nowhere",
    errno.ENOTDIR: "the file does not exist, or is a link that leads nowhere",
    errno.ELOOP: "the file is a link that leads in a circle",
    errno.EACCES: "the permissions do not allow to read the file",
    errno.EPERM: "the permissions do not allow to read the file",
}


class CommandFile(NamedTuple):
    """One file that Django offers as a command; ``ignored`` where the settings leave it out."""

    folder: CommandsDir
    name: str
    path: str
    ignored: bool

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
        raise UnreadableSource(_folder_reason(error)) from error
    found = []
    start = os.path.join(folder.path, "")
    others = {entry for entry in entries if not entry.endswith(_SUFFIX)}
    for entry in entries:
        name = entry.removesuffix(_SUFFIX)
        # The rules of pkgutil.iter_modules() and of django.core.management.find_commands().
        if name == entry or not name or name.startswith("_") or "." in name:
            continue
        if name in others and os.path.isfile(os.path.join(folder.path, name, "__init__.py")):
            continue
        lowered = entry.lower()
        ignored = lowered in ignored_files or lowered.startswith(ignored_prefixes)
        found.append(CommandFile(folder, name, start + entry, ignored))
    return tuple(sorted(found, key=lambda one: one.name))


def _folder_reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "the folder of commands does not exist"
    if isinstance(error, NotADirectoryError):
        return "the folder of commands is a file"
    if isinstance(error, PermissionError):
        return "the permissions do not allow to list the folder of commands"
    return f"the folder of commands cannot be listed ({_system_reason(error)})"


def _system_reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a regular file; returns at once whatever stands there.

    Raises:
        UnreadableSource: there is no such file, it may not be read, it is a folder, pipe or device, or it is huge.
    """
    try:
        _refuse_irregular(os.stat(path).st_mode)
        for _attempt in range(MAX_ATTEMPTS):
            source, is_whole = _read_once(path)
            if is_whole:
                break
        else:
            raise UnreadableSource("the file changes while it is being read")
    except (OSError, ValueError) as error:
        known = _REASONS.get(error.errno) if isinstance(error, OSError) and error.errno else None
        raise UnreadableSource(known or f"the file cannot be read ({_system_reason(error)})") from error
    if len(source) > MAX_BYTES:
        raise UnreadableSource(f"the file is larger than {MAX_BYTES // 1024 // 1024} MB")
    return source


def _read_once(path: str | os.PathLike[str]) -> tuple[bytes, bool]:
    """A file's bytes, and whether nobody wrote to it meanwhile: half of one version and half of another is neither."""
    # A pipe could take the file's place in between: O_NONBLOCK keeps the open from waiting for a writer.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        before = os.fstat(descriptor)
        _refuse_irregular(before.st_mode)
        source = _up_to(descriptor, min(before.st_size, MAX_BYTES) + 1)
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    unchanged = (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)
    return source, unchanged and len(source) == min(before.st_size, MAX_BYTES + 1)


def _up_to(descriptor: int, size: int) -> bytes:
    """So many bytes, or all there are; a buffer of MAX_BYTES for every small file would take longer than the file."""
    source = os.read(descriptor, size)
    while 0 < len(source) < size and (more := os.read(descriptor, size - len(source))):
        source += more
    return source


def _refuse_irregular(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise UnreadableSource("it is a folder, not a file")
    if not stat.S_ISREG(mode):
        raise UnreadableSource("it is a pipe, socket or device, not a file")


def content_digest(source: bytes) -> str:
    """The sha256 of a file's bytes, in hexadecimal digits."""
    return hashlib.sha256(source).hexdigest()


def has_marker(source: bytes) -> bool:
    """Whether a file mentions ``tracked_script``, in whatever encoding."""
    if MARKER in source:
        return True
    return b"\x00" in source and any(marker in source for marker in _WIDE_MARKERS)


SETTLED_NS: Final = 2_000_000_000
"""So long before a look a file must have been written to be trusted: FAT counts in steps of two seconds."""
_TELLS_CHANGES: Final = os.name == "posix"  # elsewhere st_ctime is the time of creation


def now() -> int:
    """When a look begins, in nanoseconds; to be asked for before anything is read."""
    return time.time_ns()


def stamps(paths: Iterable[str], since: int | None = None) -> list[str]:
    """What the file system says of some files; empty for those of which that is not to be trusted.

    Args:
        paths: the files; links are followed.
        since: when reading them began, by ``now()``; None where they are only compared with earlier stamps.
    """
    limit = None if since is None else since - SETTLED_NS
    return [_stamp(path, limit) for path in paths]


def _stamp(path: str, limit: int | None) -> str:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ""
    changed, written = found.st_ctime_ns, found.st_mtime_ns
    if not _TELLS_CHANGES or (limit is not None and (changed > limit or written > limit)):
        return ""
    return f"{found.st_mode:o} {found.st_ino} {found.st_size} {written} {changed}"
