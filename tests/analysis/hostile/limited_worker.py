"""Runs each job in a process of its own, under limits of time and memory and on a small stack.

The processes are forked from one that has imported libcst, so that a job costs milliseconds.

Reads a job a line from standard input, as JSON, and answers with a line.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from scripts_tracker.analysis.facts.extraction import extract
from scripts_tracker.analysis.linking import linker  # noqa: F401 - while their files may be read
from scripts_tracker.core.values import Finding
from scripts_tracker.exceptions import UnreadableSource
from scripts_tracker.lint.rules import all_rules
from tests.analysis.hostile.limited import CPU_SECONDS, MEBIBYTES
from tests.analysis.project_cases import index_of
from tests.lint.rule_cases import linted
from tests.waiting import PATIENCE

all_rules()
# As late as it can be, and too late for whoever steps down.
importlib.import_module("libcst.native")

SMALL_STACK = 1 << 19
NOBODY = "nobody"
NOBODY_ID = 65534


def _read(source: str) -> dict[str, Any]:
    try:
        facts = extract(source.encode("latin-1"))
    except UnreadableSource as error:
        return {"line": error.line, "column": error.column, "reason": error.reason}
    facts.to_text()
    return {}


def _analyse(root: str) -> dict[str, Any]:
    index = index_of(Path(root))
    return {
        "definitions": {one.id.dotted: str(one.fingerprint or "") for one in index.definitions},
        "findings": [_finding_to_list(one) for one in index.findings],
    }


def _finding_to_list(one: Finding) -> list[Any]:
    return [one.location.path, one.location.line, one.location.column, one.code, one.message, one.hint]


def _lint(root: str) -> dict[str, Any]:
    index = linted(Path(root))
    return {
        "definitions": {one.id.dotted: str(one.fingerprint or "") for one in index.definitions},
        "findings": [_finding_to_list(one) for one in index.findings],
    }


WORK = {"read": _read, "analyse": _analyse, "lint": _lint}


def _in_child(job: dict[str, str], writer: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEBIBYTES << 20, MEBIBYTES << 20))
    signal.alarm(PATIENCE)
    if job.get("user") == NOBODY:
        os.setuid(NOBODY_ID)
    threading.stack_size(SMALL_STACK)
    found: list[dict[str, Any]] = []
    worker = threading.Thread(target=lambda: found.append(_outcome(job)))
    worker.start()
    worker.join()
    with os.fdopen(writer, "w") as stream:
        stream.write(json.dumps(found[0]))


def _outcome(job: dict[str, str]) -> dict[str, Any]:
    try:
        return WORK[job["work"]](job["argument"])
    except BaseException as error:  # noqa: BLE001 - whatever comes out is what the test asks for
        return {"crash": f"{type(error).__name__}: {error}"[:500]}


def _answer(job: dict[str, str]) -> dict[str, Any]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _in_child(job, writer)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        text = stream.read()
    _, status, usage = os.wait4(child, 0)
    answer: dict[str, Any] = json.loads(text) if text else {"crash": "no answer"}
    if os.WIFSIGNALED(status):
        answer = {"crash": f"killed by {signal.Signals(os.WTERMSIG(status)).name}"}
    return {"cpu": usage.ru_utime + usage.ru_stime, "mebibytes": usage.ru_maxrss / 1024, **answer}


def main() -> None:
    """Answer until the questions end."""
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
