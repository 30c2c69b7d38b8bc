"""The throttles that we ship: hours of the day, replicas, vacuums."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from typing import Any

import pytest
from django.db import connections

from scripts_tracker import throttles
from scripts_tracker.core.values import ScriptId, Work
from scripts_tracker.throttles import autovacuum_on_table, replica_lag, window
from tests.conftest import ROOT

WORK = Work(ScriptId("shop", "fill"), "default", "shop_order")

# 2026-11-23 is a Monday.
OPEN = {
    "over midnight, late": ("22:00-06:00", "2026-11-23 22:00"),
    "over midnight, early": ("22:00-06:00", "2026-11-23 05:59"),
    "over the end of the week": ("sun 22:00-06:00", "2026-11-23 03:00"),
    "the whole day": ("00:00-24:00", "2026-11-23 23:59"),
    "a list of days": ("sat,sun 00:00-24:00", "2026-11-29 12:00"),
    "a span of days over the week's end": ("sat-mon 10:00-12:00", "2026-11-23 10:00"),
    "in any letters": ("MON 10:00-12:00", "2026-11-23 11:00"),
}
CLOSED = {
    "its end": ("22:00-06:00", "2026-11-23 06:00", "opens at 22:00"),
    "before it": ("22:00-06:00", "2026-11-23 21:59", "opens at 22:00"),
    "the night after the last day": ("mon-fri 22:00-06:00", "2026-11-29 22:30", "opens at Mon 22:00"),
    "the morning of its first day": ("mon 22:00-06:00", "2026-11-23 05:00", "opens at 22:00"),
    "another day": ("sat,sun 00:00-24:00", "2026-11-23 00:00", "opens at Sat 00:00"),
}
MALFORMED = {
    "nothing": ((), "needs a time such as"),
    "a word": (("night",), "'night' is no window such as"),
    "one digit": (("9:00-17:00",), "is no window such as"),
    "no minutes": (("22-06",), "is no window such as"),
    "an hour too many": (("25:00-06:00",), "has a time that no clock shows"),
    "a minute too many": (("22:60-06:00",), "has a time that no clock shows"),
    "nothing in it": (("06:00-06:00",), "is empty; write 00:00-24:00"),
    "no day": (("mun 22:00-06:00",), "'mun' is no day; the days are mon, tue"),
    "a number": ((22,), "is no window such as"),
    "the second": (("22:00-06:00", "x"), "'x' is no window"),
}


def at(moment: str) -> dt.datetime:
    return dt.datetime.fromisoformat(moment)


@pytest.mark.parametrize(("text", "moment"), OPEN.values(), ids=OPEN)
def test_a_window_is_open_inside_its_hours(text: str, moment: str) -> None:
    assert window(text).reason_at(at(moment)) is None


@pytest.mark.parametrize(("text", "moment", "words"), CLOSED.values(), ids=CLOSED)
def test_a_closed_window_says_when_it_opens(text: str, moment: str, words: str) -> None:
    assert window(text).reason_at(at(moment)) == f"the window {text} {words}"


def test_one_open_window_of_several_is_enough() -> None:
    both = window("mon-fri 22:00-06:00", "sat,sun 00:00-24:00")
    assert both.reason_at(at("2026-11-28 12:00")) is None
    assert "or sat,sun" in str(both.reason_at(at("2026-11-23 12:00")))


@pytest.mark.parametrize(("texts", "words"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_window_is_known_before_it_is_asked(texts: tuple[Any, ...], words: str) -> None:
    made = window(*texts)
    assert words in made.problem
    with pytest.raises(ValueError, match=r"window|clock|day"):
        made()


@pytest.mark.parametrize("use_tz", [True, False], ids=str)
def test_a_window_goes_by_the_time_zone_of_django(
    settings: Any, monkeypatch: pytest.MonkeyPatch, use_tz: object
) -> None:
    settings.TIME_ZONE, settings.USE_TZ = "Asia/Tokyo", use_tz
    now = dt.datetime(2026, 11, 23, 15, tzinfo=dt.timezone.utc)  # midnight in Tokyo
    local = dt.datetime(2026, 11, 24)  # noqa: DTZ001 - as Django has it without USE_TZ
    monkeypatch.setattr("django.utils.timezone.now", lambda: now if use_tz else local)
    assert window("00:00-01:00")() is None
    assert window("15:00-16:00")() == "the window 15:00-16:00 opens at 15:00"


def test_the_throttles_import_nothing_of_django() -> None:
    asked = "import sys, scripts_tracker.throttles; print([one for one in sys.modules if one.startswith('django')])"
    done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


class Servers:
    """Answers of servers by alias and by how the statement begins."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, vendor: str) -> None:
        self.answers: dict[tuple[str, str], list[dict[str, Any]]] = {}
        monkeypatch.setattr(type(connections["default"]), "vendor", vendor)
        monkeypatch.setattr(throttles, "_ask", self._ask)
        monkeypatch.setattr(
            throttles, "_replicas_of", lambda _: iter({alias for alias, _ in self.answers} - {"default"})
        )

    def _ask(self, alias: str, statement: str, *_: str) -> list[dict[str, Any]]:
        return next(
            rows for (of, start), rows in self.answers.items() if of == alias and statement.startswith(start)
        )


