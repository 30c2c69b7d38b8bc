from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
from email.message import Message
from importlib import metadata
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from scripts_tracker.core.values import Finding, Location
from scripts_tracker.lint.formats import FORMATS, LintCanvas
from scripts_tracker.lint.rules import all_rules
from tests.switches import IN_MATRIX
from tests.waiting import PATIENCE

# The one package of a registry that ships the schema of SARIF 2.1.0.
SHIPS_SCHEMA, MEMBER = "@microsoft/jest-sarif@1.0.0-beta.0", "package/lib/schemas/sarif-2.1.0-rtm.5.json"
PATH = "orders/management/commands/fix_totals.py"
HELP = Finding(Location(PATH, 4, 1), "ST016", "orders.fix_totals has no help text", 'Add help = "...".')
NOARGS = Finding(Location(PATH, 6, 9), "ST014", "handle_noargs() is not called", fixable=True)
EVIL = Finding(Location("a\x1b[2J\n:,%.py", 1, 1), "ST003", "it\x07 is\r\n100% \u202egnorw", "a\nb")


def text(*findings: Finding, colour: bool = False, width: int | None = None) -> str:
    return FORMATS["text"].render(findings, LintCanvas(colour, width))


def github(*findings: Finding) -> str:
    return FORMATS["github"].render(findings, LintCanvas())


def sarif(*findings: Finding) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(FORMATS["sarif"].render(findings, LintCanvas()))
    return document


def results(*findings: Finding) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sarif(*findings)["runs"][0]["results"]
    return found


def test_text_is_the_first_format() -> None:
    assert tuple(FORMATS) == ("text", "concise", "github", "gitlab", "json", "junit", "sarif")


@pytest.mark.parametrize("name", sorted({*FORMATS} - {"sarif"}))
def test_a_format_imports_neither_django_nor_libcst(name: str) -> None:
    code = (
        "import sys; from scripts_tracker.lint.formats import FORMATS, LintCanvas;"
        f"FORMATS[{name!r}].render([], LintCanvas());"
        "sys.exit(bool({'django', 'libcst'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_nothing_wrong_is_one_line_of_text() -> None:
    assert text() == "All checks passed."


def test_a_finding_is_a_place_with_help_below_it() -> None:
    assert text(HELP) == (
        f'{PATH}:4:1: ST016 orders.fix_totals has no help text\n    help: Add help = "...".\nFound 1 problem.'
    )


def test_the_last_line_of_text_counts_what_can_be_fixed() -> None:
    assert text(NOARGS) == (
        f"{PATH}:6:9: ST014 handle_noargs() is not called\nFound 1 problem (1 fixable with --fix)."
    )
    assert text(HELP, NOARGS, HELP).endswith("\nFound 3 problems (1 fixable with --fix).")


def test_colours_come_only_where_they_are_wanted() -> None:
    assert "\x1b" not in text(HELP, NOARGS)
    coloured = text(HELP, colour=True)
    assert f"\x1b[1m{PATH}:4:1\x1b[0m: \x1b[1;31mST016\x1b[0m orders" in coloured


def test_help_is_wrapped_and_places_are_not() -> None:
    long = Finding(HELP.location, "ST016", "word " * 30, "hint " * 30)
    lines = text(long, width=50).split("\n")
    assert lines[0].startswith(f"{PATH}:4:1: ST016 word word")
    assert lines[1].startswith("    help: hint")
    assert lines[2].startswith("          hint")
    assert all(len(line) <= 50 for line in lines[1:])


def test_nothing_in_a_file_steers_the_terminal() -> None:
    lines = text(EVIL).split("\n")
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)
    assert lines[0] == "a^[[2J^J:,%.py:1:1: ST003 it^G is^M^J100% <U+202E>gnorw"


