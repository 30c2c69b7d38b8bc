"""What is published says what is true: classifiers, workflows, locked versions, links on PyPI, the changelog."""

from __future__ import annotations

import copy
import importlib.util
import itertools
import re
import subprocess
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml  # pre-commit brings it
from markdown_it import MarkdownIt

from tests.conftest import CHECKOUT, NEWCOMER, ROOT
from tests.release_check import about, built_problems, changes, headings, policy, problems

pytestmark = [NEWCOMER, CHECKOUT]

README = (ROOT / "README.md").read_text()
WORKFLOWS = ROOT / ".github" / "workflows"
REPOSITORY = "https://github.example/owner/name"
SITE = "https://docs.example/en"


def environments() -> list[str]:
    """The env_list of tox.ini, without its braces."""
    (lines,) = re.findall(r"^env_list =\n((?: +\S+\n)+)", (ROOT / "tox.ini").read_text(), re.MULTILINE)
    found = []
    for line in lines.split():
        parts = [part.split(",") for part in re.split(r"[{}]", line)]
        found += ["".join(choice) for choice in itertools.product(*parts)]
    return found


def versions(pattern: str) -> set[str]:
    return {f"{one[0]}.{one[1:]}" for env in environments() for one in re.findall(pattern, env)}


def test_the_classifiers_are_what_tox_tests() -> None:
    named = about()["project"]["classifiers"]
    pythons = {
        one.rpartition(" ")[2] for one in named if re.match(r"Programming Language :: Python :: 3\.\d", one)
    }
    djangos = {one.rpartition(" ")[2] for one in named if re.match(r"Framework :: Django :: \d", one)}
    assert pythons == versions(r"py(\d+)")
    assert djangos == versions(r"django(\d+)")
    assert about()["project"]["requires-python"] == f">={min(pythons, key=lambda one: int(one[2:]))}"


def test_the_pages_name_the_versions_that_are_tested() -> None:
    systems = (ROOT / "docs" / "platforms.md").read_text()
    oldest, newest = (sorted(versions(r"py(\d+)"), key=lambda one: int(one[2:]))[at] for at in (0, -1))
    assert f"Python {oldest} " in systems
    assert f" {newest} |" in systems
    (libcst,) = about()["dependency-groups"]["libcst-oldest"]
    assert f"libcst {libcst.partition('==')[2]} and newer" in systems
    for django in versions(r"django(\d+)"):
        assert django in re.findall(r"\((Python 3\.10 or newer; Django [^)]*)\)", README)[0]
        assert f"{django}" in systems


def jobs(workflow: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((WORKFLOWS / workflow).read_text())["jobs"]
    return found


def test_the_workflow_has_a_job_for_every_environment_of_tox() -> None:
    pairs = jobs("ci.yml")["tests"]["strategy"]["matrix"]["include"]
    assert [pair["env"] for pair in pairs] == environments()
    for pair in pairs:
        assert pair["env"].startswith(f"py{pair['python'].replace('.', '')}-")


def test_every_target_of_make_that_a_workflow_names_exists() -> None:
    targets = {*re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)}
    named = [name for file in WORKFLOWS.iterdir() for name in re.findall(r"make ([a-z-]+)", file.read_text())]
    assert {"lint", "docs", "release-check"} <= {*named} <= targets | {"test"}


@pytest.mark.parametrize("workflow", ["ci.yml", "release.yml"])
def test_what_is_built_is_installed_on_the_oldest_and_the_newest_python(workflow: str) -> None:
    steps = jobs(workflow)["build"]["steps"]
    (given,) = [step["with"]["python-version"] for step in steps if "setup-python" in step.get("uses", "")]
    supported = sorted(versions(r"py(\d+)"), key=lambda one: int(one[2:]))
    assert {supported[0], supported[-1]} < {*given.split()}
    run = [step["run"] for step in steps if "run" in step]
    assert any(re.match("make (installed|release-check)", one) for one in run)


