"""Text made harmless for a terminal and a log."""

from __future__ import annotations

import json

import pytest

from scripts_tracker.core.escaping import escaped, escaped_json, escaped_lines
from scripts_tracker.core.values import Location, ScriptId

HARMLESS = [
    "",
    "plain",
    "Größe 家 🙂",
    "a\tb",
    "a::b",
    "Model::method ends it",
    "# a",
    "## Heading [link]",
    "#[x]",
]
HARMFUL = {
    "\x1b[2J": "^[[2J",
    "a\nb\r\x00": "a^Jb^M^@",
    "\x7f\x9b31m": "<U+007F><U+009B>31m",
    "\u202eleft\u2066\u200b\ufeff": "<U+202E>left<U+2066><U+200B><U+FEFF>",
    "a\u2028b\x85c": "a<U+2028>b<U+0085>c",
    "\ud800 half a character": "<U+D800> half a character",
    "::error::x": "<U+003A>:error::x",
    "  ::stop-commands::x": "  <U+003A>:stop-commands::x",
    "##[group]x": "#<U+0023>[group]x",
    "so ##vso[task.setvariable variable=x]y": "so #<U+0023>vso[task.setvariable variable=x]y",
    "###teamcity[x]": "##<U+0023>teamcity[x]",
}


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_text_stays(text: str) -> None:
    assert escaped(text) == text


@pytest.mark.parametrize(("text", "shown"), HARMFUL.items(), ids=map(repr, HARMFUL))
def test_what_controls_hides_or_commands_is_visible_instead(text: str, shown: str) -> None:
    assert escaped(text) == shown
    assert escaped(shown) == shown, "once is enough"


def test_every_line_of_a_text_is_made_harmless() -> None:
    assert escaped_lines("a\r\n::b::c\n\x1b") == "a^M\n<U+003A>:b::c\n^["


@pytest.mark.parametrize("text", [*HARMLESS, *HARMFUL], ids=repr)
def test_a_json_document_holds_the_same_after_it(text: str) -> None:
    document = json.dumps({text: [text]}, ensure_ascii=False, indent=1)
    shown = escaped_json(document)
    assert json.loads(shown) == {text: [text]}
    assert shown.replace("\n", "").isprintable()
    assert "##vso[" not in shown


def test_names_and_places_are_harmless_as_text_and_exact_as_values() -> None:
    script = ScriptId("shop", "a\nb\x1b")
    assert (str(script), script.dotted) == ("shop.a^Jb^[", "shop.a\nb\x1b")
    assert str(Location("::error::x/a\n.py", 2, 3)) == "<U+003A>:error::x/a^J.py:2:3"
