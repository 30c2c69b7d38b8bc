"""How many statements a run adds to those of its script, in a process of its own, beside the heartbeat's."""

from __future__ import annotations

import json

import pytest

from tests.databases.fixtures import HostedProject
from tests.running.walks import HIT, Walks

MOST = 8
# Once for each place, the first run there adds its row.
NEW_PLACE = 'INSERT INTO "scripts_tracker_scriptenvironment"'

# Every statement on this thread's connection, with what Django sends through a cursor to mark a savepoint.
COUNT = """
import json
from django.core.management import call_command
from django.db import connection

found = []

def count(execute, sql, *others):
    found.append(sql)
    return execute(sql, *others)

with connection.cursor() as cursor:
    cursor.execute("SELECT 1")  # what Django asks of a new connection

for _ in range(2):
    with connection.execute_wrapper(count):
        call_command("fix")
    print(json.dumps(found))
    found.clear()
"""


def statements(project: HostedProject) -> list[list[str]]:
    """Those of two runs, one after the other."""
    return [json.loads(line) for line in project.python(COUNT).out.splitlines() if line.startswith("[")]


def never_seen(project: HostedProject) -> None:
    pass


def modified(project: HostedProject) -> None:
    project.manage("fix")
    path = project.path("shop.fix")
    path.write_text(path.read_text().replace("done", "done again"))


def failed(project: HostedProject) -> None:
    project.execute("UPDATE effect SET name = 'broken'")
    project.manage("fix", code=1)
    project.execute("UPDATE effect SET name = 'whole'")


def lost(project: HostedProject) -> None:
    project.manage("fix")
    project.execute("UPDATE scripts_tracker_scriptrun SET outcome = 'running', pid = NULL, process = ''")
    project.execute("UPDATE scripts_tracker_script SET lease_expires = 0")


BODY = """\
from django.db import connection
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM effect")
            assert cursor.fetchone() == ("whole",)
        self.stdout.write("done")"""


@pytest.mark.parametrize("before", [never_seen, modified, failed, lost], ids=lambda before: before.__name__)
@pytest.mark.parametrize("options", ["", "atomic=True"], ids=["plain", "atomic"])
def test_a_run_adds_at_most_eight_statements(hosted: HostedProject, before: object, options: str) -> None:
    assert callable(before)
    hosted.execute("CREATE TABLE effect (name varchar(100))")
    hosted.execute("INSERT INTO effect VALUES ('whole')")
    hosted.command("shop.fix", decorators=f"@tracked_script({options})", body=BODY)
    before(hosted)
    first, second = statements(hosted)
    assert not any("INSERT" in sql and "scriptenvironment" in sql for sql in second)
    for run in (first, second):
        own = [sql for sql in run if "FROM effect" in sql]
        assert len(own) == 1
        ours = [sql for sql in run if sql not in own and not sql.replace("`", '"').startswith(NEW_PLACE)]
        assert len(ours) <= MOST, "\n".join(ours)


# What process() sees go by from one call of it to the next: its own statement, and those of the batch around it.
COUNTING = """\
from collections import Counter
COUNTS = []
def count(execute, sql, *others):
    COUNTS[-1] += 1
    return execute(sql, *others)"""
COUNTED = f"""\
COUNTS or connection.execute_wrappers.append(count)
        COUNTS.append(0)
        {HIT}"""
# A savepoint proves on MariaDB that the transaction is still the same; it takes two.
OF_A_BATCH = {
    "postgresql": ("postgresql", "", 2),
    "postgresql, where the server binds": ("postgresql", "{'server_side_binding': True}", 3),
    "pgbouncer": ("pgbouncer", "", 2),
    "mariadb": ("mariadb", "", 4),
}


@pytest.mark.parametrize(("kind_name", "options", "most"), OF_A_BATCH.values(), ids=OF_A_BATCH)
def test_a_batch_adds_few_statements(walks: Walks, options: str, most: int) -> None:
    if options:
        walks.shop.project.settings(f"DATABASES['default']['OPTIONS'] = {options}")
    walks.rows(range(320))
    walks.script(COUNTED, size=4, before=COUNTING, finish="effect(str(Counter(COUNTS).most_common(1)[0][0]))")
    done = walks.shop.run("walk")
    assert (done.code, done.err) == (0, "")
    assert walks.hits() == {1: 320}
    assert walks.shop.effects() == {str(1 + most): 1}
