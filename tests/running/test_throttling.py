"""What a batched script makes of the throttles in the settings."""

from __future__ import annotations

from typing import Any

import pytest

from scripts_tracker.core.values import ScriptId, Work
from scripts_tracker.running.throttling import reason_to_wait
from scripts_tracker.throttles import window

WORK = Work(ScriptId("shop", "fill"), "default", "shop_order")
asked: list[object] = []


def content(work: Work) -> None:
    asked.append(work)


def content_without_parameter() -> None:
    asked.append(None)


def busy(_: Work) -> str:
    return "shop is\nbusy"


def wordless(_: Work) -> bool:
    return True


def broken(_: Work) -> str:
    raise ZeroDivisionError("division by zero")


def chatty() -> str:
    return "x" * 1000


def factory() -> Any:
    return busy


HERE = __name__
CASES = {
    "none": ([], None),
    "one without a reason": ([content, f"{HERE}.content"], None),
    "one without a parameter": ([f"{HERE}.content_without_parameter"], None),
    "one with a reason": ([content, f"{HERE}.busy"], "shop is busy"),
    "the first reason": ([busy, broken], "shop is busy"),
    "one without words": ([wordless], f"the throttle {HERE}.wordless says so"),
    "one that raises": (
        [f"{HERE}.broken"],
        f"the throttle {HERE}.broken failed: ZeroDivisionError: division by zero",
    ),
    "a function that raises": (
        [broken],
        f"the throttle {HERE}.broken failed: ZeroDivisionError: division by zero",
    ),
    "one that is not there": (
        ["tests.nowhere.quiet"],
        "the throttle tests.nowhere.quiet cannot be imported: ModuleNotFoundError: No module named 'tests.nowhere'",
    ),
    "one that is no function": ([f"{HERE}.HERE"], f"the throttle {HERE}.HERE is not callable"),
    "one that makes throttles": (
        [factory],
        f"the throttle {HERE}.factory returned a function; write {HERE}.factory()",
    ),
    "a malformed window": (
        [window("x")],
        "the throttle window('x') failed: ValueError: 'x' is no window such as",
    ),
    "more than the ledger has room for": ([chatty], f"{'x' * 247}..."),
}


@pytest.mark.parametrize(("throttles", "words"), CASES.values(), ids=CASES)
def test_the_reason_to_wait(settings: Any, throttles: list[Any], words: str | None) -> None:
    settings.SCRIPTS_TRACKER = {"throttle": throttles}
    reason = reason_to_wait(WORK)
    assert reason is None if words is None else str(reason).startswith(words)


def test_a_throttle_is_told_what_is_about_to_change(settings: Any) -> None:
    settings.SCRIPTS_TRACKER = {"throttle": (content, content_without_parameter)}
    asked.clear()
    assert reason_to_wait(WORK) is None
    assert asked == [WORK, None]
