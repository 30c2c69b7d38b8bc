"""``python -m benchmarks``: measure, and print one table."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from benchmarks import table, tools
from benchmarks.groups import GROUPS, Bench
from benchmarks.measuring import BenchmarkError
from benchmarks.projects import Shape
from benchmarks.sites import Sites

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.rows import Row


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rows", nargs="+", choices=list(GROUPS), default=list(GROUPS), help="default: all")
    parser.add_argument("--rounds", type=int, default=7, help="how often each side runs (default: 7)")
    parser.add_argument("--commands", type=int, default=1_000, help="of the usual project (default: 1000)")
    parser.add_argument("--tracked", type=float, default=0.4, help="the share that is tracked (default: 0.4)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, nargs=2, default=(1_000, 1_000_000), metavar=("SHORT", "LONG"))
    parser.add_argument(
        "--table-rows", type=int, default=10_000_000, help="of a large table (default: 10000000)"
    )
    parser.add_argument(
        "--folder", help="keep the projects here (empty or missing); default: a temporary folder"
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures here as well")
    return parser.parse_args(argv)


def _bench(options: argparse.Namespace, folder: str) -> Bench:
    tracker = tools.tracker()
    them: tools.Tool | str
    try:
        them = tools.predecessor(folder) if options.rows != ["batches"] else "not needed"
    except tools.UnavailableError as error:
        them = str(error)
    present = [tracker] if isinstance(them, str) else [tracker, them]
    shape = Shape(options.commands, options.tracked, options.seed)
    sites = Sites(folder, shape, present, tuple(options.runs))
    return Bench(sites, tracker, them, options.rounds, folder, options.table_rows)


def _measure(bench: Bench, names: Sequence[str]) -> tuple[list[Row], list[str]]:
    """The rows, and what went wrong; one group's trouble does not cost the others."""
    rows: list[Row] = []
    troubles = []
    for name in names:
        started = time.monotonic()
        try:
            rows += GROUPS[name](bench)
        except BenchmarkError as error:
            troubles.append(f"{name}: {error}")
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return rows, troubles


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns 1 where a target is missed or something could not be measured."""
    options = _arguments(argv)
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as temporary:
        folder = os.path.abspath(options.folder) if options.folder else temporary
        os.makedirs(folder, exist_ok=True)
        bench = _bench(options, folder)
        machine = table.machine(bench.tracker, bench.predecessor)
        rows, troubles = _measure(bench, options.rows)
    print(table.render(rows, machine))
    for trouble in troubles:
        print(f"not measured: {trouble}", file=sys.stderr)
    if options.json:
        found = [{**asdict(row), "ratio": row.ratio, "met": row.met} for row in rows]
        with open(options.json, "w", encoding="utf-8") as stream:
            json.dump({"machine": machine, "rows": found, "not_measured": troubles}, stream, indent=2)
    return 1 if troubles or any(row.met is False for row in rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
