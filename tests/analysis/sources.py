"""Real Python for the tests: the standard library's own modules and the demo project."""

from __future__ import annotations

import random
import sysconfig
from pathlib import Path

_DEMO = Path(__file__).parents[2] / "fixtures" / "demo"
_SKIPPED = {"site-packages", "lib2to3", "idlelib", "__pycache__", "pydoc_data"}


def library(count: int, *, seed: int, largest: int) -> list[Path]:
    """That many modules of the standard library, the same ones each time."""
    root = Path(sysconfig.get_paths()["stdlib"])
    paths = [path for path in sorted(root.rglob("*.py")) if not _SKIPPED & set(path.relative_to(root).parts)]
    fitting = [path for path in paths if 0 < path.stat().st_size <= largest]
    dice = random.Random(seed)  # noqa: S311 - a sample, not a secret
    return sorted(dice.sample(fitting, min(count, len(fitting))))


def demo() -> list[Path]:
    """The Python files of the demo project."""
    return sorted(_DEMO.rglob("*.py"))


def label(path: Path) -> str:
    """A readable id for a test."""
    return "/".join(path.parts[-3:])
