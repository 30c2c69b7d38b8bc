"""The output formats of the lint: text, JSON, GitHub's annotations, SARIF. Each gives text and never prints."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from scripts_tracker.core.text import escaped, finding_to_json
from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Protocol

    from scripts_tracker.core.values import Finding
    from scripts_tracker.lint.base import Rule

    class Render(Protocol):
        """Turns findings into text."""

        def __call__(self, findings: Sequence[Finding], canvas: LintCanvas, /) -> str: ...  # noqa: D102 - as the class


_BOLD: Final = "1"
_RED: Final = "1;31"
_CYAN: Final = "36"
_HELP: Final = "    help: "
_NARROWEST: Final = 40
_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_ROOT: Final = "%SRCROOT%"
_LEVEL: Final = "error"


class LintCanvas(NamedTuple):
    """Where the text goes: whether it takes colours, and the width to wrap at (None: do not wrap)."""

    colour: bool = False
    width: int | None = None


def render_text(findings: Sequence[Finding], canvas: LintCanvas) -> str:
    """For people, and for editors that follow ``path:line:column``: each finding with its hint, and the count."""
    lines = [line for finding in findings for line in _lines(finding, canvas)]
    return "\n".join([*lines, _summary(findings)])


def _lines(finding: Finding, canvas: LintCanvas) -> Iterator[str]:
    # Never wrapped: terminals turn it into a link, and people grep for it.
    place = _styled(escaped(str(finding.location)), _BOLD, canvas)
    yield f"{place}: {_styled(finding.code, _RED, canvas)} {escaped(finding.message)}"
    if finding.hint:
        first, *rest = _wrapped(escaped(finding.hint), canvas)
        yield _styled(_HELP, _CYAN, canvas) + first
        yield from (" " * len(_HELP) + line for line in rest)


def _wrapped(text: str, canvas: LintCanvas) -> list[str]:
    if canvas.width is None:
        return [text]
    width = max(canvas.width, _NARROWEST) - len(_HELP)
    import textwrap  # at a terminal only

    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [text]


def _summary(findings: Sequence[Finding]) -> str:
    if not findings:
        return "All checks passed."
    count, fixable = len(findings), sum(finding.fixable for finding in findings)
    problems = "1 problem" if count == 1 else f"{count} problems"
    return f"Found {problems} ({fixable} fixable with --fix)." if fixable else f"Found {problems}."


def _styled(text: str, style: str, canvas: LintCanvas) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if canvas.colour else text


def render_json(findings: Sequence[Finding], _canvas: LintCanvas) -> str:
    """Version 1 of the contract, as one document in ASCII, which every stream can take."""
    return json.dumps({"version": 1, "findings": [finding_to_json(one) for one in findings]}, indent=2)


def render_github(findings: Sequence[Finding], _canvas: LintCanvas) -> str:
    """GitHub's workflow commands, which it shows beside the lines of a pull request; empty without findings."""
    return "\n".join(map(_command, findings))


def _command(finding: Finding) -> str:
    where = finding.location
    message = f"{finding.message}\n{finding.hint}" if finding.hint else finding.message
    place = f"file={_property(where.path)},line={where.line},col={where.column}"
    return f"::error {place},title={_property(finding.code)}::{_data(message)}"


def _data(text: str) -> str:
    return escaped(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def render_sarif(findings: Sequence[Finding], _canvas: LintCanvas) -> str:
    """SARIF 2.1.0 for code scanning services: one run of the tool, with the documentation of all rules."""
    from scripts_tracker.lint.rules import all_rules  # and libcst with them

    rules = all_rules()
    run = {
        "tool": {"driver": _driver(rules)},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The root of the project."}}},
        "results": _results(findings, list(rules)),
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _driver(rules: Mapping[str, Rule]) -> dict[str, Any]:
    from importlib import metadata

    try:
        version = {"version": metadata.version("scripts-tracker")}
    except metadata.PackageNotFoundError:
        version = {}
    return {"name": "scripts-tracker-lint", **version, "rules": [_rule(one) for one in rules.values()]}


def _rule(rule: Rule) -> dict[str, Any]:
    from scripts_tracker.lint import explaining
    from scripts_tracker.lint.rules import name_of

    doc = explaining.doc_of(rule)
    return {
        "id": rule.code,
        "name": name_of(rule),
        "shortDescription": {"text": explaining.summary_of(rule)},
        "fullDescription": {"text": explaining.reason_of(rule)},
        "help": {"text": doc, "markdown": doc},
        "defaultConfiguration": {"level": _LEVEL},
    }


def _results(findings: Sequence[Finding], codes: Sequence[str]) -> list[dict[str, Any]]:
    import hashlib
    from collections import Counter

    seen: Counter[str] = Counter()
    results = []
    for finding in findings:
        # Without the line: a finding that only moves stays the same for services that keep track of it.
        identity = f"{finding.code} {finding.location.path} {finding.message}"
        seen[identity] += 1
        digest = hashlib.sha256(f"{identity} {seen[identity]}".encode("utf-8", "replace")).hexdigest()
        results.append(
            {
                "ruleId": finding.code,
                "ruleIndex": codes.index(finding.code) if finding.code in codes else -1,
                "level": _LEVEL,
                "message": {"text": f"{finding.message}. {finding.hint}".rstrip()},
                "locations": [{"physicalLocation": _place(finding)}],
                "partialFingerprints": {"scriptsTrackerLint/v1": digest},
            }
        )
    return results


def _place(finding: Finding) -> dict[str, Any]:
    where = finding.location
    return {
        "artifactLocation": _artifact(where.path),
        "region": {"startLine": where.line, "startColumn": where.column},
    }


def _artifact(path: str) -> dict[str, str]:
    from urllib.parse import quote

    quoted = quote(path, errors="replace")
    if path.startswith("/"):
        return {"uri": f"file://{quoted}"}
    if path[1:3] == ":/" and path[0].isalpha():  # a drive
        return {"uri": f"file:///{path[:2]}{quote(path[2:], errors='replace')}"}
    return {"uri": quoted, "uriBaseId": _ROOT}


FORMATS: Final[Mapping[str, Render]] = {
    "text": render_text,
    "github": render_github,
    "json": render_json,
    "sarif": render_sarif,
}
"""Every format by its name, as ``--format`` takes it."""
