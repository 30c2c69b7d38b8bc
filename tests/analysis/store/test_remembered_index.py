"""A remembered index is as good as a new one, whatever changed meanwhile."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import pytest

from scripts_tracker.analysis.linking import linker
from scripts_tracker.analysis.linking.scanning import analyse
from scripts_tracker.analysis.source import reading
from scripts_tracker.analysis.store.cache import Cache
from scripts_tracker.analysis.store.index_cache import CachedIndex, no_version
from scripts_tracker.core.values import PENDING, CommandsDir, Fingerprint
from tests.analysis.project_cases import some_cases
from tests.analysis.store.shops import CHANGES, INHERITED, TRACKED, index_of, writing
from tests.conftest import IS_SAMPLE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scripts_tracker.core.values import ProjectIndex
    from tests.analysis.project_cases import Case


@pytest.fixture(params=["written just now", "settled", "no times of change"])
def trust(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the file system says is trusted, or it is not."""
    if request.param == "settled":
        request.getfixturevalue("settled")
    elif request.param == "no times of change":
        monkeypatch.setattr(reading, "_HAS_CHANGE_TIME", False)


@pytest.mark.usefixtures("trust")
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_remembered_index_equals_a_fresh_one(change: Callable[[Path], None], shop: Path) -> None:
    before = index_of(shop, Cache(str(shop)))
    assert len(before.definitions) == 2
    change(shop)
    assert index_of(shop, Cache(str(shop))) == index_of(shop)
    assert index_of(shop, Cache(str(shop))) == index_of(shop), "and the next time"


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_an_index_without_fingerprints_is_completed_as_they_are_needed(
    change: Callable[[Path], None], shop: Path
) -> None:
    before = index_of(shop, Cache(str(shop)), comparable=no_version)
    assert [one.fingerprint for one in before.definitions] == [PENDING, PENDING]
    change(shop)
    one = index_of(shop, Cache(str(shop)), comparable=lambda script: {} if script.name == "own" else None)
    known = {one.id: one for one in index_of(shop).definitions}
    assert one.definitions == tuple(
        known[one.id]
        if one.id.name == "own" or one.fingerprint is None
        else known[one.id]._replace(fingerprint=PENDING)
        for one in one.definitions
    )
    assert index_of(shop, Cache(str(shop))) == index_of(shop)
    if all(one.fingerprint for one in known.values()):  # else no index is kept
        assert index_of(shop, Cache(str(shop)), comparable=no_version) == index_of(shop), (
            "it is kept with them"
        )


