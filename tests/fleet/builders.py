"""Files as ``check_scripts --all --format json`` prints them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

TAKEN = "2026-11-20T03:00:00+00:00"
LONG_AGO = "2025-01-01T00:00:00+00:00"


def entry(script: str, state: str = "applied", version: str = "a", **facts: Any) -> dict[str, Any]:
    """One script; ``version`` is the one applied last, empty for none."""
    app, _, name = script.partition(".")
    applied = f"st1:{version * 64}" if version else None
    return {
        "script": script,
        "state": state,
        "needs_action": False,
        "path": f"{app}/management/commands/{name}.py",
        "help": "",
        "fingerprint": f"st1:{'a' * 64}",
        "requires": [],
        "applied_at": LONG_AGO if version else None,
        "applied_fingerprint": applied,
        "tags": [],
        "last_run": None,
        **facts,
    }


def document(*scripts: dict[str, Any], environment: str | None = None, **facts: Any) -> dict[str, Any]:
    """The document of one environment."""
    return {
        "version": 1,
        "counts": dict(Counter(one["state"] for one in scripts)),
        "needs_action": False,
        "scripts": list(scripts),
        "environment": environment,
        "taken_at": TAKEN,
        "revision": "0123456789abcdef0123456789abcdef01234567",
        "problems": [],
        **facts,
    }


def write(folder: Path, **environments: dict[str, Any]) -> list[str]:
    """Write a file for each environment; gives their paths."""
    paths = []
    for name, content in environments.items():
        path = folder / f"{name}.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        paths.append(str(path))
    return paths
