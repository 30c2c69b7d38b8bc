"""Metadata that depends on where the project lives: ``[project.urls]`` and the links of the README on PyPI.

The addresses stand once, in ``[tool.hatch.metadata.hooks.custom]`` of pyproject.toml. As long as they are empty, the
package has no URLs, and the README on PyPI has the names of the files in place of links.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?://|#)([^)#\s]+)(#[^)\s]*)?\)")
_PICTURE = re.compile(r"!\[([^\]]*)\]\((?!https?://)([^)\s]+)\)\n*")


class MetadataHook(MetadataHookInterface):
    """What hatchling calls when it reads the metadata."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the URLs and the README.

        Args:
            metadata: the table ``[project]``, changed in place.
        """
        repository = str(self.config["repository"]).rstrip("/")
        documentation = str(self.config["documentation"]).rstrip("/")
        if repository or documentation:
            metadata["urls"] = urls(repository, documentation)
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        readme = absolute(text, repository, documentation)
        metadata["readme"] = {"content-type": "text/markdown", "text": readme}


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

    return _LINK.sub(link, _PICTURE.sub(picture, text))
