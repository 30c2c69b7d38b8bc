"""Hostile files by their bytes and words: encodings, layout, what never ends, and what only one parser takes."""

from __future__ import annotations

import codecs
from collections.abc import Callable

import libcst as cst

from tests.analysis.hostile.shapes import HERE, TRACKED, Hostile


def _bytes(source: bytes) -> Callable[[], bytes]:
    return lambda: source


def _refused(source: bytes | str, line: int, reason: str) -> Hostile:
    return Hostile(_bytes(source if isinstance(source, bytes) else source.encode()), line, reason)


def _read(source: bytes | str) -> Hostile:
    return Hostile(_bytes(source if isinstance(source, bytes) else source.encode()))


def _after(text: str | bytes, line: int | None = None, reason: str = "") -> Hostile:
    source = TRACKED.encode() + (text.encode() if isinstance(text, str) else text)
    return Hostile(_bytes(source), None if line is None else HERE + line, reason)


def _cookie(name: str, rest: bytes = b"") -> bytes:
    return f"# coding: {name}\n{TRACKED}".encode() + rest


def _newer(text: str, line: int) -> Hostile:
    """What newer releases of libcst read, and older ones refuse on that line."""
    try:
        cst.parse_module(text)
    except cst.ParserSyntaxError:
        return _after(text, line, "syntax")
    return _after(text)


ENCODINGS = {
    "a NUL byte": _after(b"x = '\0'\n", 0, "NUL"),
    "a NUL byte in a comment": _after(b"y = 1\n# \0\n", 1, "NUL"),
    "a NUL byte at the end": _after(b"\0", 0, "NUL"),
    "only NUL bytes": _refused(TRACKED.encode() + b"\0" * 10_000, HERE, "NUL"),
    "a byte that is no UTF-8": _after(b"x = '\xff'\n", 0, "0xff"),
    "Latin-1 without a declaration": _after("x = 'é'\n".encode("latin-1"), 0, "0xe9"),
    "a cut UTF-8 sequence": _after(b"# \xf0\x9f\x98", 0, "0xf0"),
    "an overlong UTF-8 sequence": _after(b"# \xc0\xaf\n", 0, "0xc0"),
    "UTF-8 beyond Unicode": _after(b"# \xf5\x80\x80\x80\n", 0, "0xf5"),
    "half a surrogate pair": _after(b"x = '\xed\xa0\x80'\n", 0, "0xed"),
    "a surrogate pair in UTF-8": _after(b"x = '\xed\xa0\xbd\xed\xb8\x80'\n", 0, "0xed"),
    "UTF-16 with a mark": _refused(TRACKED.encode("utf-16"), 1, "NUL"),
    "UTF-16 without a mark": _refused(TRACKED.encode("utf-16-le"), 1, "NUL"),
    "UTF-16 of the other order": _refused(codecs.BOM_UTF16_BE + TRACKED.encode("utf-16-be"), 1, "NUL"),
    "UTF-32": _refused(TRACKED.encode("utf-32"), 1, "NUL"),
    "a mark of UTF-16 before ASCII": _refused(codecs.BOM_UTF16_LE + TRACKED.encode(), 1, "UTF-16"),
    "two marks of UTF-8": _refused(codecs.BOM_UTF8 * 2 + TRACKED.encode(), 1, "second byte order mark"),
    "a mark in the middle": _after("x = \ufeff1\n", 0, ""),
    "an unknown encoding": _refused(_cookie("klingon"), 1, "unknown"),
    "an encoding with an absurd name": _refused(_cookie("a" * 10_000), 1, "unknown"),
    "an encoding that is a path": _refused(_cookie("../../etc/passwd"), 1, ""),
    "an encoding that is a module": _refused(_cookie("json"), 1, "unknown"),
    "an encoding that is none for text": _refused(_cookie("rot13"), 1, "not an encoding for source code"),
    "an encoding of bytes": _refused(_cookie("zlib"), 1, "not an encoding for source code"),
    "an encoding that runs escapes": _refused(
        _cookie("unicode_escape"), 1, "not an encoding for source code"
    ),
    "UTF-7": _refused(_cookie("utf-7"), 1, "not an encoding for source code"),
    "a declaration of UTF-16 that lies": _refused(_cookie("utf-16"), 1, ""),
    "a declaration of ASCII that lies": _refused(_cookie("ascii", "x = 'é'\n".encode()), HERE + 1, "ascii"),
    "a declaration of UTF-8 that lies": _refused(_cookie("utf-8", b"x = '\xe9'\n"), HERE + 1, "0xe9"),
    "a declaration of Japanese that lies": _refused(_cookie("euc-jp", b"x = '\xff'\n"), HERE + 1, "euc"),
    "a declaration that contradicts the mark": _refused(
        codecs.BOM_UTF8 + _cookie("latin-1"), 1, "contradicts"
    ),
    "a declaration on the second line": _refused(b"#!python\n" + _cookie("klingon"), 2, "unknown"),
    "a declaration on the third line": _read(b"#\n#\n" + _cookie("klingon")),
    "a declaration of Latin-1": _read(_cookie("latin-1", b"x = '\xe9'\n")),
    "a declaration of EBCDIC over ASCII": _refused(_cookie("cp037"), 1, ""),
    "a mark of UTF-8": _read(codecs.BOM_UTF8 + TRACKED.encode()),
    "names in many scripts": _after("变量 = \uff46\uff4f\uff4f = '\u017f'\n"),
    "marks of direction": _after("# \u202e\u2066 tracked\nx = '\u202e'\n"),
    "blanks that are none to Python": _after("x =\u00a01\n", 0, ""),
    "an invisible character in a name": _after("a\u200bb = 1\n", 0, ""),
}

