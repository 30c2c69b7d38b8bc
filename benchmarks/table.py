"""The figures as a table in Markdown, with the machine they were measured on."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

from benchmarks.tools import PREDECESSOR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.rows import Row
    from benchmarks.tools import Tool

_MET = {True: "yes", False: "**no**", None: ""}


def machine(tracker: Tool, predecessor: Tool | str) -> dict[str, str]:
    """What the figures depend on."""
    found = {
        "CPU": f"{_cpu()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Python": platform.python_version(),
        **{package: tracker.version_of(package) for package in ("scripts-tracker", "Django", "libcst")},
    }
    if isinstance(predecessor, str):
        return found | {PREDECESSOR: predecessor}
    return found | {PREDECESSOR: f"Django {predecessor.version_of('Django')}, Python {predecessor.version}"}


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            names = [line.partition(":")[2].strip() for line in stream if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def render(rows: Sequence[Row], described: dict[str, str]) -> str:
    """The table and what it means."""
    lines = [
        "| situation | what | against | ratio | target | met | ratio of CPU time |",
        "|---|---|---|---|---|---|---|",
        *(_line(row) for row in rows),
        "",
        "Overhead: the time above `manage.py diffsettings` in the same environment, that without the garbage collector's",
        "walks. Every ratio is of two things measured in turn in one run; each is its minimum over the rounds, by the",
        'clock unless the row says "one core" (CPU time).',
        "",
        *(f"- {name}: {value}" for name, value in described.items()),
    ]
    return "\n".join(lines)


def _line(row: Row) -> str:
    other = "" if row.other is None else f", {_figure(row.other, row.unit)}"
    cells = [
        row.group,
        f"{row.what}, {_figure(row.ours, row.unit)}",
        f"{row.against}{other}",
        "" if row.ratio is None else _ratio(row.ratio),
        "" if row.limit is None else f"≤ {_ratio(row.limit) if row.unit else _figure(row.limit, row.unit)}",
        _MET[row.met] if row.met is not None or row.limit is None else "not measured",
        "" if row.cpu is None else _ratio(row.cpu),
    ]
    return f"| {' | '.join(cells)} |"


def _figure(value: float, unit: str) -> str:
    if unit == "s":
        return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"
    return f"{value:.0f} {unit}".strip()


def _ratio(value: float) -> str:
    return f"1/{1 / value:.3g}" if 0 < value < 0.5 else f"{value:.3g}"
