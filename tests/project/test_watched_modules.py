"""Scripts that watch modules of their project, as its developers meet them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from scripts_tracker import tracked_script
from tests import builders
from tests.conftest import MATRIX
from tests.databases.fixtures import HostedProject

if TYPE_CHECKING:
    from tests.conftest import Project

PRICING = "from shop.tax import RATE\n\n\ndef total(net):\n    return net * RATE\n"
WATCH = '@tracked_script(watch=("shop.pricing", "shop"))'


@pytest.fixture
def shop(migrated: Project) -> Project:
    migrated.write("shop/pricing.py", PRICING)
    migrated.write("shop/tax.py", "RATE = 19\n")
    migrated.command("shop.fix", decorators=WATCH)
    return migrated


def found(project: Project, script: str = "shop.fix") -> tuple[str, list[str]]:
    """A script's state, and the modules that changed."""
    (one,) = project.check(script, "--all")["scripts"]
    return one["state"], one["changed_modules"]


def why(project: Project, script: str = "shop.fix") -> str:
    text = " ".join(project.manage("check_scripts", "--all", script).out.split())
    return text[text.index(f"{script}: ") :]


def _write(path: str, text: str) -> Callable[[Project], object]:
    return lambda project: project.write(path, text)


CHANGES: dict[str, tuple[Callable[[Project], object], str, list[str]]] = {
    "nothing": (lambda _: None, "applied", []),
    "a comment and white space": (
        _write("shop/pricing.py", "# prices\n" + PRICING.replace("\n\n\n", "\n")),
        "applied",
        [],
    ),
    "the times of the file": (_write("shop/pricing.py", PRICING), "applied", []),
    "what the module imports": (_write("shop/tax.py", "RATE = 7\n"), "applied", []),
    "a module beside it": (_write("shop/other.py", "RATE = 7\n"), "applied", []),
    "the module": (_write("shop/pricing.py", PRICING.replace("*", "+")), "modified", ["shop.pricing"]),
    "the package": (_write("shop/__init__.py", "RATE = 7\n"), "modified", ["shop"]),
    "a package in the module's place": (
        _write("shop/pricing/__init__.py", PRICING + "x = 1\n"),
        "modified",
        ["shop.pricing"],
    ),
    "the same module as a package": (_write("shop/pricing/__init__.py", PRICING), "applied", []),
    "the module goes": (lambda one: (one.root / "shop/pricing.py").unlink(), "modified", ["shop.pricing"]),
    "the module becomes broken": (
        _write("shop/pricing.py", "def total(:\n"),
        "unreadable",
        ["shop.pricing"],
    ),
}


@pytest.mark.parametrize("how", ["run", pytest.param("mark", marks=MATRIX)])
@pytest.mark.parametrize(("change", "state", "modules"), CHANGES.values(), ids=CHANGES)
def test_a_change_of_code_in_a_watched_module_counts(
    change: Callable[[Project], object], state: str, modules: list[str], how: str, shop: Project
) -> None:
    shop.manage(*(["fix"] if how == "run" else ["check_scripts", "--mark-applied", "fix"]))
    assert found(shop) == ("applied", [])
    change(shop)
    assert found(shop) == (state, modules)


def test_the_state_names_the_module_and_the_next_run_settles_it(shop: Project) -> None:
    shop.manage("run_scripts")
    shop.write("shop/pricing.py", PRICING.replace("*", "+"))
    assert "shop.fix: shop.pricing, which it watches, changed; applied on " in why(shop)
    assert "shop.pricing, which it watches, changed" in shop.migrate().out
    shop.manage("check_scripts", "--check", code=1)
    assert "shop.fix" in shop.manage("run_scripts").out
    assert found(shop) == ("applied", [])
    shop.write("shop/pricing.py", PRICING)
    assert found(shop) == ("reverted", ["shop.pricing"])
    shop.write("shop/__init__.py", "RATE = 7\n")
    assert found(shop)[0] == "modified", "these modules were never applied together"


def shown(project: Project, *options: str) -> dict[str, Any]:
    """The diff of show_script, as JSON has it."""
    text = project.manage("show_script", "fix", "--diff", "--format", "json", *options).out
    diff: dict[str, Any] = json.loads(text)["diff"]
    return diff


@pytest.mark.parametrize("options", [(), ("--raw",)], ids=["code", "raw"])
def test_a_diff_without_lines_names_the_modules_that_made_it_modified(
    options: tuple[str, ...], shop: Project
) -> None:
    shop.manage("fix")
    assert shown(shop, *options)["changed_modules"] == []
    shop.write("shop/pricing.py", PRICING.replace("*", "+"))
    found = shown(shop, *options)
    assert (found["text"], found["changed_modules"]) == ("", ["shop.pricing"])
    assert found["note"] == (
        "shop.pricing, which it watches, changed. The ledger does not store watched modules; git has their changes."
        " The script's own file: No changes: the files are identical."
    )
    text = shop.manage("show_script", "fix", "--diff", *options).out
    assert "shop.pricing, which it watches, changed." in text
    assert "--diff" not in shop.manage("show_script", "fix").out


