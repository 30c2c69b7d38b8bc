"""Scripts of a django-tenants project that hold leases and end in other schemas than they began in."""

from __future__ import annotations

import signal

import pytest

from tests.running.tenants import LEDGERS, TenantShop
from tests.waiting import wait_for

PER_TENANT = pytest.mark.parametrize("layout", ["tenant", "both"])


# Leases and two runners.


def test_a_script_that_takes_longer_than_three_leases_holds_its_script(tenants: TenantShop) -> None:
    tenants.lease(1)
    tenants.script("shop.long", "hold('long'); leave('long')")
    runner = tenants.hold_in("t1", "long", "run_scripts")
    first = tenants.lease_ends_at()
    wait_for(lambda: tenants.lease_ends_at() > first + 3, "three leases have been renewed")
    tenants.go("long")
    assert runner.wait() == 0, runner.out + runner.err
    assert tenants.effects() == {"long in t1": 1}
    assert tenants.runs() == ["long succeeded"]


def test_a_second_runner_waits_for_longer_than_three_leases(tenants: TenantShop) -> None:
    tenants.script("shop.long", "hold('long'); leave('long')")
    before = tenants.contents(tenants.ledger)
    holder = tenants.hold_in("t1", "long", "run_scripts")
    waiter = tenants.start_in("t1", "run_scripts", "--wait", "600")
    wait_for(lambda: waiter.files[0].exists() and "waiting" in waiter.out, "the second runner waits")
    refused = tenants.run_in("t1", "long")
    assert refused.code == 1
    assert f"process {holder.pid}; " in refused.err
    assert "To follow it: manage.py tenant_command show_script shop.long --watch --schema t1\n" in refused.err
    for _ in range(4):
        tenants.time_passes("t1", 540)  # of a lease of 600 seconds
        wait_for(lambda: tenants.lease_left() > 300, "the lease is renewed")
    tenants.go("long")
    assert (holder.wait(), waiter.wait()) == (0, 0), holder.out + waiter.out
    assert tenants.effects() == {"long in t1": 1}
    assert tenants.runs() == ["long succeeded"]
    assert tenants.contents(tenants.ledger) == before


def test_of_two_runners_that_start_at_once_one_runs_the_script(tenants: TenantShop) -> None:
    tenants.script("shop.fix", "leave('fix')")
    command = ("tenant_command", "run_scripts", "-s", "t1")
    first, second = tenants.start(command, command)
    assert (first.wait(), second.wait()) == (0, 0), first.out + second.out
    assert tenants.effects() == {"fix in t1": 1}
    assert tenants.runs() == ["fix succeeded"]


@PER_TENANT
def test_tenants_run_the_same_script_at_once_in_rows_with_the_same_keys(tenants: TenantShop) -> None:
    tenants.script("shop.fix", "hold('fix'); leave('fix')")
    one, two = tenants.hold_in("t1", "fix"), tenants.hold_in("t2", "fix")
    before = tenants.contents("t1", "t2")
    one.signal(signal.SIGTERM)
    one.wait()
    assert (tenants.runs("t1")[0].split()[1] != "succeeded", tenants.runs("t2")) == (True, ["fix running"])
    tenants.go("fix")
    assert two.wait() == 0, two.err
    assert tenants.runs("t2") == ["fix succeeded"]
    assert tenants.contents("t1", "t2") == before


def test_a_killed_run_is_lost_and_the_next_one_takes_over(tenants: TenantShop) -> None:
    tenants.script("shop.fix", "hold('fix'); leave('fix')")
    killed = tenants.hold_in("t1", "fix", "run_scripts")
    before = tenants.contents(tenants.ledger)
    killed.signal(signal.SIGKILL)
    killed.wait()
    tenants.time_passes("t1", 601)
    listed = tenants.run_in("t1", "check_scripts", "--check")
    assert (listed.code, "Lost scripts (1):" in listed.out) == (3, True)
    tenants.go("fix")
    second = tenants.run_in("t1", "run_scripts")
    assert second.code == 0, second.out
    assert tenants.runs() == ["fix lost", "fix succeeded"]
    assert tenants.effects() == {"fix in t1": 1}
    assert tenants.contents(tenants.ledger) == before


# Scripts that go to other tenants.

ENDS_ELSEWHERE = {
    "another tenant": "connection.set_schema('t2')",
    "the public schema": "connection.set_schema_to_public()",
    "a search path that the wrapper knows nothing of": "connection.cursor().execute('SET search_path = t2')",
    "an exception in another tenant": "connection.set_schema('t2'); raise ValueError('in t2')",
    "a lost connection": "connection.cursor().execute('SELECT pg_terminate_backend(pg_backend_pid())')",
    "a closed connection": "connection.close()",
    "an open transaction": "transaction.atomic().__enter__(); leave('lost'); connection.set_schema('t2')",
}
FAILS = {"an exception in another tenant", "a lost connection", "an open transaction"}


@pytest.mark.parametrize("way", ENDS_ELSEWHERE)
def test_a_script_that_ends_elsewhere_is_recorded_where_it_began_and_so_is_the_next(
    tenants: TenantShop, way: str
) -> None:
    tenants.script("shop.a_wanders", ENDS_ELSEWHERE[way])
    tenants.script("shop.fix", "leave('fix')")
    for schema in LEDGERS[tenants.layout]:  # the same keys everywhere
        if schema != tenants.ledger:
            tenants.run_in(schema, "check_scripts", "--mark-applied", "a_wanders")
            assert tenants.runs(schema) == ["a_wanders succeeded"]
    before = tenants.contents(tenants.ledger)
    runner = tenants.run_in("t1", "run_scripts", "--continue-on-error")
    outcome = "failed" if way in FAILS else "succeeded"
    assert tenants.runs() == [f"a_wanders {outcome}", "fix succeeded"], runner.out + runner.err
    assert tenants.effects() == {"fix in t1": 1}
    assert runner.code == (1 if way in FAILS else 0)
    assert tenants.contents(tenants.ledger) == before


@pytest.mark.parametrize("layout", ["both"])
def test_a_run_of_another_tenant_with_the_same_key_is_not_taken_for_the_run_around(
    tenants: TenantShop,
) -> None:
    tenants.script("shop.fix", "hold('fix'); leave('fix')")
    run_all = "call_command('run_scripts', 'fix', wait=600, stdout=self.stdout)"
    imports = (
        "from django.core.management import call_command; from django_tenants.utils import schema_context"
    )
    tenants.script("shop.fix_all", f"{imports}\n        with schema_context('t1'): {run_all}")
    holder = tenants.hold_in("t1", "fix")
    (runner,) = tenants.start(("fix_all",))
    wait_for(lambda: runner.files[0].exists() and "waiting" in runner.out, "the runner inside waits")
    tenants.go("fix")
    assert (holder.wait(), runner.wait()) == (0, 0), runner.out + runner.err
    assert (tenants.runs("public"), tenants.runs("t1")) == (["fix_all succeeded"], ["fix succeeded"])
