"""What is measured against what in each situation."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from benchmarks import batches, growth, linting, running
from benchmarks.measuring import BenchmarkError, Subject, own_memory_mib, run, side_by_side
from benchmarks.rows import Overhead, Row
from benchmarks.sites import ADMIN, EDITED, LARGER, forget_bytecode, forget_cache

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.measuring import Series
    from benchmarks.sites import Sites
    from benchmarks.tools import Tool

_INSIDE: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inside.py")
_FIFTEENTH: Final = 1 / 15


@dataclass(frozen=True, slots=True)
class Bench:
    """What the rows need.

    Attributes:
        predecessor: django-scripts-tracker, or why it cannot be measured.
        rounds: how often each side runs.
        folder: where projects are.
        table_rows: of the large table.
    """

    sites: Sites
    tracker: Tool
    predecessor: Tool | str
    rounds: int
    folder: str
    table_rows: int


def _inside(bench: Bench, what: str, root: str, **env_of_it: str) -> dict[str, Any]:
    env = bench.tracker.env(SCRIPTS_TRACKER_PROCESSES="1", **env_of_it)
    _, text = run(Subject([bench.tracker.python, _INSIDE, what, str(bench.rounds)], root, env))
    found: dict[str, Any] = json.loads(text.splitlines()[-1])
    return found


def _sides(
    bench: Bench, root: str, counts: tuple[int, int], *ours: str, before: Callable[[], None] | None = None
) -> dict[str, Subject]:
    """Floor and check of both tools in one project, which must find so many new and modified scripts."""
    expects = f"You have {counts[0]} new and {counts[1]} modified management scripts"
    us, them = bench.tracker, bench.predecessor
    subjects = {
        "floor": us.floor(root),
        "check": us.manage(root, "check_scripts", *ours, expects=expects, before=before),
    }
    if not isinstance(them, str):
        subjects["their floor"] = them.floor(root)
        subjects["their check"] = them.manage(root, "check_scripts", expects=expects)
    return subjects


def _against_predecessor(
    bench: Bench, group: str, what: str, series: Mapping[str, Series], limit: float
) -> Row:
    ours = Overhead.of(series, "check", "floor")
    if isinstance(bench.predecessor, str):
        return Row(group, what, f"django-scripts-tracker: {bench.predecessor}", ours.wall, None, limit)
    theirs = Overhead.of(series, "their check", "their floor")
    against = "overhead of django-scripts-tracker"
    return Row(group, what, against, ours.wall, theirs.wall, limit, cpu=ours.cpu / theirs.cpu)


def _against_cold_predecessor(group: str, series: Mapping[str, Series]) -> list[Row]:
    if "their cold check" not in series:
        return []
    ours = Overhead.of(series, "check", "floor")
    theirs = Overhead.of(series, "their cold check", "their floor")
    against = "the same of django-scripts-tracker, no bytecode of the commands either"
    what = "overhead of check_scripts"
    return [Row(group, what, against, ours.wall, theirs.wall, cpu=ours.cpu / theirs.cpu)]


def _libcst(bench: Bench, group: str, root: str) -> Row:
    subject = Subject(
        [bench.tracker.python, "-X", "importtime", "manage.py", "check_scripts"], root, bench.tracker.env()
    )
    _, text = run(subject)
    names = [line.rpartition("|")[2].strip() for line in text.splitlines() if line.startswith("import time:")]
    count = sum(name.partition(".")[0] == "libcst" for name in names)
    return Row(group, "modules of libcst that the check imports", "none", count, 0, 0, unit="")


def _scan(bench: Bench, group: str, root: str) -> list[Row]:
    inside = _inside(bench, "known", root)
    read, scan, bare = inside["read"], inside["scan"], inside["bare"]
    against = "reading the command files in the same process"
    return [
        Row(
            group, "scan() in process", against, scan["wall"], read["wall"], 3, cpu=scan["cpu"] / read["cpu"]
        ),
        Row(
            group,
            "scan() in process, no cache folder",
            against,
            bare["wall"],
            read["wall"],
            cpu=bare["cpu"] / read["cpu"],
        ),
    ]


def _memory(group: str, series: Mapping[str, Series]) -> Row:
    check, floor = series["check"].memory_mib, series["floor"].memory_mib
    if floor <= own_memory_mib():
        raise BenchmarkError("this process has grown larger than those whose memory it measures")
    return Row(
        group, "peak memory of check_scripts", "peak memory of diffsettings", check, floor, 1.5, unit="MiB"
    )


def nothing_new(bench: Bench) -> list[Row]:
    """All scripts are applied."""
    group, root = "nothing-new", bench.sites.applied
    series = side_by_side(_sides(bench, root, (0, 0)), bench.rounds)
    ours = Overhead.of(series, "check", "floor")
    scans = _scan(bench, group, root)
    checks = side_by_side(
        {"floor": bench.tracker.floor(root), "check": bench.tracker.manage(root, "check")}, bench.rounds
    )
    return [
        _against_predecessor(bench, group, "overhead of check_scripts", series, _FIFTEENTH),
        _libcst(bench, group, root),
        *scans,
        Row(group, "overhead of check_scripts", scans[0].against, ours.wall, scans[0].other),
        Row(group, "overhead of check_scripts", "overhead of manage.py check (Django's system checks)", ours.wall,
            Overhead.of(checks, "check", "floor").wall),
        _memory(group, series),
    ]  # fmt: skip


def edited(bench: Bench) -> list[Row]:
    """Some scripts were edited since they were applied."""
    sites = bench.sites
    series = side_by_side(_sides(bench, sites.edited, (0, EDITED), before=sites.restore_cache), bench.rounds)
    return [_against_predecessor(bench, "edited", "overhead of check_scripts", series, 1 / 5)]


def unseen(bench: Bench) -> list[Row]:
    """Nothing is known about any script, and no cache may help."""
    group, root = "unseen", bench.sites.unseen
    count = bench.sites.shape.tracked_count
    sides = _sides(bench, root, (count, 0), *_no_cache(bench, root), before=lambda: forget_cache(root))
    if "their check" in sides:
        # A file that was never checked has no bytecode either.
        sides["their cold check"] = replace(sides["their check"], before=lambda: forget_bytecode(root))
    series = side_by_side(sides, bench.rounds)
    inside = _inside(bench, "unseen", root)
    parse, scan = inside["parse"], inside["scan"]
    return [
        _against_predecessor(bench, group, "overhead of check_scripts", series, 1),
        *_against_cold_predecessor(group, series),
        Row(group, "scan() in process, one core", "libcst.parse_module on the tracked files", scan["cpu"],
            parse["cpu"], 1.2, by_cpu=True, cpu=scan["cpu"] / parse["cpu"]),
    ]  # fmt: skip


def warm_cache(bench: Bench) -> list[Row]:
    """Nothing is in the ledger, but an earlier check has left its cache."""
    group, root = "warm-cache", bench.sites.unseen
    forget_cache(root)
    series = side_by_side(_sides(bench, root, (bench.sites.shape.tracked_count, 0)), bench.rounds)
    return [
        _against_predecessor(bench, group, "overhead of check_scripts", series, _FIFTEENTH),
        _libcst(bench, group, root),
        *_scan(bench, group, root)[:1],
        _memory(group, series),
    ]


def more_commands(bench: Bench) -> list[Row]:
    """Ten times as many commands, nothing new."""
    sites = bench.sites
    many, few = _compared(bench, sites.large, sites.applied)
    what = f"overhead of check_scripts, {sites.larger_shape.commands:,} commands"
    against = f"the same, {sites.shape.commands:,} commands"
    return [Row("more-commands", what, against, many.wall, few.wall, LARGER * 1.1, cpu=many.cpu / few.cpu)]


def long_ledger(bench: Bench) -> list[Row]:
    """A very long history, nothing new."""
    group, sites = "long-ledger", bench.sites
    many, few = _compared(bench, sites.long_ledger, sites.short_ledger)
    stock = [_inside(bench, "stock", root)["stock"] for root in (sites.long_ledger, sites.short_ledger)]
    against = f"the same, a ledger of {sites.runs[0]:,} runs"
    runs = f"a ledger of {sites.runs[1]:,} runs"
    return [
        Row(group, f"overhead of check_scripts, {runs}", against, many.wall, few.wall, 1.5, cpu=many.cpu / few.cpu),
        Row(group, f"load_status() in process, {runs}", against, stock[0]["wall"], stock[1]["wall"], 1.5,
            cpu=stock[0]["cpu"] / stock[1]["cpu"]),
    ]  # fmt: skip


def lint_cold(bench: Bench) -> list[Row]:
    """The lint of files that were never checked, without a cache."""
    inside = _inside(bench, "lint", bench.sites.unseen)
    lint, parse = inside["lint"], inside["parse"]
    return [
        Row("lint-cold", "the lint in process, one core, no cache", "libcst.parse_module on the tracked files",
            lint["cpu"], parse["cpu"], 1.2, by_cpu=True, cpu=lint["cpu"] / parse["cpu"]),
    ]  # fmt: skip


def admin(bench: Bench) -> list[Row]:
    """Django's admin over a very long history."""
    sites = bench.sites
    inside = _inside(bench, "admin", sites.admin, DJANGO_SETTINGS_MODULE=ADMIN)
    empty = inside["empty"]
    found = f"{inside['scripts']:,} scripts, {sites.runs[1]:,} runs"
    against = "an empty list of the admin"
    rows = [
        Row("admin", f"{what}: {found}", against, inside[name]["wall"], empty["wall"],
            cpu=inside[name]["cpu"] / empty["cpu"])
        for name, what in (("list", "the list"), ("script", "one script"), ("runs", "the list of runs"), ("run", "one run"))
    ]  # fmt: skip
    more = inside["list"]["wall"] - empty["wall"]
    return [
        *rows,
        Row("admin", f"what the list takes more than an empty one: {found}", "300 ms", more, 0.3, 1),
        Row("admin", f"queries of the list: {found}", "an empty list of the admin", inside["queries"],
            inside["queries_empty"], unit=""),
    ]  # fmt: skip


