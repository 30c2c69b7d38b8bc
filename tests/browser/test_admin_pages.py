"""The pages of the admin as people meet them: light, dark, narrow, without JavaScript, by keyboard, by screen reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

LIST = "scripts_tracker/script/"
PAGES = {
    "list": LIST,
    "filtered": f"{LIST}?state=needs-action&o=3",
    "script": f"{LIST}shop.renumber_invoices/change/",
    "new": f"{LIST}billing.fix_totals/change/",
    "circle": f"{LIST}billing.chicken/change/",
    "hostile": f"{LIST}billing.hostile/change/",
    "unreadable": f"{LIST}billing.broken/change/",
    "reverted": f"{LIST}stock.count_again/change/",
    "missing": f"{LIST}stock.leaves/change/",
    "mark": f"{LIST}billing.fix_totals/mark/",
    "forget": f"{LIST}shop.renumber_invoices/forget/",
    "runs": "scripts_tracker/scriptrun/",
    "run": "scripts_tracker/scriptrun/10/change/",
    "history": f"{LIST}shop.renumber_invoices/history/",
}
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "narrow": {"viewport": {"width": 400, "height": 800}},
}


@pytest.mark.parametrize("how", LOOKS)
@pytest.mark.parametrize("name", PAGES)
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
