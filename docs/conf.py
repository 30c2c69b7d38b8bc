"""How Sphinx makes a site of these pages: ``make docs``.

The pages are written for GitHub as well, so they hold no directives. README.md lists them; its lists become the navigation.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found,unused-ignore]

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))
from hatch_build import places  # noqa: E402 - it stands beside pyproject.toml

_ABOUT = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))
_REPOSITORY, _SITE = places(DOCS.parent, _ABOUT["tool"]["hatch"]["metadata"]["hooks"]["custom"])
_GITHUB = "https://github.com/"

project = "scripts-tracker"
author = "The scripts-tracker authors"
copyright = "2026, the scripts-tracker authors"
release = version = _ABOUT["project"]["version"]

extensions = ["myst_parser"]
exclude_patterns = ["_build", "README.md"]
myst_heading_anchors = 4
# [text](page.md#heading) is the one kind of link here: what leads nowhere is an error.
myst_links_external_new_tab = False
nitpicky = True

html_theme = "furo"
# Search engines find the pages there, not those of every version. Read the Docs knows its own address.
html_baseurl = os.environ.get("READTHEDOCS_CANONICAL_URL", f"{_SITE}/" if _SITE else "")
html_title = f"scripts-tracker {release}"
html_extra_path = ["schemas"]
html_copy_source = False
html_theme_options = {
    # Links to view and edit a page; furo knows how those of this host are made.
    **({"source_repository": _REPOSITORY} if _REPOSITORY.startswith(_GITHUB) else {}),
    "source_branch": "main",
    "source_directory": "docs/",
}
# Pages that hosts refuse to programs, or that need an account.
linkcheck_ignore = [r"https?://(localhost|127\.0\.0\.1|example\.|[\w.]+\.example)"]
linkcheck_anchors = False

# Pages that stand elsewhere in the repository; in docs/ there is a page that links to them.
_ELSEWHERE = {
    "changelog": "CHANGELOG.md",
    "contributing": "CONTRIBUTING.md",
    "security-policy": "SECURITY.md",
}


def navigation(text: str) -> str:
    """The lists of README.md, and for each of its sections a toctree with the pages that it links to first."""
    lists = text.partition("\n")[2]
    trees = []
    for section in re.split(r"^## ", lists, flags=re.MULTILINE)[1:]:
        caption, _, rest = section.partition("\n")
        pages = dict.fromkeys(re.findall(r"\]\(([\w-]+)\.md\)", rest))
        trees.append("\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```"]))
    return lists + "\n\n" + "\n\n".join(trees) + "\n"


def read(app: Sphinx, name: str, source: list[str]) -> None:
    """Fill in what stands elsewhere, and lead links there to the page that it has here, or to the repository if that is known."""
    text = source[0]
    if name in _ELSEWHERE or name == "index":
        # What the page is made of; otherwise Sphinx would not see that it changed.
        app.env.note_dependency(str(DOCS.parent / _ELSEWHERE.get(name, "docs/README.md")))
    if name in _ELSEWHERE:
        text = (DOCS.parent / _ELSEWHERE[name]).read_text(encoding="utf-8")
        text = re.sub(r"\]\((?!https?://|#)(?!docs/)", "](../", text).replace("](docs/", "](")
        # What the host of the repository makes, relative to a file on its main branch.
        text = re.sub(
            r"(?m)^(\[[^\]]+\]: )\.\./\.\./(.*\n)", rf"\1{_REPOSITORY}/\2" if _REPOSITORY else "", text
        )
    if name == "index":
        text += navigation((DOCS / "README.md").read_text(encoding="utf-8"))
    for page, file in {**_ELSEWHERE, "index": "README.md"}.items():
        text = text.replace(f"](../{file}", f"]({page}.md")
    text = text.replace("](README.md)", "](index.md)")
    if _REPOSITORY.startswith(_GITHUB):
        text = text.replace("OWNER/scripts-tracker", _REPOSITORY.removeprefix(_GITHUB))
    source[0] = re.sub(
        r"\[([^\]]+)\]\(\.\./([^)]+)\)", rf"[\1]({_REPOSITORY}/blob/main/\2)" if _REPOSITORY else r"\1", text
    )


def setup(app: Sphinx) -> None:
    """Connect."""
    app.connect("source-read", read)