def standby(lag: float | None, state: str | None = "streaming") -> dict[str, Any]:
    return {"name": "standby1", "state": state, "lag": lag}


LAGS = {
    "no replica": ([], None),
    "an idle one": ([standby(None)], None),
    "one at the limit": ([standby(10.0)], None),
    "one behind": ([standby(1.0), standby(12.4)], "the replica 'standby1' is 12 s behind (limit: 10 s)"),
    "one that catches up": ([standby(99.0, "catchup")], "is 99 s behind"),
    "a base backup": ([standby(99.0, "backup")], None),
}


@pytest.mark.parametrize(("rows", "words"), LAGS.values(), ids=LAGS)
def test_postgresql_knows_its_replicas(
    monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, Any]], words: str | None
) -> None:
    Servers(monkeypatch, "postgresql").answers["default", "SELECT application_name"] = rows
    reason = replica_lag(WORK)
    assert reason is None if words is None else words in str(reason)


def test_replicas_that_the_user_may_not_see_are_no_reason_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    servers = Servers(monkeypatch, "postgresql")
    servers.answers["default", "SELECT application_name"] = [standby(None, None)]
    with pytest.raises(PermissionError, match="GRANT pg_read_all_stats"):
        replica_lag(WORK)
    servers.answers["replica", "SELECT pg_is_in_recovery"] = [{"is_replica": True, "lag": 3}]
    assert replica_lag(WORK) is None
    assert replica_lag(seconds=2)(WORK) == "the replica 'replica' is 3 s behind (limit: 2 s)"
    servers.answers["replica", "SELECT pg_is_in_recovery"] = [{"is_replica": True, "lag": None}]
    assert replica_lag(WORK) == "the replica 'replica' is behind, by a time that it cannot say"


MYSQL = {
    "MySQL": ([{"seconds_behind_source": 11}], "the replica 'replica' is 11 s behind"),
    "MariaDB": ([{"seconds_behind_master": 11}], "the replica 'replica' is 11 s behind"),
    "in time": ([{"seconds_behind_master": 0}], None),
    "no replica": ([], None),
}


@pytest.mark.parametrize(("rows", "words"), MYSQL.values(), ids=MYSQL)
def test_mysql_and_mariadb_are_asked_on_the_replica(
    monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, Any]], words: str | None
) -> None:
    Servers(monkeypatch, "mysql").answers["replica", "SHOW REPLICA STATUS"] = rows
    reason = replica_lag(WORK)
    assert reason is None if words is None else words in str(reason)


def test_a_replica_that_does_not_replicate_is_no_reason_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    servers = Servers(monkeypatch, "mysql")
    servers.answers["replica", "SHOW REPLICA STATUS"] = [{"seconds_behind_master": None}]
    with pytest.raises(RuntimeError, match="'replica' does not replicate now"):
        replica_lag(WORK)
    servers.answers["replica", "SHOW REPLICA STATUS"] = []
    with pytest.raises(RuntimeError, match="'replica' is no replica"):
        replica_lag(aliases=["replica"])(WORK)


def test_the_replicas_are_the_same_database_elsewhere_and_the_mirrors(settings: Any) -> None:
    base = dict(connections["default"].settings_dict)
    found = {
        "elsewhere": {**base, "HOST": "replica1"},
        "mirror": {**base, "NAME": "x", "TEST": {**base["TEST"], "MIRROR": "default"}},
        "of another database": {**base, "NAME": "x", "HOST": "replica1"},
        "the same again": base,
    }
    for alias, given in found.items():
        connections.settings[alias] = given
    try:
        assert set(throttles._replicas_of("default")) == {"elsewhere", "mirror"}
    finally:
        for alias in found:
            del connections.settings[alias]
            delattr(connections._connections, alias)  # type: ignore[attr-defined]  # of asgiref


VACUUM: dict[str, Any] = {"phase": None, "percent": None, "is_locked": False, "dead": 30, "live": 100}
VACUUMS = {
    "none": ({}, None),
    "one that is seen": (
        {"phase": "scanning heap", "percent": 43, "is_locked": True},
        "a vacuum of shop_order is running (scanning heap, 43 %)",
    ),
    "one of an empty table": ({"phase": "initializing"}, "a vacuum of shop_order is running (initializing)"),
    "one of which only the lock is seen": (
        {"is_locked": True},
        "a vacuum, ANALYZE or CREATE INDEX CONCURRENTLY on shop_order is running",
    ),
    "dead rows": ({"dead": 51_000}, "shop_order has 51,000 dead rows beside 100 live ones"),
    "a table without figures": ({"dead": None, "live": None}, None),
}


@pytest.mark.parametrize(("facts", "words"), VACUUMS.values(), ids=VACUUMS)
def test_a_vacuum_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, facts: dict[str, Any], words: str | None
) -> None:
    Servers(monkeypatch, "postgresql").answers["default", "SELECT p.phase"] = [{**VACUUM, **facts}]
    assert autovacuum_on_table(dead_share=0.5)(WORK) == words
    assert autovacuum_on_table(WORK) == (None if "dead" in facts else words)


@pytest.mark.parametrize("throttle", [replica_lag, autovacuum_on_table])
def test_sqlite_has_nothing_to_wait_for(throttle: Any) -> None:
    assert throttle(WORK) is None
