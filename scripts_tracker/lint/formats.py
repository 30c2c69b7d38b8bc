"""The output formats of the lint. Each gives text and never prints."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from scripts_tracker.analysis import codes
from scripts_tracker.core.escaping import escaped, escaped_json
from scripts_tracker.core.text import finding_to_json
from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Protocol

    from scripts_tracker.core.values import Finding, Place
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
    """What a format needs besides the findings.

    Attributes:
        colour: whether the text may have colours.
        width: to wrap at; None to not wrap.
        ends: the place behind what each finding is about, as far as it is known.
    """

    colour: bool = False
    width: int | None = None
    ends: Mapping[Finding, Place] = MappingProxyType({})


def render_text(findings: Sequence[Finding], canvas: LintCanvas) -> str:
    """For people, and for editors that follow ``path:line:column``: each finding with its hint, and the count."""
    lines = [line for finding in findings for line in _lines(finding, canvas)]
    return "\n".join([*lines, _summary(findings)])


def render_concise(findings: Sequence[Finding], canvas: LintCanvas) -> str:
    """A line for each finding, and the count."""
    return "\n".join([*(_first_line(finding, canvas) for finding in findings), _summary(findings)])


def _first_line(finding: Finding, canvas: LintCanvas) -> str:
    # Never wrapped: terminals turn it into a link, and people grep for it.
    place = _styled(str(finding.location), _BOLD, canvas)
    return f"{place}: {_styled(finding.code, _RED, canvas)} {escaped(finding.message)}"


def _lines(finding: Finding, canvas: LintCanvas) -> Iterator[str]:
    yield _first_line(finding, canvas)
    if finding.hint:
        first, *rest = _wrapped(escaped(finding.hint), canvas)
        yield _styled(_HELP, _CYAN, canvas) + first
        yield from (" " * len(_HELP) + line for line in rest)


def _wrapped(text: str, canvas: LintCanvas) -> list[str]:
    if canvas.width is None:
        return [text]
    width = max(canvas.width, _NARROWEST) - len(_HELP)
    from scripts_tracker.core.wrapping import wrapped_line  # at a terminal only

    return wrapped_line(text, width) or [text]


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
    return escaped_json(
        json.dumps({"version": 1, "findings": [finding_to_json(one) for one in findings]}, indent=2)
    )


def render_github(findings: Sequence[Finding], canvas: LintCanvas) -> str:
    """GitHub's workflow commands, which it shows beside the lines of a pull request; empty without findings."""
    return "\n".join(_command(finding, canvas.ends.get(finding)) for finding in findings)


def _command(finding: Finding, end: Place | None) -> str:
    where = finding.location
    message = f"{finding.message}\n{finding.hint}" if finding.hint else finding.message
    place = f"file={_property(where.path)},line={where.line},col={where.column}"
    if end is not None:
        place += f",endLine={end[0]},endColumn={end[1]}"
    return f"::error {place},title={_property(finding.code)}::{_data(message)}"


def _data(text: str) -> str:
    return escaped(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def render_gitlab(findings: Sequence[Finding], canvas: LintCanvas) -> str:
    """GitLab's Code Quality report: a JSON list, which a job hands on as ``artifacts:reports:codequality``."""
    digests = _identities(findings)
    return escaped_json(
        json.dumps(
            [
                {
                    "description": f"{one.code} {one.message}. {one.hint}".rstrip(),
                    "check_name": one.code,
                    "fingerprint": digest,
                    "severity": "major",
                    "location": {"path": one.location.path, "positions": _positions(one, canvas)},
                }
                for one, digest in zip(findings, digests, strict=True)
            ],
            indent=2,
        )
    )


def _positions(finding: Finding, canvas: LintCanvas) -> dict[str, dict[str, int]]:
    _, *start = finding.location
    end = canvas.ends.get(finding, start)
    return {
        name: {"line": line, "column": column} for name, (line, column) in (("begin", start), ("end", end))
    }


def render_junit(findings: Sequence[Finding], _canvas: LintCanvas) -> str:
    """JUnit's XML: a failed test for each finding, in a suite for each file; one passed test without findings."""
    from itertools import groupby

    suites = [_suite(path, list(each)) for path, each in groupby(findings, lambda one: one.location.path)]
    if not suites:
        case = '<testcase name="scripts-tracker-lint" classname="scripts-tracker-lint"/>'
        suites = [
            f'<testsuite name="scripts-tracker-lint" tests="1" failures="0" errors="0">{case}</testsuite>'
        ]
    count = len(findings)
    head = f'<testsuites name="scripts-tracker-lint" tests="{count or 1}" failures="{count}" errors="0">'
    return "\n".join(['<?xml version="1.0" encoding="utf-8"?>', head, *suites, "</testsuites>"])


def _suite(path: str, findings: Sequence[Finding]) -> str:
    count = len(findings)
    head = f'<testsuite name={_attribute(path)} tests="{count}" failures="{count}" errors="0">'
    return "\n".join([head, *map(_case, findings), "</testsuite>"])


def _case(finding: Finding) -> str:
    path, line, column = finding.location
    name = f'<testcase name="{finding.code}" classname={_attribute(path)} line="{line}" column="{column}">'
    text = f"{finding.location}: {finding.message}. {finding.hint}".rstrip()
    return f"{name}<failure message={_attribute(finding.message)}>{_xml(text)}</failure></testcase>"


def _attribute(text: str) -> str:
    from xml.sax.saxutils import quoteattr

    return quoteattr(escaped(text))


def _xml(text: str) -> str:
    from xml.sax.saxutils import escape

    return escape(escaped(text))


def render_sarif(findings: Sequence[Finding], canvas: LintCanvas) -> str:
    """SARIF 2.1.0 for code scanning services: one run of the tool, with the documentation of all rules."""
    from scripts_tracker.lint.rules import all_rules  # and libcst with them

    rules = all_rules()
    run = {
        "tool": {"driver": _driver(rules)},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The top of the repository."}}},
        "results": _results(findings, list(rules), canvas),
    }
    return escaped_json(json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2))