def test_json_is_version_1_with_every_finding_in_full() -> None:
    rendered = FORMATS["json"].render([HELP, NOARGS], LintCanvas())
    assert rendered.startswith('{\n  "version": 1,')
    assert json.loads(rendered) == {
        "version": 1,
        "findings": [
            {
                "path": PATH,
                "line": 4,
                "column": 1,
                "code": "ST016",
                "message": "orders.fix_totals has no help text",
                "hint": 'Add help = "...".',
                "fixable": False,
            },
            {
                "path": PATH,
                "line": 6,
                "column": 9,
                "code": "ST014",
                "message": "handle_noargs() is not called",
                "hint": "",
                "fixable": True,
            },
        ],
    }


def test_json_of_nothing_is_a_document_too() -> None:
    assert json.loads(FORMATS["json"].render([], LintCanvas())) == {"version": 1, "findings": []}


def test_github_of_nothing_is_nothing() -> None:
    assert github() == ""


def test_github_gets_a_command_a_line() -> None:
    assert github(HELP, NOARGS) == (
        f"::error file={PATH},line=4,col=1,title=ST016::"
        'orders.fix_totals has no help text%0AAdd help = "...".\n'
        f"::error file={PATH},line=6,col=9,title=ST014::handle_noargs() is not called"
    )


def test_nothing_in_a_file_ends_a_github_command() -> None:
    assert github(EVIL) == (
        "::error file=a^[[2J%0A%3A%2C%25.py,line=1,col=1,title=ST003::it^G is%0D%0A100%25 <U+202E>gnorw%0Aa%0Ab"
    )


