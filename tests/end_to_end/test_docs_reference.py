"""Pages that list what the code has: the schemas of its JSON, its settings, its tables; and the picture of a terminal."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest
from django.apps import apps

from scripts_tracker.conf import TrackerSettings
from scripts_tracker.core.progress import Progress
from scripts_tracker.core.states import State
from tests import pictures
from tests.conftest import ROOT, Project
from tests.end_to_end.pages import PATH
from tests.end_to_end.test_readme import insist_on

DOCS = ROOT / "docs"


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DOCS / "schemas" / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(found)
    return found


def closed(part: Any) -> Any:
    """A schema that also refuses the keys that it does not describe."""
    if isinstance(part, list):
        return [closed(one) for one in part]
    if not isinstance(part, dict):
        return part
    more = (
        {"additionalProperties": False}
        if "properties" in part and isinstance(part.get("required"), list)
        else {}
    )
    return {**{name: closed(one) for name, one in part.items()}, **more}


def insist_on_schema(name: str, text: str) -> Any:
    document = json.loads(text)
    validator = jsonschema.Draft202012Validator(
        closed(schema(name)), format_checker=jsonschema.FormatChecker()
    )
    errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]
    assert not errors, (
        f"correct docs/schemas/{name}.schema.json, and docs/json.md if it says otherwise: {errors}"
    )
    return document


def many_states(project: Project) -> None:
    """Scripts with and without a file, a record, a version, a requirement, a watched module, a problem."""
    project.write("shop/prices.py", "RATE = 1\n")
    project.command("shop.rates", decorators="@tracked_script(watch=('shop.prices',), tags=('slow',))")
    require = '@tracked_script\n    @required_preceding_script("rates", "no_such")'
    project.command("shop.new", decorators=require)
    project.command("shop.fails", body="print('so far'); raise ValueError('broken')")
    project.command("shop.gone")
    project.command("shop.killed", body="import os; os._exit(9)")
    project.manage("rates")
    project.manage("gone")
    project.manage("fails", code=1)
    project.manage("killed", code=9)
    project.manage("check_scripts", "--mark-applied", "fails", "--reason", "done by hand")
    project.manage("check_scripts", "--unmark", "fails", "--reason", "was wrong")
    project.manage("fails", code=1)
    project.path("shop.gone").unlink()
    project.write("shop/prices.py", "RATE = 2\n")
    project.command("shop.broken", body="tracked_script(")


def test_what_the_commands_print_is_what_their_schemas_say(migrated: Project) -> None:
    many_states(migrated)
    printed = migrated.manage("check_scripts", "--all", "--format", "json").out
    report = insist_on_schema("check_scripts", printed)
    found = {one["script"]: one["state"] for one in report["scripts"]}
    assert {"missing", "failed", "unreadable", "new", "modified"} < {*found.values()}
    for name in ("rates", "fails", "killed", "gone", "new"):
        shown = (
            "show_script",
            name,
            "--history",
            "--format",
            "json",
            *(["--diff"] if name == "rates" else []),
        )
        insist_on_schema("show_script", migrated.manage(*shown).out)
    one = migrated.manage("show_script", "fails", "--run", "-1", "--format", "json").out
    assert insist_on_schema("run", one)["run"]["output"] == "so far\n"
    migrated.command("shop.plain", decorators="")
    untracked = migrated.manage("check_scripts", "--untracked", "--format", "json").out
    assert insist_on_schema("untracked", untracked)["commands"]
    for more in ((), ("--sql",)):
        rehearsed = migrated.manage("run_scripts", "--rehearse", "--format", "json", *more, code=1)
        assert insist_on_schema("rehearsal", rehearsed.out)["scripts"]
    after = migrated.manage("show_script", "fails", "--format", "json").out
    assert insist_on_schema("show_script", after)["rehearsal"]
    migrated.write("production.json", printed)
    planned = migrated.manage("run_scripts", "--plan", "--from", "production.json", "--format", "json").out
    assert insist_on_schema("plan", planned)["steps"]
    gone = {
        **report["counts"],
        report["scripts"][0]["state"]: report["counts"][report["scripts"][0]["state"]] - 1,
    }
    other = {**report, "scripts": report["scripts"][1:], "counts": gone, "environment": "staging"}
    migrated.write("staging.json", json.dumps(other))
    fleet = ("scripts-tracker-fleet", "production.json", "staging.json", "--format", "json")
    compared = migrated.run(*fleet, PATH=PATH)
    assert compared.code == 0, compared
    assert "missing" not in insist_on_schema("fleet", compared.out)
    required = migrated.run(*fleet, "--check", "--require", "production", PATH=PATH)
    assert insist_on_schema("fleet", required.out)["missing"]
    lint = migrated.run("scripts-tracker-lint", "--format", "json", PATH=PATH)
    assert insist_on_schema("lint", lint.out)["findings"]


def test_a_schema_refuses_another_version_a_missing_key_and_an_unknown_state(migrated: Project) -> None:
    migrated.command("shop.first")
    (validator,) = (jsonschema.Draft202012Validator(schema("check_scripts")),)
    right = migrated.check()
    validator.validate({**right, "a key of tomorrow": 1})
    first = right["scripts"][0]
    for wrong in (
        {**right, "version": 2},
        {name: value for name, value in right.items() if name != "revision"},
        {**right, "scripts": [{**first, "state": "done"}]},
        {**right, "scripts": [{**first, "fingerprint": "md5"}]},
    ):
        assert not validator.is_valid(wrong)


@pytest.mark.parametrize("name", ["check_scripts", "show_script"])
def test_the_schemas_have_the_states_and_the_progress_of_the_code(name: str) -> None:
    states = [state.value for state in State]
    assert schema(name)["$defs"]["script"]["properties"]["state"]["enum"] == states
    assert [*schema(name)["$defs"]["progress"]["properties"]] == [*Progress._fields]
    if name == "check_scripts":
        assert schema(name)["properties"]["counts"]["required"] == states


LEGACY = ["COMMANDS_DIRS", "IGNORED_FILES", "IGNORED_CMD_PREFIXES", "CHECK_SCRIPT_GIT_STATUS"]


def test_every_setting_has_a_section_with_its_default() -> None:
    text = (DOCS / "settings.md").read_text()
    sections = dict(re.findall(r"^### (\w+)\n\nDefault: (.*?)\. ", text, re.MULTILINE | re.DOTALL))
    defaults = TrackerSettings()
    assert {*sections} == {*TrackerSettings._fields, *LEGACY}, "correct docs/settings.md"
    for name in TrackerSettings._fields:
        value = getattr(defaults, name)
        shown = (
            json.dumps(value)
            if isinstance(value, str)
            else repr(dict(value) if hasattr(value, "keys") else value)
        )
        assert sections[name] == f"`{shown}`", name


def test_every_table_of_the_ledger_is_described_with_its_columns() -> None:
    text = (DOCS / "ledger.md").read_text()
    sections = {name: rest for name, _, rest in (part.partition("\n") for part in text.split("\n## ")[1:])}
    for model in apps.get_app_config("scripts_tracker").get_models():
        section = sections[model.__name__]
        assert f"`{model._meta.db_table}`" in section
        rows = re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE)
        described = sorted(name for row in rows for name in re.findall(r"`(\w+)`", row))
        fields = sorted(field.name for field in model._meta.local_concrete_fields if field.name != "id")
        assert described == fields, f"correct docs/ledger.md: {model.__name__}"


def test_the_glossary_has_each_term_once_and_in_order() -> None:
    terms = re.findall(r"^- \*\*(.*?)\*\*: ", (DOCS / "glossary.md").read_text(), re.MULTILINE)
    assert terms == sorted({*terms}, key=str.lower)


def test_the_picture_of_a_terminal_shows_what_the_demo_prints(demo_output: str) -> None:
    shown = "\n".join(pictures.lines_of(pictures.TERMINAL.read_text()))
    assert shown.count("$ python manage.py ") == len(pictures.COMMANDS)
    for block in re.split(r"\n\n(?=\$ )", shown):
        insist_on(f"{block}\n", f"{demo_output}\n")


LINES = {
    "colours": "\x1b[32;1mdone\x1b[0m in 1 s",
    "what XML reads otherwise": "a <b> & 'c' \"d\" &amp;",
    "a long line": "x" * 150 + "\x1b[31m" + "y" * 150,
    "blanks": "  two   three",
}


@pytest.mark.parametrize("text", LINES.values(), ids=LINES)
def test_a_picture_has_the_text_that_was_drawn(text: str) -> None:
    assert pictures.lines_of(pictures.drawn(f"{text}\n\nlast\n")) == [
        re.sub(r"\x1b\[[\d;]*m", "", text),
        "",
        "last",
    ]
