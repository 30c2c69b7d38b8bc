"""The pieces of source that the limits count, cut by regular expressions: brackets, operators, strings, words."""

from __future__ import annotations

import re
from typing import Final

# A run of words, and what follows it: an operator, a bracket, a line end, a comment, a string without its prefix.
CODE: Final = re.compile(
    r"""
    ([\w \t\f]*)
    ( \#[^\n]*
    | '''(?:[^\\']|\\.|'(?!''))*''' | \"""(?:[^\\"]|\\.|"(?!""))*\"""
    | '(?!'')(?:[^\\'\n]|\\.)*' | "(?!"")(?:[^\\"\n]|\\.)*"
    | ''' | \"""
    | \\\n
    | [^\w \t\f]
    | \Z )
    """,
    re.VERBOSE | re.DOTALL,
)
# What the parser recurses on, and the words that start a statement whose brackets cost exponential time.
OPERATORS: Final = frozenset(".=+-*/%@&|^~<>!")
SEPARATORS: Final = frozenset({"\n", ",", ";", ""})
KEYWORDS: Final = frozenset(
    ["and", "or", "not", "if", "else", "lambda", "await", "elif", "case", "del", "for", "in", "is"]
)
F_PREFIXES: Final = frozenset({"f", "fr", "rf", "t", "tr", "rt"})
TEXT: Final = {
    (quote, raw): re.compile(
        (r"\\[^{}]|" if raw else r"\\(?:N\{[^}]*\}|[^{}])|") + quote + r"|\{\{|\}\}|[{}]", re.DOTALL
    )
    for quote in ("'", '"', "'''", '"""')
    for raw in (False, True)
}
SPECIFICATION: Final = {
    quote: re.compile(rf"\\[^{{}}]|{quote}|[{{}}]", re.DOTALL) for quote in ("'", '"', "'''", '"""')
}
