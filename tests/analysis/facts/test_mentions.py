"""The graph of names of one file: what is named together, and where."""

from __future__ import annotations

import json

import pytest

from scripts_tracker.analysis.facts.extraction import extract
from scripts_tracker.analysis.facts.graph import Mention, NameGraph
from scripts_tracker.analysis.facts.mentions import read_names

OURS = "from scripts_tracker import tracked_script\n"


def graph(source: str) -> NameGraph:
    return read_names(source.encode(), extract(source.encode(), with_fingerprint=False))


def words(source: str, node: str) -> list[str]:
    return [one.name for one in graph(source).of(node)]


SILENT = {
    "a name that only a nested function binds": "def f():\n    def g():\n        tracked_script = print\n    f.t = 1\n",
    "a parameter of a lambda": "table = {}\ntable['x'] = lambda tracked_script: tracked_script\n",
    "a name that a comprehension binds": "table = [tracked_script for tracked_script in ()]\n",
    "a text with more than the name": "table = ['the tracked_script']\n",
    "a table that a function reads": "table = {}\ndef f(): return table\ntracked_script(f)\n",
}


@pytest.mark.parametrize("code", SILENT.values(), ids=SILENT)
def test_a_table_is_not_made_of(code: str) -> None:
    assert "tracked_script" not in words(OURS + code, "table")


MADE = {
    "an element": "table = {}\ntable['x'] = tracked_script\n",
    "an update": "table = {}\ntable.update(x=tracked_script)\n",
    "an operator": "table = []\ntable += [tracked_script]\n",
    "a loop": "table = {}\nfor one in [tracked_script]: pass\ntable['x'] = one\n",
    "unpacking": "other, table = 1, tracked_script\n",
    "starred unpacking": "other, *table = 1, tracked_script\n",
    "with": "with open(tracked_script) as table: pass\n",
    "match": "match tracked_script:\n    case table: pass\n",
    "except": "try:\n    raise E(tracked_script)\nexcept E as table: pass\n",
    "global": "def f():\n    global table\n    table = tracked_script\n",
    "setattr": "table = object()\nsetattr(table, 'x', tracked_script)\n",
}


@pytest.mark.parametrize("code", MADE.values(), ids=MADE)
def test_a_name_is_made_of_what_is_named_with_it(code: str) -> None:
    graph_of_names = graph(OURS + code)
    reached, todo = set(), ["table"]
    while todo:
        node = todo.pop()
        reached.add(node)
        todo += [one.name for one in graph_of_names.of(node) if one.name not in reached]
    assert "tracked_script" in reached


def test_what_leads_nowhere_is_left_out() -> None:
    assert (
        graph("import os\nfrom django.db import models\nX = os.path\nclass Command:\n    y = len(X)\n")
        == NameGraph()
    )


def test_a_place_counts_characters() -> None:
    found = graph(OURS + "t = {}\nt['ä'] = tracked_script\n").of("t")
    assert found == (Mention("tracked_script", (3, 10)),)


def test_a_graph_survives_its_text() -> None:
    made = graph(OURS + "t = {}\nt['x'] = tracked_script\n")
    assert NameGraph.from_text(made.to_text()) == made
    assert "\n" not in made.to_text()


@pytest.mark.parametrize("content", ["", "[]", json.dumps({"t": [["x", [0, 1]]]}), json.dumps({"t": 1})])
def test_a_malformed_graph_is_refused(content: str) -> None:
    with pytest.raises(ValueError, match=r"Expecting|malformed|no line|expected"):
        NameGraph.from_text(content)


def test_chains_and_nesting_are_looked_through() -> None:
    chain = "t = f()" + ".a" * 200 + "(tracked_script)\nu = " + "f(" * 40 + "tracked_script" + ")" * 40 + "\n"
    assert "tracked_script" in words(OURS + chain, "t")
    assert "tracked_script" in words(OURS + chain, "u")
