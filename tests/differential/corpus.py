"""Real Python to judge by: commands from packages, black's case files, the standard library, the demo project."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.analysis import sources

PACKAGES = Path(__file__).with_name("packages.txt")
_BLACK = "black"
_COMMANDS = "management/commands/"
_CASES = "/tests/data/cases/"


@dataclass(frozen=True, slots=True)
class Sample:
    """One source and where it is from; ``seed`` starts all that is random about it, the same in each run."""

    origin: str
    name: str
    source: bytes

    @property
    def seed(self) -> int:
        return int.from_bytes(hashlib.sha256(self.source).digest()[:4], "big")


def local(count: int, *, seed: int, largest: int) -> list[Sample]:
    """What is here without a network: the demo project and a part of the standard library."""
    library = sources.library(count, seed=seed, largest=largest)
    return distinct(
        [Sample("the demo project", sources.label(path), path.read_bytes()) for path in sources.demo()]
        + [Sample("the standard library", sources.label(path), path.read_bytes()) for path in library]
    )


def packages(folder: Path, *, largest: int) -> list[Sample]:
    """The commands and case files of the pinned packages, which are downloaded into the folder if need be."""
    _download(folder)
    found = [
        sample
        for archive in sorted((folder / "archives").iterdir())
        for sample in (_cases(archive) if archive.name.startswith(_BLACK) else _commands(archive))
    ]
    return [sample for sample in distinct(found) if len(sample.source) <= largest]


def distinct(samples: Iterable[Sample]) -> list[Sample]:
    """Each source that holds anything, once."""
    return list({sample.source: sample for sample in samples if sample.source.strip()}.values())


def _download(folder: Path) -> None:
    pins = PACKAGES.read_text(encoding="utf-8")
    done = folder / "downloaded.txt"
    if done.is_file() and done.read_text(encoding="utf-8") == pins:
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    wanted = "--no-deps --ignore-requires-python --only-binary :all: --no-binary black --quiet"
    command = [sys.executable, "-m", "pip", "download", *wanted.split(), "--disable-pip-version-check"]
    subprocess.run([*command, "--dest", folder / "archives", "--requirement", PACKAGES], check=True)
    done.write_text(pins, encoding="utf-8")


def _commands(wheel: Path) -> Iterator[Sample]:
    origin = "commands of packages"
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if _COMMANDS in name and name.endswith(".py"):
                yield Sample(origin, name, archive.read(name))


def _cases(distribution: Path) -> Iterator[Sample]:
    """A case file of black holds a source and, below a line, what black is to make of it."""
    with tarfile.open(distribution) as archive:
        for member in archive:
            if _CASES in member.name and member.name.endswith(".py"):
                file = archive.extractfile(member)
                parts = file.read().split(b"\n# output\n") if file is not None else []
                for number, part in enumerate(parts):
                    yield Sample("black's case files", f"{member.name}:{number}", part)
