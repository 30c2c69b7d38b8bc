"""``scripts-tracker-fleet``: what it prints and exits with."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts_tracker.fleet import cli
from tests.fleet.builders import document, entry, write


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Production has applied an older version of one script, staging has run one more, a preview knows nothing yet."""
    return write(
        tmp_path,
        production=document(entry("shop.fix_totals"), entry("shop.prune", version="b")),
        staging=document(entry("shop.fix_totals"), entry("shop.prune"), entry("shop.late")),
        preview=document(entry("shop.fix_totals"), entry("shop.prune"), entry("shop.late", "new", "")),
    )


WRONG = {
    "require-without-check": (["--require", "production"], "--require goes with --check."),
    "unknown-environment": (
        ["--check", "--require", "prodction"],
        "--require: no file is of the environment prodction; did you mean production?",
    ),
    "unlike-any-environment": (
        ["--check", "--require", "x"],
        "no file is of the environment x; the files are of production, staging, preview.",
    ),
    "days-without-deletable": (["--older-than", "3"], "--older-than goes with --deletable."),
    "root-without-deletable": (["--root", "."], "--root goes with --deletable."),
    "negative-days": (["--deletable", "--older-than", "-1"], "--older-than: expected days from 0 to 36500"),
    "no-number": (["--deletable", "--older-than", "nan"], "--older-than: expected days from 0 to 36500"),
    "deletable-as-json": (["--deletable", "--format", "json"], "--deletable goes with no --check"),
    "no-folder": (["--deletable", "--root", "nowhere"], "--root: nowhere is not a folder."),
}


@pytest.mark.parametrize(("options", "message"), WRONG.values(), ids=WRONG)
def test_wrong_use_is_one_line_and_exits_with_2(
    files: list[str], options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*files, *options]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert message in err


