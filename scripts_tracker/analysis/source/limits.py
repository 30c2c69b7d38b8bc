"""The sources that libcst's parser would not survive, refused before it sees them.

The native parser recurses without a guard and overflows its stack on deep nesting and long chains. It takes time
that grows with the square of their depth, and exponentially inside the patterns of ``match`` and in ``del``.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from scripts_tracker.core.values import Place

MAX_BYTES: Final = 1 << 20
"""A command of a mebibyte is data, and its tree takes a thousand times its memory."""
MAX_TOKENS: Final = 100_000
"""Operators, keywords and line ends; the tree takes up to 5 KiB and 30 microseconds for each."""
MAX_WEIGHT: Final = 250_000
"""The same tokens, each counted once for each bracket around it, plus two: the parser remembers up to 2.6 KiB for each."""
MAX_BRACKETS: Final = 200
"""The limit of CPython's tokenizer."""
MAX_DEPTH: Final = 3000
"""Open brackets and the operators, strings and trailers that the parser recurses on, along one path."""
MAX_ELIFS: Final = 2000
"""In the whole file: a chain of them is as deep as it is long."""
MAX_COST: Final = 800_000
"""About three seconds of the parser on the worst known input."""


def check(text: str) -> None:
    """Refuse what the parser would not survive.

    Args:
        text: source with LF line endings.

    Raises:
        UnreadableSource: with the place where a limit is passed.
    """
    if not _is_harmless(text):
        _Scan(text).run()


def unfinished_string(text: str) -> Place:
    """Where a string starts that never ends, which the parser does not say; 1 and 1 where there is none."""
    scan = _Scan(text)
    scan.run()
    return (1, 1) if scan.unfinished is None else place(text, scan.unfinished)


def place(text: str, position: int) -> Place:
    """The line and column of a position."""
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)


# A source with fewer operators in fewer bytes cannot pass a limit.
_FEW_OPERATORS: Final = 1200
_FEW_BYTES: Final = 200_000
_FEW_LINES: Final = 600
_FEW_AROUND: Final = 30
# Brackets on a line without others inside: with whole strings between them, both are code, or neither is.
_INNERMOST: Final = (
    r"""[(\[{](?:[^()\[\]{}'"#\\\n]|"(?!"")[^"'\\\n(){}\[\]]*"|'(?!'')[^"'\\\n(){}\[\]]*')*[)\]}]"""
)
_MAX_FLAT: Final = 5000
_WORDS: Final = (b"and", b"or", b"not", b"if", b"else", b"lambda", b"await", b"async")
_PATTERN_WORDS: Final = ("case", "del")
# Where a statement may start: elsewhere these words cost nothing. Like others, compiled only where it is needed.
_PATTERNS: Final = r"[\n;:][ \t\f]*(?:case|del)\b"
# The rest of a line that no bracket or string continues, with two levels of brackets at most.
_PLAIN: Final = r"[^\n'\"#\\(){}\[\];]|'(?!'')[^'\n\\{]*'|\"(?!\"\")[^\"\n\\{]*\""
_GROUP: Final = rf"[(\[](?:{_PLAIN}|[(\[](?:{_PLAIN})*[)\]])*[)\]]"
_FLAT: Final = rf"(?:{_PLAIN}|{_GROUP})*(?=\n|\Z)"


def _is_harmless(text: str) -> bool:
    """The cheap test: whether there are too few brackets and operators in all to pass any limit."""
    data = text.encode("utf-8", "surrogatepass")
    operators = len(data) - len(data.translate(None, b"+-*/%@&|^~<>=!:.,;'\"\n"))
    # A chain of words that are too frequent to be counted here has fewer than MAX_TOKENS of them.
    links = operators + sum(map(data.count, _WORDS))
    return len(data) <= _FEW_BYTES and _has_flat_brackets(text, links) and _has_flat_patterns(text)


def _has_flat_brackets(text: str, links: int) -> bool:
    """Whether operators and brackets are few; or a little more, with few brackets that hold others, as in most programs."""
    brackets = sum(map(text.count, "([{"))
    if brackets <= MAX_BRACKETS:
        return links <= _FEW_OPERATORS
    lines = text.count("\n")
    if brackets > 2 * MAX_BRACKETS or lines > _FEW_LINES or links - lines > _FEW_OPERATORS:
        return False
    for _ in range(2):
        text = re.sub(_INNERMOST, "", text)
    return sum(map(text.count, "([{")) <= _FEW_AROUND


def _has_flat_patterns(text: str) -> bool:
    """Whether all that is parsed like a pattern is a few lines with few levels of brackets, as in most programs."""
    if not any(_is_a_word(word, text) for word in _PATTERN_WORDS):
        return True  # in a fifth of the time
    length, flat = 0, re.compile(_FLAT)
    # The first line starts a statement too.
    for start in re.finditer(_PATTERNS, f"\n{text}"):
        line = flat.match(text, start.end() - 1)
        if line is None:
            return False
        length += line.end() - line.start()
    return length <= _MAX_FLAT


