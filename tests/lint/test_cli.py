"""scripts-tracker-lint as people run it: exit codes, what is reported, and that wrong use is one clear line."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from scripts_tracker.lint.cli import main
from tests.lint.conftest import BROKEN, CLEAN, FIX, OLD, Lint
from tests.lint.rule_cases import build

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["nowhere.py"], "no such file or folder: nowhere.py"),
        (["--root", "nowhere"], "--root: no such folder: nowhere"),
        ([os.sep], "is outside the project"),
        (["--select", "ST999"], "--select: unknown rule 'ST999'"),
        (["--ignore", "X"], "--ignore: unknown rule 'X'"),
        (["--explain", "ST999"], "unknown rule 'ST999'"),
        (["--explain", "ST01"], "unknown code ST01"),
        (
            ["--format", "xml"],
            "unknown format 'xml'; choose from text, concise, github, gitlab, json, junit, sarif",
        ),
        (["--since", "no-such-revision"], "no-such-revision"),
        (["--since", ""], "--since needs a revision"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(argv: list[str], words: str, lint: Lint, tmp_path: Path) -> None:
    build(CLEAN, tmp_path)
    done = lint(*argv)
    assert done.code == 2
    assert done.out == ""
    assert words in done.err
    assert done.err.count("\n") == 1


def test_an_unknown_option_is_wrong_use(lint: Lint) -> None:
    assert lint("--no-such-option").code == 2


@pytest.mark.parametrize(
    ("option", "words"),
    {
        "--fi": "did you mean --fix?",  # which would have written
        "--add": "did you mean --add-noqa?",
        "--e": "did you mean --extend-select or --exit-zero or --explain?",
        "--json": "did you mean --format json?",
        "--exclude=docs": "list it under exclude",
    }.items(),
)
def test_an_option_that_does_not_exist_is_no_abbreviation(option: str, words: str, lint: Lint) -> None:
    result = lint(option)
    assert (result.code, result.out) == (2, "")
    assert f"unrecognized arguments: {option}; {words}" in result.err


def test_a_wrong_configuration_is_wrong_use(lint: Lint, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.scripts_tracker]\nselekt = []\n")
    done = lint()
    assert (done.code, done.out) == (2, "")
    assert "did you mean select?" in done.err


def test_a_project_without_scripts_is_clean(lint: Lint) -> None:
    done = lint()
    assert (done.code, done.err) == (0, "")


def test_a_clean_project_is_clean(lint: Lint, tmp_path: Path) -> None:
    build(CLEAN, tmp_path)
    assert lint("--format", "json").found == []
    assert lint().code == 0


def test_a_hint_is_reported_only_on_request(lint: Lint, tmp_path: Path) -> None:
    body = "\n        for row in Order.objects.all():\n            row.save()"
    build(CLEAN.replace(" ...", body), tmp_path)
    assert lint().code == 0
    assert lint("--select", "ALL,ST03").code == 0
    asked = lint("--extend-select", "row-by-row-loop", "--format", "json")
    assert asked.code == 1
    assert [code for _, _, code in asked.found] == ["ST035"]


def test_a_broken_script_is_found(lint: Lint, tmp_path: Path) -> None:
    build(BROKEN, tmp_path)
    done = lint("--format", "json")
    assert done.code == 1
    assert done.found == [(FIX, 6, "ST003")]


@pytest.mark.parametrize("cached", [True, False])
def test_the_second_run_says_the_same(*, cached: bool, lint: Lint, tmp_path: Path) -> None:
    build(BROKEN, tmp_path)
    (tmp_path / "shop/management/commands/other.py").write_text(CLEAN.replace('help = "Does it"', "pass"))
    options = [] if cached else ["--no-cache"]
    first, second = lint("--format", "json", *options), lint("--format", "json", *options)
    assert first.out == second.out
    assert (tmp_path / ".scripts_tracker_cache").exists() is cached


def test_a_cache_behind_a_link_is_not_used_and_the_lint_says_so(lint: Lint, tmp_path: Path) -> None:
    build(BROKEN, tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".scripts_tracker_cache").symlink_to("elsewhere")
    done = lint("--format", "json")
    assert done.found == [(FIX, 6, "ST003")]
    reason = ".scripts_tracker_cache is not used: it is a link. Delete it, or use --no-cache."
    assert done.err == f"scripts-tracker-lint: {reason}\n"
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert lint("--no-cache").err == ""


def test_paths_limit_what_is_reported_but_not_what_is_read(lint: Lint, tmp_path: Path) -> None:
    build(BROKEN, tmp_path)
    other = "stock/management/commands/other.py"
    (tmp_path / other).parent.mkdir(parents=True)
    (tmp_path / other).write_text(BROKEN.replace('"gone"', '"shop.fix"'))
    assert lint("--format", "json", other).found == []
    assert lint("--format", "json", FIX).found == [(FIX, 6, "ST003")]
    assert lint("--format", "json", "shop", other).found == [(FIX, 6, "ST003")]
    assert lint("--format", "json", ".").found == [(FIX, 6, "ST003")]


def test_batches_together_say_what_one_run_says(lint: Lint, tmp_path: Path) -> None:
    texts = {
        name: BROKEN.replace('"gone"', f'"shop.{need}"')
        for name, need in [("one", "two"), ("two", "three"), ("three", "one"), ("four", "gone")]
    }
    build(
        "".join(f"--- shop/management/commands/{name}.py\n{text}" for name, text in texts.items()), tmp_path
    )
    paths = [f"shop/management/commands/{name}.py" for name in texts]
    whole = lint("--format", "json", *paths).found
    parts = [one for path in paths for one in lint("--format", "json", path).found]
    assert sorted(parts) == whole
    assert [code for _, _, code in whole] == ["ST003", "ST006"], "the cycle is reported once"


def test_select_and_ignore(lint: Lint, tmp_path: Path) -> None:
    build(BROKEN.replace('help = "Does it"', "pass"), tmp_path)

    def codes(*argv: str) -> set[str]:
        return {code for _, _, code in lint("--format", "json", *argv).found}

    assert codes() == {"ST003", "ST016"}
    assert codes("--select", "ST003") == {"ST003"}
    assert codes("--select", "ST003,ST016", "--ignore", "ST003") == {"ST016"}
    assert codes("--ignore", "ST003", "--ignore", "ST016") == set()
    (tmp_path / "pyproject.toml").write_text("[tool.scripts_tracker]\nignore = ['ST016']\n")
    assert codes() == {"ST003"}
    assert codes("--ignore", "ST003") == set()


@pytest.mark.parametrize(
    ("comment", "codes"),
    [
        ("# noqa: ST003", []),
        ("# noqa", []),
        ("#NOQA:ST003,ST016", ["ST022"]),
        ("# noqa: E501", ["ST003"]),
        ("# noqa: ST016", ["ST003", "ST022"]),
        ("# noqa: ST016, ST022", ["ST003"]),
        ("# no qa", ["ST003"]),
    ],
)
def test_comments_hide_findings_on_their_line(
    comment: str, codes: list[str], lint: Lint, tmp_path: Path
) -> None:
    build(BROKEN.replace('("gone")', f'("gone")  {comment}'), tmp_path)
    assert [code for _, _, code in lint("--format", "json").found] == codes


def test_a_comment_in_a_string_hides_nothing(lint: Lint, tmp_path: Path) -> None:
    build(BROKEN.replace('"gone"', '"# noqa: ST003"'), tmp_path)
    assert [code for _, _, code in lint("--format", "json").found] == ["ST003"]


def test_a_broken_file_hides_nothing_else(lint: Lint, tmp_path: Path) -> None:
    build(BROKEN, tmp_path)
    (tmp_path / "shop/management/commands/other.py").write_text(CLEAN + "x = (\n")
    assert [code for _, _, code in lint("--format", "json").found] == ["ST003", "ST000"]


def test_fix_changes_the_file_and_a_second_run_changes_nothing(lint: Lint, tmp_path: Path) -> None:
    build(OLD, tmp_path)
    done = lint("--fix")
    assert done.code == 0, done.out
    assert (tmp_path / FIX).read_text() == CLEAN
    before = (tmp_path / FIX).stat()
    assert lint("--fix").code == 0
    assert (tmp_path / FIX).stat().st_mtime_ns == before.st_mtime_ns


def test_fix_keeps_permissions_and_links(lint: Lint, tmp_path: Path) -> None:
    build(CLEAN, tmp_path)
    real = tmp_path / "elsewhere.txt"
    real.write_text(OLD)
    real.chmod(0o754)
    (tmp_path / FIX).unlink()
    (tmp_path / FIX).symlink_to(real)
    assert lint("--fix").code == 0
    assert (tmp_path / FIX).is_symlink()
    assert real.read_text() == CLEAN
    assert real.stat().st_mode & 0o777 == 0o754


def test_diff_shows_and_writes_nothing(lint: Lint, tmp_path: Path) -> None:
    build(OLD, tmp_path)
    done = lint("--fix", "--diff")
    assert done.code == 1
    assert f"--- a/{FIX}\n+++ b/{FIX}\n" in done.out
    assert "-from django_scripts_tracker.core_tracker import tracked_script\n" in done.out
    assert (tmp_path / FIX).read_text() == OLD
    assert list((tmp_path / FIX).parent.glob("*.tmp")) == []


def test_fix_leaves_alone_what_was_not_asked_for(lint: Lint, tmp_path: Path) -> None:
    build(OLD, tmp_path)
    (tmp_path / "other").mkdir()
    assert lint("--fix", "other").code == 0
    assert lint("--fix", "--ignore", "ST015").code == 0
    assert (tmp_path / FIX).read_text() == OLD


def test_a_file_changed_meanwhile_is_not_overwritten(
    lint: Lint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scripts_tracker.lint import fixing

    build(OLD, tmp_path)
    real = fixing.fixed

    def edited(*args: Any) -> bytes:
        (tmp_path / FIX).write_text(OLD + "# somebody's work\n")
        return real(*args)

    monkeypatch.setattr(fixing, "fixed", edited)
    done = lint("--fix")
    assert done.code == 1
    assert "changed in the meantime" in done.err
    assert (tmp_path / FIX).read_text() == OLD + "# somebody's work\n"


def test_the_root_is_the_folder_of_pyproject_toml(
    lint: Lint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(BROKEN, tmp_path)
    monkeypatch.chdir(tmp_path / "shop" / "management")
    assert lint("--format", "json").found == [(FIX, 6, "ST003")]
    assert lint("--format", "json", "commands/fix.py").found == [(FIX, 6, "ST003")]
    assert lint("--format", "json", "--root", str(tmp_path / "shop")).found == [
        ("management/commands/fix.py", 6, "ST003")
    ]


def test_rules_are_listed_and_explained(lint: Lint) -> None:
    listed = lint("--list-rules")
    assert listed.code == 0
    assert all(f"ST{number:03}" in listed.out for number in range(25))
    explained = lint("--explain", "st012")
    assert explained.code == 0
    assert "Why is this bad?" in explained.out


HARNESS = """
import sys
{before}
from scripts_tracker.lint.cli import main
code = main(sys.argv[1:])
print("code", code, "libcst" in sys.modules, any(name.split(".")[0] == "django" for name in sys.modules))
"""
NO_DJANGO = "sys.modules['django'] = None"


def _process(root: Path, *argv: str, before: str = NO_DJANGO) -> list[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", HARNESS.format(before=before), *argv],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_no_django_is_needed_and_no_libcst_where_nothing_is_new(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    build(BROKEN, tmp_path)
    assert _process(tmp_path)[-1] == "code 1 True True"
    for argv in ([], ["pyproject.toml"], [FIX], ["--format", "github"]):
        assert _process(tmp_path, *argv)[-1].split()[2] == "False"
    assert _process(tmp_path, before="")[-1] == "code 1 False False"


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    case = "".join(f"--- shop/management/commands/fix{n}.py\n{BROKEN}" for n in range(200))
    build(case, tmp_path)
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m scripts_tracker.lint.cli | head -1"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1


def test_a_narrow_encoding_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    build(BROKEN.replace("gone", "g\xf6ne"), tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "scripts_tracker.lint.cli"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert b"g\\xf6ne" in done.stdout


BASE = """\
from scripts_tracker import tracked_script

