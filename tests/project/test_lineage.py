"""Moved files, renamed apps, and releases older than what was applied."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from scripts_tracker.core import renames
from scripts_tracker.core.states import statuses
from tests.builders import definition, record, run, script_id

if TYPE_CHECKING:
    from tests.conftest import Project
    from tests.databases.fixtures import HostedProject


@pytest.fixture
def shop(migrated: Project) -> Project:
    return migrated


def git(project: Project, *arguments: str) -> str:
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=project.root, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def commit(project: Project, message: str = "change") -> str:
    git(project, "add", "-A", ".")
    git(project, "commit", "-q", "--allow-empty", "-m", message)
    return git(project, "rev-parse", "HEAD")


@pytest.fixture
def repository(shop: Project) -> Project:
    git(shop, "init", "-q")
    shop.write(".gitignore", "*.sqlite3\n*.pyc\n.scripts_tracker_cache\n")
    shop.command("shop.old", body="self.stdout.write('same')")
    shop.path("shop.old").write_text(shop.path("shop.old").read_text().replace("Does old", "Does it"))
    commit(shop)
    shop.manage("old")
    return shop


def move(project: Project, *, copies: bool = False) -> None:
    project.path("shop.new").write_bytes(project.path("shop.old").read_bytes())
    if not copies:
        project.path("shop.old").unlink()


def test_a_file_that_moved_in_one_commit_is_moved_and_named(repository: Project) -> None:
    move(repository)
    assert repository.states()["shop.new"] == "moved"
    commit(repository)
    assert repository.states()["shop.new"] == "moved"
    for command in ("run_scripts", "migrate"):
        report = " ".join(repository.manage(command).out.split())
        assert "shop.old" in report
        assert "whose file is gone" in report
    repository.manage("check_scripts", "--check")


def test_without_a_repository_a_file_with_the_same_code_is_moved(shop: Project) -> None:
    shop.command("shop.old")
    shop.path("shop.old").write_text(shop.path("shop.old").read_text().replace("Does old", "Does it"))
    shop.manage("old")
    move(shop)
    assert shop.states()["shop.new"] == "moved"


def test_the_code_of_a_script_that_was_deleted_long_ago_is_new(repository: Project) -> None:
    source = repository.path("shop.old").read_bytes()
    repository.path("shop.old").unlink()
    commit(repository)
    repository.path("shop.new").write_bytes(source)
    assert repository.states()["shop.new"] == "new"
    commit(repository)
    assert repository.states()["shop.new"] == "new"
    report = " ".join(repository.manage("check_scripts").out.split())
    assert "shop.old, which was deleted earlier, had the same code" in report


def test_a_copy_that_stood_beside_its_original_is_new(repository: Project) -> None:
    move(repository, copies=True)
    commit(repository)
    repository.path("shop.old").unlink()
    commit(repository)
    assert repository.states()["shop.new"] == "new"


RENAMED = 'SCRIPTS_TRACKER = {"renamed_apps": {"shop": "sales"}}'


def rename(project: Project) -> None:
    (project.root / "shop").rename(project.root / "sales")
    for file in (project.root / "sales").rglob("*.py"):
        file.write_text(file.read_text().replace("shop", "sales"))
    settings = project.root / "settings.py"
    settings.write_text(settings.read_text().replace('"shop"', '"sales"').replace("'shop'", "'sales'"))


@pytest.fixture
def renamed(shop: Project) -> Project:
    for name in ("one", "two", "three"):
        shop.command(f"shop.{name}", body=f"import shop; self.stdout.write(shop.__name__ + {name!r})")
        shop.manage(name)
    rename(shop)
    return shop


def test_without_the_setting_everything_is_new_and_a_hint_names_it(renamed: Project) -> None:
    states = renamed.states()
    assert [states[f"sales.{name}"] for name in ("one", "two", "three")] == ["new"] * 3
    for command in (("check_scripts",), ("run_scripts", "--plan"), ("migrate",)):
        assert '"renamed_apps": {"shop": "sales"}' in " ".join(renamed.manage(*command).out.split())


def test_with_the_setting_the_history_goes_on(renamed: Project) -> None:
    renamed.settings(RENAMED)
    assert set(renamed.states().values()) == {"applied"}
    plan = renamed.manage("run_scripts", "--plan").out
    assert "Renamed (3):" in plan
    assert "sales.one: has the history of shop.one" in plan
    assert "sales has the history of shop: 3 scripts" in renamed.manage("check_scripts").out
    assert "No scripts to run." in renamed.manage("run_scripts").out


ROWS = "from scripts_tracker.models import Script; print(*sorted(map(str, Script.objects.all())))"


def test_a_run_under_the_new_label_keeps_the_row(renamed: Project) -> None:
    renamed.settings(RENAMED)
    renamed.manage("one")
    assert renamed.python(ROWS).out.split() == ["sales.one", "shop.three", "shop.two"]
    renamed.manage("check_scripts", "--unmark", "sales.two")
    assert renamed.python(ROWS).out.split() == ["sales.one", "sales.two", "shop.three"]
    assert renamed.states() == {"sales.one": "applied", "sales.two": "new", "sales.three": "applied"}
    assert renamed.manage("show_script", "sales.one", "--history").out.count("succeeded") >= 2


def test_a_script_with_a_history_of_its_own_keeps_it(renamed: Project) -> None:
    renamed.manage("one")
    renamed.settings(RENAMED)
    renamed.manage("one")
    assert "shop.one" in renamed.python(ROWS).out.split()
    assert renamed.states()["sales.one"] == "applied"


def test_an_installed_app_is_not_a_renamed_one(shop: Project) -> None:
    shop.command("shop.fix")
    shop.manage("fix")
    shop.app("sales")
    shop.command("sales.fix")
    shop.settings(f'INSTALLED_APPS += ["sales"]\n{RENAMED}')
    assert shop.states() == {"shop.fix": "applied", "sales.fix": "new"}


def test_a_wrong_value_of_the_setting_is_reported(shop: Project) -> None:
    shop.settings('SCRIPTS_TRACKER = {"renamed_apps": ["shop", "sales"]}')
    assert "renamed_apps" in shop.manage("check", code=1).err


def edit(project: Project, text: str) -> None:
    project.command("shop.fix", body=text)


@pytest.fixture
def released(shop: Project) -> Project:
    """Two releases: the second is applied."""
    git(shop, "init", "-q")
    shop.write(".gitignore", "*.sqlite3\n*.pyc\n.scripts_tracker_cache\n")
    edit(shop, "self.stdout.write('first')")
    commit(shop)
    git(shop, "branch", "first")
    edit(shop, "self.stdout.write('second')")
    commit(shop)
    shop.manage("fix")
    return shop


def test_a_newer_release_is_modified(released: Project) -> None:
    edit(released, "self.stdout.write('third')")
    assert released.states() == {"shop.fix": "modified"}
    commit(released)
    assert released.states() == {"shop.fix": "modified"}


def test_an_older_release_is_not_run_over_a_newer_one(released: Project) -> None:
    git(released, "checkout", "-q", "first")
    assert released.states() == {"shop.fix": "reverted"}
    released.manage("check_scripts", "--check")
    assert "first" not in released.manage("run_scripts").out
    named = released.manage("run_scripts", "fix").out
    assert "this version is older than the one that was applied" in " ".join(named.split())
    assert "To run it anyway: manage.py fix" in " ".join(named.split())
    assert "first" in released.manage("fix").out


def test_a_branch_that_left_before_the_change_is_an_older_release_too(released: Project) -> None:
    git(released, "checkout", "-q", "-b", "hotfix", "first")
    released.write("shop/other.py", "")
    commit(released)
    assert released.states() == {"shop.fix": "reverted"}
    edit(released, "self.stdout.write('hotfix')")
    assert released.states() == {"shop.fix": "modified"}
    commit(released)
    assert released.states() == {"shop.fix": "modified"}


def test_the_ledger_knows_a_version_that_failed_before_without_git(shop: Project) -> None:
    edit(shop, "raise ValueError")
    shop.manage("fix", code=1)
    edit(shop, "self.stdout.write('second')")
    shop.manage("fix")
    edit(shop, "raise ValueError")
    assert shop.states() == {"shop.fix": "reverted"}
    edit(shop, "raise KeyError")
    assert shop.states() == {"shop.fix": "modified"}


def test_one_script_of_the_same_name_is_no_renamed_app() -> None:
    gone = record("orders.fix", "a")
    assert renames.hint(statuses([definition("sales.fix", "b")], {gone.id: gone})) == ""


def test_scripts_of_other_names_are_no_renamed_app() -> None:
    gone = {one.id: one for one in (record("orders.a", "a"), record("orders.b", "b"))}
    found = [definition(f"sales.{name}", "c") for name in ("c", "d")]
    assert renames.hint(statuses(found, gone)) == ""


CHAINS = {
    "nothing": ({}, set(), []),
    "one rename": ({"a": "c"}, {"c"}, ["a"]),
    "two renames": ({"b": "c", "a": "b"}, {"c"}, ["b", "a"]),
    "an app of the name before is installed": ({"a": "b", "b": "c"}, {"b", "c"}, []),
    "renames that lead back": ({"a": "b", "b": "a"}, {"c"}, []),
    "an app of its own name": ({"c": "c"}, set(), []),
}


@pytest.mark.parametrize(("renamed", "installed", "expected"), CHAINS.values(), ids=CHAINS)
def test_an_app_that_was_renamed_twice_keeps_the_history_of_both(
    renamed: dict[str, str], installed: set[str], expected: list[str]
) -> None:
    found = renames.origins([script_id("c.fix")], renamed, installed)
    assert list(found) == [(script_id(f"{label}.fix"), script_id("c.fix")) for label in expected]


def test_a_script_with_a_record_of_its_own_is_not_carried_over() -> None:
    old, new = record("orders.fix", "a"), record("sales.fix", last_run=run("failed"))
    pairs = [(old.id, new.id), (script_id("orders.other"), script_id("sales.other"))]
    assert renames.carried_over({old.id: old, new.id: new}, pairs) == ({old.id: old, new.id: new}, {})


def test_a_renamed_script_that_was_edited_too_is_modified(renamed: Project) -> None:
    renamed.settings(RENAMED)
    file = renamed.root / "sales/management/commands/one.py"
    file.write_text(file.read_text().replace("__name__", "__file__"))
    assert renamed.states()["sales.one"] == "modified"


def test_the_rows_of_a_renamed_app_are_carried_over_on_every_database(hosted: HostedProject) -> None:
    for name in ("one", "two", "own"):
        hosted.command(f"shop.{name}")
        hosted.manage(name)
    rename(hosted)
    hosted.manage("own")
    hosted.settings(RENAMED)
    assert set(hosted.states().values()) == {"applied", "missing"}
    hosted.manage("one")
    hosted.manage("own")
    hosted.manage("check_scripts", "--unmark", "sales.two")
    rows = hosted.execute("SELECT app_label, name FROM scripts_tracker_script ORDER BY app_label, name")
    assert [tuple(row) for row in rows] == [
        ("sales", "one"),
        ("sales", "own"),
        ("sales", "two"),
        ("shop", "own"),
    ]
    assert hosted.states()["sales.two"] == "new"


def test_a_release_carries_the_row_of_a_renamed_app_first(renamed: Project) -> None:
    renamed.settings(RENAMED)
    renamed.python(
        "from scripts_tracker.models import Script, ScriptRun\n"
        "row = Script.objects.get(name='one')\n"
        "run = ScriptRun.objects.create(script=row, kind='run', outcome='running', started_at=row.last_run.started_at,"
        " host='elsewhere')\n"
        "Script.objects.filter(pk=row.pk).update(last_run=run, lease_expires=4102444800)"
    )
    assert renamed.states()["sales.one"] == "running"
    renamed.manage("check_scripts", "--release", "sales.one", "--reason", "gone")
    labels = renamed.python(
        "from scripts_tracker.models import *; print(Script.objects.get(name='one').app_label)"
    )
    assert labels.out.strip() == "sales"
