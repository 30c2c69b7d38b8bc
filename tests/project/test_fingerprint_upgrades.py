"""An upgrade (or a downgrade) that changes the fingerprint algorithm, as a project meets it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ENVIRONMENT, MATRIX, Project
from tests.waiting import PATIENCE

# What another algorithm left behind: its own name, digests that ours cannot make, facts that repeat them.
FOREIGN = """
import hashlib, json
from scripts_tracker.models import ScriptVersion
for version in ScriptVersion.objects.all():
    version.digest = hashlib.sha256(f"{algorithm}{{version.digest}}".encode()).hexdigest()
    version.algorithm = {algorithm!r}
    analysis, _, facts = json.loads(version.facts or "[0, 0, 0]")
    version.facts = json.dumps([analysis, version.algorithm, facts]) if facts else ""
    version.save()
"""

ALGORITHMS = """
from scripts_tracker.models import ScriptVersion
print(" ".join(ScriptVersion.objects.order_by("pk").values_list("algorithm", flat=True)))
"""

RUNS = """
from scripts_tracker.models import ScriptRun
print(list(ScriptRun.objects.order_by("pk").values_list()))
"""

# Whatever writes to a version fails, as it does for want of a privilege.
WRITES_FAIL = """
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute(
        "CREATE TRIGGER no_stamps BEFORE UPDATE ON scripts_tracker_scriptversion"
        " BEGIN SELECT RAISE(ABORT, 'no stamps here'); END"
    )
"""

STOCK_TAKEN = """
import sys
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from scripts_tracker.project.status import load_status
def states():
    with CaptureQueriesContext(connection) as queries:
        found = {str(one.id): one.state.value for one in load_status().statuses}
    print(found, len([1 for query in queries if "SELECT" in query["sql"]]))
