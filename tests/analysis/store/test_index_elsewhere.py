"""The index of a project is of use where the project is at another place, with other times of files."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from scripts_tracker.analysis.linking import linker
from scripts_tracker.analysis.store.cache import Cache
from tests.analysis.project_cases import some_cases
from tests.analysis.store.shops import CHANGES, INHERITED, TRACKED, index_of, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from scripts_tracker.analysis.source.reading import CommandFile
    from scripts_tracker.core.values import ProjectIndex
    from tests.analysis.project_cases import Case


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where there is nothing yet."""
    return tmp_path_factory.mktemp("deployed") / "further" / "down"


def _copy(root: Path, place: Path) -> Path:
    """A copy of a project with its cache, whose files are new ones, written at another time."""
    shutil.copytree(root, place, copy_function=shutil.copyfile, symlinks=True)
    for path in (place / ".scripts_tracker_cache").rglob("*"):
        path.chmod(0o600)
    (place / ".scripts_tracker_cache").chmod(0o700)
    return place


@some_cases()
def test_every_case_is_remembered_at_another_place(
    case: Case, tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def index_at(root: Path) -> ProjectIndex:
        return index_of(root, Cache(str(root)), import_roots=(str(root), str(root / "lib")))

    case.build(tmp_path)
    before = index_at(tmp_path)
    copy = _copy(tmp_path, elsewhere)
    shutil.rmtree(tmp_path)
    if not any(finding.code == "ST000" for finding in before.findings):
        monkeypatch.setattr(linker, "Linker", None)
    assert index_at(copy) == before
    assert index_at(copy) == before, "and the next time"


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_at_another_place_is_noticed(
    change: Callable[[Path], None], shop: Path, elsewhere: Path
) -> None:
    index_of(shop, Cache(str(shop)))
    copy = _copy(shop, elsewhere)
    change(copy)
    for _ in range(2):
        assert index_of(copy, Cache(str(copy))) == index_of(copy)
    index_of(shop, Cache(str(shop)))
    change(shop)
    assert index_of(shop, Cache(str(shop))) == index_of(shop) == index_of(copy)


@pytest.mark.usefixtures("settled")
def test_only_changed_files_are_analysed_at_another_place(
    shop: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index_of(shop, Cache(str(shop)))
    copy = _copy(shop, elsewhere)
    writing("shop/management/commands/own.py", TRACKED.format(name="Command") + "x = 1\n")(copy)
    analysed = _linked_files(monkeypatch)
    assert index_of(copy, Cache(str(copy))) == index_of(copy)
    assert analysed[0] == ["own"]


def _linked_files(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that each linker looks at from now on."""
    looked: list[list[str]] = []

    class Watching(linker.Linker):
        def _link(self, files: Iterable[CommandFile]) -> None:
            chosen = list(files)
            looked.append([file.name for file in chosen])
            super()._link(chosen)

    monkeypatch.setattr(linker, "Linker", Watching)
    return looked


def test_what_a_script_says_of_a_place_stays_at_another_one(shop: Path, elsewhere: Path) -> None:
    writing(
        "shop/management/commands/own.py", TRACKED.format(name="Command") + f"    help = '{shop}/a file'\n"
    )(shop)
    before = index_of(shop, Cache(str(shop)))
    copy = _copy(shop, elsewhere)
    assert index_of(copy, Cache(str(copy))) == before
    assert f"{shop}/a file" in {one.help for one in before.definitions}


def test_a_base_class_outside_of_the_project_is_looked_for_where_it_was(elsewhere: Path, shop: Path) -> None:
    library = elsewhere.parent / "library"
    library.mkdir(parents=True)
    (library / "lib.py").write_text(TRACKED.format(name="Base"))
    writing("shop/management/commands/more.py", INHERITED.replace("shop.base", "lib"))(shop)
    index_of(shop, Cache(str(shop)), import_roots=(str(library),))
    copy = _copy(shop, elsewhere)
    for text in (TRACKED.format(name="Base"), "class Base: pass\n"):
        (library / "lib.py").write_text(text)
        known = index_of(copy, Cache(str(copy)), import_roots=(str(library),))
        assert ("shop.more" in {str(one.id) for one in known.definitions}) is ("tracked" in text)
        assert known == index_of(copy, import_roots=(str(library),))
