"""Reports of rehearsals: what is known and what is not, and what the ledger keeps."""

from __future__ import annotations

import pytest

from scripts_tracker.core import reports
from scripts_tracker.core.reports import RehearsalReport, Sample, TableChanges

ORDERS = TableChanges("default", "shop_order", inserted=1, updated=2, deleted=3, statements=4, seconds=0.5)
UNKNOWN = TableChanges("other", "shop_stock", inserted=None, statements=1)
READ = TableChanges("default", "shop_item", statements=9)
SAMPLE = Sample(5, 5_000, 0.25, 1.5, 600.0, 2_000_000, "5 batches of up to 1,000 keys")
FULL = RehearsalReport((ORDERS, UNKNOWN, READ), 14, 2.5, 1, 2, 3, ("a warning",), SAMPLE)


@pytest.mark.parametrize("report", [FULL, RehearsalReport()], ids=["full", "empty"])
def test_the_ledger_gives_back_what_it_was_given(report: RehearsalReport) -> None:
    assert reports.from_text(reports.to_text(report)) == report


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", '{"tables": [1]}', '{"tables": 7}', '{"sample": {"batches": 1}}']
)
def test_a_malformed_report_is_none(text: str) -> None:
    assert reports.from_text(text) is None


def test_keys_of_a_later_release_are_left_out() -> None:
    assert reports.from_text(
        '{"statements": 3, "new": 1, "tables": [{"alias": "a", "table": "t", "new": 1}]}'
    ) == (RehearsalReport((TableChanges("a", "t"),), 3))


def test_rows_are_not_known_where_one_number_is_not() -> None:
    assert (ORDERS.rows, UNKNOWN.rows, READ.rows) == (6, None, 0)
    assert FULL.rows is None
    assert FULL._replace(tables=(ORDERS, READ)).rows == 6
    assert FULL.changed == (ORDERS, UNKNOWN)


def test_row_counts_are_a_plain_value_with_the_changed_tables() -> None:
    assert reports.row_counts(FULL.tables) == {
        "shop_order": {"inserted": 1, "updated": 2, "deleted": 3},
        "other:shop_stock": {"inserted": None, "updated": 0, "deleted": 0},
    }
