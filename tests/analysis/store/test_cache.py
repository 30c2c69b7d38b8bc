from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from scripts_tracker.analysis import ANALYSIS_VERSION
from scripts_tracker.analysis.facts.values import FileFacts
from scripts_tracker.analysis.store import cache
from scripts_tracker.analysis.store.cache import FOLDER, Cache
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
FACTS = FileFacts("st1:00", (1, 2), doc="a\n b", stars=("é\u2028",))


def _filled(root: Path) -> Cache:
    made = Cache(str(root))
    made.put_facts("a" * 64, FACTS)
    made.put_index("k" * 64, "an index")
    made.save()
    return Cache(str(root))


def _cut(content: bytes) -> bytes:
    return content[:-3]


def _flipped(content: bytes) -> bytes:
    return content[:-5] + bytes([content[-5] ^ 1]) + content[-4:]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(_cut, id="cut"),
        pytest.param(_flipped, id="one bit"),
        pytest.param(lambda _: b"", id="emptied"),
        pytest.param(lambda content: content + b"more\n", id="grown"),
        pytest.param(lambda content: content.replace(b"st1", b"st0"), id="of another algorithm"),
        pytest.param(lambda _: b"\xff\xfe\x00", id="binary"),
    ],
)
def test_a_damaged_cache_is_ignored(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    _filled(tmp_path)
    for path in (tmp_path / FOLDER).iterdir():
        path.write_bytes(damage(path.read_bytes()))
    found = Cache(str(tmp_path))
    assert found.facts("a" * 64) is None
    assert found.index("k" * 64) == ""
    found.put_facts("b" * 64, FACTS)
    found.save()
    assert Cache(str(tmp_path)).facts("b" * 64) == FACTS, "it is written anew"


def test_a_folder_in_its_place_is_no_error(tmp_path: Path) -> None:
    (tmp_path / FOLDER / "facts").mkdir(parents=True)
    assert _filled(tmp_path).facts("a" * 64) is None


def test_a_file_in_place_of_the_folder_is_no_error(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("in the way")
    assert _filled(tmp_path).facts("a" * 64) is None
    assert (tmp_path / FOLDER).read_text() == "in the way"


def test_a_missing_root_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert _filled(tmp_path / "file" / "below").facts("a" * 64) is None


@pytest.mark.skipif(AS_ROOT, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        assert _filled(tmp_path).facts("a" * 64) is None
    finally:
        tmp_path.chmod(0o700)


def test_a_stored_entry_is_found_by_the_next_process(tmp_path: Path) -> None:
    found = _filled(tmp_path)
    assert found.facts("a" * 64) == FACTS
    assert found.index("k" * 64) == "an index"
    assert found.index("k" * 16 + "j" * 48) == ""


def test_facts_of_another_analysis_version_are_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _filled(tmp_path)
    monkeypatch.setattr("scripts_tracker.analysis.facts.values.ANALYSIS_VERSION", ANALYSIS_VERSION + 1)
    assert found.facts("a" * 64) is None


def test_git_ignores_the_cache(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    _filled(tmp_path)
    status = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=all"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert status.stdout == b""


def test_nothing_is_written_if_nothing_is_new(tmp_path: Path) -> None:
    Cache(str(tmp_path)).save()
    assert not (tmp_path / FOLDER).exists()
    before = {path: path.stat().st_mtime_ns for path in _files(_filled(tmp_path), tmp_path)}
    again = Cache(str(tmp_path))
    assert again.facts("a" * 64)
    again.save()
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / FOLDER).iterdir()} == before


def _files(_: Cache, root: Path) -> list[Path]:
    return list((root / FOLDER).iterdir())


def test_two_processes_keep_what_both_found(tmp_path: Path) -> None:
    one, other = Cache(str(tmp_path)), Cache(str(tmp_path))
    assert one.facts("1") is other.facts("2") is None
    one.put_facts("1", FACTS)
    other.put_facts("2", FACTS)
    one.save()
    other.save()
    found = Cache(str(tmp_path))
    assert found.facts("1") == found.facts("2") == FACTS


WRITER = """
import sys
from scripts_tracker.analysis.store.cache import Cache
from scripts_tracker.analysis.facts.values import FileFacts
for number in range(40):
    cache = Cache(sys.argv[1])
    cache.put_facts(sys.argv[2] + str(number), FileFacts(None, doc="x" * 20000))
    cache.put_index("k" * 64, sys.argv[2] * 20000)
    cache.save()
    known = Cache(sys.argv[1])
    assert known.facts(sys.argv[2] + str(number)) or known.facts("a0") or known.facts("b0"), "damaged"
    assert known.index("k" * 64) in ("a" * 20000, "b" * 20000), "half of one and half of the other"
"""


def test_many_writes_of_two_processes_leave_no_damage(tmp_path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), name]) for name in "ab"]
    assert [writer.wait(timeout=PATIENCE) for writer in writers] == [0, 0]
    assert sorted(path.name.partition("-")[0] for path in (tmp_path / FOLDER).iterdir()) == [
        ".gitignore",
        "facts",
        "index",
    ]


def test_the_least_recently_used_entry_is_dropped_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "MAX_BYTES", 5 * (len(FACTS.to_text()) + len("facts a") + 2))
    for name in "abcdef":
        made = Cache(str(tmp_path))
        assert name == "a" or made.facts("a"), "asked for each time"
        made.put_facts(name, FACTS)
        made.save()
    found = Cache(str(tmp_path))
    assert [name for name in "abcdef" if found.facts(name)] == ["a", "c", "d", "e", "f"]


def test_a_half_written_file_of_a_killed_process_is_deleted_later(tmp_path: Path) -> None:
    _filled(tmp_path)
    for name, age in (("facts.dead.tmp", 7200), ("index-0.dead.tmp", 7200), ("facts.busy.tmp", 0)):
        (tmp_path / FOLDER / name).touch()
        os.utime(tmp_path / FOLDER / name, (time.time() - age,) * 2)
    _filled(tmp_path)
    assert [path.name for path in (tmp_path / FOLDER).iterdir() if path.suffix == ".tmp"] == [
        "facts.busy.tmp"
    ]


def test_a_limited_number_of_indexes_is_remembered(tmp_path: Path) -> None:
    for number in range(3 * cache.MAX_INDEXES):
        made = Cache(str(tmp_path))
        made.put_index(f"{number:064}"[::-1], "an index")
        made.save()
    names = [path.name for path in (tmp_path / FOLDER).iterdir() if path.name.startswith("index-")]
    assert len(names) == cache.MAX_INDEXES
