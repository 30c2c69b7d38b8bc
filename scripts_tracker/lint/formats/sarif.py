"""``--format sarif``: SARIF 2.1.0, which code scanning services take in."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from scripts_tracker.lint import explaining
from scripts_tracker.lint.rules import all_rules, name_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts_tracker.core.values import Finding
    from scripts_tracker.lint.base import Rule
    from scripts_tracker.lint.formats import LintCanvas

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_ROOT: Final = "%SRCROOT%"
_LEVEL: Final = "error"
_DRIVE: Final = re.compile(r"[A-Za-z]:/")


def render(findings: Sequence[Finding], canvas: LintCanvas) -> str:  # noqa: ARG001 - every format has the same shape
    """The findings as one run of the tool, with the documentation of all rules."""
    run = {
        "tool": {"driver": _driver()},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The root of the project."}}},
        "results": _results(findings),
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _driver() -> dict[str, Any]:
    try:
        version = {"version": metadata.version("scripts-tracker")}
    except metadata.PackageNotFoundError:
        version = {}
    return {"name": "scripts-tracker-lint", **version, "rules": [_rule(one) for one in all_rules().values()]}


def _rule(rule: Rule) -> dict[str, Any]:
    doc = explaining.doc_of(rule)
    return {
        "id": rule.code,
        "name": name_of(rule),
        "shortDescription": {"text": explaining.summary_of(rule)},
        "fullDescription": {"text": explaining.reason_of(rule)},
        "help": {"text": doc, "markdown": doc},
        "defaultConfiguration": {"level": _LEVEL},
    }


def _results(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    index = {code: number for number, code in enumerate(all_rules())}
    seen: Counter[str] = Counter()
    results = []
    for finding in findings:
        # Without the line, so that a finding which only moves stays the same to those who keep track of it.
        identity = f"{finding.code} {finding.location.path} {finding.message}"
        seen[identity] += 1
        results.append(
            {
                "ruleId": finding.code,
                "ruleIndex": index.get(finding.code, -1),
                "level": _LEVEL,
                "message": {"text": f"{finding.message}. {finding.hint}".rstrip()},
                "locations": [{"physicalLocation": _place(finding)}],
                "partialFingerprints": {"scriptsTrackerLint/v1": _digest(f"{identity} {seen[identity]}")},
            }
        )
    return results


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _place(finding: Finding) -> dict[str, Any]:
    where = finding.location
    return {
        "artifactLocation": _artifact(where.path),
        "region": {"startLine": where.line, "startColumn": where.column},
    }


def _artifact(path: str) -> dict[str, str]:
    quoted = quote(path, errors="replace")
    if path.startswith("/"):
        return {"uri": f"file://{quoted}"}
    if _DRIVE.match(path):
        return {"uri": f"file:///{path[:2]}{quote(path[2:], errors='replace')}"}
    return {"uri": quoted, "uriBaseId": _ROOT}
