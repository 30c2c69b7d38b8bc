"""``--format json``: version 1 of what other programs read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from scripts_tracker.core.text import finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts_tracker.core.values import Finding
    from scripts_tracker.lint.formats import LintCanvas


def render(findings: Sequence[Finding], canvas: LintCanvas) -> str:  # noqa: ARG001 - every format has the same shape
    """The findings as one JSON document, in ASCII, which every stream can take."""
    return json.dumps({"version": 1, "findings": [finding(one) for one in findings]}, indent=2)