@pytest.mark.usefixtures("settled")
def test_a_version_with_the_same_bytes_or_other_line_endings_gives_its_fingerprint(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, inherits = index_of(shop, Cache(str(shop)), comparable=no_version).definitions[::-1]
    lf = (shop / own.location.path).read_bytes()
    versions = {
        own.id: {own.content_digest: Fingerprint("st1", "0")},
        inherits.id: {inherits.content_digest: Fingerprint("st1", "1")},
    }
    read = _reads(monkeypatch)
    found = index_of(shop, Cache(str(shop)), comparable=lambda script: versions[script])
    assert [one.fingerprint for one in found.definitions] == [
        Fingerprint("st1", "1"),
        Fingerprint("st1", "0"),
    ]
    assert not read, "nothing is linked again"
    (shop / own.location.path).write_bytes(lf.replace(b"\n", b"\r\n"))
    found = index_of(shop, Cache(str(shop)), comparable=lambda script: versions[script])
    assert found.definitions[1].fingerprint == Fingerprint("st1", "0")


@pytest.mark.usefixtures("settled")
def test_scripts_with_a_known_version_are_not_analysed_again_after_an_edit_of_another(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = index_of(shop, Cache(str(shop)), comparable=no_version).definitions
    versions = {one.id: {one.content_digest: Fingerprint("st1", one.id.name)} for one in before}
    writing("shop/management/commands/own.py", TRACKED.format(name="Command") + "x = 1\n")(shop)
    expected = index_of(shop).definitions[1].fingerprint
    read = _reads(monkeypatch)
    for files in ({"own.py"}, set()):
        found = index_of(shop, Cache(str(shop)), comparable=lambda script: versions[script])
        inherits, own = found.definitions
        assert (inherits.fingerprint, own.fingerprint) == (Fingerprint("st1", "inherits"), expected)
        assert {os.path.basename(path) for path in read} == files
        read.clear()


VARIANTS = [
    "class Command: pass\n",
    TRACKED.format(name="Command"),
    TRACKED.format(name="Command") + "    help = 'says it'\n",
    TRACKED.format(name="Base") + "class Command(Base): pass\n",
    TRACKED.format(name="Command")
    .replace("@tracked", "@required_preceding_script('a')\n    @tracked")
    .replace("import tracked", "import required_preceding_script, tracked"),
    TRACKED.format(name="Command")
    .replace("@tracked", "@required_preceding_script(b)\n    @tracked")
    .replace("import tracked", "import required_preceding_script, tracked")
    .replace("class", "from . import b\nclass"),
    "from shop.base import Base as Command\n",
    INHERITED,
    "from shop.management.commands.c import Command\n",
    "from .d import *\n",
    "from .a import Command as Base\nclass Command(Base): help = 'of a'\n",
    "@tracked_script\n",
    "x = (\n",
]


@pytest.mark.usefixtures("trust")
@pytest.mark.parametrize("seed", range(2 if IS_SAMPLE else 6))
def test_each_of_several_edits_is_noticed(seed: int, shop: Path) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same edits every time
    commands = shop / "shop/management/commands"
    for step in range(30):
        for _ in range(chance.choice([1, 1, 1, 2, 5])):
            path = chance.choice([commands / f"{name}.py" for name in "abcd"] + [shop / "shop/base.py"])
            if chance.random() < 0.1:
                path.unlink(missing_ok=True)
            else:
                # A new file in its place: the clock of a file system is too coarse for so many writes.
                (shop / "new").write_text(chance.choice(VARIANTS))
                (shop / "new").replace(path)
        assert index_of(shop, Cache(str(shop))) == index_of(shop), f"step {step}"


def _commands_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    read = _reads(monkeypatch)
    index_of(root, Cache(str(root)))
    return sorted({os.path.basename(path) for path in read})


@pytest.mark.usefixtures("settled")
def test_only_changed_files_are_analysed_if_nothing_depends_on_them(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index_of(shop, Cache(str(shop)))
    writing("shop/management/commands/own.py", TRACKED.format(name="Command") + "x = 1\n")(shop)
    assert _commands_read(shop, monkeypatch) == ["own.py"]


@pytest.mark.usefixtures("settled")
def test_everything_is_analysed_if_something_depends_on_a_changed_file(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing(
        "shop/management/commands/child.py", "from .own import Command as Base\nclass Command(Base): pass\n"
    )(shop)
    index_of(shop, Cache(str(shop)))
    writing("shop/management/commands/own.py", "class Command: pass\n")(shop)
    assert {"child.py", "inherits.py", "other.py", "own.py"} <= set(_commands_read(shop, monkeypatch))


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"ignored_files": ("own.py",)}, id="an ignored file"),
        pytest.param({"ignored_prefixes": ("inh",)}, id="an ignored prefix"),
        pytest.param({"import_roots": ("elsewhere",)}, id="another folder to import from"),
    ],
)
def test_other_options_have_an_index_of_their_own(options: dict[str, Any], shop: Path) -> None:
    index_of(shop, Cache(str(shop)))
    (shop / "elsewhere" / "shop").mkdir(parents=True)
    if "import_roots" in options:
        options = {"import_roots": (str(shop / "elsewhere"),)}
    assert index_of(shop, Cache(str(shop)), **options) == index_of(shop, **options)


