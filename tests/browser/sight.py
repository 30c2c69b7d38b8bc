"""Whether everything in the tables and fields of a page can be seen: within the window, not cut off, not covered, not over another cell."""

from __future__ import annotations

from typing import Any

# Room that is left for other fonts, in pixels of the narrowest that a table could be.
SLACK = 32

_HIDDEN = """() => {
    const faults = [];
    const scrolls = one => ["overflow", "overflow-x"].some(name => getComputedStyle(one)[name] !== "visible");
    const within = (box, other) => box.left >= other.left - 1 && box.right <= other.right + 1;
    const textsOf = one => one.nodeType === Node.TEXT_NODE ? [one]
        : isForReaders(one) || one.tagName === "PRE" ? [] : [...one.childNodes].flatMap(textsOf);
    const isForReaders = one => one.nodeType === Node.ELEMENT_NODE && getComputedStyle(one).position === "absolute" && one.offsetWidth <= 1;
    for (const cell of document.querySelectorAll(":is(.results, .st-wide, #change-history) :is(th, td), .readonly")) {
        const around = [];
        for (let one = cell.parentElement; one; one = one.parentElement) around.push(one);
        if (!cell.offsetParent || around.some(isForReaders)) continue;
        window.scrollTo(0, cell.getBoundingClientRect().top + window.scrollY - window.innerHeight / 3);
        const boxes = textsOf(cell).flatMap(text => {
            const words = document.createRange();
            words.selectNodeContents(text);
            return [...words.getClientRects()].filter(box => box.width > 1 && box.height > 1);
        });
        const fault = what => faults.push(`${cell.className || cell.dataset.label || "cell"} "${cell.innerText.slice(0, 40)}" ${what}`);
        const own = cell.getBoundingClientRect();
        const all = [own, ...boxes];
        if (!all.every(box => within(box, {left: 0, right: window.innerWidth}))) fault("is outside of the window");
        const cutting = around.filter(scrolls).find(one => !all.every(box => within(box, one.getBoundingClientRect())));
        if (cutting) fault(`is cut off by ${cutting.className || cutting.id || cutting.tagName}`);
        if (!boxes.every(box => within(box, own))) fault("is wider than its cell");
        for (const box of boxes) {
            for (const x of [box.left + 1, (box.left + box.right) / 2, box.right - 1]) {
                const above = document.elementFromPoint(x, (box.top + box.bottom) / 2);
                if (!above || !cell.contains(above)) {
                    fault(`is covered by ${above && (above.className || above.id || above.tagName)}`);
                    break;
                }
            }
        }
    }
    return faults;
}"""

_TIGHT = """slack => [...document.querySelectorAll(":is(.results, .st-wide) > table")].flatMap(table => {
    const width = table.parentElement.clientWidth;
    table.style.width = "min-content";
    const least = table.offsetWidth;
    table.style.width = "";
    return least + slack <= width ? [] : [`${least} of ${width} pixels: ${table.innerText.slice(0, 40)}`];
})"""


def hidden(page: Any) -> list[str]:
    """The cells that cannot be seen as a whole, with the reason."""
    assert page.locator(":is(.results, .st-wide, #change-history) td, .readonly").count(), (
        "there is nothing to see"
    )
    found: list[str] = page.evaluate(_HIDDEN)
    return found


def tight(page: Any) -> list[str]:
    """The tables with hardly any room left: with another font, a column would be out of sight."""
    found: list[str] = page.evaluate(_TIGHT, SLACK)
    return found
