from __future__ import annotations

from tests.conftest import Project


def test_the_demo_runs_and_shows_the_product_at_work(demo_output: str) -> None:
    assert "Applied scripts (1):" in demo_output
    assert "Modified scripts (1):" in demo_output
    assert ": consents.csv is not there; ask marketing for the export.\nNot listed" in demo_output
    assert "Traceback" not in demo_output


def test_every_tracked_script_of_the_demo_is_found(demo: Project) -> None:
    demo.manage("migrate", "--verbosity", "0")
    document = demo.check()
    assert document["problems"] == []
    assert [script["script"] for script in document["scripts"]] == [
        "catalog.import_kingston-upon-hull",
        "catalog.import_vat_rates",
        "catalog.normalise_skus",
        "catalog.refresh_search_text",
        "customers.guess_regions",
        "customers.import_consents",
        "customers.lowercase_emails",
        "customers.merge_duplicates",
        "orders.close_stale_orders",
        "orders.fix_totals",
        "orders.renumber_invoices",
    ]
    helps = {script["script"]: script["help"] for script in document["scripts"]}
    assert helps["customers.guess_regions"].startswith("Guess the region")
    assert helps["catalog.import_kingston-upon-hull"].startswith("Add the products")
    assert helps["catalog.refresh_search_text"].startswith("Rebuild the search text")
    requires = {script["script"]: script["requires"] for script in document["scripts"]}
    assert requires["orders.renumber_invoices"] == ["orders.fix_totals", "customers.merge_duplicates"]
    assert requires["customers.merge_duplicates"] == ["customers.lowercase_emails"]
