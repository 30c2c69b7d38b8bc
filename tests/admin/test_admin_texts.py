"""Runs in the admin: their output and traceback as files, and the picture of how long they took."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.test import Client
from django.utils.timezone import override

from scripts_tracker.ledger import writing
from scripts_tracker.models import Script, ScriptRun
from tests.conftest import COMMAND

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.django_db

RUNS = "/admin/scripts_tracker/scriptrun/"
PAGE = "/admin/scripts_tracker/script/shop.first/change/"


@pytest.fixture
def run(tmp_path: Path, settings: Any) -> Callable[..., ScriptRun]:
    """One applied script; gives a function that adds a run with other values in some columns."""
    settings.BASE_DIR = tmp_path
    folder = tmp_path / "shop" / "management" / "commands"
    folder.mkdir(parents=True)
    settings.COMMANDS_DIRS = [folder]
    source = COMMAND.format(name="first", decorators="@tracked_script", body="pass")
    (folder / "first.py").write_text(source)
    call_command("check_scripts", mark_applied=["shop.first"], verbosity=0)

    def add(outcome: str = "failed", seconds: float = 0, **columns: Any) -> ScriptRun:
        facts = writing.RunFacts(columns.pop("kind", "run"))
        made = writing.new_run(Script.objects.get().pk, None, facts, outcome)
        if made.ended_at:
            made.started_at = made.ended_at - timedelta(seconds=seconds)
        for name, value in columns.items():
            setattr(made, name, value)
        made.save()
        return made

    return add


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


@pytest.mark.parametrize(("name", "other"), [("output", "traceback"), ("traceback", "output")])
def test_a_long_text_is_shown_from_its_end_and_downloaded_as_a_file(
    run: Callable[..., ScriptRun], ada: Client, name: str, other: str
) -> None:
    made = run(**{name: "<b>first</b>\nÜ \x1b[2J\nlast\n"})
    page = ada.get(f"{RUNS}{made.pk}/change/").content.decode()
    assert 'class="st-block st-tail"' in page
    assert re.findall(r'href="\.\./(\w+)\.txt"', page) == [name]
    file = ada.get(f"{RUNS}{made.pk}/{name}.txt")
    assert file.content.decode() == "<b>first</b>\nÜ ^[[2J\nlast\n"
    assert {
        one: file.headers[one] for one in file.headers if one.startswith(("Content-T", "Content-D", "X-C"))
    } == {
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Disposition": f'attachment; filename="shop.first-{made.pk}-{name}.txt"',
        "X-Content-Type-Options": "nosniff",
    }
    assert ada.get(f"{RUNS}{made.pk}/{other}.txt").status_code == 404


def test_a_file_has_a_name_that_every_system_takes(run: Callable[..., ScriptRun], ada: Client) -> None:
    made = run(output="one")
    Script.objects.update(name='../"\r\nX: ü;' + "x" * 200)
    given = ada.get(f"{RUNS}{made.pk}/output.txt").headers["Content-Disposition"]
    assert re.fullmatch(
        rf'attachment; filename="shop\.\.\._[\w.-]{{90,}}-{made.pk}-output\.txt"', given, re.ASCII
    )


@pytest.mark.parametrize("key", ["0", "x", "9" * 30, "1/../2"])
def test_a_run_that_does_not_exist_has_no_file(run: Callable[..., ScriptRun], ada: Client, key: str) -> None:
    run(output="one")
    assert ada.get(f"{RUNS}{key}/output.txt").status_code == 404


def test_only_who_may_see_runs_gets_a_file(run: Callable[..., ScriptRun]) -> None:
    path = f"{RUNS}{run(output='one').pk}/output.txt"
    client = Client()
    assert client.get(path).status_code == 302
    rosa = User.objects.create_user("rosa", is_staff=True)
    rosa.user_permissions.set(Permission.objects.filter(codename__in=["view_script", "decide_script"]))
    client.force_login(rosa)
    assert client.get(path).status_code == 403
    rosa.user_permissions.set(Permission.objects.filter(codename="view_scriptrun"))
    assert client.get(path).content == b"one"


LINES: dict[str, tuple[list[dict[str, Any]], list[str], str]] = {
    "one run makes no line": ([{"seconds": 3}], [], ""),
    "decisions, dry runs, lost runs and runs that go on have no place in it": (
        [{"seconds": 3}, *({"seconds": 9, **one} for one in ({"outcome": "lost"}, {"kind": "rehearsal"}, {"kind": "mark"})),
         {"outcome": "running"}],
        [], "",
    ),
    "a failed run has another shape, and the oldest is at the left": (
        [{"seconds": 30, "outcome": "failed"}, {"seconds": 0.2}, {"seconds": 120}],
        ["path failed after 30 s", "circle succeeded after 0.2 s", "circle succeeded after 2 min"],
        "3 runs, the oldest at the left, took between 0.2 s and 2 min; the last one 2 min. 1 failed: marked with a cross.",
    ),
    "where one took far longer, the others do not lie on the base line": (
        [{"seconds": 3}, {"seconds": 7}, {"seconds": 86_340}, {"seconds": 4}],
        ["circle succeeded after 3.0 s", "circle succeeded after 7.0 s", "circle succeeded after 23 h 59 min",
         "circle succeeded after 4.0 s"],
        "4 runs, the oldest at the left, took between 3.0 s and 23 h 59 min; the last one 4.0 s. The scale is logarithmic.",
    ),
    "clocks that stand or go back do no harm": (
        [{"seconds": 0}, {"seconds": -5}],
        ["circle succeeded after 0.0 s"] * 2,
        "2 runs, the oldest at the left, took 0.0 s; the last one 0.0 s.",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("made", "marks", "words"), LINES.values(), ids=LINES)
def test_the_durations_of_the_last_runs_are_a_line_with_words(
    run: Callable[..., ScriptRun], ada: Client, made: list[dict[str, Any]], marks: list[str], words: str
) -> None:
    for one in made:
        run(**{"outcome": "succeeded", **one})
    page = ada.get(PAGE).content.decode()
    assert ("st-durations" in page) is bool(words)
    found = re.findall(r'<(path|circle) class="st-mark[^>]*><title>[^<]*: ([^<]*)</title>', page)
    assert [" ".join(one) for one in found] == marks
    assert page.count(words) == 2 or not words, "as a caption, and for screen readers"
    heights = [
        float(top) for top in re.findall(r"[\d.]+,([\d.]+)", page.partition("st-path")[2].partition("/>")[0])
    ]
    assert all(0 <= top <= 56 for top in heights)
    took = [max(one.get("seconds", 0), 0) for one in made]
    assert not words or len(set(heights)) == len(set(took)), "each can be told from the others"


@pytest.mark.parametrize(
    ("zone", "shown"), [("Asia/Kolkata", "2026-07-01 17:30 +05:30"), ("UTC", "2026-07-01 12:00 UTC")]
)
def test_moments_are_as_at_the_terminal_in_the_time_zone_of_the_request(
    run: Callable[..., ScriptRun], ada: Client, zone: str, shown: str
) -> None:
    made = run(started_at=datetime(2026, 7, 1, 12, tzinfo=timezone.utc), seconds=3)
    with override(zone):
        for path in (RUNS, f"{RUNS}{made.pk}/change/", PAGE):
            page = ada.get(path).content.decode()
            assert shown in page, path
            assert "p.m." not in page
            assert "noon" not in page