def test_a_diff_of_the_script_names_the_modules_besides(shop: Project) -> None:
    shop.manage("fix")
    shop.write("shop/pricing.py", PRICING.replace("*", "+"))
    file = shop.path("shop.fix")
    file.write_text(f"# a comment\n{file.read_text()}")
    found = shown(shop)
    assert "The script's own file: The code is the same: only formatting" in found["note"]
    assert (found["text"], found["changed_modules"]) == ("", ["shop.pricing"])
    file.write_text(file.read_text() + "x = 1\n")
    found = shown(shop)
    assert "+x = 1" in found["text"].splitlines()
    assert found["changed_modules"] == ["shop.pricing"]
    assert found["note"].startswith("shop.pricing, which it watches, changed.")
    assert "show_script shop.fix --diff" in " ".join(shop.manage("show_script", "fix").out.split())


def test_a_run_that_failed_is_compared_with_the_modules_of_that_run(shop: Project) -> None:
    shop.command("shop.fix", decorators=WATCH, body="raise ValueError")
    shop.manage("fix", code=1)
    assert shown(shop)["changed_modules"] == []
    shop.write("shop/pricing.py", PRICING.replace("*", "+"))
    assert shown(shop)["changed_modules"] == ["shop.pricing"]


@pytest.mark.parametrize(("rerun", "state"), [("once", "edited"), ("always", "recurring")])
def test_rerun_decides_as_for_the_script_itself(rerun: str, state: str, shop: Project) -> None:
    shop.command("shop.fix", decorators=f'@tracked_script(rerun="{rerun}", watch=["shop.pricing"])')
    shop.manage("fix")
    shop.write("shop/pricing.py", PRICING.replace("*", "+"))
    assert found(shop) == (state, ["shop.pricing"])


def test_a_failure_counts_for_the_modules_that_it_happened_with(shop: Project) -> None:
    shop.command("shop.fix", decorators=WATCH, body="from shop import pricing; pricing.boom()")
    shop.manage("fix", code=1)
    assert found(shop) == ("failed", [])
    shop.write("shop/pricing.py", PRICING + "# boom\n")
    assert found(shop)[0] == "failed"
    shop.write("shop/pricing.py", PRICING + "\n\ndef boom(): pass\n")
    assert found(shop) == ("new", [])
    shop.manage("fix")
    assert found(shop) == ("applied", [])


def test_a_script_that_cannot_be_imported_fails_with_the_modules_as_they_are(shop: Project) -> None:
    path = shop.path("shop.fix")
    path.write_text("from shop.pricing import missing\n" + path.read_text())
    shop.manage("run_scripts", code=1)
    assert found(shop) == ("failed", [])
    shop.write("shop/pricing.py", PRICING + "missing = 1\n")
    assert found(shop) == ("new", [])


def test_a_module_that_cannot_be_analysed_stands_in_the_way_of_its_watcher_alone(shop: Project) -> None:
    shop.command("shop.other")
    shop.write("shop/pricing.py", "def total(:\n")
    document = shop.check()
    assert [(one["script"], one["state"]) for one in document["scripts"]] == [
        ("shop.fix", "unreadable"),
        ("shop.other", "new"),
    ]
    assert [(one["code"], one["path"]) for one in document["problems"]] == [("ST000", "shop/pricing.py")]
    shop.manage("check_scripts", "--check", code=4)
    assert "shop.pricing, which it watches, cannot be parsed" in why(shop)
    refused = shop.manage("check_scripts", "--mark-applied", "fix", code=None)
    assert "shop.pricing, which it watches, cannot be parsed; fix it first" in refused.text
    result = " ".join(shop.manage("run_scripts", code=None).text.split())
    assert "shop.pricing, which it watches, cannot be parsed" in result
    assert found(shop, "shop.other") == ("applied", [])


def test_a_module_that_never_existed_is_a_problem_but_does_not_run_the_script_again_and_again(
    shop: Project,
) -> None:
    shop.command("shop.fix", decorators='@tracked_script(watch=("shop.pricng",))')
    assert "never applied here; shop.pricng, which it watches, does not exist" in why(shop)
    shop.manage("fix")
    assert found(shop) == ("applied", [])
    assert "shop.pricng, which it watches, does not exist" in why(shop)
    assert [one["code"] for one in shop.check()["problems"]] == ["ST025"]
    assert "Did you mean shop.pricing?" in shop.manage("check_scripts").out
    shop.write("shop/pricng.py", "")
    assert found(shop) == ("modified", ["shop.pricng"])


