"""Metadata that depends on where the project lives: ``[project.urls]`` and the links of the README on PyPI.

The addresses stand once, in ``[tool.hatch.metadata.hooks.custom]`` of pyproject.toml. As long as the repository's is
empty, it is that of the remote ``origin`` of a clone, if that is on GitHub. Where neither is known, the package has no URLs,
and the README on PyPI has the names of the files in place of links. An sdist keeps what it was built with.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

if TYPE_CHECKING:
    from collections.abc import Mapping

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?://|#)([^)#\s]+)(#[^)\s]*)?\)")
_PICTURE = re.compile(r"!\[([^\]]*)\]\((?!https?://)([^)\s]+)\)\n*")
# A picture that is a link to what the host of the repository makes: relative to a file on its main branch.
_BADGE = re.compile(r"\[!\[([^\]]*)\]\(\.\./\.\./([^)\s]+)\)\]\(\.\./\.\./([^)\s]+)\)(\n*)")
# With and without the credentials and the port that a remote may name.
_GITHUB = re.compile(
    r"(?:https?://|ssh://|git://)?(?:[^@/]+@)?github\.com(?::\d+/|[:/])([\w.-]+/[\w.-]+?)(?:\.git)?/?"
)


class MetadataHook(MetadataHookInterface):
    """What hatchling calls when it reads the metadata."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the URLs and the README.

        Args:
            metadata: the table ``[project]``, changed in place.
        """
        # In an unpacked sdist hatchling has taken the fields from there.
        if (Path(self.root) / "PKG-INFO").is_file():
            return
        repository, documentation = places(Path(self.root), self.config)
        if repository or documentation:
            metadata["urls"] = urls(repository, documentation)
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        readme = absolute(text, repository, documentation)
        metadata["readme"] = {"content-type": "text/markdown", "text": readme}


def places(root: Path, configured: Mapping[str, Any]) -> tuple[str, str]:
    """The addresses of the repository and of the site; empty where they are not known.

    Args:
        root: the folder of pyproject.toml.
        configured: the table ``[tool.hatch.metadata.hooks.custom]``.
    """
    repository = str(configured["repository"]).rstrip("/") or _origin(root)
    return repository, str(configured["documentation"]).rstrip("/")


def _origin(root: Path) -> str:
    """Where a clone came from, if that is GitHub. A folder in somebody else's repository is no clone of this one."""
    if not (root / ".git").exists():
        return ""
    command = ["git", "config", "--get", "remote.origin.url"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    except OSError:  # there is no git
        return ""
    found = _GITHUB.fullmatch(done.stdout.strip())
    return f"https://github.com/{found[1]}" if found else ""


def urls(repository: str, documentation: str) -> dict[str, str]:
    """The project's URLs, of those that exist; the lint leads from its findings to pages of ``Documentation``."""
    found = {"Documentation": documentation} if documentation else {}
    if repository:
        found["Source"] = repository
        found["Changelog"] = f"{repository}/blob/main/CHANGELOG.md"
        found["Issues"] = f"{repository}/issues"
    return found


def absolute(text: str, repository: str, documentation: str) -> str:
    """A page of Markdown whose links hold outside of the repository.

    Args:
        text: with links relative to the top of the repository.
        repository: its address, or nothing: then links are replaced by their words, and pictures are left out.
        documentation: the address of the site; pages of docs/ are linked there if there is one.
    """

    def link(found: re.Match[str]) -> str:
        words, path, anchor = found[1], found[2], found[3] or ""
        if documentation and path.startswith("docs/") and path.endswith(".md"):
            page = path.removeprefix("docs/").removesuffix(".md")
            return f"[{words}]({documentation}/{'index' if page == 'README' else page}.html{anchor})"
        return f"[{words}]({repository}/blob/main/{path}{anchor})" if repository else words

    def picture(found: re.Match[str]) -> str:
        return found[0].replace(found[2], f"{repository}/raw/main/{found[2]}") if repository else ""

    def badge(found: re.Match[str]) -> str:
        words, picture, target, rest = found.groups()
        return f"[![{words}]({repository}/{picture})]({repository}/{target}){rest}" if repository else ""

    return _LINK.sub(link, _PICTURE.sub(picture, _BADGE.sub(badge, text)))
