"""The pictures of the documentation: ``make pictures``.

``docs/images/terminal.svg`` is what commands print in the demo shop, with their colours; test_docs.py compares its text with the demo.
``docs/images/admin*.png`` are pages of the admin in Chromium, of the project of the browser tests.
"""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
TERMINAL = IMAGES / "terminal.svg"

# In this order they stand in fixtures/run_demo.py.
COMMANDS = ("fix_totals --verbosity 0", "run_scripts fix_totals --plan", "run_scripts fix_totals")
# Page of the admin: the picture of tests/browser/test_admin_pages.py.
PAGES = {"admin.png": "of an app-light", "admin-script.png": "script-light"}

_COLOURS = {
    31: "#ff7b72",
    32: "#7ee787",
    33: "#e3b341",
    34: "#79c0ff",
    35: "#d2a8ff",
    36: "#76e3ea",
    37: "#f0f6fc",
}
_ESCAPE = re.compile(r"\x1b\[([\d;]*)m")
_WIDTH, _HEIGHT, _MARGIN = 8.43, 20, 16
_COLUMNS = 100


def lines_of(picture: str) -> list[str]:
    """The text of a picture that ``drawn`` made, with the lines as the terminal had them."""
    rows = re.findall(r"<text [^>]*?( data-goes-on=\"\")?>(.*?)</text>", picture)
    lines: list[str] = []
    for goes_on, row in rows:
        text = html.unescape(re.sub(r"<[^>]+>", "", row))
        if goes_on:
            lines[-1] += text
        else:
            lines.append(text)
    return lines


def drawn(text: str) -> str:
    """Output of a terminal with its escapes as an SVG; long lines are wrapped as a terminal wraps them."""
    rows = [
        (goes_on, row)
        for line in text.rstrip("\n").splitlines()
        for goes_on, row in enumerate(_wrapped(list(_styled(line))))
    ]
    width, height = round(_COLUMNS * _WIDTH + 2 * _MARGIN), len(rows) * _HEIGHT + 2 * _MARGIN
    drawn_rows = [
        f'<text x="{_MARGIN}" y="{_MARGIN + number * _HEIGHT + 14}"{" data-goes-on=" + chr(34) * 2 if goes_on else ""}>'
        f"{''.join(_span(style, piece) for style, piece in row)}</text>"
        for number, (goes_on, row) in enumerate(rows)
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img"'
        ' font-size="14" fill="#e6edf3" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace">'
    )
    title = "<title>scripts-tracker at a terminal</title><style>text{white-space:pre}</style>"
    ground = f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>'
    return "\n".join([head, title, ground, *drawn_rows, "</svg>\n"])


def _styled(line: str) -> Iterator[tuple[str, str]]:
    """The pieces of a line with the style of each."""
    if line.startswith("$ "):
        yield "font-weight:bold", line
        return
    style = ""
    for number, piece in enumerate(_ESCAPE.split(line)):
        if number % 2:
            codes = [int(code or 0) for code in piece.split(";")]
            colours = [f"fill:{_COLOURS[code]}" for code in codes if code in _COLOURS]
            style = ";".join([*colours, *(["font-weight:bold"] if 1 in codes else [])])
        elif piece:
            yield style, piece


def _wrapped(pieces: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    row: list[tuple[str, str]] = []
    room = _COLUMNS
    for style, text in pieces:
        rest = text
        while len(rest) > room:
            yield [*row, (style, rest[:room])]
            row, rest, room = [], rest[room:], _COLUMNS
        row.append((style, rest))
        room -= len(rest)
    yield row


def _span(style: str, piece: str) -> str:
    text = html.escape(piece, quote=False)
    return f'<tspan style="{style}">{text}</tspan>' if style else text


def terminal() -> str:
    """What the commands print in a fresh demo shop, with colours."""
    from tests.conftest import DEMO, ENVIRONMENT, PLAIN

    shown = []
    with tempfile.TemporaryDirectory() as folder:
        shop = Path(folder) / "shop"
        shutil.copytree(DEMO, shop, ignore=shutil.ignore_patterns("__pycache__", "*.sqlite3"))
        for command in ("migrate --verbosity 0", *COMMANDS):
            done = subprocess.run(
                [sys.executable, "manage.py", *command.split(), "--force-color"],
                cwd=shop,
                env={**ENVIRONMENT, **PLAIN, "DJANGO_SETTINGS_MODULE": "shop.settings"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                text=True,
                check=False,
            )
            if command in COMMANDS:
                shown.append(f"$ python manage.py {command}\n{done.stdout}")
    return "\n".join(shown)


def main() -> None:
    """Make all of them."""
    IMAGES.mkdir(exist_ok=True)
    TERMINAL.write_text(drawn(terminal()), encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        test = "tests/browser/test_admin_pages.py::test_every_page_fits_and_axe_finds_nothing_serious"
        tests = ("-q", "-p", "no:randomly", *(f"{test}[{name}]" for name in PAGES.values()))
        subprocess.run(
            [sys.executable, "-m", "pytest", *tests],
            cwd=IMAGES.parent.parent,
            env={**os.environ, "SCRIPTS_TRACKER_BROWSER": "required", "SCRIPTS_TRACKER_SCREENSHOTS": folder},
            check=True,
        )
        for picture, name in PAGES.items():
            shutil.copyfile(Path(folder) / f"{name}.png", IMAGES / picture)


if __name__ == "__main__":
    main()