def test_every_action_is_pinned_with_its_version_beside_it() -> None:
    for workflow in WORKFLOWS.iterdir():
        for used in re.findall(r"uses: (.*)", workflow.read_text()):
            assert re.match(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$|\./ ", used), used


def test_the_page_of_systems_says_on_which_the_action_is_tried() -> None:
    systems = jobs("ci.yml")["lint-action"]["strategy"]["matrix"]["os"]
    assert sorted(systems) == ["macos-latest", "ubuntu-latest", "windows-latest"]
    text = " ".join((ROOT / "docs" / "platforms.md").read_text().split())
    assert "with the lint on Linux, Windows and macOS" in text


def test_only_the_job_that_publishes_may_write_anything() -> None:
    for workflow in WORKFLOWS.iterdir():
        assert yaml.safe_load(workflow.read_text())["permissions"] == {"contents": "read"}
    rights = {name: job.get("permissions") for name, job in jobs("release.yml").items()}
    assert rights == {"build": None, "publish": {"id-token": "write"}}
    assert not any(
        "run" in step or "checkout" in step["uses"] for step in jobs("release.yml")["publish"]["steps"]
    )


def test_what_ci_installs_is_locked_and_comes_from_no_other_registry() -> None:
    text = (ROOT / ".ci" / "constraints.txt").read_text()
    assert not re.search(r"://|^-|@", text, re.MULTILINE)
    locked = {*re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE)}
    groups = about()["dependency-groups"]
    wanted = {
        re.split(r"[\[<>=!~ ;]", one)[0]
        for name in (
            "test",
            "lint",
            "browser",
            "celery",
            "docs",
            "release",
            "ci",
            "differential",
            "mysqlclient",
        )
        for one in groups[name]
        if isinstance(one, str)
    }
    assert wanted <= locked, "run: make lock"
    assert not locked & {"django", "libcst", "scripts-tracker"}, "tox.ini says these versions"


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    pytest.importorskip("hatchling")
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RELATIVE = re.compile(r"\]\((?!https://)")


def test_on_pypi_no_link_of_the_readme_is_relative(hook: ModuleType) -> None:
    assert RELATIVE.search(README)
    for places in (("", ""), (REPOSITORY, ""), (REPOSITORY, SITE), ("", SITE)):
        text = hook.absolute(README, *places)
        assert not RELATIVE.search(text)
        leads = re.findall(r'(?:href|src)="([^"]*)"', MarkdownIt("commonmark").render(text))
        assert len(leads) > 10 or places == ("", "")
        assert all(lead.startswith("https://") for lead in leads)
        assert not places[0] or f"]({REPOSITORY}/blob/main/CHANGELOG.md)" in text
        assert not places[1] or f"]({SITE}/quickstart.html)" in text
        assert re.findall(r"```.*?```", text, re.DOTALL) == re.findall(r"```.*?```", README, re.DOTALL)


LINKS = {
    "a page, with a site": ("[a](docs/lint.md#json)", f"[a]({SITE}/lint.html#json)", SITE),
    "the list of pages, with a site": ("[a](docs/README.md)", f"[a]({SITE}/index.html)", SITE),
    "a page, without a site": ("[a](docs/lint.md)", f"[a]({REPOSITORY}/blob/main/docs/lint.md)", ""),
    "another file": ("[a](LICENSE)", f"[a]({REPOSITORY}/blob/main/LICENSE)", SITE),
    "what is absolute": ("[a](https://a.example/b)", "[a](https://a.example/b)", SITE),
    "a heading of the page": ("[a](#b)", "[a](#b)", SITE),
    "a badge": (
        "[![a](../../actions/a.svg)](../../actions/a)\n\nb",
        f"[![a]({REPOSITORY}/actions/a.svg)]({REPOSITORY}/actions/a)\n\nb",
        SITE,
    ),
    "a picture": ("![a](docs/a.png)", f"![a]({REPOSITORY}/raw/main/docs/a.png)", SITE),
}


@pytest.mark.parametrize(("text", "expected", "site"), LINKS.values(), ids=LINKS)
def test_a_link_leads_to_the_address_of_the_project(
    hook: ModuleType, text: str, expected: str, site: str
) -> None:
    assert hook.absolute(text, REPOSITORY, site) == expected


