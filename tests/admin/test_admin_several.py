"""Marking several scripts at once in the admin."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.test import Client
from django.urls import resolve

from scripts_tracker.models import Script, ScriptRun
from scripts_tracker.project.status import load_status
from tests.conftest import COMMAND

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.django_db

LIST = "/admin/scripts_tracker/script/"
PAGE = f"{LIST}mark/"
WHY = "ran by hand <b>before</b>"


@pytest.fixture
def shop(tmp_path: Path, settings: Any) -> Callable[..., Path]:
    """A project of four scripts; gives a function that writes one."""
    settings.BASE_DIR = tmp_path
    folder = tmp_path / "shop" / "management" / "commands"
    folder.mkdir(parents=True)
    settings.COMMANDS_DIRS = [folder]

    def write(name: str, body: str = "pass") -> Path:
        source = COMMAND.format(name=name, decorators="@tracked_script", body=body)
        (folder / f"{name}.py").write_text(source)
        return folder / f"{name}.py"

    for name in ("first", "second", "third", "done"):
        write(name)
    applied("shop.done")
    return write


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


def applied(*names: str) -> None:
    call_command("check_scripts", mark_applied=list(names), verbosity=0)


def boxes(client: Client, query: str = "") -> dict[str, str]:
    """The values of the boxes by the names of their scripts."""
    page = client.get(PAGE + query).content.decode()
    found = re.findall(
        r'<input type="checkbox" name="script" value="([^"]*)"[^>]*> <span>([^<]*?) <span', page
    )
    return {name: unescape(value) for value, name in found}


def states() -> str:
    return " ".join(f"{one.id.name}:{one.state.value}" for one in load_status().statuses)


def messages(page: str) -> list[str]:
    return re.findall(r'<li class="(?:error|success)">(.*?)</li>', page)


def test_several_scripts_are_marked_with_one_reason_each_with_a_run_and_an_entry(
    shop: Callable[..., Path], ada: Client
) -> None:
    assert 'href="mark/?state=new"' in ada.get(f"{LIST}?state=new").content.decode()
    found = boxes(ada, "?state=new")
    assert [*found] == ["shop.first", "shop.second", "shop.third"]
    chosen = [found["shop.first"], found["shop.third"]]
    response = ada.post(f"{PAGE}?state=new", {"reason": WHY, "script": chosen}, follow=True)
    assert response.redirect_chain == [(f"{LIST}?state=new", 302)]
    assert messages(response.content.decode()) == ["Marked 2 scripts as applied: shop.first, shop.third."]
    assert states() == "done:applied first:applied second:new third:applied"
    made = ScriptRun.objects.filter(reason=WHY)
    assert [(run.kind, run.user, run.applies) for run in made] == [("mark", "ada", True)] * 2
    assert {one.change_message for one in LogEntry.objects.all()} == {f"Marked as applied: {WHY}"}
    assert LogEntry.objects.count() == 2


def test_what_changed_meanwhile_is_refused_with_a_line_each_and_the_others_are_marked(
    shop: Callable[..., Path], ada: Client
) -> None:
    chosen = [*boxes(ada).values(), "shop.%3Cb%3E new 0"]
    applied("shop.first")
    shop("second", "print(2)")
    response = ada.post(PAGE, {"reason": WHY, "script": chosen}, follow=True)
    assert messages(response.content.decode()) == [
        "The script shop.first was not changed: already applied.",
        "The script shop.second was not changed: it has changed since you opened the page; check it again, then decide.",
        "The script shop.&lt;b&gt; was not changed: there is no tracked script of this name.",
        "Marked 1 script as applied: shop.third.",
    ]
    assert states() == "done:applied first:applied second:new third:applied"
    assert LogEntry.objects.count() == 1


def test_a_script_that_another_process_runs_at_that_moment_is_refused(
    shop: Callable[..., Path], ada: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scripts_tracker.admin import several

    chosen = [*boxes(ada).values()]
    why_not = several._why_not

    def overtaken(*args: Any) -> str:
        if not Script.objects.filter(name="second").exists():
            applied("shop.second")
        return why_not(*args)

    monkeypatch.setattr(several, "_why_not", overtaken)
    page = ada.post(PAGE, {"reason": WHY, "script": chosen}, follow=True).content.decode()
    assert messages(page) == [
        "The script shop.second was not changed: another process ran or marked it in the meantime.",
        "Marked 2 scripts as applied: shop.first, shop.third.",
    ]


@pytest.mark.parametrize(
    ("sent", "words"),
    {
        "no script": ({"reason": WHY}, "Choose at least one script."),
        "no reason": ({"script": None, "reason": " "}, "This field is required."),
    }.values(),
    ids=["no script", "no reason"],
)
def test_an_incomplete_form_is_shown_again_and_what_was_seen_stays(
    shop: Callable[..., Path], ada: Client, sent: dict[str, Any], words: str
) -> None:
    first = boxes(ada)["shop.first"]
    shop("first", "print(1)")
    page = ada.post(PAGE, {**sent, **({"script": first} if "script" in sent else {})}).content.decode()
    assert words in page
    assert (f'value="{first}" checked' in page) is ("script" in sent)
    assert states() == "done:applied first:new second:new third:new"


def test_all_are_chosen_without_javascript(shop: Callable[..., Path], ada: Client) -> None:
    page = ada.get(f"{PAGE}?q=ir&all=1").content.decode()
    assert len(re.findall(r'name="script" value="[^"]*" checked', page)) == len(boxes(ada, "?q=ir")) == 2
    assert "can be marked as applied." in ada.get(f"{PAGE}?state=applied").content.decode()
    assert ada.get(f"{PAGE}?nonsense=1").headers["Location"] == f"{LIST}?nonsense=1"


def test_only_who_may_decide_marks_and_only_from_the_page(shop: Callable[..., Path]) -> None:
    assert Client().get(PAGE).status_code == 302
    # With ATOMIC_REQUESTS, one deadlock would end them all.
    assert "_non_atomic_requests" in vars(resolve(PAGE).func)
    rosa = User.objects.create_user("rosa", is_staff=True)
    rosa.user_permissions.set(Permission.objects.filter(codename="view_script"))
    client = Client(enforce_csrf_checks=True)
    client.force_login(rosa)
    assert 'href="mark/"' not in client.get(LIST).content.decode()
    assert client.get(PAGE).status_code == 403
    rosa.user_permissions.set(Permission.objects.filter(codename__in=["view_script", "decide_script"]))
    assert 'href="mark/"' in client.get(LIST).content.decode()
    sent = {"reason": WHY, "script": [*boxes(client).values()]}
    assert client.post(PAGE, sent).status_code == 403, "without the token of the form"
    assert states() == "done:applied first:new second:new third:new"
