"""Somebody who sees only the admin: from the list to the output of what failed, to a decision with a reason."""

from __future__ import annotations

import contextlib
import re
from html import unescape
from urllib.parse import urljoin

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from tests.end_to_end.typist import commands
from tests.jobs import Jobs

pytestmark = pytest.mark.django_db

LIST = "/admin/scripts_tracker/script/"


class Reader:
    """Follows links, as a person would."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.open(LIST)

    def open(self, address: str) -> None:
        response = self._client.get(address, follow=True)
        assert response.status_code == 200
        self.address = response.request["PATH_INFO"]
        self.page = response.content.decode()
        self.text = unescape(re.sub(r"<[^>]*>", " ", self.page))

    def click(self, pattern: str) -> None:
        """Click the first link whose text matches."""
        links = re.findall(r'<a [^>]*?href="([^"]*)"[^>]*>(.*?)</a>', self.page, re.DOTALL)
        (address, *_) = [
            unescape(address)
            for address, text in links
            if re.fullmatch(pattern, re.sub(r"<[^>]*>|\s+", " ", text).strip())
        ]
        self.open(urljoin(self.address, address))


@pytest.fixture
def ada(jobs: Jobs, client: Client) -> Reader:
    jobs.script("bad", "print('row 86'); raise RuntimeError('the disk is full')")
    for name in ("by_hand", "too"):
        jobs.script(name, "raise CommandError('no rates')")
    jobs.run(continue_on_error=True)
    client.force_login(User.objects.create_superuser("ada"))
    return Reader(client)


def test_from_the_list_to_the_output_of_what_failed(ada: Reader) -> None:
    assert "You have 3 failed management scripts. Run 'python manage.py show_script jobs.bad'" in ada.text
    ada.click("jobs.bad")
    assert "RuntimeError: the disk is full" in ada.text
    shown = commands(ada.text)
    assert [words[0] for words in shown] == ["run_scripts", "check_scripts"]
    ada.click(r"(?i).*run \d+.*|.*\d{4}-\d\d-\d\d.*|.*output.*")
    assert "row 86" in ada.text
    assert "attempt.py" not in ada.text
    assert "RuntimeError: the disk is full" in ada.text


def test_what_the_page_of_a_failed_script_says_to_type_works(ada: Reader) -> None:
    ada.click("jobs.bad")
    shown = commands(ada.text)
    assert shown
    for name, *arguments in shown:
        with contextlib.suppress(CommandError) if name == "run_scripts" else contextlib.nullcontext():
            call_command(name, *arguments, verbosity=0)


def test_a_page_shows_a_reason_without_the_name_of_a_class(ada: Reader) -> None:
    ada.click("jobs.too")
    assert "no rates" in ada.text
    assert "CommandError: no rates" not in ada.text.partition("Traceback")[0]


def test_several_are_marked_with_one_reason(ada: Reader, client: Client, jobs: Jobs) -> None:
    ada.click("(?i)mark several.*")
    values = re.findall(r'name="script" value="([^"]*)"[^>]*> <span>jobs\.(?:by_hand|too) ', ada.page)
    answer = client.post(
        ada.address, {"reason": "done by hand, see OPS-7", "script": [*map(unescape, values)]}, follow=True
    )
    assert "Marked 2 scripts as applied: jobs.by_hand, jobs.too." in answer.content.decode()
    assert jobs.states() == {"bad": "failed", "by_hand": "applied", "too": "applied"}
    ada.open(LIST)
    assert "You have 1 failed management script. Run 'python manage.py show_script jobs.bad'" in ada.text
