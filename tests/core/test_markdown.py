"""Text of strangers in a comment on a pull request: it stays text."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt

from scripts_tracker.core.markdown import block, code, details, text

RENDERER = MarkdownIt("commonmark").enable("table")
MENTION = re.compile(r"[@#!~%$^&](?=[\w\"'\[])")

HOSTILE = {
    "a mention": "thanks @octocat and @org/team",
    "an issue": "see #12, GH-3 and a/b#4, !5 ~bug %9 $7 &8",
    "emphasis": "**bold** _under_ ~~gone~~ *a*",
    "a link": "[click](http://evil.example) ![x](http://evil.example/x.png)",
    "html": "<img src=x onerror=alert(1)> <!-- --> </details> <script>",
    "an entity": "&lt;b&gt; &#64;octocat",
    "backticks": "`code` ``more`` ```",
    "a backtick": "`",
    "pipes": "a|b||c",
    "backslashes": "a\\*b\\\\|",
    "a heading": "# title",
    "a quote": "> quote",
    "a list": "- one",
    "a number": "1. one",
    "a command of GitLab": "/close",
    "a table": "a | b\n--- | ---\n1 | 2",
    "lines": "one\n\n# two\r\n/approve",
    "controls": "a\x1b[31mb\x00c\u202ed\u2028e",
    "a rule": "---",
    "an autolink": "<http://evil.example>",
    "nothing": "",
    "spaces": "   ",
    "long": "x*" * 5000,
}


def plain(html: str) -> str:
    import html as entities

    return entities.unescape(re.sub(r"<[^>]*>", "", html)).replace("\u200b", "")


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_a_text_is_one_paragraph_without_markup_and_mentions_nobody(hostile: str) -> None:
    made = text(hostile)
    assert "\n" not in made
    rendered = RENDERER.render(f"> {made}")
    assert set(re.findall(r"<(/?\w+)", rendered)) <= {"blockquote", "/blockquote", "p", "/p"}
    import html

    assert not MENTION.search(html.unescape(re.sub(r"<[^>]*>", "", rendered)).replace("\n", " "))
    expected = "".join(hostile.split()).replace("\0", "^@")
    if expected.isprintable() and len(hostile) < 300:
        assert "".join(plain(rendered).split()) == expected


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_code_in_a_line_and_in_a_table_is_code_and_nothing_else(hostile: str) -> None:
    rendered = RENDERER.render(f"- {code(hostile)} end")
    assert re.fullmatch(r"<ul>\n<li><code>[^<]*</code> end</li>\n</ul>\n", rendered), rendered
    table = RENDERER.render(f"| a | b |\n|---|---|\n| {code(hostile, in_table=True)} | end |\n")
    (cells,) = re.findall(r"<tbody>(.*)</tbody>", table, re.DOTALL)
    assert re.findall(r"<td>(.*?)</td>", cells, re.DOTALL)[1] == "end"
    assert cells.count("<td>") == cells.count("<code>") + 1 == 2


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_a_block_of_code_ends_where_it_ends(hostile: str) -> None:
    rendered = RENDERER.render(f"{details('more', block([*hostile.splitlines(), 'last'], 'diff'))}\n\nafter")
    assert re.fullmatch(
        r"<details>\n<summary>more</summary>\n<pre><code class=\"language-diff\">[^<]*last\n</code></pre>\n</details>\n<p>after</p>\n",
        rendered,
    ), rendered