def _is_a_word(word: str, text: str) -> bool:
    """Whether a word occurs in a text by itself, not only as a part of others."""
    start = text.find(word)
    while start >= 0:
        end = start + len(word)
        around = f"{text[start - 1 : start]}{text[end : end + 1]}"
        if not any(map(str.isalnum, around)) and "_" not in around:
            return True
        start = text.find(word, end)
    return False


# A run of words, and what follows it: an operator, a bracket, a line end, a comment, a string without its prefix.
_CODE: Final = r"""
    ([\w \t\f]*)
    ( \#[^\n]*
    | '''(?:[^\\']|\\.|'(?!''))*''' | \"""(?:[^\\"]|\\.|"(?!""))*\"""
    | '(?!'')(?:[^\\'\n]|\\.)*' | "(?!"")(?:[^\\"\n]|\\.)*"
    | ''' | \"""
    | \\\n
    | [^\w \t\f]
    | \Z )
    """
_QUOTES: Final = frozenset({"'", '"', "'''", '"""'})
_OPERATORS: Final = frozenset(".=+-*/%@&|^~<>!")
_SEPARATORS: Final = frozenset({"\n", ",", ";", ""})
_KEYWORDS: Final = frozenset(
    ["and", "or", "not", "if", "else", "lambda", "await", "elif", "case", "del", "for", "in", "is"]
)
_F_PREFIXES: Final = frozenset({"f", "fr", "rf", "t", "tr", "rt"})

_FREE_DEPTH: Final = 16
_FREE_LEVELS: Final = 3
_TOKEN_COST: Final = 4
_BRACKET_COST: Final = 20
_LEVEL_COST: Final = 8
_PATTERN_BITS: Final = 2
_MAX_SHIFT: Final = 40
_FIELD: Final = "field"
_NESTED_FIELD: Final = "field of a specification"
_FIELDS: Final = (_FIELD, _NESTED_FIELD)


@cache
def _text(quote: str, *, raw: bool) -> re.Pattern[str]:
    """What matters in the text of an f-string: its end and its fields, and what looks like them."""
    escape = r"\\[^{}]" if raw else r"\\(?:N\{[^}]*\}|[^{}])"
    return re.compile(rf"{escape}|{quote}|\{{\{{|\}}\}}|[{{}}]", re.DOTALL)


@cache
def _specification(quote: str) -> re.Pattern[str]:
    """The same of a format specification."""
    return re.compile(rf"\\[^{{}}]|{quote}|[{{}}]", re.DOTALL)


