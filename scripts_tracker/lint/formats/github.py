"""``--format github``: workflow commands, which GitHub shows beside the lines of a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts_tracker.lint.formats._escapes import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts_tracker.core.values import Finding
    from scripts_tracker.lint.formats import LintCanvas


def render(findings: Sequence[Finding], canvas: LintCanvas) -> str:  # noqa: ARG001 - every format has the same shape
    """One command a line; empty where nothing is wrong."""
    return "\n".join(map(_command, findings))


def _command(finding: Finding) -> str:
    where = finding.location
    message = f"{finding.message}\n{finding.hint}" if finding.hint else finding.message
    place = f"file={_property(where.path)},line={where.line},col={where.column}"
    return f"::error {place},title={_property(finding.code)}::{_data(message)}"


def _data(text: str) -> str:
    return visible(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
