"""Rehearsals: scripts run, what they change is counted, and nothing of it is left."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DEMO, PLAIN
from tests.databases.fixtures import SERVERS, HostedProject, Hosts
from tests.running.shops import Shop

MODELS = """\
from django.db import models

class Item(models.Model):
    name = models.CharField(max_length=100, unique=True)
    count = models.IntegerField(default=0)
    class Meta:
        db_table = "item"
        managed = False

class Part(models.Model):
    item = models.ForeignKey(Item, on_delete=models.CASCADE)
    class Meta:
        db_table = "part"
        managed = False
"""
KEYS = {
    "sqlite": "integer PRIMARY KEY AUTOINCREMENT",
    "postgresql": "bigserial PRIMARY KEY",
    "mariadb": "bigint AUTO_INCREMENT PRIMARY KEY",
}
IMPORTS = (
    "from django.db import connection, transaction, IntegrityError; from shop.models import Item, Part;"
    " from django.core import mail; from django.core.management.base import CommandError;"
    " from django.db.models import F; sql = lambda *a: connection.cursor().execute(*a)\n        "
)

Counts = tuple[int | None, int | None, int | None]


def counts(**tables: Counts) -> dict[str, Counts]:
    return tables


# What a script does: what its report has of each changed table (inserted, updated, deleted).
DONE: dict[str, tuple[str, dict[str, Counts]]] = {
    "creates": ("Item.objects.create(name='new')", counts(item=(1, 0, 0))),
    "creates_many": (
        "Item.objects.bulk_create([Item(name=f'n{n}') for n in range(250)], batch_size=100)",
        counts(item=(250, 0, 0)),
    ),
    "ignores_conflicts": (
        "Item.objects.bulk_create([Item(name='a'), Item(name='z')], ignore_conflicts=True)",
        counts(item=(1, 0, 0)),
    ),
    "saves": ("[one.save() for one in Item.objects.all()]", counts(item=(0, 3, 0))),
    "updates": ("Item.objects.update(count=F('count') + 1)", counts(item=(0, 3, 0))),
    "deletes_with_what_belongs_to_it": (
        "Item.objects.get(name='a').delete()",
        counts(item=(0, 0, 1), part=(0, 0, 2)),
    ),
    "raw_sql": (
        "sql('INSERT INTO effect (name) VALUES (%s)', ['x']); sql(\"UPDATE item SET count = 7 WHERE name <> 'a'\")",
        counts(effect=(1, 0, 0), item=(0, 2, 0)),
    ),
    "many_in_one_call": (
        "connection.cursor().executemany('INSERT INTO effect (name) VALUES (%s)', [['a'], ['b'], ['c']])",
        counts(effect=(3, 0, 0)),
    ),
    "reads_in_pieces": (
        "[one.save() for one in Item.objects.iterator(chunk_size=1)]",
        counts(item=(0, 3, 0)),
    ),
    "nothing": ("list(Item.objects.all())", {}),
    "an_error_that_is_caught": (
        (
            "try:\n            Item.objects.create(name='a')\n        except IntegrityError:\n"
            "            Item.objects.create(name='b2')"
        ),
        counts(item=(1, 0, 0)),
    ),
    "an_error_of_raw_sql_that_is_caught": (
        "try:\n            sql('SELECT nothing')\n        except Exception:\n            Item.objects.create(name='b3')",
        counts(item=(1, 0, 0)),
    ),
    "what_it_rolls_back_itself": (
        (
            "try:\n            with transaction.atomic():\n                Item.objects.update(count=1)\n"
            "                raise ValueError\n        except ValueError:\n            Item.objects.filter(name='a').update(count=2)"
        ),
        counts(item=(0, 1, 0)),
    ),
    "what_it_rolls_back_to_a_savepoint": (
        (
            "with transaction.atomic():\n            Item.objects.filter(name='a').update(count=3)\n"
            "            sid = transaction.savepoint()\n            Item.objects.all().delete()\n"
            "            transaction.savepoint_rollback(sid)"
        ),
        counts(item=(0, 1, 0)),
    ),
    "what_it_rolls_back_to_a_savepoint_in_sql": (
        (
            "with transaction.atomic():\n            sql('SAVEPOINT mine'); Item.objects.filter(name='a').update(count=3)\n"
            "            sql('SAVEPOINT \"mine\"' if connection.vendor != 'mysql' else 'SAVEPOINT `more`')\n"
            "            sql('UPDATE item SET count = 4')\n"
            "            sql('ROLLBACK TO SAVEPOINT ' + ('mine' if connection.vendor != 'mysql' else 'more'))\n"
            "            sql('UPDATE item SET count = 5 WHERE 1 = 0')"
        ),
        counts(item=(0, 1, 0)),
    ),
    "a_savepoint_in_sql_that_is_released": (
        (
            "with transaction.atomic():\n            sql('SAVEPOINT mine'); Item.objects.filter(name='a').update(count=3)\n"
            "            sql('RELEASE SAVEPOINT mine')\n"
            "            sql('SAVEPOINT mine'); Item.objects.all().update(count=4); sql('/* all */ ROLLBACK TO mine')"
        ),
        counts(item=(0, 1, 0)),
    ),
    "a_durable_block": (
        "with transaction.atomic(durable=True):\n            Item.objects.filter(name='a').update(count=3)",
        counts(item=(0, 1, 0)),
    ),
    "transactions_of_its_own": (
        (
            "transaction.set_autocommit(False); Item.objects.update(count=5); transaction.rollback();"
            " Item.objects.filter(name='b').update(count=5); transaction.commit(); transaction.set_autocommit(True)"
        ),
        counts(item=(0, 1, 0)),
    ),
    "a_connection_that_it_closes": (
        (
            "Item.objects.filter(name='a').update(count=9); connection.close();"
            " assert Item.objects.get(name='a').count == 9"
        ),
        counts(item=(0, 1, 0)),
    ),
    "a_command_that_it_calls": (
        "from django.core.management import call_command; call_command('creates')",
        counts(item=(1, 0, 0)),
    ),
}
# By the kind of database, as its SQL differs.
RAW: dict[str, dict[str, tuple[str, dict[str, Counts]]]] = {
    "sqlite": {
        "with_update": (
            "sql('WITH x AS (SELECT 1) UPDATE item SET count = 4')",
            counts(item=(0, 3, 0)),
        ),
        "upsert": (
            "sql(\"INSERT INTO item (name, count) VALUES ('a', 1) ON CONFLICT (name) DO UPDATE SET count = 2\")",
            counts(item=(None, None, 0)),
        ),
        "replaces": (
            "sql(\"INSERT OR REPLACE INTO item (id, name, count) VALUES (3, 'c', 1)\")",
            counts(item=(1, 0, None)),
        ),
    },
    "postgresql": {
        "with_update": (
            "sql('WITH x AS (DELETE FROM part RETURNING 1) UPDATE item SET count = 4')",
            counts(item=(0, 3, 0), part=(0, 0, None)),
        ),
        "upsert": (
            "sql(\"INSERT INTO item (name, count) VALUES ('a', 1) ON CONFLICT (name) DO UPDATE SET count = 2\")",
            counts(item=(None, None, 0)),
        ),
        "copies": (
            "with connection.cursor().copy('COPY effect FROM STDIN') as copy:\n            copy.write('a')",
            {},
        ),
        "truncates": ("sql('TRUNCATE part')", counts(part=(0, 0, None))),
        "merges": (
            "sql('MERGE INTO item USING part ON part.item_id = item.id WHEN NOT MATCHED THEN DO NOTHING')",
            counts(item=(None, None, None)),
        ),
        "changes_a_table": ("sql('ALTER TABLE item ADD COLUMN x int'); sql('DROP TABLE part')", {}),
    },
    "mariadb": {
        "upsert": (
            "sql(\"INSERT INTO item (name, count) VALUES ('a', 1) ON DUPLICATE KEY UPDATE count = 2\")",
            counts(item=(None, None, 0)),
        ),
        "replaces": (
            "sql(\"REPLACE INTO item (id, name, count) VALUES (3, 'c', 1)\")",
            counts(item=(None, 0, None)),
        ),
        "joined": (
            "sql('UPDATE item JOIN part ON part.item_id = item.id SET count = 4')",
            counts(item=(0, None, 0), part=(0, None, 0)),
        ),
    },
}
# What a script does that makes its rehearsal fail, and how its reason begins.
REFUSED = "CommandError: not possible in a rehearsal, and not done: "
FAILS: dict[str, tuple[str, str]] = {
    "fails": ("Item.objects.update(count=99); raise CommandError('no luck')", "no luck"),
    "commits_in_raw_sql": (
        "Item.objects.update(count=99); sql('COMMIT')",
        "COMMIT would end the transaction",
    ),
    "swallows_the_refusal": (
        (
            "Item.objects.update(count=99)\n        try:\n            sql('/* done */ commit')\n"
            "        except Exception:\n            pass"
        ),
        "COMMIT would end the transaction",
    ),
    "leaves_a_transaction_open": (
        "transaction.atomic().__enter__(); Item.objects.update(count=99)",
        "left a transaction open",
    ),
    "connects_in_a_thread": (
        (
            "import threading; threading.excepthook = lambda *_: None\n"
            "        one = threading.Thread(target=lambda: Item.objects.update(count=99)); one.start(); one.join()"
        ),
        "a connection in another thread",
    ),
    "exits": ("Item.objects.update(count=99); raise SystemExit(3)", "SystemExit: 3"),
}
FAILS_ON: dict[str, dict[str, tuple[str, str]]] = {
    "sqlite": {
        "runs_a_script_of_sql": (
            "connection.cursor().executescript('UPDATE item SET count = 99;')",
            "executescript() would end the transaction",
        ),
    },
    "postgresql": {"prepares": ("sql(\"PREPARE TRANSACTION 'x'\")", "PREPARE TRANSACTION would end")},
    "mariadb": {
        "creates_a_table": ("sql('CREATE TABLE x (a int)')", "CREATE TABLE would end the transaction"),
        "truncates": ("sql('TRUNCATE TABLE part')", "TRUNCATE TABLE would end the transaction"),
        "changes_a_table_without_transactions": (
            "sql('UPDATE flat SET a = 1')",
            "an engine without transactions",
        ),
    },
}


class Rehearsed(Shop):
    """A shop with three items, of which the first has two parts."""

    def fill(self) -> None:
        kind = self.project.kind.engine
        self.project.write("shop/models.py", MODELS)
        self.project.settings("EMAIL_BACKEND = 'django.core.mail.backends.smtp.EmailBackend'; EMAIL_PORT = 1")
        for statement in (
            f"CREATE TABLE item (id {KEYS[kind]}, name varchar(100) NOT NULL UNIQUE, count integer NOT NULL)",
            f"CREATE TABLE part (id {KEYS[kind]}, item_id bigint NOT NULL REFERENCES item (id))",
            "INSERT INTO item (name, count) VALUES ('a', 0), ('b', 0), ('c', 0)",
            "INSERT INTO part (item_id) VALUES (1), (1)",
            *(
                ["CREATE TABLE flat (a int) ENGINE=MyISAM", "INSERT INTO flat VALUES (0)"]
                if kind == "mariadb"
                else []
            ),
        ):
            self.project.execute(statement)

    def does(self, name: str, body: str, **facts: Any) -> None:
        self.script(f"shop.{name}", IMPORTS + body, **facts)

    def rehearse(self, *arguments: str, code: int = 0) -> dict[str, dict[str, Any]]:
        """What JSON has of each script, by name."""
        process = self.run("run_scripts", "--rehearse", "--format", "json", *arguments)
        assert process.code == code, process.out + process.err
        return {one["script"].removeprefix("shop."): one for one in json.loads(process.out)["scripts"]}

    def rehearse_each(self, names: Iterable[str]) -> dict[str, dict[str, Any]]:
        """One rehearsal for each script, in one process."""
        done = self.project.python(
            "from django.core.management import call_command\n"
            f"for name in {[*names]}: call_command('run_scripts', name, rehearse=True, format='json'); print(chr(0))"
        )
        documents = map(json.loads, done.out.split("\0")[:-1])
        return {name: one["scripts"][0] for name, one in zip(names, documents, strict=True)}

    def tables(self) -> dict[str, str]:
        return checksums(self.project)


LISTED = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    "postgresql": "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'",
    "mariadb": "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()",
}


def checksums(project: HostedProject) -> dict[str, str]:
    """Of every table but those of the ledger, which has the reports."""
    names = [name for (name,) in project.execute(LISTED[project.kind.engine])]
    own = [name for name in names if not name.startswith("scripts_tracker_")]
    rows = {name: project.execute(f"SELECT * FROM {name}") for name in own}  # noqa: S608 - our own words
    return {name: hashlib.sha256(repr(sorted(rows[name], key=repr)).encode()).hexdigest() for name in own}


def changed(report: dict[str, Any]) -> dict[str, Counts]:
    found = {one["table"]: (one["inserted"], one["updated"], one["deleted"]) for one in report["tables"]}
    return {table: rows for table, rows in found.items() if rows != (0, 0, 0)}


@pytest.fixture
def rehearsed(shop: Shop) -> Rehearsed:
    shop.__class__ = Rehearsed
    assert isinstance(shop, Rehearsed)
    shop.fill()
    return shop


def test_a_report_has_the_rows_that_each_script_changes_and_nothing_of_it_is_left(
    rehearsed: Rehearsed,
) -> None:
    cases = {**DONE, **RAW[rehearsed.project.kind.engine]}
    for name, (body, _) in cases.items():
        rehearsed.does(name, body)
    before = rehearsed.tables()
    found = rehearsed.rehearse_each(cases)
    assert {name: one["reason"] for name, one in found.items()} == dict.fromkeys(cases, "")
    assert {name: changed(one["report"]) for name, one in found.items()} == {
        name: expected for name, (_, expected) in cases.items()
    }
    assert rehearsed.tables() == before
    assert set(rehearsed.states().values()) == {"new"}


def test_a_script_whose_rehearsal_fails_leaves_nothing_and_the_others_go_on(rehearsed: Rehearsed) -> None:
    cases = {**FAILS, **FAILS_ON[rehearsed.project.kind.engine]}
    for name, (body, _) in cases.items():
        rehearsed.does(name, body)
    rehearsed.does(
        "z_last", "assert not Item.objects.filter(count=99).exists(); Item.objects.create(name='last')"
    )
    before = rehearsed.tables()
    found = rehearsed.rehearse("--continue-on-error", code=1)
    assert {name: one["outcome"] for name, one in found.items()} == {
        **dict.fromkeys(cases, "failed"),
        "z_last": "rehearsed",
    }
    for name, (_, reason) in cases.items():
        assert reason in found[name]["reason"], name
    assert rehearsed.tables() == before
    assert rehearsed.outcomes().count("failed") == len(cases)


def test_scripts_see_what_the_ones_before_have_changed(rehearsed: Rehearsed) -> None:
    rehearsed.does("first", "Item.objects.create(name='by first')")
    call = "from django.core.management import call_command; call_command('called')"
    rehearsed.does("second", f"assert Item.objects.get(name='by first'); {call}", requires=("first",))
    rehearsed.does("called", "Item.objects.create(name='called')", requires=("first",))
    found = rehearsed.rehearse("second")
    assert {name: one["outcome"] for name, one in found.items()} == {
        "first": "rehearsed",
        "second": "rehearsed",
    }
    assert changed(found["second"]["report"]) == counts(item=(1, 0, 0))


def test_mail_and_hooks_are_counted_and_not_sent(rehearsed: Rehearsed) -> None:
    rehearsed.does(
        "sends",
        "transaction.on_commit(lambda: 1 / 0)\n        with transaction.atomic():\n"
        "            transaction.on_commit(lambda: 1 / 0); transaction.on_commit(lambda: 1 / 0, robust=True)\n"
        "        mail.send_mail('s', 'b', 'a@b.c', ['d@e.f']); mail.send_mass_mail([('s', 'b', 'a@b.c', ['d@e.f'])] * 2)",
    )
    report = rehearsed.rehearse("sends")["sends"]["report"]
    assert (report["hooks"], report["mails"]) == (3, 3)


def test_what_is_committed_past_django_is_said_loudly(rehearsed: Rehearsed) -> None:
    rehearsed.does(
        "a", "Item.objects.update(count=99); connection.connection.commit(); Item.objects.update(count=98)"
    )
    rehearsed.does("b", "Item.objects.update(count=97)")
    process = rehearsed.run("run_scripts", "--rehearse", "--format", "json", "--continue-on-error")
    assert process.code == 1
    assert "NOT EVERYTHING MAY HAVE BEEN ROLLED BACK in database 'default'" in process.err
    document = json.loads(process.out)
    assert document["not_rolled_back"] == ["default"]
    assert [one["outcome"] for one in document["scripts"]] == ["failed", "skipped"]
    assert "WHAT WAS CHANGED THERE UNTIL THEN MAY BE COMMITTED" in document["scripts"][0]["reason"]
    assert rehearsed.project.execute("SELECT DISTINCT count FROM item") == [(99,)]


ENDS = {"SIGINT": (130, "failed"), "SIGTERM": (143, "failed"), "SIGKILL": (-9, "running")}


@SERVERS
@pytest.mark.parametrize(("name", "expected"), ENDS.items(), ids=ENDS)
def test_a_signal_in_the_middle_leaves_nothing(
    rehearsed: Rehearsed, name: str, expected: tuple[int, str]
) -> None:
    rehearsed.does("first", "Item.objects.create(name='first')")
    rehearsed.does("held", "Item.objects.update(count=99); hold('held')", requires=("first",))
    before = rehearsed.tables()
    process = rehearsed.hold("held", "run_scripts", "--rehearse")
    os.kill(process.pid, signal.Signals[name])
    process.wait()
    assert (process.code, rehearsed.outcomes()[-1]) == expected
    assert rehearsed.tables() == before
    assert set(rehearsed.states().values()) == {"new"}


def test_another_database_is_rolled_back_too(rehearsed: Rehearsed) -> None:
    other = rehearsed.project.kind.engine == "sqlite"
    second = (
        "{**DATABASES['default'], 'NAME': str(BASE_DIR / 'second.sqlite3')}"
        if other
        else "dict(DATABASES['default'])"
    )
    rehearsed.project.settings(f"DATABASES['second'] = {second}")
    rehearsed.project.settings(
        "DATABASES['away'] = {'ENGINE': 'django.db.backends.sqlite3', 'NAME': '/nowhere/db'}"
    )
    if other:
        shutil.copy(rehearsed.project.database, rehearsed.project.root / "second.sqlite3")
    rehearsed.does(
        "a",
        "Item.objects.using('second').update(count=9); transaction.on_commit(lambda: 1 / 0, using='second')",
    )
    report = rehearsed.rehearse("a")["a"]["report"]
    assert [(one["alias"], one["table"], one["updated"]) for one in report["tables"]] == [
        ("second", "item", 3)
    ]
    assert report["hooks"] == 1
    rehearsed.does("a", "Item.objects.using('away').count()")
    process = rehearsed.run("run_scripts", "--rehearse")
    assert process.code == 1
    assert (
        "  Database 'away' cannot be used in this rehearsal: unable to open database file.\n" in process.out
    )


# The demo


@pytest.fixture
def demo_shop(tmp_path: Path, hosts: Hosts, kind_name: str) -> Iterator[HostedProject]:
    """The demo on each kind of database in turn."""
    kind, root = hosts.kind(kind_name), tmp_path / "demo"
    shutil.copytree(DEMO, root, ignore=shutil.ignore_patterns("__pycache__", "*.sqlite3"))
    name = hosts.new_name(kind, root)
    kind.create(name)
    with (root / "shop" / "settings.py").open("a") as settings:
        settings.write(kind.settings(name))
    (root / "consents.csv").write_text("email\nBob@example.fr\n")
    yield HostedProject(root, dict(PLAIN), kind, name)
    kind.drop(name)


def test_the_scripts_of_the_demo_are_rehearsed_and_leave_nothing(demo_shop: HostedProject) -> None:
    demo_shop.manage("migrate", "-v0")
    before = checksums(demo_shop)
    result = demo_shop.manage("run_scripts", "--rehearse", "--format", "json")
    found = {one["script"]: one for one in json.loads(result.out)["scripts"]}
    assert {one["outcome"] for one in found.values()} == {"rehearsed"}
    assert len(found) == 11
    assert checksums(demo_shop) == before
    assert {name: changed(one["report"]) for name, one in found.items()} == CHANGED_IN_THE_DEMO
    assert set(demo_shop.states().values()) == {"new"}
    assert "11 done, 0 failed, 0 blocked, 0 skipped." in demo_shop.manage("run_scripts").out
    assert checksums(demo_shop) != before


CHANGED_IN_THE_DEMO: dict[str, dict[str, Counts]] = {
    "catalog.import_kingston-upon-hull": counts(catalog_product=(2, 0, 0)),
    "catalog.import_vat_rates": counts(catalog_vatrate=(3, 0, 0)),
    "catalog.normalise_skus": counts(catalog_product=(0, 5, 0)),
    "catalog.refresh_search_text": counts(catalog_product=(0, 5, 0)),
    "customers.guess_regions": counts(customers_customer=(0, 4, 0)),
    "customers.import_consents": counts(customers_customer=(0, 1, 0)),
    "customers.lowercase_emails": counts(customers_customer=(0, 4, 0)),
    "customers.merge_duplicates": counts(customers_customer=(0, 0, 1), orders_order=(0, 1, 0)),
    "orders.close_stale_orders": counts(orders_order=(0, 2, 0)),
    "orders.fix_totals": counts(orders_order=(0, 4, 0)),
    "orders.renumber_invoices": counts(orders_order=(0, 4, 0)),
}