GROUPS: Final[Mapping[str, Callable[[Bench], list[Row]]]] = {
    "nothing-new": nothing_new,
    "edited": edited,
    "unseen": unseen,
    "warm-cache": warm_cache,
    "more-commands": more_commands,
    "long-ledger": long_ledger,
    "lint": linting.hook,
    "lint-cold": lint_cold,
    "admin": admin,
    "run": running.one_command,
    "growth": growth.growth,
    "batches": batches.batches,
}
"""The groups of rows by name, in the order of the table."""


def _compared(bench: Bench, one: str, other: str) -> tuple[Overhead, Overhead]:
    """What our check takes in two projects where nothing is new, measured side by side."""
    expects = "You have 0 new and 0 modified management scripts"
    subjects = {}
    for root in (one, other):
        subjects[f"floor {root}"] = bench.tracker.floor(root)
        subjects[f"check {root}"] = bench.tracker.manage(root, "check_scripts", expects=expects)
    series = side_by_side(subjects, bench.rounds)
    first, second = (Overhead.of(series, f"check {root}", f"floor {root}") for root in (one, other))
    return first, second


def _no_cache(bench: Bench, root: str) -> tuple[str, ...]:
    _, text = run(bench.tracker.manage(root, "check_scripts", "--help"))
    return ("--no-cache",) if "--no-cache" in text else ()