class Base:
    help = "Does it"

    @tracked_script
    def handle(self, *args, **options):
        {body}
"""
CHILD = "from {module} import Base\n\nclass Command(Base): pass\n"
NEEDS = CLEAN.replace(
    "    @tracked", '    @required_preceding_script("shop.fix", "{other}")\n    @tracked'
).replace("import tracked", "import required_preceding_script, tracked")
# Where the apps shop and stock stand, and by what name Python knows the base class of the one in the other.
LAYOUTS = {
    "flat": ("shop", "stock", "stock.base"),
    "src": ("src/shop", "src/stock", "stock.base"),
    "several roots": ("backend/shop", "batch/stock", "stock.base"),
    "a namespace package": ("src/acme/shop", "src/acme/stock", "acme.stock.base"),
    "apps in a package": ("project/apps/shop", "project/apps/stock", "project.apps.stock.base"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("linked", [False, True], ids=["in place", "behind a link"])
def test_projects_of_every_layout_are_understood(
    *, layout: str, linked: bool, lint: Lint, tmp_path: Path
) -> None:
    shop, stock, module = LAYOUTS[layout]
    # A link to a folder, as a monorepo has them.
    top = tmp_path / "real" if linked else tmp_path
    build(
        f"--- {shop}/management/commands/fix.py\n{CHILD.format(module=module)}"
        f"--- {stock}/base.py\n{BASE.format(body='breakpoint()')}"
        f"--- {stock}/management/commands/other.py\n{NEEDS.format(other='stock.othre')}"
        f"--- {shop}/__init__.py\n--- {stock}/__init__.py\n",
        top,
    )
    for name in ("backend", "batch"):
        if layout == "several roots":
            (top / name / "manage.py").touch()
    if layout == "apps in a package":
        for package in ("project", "project/apps"):
            (top / package / "__init__.py").touch()
    if linked:
        (tmp_path / ".hidden").mkdir()
        top.rename(tmp_path / ".hidden" / "real")
        for folder in {shop.split("/")[0], stock.split("/")[0]}:
            (tmp_path / folder).symlink_to(tmp_path / ".hidden" / "real" / folder)
    assert sorted(lint("--format", "json").found) == sorted(
        [
            (f"{shop}/management/commands/fix.py", 3, "ST012"),
            (f"{stock}/management/commands/other.py", 6, "ST003"),
        ]
    )


def test_a_pipe_named_like_a_command_is_named_and_not_waited_for(lint: Lint, tmp_path: Path) -> None:
    build(BROKEN, tmp_path)
    os.mkfifo(tmp_path / "shop/management/commands/pipe.py")
    os.mkfifo(tmp_path / "shop/apps.py")
    found = lint("--format", "json", "--no-cache").found
    assert found == [(FIX, 6, "ST003"), ("shop/management/commands/pipe.py", 1, "ST000")]


HIDDEN = """\
from django_scripts_tracker.core_tracker import tracked_script  # noqa: ST015
from django_scripts_tracker.dependency_tracker import required_preceding_script