LAYOUTS = {
    "CR line ends": _read(TRACKED.replace("\n", "\r")),
    "CRLF line ends": _read(TRACKED.replace("\n", "\r\n")),
    "mixed line ends": _read(
        TRACKED.replace("\n", "\r\n", 1).replace("\n", "\r", 2) + "x = 1\n\r\r\ny = 2\n"
    ),
    "CR within a string": _after(b"x = '''a\rb\r\nc'''\n"),
    "CR after a backslash": _after(b"x = 1 + \\\r2\n"),
    "no line end at the end": _after("x = 1"),
    "form feeds between statements": _after("\fx = 1\n\f\ny = 2\f\n"),
    "form feeds before indentation": _after("if a:\n\f    b\n"),
    "form feeds within indentation": _after("if a:\n    b\n  \f  c\n", 2, ""),
    "form feeds as indentation": _after("if a:\n\fb\n", 1, "syntax"),
    "vertical tabs": _after("x = 1\v\n", 0, ""),
    "tabs mixed with spaces": _after("if a:\n\tb\n        c\n", 2, "tabs"),
    "tabs after spaces": _after("if a:\n    b\n\tc\n", 2, "tabs"),
    "tabs alone": _after("if a:\n\tb\n\tif c:\n\t\td\n"),
    "a dedent that fits nowhere": _after("if a:\n    b\n  c\n", 2, "dedent"),
    "an unexpected indentation": _after("  x = 1\n", 0, ""),
    "a lone backslash line first": _read("\\\n" + TRACKED),
    "a lone backslash line and indentation": _after("  \\\nx = 1\n"),
    "a backslash at the end": _after("x = 1 \\", 0, ""),
    "a backslash before a blank": _after("x = 1 \\ \n+ 2\n", 0, ""),
    "backslashes over and over": _after("x = 1" + " \\\n" * 10_000 + "\n"),
    "a line of separators": _after("x = '\u2028\u2029\x85'\n"),
    "a control character": _after("x = 1\x1a\n", 0, ""),
    "an escape sequence of terminals": _after("\x1b[31m\n", 0, ""),
    "deep indentation of one block": _after("if a:\n" + " " * 100_000 + "b\n"),
}

UNFINISHED = {
    "a string": _after("x = 'abc\n", 0, "string"),
    "a tripled string": _after('x = """abc\n' + "y\n" * 100, 0, "string"),
    "a string that ends in a backslash": _after("x = 'abc\\", 0, ""),
    "a formatted string": _after("x = f'abc {a}\n", 0, ""),
    "a field": _after("x = f'{a'\n", 0, ""),
    "an empty field": _after("x = f'{}'\n", 0, ""),
    "a lone brace": _after("x = f'}'\n", 0, ""),
    "a field with a wrong conversion": _after("x = f'{a!}'\n", 0, ""),
    "a nested field": _after("x = f'{a:{b'\n", 0, ""),
    "a tripled formatted string": _after('x = f"""{a}\n' + "y\n" * 100, 0, ""),
    "a bracket": _after("x = (1,\ny = 2\n", 1, ""),
    "a bracket at the end": _after("x = (1,\n", 0, ""),
    "brackets that do not match": _after("x = (1]\n", 0, ""),
    "a bracket too many": _after("x = 1)\n", 0, ""),
    "a function": _after("def f(", 0, ""),
    "a block": _after("if a:\n", 0, "syntax"),
    "a decorator": _after("@tracked_script\n", 0, "syntax"),
    "a class": _after("class", 0, ""),
    "an expression": _after("x = 1 +\n", 0, ""),
    "a bad escape": _after("x = '\\x1'\n", 0, "escape"),
    "a bad escape of bytes": _after("x = b'\\xg0'\n", 0, "escape"),
    "a bad character name": _after("x = '\\N{}'\n", 0, "name"),
    "a bad character": _after("x = '\\U00110000'\n", 0, "escape"),
    "bytes with letters": _after("x = b'é'\n", 0, "bytes"),
    "a merge conflict": _after("<<<<<<< HEAD\nx = 1\n=======\nx = 2\n>>>>>>> other\n", 0, ""),
}

# What CPython takes and libcst 1.9 does not is still a script: a finding, never silence.
ONLY_CPYTHON = {
    "a starred base after a keyword": _after("class A(a=1, *b): pass\n"),
    "a backslash alone at the start of a block": _after("if a:\n    \\\n    b\n"),
    "a raw f-string over lines": _after('x = rf"a\\\nb"\n'),
}

NEWER = {
    "exceptions without parentheses": _newer("try: pass\nexcept A, B: pass\n", 1),
    "a template string": _newer("x = t'{a}'\n", 0),
    "a statement of Python 2": _after("print 'a'\n", 0, "syntax"),
    "an operator of Python 2": _after("x = 1 <> 2\n", 0, ""),
    "backquotes of Python 2": _after("x = `a`\n", 0, ""),
    "an octal of Python 2": _after("x = 0777\n", 0, "zeros"),
    "a syntax that does not exist": _after("switch a:\n    when 1: pass\n", 0, "syntax"),
    "an operator that does not exist": _after("x = a ?? b\n", 0, ""),
    "an increment": _after("x++\n", 0, ""),
    "a lazy import": _newer("lazy import json\n", 0),
    "a lazy import in a wrong place": _after("x = lazy import json\n", 0, "syntax"),
}

TEXTS = {
    **ENCODINGS,
    **LAYOUTS,
    **{f"unfinished: {name}": case for name, case in UNFINISHED.items()},
    **ONLY_CPYTHON,
    **NEWER,
}
