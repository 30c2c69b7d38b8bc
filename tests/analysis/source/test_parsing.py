from __future__ import annotations

import threading

import pytest

from scripts_tracker.analysis.fingerprint import fingerprint
from scripts_tracker.analysis.source import limits
from scripts_tracker.analysis.source.parsing import parse
from scripts_tracker.exceptions import UnreadableSource
from tests.analysis.hostile.limited import Limited
from tests.conftest import sampled

REFUSED = {
    "nested parentheses": "'(' * 5000 + ')' * 5000",
    "201 nested brackets": "'[' * 201 + ']' * 201",
    "brackets that never close": "'f(' * 100000",
    "nested dictionaries": "'{1:' * 300 + '1' + '}' * 300",
    "nested lambdas": "'(lambda: ' * 1000 + '1' + ')' * 1000",
    "a chain of lambdas": "'lambda: ' * 100000 + '1'",
    "a chain of sums": "'1+' * 100000 + '1'",
    "a chain of powers": "'1**' * 50000 + '1'",
    "a chain of and": "'1 and ' * 100000 + '1'",
    "a chain of not": "'not ' * 100000 + '1'",
    "a chain of minus": "'-' * 100000 + '1'",
    "a chain of attributes": "'a' + '.a' * 100000",
    "a chain of calls": "'a' + '()' * 50000",
    "a chain of method calls": "'a' + '.a()' * 50000",
    "a chain of subscripts": "'a' + '[1]' * 50000",
    "a chain of comparisons": "'1<' * 300000 + '1'",
    "a chain of conditions": "'1 if a else ' * 50000 + '1'",
    "a chain of elif": "'if a: pass\\n' + 'elif a: pass\\n' * 50000",
    "a chain of strings": "'\"a\" ' * 100000",
    "a chain of f-strings": "'f\"a\" ' * 100000",
    "a chain of assignments": "'x=' * 300000 + '1'",
    "a dotted import": "'import ' + 'a.' * 100000 + 'a'",
    "nested patterns": "'match x:\\n case ' + '[' * 50 + 'a' + ']' * 50 + ': pass'",
    "nested mapping patterns": "'match x:\\n case ' + '{1:' * 20 + 'a' + '}' * 20 + ': pass'",
    "nested class patterns": "'match x:\\n case ' + 'A(b=' * 30 + 'a' + ')' * 30 + ': pass'",
    "a nested del that is wrong": "'del ' + '(' * 40 + 'a 1' + ')' * 40",
    "deep brackets over and over": "('[' * 190 + ']' * 190 + '\\n') * 2000",
    "deep calls over and over": "('f(a, *b, c=1, **d, e=' * 45 + '1' + ')' * 45 + '\\n') * 400",
    "nested formatted strings": "'f\"{' * 250 + '1' + '}\"' * 250",
    "brackets hidden in a formatted string": "'f\"{ \"a\"' + '(' * 5000 + '\"b\" }\"'",
    "brackets hidden after a nested quote": "'f\"{x[\"a\"]' + '[' * 5000 + ']' * 5000 + '}\"'",
    "brackets hidden behind a quote in a nested specification": "'f\"{x:{y:\\'}}\" + ' + '(' * 5000 + ')' * 5000 + ' + f\"{x:{y:\\'}}\"'",
    "brackets in a format specification": "'f\"{x:{' + '(' * 5000 + '1' + ')' * 5000 + '}}\"'",
    "indentation of 150 levels": "''.join(' ' * n + 'if a:\\n' for n in range(150)) + ' ' * 150 + 'pass'",
    "a mebibyte of names": "'a;' * 500000",
    "a mebibyte of commas": "'x=[' + 'a,' * 500000 + ']'",
    "ten mebibytes": "'x = 1\\n' * 1800000",
}
READ = {
    "an empty file": "''",
    "only comments": "'# a\\n# b\\n'",
    "form feeds": "'\\x0cx = 1\\n\\x0c\\nif a:\\n    b\\n'",
    "a long string": "'x = \"' + 'a(' * 500000 + '\"'",
    "a long comment": "'#' + '(' * 1000000",
    "brackets in strings": "'x = \"\"\"' + '[' * 100000 + '\"\"\"\\n' + 'y = f\"((((((((((((((((((((((({a}\"\\n'",
    "100 nested brackets": "'[' * 100 + ']' * 100",
    "50 levels of indentation": "''.join(' ' * n + 'if a:\\n' for n in range(50)) + ' ' * 50 + 'pass'",
    "500 elif": "'if a: pass\\n' + 'elif a: pass\\n' * 500",
    "300 chained calls": "'a' + '.b(c)' * 300",
    "500 added strings": "'x = ' + '\"a\" + ' * 500 + '\"b\"'",
    "500 concatenated strings": "'x = (' + '\"a\"\\n' * 500 + ')'",
    "a table of 500 rows": "'x = [\\n' + '    (\"a\", 1, -2.5, f(b)),\\n' * 500 + ']'",
    "a table of 5000 rows": "'x = [\\n' + '    (\"a\", 1, -2.5, f(b)),\\n' * 5000 + ']'",
    "patterns of six levels": "'match x:\\n case ' + '[{1: A(' * 2 + 'a' + ')}]' * 2 + ': pass'",
    "many spaces": "'x = 1' + ' ' * 1000000",
    "many blank lines": "'\\n' * 100000",
}


