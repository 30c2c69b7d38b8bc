"""Batched scripts in the admin: how far they are, who works on them, and the decisions about them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from scripts_tracker.models import ScriptRun, ScriptWalk
from tests.walks import add_range, add_worker, batched, begin, hold

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.django_db

LIST = "/admin/scripts_tracker/script/"
PAGE = f"{LIST}shop.fix/change/"
RUNS = "/admin/scripts_tracker/scriptrun/"
ATTACK = "<script>alert(1)</script>"
WHY = {"reason": "the replica is behind"}


@pytest.fixture
def fix(tmp_path: Path, settings: Any) -> Callable[[int], None]:
    """A project with one batched script; gives a function that changes its code."""
    settings.BASE_DIR = tmp_path
    folder = tmp_path / "shop" / "management" / "commands"
    folder.mkdir(parents=True)
    settings.COMMANDS_DIRS = [folder]

    def write(value: int) -> None:
        (folder / "fix.py").write_text(batched("fix", value))

    write(0)
    return write


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


def text_of(client: Client, path: str = PAGE) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def buttons(page: str) -> list[str]:
    return re.findall(r'<li><a href="[^"]*/(\w+)/">', page.partition("object-tools")[2].partition("</ul>")[0])


def test_a_script_that_has_not_begun_has_no_progress_and_cannot_be_held(
    fix: Callable[[int], None], ada: Client
) -> None:
    page = text_of(ada)
    assert "st-progress" not in page
    assert buttons(page) == ["mark"]
    response = ada.post(f"{LIST}shop.fix/pause/", WHY, follow=True)
    assert "was not changed: it has not begun or is finished" in response.content.decode()


def test_a_reader_sees_the_progress_and_decides_nothing(fix: Callable[[int], None]) -> None:
    user = User.objects.create_user("rosa", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_script"))
    client = Client()
    client.force_login(user)
    add_worker(begin("shop.fix"))
    page = text_of(client)
    assert '<progress class="st-bar" max="100" value="43"' in page
    assert (buttons(page), "scriptrun" in page.partition("st-progress")[2]) == ([], False)
    for name in ("pause", "resume", "accept", "restart", "cancel"):
        assert client.get(f"{LIST}shop.fix/{name}/").status_code == 403
        assert client.post(f"{LIST}shop.fix/{name}/", WHY).status_code == 403
    assert not ScriptRun.objects.exclude(kind="run").exists()


def test_a_form_from_elsewhere_decides_nothing(fix: Callable[[int], None]) -> None:
    begin("shop.fix")
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("ada"))
    assert client.post(f"{LIST}shop.fix/pause/", WHY).status_code == 403


BUTTONS: dict[str, tuple[str, list[str]]] = {
    "stopped": ("", ["restart", "cancel", "mark", "unmark"]),
    "paused": ("pause", ["resume", "restart", "cancel", "mark", "unmark"]),
    "cancelled": ("cancel", ["resume", "restart", "mark", "unmark"]),
    "other code": ("other", ["pause", "accept", "restart", "cancel", "mark", "unmark"]),
    "at work": ("work", ["pause", "cancel", "release"]),
}


@pytest.mark.parametrize(("how", "expected"), BUTTONS.values(), ids=BUTTONS)
def test_only_what_is_possible_is_offered(
    fix: Callable[[int], None], ada: Client, how: str, expected: list[str]
) -> None:
    walk = begin("shop.fix")
    if how == "work":
        add_worker(walk)
    elif how == "other":
        fix(1)
    elif how:
        hold(walk, how)
    found = buttons(text_of(ada))
    assert found == (["pause", *expected] if how == "" else expected)


def seen(client: Client, path: str) -> dict[str, str]:
    value = re.search(r'name="seen" value="([^"]*)"', text_of(client, path))
    assert value is not None
    return {"seen": value[1]}


DECIDED = {
    "pause": ("", "Paused shop.fix.", "Paused"),
    "resume": ("pause", "Resumed shop.fix. To run it", "Resumed"),
    "accept": ("other", "Resumed shop.fix with the code of now.", "Resumed with other code"),
    "restart": ("cancel", "Restarted shop.fix: its next run begins anew.", "Begun anew"),
    "cancel": ("pause", "Cancelled shop.fix.", "Cancelled"),
}


@pytest.mark.parametrize(("name", "case"), DECIDED.items(), ids=list(DECIDED))
def test_a_decision_needs_a_reason_and_is_kept_with_it(
    fix: Callable[[int], None], ada: Client, name: str, case: tuple[str, str, str]
) -> None:
    before, message, logged = case
    walk = begin("shop.fix")
    if before == "other":
        fix(1)
    elif before:
        hold(walk, before)
    path = f"{LIST}shop.fix/{name}/"
    count = ScriptRun.objects.count()
    assert "This field is required" in ada.post(path, seen(ada, path)).content.decode()
    assert ScriptRun.objects.count() == count
    page = ada.post(path, {**WHY, **seen(ada, path)}, follow=True).content.decode()
    assert message in page
    run = ScriptRun.objects.order_by("-pk")[0]
    assert (run.user, run.reason, run.walk_id) == ("ada", WHY["reason"], walk.pk)
    assert LogEntry.objects.get().change_message == f"{logged}: {WHY['reason']}"


def test_what_was_decided_since_the_page_was_opened_is_looked_at_again(
    fix: Callable[[int], None], ada: Client
) -> None:
    walk = begin("shop.fix")
    path = f"{LIST}shop.fix/cancel/"
    opened = seen(ada, path)
    decision = hold(walk, "pause")
    page = ada.post(path, {**WHY, **opened}).content.decode()
    assert "The script has changed since you opened this page." in page
    assert ScriptWalk.objects.get().hold_id == decision.pk


def test_workers_ranges_and_reasons_are_shown_and_harmless(fix: Callable[[int], None], ada: Client) -> None:
    walk = begin("shop.fix")
    worker = add_worker(walk, waiting=f"the replica is 9 s behind {ATTACK}")
    add_range(walk, 100, 200, 150, worker=worker, rows_per_second=1234.5, batch_size=500)
    add_range(walk, 200, 300, 260, outcome="parked", reason=f"row 261: {ATTACK}\nDETAIL")
    page = text_of(ada)
    assert ATTACK not in page
    section = page.partition('id="st-progress"')[2].partition("</section>")[0]
    assert f'<a href="/admin/scripts_tracker/scriptrun/{worker.pk}/change/">{worker.pk}</a>' in section
    cells = re.findall(r'data-label="(State|After|Up to)"[^>]*>(?:<span[^>]*>)?([^<]*)<', section)
    states = [("Parked", "200", "300"), ("At work", "100", "200"), ("Open", "0", "100")]
    assert [text for _, text in cells] == [text for row in states for text in row]
    for text in (
        "1,234",
        "the replica is 9 s behind &lt;script",
        "row 261: &lt;script",
        ">Parked</span> range 2",
    ):
        assert text in section
    assert "DETAIL" not in section.partition("<tbody>")[2]


def test_text_keys_have_no_bar(fix: Callable[[int], None], ada: Client) -> None:
    begin("shop.fix", key="other")
    assert "<progress" not in text_of(ada)


def test_the_page_is_loaded_again_only_while_workers_are_at_it(
    fix: Callable[[int], None], ada: Client
) -> None:
    walk = begin("shop.fix")
    assert not ada.get(PAGE).has_header("Refresh")
    worker = add_worker(walk)
    assert ada.get(PAGE)["Refresh"] == "5"
    assert not ada.get(f"{PAGE}?still=1").has_header("Refresh")
    hold(walk, "pause")
    assert ada.get(PAGE)["Refresh"] == "5"  # its last batch
    ScriptRun.objects.filter(pk=worker.pk).update(outcome="failed")
    assert not ada.get(PAGE).has_header("Refresh")


def test_the_list_says_how_far(fix: Callable[[int], None], ada: Client) -> None:
    begin("shop.fix")
    assert 'Failed</span><span class="st-more">43 %</span>' in text_of(ada, LIST)


OUTPUT = f"row 1\n{ATTACK}  97 %\r  98 % \x1b[1m\n"


def test_both_lists_say_what_runs_and_how_far_it_is(fix: Callable[[int], None], ada: Client) -> None:
    add_worker(begin("shop.fix"), output=OUTPUT)
    for path in (LIST, RUNS):
        page = text_of(ada, path)
        assert '<span class="st-more">43 %</span>' in page
        assert '<span class="st-more">98 % ^[[1m</span>' in page
    ScriptRun.objects.update(waiting=f"the replica {ATTACK}")
    for path in (LIST, RUNS):
        page = text_of(ada, path)
        assert '<span class="st-more">waiting: the replica &lt;script' in page
        assert "98 %" not in page


def test_the_last_words_are_on_the_page_of_a_script_too(fix: Callable[[int], None], ada: Client) -> None:
    add_worker(begin("shop.fix"), output=OUTPUT)
    assert "<dt>Last words</dt><dd>98 % ^[[1m</dd>" in text_of(ada)


def test_who_may_not_see_runs_reads_no_last_words(fix: Callable[[int], None], client: Client) -> None:
    add_worker(begin("shop.fix"), output=OUTPUT)
    reader = User.objects.create_user("rosa", is_staff=True)
    reader.user_permissions.set(Permission.objects.filter(codename="view_script"))
    client.force_login(reader)
    for path in (LIST, PAGE):
        page = text_of(client, path)
        assert "Running" in page
        assert "98 %" not in page


@pytest.mark.parametrize("outcome", ["succeeded", "lost"])
def test_of_what_runs_no_more_there_are_no_last_words(
    fix: Callable[[int], None], ada: Client, outcome: str
) -> None:
    add_worker(begin("shop.fix"), outcome, live=False, output=OUTPUT)
    for path in (LIST, RUNS, PAGE):
        assert "98 %" not in text_of(ada, path)


def test_a_worker_beside_the_last_one_is_running_on_its_own_page(
    fix: Callable[[int], None], ada: Client
) -> None:
    walk = begin("shop.fix")
    first = add_worker(walk)
    add_worker(walk, "succeeded")
    page = text_of(ada, f"/admin/scripts_tracker/scriptrun/{first.pk}/change/")
    assert '<span class="st-badge st-busy">Running</span>' in page


def test_many_ranges_and_workers_cost_no_query_and_no_endless_page(
    fix: Callable[[int], None], ada: Client
) -> None:
    walk = begin("shop.fix")
    add_worker(walk)
    text_of(ada)
    with CaptureQueriesContext(connection) as few:
        text_of(ada)
    for number in range(1, 80):
        add_range(walk, number * 100, number * 100 + 100, None)
    add_worker(walk)
    with CaptureQueriesContext(connection) as many:
        page = text_of(ada)
    assert len(many) == len(few)
    assert "30 more ranges are not shown." in page
