"""run_scripts as its users meet it: real projects, real processes."""

from __future__ import annotations

import sys

import pytest

from tests.conftest import Project


@pytest.fixture
def shop(migrated: Project) -> Project:
    return migrated


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]


def test_a_reader_that_has_gone_does_not_keep_a_silent_script_from_running(shop: Project) -> None:
    shop.command("shop.silent", body="pass")
    result = shop.run("sh", "-c", f"'{sys.executable}' manage.py run_scripts | head -1")
    assert result.out == "Running management scripts (1):\n"
    assert "Traceback" not in result.err
    assert shop.states() == {"shop.silent": "applied"}


def test_a_script_that_closes_stdout_has_run_all_the_same(shop: Project) -> None:
    shop.command("shop.closes", body="self.stdout._out.close()")
    assert shop.manage("run_scripts").err == ""
    assert shop.states() == {"shop.closes": "applied"}


@pytest.mark.parametrize("seconds", ["soon", "-1", "nan", "inf"])
def test_a_wait_that_is_no_number_of_seconds_is_refused(project: Project, seconds: str) -> None:
    result = project.manage("run_scripts", f"--wait={seconds}", code=2)
    assert f"argument --wait: a number of seconds, not '{seconds}'" in result.err


def test_a_child_that_a_script_forks_neither_records_its_end_nor_goes_on_with_the_run(shop: Project) -> None:
    fork = "import os; pid = os.fork()\n        if not pid: raise SystemExit(0)\n        os.waitpid(pid, 0)"
    shop.command("shop.forks", body=f"{fork}; raise ValueError('the parent fails')")
    shop.command("shop.next", body="self.stdout.write('next')")
    result = shop.manage("run_scripts", "--continue-on-error", code=1)
    assert result.out.splitlines().count("next") == 1
    assert shop.states() == {"shop.forks": "failed", "shop.next": "applied"}
