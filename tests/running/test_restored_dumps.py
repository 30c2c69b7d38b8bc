"""A dump that was restored beside its original: nothing of what runs there runs, holds or counts as running here."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scripts_tracker.ledger import statements
from tests.databases import dumps
from tests.databases.fixtures import HostedProject
from tests.databases.kinds import PostgreSQL
from tests.running.shops import Shop
from tests.running.walks import Walks

Restore = Callable[..., Shop]


@pytest.fixture
def restored(shop: Shop) -> Iterator[Restore]:
    """Restores a dump of the shop's database beside it, for a copy of its code with another name; drops it at the end."""
    project = shop.project
    copies: list[str] = []

    def restore(name: str) -> Shop:
        root = project.root.with_name(f"a copy {len(copies)}")
        shutil.copytree(project.root, root, ignore=shutil.ignore_patterns("*.sqlite3*"))
        is_file = project.kind.engine == "sqlite"
        database = str(root / "db.sqlite3") if is_file else f"{project.database}_{len(copies)}"
        copies.append(database)
        dumps.restore(project.kind, project.database, database, root.with_suffix(".dump"))
        copy = object.__new__(Shop)
        copy.__dict__ = {**shop.__dict__}
        copy.project = HostedProject(root, project.env, project.kind, database)
        copy.project.settings(project.kind.settings(database))
        call_it(copy, name)
        return copy

    yield restore
    for database in copies:
        project.kind.drop(database)


def call_it(shop: Shop, name: str) -> None:
    shop.project.settings(f"SCRIPTS_TRACKER['environment'] = {name!r}")


def scripts(shop: Shop) -> dict[str, Any]:
    document = json.loads(shop.run("check_scripts", "--all", "--format", "json").out)
    return {one["script"]: (one["state"], one["inherited_from"]) for one in document["scripts"]}


def test_a_dump_that_was_made_during_a_run(shop: Shop, restored: Restore) -> None:
    call_it(shop, "production")
    shop.script("shop.quick", "effect('quick')")
    shop.script("shop.slow", "effect('slow'); hold('slow')")
    assert shop.run("quick").code == 0
    holder = shop.hold("slow", "slow")

    copy = restored("staging")
    assert scripts(copy) == {"shop.quick": ("applied", "production"), "shop.slow": ("lost", "production")}
    assert re.search(
        r"shop\.quick: applied \(inherited from production, \d{4}-\d\d-\d\d\)\n",
        copy.run("check_scripts", "--all").out,
    )
    copy.go("slow")
    done = copy.run("run_scripts")
    assert (done.code, done.out.splitlines()[-1]) == (0, "1 done, 0 failed, 0 blocked, 0 skipped.")
    assert copy.outcomes() == ["succeeded", "lost", "succeeded"]
    assert scripts(copy) == {"shop.quick": ("applied", "production"), "shop.slow": ("applied", None)}

    assert scripts(shop) == {"shop.quick": ("applied", None), "shop.slow": ("running", None)}
    shop.go("slow")
    assert holder.wait() == 0, holder.err
    assert scripts(shop) == {"shop.quick": ("applied", None), "shop.slow": ("applied", None)}
    assert shop.outcomes() == ["succeeded", "succeeded"]


def test_a_dump_without_names_is_asked_about_and_holds_what_it_held_until_then(
    shop: Shop, restored: Restore
) -> None:
    shop.script("shop.slow", "hold('slow')")
    holder = shop.hold("slow", "slow")
    copy = restored("")
    asked = copy.run("check_scripts", "--all")
    assert "This database is:\n" in asked.out
    assert scripts(copy) == {"shop.slow": ("running", None)}
    said = copy.run("check_scripts", "--environment-copied", "--reason", "a preview")
    assert "Recorded as lost here: 1 run" in said.out
    assert scripts(copy) == {"shop.slow": ("lost", "another database")}
    shop.go("slow")
    assert holder.wait() == 0, holder.err
    assert "This database is:" not in shop.run("check_scripts").out


def test_the_same_environment_on_another_server_is_the_same(shop: Shop, restored: Restore) -> None:
    call_it(shop, "production")
    shop.script("shop.slow", "effect('slow'); hold('slow')")
    holder = shop.hold("slow", "slow")
    there = restored("production")
    assert scripts(there) == {"shop.slow": ("running", None)}
    assert "This database is:" not in there.run("check_scripts").out
    shop.go("slow")
    assert holder.wait() == 0, holder.err


def test_a_dump_that_was_made_during_a_batched_script(walks: Walks, restored: Restore) -> None:
    call_it(walks.shop, "production")
    walks.rows(range(160))
    walks.script(
        'if batch.filter(pk=57).exists():\n            hold("slow")\n        batch.update(hits=F("hits") + 1)'
    )
    holder = walks.shop.hold("slow", "walk")
    copy = restored("staging")
    assert scripts(copy) == {"shop.walk": ("lost", "production")}
    copy.go("slow")
    done = copy.run("walk")
    assert done.code == 0, done.err
    hits = "SELECT hits, COUNT(*) FROM shop_row GROUP BY hits"
    assert copy.project.execute(hits) == [(1, 160)]
    walks.shop.go("slow")
    assert holder.wait() == 0, holder.err
    assert walks.hits() == {1: 160}
    assert walks.shop.outcomes() == ["succeeded"]


def test_runs_from_before_the_upgrade_are_of_the_place_that_was_upgraded(
    shop: Shop, restored: Restore
) -> None:
    call_it(shop, "production")
    shop.script("shop.quick", "effect('quick')")
    assert shop.run("quick").code == 0
    for target in ("0006", "0007"):
        moved = shop.run("migrate", "scripts_tracker", target)
        assert moved.code == 0, moved.err
    assert scripts(shop) == {"shop.quick": ("applied", None)}
    assert scripts(restored("staging")) == {"shop.quick": ("applied", "production")}


IDENTITIES = {
    "sqlite": r"sqlite:\d+:/.*db\.sqlite3",
    "postgresql": r"postgresql:\d{10,}:\d+",
    "mariadb": r"mysql:[^:]{8,}:scripts_tracker_\w+",
}


def test_a_database_says_who_it_is(shop: Shop) -> None:
    shop.script("shop.quick", "effect('quick')")
    assert shop.run("quick").code == 0
    ((identity,),) = shop.project.execute("SELECT identity FROM scripts_tracker_scriptenvironment")
    assert re.fullmatch(IDENTITIES[shop.project.kind.engine], identity)


FORBIDDEN = {
    "forbidden": "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC",
    "missing": "ALTER FUNCTION pg_catalog.pg_control_system() RENAME TO gone",
}


@pytest.mark.parametrize("kind_name", ["postgresql"])
@pytest.mark.parametrize("change", FORBIDDEN.values(), ids=FORBIDDEN)
def test_where_the_server_may_not_be_asked_the_database_is_known(hosted: HostedProject, change: str) -> None:
    assert isinstance(hosted.kind, PostgreSQL)
    role = f"{hosted.database}_role"
    with hosted.kind.connected(hosted.database) as connection:
        for statement in ("BEGIN", f"CREATE ROLE {role}", change, f"SET LOCAL ROLE {role}"):
            connection.execute(statement)
        found = connection.execute(f"SELECT {statements._IDENTITIES['postgresql']}").fetchone()
        connection.execute("ROLLBACK")
    assert found is not None
    assert re.fullmatch(r"postgresql::\d+", found[0])
