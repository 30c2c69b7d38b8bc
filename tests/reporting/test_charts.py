"""The charts, checked with the programs that draw them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scripts_tracker.core.states import statuses
from scripts_tracker.reporting import formats
from scripts_tracker.reporting.formats import CHECK_FORMATS
from scripts_tracker.reporting.report import Report
from tests.builders import definition, record, run
from tests.reporting.test_formats import PLAIN
from tests.switches import FULL

HOSTILE = 'no "such" <b>#1;</b> \\n [x] {y} (z) %%|-->`end` ä€'


def report(found: list[Any], kept: list[Any] | None = None) -> Report:
    made = statuses(found, {one.id: one for one in kept or []})
    return Report(made, {status.id: status for status in made}, (), show_all=True)


REPORTS = {
    "nothing": report([]),
    "one script": report([definition("a.x")]),
    "requirements": report([definition("a.x", requires=("b.y", "no.such")), definition("b.y")]),
    "hostile names": report(
        [definition("a.import_kingston-upon-hull", requires=(HOSTILE,)), definition("end.end")]
    ),
    "a cycle": report([definition("a.x", requires=("a.y",)), definition("a.y", requires=("a.x",))]),
    "every kind of state": report(
        [
            definition("a.new"),
            definition("a.applied"),
            definition("a.failed"),
            definition("a.run"),
            definition("a.bad", None),
        ],
        [
            record("a.applied", "a"),
            record("a.failed", last_run=run("failed")),
            record("a.run", last_run=run("running"), lease_live=True),
            record("a.gone", "z"),
        ],
    ),
    "three hundred scripts": report(
        [
            definition(f"a.x{number}", requires=tuple(f"a.x{number // 2}" for _ in range(number > 1)))
            for number in range(300)
        ]
    ),
}


def drawn(name: str, made: Report) -> list[str]:
    return formats.renderer(CHECK_FORMATS, name)(made, PLAIN).splitlines()


def test_mermaid_draws_scripts_states_and_requirements() -> None:
    lines = drawn("mermaid", REPORTS["requirements"])
    assert lines[0] == "flowchart TD"
    assert '    s0["a.x<br/>new"]:::action' in lines
    assert '    s2["no.such<br/>does not exist"]:::trouble' in lines
    assert "    s1 --> s0" in lines
    assert "    s2 --> s0" in lines


def test_dot_draws_scripts_states_and_requirements() -> None:
    lines = drawn("dot", REPORTS["requirements"])
    assert lines[0] == "digraph scripts {"
    assert any(line.startswith('    s0 [label="a.x\\nnew",') for line in lines)
    assert any(line.startswith('    s2 [label="no.such\\ndoes not exist",') for line in lines)
    assert "    s1 -> s0;" in lines
    assert "    s2 -> s0;" in lines


def need(program: str) -> str:
    """The path of a program; the run at full length must have it."""
    found = shutil.which(program)
    if found is None and FULL:
        pytest.fail(f"there is no {program} on this machine")
    if found is None:
        pytest.skip(f"there is no {program} on this machine")
    return found


@pytest.mark.parametrize("made", REPORTS.values(), ids=REPORTS)
def test_graphviz_draws_it_with_every_script_and_every_requirement(made: Report) -> None:
    text = "\n".join(drawn("dot", made))
    done = subprocess.run([need("dot"), "-Tplain"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    kinds = [line.split()[0] for line in done.stdout.splitlines()]
    assert kinds.count("node") == text.count("[label=")
    assert kinds.count("edge") == text.count(" -> ")


PARSER = """
import { JSDOM } from "jsdom";
const dom = new JSDOM("");
globalThis.window = dom.window;
globalThis.document = dom.window.document;
const { default: mermaid } = await import("mermaid");
const answers = [];
for (const text of JSON.parse(process.env.TEXTS)) {
  const answer = await mermaid.parse(text, { suppressErrors: true });
  let labels = [];
  if (answer) {
    const diagram = await mermaid.mermaidAPI.getDiagramFromText(text);
    labels = [...diagram.db.getVertices().values()].map((vertex) => vertex.text);
  }
  answers.push([answer && answer.diagramType, labels]);
}
console.log(JSON.stringify(answers));
"""


@pytest.mark.skipif(not FULL, reason="fetches mermaid: run at full length")
def test_mermaid_reads_it_with_every_script(tmp_path: Path) -> None:
    (tmp_path / "parse.mjs").write_text(PARSER)
    packages = ("mermaid@11", "jsdom@26")
    subprocess.run(
        [need("npm"), "install", "--silent", "--no-audit", "--no-fund", *packages], cwd=tmp_path, check=True
    )
    broken = 'flowchart TD\n    a["x --> b'
    texts = ["\n".join(drawn("mermaid", made)) for made in REPORTS.values()]
    done = subprocess.run(
        [need("node"), "parse.mjs"],
        cwd=tmp_path,
        env={**os.environ, "TEXTS": json.dumps([broken, *texts])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    refused, *answers = json.loads(done.stdout)
    assert refused == [False, []]
    assert [kind for kind, _ in answers] == ["flowchart-v2"] * len(texts)
    assert [len(labels) for _, labels in answers] == [text.count("<br/>") for text in texts]
