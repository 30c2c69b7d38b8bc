"""The rules ST020 and ST021 in real repositories: first what they must not report, then what they report."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.findings import Findings
from scripts_tracker.analysis.linking import modules
from scripts_tracker.analysis.linking.scanning import analyse, command_files
from scripts_tracker.core.values import CommandsDir, Finding, ScriptDefinition
from scripts_tracker.lint import git
from scripts_tracker.lint.base import Rule, Run, RunRule
from scripts_tracker.lint.config import WrongUseError
from scripts_tracker.lint.layout import Request
from scripts_tracker.lint.rules import all_rules
from scripts_tracker.lint.rules.st020_uncommitted_script import UncommittedScript
from scripts_tracker.lint.rules.st021_silent_change import SilentChange
from tests.analysis.project_cases import folders, index_of
from tests.lint.rule_cases import expected, failing, files, parameters, passing

COMMAND = """\
from scripts_tracker import tracked_script

class Command:
    @{decorator}
    def handle(self, *args, **options):
        {body}
"""
REVISION = "REV"


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    # Whatever lies around the folder of the test is not to be found.
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))


def run_git(folder: Path, *arguments: str, **env: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "protocol.file.allow=always")
    command = ["git", *identity, *arguments]
    done = subprocess.run(command, cwd=folder, env={**os.environ, **env}, check=True, capture_output=True)
    return done.stdout.decode()


def run_of(root: Path, scripts: tuple[ScriptDefinition, ...], since: str = "") -> Run:
    return Run(Request((), str(root)), scripts, scripts, since=since)


@dataclass
class Repo:
    """A repository with a project in a folder of it."""

    top: Path
    root: Path

    def git(self, *arguments: str, **env: str) -> str:
        return run_git(self.top, *arguments, **env)

    def commit(self) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "m")
        return self.git("rev-parse", "HEAD").strip()

    def write(
        self, name: str = "fix", *, body: str = "...", decorator: str = "tracked_script", app: str = "shop"
    ) -> Path:
        path = self.root / app / "management" / "commands" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(COMMAND.format(body=body, decorator=decorator), encoding="utf-8")
        return path

    def scripts(self, *others: Path) -> tuple[ScriptDefinition, ...]:
        folders = [*self.root.glob("*/management/commands"), *others]
        dirs = [CommandsDir(f"a{number}", "c", str(folder)) for number, folder in enumerate(sorted(folders))]
        return analyse(dirs, root=str(self.root)).definitions

    def missing(self, *others: Path) -> list[Finding]:
        scripts = self.scripts(*others)
        assert scripts
        return list(UncommittedScript().check(run_of(self.root, scripts)))

    def changed(self, since: str) -> list[Finding]:
        return list(SilentChange().check(run_of(self.root, self.scripts(), since)))


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "repo", tmp_path / "repo")
    made.top.mkdir()
    made.git("init", "-q")
    return made


@pytest.fixture
def submodule(repo: Repo, tmp_path: Path) -> Repo:
    """A repository inside of another, with a script of its own that it does not know."""
    other = Repo(tmp_path / "other", tmp_path / "other")
    other.top.mkdir()
    other.git("init", "-q")
    other.write(app="theirs")
    other.commit()
    repo.git("submodule", "--quiet", "add", str(other.top), "sub")
    repo.commit()
    return Repo(repo.top / "sub", repo.top / "sub")


# What is committed, or none of git's business


def test_a_committed_script_is_fine(repo: Repo) -> None:
    repo.write()
    repo.commit()
    assert repo.missing() == []


def test_an_added_script_is_fine_before_the_commit(repo: Repo) -> None:
    repo.write()
    repo.git("add", "-A")
    assert repo.missing() == []


def test_an_ignored_script_that_was_added_by_force_is_fine(repo: Repo) -> None:
    repo.write()
    (repo.top / ".gitignore").write_text("*.py\n")
    repo.git("add", "--force", "-A")
    assert repo.missing() == []


def test_nothing_is_reported_without_a_repository(tmp_path: Path) -> None:
    alone = Repo(tmp_path, tmp_path)
    alone.write()
    assert alone.missing() == []
    with pytest.raises(WrongUseError, match="not a git repository"):
        alone.changed("HEAD")


def test_nothing_is_reported_without_git(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.write()
    monkeypatch.setenv("PATH", "/nowhere")
    assert repo.missing() == []
    with pytest.raises(WrongUseError, match="git is not installed"):
        repo.changed("HEAD")


def test_nothing_is_reported_if_git_takes_too_long(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.write()
    monkeypatch.setattr(git, "_SECONDS", 0)
    assert repo.missing() == []


def test_git_is_not_asked_about_no_scripts(tmp_path: Path) -> None:
    assert list(UncommittedScript().check(run_of(tmp_path, ()))) == []


def test_scripts_outside_of_the_repository_are_fine(repo: Repo, tmp_path: Path) -> None:
    outside = Repo(tmp_path, tmp_path).write(app="outside")
    assert repo.missing(outside.parent) == []


def test_scripts_in_a_submodule_are_skipped(repo: Repo, submodule: Repo) -> None:
    repo.write()
    repo.commit()
    submodule.write("new", app="theirs")
    assert repo.missing(submodule.top / "theirs" / "management" / "commands") == []


def test_scripts_in_a_nested_repository_are_skipped(repo: Repo) -> None:
    repo.write()
    repo.commit()
    clone = Repo(repo.top / "clone", repo.top / "clone")
    clone.top.mkdir()
    clone.git("init", "-q")
    assert repo.missing(clone.write().parent) == []


def test_unreadable_files_are_skipped(repo: Repo) -> None:
    repo.write().write_text("tracked_script (")
    assert repo.missing() == []


def test_a_file_that_was_deleted_in_the_meantime_is_skipped(repo: Repo) -> None:
    path = repo.write()
    scripts = repo.scripts()
    path.unlink()
    assert list(UncommittedScript().check(run_of(repo.root, scripts))) == []


@pytest.mark.parametrize(
    "name", ["a b", "quo'te\"s", "ünïcödé", "*", "[x]", "back\\slash", "#", "!", ":(top)", "new\nline"]
)
def test_names_with_special_characters_are_taken_literally(repo: Repo, name: str) -> None:
    repo.write(name, app=f"{name} app")
    repo.commit()
    assert repo.missing() == []
    repo.write(f"{name}2", app=f"{name} app")
    (found,) = repo.missing()
    assert found.location.path == f"{name} app/management/commands/{name}2.py"


def test_a_file_that_a_later_pattern_includes_again_is_not_ignored(repo: Repo) -> None:
    repo.write()
    (repo.top / ".gitignore").write_text("*.py\n!fix.py\n")
    (found,) = repo.missing()
    assert "is not in git" in found.message


# What is not committed


def test_an_unknown_script_is_reported_where_it_is_defined(repo: Repo) -> None:
    repo.commit()
    repo.write("my fix")
    (found,) = repo.missing()
    assert (str(found.location), found.code) == ("shop/management/commands/my fix.py:3:1", "ST020")
    assert found.message == "a0.my fix is not in git, so it exists only here"
    assert found.hint == 'Run `git add "shop/management/commands/my fix.py"`.'


def test_an_ignored_script_is_reported_with_the_pattern(repo: Repo) -> None:
    repo.write()
    (repo.top / ".gitignore").write_text("\nshop/\n")
    (found,) = repo.missing()
    assert found.message == "a0.fix is ignored by git, so it exists only here"
    assert found.hint.endswith("or change shop/ in line 2 of .gitignore.")


def test_a_script_that_was_removed_from_the_index_is_reported(repo: Repo) -> None:
    path = repo.write()
    repo.commit()
    repo.git("rm", "-q", "--cached", str(path))
    assert len(repo.missing()) == 1


def test_the_root_may_be_a_folder_of_the_repository(repo: Repo) -> None:
    repo.root = repo.top / "backend"
    repo.write()
    repo.commit()
    shared = Repo(repo.top, repo.top / "shared").write()
    repo.write("new")
    assert sorted(found.location.path for found in repo.missing(shared.parent)) == [
        str(shared),
        "shop/management/commands/new.py",
    ]


def test_the_root_may_be_reached_through_a_link(repo: Repo, tmp_path: Path) -> None:
    repo.write()
    repo.commit()
    repo.write("new")
    repo.root = tmp_path / "link"
    repo.root.symlink_to(repo.top)
    assert [found.location.path for found in repo.missing()] == ["shop/management/commands/new.py"]


def test_a_linked_file_counts_as_itself_and_a_linked_folder_as_its_target(repo: Repo) -> None:
    real = repo.write(app="shared")
    folder = repo.top / "shop" / "management" / "commands"
    folder.parent.mkdir(parents=True)
    folder.symlink_to(real.parent)
    repo.commit()
    assert repo.missing() == []
    (real.parent / "again.py").symlink_to("fix.py")
    assert len(repo.missing()) == 1, "one file, however many folders it is in"


def test_a_submodule_as_root_is_asked_itself(submodule: Repo) -> None:
    assert submodule.missing() == []
    submodule.write("new", app="theirs")
    assert len(submodule.missing()) == 1


def test_another_worktree_has_its_own_index(repo: Repo, tmp_path: Path) -> None:
    repo.write()
    repo.commit()
    repo.git("worktree", "add", "-q", str(tmp_path / "tree"))
    tree = Repo(tmp_path / "tree", tmp_path / "tree")
    assert tree.missing() == []
    tree.write("new")
    assert len(tree.missing()) == 1


@pytest.mark.parametrize("folder", [".", "backend"])
@pytest.mark.parametrize("git_dir", [".git", "absolute"])
def test_a_commit_hook_uses_the_index_of_the_commit(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, folder: str, git_dir: str
) -> None:
    repo.root = repo.top / folder
    repo.write()
    repo.commit()
    path = repo.write("new")
    index = str(repo.top / ".git" / "next-index")
    repo.git("read-tree", "HEAD", GIT_INDEX_FILE=index)
    repo.git("add", str(path), GIT_INDEX_FILE=index)
    assert len(repo.missing()) == 1
    monkeypatch.chdir(repo.top)
    monkeypatch.setenv("GIT_INDEX_FILE", index)
    assert repo.missing() == []
    monkeypatch.setenv("GIT_DIR", git_dir.replace("absolute", str(repo.top / ".git")))
    assert repo.missing() == []


# What did not change, or says so


def test_an_unchanged_script_is_fine(repo: Repo) -> None:
    repo.write()
    repo.commit()
    assert repo.changed("HEAD") == []


def test_a_file_that_was_only_touched_is_not_parsed(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    path = repo.write()
    repo.commit()
    os.utime(path, (1, 1))
    parsed: list[int] = []

    def none(olds: list[bytes], *_: object, **__: object) -> list[object]:
        parsed.append(len(olds))
        return []

    scripts = repo.scripts()
    monkeypatch.setattr(modules, "compile_all", none)
    assert list(SilentChange().check(run_of(repo.root, scripts, "HEAD"))) == []
    assert parsed == []


def test_formatting_is_fine(repo: Repo) -> None:
    path = repo.write(body="print('done')")
    repo.commit()
    path.write_text("# formatted\r\n" + path.read_text().replace("'", '"').replace("\n", "\r\n"), newline="")
    assert repo.changed("HEAD") == []


def test_a_new_script_is_fine(repo: Repo) -> None:
    repo.commit()
    repo.write("untracked")
    repo.write("staged")
    repo.git("add", "shop/management/commands/staged.py")
    assert repo.changed("HEAD") == []


@pytest.mark.parametrize("before", ["print(1)", "print('tracked_script')", "tracked_script ("])
def test_a_file_that_was_no_script_before_is_new(repo: Repo, before: str) -> None:
    repo.write().write_text(f"class Command:\n    def handle(self, **options):\n        {before}\n")
    repo.commit()
    repo.write()
    assert repo.changed("HEAD") == []


def test_a_script_that_was_a_link_is_new(repo: Repo) -> None:
    path = repo.write()
    path.unlink()
    path.symlink_to("tracked_script")
    repo.commit()
    path.unlink()
    repo.write()
    assert repo.changed("HEAD") == []


@pytest.mark.parametrize("target", ["fix.py", "../../../lib/fix.py"])
def test_a_script_that_becomes_a_link_is_compared_with_the_file_that_it_was(repo: Repo, target: str) -> None:
    same = repo.write("same", body="print(1)")
    path = repo.write("other", body="print(2)")
    repo.commit()
    for file in (same, path):
        file.unlink()
        file.symlink_to(target)
    real = Path(os.path.normpath(path.parent / target))
    real.parent.mkdir(exist_ok=True)
    real.write_text(COMMAND.format(body="print(1)", decorator="tracked_script"))
    assert [found.location.path for found in repo.changed("HEAD")] == ["shop/management/commands/other.py"]


def test_a_script_that_is_a_link_changes_with_the_file_that_it_leads_to(repo: Repo) -> None:
    real = repo.write(app="lib")
    path = repo.write()
    path.unlink()
    path.symlink_to(real)
    repo.commit()
    assert repo.changed("HEAD") == []
    repo.write(app="lib", body="print(1)")
    assert {found.location.path for found in repo.changed("HEAD")} == {
        "lib/management/commands/fix.py",
        "shop/management/commands/fix.py",
    }


def test_a_renamed_and_edited_script_is_told(repo: Repo) -> None:
    path = repo.write(body="print(1, 2, 3)")
    repo.commit()
    path.unlink()
    repo.write("other", body="print(1, 2, 3, 4)")
    repo.git("add", "-A")
    repo.git("config", "diff.renames", "copies")
    (found,) = repo.changed("HEAD")
    assert "renamed and edited" in str(found)


def test_a_changed_script_with_an_explicit_rerun_is_fine(repo: Repo) -> None:
    repo.write()
    repo.commit()
    for rerun in ("on-change", "once"):
        repo.write(body="print(1)", decorator=f'tracked_script(rerun="{rerun}")')
        assert repo.changed("HEAD") == []


def test_scripts_in_a_submodule_are_not_compared(repo: Repo, submodule: Repo) -> None:
    submodule.write(app="theirs", body="print(1)")
    folder = submodule.top / "theirs" / "management" / "commands"
    found = SilentChange().check(run_of(repo.root, repo.scripts(folder), "HEAD"))
    assert list(found) == []


def test_no_scripts_need_no_comparison(repo: Repo) -> None:
    repo.commit()
    assert repo.changed("HEAD") == []


# What changed silently


def test_a_changed_script_is_reported_with_the_consequence(repo: Repo) -> None:
    repo.write()
    repo.write("same")
    first = repo.commit()
    repo.write(body="print(1)")
    assert len(repo.changed(first)) == len(repo.changed(first[:10])) == 1
    (found,) = repo.changed("HEAD")
    assert (str(found.location), found.code) == ("shop/management/commands/fix.py:3:1", "ST021")
    assert found.message == "a0.fix changed since HEAD without an explicit rerun"
    assert "Every environment that applied it will run it again" in found.hint
    repo.commit()
    assert repo.changed("HEAD") == []
    assert len(repo.changed("HEAD~1")) == 1


def test_a_change_is_reported_whether_it_is_added_or_not(repo: Repo) -> None:
    repo.write()
    repo.commit()
    repo.write(body="print(1)")
    repo.git("add", "-A")
    assert len(repo.changed("HEAD")) == 1


def test_many_scripts_are_each_compared_with_their_own_past(repo: Repo) -> None:
    for number in range(12):
        repo.write(f"fix {number}", body=f"print({number})", app=f"app{number % 3}")
    repo.commit()
    for number in range(0, 12, 2):
        repo.write(f"fix {number}", body=f"print({number + 1})", app=f"app{number % 3}")
    names = sorted(found.location.path.rpartition(" ")[2] for found in repo.changed("HEAD"))
    assert names == sorted(f"{number}.py" for number in range(0, 12, 2))


def test_scripts_below_a_root_in_a_folder_are_compared(repo: Repo) -> None:
    repo.root = repo.top / "back end"
    repo.write()
    repo.commit()
    repo.git("config", "diff.relative", "true")
    repo.write(body="print(1)")
    assert [found.location.path for found in repo.changed("HEAD")] == ["shop/management/commands/fix.py"]


def test_a_script_with_imported_options_is_compared(repo: Repo) -> None:
    decorator = "tracked_script(tags=TAGS)"
    path = repo.write(decorator=decorator)
    path.write_text("from shop.tags import TAGS\n" + path.read_text())
    repo.commit()
    path.write_text(path.read_text().replace("...", "print(1)"))
    assert len(repo.changed("HEAD")) == 1


@pytest.mark.parametrize(
    "since",
    ["nowhere", "", "-x", "--all", "HEAD:shop", "HEAD^{tree}", "a b", "HEAD\nHEAD", "x commit 5", "@{5}"],
)
def test_an_unknown_revision_is_an_error(repo: Repo, since: str) -> None:
    repo.write()
    repo.commit()
    with pytest.raises(WrongUseError) as caught:
        repo.changed(since)
    assert repr(since) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_a_shallow_clone_lacks_is_told_with_what_fetches_it(repo: Repo, tmp_path: Path) -> None:
    repo.write(body="print(1)")
    repo.commit()
    repo.git("checkout", "-q", "-b", "feature")
    repo.write(body="print(2)")
    repo.commit()
    main = repo.git("for-each-ref", "--format=%(refname:short)", "refs/heads").split()[-1]
    clone = tmp_path / "clone"
    repo.git("clone", "-q", "--depth", "1", "--branch", "feature", repo.top.as_uri(), str(clone))
    shallow = Repo(clone, clone)
    with pytest.raises(WrongUseError) as caught:
        shallow.changed(f"origin/{main}")
    told, _, cure = str(caught.value).partition(" first: git ")
    assert told == f"unknown revision 'origin/{main}'. In a shallow clone, fetch it"
    shallow.git(*cure.split())
    assert len(shallow.changed(f"origin/{main}")) == 1


def test_an_empty_repository_has_no_revision(repo: Repo) -> None:
    with pytest.raises(WrongUseError):
        repo.changed("HEAD")


def test_git_taking_too_long_is_an_error_with_a_revision(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.commit()
    monkeypatch.setattr(git, "_SECONDS", 0)
    with pytest.raises(WrongUseError, match="within 0 seconds"):
        repo.changed("HEAD")


def test_a_repository_that_git_refuses_is_an_error_only_with_a_revision(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.write()
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert repo.missing() == []
    with pytest.raises(WrongUseError, match="dubious ownership"):
        repo.changed("HEAD")


# The cases of the rules


OVER_GIT = [
    rule
    for rule in all_rules().values()
    if isinstance(rule, RunRule) and rule.code != codes.UNREACHABLE_SCRIPT
]


def _reported(repo: Repo, case: str) -> set[tuple[str, int, str]]:
    """What is said of a case, whose folder ``REV`` is what the project was before."""
    past = {path: text for path, text in files(case).items() if path.startswith(f"{REVISION}/")}
    for path, text in past.items():
        (repo.root / path.removeprefix(f"{REVISION}/")).parent.mkdir(parents=True)
        (repo.root / path.removeprefix(f"{REVISION}/")).write_text(text)
    repo.commit()
    repo.git("tag", REVISION)
    for path, text in files(case).items():
        if path not in past:
            (repo.root / path).parent.mkdir(parents=True, exist_ok=True)
            (repo.root / path).write_text(text)
    for path in past:
        if path.removeprefix(f"{REVISION}/") not in files(case):
            (repo.root / path.removeprefix(f"{REVISION}/")).unlink()
    repo.git("add", "-A")
    scripts = index_of(repo.root).definitions
    commands = command_files(folders(repo.root), Findings(str(repo.root)))
    run = run_of(repo.root, scripts, REVISION)._replace(files=commands)
    found = [one for rule in OVER_GIT for one in rule.check(run)]
    return {(one.location.path, one.location.line, one.code) for one in found}


@pytest.mark.parametrize(("rule", "case"), parameters(OVER_GIT, passing))
def test_a_rule_over_git_reports_nothing_in_a_passing_case(repo: Repo, rule: Rule, case: str) -> None:
    assert _reported(repo, case) == expected(case) == set()


@pytest.mark.parametrize(("rule", "case"), parameters(OVER_GIT, failing))
def test_a_rule_over_git_reports_exactly_the_marked_lines_of_a_failing_case(
    repo: Repo, rule: Rule, case: str
) -> None:
    assert _reported(repo, case) == expected(case)
    assert {found for _, _, found in expected(case)} == {rule.code}