def test_a_module_that_a_base_class_begins_to_watch_makes_its_scripts_modified(shop: Project) -> None:
    base = shop.command("shop.base", decorators="@tracked_script").rename(shop.root / "shop/base.py")
    shop.path("shop.fix").write_text("from shop.base import Command\n")
    shop.manage("fix")
    base.write_text(base.read_text().replace("@tracked_script\n", WATCH + "\n"))
    assert found(shop) == ("modified", ["shop.pricing", "shop"])
    assert "shop.pricing and shop, which it watches, were not watched then" in why(shop)
    shop.manage("fix")
    assert found(shop) == ("applied", [])


@MATRIX
def test_a_script_that_moves_keeps_its_state_only_with_its_modules(shop: Project) -> None:
    shop.manage("fix")
    shop.path("shop.fix").rename(shop.path("shop.renamed"))
    assert found(shop, "shop.renamed") == ("moved", [])
    shop.write("shop/pricing.py", PRICING.replace("*", "+"))
    assert found(shop, "shop.renamed") == ("new", [])


FOREIGN = """
from scripts_tracker.models import ScriptRun
for run in ScriptRun.objects.exclude(watched=""):
    run.watched = run.watched.replace("st1:", "st0:0")
    run.save()
"""


def test_after_an_upgrade_of_the_algorithm_equal_bytes_are_equal_and_upgraded(shop: Project) -> None:
    shop.manage("fix")
    shop.python(FOREIGN)
    assert found(shop) == ("applied", [])
    shop.write("shop/pricing.py", "# stamped by the check before\n" + PRICING)
    assert found(shop) == ("applied", [])


def test_after_an_upgrade_of_the_algorithm_other_bytes_are_a_change_that_says_so(shop: Project) -> None:
    shop.manage("fix")
    shop.python(FOREIGN)
    shop.write("shop/pricing.py", "# reformatted with the upgrade\n" + PRICING)
    assert found(shop) == ("modified", ["shop.pricing"])
    words = "only the bytes could be compared: the fingerprint of shop.pricing uses algorithm st0, not st1"
    assert words in why(shop)


QUERIES = """
import sys
from django.db import connection
from django.test.utils import CaptureQueriesContext
from scripts_tracker.project.status import load_status
with CaptureQueriesContext(connection) as queries: found = load_status(use_cache={use_cache})
print({{one.state.value for one in found.statuses}}, len(queries), 'libcst' in sys.modules)
"""


def test_the_number_of_queries_is_constant_and_nothing_known_is_parsed(shop: Project) -> None:
    for number in range(12):
        shop.command(f"shop.more{number}", decorators=WATCH)
    shop.manage("check_scripts", "--mark-all-applied")
    asked = [shop.python(QUERIES.format(use_cache=use_cache)).out for use_cache in (True, True, False)]
    assert asked == ["{'applied'} 1 False\n", "{'applied'} 1 False\n", "{'applied'} 2 False\n"]
    shop.write("shop/pricing.py", PRICING.replace("*", "+"))
    shop.manage("check_scripts")
    asked = [shop.python(QUERIES.format(use_cache=True)).out for _ in range(2)]
    assert asked == ["{'modified'} 3 False\n", "{'modified'} 3 False\n"]


WRONG: dict[str, Any] = {
    "one text": "shop.pricing",
    "an empty name": ("shop.pricing", ""),
    "a number": (1,),
    "a module": builders,
    "a module in a tuple": (builders,),
    "nothing that can be gone through": None,
}


@pytest.mark.parametrize("watch", WRONG.values(), ids=WRONG)
def test_the_decorator_takes_names_of_modules_only(watch: Any) -> None:
    with pytest.raises(TypeError):
        tracked_script(watch=watch)


def test_the_decorator_takes_lists_and_names_twice() -> None:
    assert callable(tracked_script(watch=["shop.pricing", "shop.pricing"]))


def test_every_kind_of_database_keeps_what_was_watched(hosted: HostedProject) -> None:
    hosted.command("shop.fix", decorators='@tracked_script(watch=("shop.pricing",))')
    rates = ["RATE = 1\n", "RATE = 2\n", "RATE = 3\n"]
    for rate in rates:
        hosted.write("shop/pricing.py", rate)
        hosted.manage("run_scripts")
    hosted.write("shop/pricing.py", rates[0])
    hosted.manage("prune_script_runs", "--keep", "0")
    assert hosted.states() == {"shop.fix": "reverted"}
    hosted.write("shop/pricing.py", "RATE = 4\n")
    assert found(hosted) == ("modified", ["shop.pricing"])
    assert "shop.pricing, which it watches, changed" in hosted.manage("show_script", "fix", "--diff").out