def _driver(rules: Mapping[str, Rule]) -> dict[str, Any]:
    from importlib import metadata

    try:
        version = {"version": metadata.version("scripts-tracker")}
        urls = metadata.metadata("scripts-tracker").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        version, urls = {}, []
    pages = dict(one.split(", ", 1) for one in urls).get("Documentation", "")
    described = [_rule(one, pages.rstrip("/")) for one in rules.values()]
    return {"name": "scripts-tracker-lint", **version, "rules": described}


def _rule(rule: Rule, pages: str) -> dict[str, Any]:
    """A rule with its documentation, and where that is on the web, if the package names a site."""
    from scripts_tracker.lint import explaining
    from scripts_tracker.lint.rules import name_of

    doc, name = explaining.doc_of(rule), name_of(rule)
    uri = {"helpUri": f"{pages}/rules.html#{rule.code.lower()}-{name}"} if pages else {}
    return {
        "id": rule.code,
        "name": name,
        **uri,
        "shortDescription": {"text": explaining.summary_of(rule)},
        "fullDescription": {"text": explaining.reason_of(rule)},
        "help": {"text": doc, "markdown": doc},
        "defaultConfiguration": {"level": _LEVEL},
    }


def _results(findings: Sequence[Finding], known: Sequence[str], canvas: LintCanvas) -> list[dict[str, Any]]:
    return [
        {
            "ruleId": finding.code,
            "ruleIndex": known.index(finding.code) if finding.code in known else -1,
            "level": _LEVEL,
            "message": {"text": f"{finding.message}. {finding.hint}".rstrip()},
            "locations": [{"physicalLocation": _place(finding, canvas)}],
            "partialFingerprints": {"scriptsTrackerLint/v1": digest},
            **_related(finding),
        }
        for finding, digest in zip(findings, _identities(findings), strict=True)
    ]


def _related(finding: Finding) -> dict[str, Any]:
    if finding.origin is None:
        return {}
    path, line, column = finding.origin
    region = {"startLine": line, "startColumn": column}
    return {
        "relatedLocations": [{"physicalLocation": {"artifactLocation": _artifact(path), "region": region}}]
    }


def _identities(findings: Sequence[Finding]) -> list[str]:
    """What services know each finding by: one that only moves to another line stays the same."""
    import hashlib
    from collections import Counter

    seen: Counter[str] = Counter()
    digests = []
    for finding in findings:
        identity = f"{finding.code} {finding.location.path} {finding.message}"
        seen[identity] += 1
        digests.append(hashlib.sha256(f"{identity} {seen[identity]}".encode("utf-8", "replace")).hexdigest())
    return digests


def _place(finding: Finding, canvas: LintCanvas) -> dict[str, Any]:
    where = finding.location
    region = {"startLine": where.line, "startColumn": where.column}
    if finding in canvas.ends:
        region["endLine"], region["endColumn"] = canvas.ends[finding]
    return {"artifactLocation": _artifact(where.path), "region": region}


def _artifact(path: str) -> dict[str, str]:
    from urllib.parse import quote

    quoted = quote(path, errors="replace")
    if path.startswith("/"):
        return {"uri": f"file://{quoted}"}
    if path[1:3] == ":/" and path[0].isalpha():  # a drive
        return {"uri": f"file:///{path[:2]}{quote(path[2:], errors='replace')}"}
    return {"uri": quoted, "uriBaseId": _ROOT}


def render_statistics(findings: Sequence[Finding], name: str) -> str:
    """How often each code was found, the most frequent first: as text, or as JSON for the format ``json``."""
    from collections import Counter

    counts = Counter(finding.code for finding in findings)
    rows = [
        {"code": code, "name": codes.NAMES[code], "count": count}
        for code, count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    ]
    if name == "json":
        return json.dumps(rows, indent=2)
    width = len(str(max(counts.values(), default=0)))
    lines = [f"{row['count']:>{width}}  {row['code']}  {row['name']}" for row in rows]
    return "\n".join([*lines, _summary(findings)])


class Format(NamedTuple):
    """A format: how to render it, and where its paths start.

    Attributes:
        render: gives the text.
        base: "here" for the current folder, "top" for the top of the repository, "root" for the project root.
        shows_ends: whether it shows where things end.
    """

    render: Render
    base: str
    shows_ends: bool = False


FORMATS: Final[Mapping[str, Format]] = {
    "text": Format(render_text, "here"),
    "concise": Format(render_concise, "here"),
    "github": Format(render_github, "top", shows_ends=True),
    "gitlab": Format(render_gitlab, "top", shows_ends=True),
    "json": Format(render_json, "root"),
    "junit": Format(render_junit, "here"),
    "sarif": Format(render_sarif, "top", shows_ends=True),
}
"""Every format by its name, as ``--format`` takes it."""