@pytest.mark.parametrize(
    ("option", "words"),
    {
        "--dele": "did you mean --deletable?",
        "--r": "did you mean --require or --root?",
        "--json": "did you mean --format json?",
        "--chek": "did you mean --check?",
    }.items(),
)
def test_an_option_that_does_not_exist_is_no_abbreviation(
    option: str, words: str, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main([*files, option])
    assert f"unrecognized arguments: {option}; {words}" in capsys.readouterr().err


def test_a_hostile_name_of_a_file_commands_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["::error::\x1b[2J.json"]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_the_table_has_what_differs(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(files) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "3 scripts in 3 environments:"
    table = [re.split(r"\s{2,}", line) for line in lines if line.startswith("shop.")]
    assert table == [
        ["shop.late", "unknown", "applied", "new"],
        ["shop.prune", "applied (v2)", "applied (v1)", "applied (v1)"],
    ]
    assert lines[-1] == "1 script applied everywhere in the same version (--all lists them)."


def test_a_narrow_terminal_gets_a_block_for_each_script(
    files: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "44")
    assert cli.main(files) == 0
    out = capsys.readouterr().out
    assert "shop.late\n  unknown: production\n  applied: staging\n  new: preview\n" in out
    assert max(map(len, out.splitlines()[1:6])) <= 44


CHECKS: dict[str, tuple[list[str], int, list[str]]] = {
    "what-production-lacks": (
        ["--require", "production"],
        1,
        ["shop.late in production: unknown"],
    ),
    "what-any-lacks": ([], 1, ["shop.late in production: unknown", "shop.late in preview: new"]),
    "nothing-missing": (["--require", "staging"], 0, []),
}


@pytest.mark.parametrize(("options", "code", "missing"), CHECKS.values(), ids=CHECKS)
def test_check_exits_with_1_where_a_script_is_not_applied(
    files: list[str], options: list[str], code: int, missing: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*files, "--check", *options]) == code
    out = capsys.readouterr().out
    listed = out.partition("Not applied (")[2].splitlines()[1:]
    assert [line.strip() for line in listed] == missing
    assert ("No script is missing in staging." in out) is (not missing)


def test_a_script_without_a_file_anywhere_is_not_missed(tmp_path: Path) -> None:
    files = write(tmp_path, production=document(), staging=document(entry("shop.old", "missing")))
    assert cli.main([*files, "--check"]) == 0


def test_json_has_every_script_in_every_environment(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*files, "--format", "json", "--check", "--require", "production"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["version"] == 1
    assert [one["environment"] for one in found["environments"]] == ["production", "staging", "preview"]
    late, prune = (found["scripts"][number] for number in (1, 2))
    assert late["environments"]["production"] is None
    assert (late["versions_differ"], prune["versions_differ"]) == (False, True)
    assert found["missing"] == [{"environment": "production", "script": "shop.late", "state": "unknown"}]


def test_the_page_is_one_file_without_scripts_and_escapes_what_it_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "<script>alert(1)</script>"
    files = write(tmp_path, x=document(entry("shop.a", "new", ""), environment=name))
    assert cli.main([*files, "--format", "html"]) == 0
    page = capsys.readouterr().out
    assert page.startswith("<!DOCTYPE html>")
    assert "<script" not in page
    assert not re.search(r"(src|href)=|url\(|@import", page)
    assert "&lt;script&gt;" in page


def deletable(files: list[str], root: Path, *options: str, capsys: pytest.CaptureFixture[str]) -> Any:
    assert cli.main([*files, "--deletable", "--root", str(root), *options]) == 0
    return capsys.readouterr()


KEPT = {
    "applied-lately": (entry("shop.x", applied_at="2999-01-01T00:00:00+00:00"), "less than 180 days ago"),
    "not-applied": (entry("shop.x", "new", ""), "new in one"),
    "of-unknown-age": (entry("shop.x", applied_at=None), "less than 180 days ago"),
    "each-time": (entry("shop.x", "recurring"), "runs each time in one"),
    "modified": (entry("shop.x", "modified", "b"), "modified in one"),
}


@pytest.mark.parametrize(("script", "reason"), KEPT.values(), ids=KEPT)
def test_a_script_that_is_needed_is_kept_and_why(
    tmp_path: Path, script: dict[str, Any], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = deletable(write(tmp_path, one=document(script)), tmp_path, capsys=capsys)
    assert out == ""
    assert f"shop.x stays: {reason}" in err or f"shop.x stays: applied in one {reason}" in err


def test_a_script_that_one_environment_does_not_know_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = write(tmp_path, one=document(entry("shop.x")), two=document())
    out, err = deletable(files, tmp_path, capsys=capsys)
    assert (out, "shop.x stays: unknown in two" in err) == ("", True)


def test_what_is_applied_everywhere_and_required_by_none_can_go(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = entry("shop.odd", path="my shop/management/commands/odd.py")
    scripts = [entry("shop.a"), entry("shop.b", requires=["shop.a"]), odd]
    files = write(tmp_path, one=document(*scripts), two=document(*scripts))
    out, err = deletable(files, tmp_path, capsys=capsys)
    assert out == 'git rm shop/management/commands/b.py\ngit rm "my shop/management/commands/odd.py"\n'
    assert "shop.a stays: required by shop.b" in err


GATES = {
    "by-name": ('RequireScripts("shop.x")', True),
    "by-short-name": ('RequireScripts("x")', True),
    "as-squashmigrations-writes-it": ('ops.RequireScripts(scripts=["shop.x"])', True),
    "in-another-operation": ('SeparateDatabaseAndState([RequireScripts("shop.x")])', True),
    "another-script": ('RequireScripts("shop.y")', False),
    "in-a-comment": ('1  # RequireScripts("shop.x")', False),
}


@pytest.mark.parametrize(("operation", "is_named"), GATES.values(), ids=GATES)
def test_a_script_that_a_migration_names_is_kept(
    tmp_path: Path, operation: str, capsys: pytest.CaptureFixture[str], *, is_named: bool
) -> None:
    migrations = tmp_path / "shop" / "migrations"
    migrations.mkdir(parents=True)
    (migrations / "0002_gate.py").write_text(f"operations = [\n{operation}\n]\n")
    out, err = deletable(write(tmp_path, one=document(entry("shop.x"))), tmp_path, capsys=capsys)
    assert (out == "") is is_named
    assert ("named by a migration" in err) is is_named


UNKNOWN = {
    "computed": "from x import RequireScripts\n\n\nRequireScripts(*names)\n",
    "computed-in-a-list": "from x import RequireScripts\n\n\nRequireScripts(scripts=[NAME])\n",
    "broken": "RequireScripts(\n",
    "under-another-name": "from x import RequireScripts\ncall(RequireScripts, 'shop.x')\n",
}


@pytest.mark.parametrize("source", UNKNOWN.values(), ids=UNKNOWN)
def test_a_gate_that_cannot_be_read_is_said(
    tmp_path: Path, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "0001.py").write_text(source)
    _, err = deletable(write(tmp_path, one=document(entry("shop.x"))), tmp_path, capsys=capsys)
    assert re.search(
        r"migrations/0001\.py:\d: the scripts that RequireScripts names there cannot be read", err
    )


def test_neither_django_nor_libcst_is_imported(files: list[str]) -> None:
    program = (
        "import sys; sys.modules.update(django=None, libcst=None);"
        "from scripts_tracker.fleet import cli; raise SystemExit(cli.main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *files], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
