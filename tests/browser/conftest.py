"""A real browser against a real server: Debian's chromium, driven by Playwright, on loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from tests.admin.projects import fill
from tests.conftest import ENVIRONMENT, ROOT, make_project
from tests.switches import IN_MATRIX
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHROMIUM = os.environ.get("SCRIPTS_TRACKER_CHROMIUM", "/usr/bin/chromium")
# Chromium looks for its maker's hosts at every start; they do not answer here, and a sandbox within a container fails.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AXE = "axe-core@4.10.3"
REQUIRED = os.environ.get("SCRIPTS_TRACKER_BROWSER") == "required"

MANY = pytest.mark.skipif(
    not (REQUIRED or IN_MATRIX),
    reason="many like it remain: run with SCRIPTS_TRACKER_BROWSER=required, not by make test",
)


def absent(what: str) -> NoReturn:
    """Skip, and say why; where a browser is required, fail."""
    if REQUIRED:
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a shop's development server."""
    if not os.access(CHROMIUM, os.X_OK):
        absent(f"there is no {CHROMIUM}; install Debian's package chromium")
    project = make_project(tmp_path_factory.mktemp("browser") / "shop", {})
    fill(project)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (project.root / "server.log").open("w") as log:
        running = subprocess.Popen(
            [sys.executable, "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"],
            cwd=project.root,
            env={**ENVIRONMENT, **project.env},
            stdout=log,
            stderr=log,
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/admin/login/", running, project.root / "server.log")
        yield f"http://127.0.0.1:{port}/admin/"
    finally:
        running.terminate()
        running.wait(timeout=PATIENCE)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own server
                return
        except urllib.error.URLError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        absent("playwright is not installed; it is in the dependency group browser")
    if not os.access(CHROMIUM, os.X_OK):
        absent(f"there is no {CHROMIUM}; install Debian's package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def cookies(chromium: Any, server: str) -> dict[str, Any]:
    """What logs each of the two people in, by name."""
    found = {}
    for name in ("ada", "rosa"):
        page = chromium.new_page()
        page.goto(f"{server}login/")
        page.fill("[name=username]", name)
        page.fill("[name=password]", "secret")
        page.click("[type=submit]")
        found[name] = page.context.storage_state()
        page.context.close()
    return found


@pytest.fixture
def look(chromium: Any, server: str, cookies: dict[str, Any]) -> Iterator[Callable[..., Any]]:
    """Open a page of the admin as ``ada``, who may do everything, or as another user."""
    contexts = []

    def look(path: str = "scripts_tracker/script/", name: str = "ada", **options: Any) -> Any:
        context = chromium.new_context(
            **{"storage_state": cookies[name], "viewport": {"width": 1280, "height": 900}, **options}
        )
        contexts.append(context)
        page = context.new_page()
        page.faults = []
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on("dialog", lambda dialog: page.faults.append(f"dialog: {dialog.message}"))
        response = page.goto(server + path)
        assert response.status == 200, (path, response.status)
        return page

    yield look
    for context in contexts:
        for page in context.pages:
            assert not page.faults
        context.close()


@pytest.fixture(scope="session")
def keep() -> Callable[[Any, str], None]:
    """Keep a picture of a page, for people and as an artefact of CI."""
    folder = Path(os.environ.get("SCRIPTS_TRACKER_SCREENSHOTS") or ROOT / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return lambda page, name: page.screenshot(path=folder / f"{name}.png", full_page=True)


@pytest.fixture(scope="session")
def axe() -> Iterator[str]:
    """The source of axe-core, from the npm registry."""
    npm = shutil.which("npm")
    if npm is None:
        absent("there is no npm to get axe-core with")
    with tempfile.TemporaryDirectory(prefix="axe-") as folder:
        command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder, AXE]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
        if done.returncode:
            absent(f"axe-core could not be installed: {done.stderr[-500:]}")
        yield (Path(folder) / "node_modules" / "axe-core" / "axe.min.js").read_text()