"""


def use_another_algorithm(project: Project, algorithm: str = "st0") -> None:
    project.python(FOREIGN.format(algorithm=algorithm))


def algorithms(project: Project) -> list[str]:
    return project.python(ALGORITHMS).out.split()


def drop_sources(project: Project, value: str = "None") -> None:
    project.python(f"from scripts_tracker.models import ScriptVersion as V; V.objects.update(source={value})")
    shutil.rmtree(project.root / ".scripts_tracker_cache", ignore_errors=True)


def edit(project: Project, script: str, old: str = "'done'", new: str = "'gone'") -> None:
    file = project.path(script)
    file.write_text(file.read_text().replace(old, new))


def why(project: Project, script: str) -> str:
    """What check_scripts says of a script, wrapped or not."""
    text = " ".join(project.manage("check_scripts", "--all", script).out.split())
    return text[text.index(f"{script}: ") :]


@pytest.fixture
def shop(migrated: Project) -> Project:
    for name in ("same", "formatted", "edited"):
        migrated.command(f"shop.{name}")
    return migrated


def black(file: Path) -> None:
    """Reformat so that hardly a line stays as it is."""
    subprocess.run(
        [sys.executable, "-m", "black", "-q", "--line-length=20", file],
        check=True,
        env=ENVIRONMENT,
        timeout=PATIENCE,
    )


@pytest.mark.parametrize("algorithm", ["st0", pytest.param("st9", marks=MATRIX)])
def test_an_edited_script_is_modified_and_the_others_are_upgraded(shop: Project, algorithm: str) -> None:
    for name in ("same", "formatted", "edited"):
        shop.manage(name)
    use_another_algorithm(shop, algorithm)
    runs = shop.python(RUNS).out
    black(shop.path("shop.formatted"))
    edit(shop, "shop.edited")
    expected = {"shop.same": "applied", "shop.formatted": "applied", "shop.edited": "modified"}
    assert shop.states() == expected
    assert algorithms(shop) == ["st1"] * 3
    assert shop.python(RUNS).out == runs
    assert shop.states() == expected
    assert "the code changed since it was applied" in why(shop, "shop.edited")
    found = {one["script"]: one for one in shop.check("--all")["scripts"]}
    assert found["shop.formatted"]["applied_fingerprint"] == found["shop.formatted"]["fingerprint"]
    edit(shop, "shop.edited", "'gone'", '"done"')
    assert shop.states()["shop.edited"] == "applied"


def test_the_first_check_after_an_upgrade_has_done_all_the_work(shop: Project) -> None:
    shop.manage("check_scripts", "--mark-all-applied")
    use_another_algorithm(shop)
    shop.manage("check_scripts", "--check")
    out = shop.python(
        STOCK_TAKEN
        + "states()\nstates()\nprint([name for name in ('libcst', 'scripts_tracker.analysis.fingerprint') if name in sys.modules])"
    ).out
    # Another way of asking has another index, which is made of the facts in the cache.
    assert [line[-3:] for line in out.splitlines()] == ["} 1", "} 1", "[]"]


def test_the_number_of_queries_does_not_grow_with_the_fingerprints_to_upgrade(shop: Project) -> None:
    shop.manage("check_scripts", "--mark-all-applied")
    for name in ("same", "formatted", "edited"):
        edit(shop, f"shop.{name}")
    shop.manage("check_scripts", "--mark-all-applied")
    use_another_algorithm(shop)
    shop.python(WRITES_FAIL)
    edit(shop, "shop.edited", "'gone'", "'else'")
    assert shop.python(f"{STOCK_TAKEN}with transaction.atomic(): states()").out.endswith("} 5\n")
    for name in ("same", "formatted"):
        edit(shop, f"shop.{name}", "'gone'", "'else'")
    assert shop.python(f"{STOCK_TAKEN}with transaction.atomic(): states()").out.endswith("} 5\n")


@MATRIX
def test_a_version_applied_earlier_is_reverted_however_it_is_written(shop: Project) -> None:
    shop.manage("check_scripts", "--mark-all-applied")
    edit(shop, "shop.edited")
    shop.manage("edited")
    use_another_algorithm(shop)
    edit(shop, "shop.edited", "'gone'", '"done"')
    assert shop.states()["shop.edited"] == "reverted"
    assert shop.states()["shop.edited"] == "reverted"
    shop.manage("check_scripts", "--check", code=0)


@MATRIX
def test_a_failure_counts_for_the_version_that_failed(migrated: Project) -> None:
    for name in ("failing", "fixed"):
        migrated.command(f"shop.{name}", body="raise ValueError('boom')")
        migrated.manage(name, code=1)
    use_another_algorithm(migrated)
    edit(migrated, "shop.failing", "'boom'", '"boom"')
    edit(migrated, "shop.fixed", "'boom'", "'bang'")
    expected = {"shop.failing": "failed", "shop.fixed": "new"}
    assert migrated.states() == expected
    assert algorithms(migrated) == ["st1"] * 2
    assert migrated.states() == expected


@MATRIX
def test_a_script_that_moved_is_recognised_and_one_that_was_rewritten_is_new(shop: Project) -> None:
    shop.manage("check_scripts", "--mark-all-applied")
    use_another_algorithm(shop)
    edit(shop, "shop.same", "'done'", '"done"')
    edit(shop, "shop.edited", "Does edited", "Does another thing")
    for name in ("same", "edited"):
        shop.path(f"shop.{name}").rename(shop.path(f"stock.{name}"))
    states = shop.states()
    assert (states["shop.same"], states["stock.same"]) == ("missing", "moved")
    assert (states["shop.edited"], states["stock.edited"]) == ("missing", "new")


@MATRIX
def test_rerun_keeps_its_meaning(migrated: Project) -> None:
    migrated.command("shop.once", decorators='@tracked_script(rerun="once")')
    migrated.command("shop.always", decorators='@tracked_script(rerun="always")')
    migrated.command("shop.rewritten", decorators='@tracked_script(rerun="once")')
    migrated.manage("check_scripts", "--mark-all-applied")
    use_another_algorithm(migrated)
    black(migrated.path("shop.once"))
    black(migrated.path("shop.always"))
    edit(migrated, "shop.rewritten")
    assert migrated.states() == {
        "shop.once": "applied",
        "shop.always": "recurring",
        "shop.rewritten": "edited",
    }
    assert algorithms(migrated) == ["st1"] * 3


def test_the_migrate_notice_is_right_and_upgrades_fingerprints(shop: Project) -> None:
    shop.manage("check_scripts", "--mark-all-applied")
    use_another_algorithm(shop)
    black(shop.path("shop.formatted"))
    edit(shop, "shop.edited")
    assert "You have 0 new and 1 modified management scripts" in shop.migrate().out
    assert algorithms(shop) == ["st1"] * 3


@MATRIX
def test_a_requirement_is_met_by_a_reformatted_script_and_not_by_an_edited_one(shop: Project) -> None:
    shop.command(
        "stock.needs_good", decorators='@tracked_script\n    @required_preceding_script("shop.formatted")'
    )
    shop.command(
        "stock.needs_bad", decorators='@tracked_script\n    @required_preceding_script("shop.edited")'
    )
    for name in ("same", "formatted", "edited"):
        shop.manage(name)
    use_another_algorithm(shop)
    black(shop.path("shop.formatted"))
    edit(shop, "shop.edited")
    assert "requires shop.edited (modified)" in shop.manage("needs_bad", code=1).err
    shop.manage("needs_good")


@MATRIX
def test_a_run_and_a_mark_upgrade_the_current_version(shop: Project) -> None:
    shop.settings('SCRIPTS_TRACKER = {"notify": False}')
    shop.manage("same")
    use_another_algorithm(shop)
    shop.manage("same")
    assert algorithms(shop) == ["st1"]
    shop.manage("check_scripts", "--mark-all-applied")
    use_another_algorithm(shop)
    shop.manage("check_scripts", "--mark-all-applied")
    assert set(shop.states().values()) == {"applied"}
    assert algorithms(shop) == ["st1"] * 3


@MATRIX
def test_an_unreadable_version_is_upgraded_once_it_can_be_read(shop: Project) -> None:
    shop.manage("same")
    shop.python(
        "from scripts_tracker.models import ScriptVersion as V\n"
        "from django.db.models import F\n"
        "V.objects.update(algorithm='raw', digest=F('content_digest'), facts='')"
    )
    black(shop.path("shop.same"))
    assert shop.states()["shop.same"] == "applied"
    assert algorithms(shop) == ["st1"]


BROKEN = {
    "that was not kept": ("None", "its source was not stored"),
    "that is damaged": ("b'damaged'", "its stored source is damaged"),
}


@pytest.mark.parametrize(("value", "words"), BROKEN.values(), ids=BROKEN)
def test_without_a_source_the_bytes_decide_and_the_check_says_so(
    shop: Project, value: str, words: str
) -> None:
    shop.manage("check_scripts", "--mark-all-applied")
    use_another_algorithm(shop)
    drop_sources(shop, value)
    edit(shop, "shop.edited")
    black(shop.path("shop.formatted"))
    reason = f"only the bytes could be compared: its fingerprint uses algorithm st0, not st1, and {words}"
    notice = " ".join(shop.migrate().out.split())
    assert "the file changed since it was applied on" in notice
    assert notice.count(reason) == 2
    assert shop.states() == {"shop.same": "applied", "shop.formatted": "modified", "shop.edited": "modified"}
    assert "the file changed since it was applied" in why(shop, "shop.formatted")
    assert reason in why(shop, "shop.formatted")
    use_another_algorithm(shop)
    assert reason in why(shop, "shop.same")
    assert "applied on" in why(shop, "shop.same")


@MATRIX
def test_equal_bytes_are_upgraded_from_the_file(shop: Project) -> None:
    shop.settings('SCRIPTS_TRACKER = {"store_source": False}')
    shop.manage("check_scripts", "--mark-all-applied")
    use_another_algorithm(shop)
    assert set(shop.states().values()) == {"applied"}
    assert algorithms(shop) == ["st1"] * 3
    black(shop.path("shop.formatted"))
    assert shop.states()["shop.formatted"] == "applied"
    assert "bytes" not in why(shop, "shop.formatted")


@MATRIX
def test_a_stored_source_that_cannot_be_analysed_any_more_leaves_the_bytes(shop: Project) -> None:
    shop.manage("same")
    shop.python(
        "import hashlib\n"
        "from scripts_tracker.models import ScriptVersion as V\n"
        "source = b'def broken(:'\n"
        "V.objects.update(source=source, content_digest=hashlib.sha256(source).hexdigest())"
    )
    use_another_algorithm(shop)
    assert shop.states()["shop.same"] == "modified"
    assert "and its stored source cannot be parsed: " in why(shop, "shop.same")
    assert algorithms(shop) == ["st0"]


@pytest.mark.parametrize("trouble", ["a failing write", pytest.param("a read-only database", marks=MATRIX)])
def test_a_check_that_cannot_write_is_still_right(shop: Project, trouble: str) -> None:
    shop.manage("check_scripts", "--mark-all-applied")
    use_another_algorithm(shop)
    black(shop.path("shop.formatted"))
    edit(shop, "shop.edited")
    if trouble == "a failing write":
        shop.python(WRITES_FAIL)
    else:
        shop.settings('DATABASES["default"]["NAME"] = f"file:{BASE_DIR}/db.sqlite3?mode=ro"')
        shop.settings('DATABASES["default"]["OPTIONS"] = {"uri": True}')
    for _ in range(2):
        assert shop.states() == {
            "shop.same": "applied",
            "shop.formatted": "applied",
            "shop.edited": "modified",
        }
    assert algorithms(shop) == ["st0"] * 3
    shop.manage("check_scripts", "--check", code=1)


@MATRIX
def test_inside_a_transaction_the_check_is_right_and_leaves_the_transaction_alone(shop: Project) -> None:
    shop.manage("check_scripts", "--mark-all-applied")
    use_another_algorithm(shop)
    shop.python(WRITES_FAIL)
    edit(shop, "shop.same", "'done'", '"done"')
    out = shop.python(
        STOCK_TAKEN + "from scripts_tracker.models import Script\n"
        "with transaction.atomic():\n"
        "    Script.objects.filter(name='same').update(path='written before')\n"
        "    states()\n"
        "    Script.objects.filter(name='edited').update(path='written after')\n"
        "print(sorted(Script.objects.values_list('path', flat=True))[-2:])"
    ).out
    assert out.startswith("{'shop.edited': 'applied', 'shop.formatted': 'applied', 'shop.same': 'applied'}")
    assert out.splitlines()[-1] == "['written after', 'written before']"
    assert algorithms(shop) == ["st0"] * 3


@MATRIX
def test_checks_at_the_same_time_agree(shop: Project) -> None:
    for number in range(20):
        shop.command(f"shop.more{number}")
    shop.manage("check_scripts", "--mark-all-applied")
    use_another_algorithm(shop)
    black(shop.path("shop.formatted"))
    command = [sys.executable, "manage.py", "check_scripts", "--check"]
    together = [
        subprocess.Popen(command, cwd=shop.root, env={**ENVIRONMENT, **shop.env}, stdout=subprocess.DEVNULL)
        for _ in range(4)
    ]
    assert [one.wait(PATIENCE) for one in together] == [0] * 4
    assert algorithms(shop) == ["st1"] * 23