@some_cases()
def test_every_case_is_remembered_as_it_was(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.build(tmp_path)
    fresh = index_of(tmp_path, Cache(str(tmp_path)))
    has_broken = any(finding.code == "ST000" for finding in fresh.findings)
    if not has_broken:
        monkeypatch.setattr(linker, "Linker", None)
    assert index_of(tmp_path, Cache(str(tmp_path))) == fresh


@pytest.mark.parametrize(
    "content", ["", "null", "[]", "{}", "[1, 2, 3, 4]", '["", [], {}, {}]\t[[[]], []]\t[{}, {}, []]']
)
def test_a_damaged_index_is_ignored(content: str, tmp_path: Path) -> None:
    cache = Cache(str(tmp_path))
    cache.put_index("key", content)
    cache.save()
    cached = CachedIndex(cache, "key", [], reading.now())
    assert (cached.index, cached.inputs) == (None, None)


def test_an_unreadable_file_is_read_every_time(shop: Path) -> None:
    (shop / "shop" / "plain.py").mkdir()
    os.symlink("nowhere", shop / "shop/management/commands/dangling.py")
    cache = Cache(str(shop))
    index_of(shop, cache)
    (shop / "shop/management/commands/dangling.py").unlink()
    assert index_of(shop, Cache(str(shop))) == index_of(shop)


def _same_size_and_time(path: Path) -> None:
    """What an edit looks like that hides as well as it can."""
    found = path.stat()
    path.write_text(path.read_text().replace("handle", "handel"))
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (found.st_size, found.st_mtime_ns)


@pytest.mark.usefixtures("trust")
@pytest.mark.parametrize("name", ["shop/management/commands/own.py", "shop/base.py"])
def test_an_edit_that_keeps_size_and_time_is_noticed(name: str, shop: Path) -> None:
    before = index_of(shop, Cache(str(shop)))
    # The clock of a file system goes in steps.
    while (shop / name).stat().st_ctime_ns == _touched(shop):
        pass
    _same_size_and_time(shop / name)
    after = index_of(shop, Cache(str(shop)))
    assert after == index_of(shop) != before


def _touched(root: Path) -> int:
    (root / "clock").touch()
    return (root / "clock").stat().st_ctime_ns


@pytest.mark.usefixtures("settled")
def test_files_that_were_not_touched_are_not_read_again(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = index_of(shop, Cache(str(shop)))
    monkeypatch.setattr(reading, "read_bytes", None)
    assert index_of(shop, Cache(str(shop))) == before


def _reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are read from now on."""
    read: list[str] = []
    real = reading.read_bytes

    def hook(path: str) -> bytes:
        read.append(path)
        return real(path)

    monkeypatch.setattr(reading, "read_bytes", hook)
    return read


def test_a_recently_written_file_is_read_again(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = (shop / "shop/management/commands/other.py").stat().st_mtime_ns
    monkeypatch.setattr(reading, "now", lambda: written)
    before = index_of(shop, Cache(str(shop)))
    read = _reads(monkeypatch)
    assert index_of(shop, Cache(str(shop))) == before
    assert len(read) == 4, "three commands and the module of a base class"


def test_a_file_that_was_read_again_and_is_unchanged_is_trusted(
    shop: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    before = index_of(shop, Cache(str(shop)))
    request.getfixturevalue("settled")
    (shop / "shop/base.py").touch()
    assert index_of(shop, Cache(str(shop))) == before
    monkeypatch.setattr(reading, "read_bytes", None)
    assert index_of(shop, Cache(str(shop))) == before


@pytest.mark.usefixtures("settled")
def test_times_in_the_future_are_not_trusted(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = reading.now() + 10**12
    os.utime(shop / "shop/base.py", ns=(ahead, ahead))
    before = index_of(shop, Cache(str(shop)))
    monkeypatch.setattr(linker, "Linker", None)
    read = _reads(monkeypatch)
    assert index_of(shop, Cache(str(shop))) == before
    assert read


@pytest.mark.usefixtures("trust")
def test_two_apps_may_share_a_folder_of_commands(shop: Path) -> None:
    path = str(shop / "shop/management/commands")
    dirs = [CommandsDir(label, f"{label}.management.commands", path) for label in ("a", "b")]

    def index(cache: Cache | None) -> ProjectIndex:
        found = analyse(dirs, root=str(shop), cache=cache)
        if cache:
            cache.save()
        return found

    assert {str(one.id) for one in index(None).definitions} >= {"a.own", "b.own"}
    for _ in range(2):
        assert index(Cache(str(shop))) == index(None)
        writing("shop/management/commands/own.py", TRACKED.format(name="Command") + "x = 1\n")(shop)
