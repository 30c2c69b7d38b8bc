"""The examples of configuration in the documentation are what the programs accept that read them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # pre-commit brings it

from tests.conftest import NEWCOMER
from tests.end_to_end.pages import PAGES, blocks

pytestmark = NEWCOMER


def workflow(steps: Any) -> Any:
    """A workflow of GitHub with a job of these steps."""
    job = {"runs-on": "ubuntu-latest", "steps": steps}
    return {"on": "pull_request", "permissions": {"contents": "read"}, "jobs": {"scripts": job}}


def hooks(repos: Any) -> Any:
    return {"repos": repos}


GITHUB = ("--builtin-schema", "vendor.github-workflows")
GITLAB = ("--builtin-schema", "vendor.gitlab-ci")
PRE_COMMIT = ("pre-commit",)
# By a piece of their text: the reader, and what is put around an example that is a part of a file.
EXAMPLES: dict[str, tuple[tuple[str, ...], Any]] = {
    "^- uses: ": (GITHUB, workflow),
    "^- run: ": (GITHUB, workflow),
    "^on: pull_request": (GITHUB, None),
    "merge_request_event": (GITLAB, None),
    "^- repo: ": (PRE_COMMIT, hooks),
    "^initContainers:": ((), None),
    "^groups:": ((), None),
}


def examples() -> dict[str, tuple[str, tuple[str, ...], Any]]:
    found = {}
    for page in PAGES:
        texts = [block.text for block in blocks(page) if block.language in {"yaml", "yml"}]
        for number, text in enumerate(texts, 1):
            kinds = [given for piece, given in EXAMPLES.items() if re.search(piece, text, re.MULTILINE)]
            assert kinds, f"{page.name}: say in EXAMPLES who reads this:\n{text}"
            found[f"{page.name} {number}"] = (text, *kinds[0])
    return found


def refusal(text: str, reader: tuple[str, ...], around: Any, folder: Path) -> str:
    """What the reader has against an example; nothing if it accepts it."""
    file = folder / "example.yml"
    file.write_text(yaml.safe_dump(around(yaml.safe_load(text))) if around else text)
    command = (
        ["pre_commit", "validate-config", str(file)]
        if reader == PRE_COMMIT
        else ["check_jsonschema", *reader, str(file)]
    )
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


CHECKED = {name: given for name, given in examples().items() if given[1]}


@pytest.mark.parametrize(("text", "reader", "around"), CHECKED.values(), ids=CHECKED)
def test_an_example_is_accepted(tmp_path: Path, text: str, reader: tuple[str, ...], around: Any) -> None:
    assert not refusal(text, reader, around, tmp_path)


BROKEN = {
    "a step of nothing": ("- with:\n    fetch-depth: 0\n- uses: a/b@v1\n", GITHUB, workflow),
    "an event that is none": (
        "on: pull_requests\njobs:\n  a:\n    runs-on: a\n    steps: []\n",
        GITHUB,
        None,
    ),
    "artifacts that are none": ("a:\n  script: b\n  artifacts: []\n", GITLAB, None),
    "a hook without a name": ("- repo: local\n  hooks:\n  - id: a\n", PRE_COMMIT, hooks),
}


@pytest.mark.parametrize(("text", "reader", "around"), BROKEN.values(), ids=BROKEN)
def test_a_wrong_example_would_be_refused(
    tmp_path: Path, text: str, reader: tuple[str, ...], around: Any
) -> None:
    assert refusal(text, reader, around, tmp_path)


def test_every_kind_of_example_is_there() -> None:
    texts = "\n".join(text for text, *_ in examples().values())
    for piece in EXAMPLES:
        assert re.search(piece, texts, re.MULTILINE), piece


def test_no_example_for_github_puts_an_expression_into_a_shell() -> None:
    for name, (text, reader, around) in CHECKED.items():
        if reader != GITHUB:
            continue
        document = around(yaml.safe_load(text)) if around else yaml.safe_load(text)
        for job in document["jobs"].values():
            assert not [step for step in job["steps"] if "${{" in step.get("run", "")], name
            checkouts = [step for step in job["steps"] if "actions/checkout@" in step.get("uses", "")]
            assert all(step["with"]["persist-credentials"] is False for step in checkouts), name
