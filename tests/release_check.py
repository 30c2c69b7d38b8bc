"""What a release must say about itself: ``python -m tests.release_check v1.0.0``, as ``make release-check`` does."""

from __future__ import annotations

import re
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from hatch_build import places

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


def policy() -> str:
    """SECURITY.md."""
    return (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def changes() -> str:
    return (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def headings(changelog: str) -> list[tuple[str, str]]:
    """The versions of a changelog with their dates, newest first; ``Unreleased`` has none."""
    return _HEADING.findall(changelog)


def problems(
    tag: str, pyproject: Mapping[str, Any], changelog: str, security: str = "", *, root: Path = ROOT
) -> Iterator[str]:
    """Why this cannot be released; nothing if it can.

    Args:
        tag: of the commit; empty if there is none yet.
        pyproject: the tables of pyproject.toml.
        changelog: the text of CHANGELOG.md.
        security: the text of SECURITY.md.
        root: the checkout, whose origin is the repository if no address is set.
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
    if version in dates and f"\n[{version}]: " not in changelog:
        yield f"CHANGELOG.md: no link for [{version}]; write [{version}]: ../../releases/tag/v{version} at the end"
    if "no release yet" in security:
        yield "SECURITY.md says that there is no release yet; name the versions that get fixes"
    hook = pyproject["tool"]["hatch"]["metadata"]["hooks"]["custom"]
    for name, address in zip(("repository", "documentation"), places(root, hook), strict=True):
        if not address.startswith("https://"):
            or_origin = "; or release from a clone of GitHub" if name == "repository" else ""
            yield f"pyproject.toml: set {name} in [tool.hatch.metadata.hooks.custom] to its address, https://...{or_origin}"


def built_problems(dist: Path, version: str) -> Iterator[str]:
    """What is wrong with what was built: not both of one version, or without the addresses on PyPI.

    Args:
        dist: the folder of the wheel and the sdist.
        version: that of the release.
    """
    names = {
        f"scripts_tracker-{version}-py3-none-any.whl": _metadata_of_wheel,
        f"scripts_tracker-{version}.tar.gz": _metadata_of_sdist,
    }
    for name, read in names.items():
        if not (dist / name).is_file():
            yield f"{dist.name}/{name} is missing; commit the version, and run: make dist"
            continue
        headers, _, readme = read(dist / name).partition("\n\n")
        for label in ("Documentation", "Source", "Changelog", "Issues"):
            if not re.search(rf"^Project-URL: {label}, https://", headers, re.MULTILINE):
                yield f"{dist.name}/{name}: no URL for {label}; set the addresses, and run: make dist"
        for link in re.findall(r"\]\((?!https://|#)([^)]*)\)", readme):
            yield f"{dist.name}/{name}: a link of the README leads nowhere on PyPI: {link}"


def _metadata_of_wheel(path: Path) -> str:
    with zipfile.ZipFile(path) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
        return wheel.read(name).decode()


def _metadata_of_sdist(path: Path) -> str:
    with tarfile.open(path) as sdist:
        member = sdist.extractfile(f"{path.name.removesuffix('.tar.gz')}/PKG-INFO")
        assert member is not None
        return member.read().decode()


def main() -> int:
    """Print the problems; 1 if there are any."""
    found = list(problems(" ".join(sys.argv[1:]), about(), changes(), policy()))
    if not found:
        found = list(built_problems(ROOT / "dist", about()["project"]["version"]))
    print("\n".join(found) or "Ready to be released.")  # noqa: T201 - a program that prints
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
