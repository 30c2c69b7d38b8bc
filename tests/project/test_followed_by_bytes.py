"""A script with a statement that Python reads and libcst does not: it runs, and its bytes decide what it is."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scripts_tracker.core.states import ScriptStatus
from scripts_tracker.project.status import load_status
from tests.jobs import Jobs

UNREAD = "(total): int = 1"


def status(jobs: Jobs, name: str = "a") -> ScriptStatus:
    return next(one for one in load_status().statuses if one.id.name == name)


def test_it_is_new_runs_and_is_applied_and_a_finding_says_what_cannot_be_parsed(jobs: Jobs) -> None:
    jobs.script("b")
    jobs.script("a", UNREAD, decorators='@tracked_script(tags=("nightly",))', requires="jobs.b")
    found = status(jobs)
    assert (found.state.value, found.tags, [one.text for one in found.requires]) == (
        "new",
        ("nightly",),
        ["jobs.b"],
    )
    (finding,) = load_status().findings
    assert (finding.code, finding.location.line, finding.location.column) == ("ST000", 11, 9)
    assert "followed byte by byte" in finding.message
    result = jobs.run()
    assert (result.code, jobs.outcomes()) == (0, ["b succeeded", "a succeeded"])
    assert jobs.states() == {"a": "applied", "b": "applied"}


def test_any_change_of_its_bytes_is_a_modification_and_taking_it_back_is_none(jobs: Jobs) -> None:
    jobs.script("a", UNREAD)
    jobs.run()
    source = jobs.path("a").read_text()
    jobs.write("a", f"# a comment\n{source}")
    assert jobs.states() == {"a": "modified"}
    jobs.write("a", source)
    assert jobs.states() == {"a": "applied"}
    jobs.write("a", source.replace(UNREAD, "total: int = 1"))
    assert jobs.states() == {"a": "modified"}
    assert jobs.run().code == 0
    assert jobs.states() == {"a": "applied"}


def test_a_check_of_it_writes_nothing(jobs: Jobs) -> None:
    jobs.script("a", UNREAD)
    jobs.run()
    load_status()
    with CaptureQueriesContext(connection) as sent:
        assert jobs.states() == {"a": "applied"}
    assert [query["sql"] for query in sent if not query["sql"].startswith("SELECT")] == []


def test_a_watched_module_with_such_a_statement_is_followed_by_its_bytes(jobs: Jobs) -> None:
    module = jobs.root / "jobs" / "pricing.py"
    module.write_text("(rate): int = 1\n")
    jobs.script("a", "pass", decorators='@tracked_script(watch=("jobs.pricing",))')
    (finding,) = load_status().findings
    assert (finding.code, finding.location.path[-5:], finding.location.line) == ("ST000", "/a.py", 8)
    assert "jobs.pricing is followed byte by byte, as libcst cannot parse line 1" in finding.message
    jobs.run()
    assert jobs.states() == {"a": "applied"}
    module.write_text("(rate): int = 1  # a comment\n")
    assert jobs.states() == {"a": "modified"}


BASE = """\
from django.core.management.base import BaseCommand
from scripts_tracker import tracked_script

class Base(BaseCommand):
    @tracked_script
    def handle(self, *args, **options):
        {}
"""
INHERITS = "from {} import Base\n\nclass Command(Base):\n    help = 'Does it'\n"


def test_a_script_whose_base_class_is_read_in_part_says_so(jobs: Jobs) -> None:
    (jobs.root / "jobs" / "base.py").write_text(BASE.format(UNREAD))
    (jobs.root / "jobs" / "middle.py").write_text("from jobs.base import Base\n(rate): int = 1\n")
    jobs.write("a", INHERITS.format("jobs.base"))
    jobs.write("b", INHERITS.format("jobs.middle"))
    for _ in range(2):
        found = load_status().findings
        assert [(one.location.path[-5:], one.location.line) for one in found] == [("/a.py", 3), ("/b.py", 3)]
        assert "a base class is in jobs/base.py, which is read without line 7" in found[0].message
    assert jobs.run().code == 0
    assert jobs.states() == {"a": "applied", "b": "applied"}


def test_a_script_whose_base_class_is_read_in_another_spelling_says_nothing(jobs: Jobs) -> None:
    (jobs.root / "jobs" / "base.py").write_text(BASE.format("total: int = 1"))
    jobs.write("a", INHERITS.format("jobs.base"))
    assert load_status().findings == ()


@pytest.mark.parametrize(
    "statement", ["(handle): object = tracked_script(handle)", "(x): int = __import__('scripts_tracker')"]
)
def test_a_statement_that_may_decide_what_the_command_is_is_not_left_out(jobs: Jobs, statement: str) -> None:
    jobs.script("a", f"pass\n\n    {statement}")
    assert jobs.states() == {"a": "unreadable"}
