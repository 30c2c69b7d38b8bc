"""The admin: permissions, decisions, the list, the page of a script, escaping, the number of queries."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote as quote_name
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.db import OperationalError
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from scripts_tracker.core import reports
from scripts_tracker.core.reports import RehearsalReport, TableChanges
from scripts_tracker.core.values import ScriptId
from scripts_tracker.ledger import processes, statements, writing
from scripts_tracker.models import Script, ScriptEnvironment, ScriptRun
from scripts_tracker.project import releases
from scripts_tracker.project.status import load_status
from tests.conftest import COMMAND
from tests.places import Move, Q

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django import DjangoAssertNumQueries

pytestmark = pytest.mark.django_db

LIST = "/admin/scripts_tracker/script/"
REASON = {"reason": "ran by hand before the tracker came"}
ATTACK = "</pre></td><script>alert(1)</script>"


@pytest.fixture
def shop(tmp_path: Path, settings: Any) -> Callable[..., Path]:
    """A project of files alone; gives a function that writes a script."""
    settings.BASE_DIR = tmp_path
    settings.COMMANDS_DIRS = [tmp_path / app / "management" / "commands" for app in ("shop", "stock")]
    for folder in settings.COMMANDS_DIRS:
        folder.mkdir(parents=True)

    def write(script: str, decorators: str = "@tracked_script", body: str = "pass", text: str = "") -> Path:
        app, _, name = script.partition(".")
        file = tmp_path / app / "management" / "commands" / f"{name}.py"
        source = COMMAND.format(name=name, decorators=decorators, body=body)
        file.write_text(source.replace(f"Does {name}", text or f"Does {name}"))
        return file

    return write


@pytest.fixture
def ada(client: Client) -> Client:
    """A user who may do everything."""
    client.force_login(User.objects.create_superuser("ada"))
    return client


def staff(*codenames: str) -> Client:
    """A member of the staff with these permissions."""
    user = User.objects.create_user("rosa", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    assert user.user_permissions.count() == len(codenames)
    client = Client()
    client.force_login(user)
    return client


def applied(*names: str, reason: str = "") -> None:
    call_command("check_scripts", mark_applied=list(names), reason=reason, verbosity=0)


def text_of(client: Client, path: str, status: int = 200) -> str:
    response = client.get(path)
    assert response.status_code == status, (path, response.status_code)
    return response.content.decode()


def found(client: Client, query: str = "") -> list[str]:
    """The scripts of the list, in order."""
    page = text_of(client, LIST + query)
    return re.findall(r'class="field-script"><a href="[^"]*">([^<]*)</a>', page)


def seen(client: Client, path: str) -> dict[str, str]:
    """What the page of a decision remembers of the script, as its form would send it."""
    value = re.search(r'name="seen" value="([^"]*)"', text_of(client, path))
    assert value is not None
    return {"seen": value[1]}


# Permissions


@pytest.mark.parametrize(
    "path",
    ["", "shop.first/change/", *(f"shop.first/{one}/" for one in ("mark", "unmark", "release")), "add/"],
)
def test_without_a_permission_no_page_opens(shop: Callable[..., Path], path: str) -> None:
    shop("shop.first")
    assert Client().get(LIST + path).status_code == 302
    assert staff("view_user").get(LIST + path).status_code == 403


def test_a_reader_is_offered_no_decision_and_cannot_make_one(shop: Callable[..., Path]) -> None:
    shop("shop.first")
    reader = staff("view_script")
    page = text_of(reader, f"{LIST}shop.first/change/")
    assert "/mark/" not in page
    assert reader.get(f"{LIST}shop.first/mark/").status_code == 403
    assert reader.post(f"{LIST}shop.first/mark/", REASON).status_code == 403
    assert not Script.objects.exists()


def test_the_permission_to_decide_allows_decisions_but_not_to_see_runs(shop: Callable[..., Path]) -> None:
    shop("shop.first")
    applied("shop.first")
    decider = staff("view_script", "decide_script")
    page = text_of(decider, f"{LIST}shop.first/change/")
    assert f"{LIST}shop.first/unmark/" in page
    assert 'id="st-runs"' not in page
    assert decider.get(reverse("admin:scripts_tracker_scriptrun_changelist")).status_code == 403
    path = f"{LIST}shop.first/unmark/"
    assert decider.post(path, {**REASON, **seen(decider, path)}).status_code == 302
    assert load_status().statuses[0].state.value == "new"


@pytest.mark.parametrize("model", ["script", "scriptrun"])
def test_even_a_superuser_adds_changes_and_deletes_nothing(
    shop: Callable[..., Path], ada: Client, model: str
) -> None:
    shop("shop.first")
    applied("shop.first")
    row = (Script if model == "script" else ScriptRun).objects.get()
    base = f"/admin/scripts_tracker/{model}/"
    assert ada.post(f"{base}add/").status_code == 403
    assert ada.post(f"{base}{row.pk}/delete/", {"post": "yes"}).status_code in {403, 404}
    ada.post(base, {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"})
    ada.post(f"{base}{row.pk}/change/", {"name": "other"})
    assert Script.objects.get().name == "first"
    assert ScriptRun.objects.count() == 1


# Decisions


def test_marking_adds_a_run_a_history_entry_and_a_message(shop: Callable[..., Path], ada: Client) -> None:
    shop("shop.first")
    path = f"{LIST}shop.first/mark/"
    response = ada.post(path, {**REASON, **seen(ada, path)}, follow=True)
    assert "Marked shop.first as applied." in response.content.decode()
    run = ScriptRun.objects.get()
    assert (run.kind, run.applies, run.user, run.reason) == ("mark", True, "ada", REASON["reason"])
    entry = LogEntry.objects.get()
    assert entry.change_message == f"Marked as applied: {REASON['reason']}"
    assert REASON["reason"] in text_of(ada, f"{LIST}shop.first/history/")
    assert ada.get(str(entry.get_admin_url())).headers["Location"] == f"{LIST}shop.first/change/"


def test_unmarking_makes_a_script_new_again(shop: Callable[..., Path], ada: Client) -> None:
    shop("shop.first")
    applied("shop.first")
    path = f"{LIST}shop.first/unmark/"
    ada.post(path, {**REASON, **seen(ada, path)})
    assert load_status().statuses[0].state.value == "new"
    assert ScriptRun.objects.latest("pk").user == "ada"
    assert LogEntry.objects.get().change_message.startswith("Unmarked: ")


def hold(name: str) -> ScriptRun:
    """Let a process of another host hold an applied script."""
    applied(f"shop.{name}")
    held = Script.objects.get(name=name)
    held.last_run = run = writing.new_run(
        held.pk, None, writing.RunFacts("run", host="web-1", pid=7), "running"
    )
    run.save()
    held.lease_expires = 9e12
    held.save()
    return run


def test_releasing_ends_the_lease_and_says_what_a_living_process_still_does(
    shop: Callable[..., Path], ada: Client
) -> None:
    shop("shop.first")
    run = hold("first")
    path = f"{LIST}shop.first/release/"
    assert path in text_of(ada, f"{LIST}shop.first/change/")
    asked = text_of(ada, path)
    assert "on web-1, process 7" in asked
    assert releases.WARNING in asked
    page = ada.post(path, {"reason": "host is gone", **seen(ada, path)}, follow=True).content.decode()
    assert f"Released shop.first: its last run is lost. {releases.WARNING}" in page
    assert path not in page
    run.refresh_from_db()
    here = processes.host()
    assert (run.outcome, run.reason) == ("lost", f"released by ada on {here}: host is gone")
    assert run.reason in page
    decision = ScriptRun.objects.latest("pk")
    assert (decision.kind, decision.user, decision.reason) == ("release", "ada", "host is gone")
    assert LogEntry.objects.get().change_message == "Released: host is gone"
    assert 'data-label="Kind" class="st-key">Released</td>' in page
    runs = text_of(ada, reverse("admin:scripts_tracker_scriptrun_changelist") + "?kind=release")
    assert "1 script run" in runs


@pytest.mark.parametrize("codenames", [("view_script",), ("view_script", "view_scriptrun", "change_script")])
def test_without_the_permission_to_decide_a_run_is_not_released(
    shop: Callable[..., Path], codenames: tuple[str, ...]
) -> None:
    shop("shop.first")
    run = hold("first")
    reader = staff(*codenames)
    assert "/release/" not in text_of(reader, f"{LIST}shop.first/change/")
    assert reader.post(f"{LIST}shop.first/release/", {**REASON, "seen": "x"}).status_code == 403
    run.refresh_from_db()
    assert run.outcome == "running"


@pytest.mark.parametrize("reason", ["", "   ", "x" * 1001])
def test_a_decision_needs_a_reason_of_limited_length(
    shop: Callable[..., Path], ada: Client, reason: str
) -> None:
    shop("shop.first")
    path = f"{LIST}shop.first/mark/"
    response = ada.post(path, {"reason": reason, **seen(ada, path)})
    assert response.status_code == 200
    assert "errorlist" in response.content.decode()
    assert not ScriptRun.objects.exists()


def test_a_decision_about_a_script_that_changed_meanwhile_is_asked_again(
    shop: Callable[..., Path], ada: Client
) -> None:
    shop("shop.first")
    path = f"{LIST}shop.first/mark/"
    old = seen(ada, path)
    shop("shop.first", body="print(1)")
    page = ada.post(path, {**REASON, **old}).content.decode()
    assert "has changed since you opened this page" in page
    assert REASON["reason"] in page
    assert not ScriptRun.objects.exists()
    new = re.search(r'name="seen" value="([^"]*)"', page)
    assert new is not None
    assert new[1] == seen(ada, path)["seen"]


@pytest.mark.parametrize(
    ("script", "view", "words"),
    [
        ("shop.applied", "mark", "already applied"),
        ("shop.new", "unmark", "there is nothing to unmark"),
        ("shop.broken", "mark", "cannot be parsed"),
        ("shop.held", "mark", "it is running"),
        ("shop.held", "unmark", "it is running"),
        ("shop.applied", "release", "it is not running"),
        ("shop.new", "release", "it is not running"),
    ],
)
def test_an_impossible_decision_is_refused_with_the_reason(
    shop: Callable[..., Path], ada: Client, script: str, view: str, words: str
) -> None:
    for name in ("applied", "new", "held"):
        shop(f"shop.{name}")
    shop("shop.broken").write_text("@tracked_script\ndef (")
    applied("shop.applied")
    hold("held")
    before = ScriptRun.objects.count()
    for response in (
        ada.get(f"{LIST}{script}/{view}/", follow=True),
        ada.post(f"{LIST}{script}/{view}/", {**REASON, "seen": "x"}, follow=True),
    ):
        assert words in response.content.decode()
    assert f"/{view}/" not in text_of(ada, f"{LIST}{script}/change/")
    assert ScriptRun.objects.count() == before
    assert not LogEntry.objects.exists()


def test_a_decision_is_protected_against_cross_site_requests(shop: Callable[..., Path]) -> None:
    shop("shop.first")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.create_superuser("ada"))
    assert strict.post(f"{LIST}shop.first/mark/", {**REASON, "seen": "x"}).status_code == 403


def test_a_mark_is_rolled_back_if_the_log_entry_fails(
    shop: Callable[..., Path], ada: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop("shop.first")
    path = f"{LIST}shop.first/mark/"
    data = {**REASON, **seen(ada, path)}

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(LogEntry.objects, "log_actions", fail)
    with pytest.raises(OSError, match="disk full"):
        ada.post(path, data)
    assert not ScriptRun.objects.exists()


# The list


@pytest.fixture
def many(shop: Callable[..., Path]) -> None:
    shop("shop.beta", '@tracked_script(tags=("slow",))')
    shop("shop.alpha", text="Recomputes totals")
    shop("stock.gamma", '@tracked_script(tags=("slow", "night"))')
    gone = shop("stock.gone")
    applied("shop.alpha", "stock.gone")
    gone.unlink()


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["shop.beta", "stock.gamma", "shop.alpha", "stock.gone"]),
        ("?state=new", ["shop.beta", "stock.gamma"]),
        ("?state=needs-action&app=stock", ["stock.gamma"]),
        ("?state=missing", ["stock.gone"]),
        ("?state=nonsense", []),
        ("?tag=slow", ["shop.beta", "stock.gamma"]),
        ("?tag=night", ["stock.gamma"]),
        ("?q=TOTALS", ["shop.alpha"]),
        ("?q=stock+gamma", ["stock.gamma"]),
        ("?q=management/commands/beta", ["shop.beta"]),
        ("?q=nothing+like+it", []),
        ("?o=1", ["shop.alpha", "shop.beta", "stock.gamma", "stock.gone"]),
        ("?o=-1", ["stock.gone", "stock.gamma", "shop.beta", "shop.alpha"]),
        ("?o=-3.1", ["stock.gamma", "stock.gone", "shop.alpha", "shop.beta"]),
        ("?o=99", ["shop.beta", "stock.gamma", "shop.alpha", "stock.gone"]),
        ("?o=4", ["shop.beta", "stock.gamma", "shop.alpha", "stock.gone"]),
        ("?o=2", ["shop.alpha", "stock.gone", "shop.beta", "stock.gamma"]),
        ("?o=-2", ["shop.alpha", "stock.gone", "shop.beta", "stock.gamma"]),
    ],
)
def test_filters_search_and_order(ada: Client, query: str, names: list[str]) -> None:
    assert found(ada, query) == names


@pytest.mark.usefixtures("many")
def test_filters_show_how_many_scripts_each_choice_leaves(ada: Client) -> None:
    page = text_of(ada, f"{LIST}?app=stock")
    counts = re.findall(r">([^<>]+ \(\d+\))</a>", page)
    states = ["Needs action (1)", "New (1)", "Applied (0)", "Missing (1)"]
    assert counts == [*states, "shop (2)", "stock (2)", "night (1)", "slow (1)"]


@pytest.mark.usefixtures("many")
def test_an_unknown_parameter_or_page_redirects_to_the_list(ada: Client) -> None:
    assert ada.get(f"{LIST}?nonsense=1").status_code == 302
    assert ada.get(f"{LIST}?p=9").status_code in {200, 302}


def test_a_long_list_is_paginated(shop: Callable[..., Path], ada: Client) -> None:
    for number in range(101):
        shop(f"shop.one{number:03}")
    assert len(found(ada)) == 100
    assert found(ada, "?p=2") == ["shop.one100"]
    assert len(found(ada, "?all=")) == 101
    assert ada.get(f"{LIST}?p=9").status_code == 302


def test_the_list_says_that_there_are_no_scripts_or_no_tables(
    shop: Callable[..., Path], ada: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No scripts are tracked yet." in text_of(ada, LIST)
    from scripts_tracker.exceptions import LedgerMissing
    from scripts_tracker.project import status

    def missing() -> None:
        raise LedgerMissing("create them with: manage.py migrate scripts_tracker")

    monkeypatch.setattr(status, "load_status", missing)
    assert "manage.py migrate scripts_tracker" in text_of(ada, LIST)
    assert ada.get(f"{LIST}shop.first/change/").status_code == 404


def test_the_list_says_that_the_ledger_needs_an_upgrade(
    shop: Callable[..., Path], ada: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scripts_tracker.project import status

    def outdated() -> None:
        raise OperationalError("no such column: watched")

    monkeypatch.setattr(status, "load_status", outdated)
    answer = text_of(ada, LIST)
    assert "cannot be used: no such column: watched" in answer
    assert "(after an upgrade: manage.py migrate scripts_tracker)" in answer
    assert ada.get(f"{LIST}shop.first/change/").status_code == 404


def test_an_unknown_script_is_not_found(shop: Callable[..., Path], ada: Client) -> None:
    for name in ("shop.nobody", "nobody", "99", "9" * 30, "9" * 5000, "shop.a b", "_2E_2E"):
        assert ada.get(f"{LIST}{name}/change/").status_code == 404


def test_a_script_with_an_impossible_module_name_is_shown(shop: Callable[..., Path], ada: Client) -> None:
    shop("shop.import_kingston-upon-hull")
    link = re.search(r'<a href="([^"]*kingston[^"]*)">', text_of(ada, LIST))
    assert link is not None
    assert "import_kingston-upon-hull" in text_of(ada, link[1])


def test_a_script_that_failed_and_is_gone_still_shows_its_runs(
    shop: Callable[..., Path], ada: Client
) -> None:
    row = Script.objects.create(
        identity=statements.identity_of(ScriptId("shop", "gone")), app_label="shop", name="gone"
    )
    run = writing.new_run(row.pk, None, writing.RunFacts("run", reason="ValueError: no"), "failed")
    run.save()
    Script.objects.update(last_run=run)
    page = text_of(ada, f"{LIST}shop.gone/change/")
    assert ">Failed</span>" in page
    assert "ValueError: no" in page


# One script


def test_the_page_shows_what_changed_since_a_script_was_applied(
    shop: Callable[..., Path], ada: Client
) -> None:
    shop("shop.first", body="old = 1")
    applied("shop.first")
    shop("shop.first", body="new = 2")
    page = text_of(ada, f"{LIST}shop.first/change/")
    assert '<span class="st-removed">-        old = 1\n</span>' in page
    assert '<span class="st-added">+        new = 2\n</span>' in page
    assert "st-modified" not in page
    assert ">Modified</span>" in page


def test_the_file_is_compared_with_any_version(shop: Callable[..., Path], ada: Client) -> None:
    for body in ("one = 1", "two = 2"):
        shop("shop.first", body=body)
        applied("shop.first")
    shop("shop.first", body="three = 3")
    link = re.search(
        r'href="(\?against=\w+)#', text_of(ada, f"{LIST}shop.first/change/").partition("two = 2")[2]
    )
    assert link is not None
    assert "-        two = 2" in text_of(ada, f"{LIST}shop.first/change/{link[1]}")
    other = text_of(ada, f"{LIST}shop.first/change/").rpartition('href="?against=')[2].partition("#")[0]
    assert "-        one = 1" in text_of(ada, f"{LIST}shop.first/change/?against={other}")
    for nonsense in ("?against=x", "?against=999999", "?before=x", f"?before={'9' * 40}"):
        assert "-        two = 2" in text_of(ada, f"{LIST}shop.first/change/{nonsense}")


def test_the_page_names_the_watched_modules_that_changed(shop: Callable[..., Path], ada: Client) -> None:
    file = shop("shop.first", '@tracked_script(watch=("shop.pricing",))')
    module = file.parents[2] / "pricing.py"
    module.write_text("RATE = 7\n")
    applied("shop.first")
    assert "which it watches" not in text_of(ada, f"{LIST}shop.first/change/")
    module.write_text("RATE = 19\n")
    page = text_of(ada, f"{LIST}shop.first/change/").partition("What changed</h2>")[2]
    assert "shop.pricing, which it watches, changed. The ledger does not store watched modules" in page
    assert "own file: No changes: the files are identical." in page


def test_the_page_says_that_no_source_is_stored(
    shop: Callable[..., Path], ada: Client, settings: Any
) -> None:
    settings.SCRIPTS_TRACKER = {"store_source": False}
    shop("shop.first")
    applied("shop.first")
    shop("shop.first", body="x = 2")
    assert "The source of this version was not stored" in text_of(ada, f"{LIST}shop.first/change/")


def test_a_file_of_which_only_the_formatting_changed_is_still_applied(
    shop: Callable[..., Path], ada: Client
) -> None:
    file = shop("shop.first")
    applied("shop.first")
    assert "?raw=1" not in text_of(ada, f"{LIST}shop.first/change/")
    file.write_text(file.read_text() + "# a comment\n")
    page = text_of(ada, f"{LIST}shop.first/change/")
    assert "The code is the same: only formatting" in page
    assert "--raw" not in page
    assert "?raw=1" in page
    assert "# a comment" not in page
    assert "+# a comment" in text_of(ada, f"{LIST}shop.first/change/?raw=1")


def test_the_requirements_are_drawn_and_listed_with_their_states(
    shop: Callable[..., Path], ada: Client
) -> None:
    shop("shop.first")
    shop("shop.middle", '@tracked_script\n    @required_preceding_script("first", "shop.nowhere")')
    shop("stock.last", '@tracked_script\n    @required_preceding_script("shop.middle")')
    applied("shop.first")
    page = text_of(ada, f"{LIST}shop.middle/change/")
    for name, words in (("shop.first", "applied"), ("shop.nowhere", "does not exist"), ("stock.last", "new")):
        assert f"<title>{name}: {words}</title>" in page
    assert f'<a href="{LIST}stock.last/change/" aria-label="stock.last: new">' in page
    assert page.count('class="st-arrow"') == 3


def test_a_cycle_is_named(shop: Callable[..., Path], ada: Client) -> None:
    shop("shop.egg", '@tracked_script\n    @required_preceding_script("chicken")')
    shop("shop.chicken", '@tracked_script\n    @required_preceding_script("egg")')
    page = text_of(ada, f"{LIST}shop.egg/change/")
    assert "shop.chicken → shop.egg → shop.chicken" in page


def test_a_long_history_is_paginated(shop: Callable[..., Path], ada: Client) -> None:
    shop("shop.first")
    applied("shop.first")
    row = Script.objects.get()
    ScriptRun.objects.bulk_create(
        writing.new_run(row.pk, None, writing.RunFacts("run", reason=f"number {number}."), "failed")
        for number in range(60)
    )
    path, pages = f"{LIST}shop.first/change/", []
    while path:
        pages.append(text_of(ada, path))
        older = re.search(r'href="(\?before=\d+)#st-runs"', pages[-1])
        path = f"{LIST}shop.first/change/{older[1]}" if older else ""
    reasons = [re.findall(r"number (\d+)\.", page.partition('id="st-runs"')[2]) for page in pages]
    assert [len(one) for one in reasons] == [25, 25, 10]
    assert [number for page in reasons for number in page] == [str(number) for number in reversed(range(60))]


def test_the_picture_of_the_requirements_opens_alone(shop: Callable[..., Path], ada: Client) -> None:
    shop("shop.first")
    shop("shop.other", '@tracked_script\n    @required_preceding_script("first")')
    shop("shop.alone")
    assert 'href="../requirements.svg"' in text_of(ada, f"{LIST}shop.other/change/")
    assert 'requirements.svg"' not in text_of(ada, f"{LIST}shop.alone/change/")
    response = ada.get(f"{LIST}shop.other/requirements.svg")
    assert response.headers["Content-Type"] == "image/svg+xml; charset=utf-8"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    picture = ET.fromstring(response.content)  # noqa: S314 - our own picture
    links = [one.attrib["href"] for one in picture.iter("{http://www.w3.org/2000/svg}a")]
    assert sorted(links) == [f"{LIST}shop.first/change/", f"{LIST}shop.other/change/"]
    for name in ("alone", "none"):
        assert ada.get(f"{LIST}shop.{name}/requirements.svg").status_code == 404
    assert staff("view_scriptrun").get(f"{LIST}shop.other/requirements.svg").status_code == 403


def test_links_on_another_admin_site_stay_on_it(shop: Callable[..., Path], ada: Client) -> None:
    shop("shop.first")
    shop("shop.other", '@tracked_script\n    @required_preceding_script("first")')
    applied("shop.first")
    base = "/operations/scripts_tracker/"
    pages = [
        text_of(ada, f"{base}script/"),
        text_of(ada, f"{base}script/shop.first/change/"),
        text_of(ada, f"{base}script/shop.first/unmark/"),
        text_of(ada, f"{base}script/shop.first/history/"),
        text_of(ada, f"{base}scriptrun/{ScriptRun.objects.get().pk}/change/"),
    ]
    for page in pages:
        assert f'href="{base}' in page
        assert 'href="/admin/' not in page
    response = ada.post(
        f"{base}script/shop.first/unmark/", {**REASON, **seen(ada, f"{base}script/shop.first/unmark/")}
    )
    assert response.headers["Location"] == f"{base}script/shop.first/change/"


RUNS = "/admin/scripts_tracker/scriptrun/"
HELD, OVER = 9e12, 1.0
UNENDED: dict[str, tuple[dict[str, Any], float, bool, str]] = {
    "a run that holds its script": ({}, HELD, True, "Running"),
    "a run whose lease is over": ({}, OVER, True, "Lost"),
    "a run that is not the last": ({}, HELD, False, "Lost"),
    "a run of this machine that is not renewed, but alive": ({"alive": True}, OVER, True, "Running"),
    "a dry run that lives": ({"kind": "rehearsal", "alive": True}, OVER, False, "Running"),
    "a dry run of which nothing is known": ({"kind": "rehearsal"}, HELD, False, "Lost"),
}


@pytest.mark.parametrize(("facts", "lease", "is_last", "words"), UNENDED.values(), ids=UNENDED)
def test_an_unfinished_run_has_the_state_that_a_check_reports(
    shop: Callable[..., Path], ada: Client, facts: dict[str, Any], lease: float, *, is_last: bool, words: str
) -> None:
    shop("shop.first")
    applied("shop.first")
    row = Script.objects.get()
    begun = writing.RunFacts(facts.get("kind", "run"))
    if "alive" in facts:
        begun = begun._replace(pid=os.getpid(), host=processes.host(), process=processes.own())
    run = writing.new_run(row.pk, None, begun, "running")
    run.save()
    Script.objects.update(lease_expires=lease, **({"last_run": run} if is_last else {}))
    badge = f">{words}</span>"
    assert badge in text_of(ada, RUNS).partition('class="results"')[2]
    assert badge in text_of(ada, f"{RUNS}{run.pk}/change/")
    page = text_of(ada, f"{LIST}shop.first/change/")
    assert badge in page.partition('id="st-runs"')[2]
    if is_last:
        assert badge in page.partition("<dt>Last run</dt>")[2].partition("</dd>")[0]
        assert re.search(rf'class="field-latest_run">.*{badge}', text_of(ada, LIST))
        assert load_status().statuses[0].state.label == words
    assert badge in text_of(ada, f"{RUNS}?outcome=running").partition('class="results"')[2]


def test_the_page_of_a_rehearsal_shows_its_report(shop: Callable[..., Path], ada: Client) -> None:
    shop("shop.first")
    applied("shop.first")
    row, report = (
        Script.objects.get(),
        RehearsalReport((TableChanges("default", "shop_order", updated=3),), 1),
    )
    pages = {}
    for name, text in (("Rehearsal", reports.to_text(report)), ("Dry run", "")):
        run = writing.new_run(row.pk, None, writing.RunFacts("rehearsal", report=text), "succeeded")
        run.save()
        pages[name] = text_of(ada, f"{RUNS}{run.pk}/change/")
        assert f"{name}: shop.first" in pages[name]
    assert "shop_order: 3 updated (0 statements, 0 ms)" in pages["Rehearsal"]
    assert "field-rehearsed" not in pages["Dry run"]
    listed = text_of(ada, RUNS)
    assert ">Rehearsal<" in listed
    assert ">Dry run<" in listed
    history = text_of(ada, f"{LIST}shop.first/change/").partition('id="st-runs"')[2]
    assert "Rehearsal" in history


def test_the_page_of_a_running_run_shows_its_output_and_is_loaded_again_until_it_ends(
    shop: Callable[..., Path], ada: Client
) -> None:
    shop("shop.first")
    run = hold("first")
    ScriptRun.objects.filter(pk=run.pk).update(output="row 1\nrow 2")
    path = f"{RUNS}{run.pk}/change/"
    response = ada.get(path)
    page = response.content.decode()
    assert response["Refresh"] == "5"
    assert "row 1\nrow 2" in page
    assert "This page is loaded again every 5 seconds" in page
    assert re.search(r"Lease:.*free in ", page, re.DOTALL)
    still = ada.get(f"{path}?still=1")
    assert not still.has_header("Refresh")
    assert "this page does not change" in still.content.decode()
    ScriptRun.objects.filter(pk=run.pk).update(outcome="succeeded")
    ended = ada.get(path)
    assert not ended.has_header("Refresh")
    for words in ("is loaded again", "does not change", "Lease:"):
        assert words not in ended.content.decode()


def test_a_page_of_a_run_that_nobody_runs_any_more_is_not_loaded_again(
    shop: Callable[..., Path], ada: Client
) -> None:
    shop("shop.first")
    run = hold("first")
    Script.objects.update(lease_expires=OVER)
    response = ada.get(f"{RUNS}{run.pk}/change/")
    assert ">Lost</span>" in response.content.decode()
    assert not response.has_header("Refresh")


def test_pages_name_the_environment_and_what_comes_from_another_one(
    shop: Callable[..., Path], ada: Client, at: Move
) -> None:
    at("production")
    for name in ("first", "second"):
        shop(f"shop.{name}")
    applied("shop.first")
    here = ScriptRun.objects.get().environment_id
    run = hold("second")
    ScriptRun.objects.filter(pk=run.pk).update(environment=here)
    assert "Scripts (production)" in text_of(ada, LIST)
    assert ">Running</span>" in text_of(ada, RUNS)

    at("staging", Q)
    page = text_of(ada, f"{LIST}shop.first/change/")
    assert "shop.first (staging)" in page
    assert "applied (inherited from production, " in page
    runs = text_of(ada, RUNS)
    assert "Runs (staging)" in runs
    assert ">Running</span>" not in runs
    response = ada.get(f"{RUNS}{run.pk}/change/")
    assert ">production</div>" in response.content.decode()
    assert not response.has_header("Refresh")
    assert "This database is:" not in text_of(ada, LIST)
    at("", Q)
    assert "This database is:" in text_of(ada, LIST)
    assert "This database is:" in text_of(ada, f"{LIST}shop.first/change/")


def test_many_unfinished_runs_need_no_more_queries(
    shop: Callable[..., Path], ada: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(40):
        shop(f"shop.one{number}")
    call_command("check_scripts", mark_all_scripts_as_applied=True, verbosity=0)
    before = queries(ada, RUNS, django_assert_max_num_queries)
    for row in Script.objects.all():
        run = writing.new_run(row.pk, None, writing.RunFacts("run", pid=1), "running")
        run.save()
        Script.objects.filter(pk=row.pk).update(last_run=run, lease_expires=OVER)
    assert queries(ada, RUNS, django_assert_max_num_queries) == before


def test_counting_runs_joins_no_other_table(
    ada: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(20) as captured:
        text_of(ada, RUNS)
    counts = [
        query["sql"] for query in captured if "COUNT(*)" in query["sql"] and "scriptrun" in query["sql"]
    ]
    assert counts
    assert not [sql for sql in counts if "JOIN" in sql or "lease" in sql]


# Escaping


def test_no_text_of_scripts_or_users_becomes_markup(shop: Callable[..., Path], ada: Client) -> None:
    tags = f"@tracked_script(tags=({ATTACK!r},))\n    @required_preceding_script({ATTACK!r})"
    shop("shop.first", tags, text=ATTACK.replace('"', ""))
    applied("shop.first", reason=ATTACK)
    row = Script.objects.get()
    run = writing.new_run(
        row.pk,
        None,
        writing.RunFacts("run", host=ATTACK, user=ATTACK, reason=ATTACK, arguments=ATTACK),
        "failed",
    )
    run.output = run.traceback = f"\x1b[31m{ATTACK}\x1b[0m"
    run.save()
    Script.objects.update(last_run=run)
    shop("shop.first", tags, body=f"text = {ATTACK!r}", text=ATTACK)
    runs = reverse("admin:scripts_tracker_scriptrun_changelist")
    page = ""
    for path in (
        LIST,
        f"{LIST}?tag={ATTACK}&q={ATTACK}",
        f"{LIST}shop.first/change/",
        f"{LIST}shop.first/mark/",
        runs,
        f"{runs}{run.pk}/change/",
    ):
        page = text_of(ada, path)
        assert "<script>alert" not in page, path
        assert "\x1b" not in page, path
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


HOSTILE = "\x1b[31mred\x1b[0m\u202eleft\u200b\x9b1m\x07\x7f\ufeff"
SHOWN = "^[[31mred^[[0m&lt;U+202E&gt;left"


def _unprintable(page: str) -> list[str]:
    return [character for character in sorted(set(page)) if not character.isprintable() and character != "\n"]


def test_no_text_of_scripts_or_users_controls_or_turns_what_is_shown(
    shop: Callable[..., Path], ada: Client
) -> None:
    options = f"tags=({HOSTILE!r},), watch=({f'shop.{HOSTILE}'!r},)"
    file = shop(
        f"shop.{HOSTILE}",
        f"@tracked_script({options})\n    @required_preceding_script({HOSTILE!r})",
        text=HOSTILE,
    )
    applied(f"shop.{HOSTILE}", reason=HOSTILE)
    row = Script.objects.get()
    facts = writing.RunFacts(
        "run", host=HOSTILE, user=HOSTILE, reason=HOSTILE, arguments=HOSTILE, git_revision=HOSTILE
    )
    run = writing.new_run(row.pk, None, facts, "failed")
    run.output = run.traceback = HOSTILE
    run.save()
    Script.objects.update(applied_run=F("last_run"), last_run=run)
    file.write_text(file.read_text().replace("pass", f"text = {HOSTILE!r}"))
    script = f"{LIST}{quote(quote_name(f'shop.{HOSTILE}'))}/"
    runs = reverse("admin:scripts_tracker_scriptrun_changelist")
    decision = {"reason": HOSTILE, **seen(ada, f"{script}unmark/")}
    assert SHOWN in ada.post(f"{script}unmark/", decision, follow=True).content.decode()
    pages = [
        LIST,
        *(f"{script}{view}/" for view in ("change", "mark", "history")),
        runs,
        f"{runs}{run.pk}/change/",
    ]
    for address in pages:
        page = text_of(ada, address)
        assert _unprintable(page) == [], address
        assert SHOWN in page, address
    page = ada.post(f"{script}unmark/", decision, follow=True).content.decode()
    assert "was not changed" in page
    assert _unprintable(page) == []


# The number of queries


def queries(client: Client, path: str, django_assert_max_num_queries: Any) -> int:
    text_of(client, path)
    with django_assert_max_num_queries(20) as captured:
        text_of(client, path)
    # In the transaction of a test, a question to the ledger stands in a savepoint of its own.
    return sum("SAVEPOINT" not in query["sql"] for query in captured)


def test_the_list_and_a_page_need_a_constant_number_of_queries(
    shop: Callable[..., Path], ada: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    counts = []
    for scripts, runs in ((3, 0), (300, 500)):
        for number in range(scripts):
            shop(f"shop.one{number}", text=f"{scripts} of them")
        call_command("check_scripts", mark_all_scripts_as_applied=True, verbosity=0)
        row = Script.objects.get(name="one0")
        facts = writing.RunFacts("run")
        ScriptRun.objects.bulk_create(writing.new_run(row.pk, None, facts, "failed") for _ in range(runs))
        run = ScriptRun.objects.latest("pk")
        paths = (
            LIST,
            f"{LIST}?all=",
            f"{LIST}shop.one0/change/",
            "/admin/scripts_tracker/scriptrun/",
            f"/admin/scripts_tracker/scriptrun/{run.pk}/change/",
        )
        counts.append([queries(ada, path, django_assert_max_num_queries) for path in paths])
    assert counts[0] == counts[1]
    assert max(counts[0]) <= 9


def test_the_list_says_what_to_type_next(shop: Callable[..., Path], ada: Client) -> None:
    shop("shop.first")
    line = "You have 1 new management script. Run &#x27;python manage.py run_scripts&#x27; to apply them.</p>"
    assert line in text_of(ada, LIST)
    applied("first")
    assert "st-next" not in text_of(ada, LIST)


@pytest.fixture
def history(shop: Callable[..., Path]) -> None:
    """Three runs of one script: the one with the newest key is the oldest."""
    shop("shop.first")
    applied("first")
    place = ScriptEnvironment.objects.create(name="production", first_seen_at=timezone.now())
    ScriptEnvironment.objects.create(name="staging", first_seen_at=timezone.now())
    script, now = Script.objects.get(), timezone.now()
    facts = (
        ("anna", "web-1.example.org", "disk full", 1, place),
        ("ben", "db-2", "", 40, None),
        ("carl", "db-3", "", 400, None),
    )
    for user, host, reason, days, environment in facts:
        ScriptRun.objects.create(
            script=script, kind="run", outcome="failed", user=user, host=host, reason=reason,
            started_at=now - timedelta(days=days), environment=environment,
        )  # fmt: skip
    ScriptRun.objects.filter(kind="mark").delete()


RUNS = "/admin/scripts_tracker/scriptrun/"
QUESTIONS = {
    "all, the newest first": ("", ["anna", "ben", "carl"]),
    "the oldest first": ("?o=2", ["carl", "ben", "anna"]),
    "a reason": ("?q=disk+full", ["anna"]),
    "a host": ("?q=web-1.example", ["anna"]),
    "a user": ("?q=ben", ["ben"]),
    "a script": ("?q=shop.first", ["anna", "ben", "carl"]),
    "an environment": ("?environment={place}", ["anna"]),
    "an environment that does not exist": ("?environment=x", []),
    "a date": ("?started_at__gte={day}", ["anna", "ben"]),
}


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(("query", "users"), QUESTIONS.values(), ids=QUESTIONS)
def test_runs_are_found_by_who_where_why_and_when(ada: Client, query: str, users: list[str]) -> None:
    place = ScriptEnvironment.objects.get(name="production")
    day = quote(f"{timezone.now() - timedelta(days=99):%Y-%m-%d} 00:00:00+00:00")
    shown = ada.get(RUNS + query.format(place=place.pk, day=day)).content.decode()
    assert re.findall(r'field-by_whom">(\w+) on', shown) == users


def test_a_failed_script_begins_with_its_run_and_what_to_type(shop: Callable[..., Path], ada: Client) -> None:
    shop("shop.first")
    applied("first")
    run = ScriptRun.objects.get()
    ScriptRun.objects.update(kind="run", outcome="failed", applies=False, reason="ValueError: broken")
    page = ada.get(f"{LIST}shop.first/change/").content.decode()
    (block,) = re.findall(r'<ul class="st-plain st-next".*?</ul>', page, re.DOTALL)
    assert f'href="{RUNS}{run.pk}/change/"' in block
    assert "<code>python manage.py run_scripts shop.first</code>" in block
    assert "<code>python manage.py check_scripts --mark-applied shop.first</code>" in block
    assert page.index(block) < page.index("st-about")
    rosa = staff("view_script").get(f"{LIST}shop.first/change/").content.decode()
    assert f"{RUNS}{run.pk}" not in rosa
