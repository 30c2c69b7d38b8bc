"""Variants that should keep the meaning: what formatters, editors and random rewrites make of a source."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import io
import os
import subprocess
import sysconfig
import tokenize
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.analysis import oracle
from tests.differential import rewrites

_LICENCE = b"# Copyright (c) the authors.\n#\n# Licensed under the MIT License; see LICENSE.\n\n"
_MARK = b"\xef\xbb\xbf"


class Refused(Exception):
    """The tool does not take the source."""


Work = Callable[[bytes, int], bytes]


@dataclass(frozen=True, slots=True)
class Layout:
    """A named way to lay a source out anew.

    ``largest`` keeps slow tools from large sources; ``exact`` is False where the tool itself changes some trees:
    autopep8 moves imports to the top, isort drops repeated ones, ``ast.unparse`` errs in rare places.
    """

    name: str
    work: Work
    needs: str = ""
    largest: int = 1 << 20
    exact: bool = True

    @property
    def available(self) -> bool:
        return not self.needs or importlib.util.find_spec(self.needs) is not None


def text_of(source: bytes) -> str:
    """The text of a source in UTF-8, as formatters read it."""
    try:
        text = source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused("not UTF-8") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _formatted(module: str, function: str, **options: Any) -> Work:
    def work(source: bytes, seed: int) -> bytes:
        text = text_of(source)
        try:
            result = getattr(importlib.import_module(module), function)(text, **options)
        except Refused:
            raise
        except Exception as error:  # each formatter fails in its own ways on what it does not know
            raise Refused(f"refused by {module.partition('.')[0]}: {type(error).__name__}") from error
        return str(result[0] if isinstance(result, tuple) else result).encode()

    return work


def _black(**options: Any) -> Work:
    def work(source: bytes, seed: int) -> bytes:
        mode = importlib.import_module("black").Mode(**options)
        return _formatted("black", "format_str", mode=mode)(source, seed)

    return work


def _ruff(*options: str) -> Work:
    program = os.path.join(sysconfig.get_path("scripts"), "ruff")
    command = [program, "format", "--isolated", "--no-cache", "--quiet", *options, "-"]

    def work(source: bytes, seed: int) -> bytes:
        done = subprocess.run(command, input=source, capture_output=True, check=False)
        if done.returncode:
            raise Refused("refused by ruff")
        return done.stdout

    return work


def _rewritten(rewrite: Callable[[str, Random], str]) -> Work:
    def work(source: bytes, seed: int) -> bytes:
        try:
            return rewrite(text_of(source), Random(seed)).encode()  # noqa: S311 - not cryptography
        except (SyntaxError, ValueError, tokenize.TokenError) as error:
            raise Refused(f"refused by Python's own tokenize or ast: {type(error).__name__}") from error

    return work


def _unparsed(source: bytes, seed: int) -> bytes:
    try:
        return ast.unparse(oracle.parse(source)).encode("utf-8", "surrogatepass")
    except (SyntaxError, ValueError, RecursionError) as error:
        raise Refused(f"refused by ast: {type(error).__name__}") from error


def _crlf(source: bytes, seed: int) -> bytes:
    return source.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _marked(source: bytes, seed: int) -> bytes:
    return source if source.startswith(_MARK) else _MARK + source


def _licensed(source: bytes, seed: int) -> bytes:
    """A licence below the lines that must come first."""
    end = 0
    for line in io.BytesIO(source).readlines()[:2]:
        if not line.startswith(b"#"):
            break
        end += len(line)
    return source[:end] + _LICENCE + source[end:]


def _latin(source: bytes, seed: int) -> bytes:
    """The same text in another encoding, which a declaration names."""
    try:
        return b"# coding: latin-1\n" + text_of(source).encode("latin-1")
    except UnicodeEncodeError as error:
        raise Refused("not Latin-1") from error


LAYOUTS = [
    Layout("black", _black(), "black"),
    Layout("black, 40 columns", _black(line_length=40, magic_trailing_comma=False), "black"),
    Layout("black, preview and unstable", _black(line_length=60, preview=True, unstable=True), "black"),
    Layout("ruff format", _ruff(), "ruff"),
    Layout(
        "ruff format, short lines, single quotes",
        _ruff("--line-length=50", "--preview", "--config=format.quote-style='single'"),
        "ruff",
    ),
    Layout("yapf", _formatted("yapf.yapflib.yapf_api", "FormatCode", style_config="google"), "yapf", 6000),
    Layout("autopep8", _formatted("autopep8", "fix_code"), "autopep8", 8000, exact=False),
    Layout("isort", _formatted("isort", "code", profile="black"), "isort", exact=False),
    Layout(
        "isort, one name a line, sorted within sections",
        _formatted("isort", "code", force_single_line=True, force_sort_within_sections=True),
        "isort",
        exact=False,
    ),
    Layout("CRLF", _crlf),
    Layout("byte order mark", _marked),
    Layout("licence header", _licensed),
    Layout("Latin-1 with a declaration", _latin),
    Layout("ast.unparse", _unparsed, exact=False),
    Layout("redundant parentheses", _rewritten(rewrites.parenthesised)),
    Layout("white space between tokens", _rewritten(rewrites.respaced)),
    Layout("literals spelled otherwise", _rewritten(rewrites.respelled)),
]
