"""check_scripts --format markdown --since: what a change of the code does to every environment."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError

from scripts_tracker.exceptions import LedgerMissing
from scripts_tracker.ledger import rehearsals
from scripts_tracker.project.review import Review, review
from scripts_tracker.reporting import markdown
from scripts_tracker.reporting.terminal import Output
from tests.jobs import Jobs, forget

ONCE = '@tracked_script(rerun="once")'


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "core.autocrlf=false")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(jobs: Jobs) -> Jobs:
    """Scripts of which some require others, committed."""
    jobs.script("old")
    jobs.script("rates")
    jobs.script("totals", requires="rates")
    jobs.script("fixed", decorators=ONCE)
    jobs.script("always", decorators='@tracked_script(rerun="always")')
    jobs.script("reading", decorators='@tracked_script(watch=("pricing",))')
    (jobs.root / "pricing.py").write_text("VAT = 19\n")
    git(jobs.root, "init", "-q")
    (jobs.root / ".gitignore").write_text("*.pyc\n.scripts_tracker_cache\n")
    git(jobs.root, "add", "-A")
    git(jobs.root, "commit", "-q", "-m", "first")
    return jobs


def text_of(found: Review) -> str:
    return markdown.review(found, Output(style=None))  # type: ignore[arg-type]  # it has no colours


def edit(jobs: Jobs, name: str, old: str, new: str) -> None:
    text = jobs.path(name).read_text()
    assert old in text
    jobs.write(name, text.replace(old, new))


def _rename(jobs: Jobs, new: str, *, edited: bool = False) -> None:
    shutil.move(jobs.path("old"), jobs.path(new))
    if edited:
        edit(jobs, new, "'done'", "'renamed'")
    git(jobs.root, "add", "-A")  # git knows no file that was never added
    forget()


def _body(jobs: Jobs, name: str) -> None:
    edit(jobs, name, "'done'", "'changed'")


def _broken(jobs: Jobs) -> None:
    edit(jobs, "old", "class Command", "class class")
    jobs.script("added", requires="old")


def _all(jobs: Jobs) -> None:
    jobs.script("added", requires="totals")
    _body(jobs, "totals")
    _body(jobs, "rates")


CHANGES: dict[str, tuple[Callable[[Jobs], object], dict[str, tuple[str, ...]], str]] = {
    "nothing": (lambda _jobs: None, {}, "no management script changed"),
    "a comment": (
        lambda jobs: edit(jobs, "rates", "    help", "    # why\n    help"),
        {"formatted": ("rates",)},
        "Only formatting changed, so nothing runs: 1 script",
    ),
    "a new script": (lambda jobs: jobs.script("added"), {"runs": ("added",)}, "| 1 | `jobs.added` | new |"),
    "changed code": (
        lambda jobs: _body(jobs, "rates"),
        {"runs": ("rates",)},
        "**runs again** where it was applied",
    ),
    "changed code that runs once": (
        lambda jobs: _body(jobs, "fixed"),
        {"others": ("fixed",)},
        '`rerun="once"`: does not run again',
    ),
    "changed code that always runs": (
        lambda jobs: _body(jobs, "always"),
        {"others": ("always",)},
        '`rerun="always"`: runs each time anyway',
    ),
    "a watched module": (
        lambda jobs: (jobs.root / "pricing.py").write_text("VAT = 20\n"),
        {"runs": ("reading",)},
        "(pricing, which it watches, changed): **runs again**",
    ),
    "an option": (
        lambda jobs: edit(jobs, "rates", "@tracked_script", '@tracked_script(tags=("slow",))'),
        {"runs": ("rates",)},
        "- Changed: `tags=()` is now `tags=('slow',)`",
    ),
    "a requirement": (
        lambda jobs: jobs.script("totals", requires="old"),
        {"runs": ("totals",)},
        "- Now also requires: `jobs.old`\n- No longer requires: `jobs.rates`",
    ),
    "a rename": (
        lambda jobs: _rename(jobs, "renamed"),
        {"others": ("renamed",)},
        "same code as `jobs.old`, which is gone",
    ),
    "a rename with another code": (
        lambda jobs: _rename(jobs, "renamed", edited=True),
        {"runs": ("renamed",), "gone": ("old",)},
        "renamed and edited: runs as a new script, also where `jobs/management/commands/old.py` was applied",
    ),
    "a deletion": (
        lambda jobs: jobs.path("old").unlink(),
        {"gone": ("old",)},
        "`jobs/management/commands/old.py` was deleted. Environments that have not applied it never will",
    ),
    "a deletion of what another requires": (
        lambda jobs: jobs.path("rates").unlink(),
        {"gone": ("rates",)},
        "ST003: required script jobs.rates does not exist",
    ),
    "a decorator that is gone": (
        lambda jobs: edit(jobs, "old", "    @tracked_script\n", ""),
        {"gone": ("old",)},
        "its file is there, but no longer tracked",
    ),
    "a file that cannot be parsed": (
        lambda jobs: edit(jobs, "old", "class Command", "class class"),
        {"others": ("old",)},
        "**cannot be parsed**",
    ),
    "a script that requires one that cannot be parsed": (
        _broken,
        {"others": ("old", "added"), "blocked": ("added", "old")},
        "### What cannot run",
    ),
    "several that require each other": (
        _all,
        {"runs": ("rates", "totals", "added")},
        "| 3 | `jobs.added` | new | `jobs.totals` |",
    ),
    "an import path of ours": (
        lambda jobs: edit(
            jobs,
            "rates",
            "from scripts_tracker import required_preceding_script, tracked_script",
            "from scripts_tracker import required_preceding_script\n"
            "from scripts_tracker.core_tracker import tracked_script",
        ),
        {"others": ("rates",)},
        "changed in nothing that runs",
    ),
}


@pytest.mark.parametrize(("change", "expected", "words"), CHANGES.values(), ids=CHANGES)
def test_a_change_says_what_it_does_in_an_environment_that_has_applied_all(
    repository: Jobs, change: Callable[[Jobs], object], expected: dict[str, tuple[str, ...]], words: str
) -> None:
    change(repository)
    found = review("HEAD")
    names: dict[str, tuple[str, ...]] = {
        "runs": tuple(one.status.id.name for one in found.runs),
        "others": tuple(one.status.id.name for one in found.others),
        "gone": tuple(one.status.id.name for one in found.gone),
        "blocked": tuple(one.name for one, _ in found.blocked),
        "formatted": tuple(one.name for one in found.formatted),
    }
    assert {kind: sorted(some) for kind, some in names.items() if some} == {
        kind: sorted(some) for kind, some in expected.items()
    }
    assert names["runs"] == expected.get("runs", ())
    shown = text_of(found)
    assert words in shown.replace("\\", "")
    assert shown.startswith(markdown.MARK)


def test_only_what_changed_in_the_code_is_shown(repository: Jobs) -> None:
    edit(repository, "rates", "help =", "help   =")
    _body(repository, "rates")
    shown = text_of(review("HEAD"))
    assert "What changed in the code: 2 lines" in shown
    (diff,) = re.findall(r"```diff\n(.*?)```", shown, re.DOTALL)
    changed = [line for line in diff.splitlines()[2:] if line[0] in "+-"]
    assert [line[0] for line in changed] == ["-", "+"]
    assert "'changed'" in changed[1]


@pytest.mark.parametrize(
    "error", [LedgerMissing("no tables"), OperationalError("no server"), ImproperlyConfigured("no settings")]
)
def test_neither_a_database_nor_its_tables_are_needed(
    repository: Jobs, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(rehearsals, "fetch", fail)
    repository.script("added")
    result = repository.run(command="check_scripts", format="markdown", since="HEAD")
    assert (result.code, result.err) == (0, "")
    assert "**1 script** runs" in result.out


def test_the_figures_of_the_last_rehearsal_are_shown(repository: Jobs) -> None:
    create = "from django.contrib.auth.models import Group; Group.objects.create(name='a_b')"
    repository.script("added", create)
    repository.script("fails", "raise CommandError('no *rates*')")
    repository.run("added", "fails", rehearse=True, continue_on_error=True)
    shown = repository.run(command="check_scripts", format="markdown", since="HEAD").out
    assert "- Rehearsal of this version, " in shown
    assert "  - auth\\_group: 1 inserted (" in shown
    assert re.search(r"\*\*failed\*\*: .*no \\\*rates\\\*", shown)
    edit(repository, "added", "a_b", "c_d")
    assert (
        "- Rehearsal of another version, "
        in repository.run(command="check_scripts", format="markdown", since="HEAD").out
    )


def test_named_scripts_alone_are_shown(repository: Jobs) -> None:
    repository.script("added")
    _body(repository, "rates")
    result = repository.run("added", command="check_scripts", format="markdown", since="HEAD")
    assert "jobs.added" in result.out
    assert "jobs.rates" not in result.out


def test_an_app_that_was_deleted_is_gone_and_one_that_is_not_committed_is_new(
    repository: Jobs, settings: Any
) -> None:
    settings.COMMANDS_DIRS = ["jobs/management/commands", "more/management/commands"]
    shutil.copytree(repository.root / "jobs", repository.root / "more")
    found = review("HEAD")
    assert {str(one.status.id) for one in found.runs} >= {"more.old", "more.rates"}
    assert not found.gone


WRONG = {
    "no revision": (
        {"format": "markdown"},
        "--format markdown needs --since REV, such as --since origin/main.",
    ),
    "another format": ({"since": "HEAD"}, "--since goes with --format markdown."),
    "a revision that git does not know": (
        {"format": "markdown", "since": "nothing"},
        "--since: unknown revision 'nothing'. In a shallow clone, fetch it first: git fetch --unshallow",
    ),
    "a branch that a shallow clone lacks": (
        {"format": "markdown", "since": "origin/main"},
        (
            "--since: unknown revision 'origin/main'. In a shallow clone, fetch it first:"
            " git fetch origin +main:refs/remotes/origin/main"
        ),
    ),
    "an option of git": (
        {"format": "markdown", "since": "--output=x"},
        "--since: unknown revision '--output=x'.",
    ),
    "a decision": (
        {"format": "markdown", "since": "HEAD", "mark_all_scripts_as_applied": True},
        "--mark-all-applied does not go with --format markdown.",
    ),
    "a check": (
        {"format": "markdown", "since": "HEAD", "check": True},
        "--check does not go with --format markdown.",
    ),
}


@pytest.mark.parametrize(("options", "words"), WRONG.values(), ids=WRONG)
def test_wrong_use_is_one_line(repository: Jobs, options: dict[str, Any], words: str) -> None:
    result = repository.run(command="check_scripts", **options)
    assert (result.code, result.out) == (2, "")
    assert words in result.err
    assert result.err.count("\n") == 1


def test_without_a_repository_there_is_nothing_to_compare_with(jobs: Jobs) -> None:
    result = jobs.run(command="check_scripts", format="markdown", since="HEAD")
    assert result.code == 2
    assert "--since: cannot compare with 'HEAD': " in result.err


def test_hostile_texts_stay_texts(repository: Jobs) -> None:
    hostile = "@octocat </details> | `x` **b** #1 [a](http://b)"
    repository.script("added", decorators="@tracked_script(tags=('a`b', '@team'), arguments=('a|b', '``'))")
    edit(repository, "added", "Does added", hostile)
    shown = text_of(review("HEAD"))
    assert (
        "> @&#8203;octocat &lt;/details&gt; \\| \\`x\\` \\*\\*b\\*\\* \\#&#8203;1 \\[a\\](http://b)" in shown
    )
    assert "- Tags: `` a`b `` `@team`" in shown
    assert "- Arguments: ``` \"a|b\" '``' ```" in shown
