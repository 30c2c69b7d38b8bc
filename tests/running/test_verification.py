"""A success counts only if the method that ``verify=`` names agrees."""

from __future__ import annotations

import pytest

from scripts_tracker import tracked_script
from scripts_tracker.models import ScriptRun
from tests.jobs import Jobs

pytestmark = pytest.mark.django_db(transaction=True)

VERIFIED = '@tracked_script(verify="check")'


def method(body: str) -> str:
    return f"def check(self):\n        {body}\n"


REFUSED = {
    "it-raises": ("raise CommandError('3 totals are NULL')", "3 totals are NULL"),
    "an-assertion": ("assert 0 == 1, 'not all done'", "AssertionError: not all done"),
    "it-returns-false": ("return False", "check() returned False: the work is not done."),
    "it-exits": ("raise SystemExit(3)", "SystemExit: 3"),
    "it-exits-as-if-all-were-well": ("raise SystemExit(0)", "check() ended the process"),
    "it-exits-without-a-code": ("raise SystemExit", "check() ended the process"),
    "it-is-a-generator": ("assert 0; yield", "check() is async or a generator, so it has checked nothing"),
    "it-is-async": (
        "return __import__('asyncio').sleep(0)",
        "check() is async or a generator, so it has checked nothing. Write def check(self).",
    ),
    "it-needs-an-argument": ("pass", "missing 1 required positional argument"),
}


@pytest.mark.parametrize(("body", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_the_method_raises_fails_the_run(jobs: Jobs, body: str, reason: str) -> None:
    attributes = method(body).replace("(self)", "(self, what)") if "argument" in reason else method(body)
    jobs.script("a", decorators=VERIFIED, attributes=attributes)
    assert jobs.run().code == 1
    assert jobs.outcomes() == ["a failed"]
    assert reason in ScriptRun.objects.get().reason


def test_a_method_that_is_not_there_fails_the_run(jobs: Jobs) -> None:
    jobs.script("a", decorators='@tracked_script(verify="chekc")', attributes=method("pass"))
    result = jobs.run()
    assert result.code == 1
    assert 'verify="chekc": the command has no method chekc(). Add it, or correct the name' in result.out


def test_it_is_asked_inside_of_the_transaction(jobs: Jobs) -> None:
    """What the script wrote is rolled back if the method refuses."""
    body = "from django.contrib.contenttypes.models import ContentType as C; C.objects.create(app_label='x', model='y')"
    check = "from django.contrib.contenttypes.models import ContentType as C; assert C.objects.filter(app_label='x').count() > 1"
    jobs.script(
        "a", body, decorators='@tracked_script(atomic=True, verify="check")', attributes=method(check)
    )
    assert jobs.run().code == 1
    from django.contrib.contenttypes.models import ContentType

    assert not ContentType.objects.filter(app_label="x").exists()


ACCEPTED = {
    "it-returns-nothing": ("pass", "self.checked = True"),
    "it-returns-a-count": ("pass", "return 0"),
    "after-a-good-exit": ("raise SystemExit(0)", "self.stdout.write('asked')"),
}


@pytest.mark.parametrize(("body", "check"), ACCEPTED.values(), ids=ACCEPTED)
def test_a_success_is_recorded_if_it_agrees(jobs: Jobs, body: str, check: str) -> None:
    jobs.script("a", body, decorators=VERIFIED, attributes=method(check))
    assert jobs.run().code == 0
    assert jobs.outcomes() == ["a succeeded"]


def test_it_is_asked_once_a_run_and_not_in_a_dry_run(jobs: Jobs) -> None:
    option = "def add_arguments(self, parser):\n        parser.add_argument('--dry-run', action='store_true')\n    "
    jobs.script("a", decorators=VERIFIED, attributes=option + method("self.stdout.write('asked')"))
    assert "asked" not in jobs.run_alone("a", dry_run=True)
    assert jobs.run_alone("a").count("asked") == 1


AGAIN = {
    "holds": ("pass", 0, "jobs.a: check() holds."),
    "does-not": ("raise ValueError('2 rows left')", 1, "jobs.a: check() failed: ValueError: 2 rows left"),
    "refuses-in-words": ("raise CommandError('2 rows left')", 1, "jobs.a: check() failed: 2 rows left"),
}


@pytest.mark.parametrize(("body", "code", "line"), AGAIN.values(), ids=AGAIN)
def test_it_is_asked_again_and_no_state_changes(jobs: Jobs, body: str, code: int, line: str) -> None:
    jobs.script("a", decorators=VERIFIED, attributes=method(body))
    result = jobs.run(command="check_scripts", verify=["a"])
    assert (result.code, result.out.strip()) == (code, line)
    assert not ScriptRun.objects.exists()


def test_a_script_that_cannot_be_imported_does_not_keep_the_others_from_being_asked(jobs: Jobs) -> None:
    jobs.script("a", decorators=VERIFIED, attributes=method("pass"))
    jobs.script("b", decorators=VERIFIED, attributes=method("pass"))
    jobs.write("b", "import nothing_of_that_name\n" + jobs.path("b").read_text())
    result = jobs.run(command="check_scripts", verify=["b", "a"])
    assert result.code == 1
    lines = result.out.splitlines()
    assert lines[1] == "jobs.a: check() holds."
    assert lines[0].startswith("jobs.b: check() failed: ModuleNotFoundError: No module named")


@pytest.mark.parametrize(("code", "reason"), [(0, "check() ended the process"), (3, "SystemExit: 3")])
def test_a_method_that_ends_the_process_does_not_keep_the_others_from_being_asked(
    jobs: Jobs, code: int, reason: str
) -> None:
    jobs.script("a", decorators=VERIFIED, attributes=method(f"raise SystemExit({code})"))
    jobs.script("b", decorators=VERIFIED, attributes=method("pass"))
    result = jobs.run(command="check_scripts", verify=["a", "b"])
    assert result.code == 1
    first, second = result.out.splitlines()
    assert first.startswith(f"jobs.a: check() failed: {reason}")
    assert second == "jobs.b: check() holds."


def test_a_script_without_a_method_is_refused_with_what_to_write(jobs: Jobs) -> None:
    jobs.script("a")
    result = jobs.run(command="check_scripts", verify=["a"])
    assert result.code == 2
    assert 'Name one: @tracked_script(verify="check_totals")' in result.err


@pytest.mark.parametrize("value", ["", "two words", "a.b", 3, ["check"]])
def test_only_the_name_of_a_method_is_accepted(value: object) -> None:
    with pytest.raises(TypeError, match="verify takes the name of a method"):
        tracked_script(verify=value)  # type: ignore[call-overload]
