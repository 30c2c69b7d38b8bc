"""Batched scripts: every row is processed exactly once, whatever ends a batch, and the history says what happened."""

from __future__ import annotations

from tests.running.walks import Walks


def test_every_row_is_processed_once_and_the_end_happens_once(walks: Walks) -> None:
    walks.rows(range(1, 201))
    walks.script(finish='effect("finish")')
    done = walks.shop.run("walk")
    assert (done.code, done.err) == (0, "")
    assert walks.hits() == {1: 200}
    assert walks.shop.effects() == {"finish": 1}
    assert walks.shop.states() == {"shop.walk": "applied"}
    assert walks.shop.outcomes() == ["succeeded"]
