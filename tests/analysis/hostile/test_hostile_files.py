"""Hostile files beside a healthy script: the process lives, the file is named, and nothing else is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.analysis.hostile import generator as hostile_generator
from tests.analysis.hostile.limited import CPU_SECONDS, MEBIBYTES, Answer, Limited
from tests.analysis.hostile.projects import PROJECTS, SIZE, UNMARKED
from tests.analysis.hostile.shapes import HERE, LATER, SHAPES, TRACKED, Hostile
from tests.analysis.hostile.texts import TEXTS
from tests.conftest import IS_SAMPLE
from tests.switches import FULL, at_length

CASES = {**SHAPES, **TEXTS}
COMMANDS = Path("shop", "management", "commands")
EVERY = 2 if IS_SAMPLE else 1
GENERATED = at_length(300, sample=15)
"""In each of four parts."""


def _survived(answer: Answer) -> None:
    assert answer.crash == ""
    assert answer.cpu < CPU_SECONDS
    assert answer.mebibytes < MEBIBYTES


def _write(root: Path, path: Path, source: bytes) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(source)


# By make test every second one; all of them at full length, and by tox.
@pytest.mark.parametrize("case", list(CASES.values())[::EVERY], ids=list(CASES)[::EVERY])
def test_a_hostile_file_is_read_or_reported_and_hides_nothing(
    case: Hostile, limited: Limited, tmp_path: Path
) -> None:
    _write(tmp_path, COMMANDS / "good.py", TRACKED.encode())
    _write(tmp_path, COMMANDS / "bad.py", case.source())
    answer = limited.analyse(tmp_path)
    _survived(answer)
    assert answer.definitions["shop.good"].startswith("st1:")
    if case.line is None:
        assert answer.findings == []
        return
    ((path, line, column, code, message, hint),) = answer.findings
    assert (path, code) == ((COMMANDS / "bad.py").as_posix(), case.code)
    assert line == case.line or (case.line == LATER and line >= HERE)
    assert column >= 1
    assert case.reason in message
    assert "\n" not in message + hint
    assert hint
    if case.code == "ST000":
        assert answer.definitions["shop.bad"] == ""


@pytest.mark.parametrize("name", list(CASES)[:: 1 if FULL else 12])
def test_the_lint_survives_a_hostile_file(name: str, limited: Limited, tmp_path: Path) -> None:
    case = CASES[name]
    _write(tmp_path, COMMANDS / "good.py", TRACKED.encode())
    _write(tmp_path, COMMANDS / "bad.py", case.source())
    answer = limited.lint(tmp_path)
    _survived(answer)
    assert answer.definitions["shop.good"].startswith("st1:")
    if case.code == "ST000" and case.line is not None:
        assert [one[3] for one in answer.findings if one[0].endswith("bad.py")] == ["ST000"]


@pytest.mark.parametrize("name", list(CASES)[:: 1 if FULL else 15])
def test_a_hostile_base_class_is_reported_and_hides_nothing(
    name: str, limited: Limited, tmp_path: Path
) -> None:
    case = CASES[name]
    _write(tmp_path, COMMANDS / "good.py", TRACKED.encode())
    _write(
        tmp_path, COMMANDS / "bad.py", b"from shop.base import Command as Base\nclass Command(Base): pass\n"
    )
    _write(tmp_path, Path("shop/base.py"), case.source())
    answer = limited.analyse(tmp_path)
    _survived(answer)
    assert answer.definitions["shop.good"].startswith("st1:")
    if case.line is not None and case.code == "ST000":
        ((path, line, *_),) = answer.findings
        assert (path, answer.definitions["shop.bad"]) == ("shop/base.py", "")
        assert line == case.line or (case.line == LATER and line >= HERE)


@pytest.mark.parametrize("piece", UNMARKED.values(), ids=UNMARKED)
def test_a_file_without_the_marker_is_searched_fast(piece: str, limited: Limited, tmp_path: Path) -> None:
    source = (piece * (SIZE // len(piece))).encode("utf-8", "surrogateescape")
    _write(tmp_path, COMMANDS / "good.py", TRACKED.encode())
    _write(tmp_path, COMMANDS / "bad.py", source)
    answer = limited.analyse(tmp_path)
    _survived(answer)
    assert answer.definitions["shop.good"].startswith("st1:")


@pytest.mark.parametrize("files", PROJECTS.values(), ids=PROJECTS)
def test_hostile_links_between_files_come_to_an_end(
    files: dict[str, str], limited: Limited, tmp_path: Path
) -> None:
    _write(tmp_path, COMMANDS / "good.py", TRACKED.encode())
    for path, text in files.items():
        _write(tmp_path, Path(path), text.encode())
    answer = limited.analyse(tmp_path)
    _survived(answer)
    assert answer.definitions["shop.good"].startswith("st1:")


def test_every_hostile_file_contains_the_marker() -> None:
    for name, case in CASES.items():
        source = case.source()
        assert b"tracked_script" in source.replace(b"\0", b""), name


@pytest.mark.parametrize("part", range(4))
def test_no_generated_source_kills_or_hangs_the_parser(part: int, limited: Limited) -> None:
    read = 0
    for recipe in hostile_generator.sample(GENERATED, seed=part):
        answer = limited.read(recipe.text().encode())
        assert answer.crash == "", recipe
        assert answer.cpu < CPU_SECONDS, recipe
        assert answer.mebibytes < MEBIBYTES, recipe
        if answer.reason:
            assert min(answer.line, answer.column) >= 1, recipe
            assert "\n" not in answer.reason, recipe
        else:
            read += 1
    assert read >= GENERATED // 10, "a sample in which nothing is read shows nothing"
