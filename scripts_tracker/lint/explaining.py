"""Show the documentation of the rules: as a list, of one rule, and as a page of Markdown.

``python -m scripts_tracker.lint.explaining > docs/rules.md`` writes the page.
"""

from __future__ import annotations

import inspect
import re
import sys
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import codes
from scripts_tracker.lint.rules import all_rules, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.lint.base import Rule

_REASON: Final = re.compile(r"^## Why is this bad\?\n(.+?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_FENCE: Final = "```"
_HEAD: Final = """\
# The rules of the lint

Generated from the docstrings of the rules: `python -m scripts_tracker.lint.explaining > docs/rules.md`.
A comment `# noqa: ST012` hides the findings with this code on its line. A rule "on request" is a hint: it is checked
only if its code or name is selected as such, for example by `--extend-select row-by-row-loop`.

| code | name | what is wrong | |
|---|---|---|---|
"""


class UnknownCodeError(Exception):
    """There is no rule with this code; the text is one line."""


def doc_of(rule: Rule) -> str:
    """The documentation of a rule, in Markdown."""
    return inspect.cleandoc(type(rule).__doc__ or "")


def summary_of(rule: Rule) -> str:
    """The first sentence of the documentation: what is wrong."""
    return doc_of(rule).partition("\n")[0]


def reason_of(rule: Rule) -> str:
    """Why it is bad, as one line."""
    match = _REASON.search(doc_of(rule))
    return " ".join((match[1] if match else summary_of(rule)).split())


def listed() -> str:
    """All rules, one per line."""
    rows = [(rule.code, name_of(rule), _mark(rule), summary_of(rule)) for rule in all_rules().values()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def explained(code: str) -> str:
    """The documentation of one rule.

    Raises:
        UnknownCodeError: no rule has the code.
    """
    rule = all_rules().get(code.upper())
    if rule is None:
        raise UnknownCodeError(f"unknown code {code!r}; see --list-rules")
    mark = f" ({_mark(rule)})" if _mark(rule) else ""
    return f"{rule.code} {name_of(rule)}{mark}\n\n{doc_of(rule)}"


def page() -> str:
    """The documentation of all rules, as a page of Markdown."""
    rules = all_rules().values()
    return _HEAD + "".join(map(_row, rules)) + "".join(map(_chapter, rules))


def _mark(rule: Rule) -> str:
    if rule.code in codes.ON_REQUEST:
        return "on request"
    return "fixable" if rule.is_fixable else ""


def _row(rule: Rule) -> str:
    name, summary = name_of(rule), summary_of(rule).replace("|", "\\|")
    return f"| [{rule.code}](#{rule.code.lower()}-{name}) | {name} | {summary} | {_mark(rule)} |\n"


def _chapter(rule: Rule) -> str:
    return "\n".join([f"\n## {rule.code} {name_of(rule)}\n", *_lowered(doc_of(rule)), ""])


def _lowered(doc: str) -> Iterator[str]:
    """The lines of a documentation with its headings one level lower, each followed by a blank line."""
    in_code = False
    for line in doc.split("\n"):
        in_code ^= line.startswith(_FENCE)
        is_heading = not in_code and line.startswith("## ")
        yield f"#{line}\n" if is_heading else line


if __name__ == "__main__":
    sys.stdout.buffer.write(page().encode())