@pytest.mark.parametrize("expression", REFUSED.values(), ids=REFUSED)
def test_sources_that_would_break_the_parser_are_refused(expression: str, limited: Limited) -> None:
    answer = limited.read(eval(expression).encode())  # noqa: S307 - our own expressions
    assert answer.crash == ""
    assert answer.reason != ""


@pytest.mark.parametrize("expression", sampled(READ, READ.keys() - {"a table of 5000 rows"}))
def test_unusual_sources_are_read(expression: str) -> None:
    source = eval(expression).encode()  # noqa: S307 - our own expressions
    assert str(fingerprint(source)).startswith("st1:")


WRONG = {
    "a NUL byte": (b"x = 1\ny = '\0'\n", 2, 6, "NUL"),
    "UTF-16": ("x = 1\n".encode("utf-16"), 1, 1, "UTF-16"),
    "UTF-16 without a mark": ("x = 1\n".encode("utf-16-le"), 1, 2, "NUL"),
    "a byte that is no UTF-8": (b"x = 1\n\n\ny = '\xe9'\n", 4, 6, "0xe9"),
    "a byte that is no UTF-8 in the first line": (b"x = '\xe9'\n", 1, 6, "0xe9"),
    "half a surrogate pair": (b"x = '\xed\xa0\x80'\n", 1, 6, "0xed"),
    "an unknown encoding": (b"#!/usr/bin/python\n# coding: klingon\n", 2, 1, "encoding"),
    "an encoding that is none for text": (b"# coding: rot13\nx = 1\n", 1, 1, "encoding"),
    "an encoding of bytes": (b"# coding: hex\nx = 1\n", 1, 1, "encoding"),
    "an encoding that executes escapes": (b"# coding: unicode_escape\nx = 1\n", 1, 1, "encoding"),
    "a declaration that contradicts the mark": (b"\xef\xbb\xbf# coding: latin-1\nx = 1\n", 1, 1, "encoding"),
    "a declaration that lies": (b"# coding: ascii\nx = 1\ny = '\xc3\xa9'\n", 3, 6, "ascii"),
    "a string that never ends": (b"x = 1\ny = 'abc\n", 2, 5, "string"),
    "a bracket that never closes": (b"x = (1,\ny = 2\n", 2, 1, ""),
    "a wrong word": (b"x = 1\nif a:\n    b c\n", 3, 7, "syntax"),
    "tabs mixed with spaces": (b"if a:\n\tb\n        c\n", 3, 9, "tabs"),
    "an octal of Python 2": (b"y = 1\nx = 0777\n", 2, 6, "zeros"),
    "a formatted string that never ends": (b"x = 1\ny = f'{a}b\n", 2, 5, "string"),
    "a character that is none": (b"x = 1\ny = ?\n", 2, 5, "not a valid character"),
    "a bracket too many": (b'x = """\n"""\ny = 1)\n', 3, 6, "unmatched"),
    "a second byte order mark": (b"\xef\xbb\xbf\xef\xbb\xbfx = 1\n", 1, 1, "mark"),
    "a print statement": (b"print 'a'\n", 1, 9, "syntax"),
}


@pytest.mark.parametrize(("source", "line", "column", "word"), WRONG.values(), ids=WRONG)
def test_a_refusal_names_place_and_reason(source: bytes, line: int, column: int, word: str) -> None:
    with pytest.raises(UnreadableSource) as caught:
        parse(source)
    assert word in caught.value.reason
    assert not caught.value.reason.endswith(".")
    assert caught.value.line == line
    if word != "":
        assert caught.value.column == column


def test_a_limit_names_the_place_where_it_is_passed() -> None:
    with pytest.raises(UnreadableSource) as caught:
        parse(b"x = 1\ny = " + b"(" * 300 + b")" * 300)
    assert (caught.value.line, caught.value.column) == (2, 5 + limits.MAX_BRACKETS)


def test_the_text_has_no_mark_and_only_line_feeds() -> None:
    assert parse(b"\xef\xbb\xbfx = 1\r\ny = 2\rz = 3\n").text == "x = 1\ny = 2\nz = 3\n"


def test_parsing_leaves_the_stack_size_of_other_threads_alone() -> None:
    before = threading.stack_size()
    parse(b"x = 1\n")
    assert threading.stack_size() == before