class Command:
    help = "Does it"

    @tracked_script
    def handle(self, *args, **options): pass
"""


def test_fix_leaves_alone_what_a_comment_hides(lint: Lint, tmp_path: Path) -> None:
    build(HIDDEN, tmp_path)
    assert lint("--fix").code == 0
    first, second, *rest = HIDDEN.splitlines()
    fixed = (tmp_path / FIX).read_text().splitlines()
    assert fixed == [
        first,
        second.replace("django_scripts_tracker.dependency_tracker", "scripts_tracker"),
        *rest,
    ]


@pytest.mark.parametrize("text", ["x\x0cy", "x\u2028y", "x\x85y", "last"])
def test_a_diff_is_a_patch_that_git_applies(text: str, lint: Lint, tmp_path: Path) -> None:
    build(OLD + f"# {text}", tmp_path)
    (tmp_path / "patch").write_text(lint("--diff").out)
    git = ["git", "-C", str(tmp_path), "apply", "patch"]
    done = subprocess.run(git, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / FIX).read_text() == CLEAN + f"# {text}"


def test_a_path_through_a_link_is_what_it_leads_to(lint: Lint, tmp_path: Path) -> None:
    build(BROKEN, tmp_path)
    (tmp_path / "alias").symlink_to("shop")
    assert lint("--format", "json", "alias").found == [(FIX, 6, "ST003")]
    elsewhere = tmp_path.parent / f"{tmp_path.name}-link"
    elsewhere.symlink_to(tmp_path)
    assert lint("--format", "json", str(elsewhere / "shop")).found == [(FIX, 6, "ST003")]
    assert lint("--format", "json", "--root", str(elsewhere), str(tmp_path / "shop")).found == [
        (FIX, 6, "ST003")
    ]


def _closing(redirection: str, root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", f"{sys.executable} -m scripts_tracker.lint.cli {redirection}"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("redirection", [">&-", ">/dev/full"])
def test_an_output_that_takes_nothing_is_wrong_use(redirection: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    build(BROKEN, tmp_path)
    done = _closing(redirection, tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_name_that_is_no_utf_8_is_one_finding(lint: Lint, tmp_path: Path) -> None:
    build(BROKEN, tmp_path)
    (tmp_path / os.fsdecode(b"shop/management/commands/\xff.py")).write_text(CLEAN)
    found = lint("--format", "json").found
    assert sorted(code for _, _, code in found) == ["ST000", "ST003"]


def test_statistics_count_each_code(lint: Lint, tmp_path: Path) -> None:
    build(BROKEN.replace('help = "Does it"', "").replace('("gone")', '("gone", "lost")'), tmp_path)
    done = lint("--statistics")
    assert done.out.splitlines() == [
        "2  ST003  unknown-requirement",
        "1  ST016  missing-help",
        "Found 3 problems.",
    ]
    assert done.code == 1
    rows = json.loads(lint("--statistics", "--format", "json").out)
    assert rows[0] == {"code": "ST003", "name": "unknown-requirement", "count": 2}


def test_statistics_of_a_clean_project(lint: Lint, tmp_path: Path) -> None:
    build(CLEAN, tmp_path)
    assert lint("--statistics").out == "All checks passed.\n"


def test_findings_are_no_failure_with_exit_zero(lint: Lint, tmp_path: Path) -> None:
    build(BROKEN, tmp_path)
    done = lint("--exit-zero")
    assert (done.code, "ST003" in done.out) == (0, True)
    assert lint("--exit-zero", "--select", "ST999").code == 2


SELECTED: dict[str, tuple[list[str], list[str]]] = {
    "by its name": (["--select", "unknown-requirement"], ["ST003"]),
    "all but one by its name": (["--ignore", "missing-help"], ["ST003"]),
    "one, and one more": (
        ["--select", "ST016", "--extend-select", "unknown-requirement"],
        ["ST003", "ST016"],
    ),
    "one more is not ignored less": (["--extend-select", "ST003", "--ignore", "ST003"], ["ST016"]),
}


@pytest.mark.parametrize("title", SELECTED)
def test_rules_are_chosen_by_code_or_name(title: str, lint: Lint, tmp_path: Path) -> None:
    build(BROKEN.replace('help = "Does it"', ""), tmp_path)
    options, expected = SELECTED[title]
    assert sorted(code for _, _, code in lint("--format", "json", *options).found) == expected


def test_a_rule_is_explained_by_its_name(lint: Lint) -> None:
    assert lint("--explain", "unknown-requirement").out == lint("--explain", "ST003").out


def given(monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(source.encode())))


def test_an_unsaved_file_is_read_from_standard_input(
    lint: Lint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(CLEAN, tmp_path)
    assert lint("--format", "json").found == []
    given(monkeypatch, BROKEN)
    assert lint("--stdin-filename", FIX, "--format", "json").found == [(FIX, 6, "ST003")]
    assert lint("--format", "json").found == [], "what was not saved is not remembered"
    assert (tmp_path / FIX).read_text() == CLEAN


@pytest.mark.parametrize("wrong", [["other.py"], ["--fix"], ["--add-noqa"]])
def test_standard_input_cannot_be_written(
    wrong: list[str], lint: Lint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(CLEAN, tmp_path)
    given(monkeypatch, BROKEN)
    done = lint("--stdin-filename", FIX, *wrong)
    assert (done.code, done.out) == (2, "")


ADDED = {
    "a line": ('@required_preceding_script("gone")', '@required_preceding_script("gone")  # noqa: ST003'),
    "another comment": (
        '@required_preceding_script("gone")  # as before',
        '@required_preceding_script("gone")  # as before  # noqa: ST003',
    ),
    "codes of another tool": (
        '@required_preceding_script("gone")  # noqa: E501 too long',
        '@required_preceding_script("gone")  # noqa: E501, ST003 too long',
    ),
    "text that is no list": (
        '@required_preceding_script("gone")  # noqa: old',
        '@required_preceding_script("gone")  # noqa: old  # noqa: ST003',
    ),
    "a wrapped decorator": (
        '@required_preceding_script(\n        "gone",\n        "lost",\n    )',
        '@required_preceding_script(\n        "gone",\n        "lost",\n    )  # noqa: ST003',
    ),
}


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("title", ADDED)
def test_a_comment_is_added_where_it_counts(title: str, end: str, lint: Lint, tmp_path: Path) -> None:
    before, after = ADDED[title]
    source = BROKEN.replace('@required_preceding_script("gone")', before)
    build("", tmp_path)
    (tmp_path / FIX).write_bytes(source.replace("\n", end).encode())
    done = lint("--add-noqa")
    assert (done.code, done.out) == (0, "Added comments to 1 file.\n")
    assert (tmp_path / FIX).read_bytes() == source.replace(before, after).replace("\n", end).encode()
    assert {code for _, _, code in lint("--format", "json").found} <= {"ST022"}


def test_no_comment_is_added_to_a_file_that_cannot_be_parsed(lint: Lint, tmp_path: Path) -> None:
    build(BROKEN + "def (\n", tmp_path)
    assert lint("--add-noqa").out == "Added comments to 0 files.\n"
    assert (tmp_path / FIX).read_text() == BROKEN + "def (\n"


def test_fix_says_how_much_it_fixed(lint: Lint, tmp_path: Path) -> None:
    build(CLEAN, tmp_path)
    assert "Fixed" not in lint("--fix").err
    build(OLD, tmp_path)
    done = lint("--fix")
    assert "Fixed 1 of 1." in done.err
    assert "modified" not in done.err, "applied scripts stay applied"


def test_fix_says_which_scripts_run_other_code_now(lint: Lint, tmp_path: Path) -> None:
    build(CLEAN.replace("    @tracked_script\n", "    @tracked_script\n    @tracked_script\n"), tmp_path)
    done = lint("--fix")
    assert "Fixed 1 of 1." in done.err
    assert f"The code changed of: {FIX}." in done.err
    assert "--mark-applied" in done.err


def test_an_interrupted_lint_says_so_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def press(_options: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("scripts_tracker.lint.cli._run", press)
    assert main([]) == 130
    assert capsys.readouterr() == ("", "scripts-tracker-lint: interrupted\n")


LEFT_OUT = {
    "a hidden folder": (".work", ".work"),
    "a folder in one": (".work/shop", ".work"),
    "a file in one": (".work/shop/management/commands/fix.py", ".work"),
    "an environment": ("lib/site-packages/shop", "lib/site-packages"),
    "a name for the shell": (".my work/shop", '".my work"'),
}


@pytest.mark.parametrize(("path", "shown"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_a_path_that_the_search_leaves_out_is_not_passed_over_in_silence(
    path: str, shown: str, lint: Lint, tmp_path: Path
) -> None:
    build(CLEAN, tmp_path)
    (tmp_path / "pyproject.toml").touch()
    target = tmp_path / path
    if target.suffix:
        target.parent.mkdir(parents=True)
        target.touch()
    else:
        target.mkdir(parents=True)
    done = lint(path)
    assert done.code == 0
    assert f"nothing below {shown} is checked: " in done.err
    assert done.err.endswith(f"scripts-tracker-lint --root {shown}\n")


def test_a_path_that_is_searched_is_not_said_to_be_left_out(lint: Lint, tmp_path: Path) -> None:
    hidden = tmp_path / ".work"
    build(CLEAN, hidden)
    (tmp_path / "pyproject.toml").touch()
    (hidden / "pyproject.toml").write_text("[tool.scripts_tracker]\n")
    build(CLEAN, tmp_path)
    (tmp_path / ".hidden.py").touch()
    done = lint(".work/shop", "shop", ".", ".hidden.py")
    assert (done.code, done.err) == (0, "")
