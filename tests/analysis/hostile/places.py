"""What may stand where a command file is expected, as data: how it is made, and a word of its finding."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

from scripts_tracker.analysis.source.reading import MAX_BYTES
from tests.analysis.hostile.shapes import TRACKED

Make = Callable[[Path], object]


def _cycle_of_two(path: Path) -> None:
    other = path.with_suffix(".other")
    other.symlink_to(path.name)
    path.symlink_to(other.name)


def _link_to_a_pipe(path: Path) -> None:
    os.mkfifo(path.with_suffix(".pipe"))
    path.symlink_to(path.with_suffix(".pipe").name)


def _link_to_a_folder(path: Path) -> None:
    path.symlink_to(path.parent)


def _package(path: Path) -> None:
    path.mkdir()
    (path / "__init__.py").write_text(TRACKED)


def make_socket(path: Path) -> None:
    """Leave a socket, which nobody listens to any more."""
    # The name of a socket may have a hundred characters; the folders of tests have longer ones.
    here = os.open(os.curdir, os.O_RDONLY)
    os.chdir(path.parent)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path.name)
    os.chdir(here)
    os.close(here)


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(MAX_BYTES * 100)


def _through_a_file(path: Path) -> None:
    path.with_suffix(".txt").write_text("x")
    path.symlink_to(f"{path.with_suffix('.txt').name}/x.py")


PLACES: dict[str, tuple[Make, str]] = {
    "a folder": (Path.mkdir, "is a folder"),
    "a package": (_package, "is a folder"),
    "a link that leads nowhere": (lambda path: path.symlink_to("nowhere"), "broken link"),
    "a link through a file": (_through_a_file, "broken link"),
    "a link to itself": (lambda path: path.symlink_to(path.name), "cycle of links"),
    "two links in a cycle": (_cycle_of_two, "cycle of links"),
    "a link to a folder": (_link_to_a_folder, "is a folder"),
    "a pipe": (os.mkfifo, "pipe, socket or device"),
    "a link to a pipe": (_link_to_a_pipe, "pipe, socket or device"),
    "a socket": (make_socket, "pipe, socket or device"),
    "a device": (lambda path: path.symlink_to("/dev/null"), "pipe, socket or device"),
    "a device without end": (lambda path: path.symlink_to("/dev/zero"), "pipe, socket or device"),
    "a file of 1.6 gigabytes": (_huge, "larger than"),
}
