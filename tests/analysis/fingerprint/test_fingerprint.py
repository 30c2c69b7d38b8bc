from __future__ import annotations

import importlib.metadata
import itertools
import json
import re
import sys
from pathlib import Path

import pytest

from scripts_tracker.analysis.fingerprint import fingerprint, fingerprint_parsed
from scripts_tracker.analysis.source.parsing import parse
from scripts_tracker.core.values import ALGORITHM
from scripts_tracker.exceptions import UnreadableSource
from tests.analysis import oracle

CASES = Path(__file__).parents[3] / "fixtures" / "fingerprint"
GOLDEN = CASES / "golden.json"
_NEEDS = re.compile(r"# (python|libcst): (\d+)\.(\d+)\n")
_LIBCST = tuple(int(part) for part in importlib.metadata.version("libcst").split(".")[:2])


class Case:
    """One file of variants: a sentence, perhaps the oldest Python that can judge or libcst that can read, the sources."""

    def __init__(self, path: Path) -> None:
        first, _, rest = path.read_text(encoding="utf-8").partition("\n")
        self.name = f"{path.parent.name}: {first.removeprefix('# ')}"
        needs = _NEEDS.match(rest)
        least = (int(needs[2]), int(needs[3])) if needs else (0, 0)
        self.judged = needs is None or needs[1] != "python" or sys.version_info >= least
        self.readable = self.judged and (needs is None or needs[1] != "libcst" or least <= _LIBCST)
        body = rest[needs.end() :] if needs else rest
        self.variants = body.split("# ===\n")

    @property
    def digests(self) -> list[str]:
        digests = []
        for variant in self.variants:
            try:
                digests.append(str(fingerprint(variant.encode())))
            except UnreadableSource as error:
                # A libcst that is older than the syntax may say so; the newest may not.
                if self.readable:
                    raise
                digests.append(f"unreadable: {error.reason}")
        return digests


EQUAL = [Case(path) for path in sorted(CASES.glob("equal/*.py"))]
DIFFERENT = [Case(path) for path in sorted(CASES.glob("different/*.py"))]


@pytest.mark.parametrize("case", DIFFERENT, ids=lambda case: case.name)
def test_sources_that_differ_in_meaning_have_different_fingerprints(case: Case) -> None:
    known = [digest for digest in case.digests if digest.startswith(ALGORITHM)]
    assert len(set(known)) == len(known)


@pytest.mark.parametrize("case", EQUAL, ids=lambda case: case.name)
def test_sources_that_differ_in_layout_have_one_fingerprint(case: Case) -> None:
    known = {digest for digest in case.digests if digest.startswith(ALGORITHM)}
    if not known and not case.readable:
        pytest.skip("newer than this libcst or this Python")
    assert len(known) == 1


@pytest.mark.parametrize(
    "case", [case for case in EQUAL + DIFFERENT if case.judged], ids=lambda case: case.name
)
def test_the_oracle_agrees_with_the_case(case: Case) -> None:
    for one, other in itertools.combinations(case.variants, 2):
        assert (oracle.normal_form(one) == oracle.normal_form(other)) == case.name.startswith("equal")


def test_the_golden_digests_are_those_of_this_algorithm() -> None:
    expected = json.loads(GOLDEN.read_text(encoding="utf-8"))
    actual = golden()
    changed = sorted(
        name for name in expected.keys() & actual.keys() if not _same(expected[name], actual[name])
    )
    missing = sorted(actual.keys() - expected.keys())
    assert not changed, (
        f"fingerprints changed for {changed}. Every ledger holds digests of algorithm {ALGORITHM!r}: a change makes "
        "untouched scripts 'modified'. Fix the code; if the change is meant, give ALGORITHM a new name "
        "first, then run `python -m tests.analysis.fingerprint.test_fingerprint`."
    )
    assert not missing, (
        f"new cases {missing}: run `python -m tests.analysis.fingerprint.test_fingerprint` to add their digests"
    )


def _same(expected: list[str], actual: list[str]) -> bool:
    return len(expected) == len(actual) and all(
        one == other or other.startswith("unreadable") for one, other in zip(expected, actual, strict=True)
    )


def golden() -> dict[str, list[str]]:
    return {case.name: case.digests for case in EQUAL + DIFFERENT}


def test_ci_runs_the_oldest_libcst_that_is_promised() -> None:
    project = (Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8")
    assert re.findall(r'"libcst==([\d.]+)"', project) == re.findall(r'"libcst>=([\d.]+)"', project)


def test_a_fingerprint_names_its_algorithm() -> None:
    assert re.fullmatch(r"st1:[0-9a-f]{64}", str(fingerprint(b"x = 1\n")))


def test_a_parsed_source_has_the_fingerprint_of_its_bytes() -> None:
    source = b"import os\n\n\ndef f(a):\n    return os.path.join(a, f'{a!r}')\n"
    assert fingerprint_parsed(parse(source)) == fingerprint(source)


BYTES = {
    "a byte order mark": b"\xef\xbb\xbfx = 'a\\n'\n",
    "CRLF line ends": b"x = 'a\\n'\r\n",
    "CR line ends": b"# note\rx = 'a\\n'\r",
    "no line end at the end": b"x = 'a\\n'",
    "a declared encoding": b"# coding: latin-1\nx = 'a\\n'\n",
    "a mark and a declaration": b"\xef\xbb\xbf# coding: utf-8\nx = 'a\\n'\n",
    "a line end in a string": b"x = '''a\r\n'''\r\n",
    "a lone CR in a string": b"x = '''a\r'''\r",
}


@pytest.mark.parametrize("source", BYTES.values(), ids=BYTES)
def test_how_the_text_is_stored_does_not_count(source: bytes) -> None:
    assert fingerprint(source) == fingerprint(b"x = 'a\\n'\n")


def test_text_in_another_encoding_is_its_text() -> None:
    assert fingerprint("# coding: cp1252\nx = '€'\n".encode("cp1252")) == fingerprint("x = '€'\n".encode())


def test_line_ends_in_formatted_strings_are_normalised() -> None:
    assert fingerprint(b"x = f'''a\r\n{b:\r\n}'''\r\n") == fingerprint(b"x = f'''a\n{b:\n}'''\n")


UNREADABLE = {
    "a cut escape": (b"x = 1\ny = '\\x4'\n", 2, 5),
    "a cut character name": (b"x = '\\N'\n", 1, 5),
    "bytes beyond ASCII": ("x = b'é'\n".encode(), 1, 5),
    "text joined to bytes": (b"x = f'{a}' b'b'\n", 1, 1),
    "an escape beyond Unicode": (b"x = '\\U00110000'\n", 1, 5),
    "a decimal too long for CPython": (b"x = " + b"1" * 4301 + b"\n", 1, 5),
}


@pytest.mark.parametrize(("source", "line", "column"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cpython_refuses_is_unreadable_with_its_place(source: bytes, line: int, column: int) -> None:
    with pytest.raises(UnreadableSource) as caught:
        fingerprint(source)
    assert (caught.value.line, caught.value.column) == (line, column)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(golden(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
