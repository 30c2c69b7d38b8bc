"""What a release must say about itself: ``python -m tests.release_check v1.0.0``, as ``make release-check`` does."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
_RELEASE = re.compile(r"\d+\.\d+\.\d+((a|b|rc)\d+)?")
_HEADING = re.compile(r"^## \[([^\]]+)\](?: - (\S+))?$", re.MULTILINE)


def about() -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def changes() -> str:
    return (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def headings(changelog: str) -> list[tuple[str, str]]:
    """The versions of a changelog with their dates, newest first; ``Unreleased`` has none."""
    return _HEADING.findall(changelog)


def problems(tag: str, pyproject: Mapping[str, Any], changelog: str) -> Iterator[str]:
    """Why this cannot be released; nothing if it can.

    Args:
        tag: of the commit; empty if there is none yet.
        pyproject: the tables of pyproject.toml.
        changelog: the text of CHANGELOG.md.
    """
    version = pyproject["project"]["version"]
    if not _RELEASE.fullmatch(version):
        yield f"pyproject.toml: version {version} is no release; write one such as 1.0.0"
    if tag and tag != f"v{version}":
        yield f"the tag is {tag}, the version {version}; tag the commit v{version}"
    dates = dict(headings(changelog))
    if version not in dates:
        yield f"CHANGELOG.md: no section for {version}; rename [Unreleased] to [{version}] - {date.today():%Y-%m-%d}"  # noqa: DTZ011 - a day for people
    elif not re.fullmatch(r"\d{4}-\d\d-\d\d", dates[version]):
        yield f"CHANGELOG.md: [{version}] has no date; write ## [{version}] - {date.today():%Y-%m-%d}"  # noqa: DTZ011 - as above
    places = pyproject["tool"]["hatch"]["metadata"]["hooks"]["custom"]
    for name in ("repository", "documentation"):
        if not places[name].startswith("https://"):
            yield f"pyproject.toml: [tool.hatch.metadata.hooks.custom] has no address of the {name}"


def main() -> int:
    """Print the problems; 1 if there are any."""
    found = list(problems(" ".join(sys.argv[1:]), about(), changes()))
    print("\n".join(found) or "Ready to be released.")  # noqa: T201 - a program that prints
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