@pytest.fixture(scope="session")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The schema, fetched by npm; a machine that runs the whole matrix must have it."""
    folder = tmp_path_factory.mktemp("schema")
    npm = shutil.which("npm")
    done = npm and subprocess.run(
        [npm, "pack", "--silent", SHIPS_SCHEMA],
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )
    archives = list(folder.glob("*.tgz"))
    if not done or not archives:
        if IN_MATRIX:
            pytest.fail("npm cannot fetch the schema of SARIF")
        pytest.skip("npm cannot fetch the schema of SARIF")
    with tarfile.open(archives[0]) as archive:
        member = archive.extractfile(MEMBER)
        assert member is not None
        return json.load(member)


def test_sarif_keeps_to_its_schema(schema: Any) -> None:
    jsonschema.Draft4Validator.check_schema(schema)
    for findings in ((), (HELP, NOARGS, HELP, EVIL)):
        jsonschema.Draft4Validator(schema).validate(sarif(*findings))
    document = sarif(HELP)
    document["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft4Validator(schema).validate(document)


def test_sarif_documents_all_rules() -> None:
    driver = sarif()["runs"][0]["tool"]["driver"]
    assert driver["name"] == "scripts-tracker-lint"
    assert [rule["id"] for rule in driver["rules"]] == list(all_rules())
    asks = driver["rules"][list(all_rules()).index("ST012")]
    assert asks["name"] == "interactive-prompt"
    assert asks["shortDescription"]["text"] == "A tracked script waits for input at a terminal."
    assert asks["fullDescription"]["text"].startswith("Scripts run during deploys")
    assert "## Use instead" in asks["help"]["markdown"]


def test_sarif_names_the_version_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", lambda name: "1.2")
    assert sarif()["runs"][0]["tool"]["driver"]["version"] == "1.2"
    monkeypatch.setattr(metadata, "version", missing)
    assert "version" not in sarif()["runs"][0]["tool"]["driver"]


def test_a_sarif_result_points_to_its_rule_and_place() -> None:
    document = sarif(HELP)["runs"][0]
    (result,) = document["results"]
    assert document["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "ST016"
    assert result["message"]["text"] == 'orders.fix_totals has no help text. Add help = "...".'
    assert result["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": PATH, "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 4, "startColumn": 1},
    }


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("a b/ü%#?.py", "a%20b/%C3%BC%25%23%3F.py"),
        ("a:b.py", "a%3Ab.py"),
        ("/srv/lib/a b.py", "file:///srv/lib/a%20b.py"),
        ("C:/lib/a b.py", "file:///C:/lib/a%20b.py"),
    ],
)
def test_paths_become_uris(path: str, uri: str) -> None:
    (result,) = results(Finding(Location(path), "ST016", "m"))
    artifact = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert artifact["uri"] == uri
    assert ("uriBaseId" in artifact) == (not uri.startswith("file:"))


def test_fingerprints_in_sarif_survive_a_move_and_distinguish_twins() -> None:
    moved = Finding(Location(PATH, 40, 2), HELP.code, HELP.message, HELP.hint)
    first, second = (one["partialFingerprints"] for one in results(HELP, moved))
    assert first == results(moved)[0]["partialFingerprints"]
    assert first != second


def test_concise_is_a_line_for_each_finding() -> None:
    assert FORMATS["concise"].render([HELP, NOARGS], LintCanvas()).splitlines() == [
        f"{PATH}:4:1: ST016 orders.fix_totals has no help text",
        f"{PATH}:6:9: ST014 handle_noargs() is not called",
        "Found 2 problems (1 fixable with --fix).",
    ]


def gitlab(*findings: Finding) -> list[dict[str, Any]]:
    report: list[dict[str, Any]] = json.loads(FORMATS["gitlab"].render(findings, LintCanvas()))
    return report


def test_a_report_for_gitlab() -> None:
    (one,) = gitlab(HELP)
    assert len(one.pop("fingerprint")) == 64
    place = {"line": 4, "column": 1}
    assert one == {
        "description": 'ST016 orders.fix_totals has no help text. Add help = "...".',
        "check_name": "ST016",
        "severity": "major",
        "location": {"path": PATH, "positions": {"begin": place, "end": place}},
    }
    assert gitlab() == []


def test_gitlab_knows_a_finding_again_on_another_line() -> None:
    later = HELP._replace(location=Location(PATH, 9, 1))
    assert gitlab(HELP)[0]["fingerprint"] == gitlab(later)[0]["fingerprint"]
    assert len({one["fingerprint"] for one in gitlab(HELP, later)}) == 2


def junit(*findings: Finding) -> ET.Element:
    return ET.fromstring(FORMATS["junit"].render(findings, LintCanvas()).encode())  # noqa: S314 - our own


def test_junit_has_a_suite_for_each_file() -> None:
    other = HELP._replace(location=Location("a.py", 1, 1))
    document = junit(HELP, NOARGS, other)
    assert document.attrib == {"name": "scripts-tracker-lint", "tests": "3", "failures": "3", "errors": "0"}
    assert [(one.get("name"), len(one)) for one in document] == [(PATH, 2), ("a.py", 1)]
    (failure,) = document[0][0]
    assert failure.text == f'{PATH}:4:1: orders.fix_totals has no help text. Add help = "...".'


def test_junit_without_findings_is_one_passed_test() -> None:
    (suite,) = junit()
    assert [case.attrib for case in suite] == [
        {"name": "scripts-tracker-lint", "classname": "scripts-tracker-lint"}
    ]


def test_hostile_text_is_harmless_in_every_new_format() -> None:
    (suite,) = junit(EVIL)
    shown = FORMATS["concise"].render([EVIL], LintCanvas()) + ET.tostring(suite, "unicode")
    assert "^[[2J" in shown
    assert shown.splitlines()[0].endswith("^M^J100% <U+202E>gnorw")
    assert gitlab(EVIL)[0]["location"]["path"] == EVIL.location.path


def test_sarif_says_where_a_rule_is_explained_if_the_package_names_a_site(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    about = Message()
    about["Project-URL"] = "Source, https://example.org/source"
    monkeypatch.setattr(metadata, "metadata", lambda _: about)
    assert "helpUri" not in sarif()["runs"][0]["tool"]["driver"]["rules"][3]
    about["Project-URL"] = "Documentation, https://example.org/docs/"
    rule = sarif()["runs"][0]["tool"]["driver"]["rules"][3]
    assert rule["helpUri"] == "https://example.org/docs/rules.html#st003-unknown-requirement"
