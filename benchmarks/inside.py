"""Measurements within one process, run as a script in a project's folder: prints JSON.

A file on its own, so that sys.path is what manage.py would make it.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scripts_tracker.core.values import ProjectIndex


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def _in_turn(works: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Any]:
    """The least of each, as ``{name: {"wall": s, "cpu": s}}``; the first round warms up."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            cost = _timed(work)
            if number:
                found[name].append(cost)
    return {
        name: {"wall": min(wall for wall, _ in costs), "cpu": min(cpu for _, cpu in costs)}
        for name, costs in found.items()
    }


def _read(paths: list[str]) -> list[bytes]:
    contents = []
    for path in paths:
        with open(path, "rb") as stream:
            contents.append(stream.read())
    return contents


def _for_each(work: Callable[[str], object], texts: list[str]) -> None:
    """Not a list: keeping all results would keep the garbage collector busy, and flatter what is compared with it."""
    for text in texts:
        work(text)


def _checked() -> ProjectIndex:
    """A scan as check_scripts has it, each with the cache as it is on disk."""
    from scripts_tracker.project import scan

    return scan.scan(scan.cache(more=_known))


def _known() -> dict[str, str]:
    """The facts in the ledger, by the keys of the cache."""
    from scripts_tracker.analysis.store.cache import FACTS, key_of
    from scripts_tracker.ledger import queries

    return {key_of(FACTS, digest): facts for digest, facts in queries.known_facts().items()}


def known(manifest: dict[str, list[str]], rounds: int) -> dict[str, Any]:
    """Scan with the facts of the ledger, with and without a cache, against reading the same files."""
    from scripts_tracker.project import scan

    facts = _known()
    paths = [os.path.abspath(path) for path in manifest["commands"]]
    _checked()
    measured = _in_turn({"read": lambda: _read(paths), "scan": _checked}, rounds)
    bare = _in_turn({"bare": lambda: scan.scan(scan.cache("", lambda: facts))}, 3)
    return {**measured, **bare, "definitions": len(_checked().definitions)}


def unseen(manifest: dict[str, list[str]], rounds: int) -> dict[str, Any]:
    """Scan without any facts or cache, against libcst alone on the text of the tracked files."""
    import libcst

    from scripts_tracker.project import scan

    texts = [content.decode() for content in _read(manifest["tracked"])]
    works: dict[str, Callable[[], object]] = {
        "parse": lambda: _for_each(libcst.parse_module, texts),
        "scan": scan.scan,
    }
    measured = _in_turn(works, rounds)
    return {**measured, "definitions": len(scan.scan().definitions)}


def lint(manifest: dict[str, list[str]], rounds: int) -> dict[str, Any]:
    """The lint without any facts or cache, against libcst alone on the text of the tracked files."""
    import libcst

    from scripts_tracker.lint import config, engine

    texts = [content.decode() for content in _read(manifest["tracked"])]
    linter = engine.session(os.getcwd(), config.Config())
    works: dict[str, Callable[[], object]] = {
        "parse": lambda: _for_each(libcst.parse_module, texts),
        "lint": linter.findings,
    }
    return {**_in_turn(works, rounds), "findings": len(linter.findings())}


def stock(_manifest: dict[str, list[str]], rounds: int) -> dict[str, Any]:
    """Files and ledger joined, as check_scripts does it."""
    from scripts_tracker.project.status import load_status

    return {**_in_turn({"stock": load_status}, rounds), "definitions": len(load_status().statuses)}


def admin(_manifest: dict[str, list[str]], rounds: int) -> dict[str, Any]:
    """Pages of Django's admin, through all of its middleware, against its list of groups, of which there are none."""
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from scripts_tracker.models import Script, ScriptRun

    client = Client()
    client.force_login(User.objects.create_superuser("somebody"))
    script, base = Script.objects.order_by("-pk")[0], "/admin/scripts_tracker"
    pages = {
        "empty": "/admin/auth/group/",
        "list": f"{base}/script/",
        "script": f"{base}/script/{script}/change/",
        "runs": f"{base}/scriptrun/",
        "run": f"{base}/scriptrun/{ScriptRun.objects.latest('pk').pk}/change/",
    }

    def get(page: str) -> str:
        response = client.get(page)
        if response.status_code != 200:
            raise SystemExit(f"{page}: {response.status_code}")
        text: str = response.content.decode()
        return text

    queries = {}
    for name in ("list", "empty"):
        get(pages[name])
        with CaptureQueriesContext(connection) as captured:
            get(pages[name])
        queries[name] = len(captured)
    works: dict[str, Callable[[], object]] = {name: partial(get, page) for name, page in pages.items()}
    found = _in_turn(works, rounds)
    return {
        **found,
        "scripts": Script.objects.count(),
        "queries": queries["list"],
        "queries_empty": queries["empty"],
    }


def main() -> None:
    """``inside.py known|unseen|lint|stock|admin ROUNDS``."""
    sys.path[0] = os.getcwd()
    import django

    django.setup()
    with open("manifest.json", encoding="utf-8") as stream:
        manifest = json.load(stream)
    what = {"known": known, "unseen": unseen, "lint": lint, "stock": stock, "admin": admin}[sys.argv[1]]
    print(json.dumps(what(manifest, int(sys.argv[2]))))


if __name__ == "__main__":
    main()
