"""Decisions in the admin beside each other, with ATOMIC_REQUESTS: a page and a message, whatever the database raises."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.admin.projects import add_admin
from tests.running.shops import Shop
from tests.running.test_mixed_races import LEVELS
from tests.switches import at_length

PEOPLE, DECISIONS = 4, at_length(40, sample=6)

DECIDE = """
import os, django
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
django.setup()
import json, re
from django.contrib.auth.models import User
from django.test import Client

client = Client(raise_request_exception=True)
client.force_login(User.objects.get(username="ada{number}"))
codes, messages = [], []
for each in range({decisions}):
    name = ("mark", "unmark")[(each + {number}) % 2]
    path = f"/admin/scripts_tracker/script/shop.fix/{{name}}/"
    page = client.get(path)
    seen = re.search(r'name="seen" value="([^"]*)"', page.content.decode())
    if seen:
        page = client.post(path, {{"reason": "\\u00fc {number}.{{each}}", "seen": seen[1]}})
    codes.append(page.status_code)
    if page.status_code == 302:
        text = client.get(page.url).content.decode()
        messages += re.findall(r'<li class="(?:error|success)">(.*?)</li>', text)
print(json.dumps([codes, messages]))
"""
PEOPLE_CODE = """
from django.contrib.auth.models import User
for number in range(4):
    User.objects.create_superuser(f"ada{number}", "ada@example.com", "secret")
"""
DOCUMENTED = (
    "Marked shop.fix as applied.",
    "Unmarked shop.fix: it is no longer applied.",
    "The script shop.fix was not changed: already applied.",
    "The script shop.fix was not changed: it is not applied, so there is nothing to unmark.",
    "The script shop.fix was not changed: another process ran or marked it in the meantime.",
)


@pytest.mark.parametrize("level", [*LEVELS][1:])
def test_everyone_gets_a_page_and_every_decision_has_its_log_entry(shop: Shop, level: str) -> None:
    project = shop.project
    project.settings(LEVELS[level][project.kind.engine])
    project.settings("DATABASES['default']['ATOMIC_REQUESTS'] = True")
    add_admin(project)
    project.migrate()
    project.python(PEOPLE_CODE)
    project.command("shop.fix")
    code = [("-c", DECIDE.format(number=number, decisions=DECISIONS)) for number in range(PEOPLE)]
    people = shop.start(*code)
    for person in people:
        assert person.wait() == 0, person.err
    answers = [json.loads(person.out) for person in people]
    assert {code for codes, _ in answers for code in codes} <= {200, 302}
    messages = Counter(message for _, found in answers for message in found)
    assert not {*messages} - {*DOCUMENTED}
    done = sum(messages[text] for text in DOCUMENTED[:2])
    (decided,) = project.execute(
        "SELECT COUNT(*) FROM scripts_tracker_scriptrun WHERE kind IN ('mark', 'unmark')"
    )
    (logged,) = project.execute("SELECT COUNT(*) FROM django_admin_log")
    assert decided == logged == (done,)
