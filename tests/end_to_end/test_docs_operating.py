"""The pages for operators, played: metrics, alerts by signals, what to do when something looks wrong."""

from __future__ import annotations

import gzip
import http.server
import json
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml  # pre-commit brings it
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.conftest import ROOT, Project
from tests.end_to_end.pages import PATH, Block, blocks, plays, type_in

MONITORING = blocks(ROOT / "docs" / "monitoring.md")


def named(name: str) -> Block:
    """The block of Python that begins with the name of its file."""
    (block,) = [block for block in MONITORING if block.text.startswith(f"# {name}\n")]
    return block


def parsed(exposition: str) -> dict[tuple[str, str], float]:
    """The values by metric and label, as a strict reader has them: each metric once, in one piece, with its type."""
    read: Callable[[str], Iterator[Any]] = text_string_to_metric_families  # it has no types
    families = read(f"{exposition}# EOF\n")
    samples = [(family.type, sample) for family in families for sample in family.samples]
    assert {kind for kind, _ in samples} == {"gauge"}
    return {(sample.name, "".join(sample.labels.values())): sample.value for _, sample in samples}


@plays("monitoring.md")
def test_the_metrics_of_the_page_are_those_that_its_alerts_ask_for(
    typed: list[str], migrated: Project
) -> None:
    check, export = typed
    (alerts,) = [block.text for block in MONITORING if block.language == "yaml"]
    type_in(migrated, check)
    migrated.command("shop.fails", body="raise ValueError")
    migrated.manage("fails", code=1)
    migrated.write("scripts_metrics.py", named("scripts_metrics.py").text)
    made = migrated.run("sh", "-c", export, PATH=PATH)
    assert made.code == 0, made
    text = (migrated.root / "scripts.prom").read_text()
    values = parsed(text)
    assert values["scripts_tracker_scripts", "failed"] == 1
    assert values["scripts_tracker_scripts", "applied"] == 0
    assert values["scripts_tracker_needs_action", ""] == 1
    rules = yaml.safe_load(alerts)["groups"][0]["rules"]
    for name in {name for rule in rules for name in re.findall(r"scripts_tracker_\w+", rule["expr"])}:
        assert f"# TYPE {name} gauge\n" in text
    broken = migrated.run("sh", "-c", export.replace("check_scripts", "no_such"), PATH=PATH)
    assert broken.code != 0
    assert (migrated.root / "scripts.prom").read_text() == text


def test_the_metrics_of_several_scripts_at_work_are_in_one_piece_each(migrated: Project) -> None:
    for name in ("backfill", "reindex"):
        migrated.command(f"shop.{name}")
    report = migrated.check()
    for number, script in enumerate(report["scripts"], 1):
        script["lease"] = {"last_sign_of_life": number + 0.5, "free_in": 1.0}
        script["progress"] = {"percent": 10.0 * number, "workers": number}
    migrated.write("scripts.json", json.dumps(report))
    migrated.write("scripts_metrics.py", named("scripts_metrics.py").text)
    made = migrated.run("sh", "-c", "python scripts_metrics.py < scripts.json", PATH=PATH)
    values = parsed(made.out)
    assert values["scripts_tracker_last_sign_of_life_seconds", "shop.backfill"] == 1.5
    assert values["scripts_tracker_progress_percent", "shop.reindex"] == 20
    assert values["scripts_tracker_workers", "shop.reindex"] == 2


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes what is posted."""

    posted: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.posted.append((self.path, body))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """The address of a server on this machine, and what was posted to it."""
    posted: list[tuple[str, bytes]] = []
    handler = type("Handler", (Receiver,), {"posted": posted})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"127.0.0.1:{running.server_address[1]}", posted
        running.shutdown()
        thread.join()


def with_receivers(project: Project, name: str) -> None:
    """The project imports the receivers of the page when Django starts."""
    project.write(f"shop/{name}.py", named(f"shop/{name}.py").text)
    project.write("shop/apps.py", named("shop/apps.py").text.replace("alerts", name))


def test_slack_gets_failures_with_secrets_masked_and_killed_runs(
    migrated: Project, server: tuple[str, list[tuple[str, bytes]]]
) -> None:
    address, posted = server
    with_receivers(migrated, "alerts")
    migrated.settings(f'SLACK_WEBHOOK = "http://{address}/services/T1"')
    migrated.command("shop.fails", body='raise ValueError("password=s3cret99 is wrong")')
    migrated.manage("run_scripts", "fails", code=1)
    migrated.command("shop.fine")
    migrated.manage("fine")
    ((path, body),) = posted
    text = json.loads(body)["text"]
    assert path == "/services/T1"
    assert re.match(r"shop\.fails failed after \d+ s: ValueError: password=", text)
    assert "s3cret99" not in text
    migrated.command("shop.killed", body="import os; os._exit(9)")
    migrated.manage("killed", code=9)
    migrated.python("from scripts_tracker.models import Script; Script.objects.update(lease_expires=1)")
    migrated.manage("killed", code=9)
    assert "shop.killed was killed on " in json.loads(posted[1][1])["text"]


def test_sentry_gets_the_exception_of_a_script_that_run_scripts_caught(
    migrated: Project, server: tuple[str, list[tuple[str, bytes]]]
) -> None:
    pytest.importorskip("sentry_sdk")
    address, posted = server
    with_receivers(migrated, "sentry")
    migrated.settings(
        f'import sentry_sdk\nsentry_sdk.init("http://key@{address}/1", default_integrations=False)'
    )
    migrated.command("shop.fails", body='raise ValueError("no such rate")')
    migrated.manage("run_scripts", "fails", code=1)
    sent = b"".join(body for path, body in posted if path.endswith("/envelope/"))
    for words in (b'"script":"shop.fails"', b"no such rate", b"ValueError"):
        assert words in sent


@plays("troubleshooting.md")
def test_troubleshooting_prints_what_the_page_shows(typed: list[str], migrated: Project) -> None:
    running, release, missing, lint, slow = typed
    migrated.command("shop.fix_totals", body="import os; os._exit(9)")
    migrated.manage("fix_totals", code=9)
    # A process that cannot be seen from here, as in another container: its lease decides.
    migrated.python(
        "from scripts_tracker.models import Script, ScriptRun; import time\n"
        "ScriptRun.objects.update(host='web-1', process='elsewhere 1')\n"
        "Script.objects.update(lease_expires=time.time() + 600)"
    )
    type_in(migrated, running)
    type_in(migrated, release)
    assert migrated.states() == {"shop.fix_totals": "lost"}
    type_in(migrated, missing, 2)
    type_in(migrated, lint)
    type_in(migrated, slow)