class _Scan:
    """One pass over a source that adds up what it would cost the parser.

    ``levels`` holds an entry for each open bracket: its kind, and the chain and the ties around it. A tie is a
    ``lambda`` whose parameters are being read or a ``for`` clause: their commas end no chain.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.levels: list[tuple[str, int, int]] = []
        self.strings: list[tuple[str, bool, int]] = []
        self.chain = self.ties = self.depth = self.deepest = 0
        self.cost = self.tokens = self.weight = self.elifs = 0
        self.in_pattern = False
        self.unfinished: int | None = None
        self._symbols = re.compile(_CODE, re.VERBOSE | re.DOTALL)

    def run(self) -> None:
        """Read the source; raises UnreadableSource with the place where a limit is passed."""
        position: int | None = 0
        while position is not None:
            position = self._code(position)

    def _code(self, start: int) -> int | None:  # noqa: C901 - one branch a kind of symbol; a call each costs twice the time
        """Read code up to the next change of mode; return where to continue, None at the end."""
        for match in self._symbols.finditer(self.text, start):
            words, symbol = match.groups()
            for word in words.split():
                if word in _KEYWORDS:
                    self._link(word, match.start() + words.index(word))
            is_shallow = self.depth < _FREE_DEPTH and len(self.levels) <= _FREE_LEVELS and not self.in_pattern
            if is_shallow and symbol in _OPERATORS:
                # Half of all tokens: without the call that each costs elsewhere.
                self.chain += 1
                self.depth += 1
                self.tokens += 1
                self.weight += 2 + len(self.levels)
                self.cost += _TOKEN_COST
            elif symbol in _SEPARATORS:
                self._separate(symbol, match.start(2))
            elif symbol in "([{":
                self._open(symbol, match.start(2))
            elif symbol in ")]}":
                kind = self._close(match.start(2))
                if kind in _FIELDS:
                    return self._after_field(kind, match.end())
            elif symbol == ":" and self.levels and self.levels[-1][0] in _FIELDS:
                return self._format_specification(match.end())
            elif symbol[0] in "'\"":
                text = self._string(words, symbol, match.start(2))
                if text is not None:
                    return self._string_text(text) if self.strings else None
            elif symbol[0] not in "#\\":
                self._link(symbol, match.start(2))
        return None

    def _string(self, words: str, symbol: str, position: int) -> int | None:
        """None for a whole string; else where the text of an f-string starts, or of a string that never ends."""
        self.chain += 1
        self.depth += 1
        quote = symbol[:3] if symbol[:3] in _QUOTES else symbol[0]
        prefix = words[-3:].rsplit(maxsplit=1)[-1].lower() if words[-1:].isalpha() else ""
        if prefix in _F_PREFIXES:
            self.strings.append((quote, "r" in prefix, position - len(prefix)))
        elif symbol not in _QUOTES:
            self._count(position, 0)
            return None
        else:
            self.strings = []
            self.unfinished = position
        return position + len(quote)

    def _string_text(self, position: int) -> int | None:
        """Read an f-string's text up to its next field or its end."""
        quote, raw, start = self.strings[-1]
        for match in _text(quote, raw=raw).finditer(self.text, position):
            if match[0] == "{":
                self._open(_FIELD, match.start())
                return match.end()
            if match[0] == quote:
                self.strings.pop()
                return match.end()
        self.unfinished = start
        return None

    def _format_specification(self, position: int) -> int | None:
        """Read a format specification up to its next field or its end."""
        quote, _raw, start = self.strings[-1]
        for match in _specification(quote).finditer(self.text, position):
            if match[0] == "{":
                self._open(_NESTED_FIELD, match.start())
                return match.end()
            if match[0] == "}":
                return self._after_field(self._close(match.start()), match.end())
            if match[0] == quote:
                break
        self.unfinished = start
        return None

    def _after_field(self, kind: str, position: int) -> int | None:
        """Continue after a replacement field, in the text or the format specification that holds it."""
        return self._string_text(position) if kind == _FIELD else self._format_specification(position)

    def _open(self, kind: str, position: int) -> None:
        if len(self.levels) >= MAX_BRACKETS:
            self._refuse(f"more than {MAX_BRACKETS} nested brackets", position)
        self.levels.append((kind, self.chain, self.ties))
        self.chain = self.ties = 0
        self.depth += 1
        self._count(position, _BRACKET_COST * max(0, len(self.levels) - _FREE_DEPTH) + self._surplus())

    def _close(self, position: int) -> str:
        """The kind of what closes; empty where nothing is open."""
        if not self.levels:
            return ""
        kind, chain, self.ties = self.levels.pop()
        # What closed may be a trailer, of which the parser makes a chain too.
        self.depth -= self.chain
        self.chain = chain + 1
        self._count(position, 0)
        return kind

    def _separate(self, symbol: str, position: int) -> None:
        if symbol == ";" or (not self.ties if symbol == "," else not self.levels):
            self.depth -= self.chain
            self.chain = self.ties = 0
        if not self.levels and symbol != ",":
            self.in_pattern = False
        if symbol:
            self._count(position, 0)

    def _link(self, symbol: str, position: int) -> None:
        if symbol in ("case", "del"):
            self.in_pattern = self.in_pattern or (not self.levels and self._starts_statement(position))
        elif symbol == "elif":
            self.elifs += 1
            if self.elifs > MAX_ELIFS:
                self._refuse(f"more than {MAX_ELIFS} elif clauses", position)
        elif not self.levels and symbol in ("=", ":", "if"):
            self.in_pattern = False
        if symbol == "lambda" or (symbol == "for" and self.levels):
            self.ties += 1
        elif symbol == ":" and self.ties:
            self.ties -= 1
        self.chain += 1
        self.depth += 1
        self._count(position, self._surplus())

    def _starts_statement(self, position: int) -> bool:
        while position and self.text[position - 1] in " \t\f":
            position -= 1
        return not position or self.text[position - 1] in "\n;:"

    def _surplus(self) -> int:
        return max(0, self.depth - _FREE_DEPTH)

    def _count(self, position: int, cost: int) -> None:
        self.tokens += 1
        self.weight += 2 + len(self.levels)
        if self.depth > self.deepest:
            self.deepest = self.depth
            if self.depth > MAX_DEPTH:
                self._refuse(f"an expression nested or chained more than {MAX_DEPTH} deep", position)
        if self.in_pattern:
            cost += 1 << min(_PATTERN_BITS * len(self.levels), _MAX_SHIFT)
        # The parser tries what is within brackets again for each of them.
        self.cost += cost + _TOKEN_COST + _LEVEL_COST * max(0, len(self.levels) - _FREE_LEVELS)
        if self.cost > MAX_COST:
            self._refuse("too much deep nesting to be parsed in reasonable time", position)
        if self.weight > MAX_WEIGHT:
            self._refuse("too many operators, keywords and line ends within brackets", position)
        if self.tokens > MAX_TOKENS:
            self._refuse(f"more than {MAX_TOKENS} operators, keywords and line ends", position)

    def _refuse(self, what: str, position: int) -> None:
        raise UnreadableSource(f"the source has {what}", *place(self.text, position))
