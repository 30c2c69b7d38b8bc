"""A small project, its index, and what may happen to it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from scripts_tracker.analysis.linking.scanning import analyse
from tests.analysis.project_cases import folders

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scripts_tracker.analysis.store.cache import Cache
    from scripts_tracker.core.values import ProjectIndex

TRACKED = "from scripts_tracker import tracked_script\nclass {name}:\n    @tracked_script\n    def handle(self): pass\n"
INHERITED = "from shop.base import Base\nclass Command(Base): pass\n"


def index_of(root: Path, cache: Cache | None = None, **options: Any) -> ProjectIndex:
    """The index of a project; the cache is saved."""
    index = analyse(folders(root), root=str(root), cache=cache, **options)
    if cache is not None:
        cache.save()
    return index


def writing(path: str, text: str) -> Callable[[Path], None]:
    """Writes a file."""

    def change(root: Path) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)

    return change


def _swap(root: Path) -> None:
    commands = root / "shop/management/commands"
    (commands / "own.py").rename(commands / "aside")
    (commands / "inherits.py").rename(commands / "own.py")
    (commands / "aside").rename(commands / "inherits.py")


def _become_a_folder(root: Path) -> None:
    path = root / "shop/management/commands/own.py"
    path.unlink()
    path.mkdir()


def _damage(root: Path) -> None:
    for path in (root / ".scripts_tracker_cache").iterdir():
        path.write_bytes(path.read_bytes()[:-1])


CHANGES: dict[str, Callable[[Path], None]] = {
    "nothing": lambda _root: None,
    "a comment": writing("shop/management/commands/own.py", TRACKED.format(name="Command") + "# a comment\n"),
    "a command loses its decorator": writing("shop/management/commands/own.py", "class Command: pass\n"),
    "a command is new": writing("shop/management/commands/more.py", TRACKED.format(name="Command")),
    "a command goes": lambda root: (root / "shop/management/commands/own.py").unlink(),
    "two commands are swapped": _swap,
    "a command becomes broken": writing("shop/management/commands/own.py", "@tracked_script = \n"),
    "a command becomes a folder": _become_a_folder,
    "a base class loses its decorator": writing("shop/base.py", "class Base: pass\n"),
    "a base class changes its help": writing(
        "shop/base.py", TRACKED.format(name="Base") + "    help = 'other'\n"
    ),
    "a base class becomes broken": writing("shop/base.py", "@tracked_script = \n"),
    "a base class goes": lambda root: (root / "shop/base.py").unlink(),
    "a base class appears": writing("shop/plain.py", TRACKED.format(name="Base")),
    "a package takes a module's place": writing("shop/base/__init__.py", "class Base: pass\n"),
    "a package appears where a module was missing": writing(
        "shop/plain/__init__.py", TRACKED.format(name="Base")
    ),
    "an app is new": writing("stock/management/commands/fix.py", TRACKED.format(name="Command")),
    "the cache is damaged": _damage,
    "the cache goes": lambda root: shutil.rmtree(root / ".scripts_tracker_cache"),
}