def test_without_an_address_there_is_no_badge(hook: ModuleType) -> None:
    assert hook.absolute("[![a](../../actions/a.svg)](../../actions/a)\n\nb", "", SITE) == "b"


def test_the_badge_of_the_readme_is_that_of_a_workflow() -> None:
    badges = re.findall(r"\[!\[(\w+)\]\((.*?)\)\]\((.*?)\)", README)
    for words, picture, target in badges:
        name = target.removeprefix("../../actions/workflows/")
        assert yaml.safe_load((WORKFLOWS / name).read_text())["name"] == words
        assert picture == f"{target}/badge.svg"
    assert len(badges) == 1


ORIGINS = {
    "https": ("https://github.com/owner/name.git", "https://github.com/owner/name"),
    "https without .git": ("https://github.com/owner/na.me", "https://github.com/owner/na.me"),
    "the token of a CI server": (
        "https://x-access-token:s3@github.com/owner/name",
        "https://github.com/owner/name",
    ),
    "ssh": ("git@github.com:owner/name.git", "https://github.com/owner/name"),
    "a URL of ssh": ("ssh://git@github.com/owner/name.git", "https://github.com/owner/name"),
    "a URL of ssh with a port": ("ssh://git@github.com:22/owner/name", "https://github.com/owner/name"),
    "a folder": ("/srv/git/name", ""),
    "a folder of that name": ("/srv/github.com/owner/name", ""),
    "a server of one's own": ("https://git.example.com/owner/name.git", ""),
    "a host that ends so": ("https://notgithub.com/owner/name", ""),
    "a path that holds it": ("https://evil.example/@github.com/owner/name", ""),
    "none": ("", ""),
}


@pytest.mark.parametrize(("origin", "expected"), ORIGINS.values(), ids=ORIGINS)
def test_the_address_of_the_repository_is_that_of_the_origin_on_github(
    hook: ModuleType, tmp_path: Path, origin: str, expected: str
) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    if origin:
        subprocess.run(["git", "remote", "add", "origin", origin], cwd=tmp_path, check=True)
    nothing = {"repository": "", "documentation": ""}
    assert hook.places(tmp_path, nothing) == (expected, "")
    assert hook.places(tmp_path, {"repository": f"{REPOSITORY}/", "documentation": ""}) == (REPOSITORY, "")
    (tmp_path / "vendored").mkdir()
    assert hook.places(tmp_path / "vendored", nothing) == ("", "")


