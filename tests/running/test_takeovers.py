"""A holder that gave no sign of life for longer than its lease, and comes back."""

from __future__ import annotations

import signal

import pytest

from tests.conftest import MATRIX
from tests.databases.fixtures import KINDS, SERVERS
from tests.running.shops import Shop
from tests.waiting import wait_for


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """One whose leases run out soon."""
    shop.lease(2)
    return shop


EACH = [(kind, "") for kind in KINDS] + [(kind, "atomic=True") for kind in KINDS if kind != "sqlite"]


@pytest.mark.parametrize(("kind_name", "options"), EACH)
def test_a_takeover_is_recorded_once_and_the_frozen_process_reports_it(shop: Shop, options: str) -> None:
    shop.script("shop.frozen", "effect('frozen'); hold('frozen')", options=options)
    first = shop.hold("frozen", "run_scripts")
    first.signal(signal.SIGSTOP)
    shop.go("frozen")
    second = shop.run("run_scripts", "--wait", "600")
    assert second.code == 0, second.err
    first.signal(signal.SIGCONT)
    assert first.wait() == 1
    assert "another process took over" in first.out + first.err
    assert shop.outcomes() == ["lost", "succeeded"]
    assert shop.states() == {"shop.frozen": "applied"}
    if options:
        assert shop.effects() == {"frozen": 1}, "the loser's transaction is rolled back"


REPEATABLE_READ = {
    "postgresql": "import psycopg\nDATABASES['default']['OPTIONS'] ="
    " {'isolation_level': psycopg.IsolationLevel.REPEATABLE_READ}",
    "mariadb": "DATABASES['default']['OPTIONS'] = {'isolation_level': 'repeatable read',"
    " 'init_command': 'SET innodb_snapshot_isolation=ON'}",
}


@MATRIX
@SERVERS
def test_under_repeatable_read_the_frozen_process_reports_the_takeover_too(
    shop: Shop,
) -> None:
    shop.project.settings(REPEATABLE_READ[shop.project.kind.engine])
    read = "from scripts_tracker.models import Script; Script.objects.exists(); "
    shop.script("shop.frozen", f"{read}effect('frozen'); hold('frozen')", options="atomic=True")
    first = shop.hold("frozen", "run_scripts")
    first.signal(signal.SIGSTOP)
    shop.go("frozen")
    assert shop.run("run_scripts", "--wait", "600").code == 0
    first.signal(signal.SIGCONT)
    assert first.wait() == 1
    assert "shop.frozen finished, but its lease had expired and another process took over" in first.out
    assert shop.outcomes() == ["lost", "succeeded"]
    assert shop.effects() == {"frozen": 1}


@MATRIX
def test_by_hand_the_frozen_process_reports_the_takeover_too(shop: Shop) -> None:
    shop.script("shop.frozen", "hold('frozen')")
    first = shop.hold("frozen", "frozen")
    first.signal(signal.SIGSTOP)
    shop.go("frozen")
    assert shop.run("run_scripts", "--wait", "600").code == 0
    first.signal(signal.SIGCONT)
    assert first.wait() == 1
    assert (
        "CommandError: shop.frozen finished, but its lease had expired and another process took over"
        in first.err
    )
    assert shop.outcomes() == ["lost", "succeeded"]


@MATRIX
@pytest.mark.parametrize("kind_name", ["sqlite"])
def test_an_open_transaction_on_sqlite_prevents_a_takeover(shop: Shop) -> None:
    """There is one writer at a time: a row that cannot be written cannot be taken over."""
    shop.lease(0.5)
    shop.project.settings("DATABASES['default']['OPTIONS'] = {'timeout': 0.2}")
    shop.script("shop.frozen", "effect('frozen'); hold('frozen')", options="atomic=True")
    first = shop.hold("frozen", "run_scripts")
    first.signal(signal.SIGSTOP)
    wait_for(lambda: shop.lease_ends() <= 0, "the lease runs out")
    second = shop.run("run_scripts", "--wait", "1")
    assert second.code == 1
    assert "locked by another transaction" in second.out
    assert "database is locked" not in second.out + second.err
    (third,) = shop.start(("run_scripts", "--wait", "600"))
    first.signal(signal.SIGCONT)
    shop.go("frozen")
    assert (first.wait(), third.wait()) == (0, 0), third.err
    assert shop.outcomes() == ["succeeded"]
    assert shop.effects() == {"frozen": 1}
