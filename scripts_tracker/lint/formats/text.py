"""``--format text``: for people, and for editors that follow ``path:line:column``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scripts_tracker.lint.formats._escapes import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts_tracker.core.values import Finding
    from scripts_tracker.lint.formats import LintCanvas

_BOLD: Final = "1"
_RED: Final = "1;31"
_CYAN: Final = "36"
_HELP: Final = "    help: "
_NARROWEST: Final = 40


def render(findings: Sequence[Finding], canvas: LintCanvas) -> str:
    """Each finding with its hint below it, and how many there are."""
    lines = [line for finding in findings for line in _lines(finding, canvas)]
    return "\n".join([*lines, _summary(findings)])


def _lines(finding: Finding, canvas: LintCanvas) -> Iterator[str]:
    # Never wrapped: terminals make links of it, and people grep for it.
    place = _styled(visible(str(finding.location)), _BOLD, canvas)
    yield f"{place}: {_styled(finding.code, _RED, canvas)} {visible(finding.message)}"
    if finding.hint:
        first, *rest = _wrapped(visible(finding.hint), canvas)
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