def test_without_git_the_address_is_not_known(
    hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert hook.places(tmp_path, {"repository": "", "documentation": ""}) == ("", "")


def test_without_an_address_there_is_no_url_and_with_one_there_are_all(
    hook: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "README.md").write_text("A page.")
    of_repository = {"Source", "Changelog", "Issues"}
    for repository, site, names in (
        ("", "", set()),
        (REPOSITORY, "", of_repository),
        (REPOSITORY, SITE, {"Documentation", *of_repository}),
    ):
        metadata: dict[str, Any] = {}
        hook.MetadataHook(str(tmp_path), {"repository": repository, "documentation": site}).update(metadata)
        assert metadata.get("urls", {}).keys() == names
        assert metadata["readme"]["content-type"] == "text/markdown"


KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_changelog_is_kept_as_keep_a_changelog_has_it() -> None:
    text = changes()
    (newest, no_date), *released = headings(text)
    assert (newest, no_date) == ("Unreleased", "")
    assert len(headings(text)) == len(re.findall(r"^## ", text, re.MULTILINE))
    assert [when for _, when in released] == sorted((when for _, when in released), reverse=True)
    assert {*re.findall(r"^### (.*)$", text, re.MULTILINE)} <= KINDS
    links = dict(re.findall(r"^\[(.*)\]: (.*)$", text, re.MULTILINE))
    assert links == {
        name: f"../../releases/tag/v{name}" if when else "../../commits/main" for name, when in headings(text)
    }


def released() -> tuple[dict[str, Any], str]:
    pyproject = copy.deepcopy(about())
    pyproject["project"]["version"] = "1.0.0"
    pyproject["tool"]["hatch"]["metadata"]["hooks"]["custom"].update(
        repository=REPOSITORY, documentation=SITE
    )
    return pyproject, "## [Unreleased]\n\n## [1.0.0] - 2026-12-24\n\n[1.0.0]: ../../releases/tag/v1.0.0\n"


def test_a_release_with_everything_in_place_has_no_problem() -> None:
    assert not list(problems("v1.0.0", *released()))
    assert not list(problems("", *released()))


NOT_READY: dict[str, tuple[str, str, str]] = {
    "a development version": ("", "1.0.0.dev0", "version 1.0.0.dev0 is no release"),
    "another tag": ("v1.0.1", "1.0.0", "tag the commit v1.0.0"),
    "no section": ("v2.0.0", "2.0.0", "rename [Unreleased] to [2.0.0] - "),
}


@pytest.mark.parametrize(("tag", "version", "said"), NOT_READY.values(), ids=NOT_READY)
def test_a_release_is_refused(tag: str, version: str, said: str) -> None:
    pyproject, changelog = released()
    pyproject["project"]["version"] = version
    assert said in "\n".join(problems(tag, pyproject, changelog))


def test_a_release_whose_policy_knows_no_release_is_refused() -> None:
    (said,) = problems("v1.0.0", *released(), "There is no release yet.")
    assert said.startswith("SECURITY.md says that there is no release yet")
    has_release = any(when for _, when in headings(changes()))
    assert ("no release yet" in policy()) is not has_release


def test_a_release_without_a_link_in_the_changelog_is_refused() -> None:
    pyproject, changelog = released()
    (said,) = problems("v1.0.0", pyproject, changelog.partition("[1.0.0]: ")[0])
    assert "write [1.0.0]: ../../releases/tag/v1.0.0" in said


MISSING = {
    "neither is known": ("", "", ["repository", "documentation"]),
    "no repository": ("", SITE, ["repository"]),
    "no site": (REPOSITORY, "", ["documentation"]),
}


@pytest.mark.parametrize(("repository", "site", "missing"), MISSING.values(), ids=MISSING)
def test_a_release_without_a_date_or_an_address_is_refused(
    tmp_path: Path, repository: str, site: str, missing: list[str]
) -> None:
    pyproject, _ = released()
    pyproject["tool"]["hatch"]["metadata"]["hooks"]["custom"].update(
        repository=repository, documentation=site
    )
    no_date, *said = problems("v1.0.0", pyproject, "## [1.0.0]\n\n[1.0.0]: a\n", root=tmp_path)
    assert no_date.startswith("CHANGELOG.md: ")
    where = "in [tool.hatch.metadata.hooks.custom] to its address, https://..."
    assert [one.partition(where)[0] for one in said] == [f"pyproject.toml: set {name} " for name in missing]


def test_what_was_not_built_with_the_addresses_is_refused(tmp_path: Path) -> None:
    headers = "\n".join(
        f"Project-URL: {label}, {SITE}" for label in ("Documentation", "Source", "Changelog", "Issues")
    )
    wheel, sdist = "scripts_tracker-1.0.0-py3-none-any.whl", "scripts_tracker-1.0.0.tar.gz"

    def build(metadata: str) -> list[str]:
        with zipfile.ZipFile(tmp_path / wheel, "w") as archive:
            archive.writestr("scripts_tracker-1.0.0.dist-info/METADATA", metadata)
        (tmp_path / "PKG-INFO").write_text(metadata)
        with tarfile.open(tmp_path / sdist, "w:gz") as archive:
            archive.add(tmp_path / "PKG-INFO", "scripts_tracker-1.0.0/PKG-INFO")
        return list(built_problems(tmp_path, "1.0.0"))

    assert len(list(built_problems(tmp_path, "1.0.0"))) == len((wheel, sdist))
    assert not build(f"Name: a\n{headers}\n\n[a]({SITE}) [b](#c)\n")
    for metadata, said in (
        ("Name: a\n\nProject-URL: Source, https://a.example", "no URL for Source"),
        (f"Name: a\n{headers}\n\n[a](docs/a.md)", "leads nowhere on PyPI: docs/a.md"),
    ):
        found = build(metadata)
        for name in (wheel, sdist):
            assert any(name in one and said in one for one in found), found
