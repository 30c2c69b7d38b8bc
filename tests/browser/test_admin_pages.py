"""The pages of the admin in a browser: light, dark, narrow, without JavaScript, by keyboard, by screen reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.admin.projects import LONG, WIDE
from tests.browser import sight
from tests.browser.conftest import MANY

if TYPE_CHECKING:
    from collections.abc import Callable

LIST = "scripts_tracker/script/"
PAGES = {
    "list": LIST,
    "filtered": f"{LIST}?state=needs-action&o=3",
    "of an app": f"{LIST}?app=shop",
    "script": f"{LIST}shop.renumber_invoices/change/",
    "new": f"{LIST}billing.fix_totals/change/",
    "cycle": f"{LIST}billing.chicken/change/",
    "hostile": f"{LIST}billing.hostile/change/",
    "unreadable": f"{LIST}billing.broken/change/",
    "reverted": f"{LIST}stock.count_again/change/",
    "missing": f"{LIST}stock.leaves/change/",
    "mark": f"{LIST}billing.fix_totals/mark/",
    "unmark": f"{LIST}shop.renumber_invoices/unmark/",
    "several": f"{LIST}mark/?state=needs-action&all=1",
    "runs": "scripts_tracker/scriptrun/",
    "run": "scripts_tracker/scriptrun/10/change/",
    "running script": f"{LIST}shop.recount/change/",
    "running": "scripts_tracker/scriptrun/13/change/?still=1",
    "release": f"{LIST}shop.recount/release/",
    "history": f"{LIST}shop.renumber_invoices/history/",
    "batched": f"{LIST}shop.backfill/change/?still=1",
    "pause": f"{LIST}shop.backfill/pause/",
    "long": f"{LIST}{LONG}/change/",
    "sorted": f"{LIST}?o=3.2.1.0",
    "sorted runs": "scripts_tracker/scriptrun/?o=3.-2",
    "wide": f"{LIST}{WIDE}/change/?still=1",
    "run of a long name": f"scripts_tracker/scriptrun/?q={LONG.partition('.')[2]}",
}
# With tables, or with fields, which are wide.
TABLES = ("list", "sorted", "runs", "sorted runs", "long", "script", "batched", "wide", "history", "run")
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "narrow": {"viewport": {"width": 400, "height": 800}},
}
# Each look, and a list, a script, a run and a form.
SAMPLE = {("list", "light"), ("script", "dark"), ("run", "narrow"), ("mark", "narrow")}


@pytest.mark.parametrize(
    ("name", "how"),
    [
        pytest.param(name, how, id=f"{name}-{how}", marks=() if (name, how) in SAMPLE else MANY)
        for name in PAGES
        for how in LOOKS
    ],
)
def test_every_page_fits_and_axe_finds_nothing_serious(
    look: Callable[..., Any], keep: Callable[[Any, str], None], axe: str, name: str, how: str
) -> None:
    page = look(PAGES[name], **LOOKS[how])
    keep(page, f"{name}-{how}")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "it scrolls sideways"
    page.evaluate(axe)
    found = page.evaluate("axe.run()")
    serious = [
        (one["id"], [node["html"] for node in one["nodes"]])
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]
    assert not serious, serious


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=() if one in {"list", "wide"} else MANY) for one in TABLES]
)
def test_every_cell_and_field_can_be_seen_on_a_laptop_a_tablet_and_a_phone(
    look: Callable[..., Any], keep: Callable[[Any, str], None], name: str
) -> None:
    page = look(PAGES[name])
    for width in (1280, 768, 400):
        page.set_viewport_size({"width": width, "height": 900})
        keep(page, f"{name}-{width}")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
            "it scrolls sideways"
        )
        assert not sight.hidden(page), width
        assert not sight.tight(page), width


def test_the_page_of_a_running_run_is_loaded_again_and_shows_the_end_of_its_output_without_javascript(
    look: Callable[..., Any], keep: Callable[[Any, str], None]
) -> None:
    page = look(PAGES["running"].partition("?")[0], java_script_enabled=False)
    keep(page, "running-without-javascript")
    shown = page.locator("pre.st-tail").bounding_box()
    assert 100 < shown["height"] < 600
    with page.expect_navigation():  # by the header Refresh
        pass


def test_the_page_of_a_batched_script_is_loaded_again_and_shows_how_far_it_is_without_javascript(
    look: Callable[..., Any], keep: Callable[[Any, str], None]
) -> None:
    page = look(
        PAGES["batched"].partition("?")[0], java_script_enabled=False, viewport={"width": 768, "height": 900}
    )
    keep(page, "batched-without-javascript")
    assert page.locator("progress.st-bar").bounding_box()["width"] > 100
    assert page.get_by_role("progressbar", name="Progress of shop.backfill").get_attribute("value")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), "it scrolls sideways"
    with page.expect_navigation():  # by the header Refresh
        pass


@pytest.mark.parametrize(
    "name", ["list", *(pytest.param(one, marks=MANY) for one in ("new", "reverted", "run"))]
)
def test_without_javascript_everything_can_be_read(
    look: Callable[..., Any], keep: Callable[[Any, str], None], name: str
) -> None:
    page = look(PAGES[name], java_script_enabled=False)
    keep(page, f"{name}-without-javascript")
    shown = page.inner_text("#content")
    words = {
        "list": ["billing.hostile", "Unreadable", "Missing", "By state", "Needs action"],
        "new": ["shop.import_orders", "failed", "Required by", "catalog.import_vat_rates"],
        "reverted": ["Reverted", "Versions", "current file", "Runs", "Succeeded"],
        "run": ["Failed", "row 39: ok", "<b>bold?</b>", "ValueError: <script>alert(1)</script> is no amount"],
    }
    for text in words[name]:
        assert text in shown


def test_the_list_is_filtered_searched_and_sorted_without_javascript(look: Callable[..., Any]) -> None:
    page = look(java_script_enabled=False)
    page.fill("#searchbar", "billing")
    page.click("#changelist-search [type=submit]")
    page.click("#changelist-filter >> text=New")
    page.click("#result_list thead >> text=Script")
    assert page.locator("#result_list .field-script a").all_inner_texts() == [
        "billing.chicken",
        "billing.egg",
        "billing.fix_totals",
        "billing.hostile",
        "billing.report_to_the_tax_office_and_everybody",
        "billing.send_corrections",
    ]


def test_a_script_is_marked_and_unmarked_with_the_keyboard_alone(
    look: Callable[..., Any], keep: Callable[[Any, str], None]
) -> None:
    page = look(f"{LIST}billing.hostile/change/")
    page.focus("text=Mark as applied")
    page.keyboard.press("Enter")
    page.wait_for_url("**/mark/")
    page.focus("[name=reason]")
    page.keyboard.type("Looked at by hand; it does nothing.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/change/")
    assert "Marked billing.hostile as applied" in page.inner_text(".messagelist")
    assert "Looked at by hand" in page.inner_text("#st-runs + *")
    keep(page, "marked-light")
    page.click("text=Unmark")
    page.click("[type=submit][value=Unmark]")
    assert page.url.endswith("/unmark/"), "without a reason the browser or the server refuses"
    page.fill("[name=reason]", "It was a mistake.")
    page.click("[type=submit][value=Unmark]")
    page.wait_for_url("**/change/")
    assert page.inner_text(".st-state").startswith("New")


def test_the_keyboard_reaches_the_boxes_of_the_picture_and_the_focus_can_be_seen(
    look: Callable[..., Any], keep: Callable[[Any, str], None]
) -> None:
    page = look(PAGES["new"])
    page.focus(".st-scrolls")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('svg.st-picture') !== null")
    assert (
        page.evaluate("getComputedStyle(document.activeElement.querySelector('rect')).strokeWidth") == "3px"
    )
    keep(page, "focus-light")
    name = page.evaluate("document.activeElement.getAttribute('aria-label')").partition(":")[0]
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{name}/change/")


def test_the_picture_opens_at_the_script_itself_and_alone_has_the_colours_of_the_system(
    look: Callable[..., Any],
) -> None:
    page = look(PAGES["new"], viewport={"width": 400, "height": 800})
    within = """() => {
        const [seen, box] = [".st-scrolls", ".st-subject"].map(one => document.querySelector(one).getBoundingClientRect());
        return seen.left <= box.left && box.right <= seen.right && seen.top <= box.top && box.bottom <= seen.bottom;
    }"""
    assert page.evaluate(within)
    page.evaluate("document.querySelector('.st-scrolls').scrollLeft = 0")
    assert not page.evaluate(within)
    page.click("text=Show this script in the picture")
    assert page.evaluate(within)
    alone = PAGES["new"].replace("change/", "requirements.svg")
    colours = [
        look(alone, color_scheme=scheme).evaluate(
            "getComputedStyle(document.documentElement).backgroundColor"
        )
        for scheme in ("light", "dark")
    ]
    assert colours == ["rgb(255, 255, 255)", "rgb(18, 18, 18)"]


def test_a_reader_sees_no_buttons(look: Callable[..., Any], keep: Callable[[Any, str], None]) -> None:
    page = look(PAGES["script"], name="rosa")
    keep(page, "reader-light")
    assert page.locator("text=Mark as applied").count() == 0
    assert "Runs" in page.inner_text("#content")
    assert look(name="rosa").locator("#result_list tbody tr").count() > 10


def test_states_have_other_colours_in_the_dark(look: Callable[..., Any]) -> None:
    colours = [
        look(color_scheme=scheme).evaluate(
            "[...document.querySelectorAll('.st-badge')].map(one => getComputedStyle(one).backgroundColor)"
        )
        for scheme in ("light", "dark")
    ]
    assert len(set(colours[0])) == len(set(colours[1])) == 5
    assert not set(colours[0]) & set(colours[1])


def test_a_long_output_begins_at_its_end_and_scrolls_within_the_page_by_keyboard(
    look: Callable[..., Any],
) -> None:
    page = look(PAGES["run"])
    output = page.locator("pre[aria-label=Output]")
    assert output.evaluate("one => one.clientHeight < one.scrollHeight")
    assert output.evaluate("one => one.scrollTop") == 0, "of a column from the bottom, the end"
    output.focus()
    page.keyboard.press("Home")
    page.wait_for_function("document.querySelector('pre[aria-label=Output]').scrollTop < 0")
