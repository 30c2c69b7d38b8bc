"""What libcst's parser would not survive, found before it is asked: a scan of brackets, strings and chains.

The native parser recurses without a guard and overflows its stack on deep nesting and long chains; it takes time
that grows with the square of their depth, and exponentially inside the patterns of ``match`` and in ``del``.
"""

from __future__ import annotations

import re
from typing import Final

from scripts_tracker.exceptions import UnreadableSource

MAX_BYTES: Final = 1 << 20
"""Larger sources are refused; a command of a mebibyte is data, and the tree takes a thousand times its memory."""

MAX_TOKENS: Final = 100_000
"""Operators, keywords and line ends; the tree takes up to 5 KiB and 30 microseconds for each."""

MAX_BRACKETS: Final = 200
"""As CPython's tokenizer has it."""

MAX_DEPTH: Final = 3000
"""Open brackets and the operators, strings and trailers that the parser recurses on, along one path."""

MAX_ELIFS: Final = 2000
"""In the whole file: a chain of them is as deep as it is long."""

MAX_COST: Final = 800_000
"""About three seconds of the parser on the worst known input."""

_FEW: Final = 1200
_FREE_DEPTH: Final = 16
_TOKEN_COST: Final = 4
_BRACKET_COST: Final = 20
_PATTERN_BITS: Final = 2
_MAX_SHIFT: Final = 40

# Words that the parser recurses on, and those that start a line whose brackets cost exponential time.
_CODE = re.compile(
    r"""
    \#[^\n]*
  | (?<!\w)(?:[rR][bB]?|[bB][rR]?|[uU])?
    (?: '''(?:[^\\']|\\.|'(?!''))*''' | \"""(?:[^\\"]|\\.|"(?!""))*\"""
      | '(?!'')(?:[^\\'\n]|\\.)*' | "(?!"")(?:[^\\"\n]|\\.)*" )
  | (?<!\w)(?:[fFtT][rR]?|[rR][fFtT])(?:'''|\"""|'|")
  | \\\n
  | \b(?:and|or|not|if|else|lambda|await|elif|case|del)\b
  | [^\w\s]
  | \n
    """,
    re.VERBOSE | re.DOTALL,
)
_WORDS = re.compile(r"\b(?:and|or|not|if|else|lambda|await|elif|async|for)\b")
_PATTERNS = re.compile(r"\b(?:case|del)\b")
_TEXT = {
    (quote, raw): re.compile(
        (r"\\[^{}]|" if raw else r"\\(?:N\{[^}]*\}|[^{}])|") + quote + r"|\{\{|\}\}|[{}]", re.DOTALL
    )
    for quote in ("'", '"', "'''", '"""')
    for raw in (False, True)
}
_SPECIFICATION = {
    quote: re.compile(rf"\\[^{{}}]|{quote}|[{{}}]", re.DOTALL) for quote in ("'", '"', "'''", '"""')
}
_FIELD: Final = "field"
_NESTED_FIELD: Final = "field of a specification"
_FIELDS: Final = (_FIELD, _NESTED_FIELD)


def check(text: str) -> None:
    """Refuse what the parser would not survive.

    Args:
        text: source with LF line endings.

    Raises:
        UnreadableSource: with the place where a limit is passed.
    """
    if not _harmless(text):
        _Scan(text).run()


def unfinished_string(text: str) -> tuple[int, int]:
    """Line and column of a string that never ends, which the parser does not tell; 1 and 1 where there is none."""
    scan = _Scan(text)
    scan.run()
    return (1, 1) if scan.unfinished is None else place(text, scan.unfinished)


def place(text: str, position: int) -> tuple[int, int]:
    """Line and column, both 1-based, of a position."""
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)


def _harmless(text: str) -> bool:
    """The cheap test: whether there are too few brackets and operators in all to pass any limit."""
    data = text.encode("utf-8", "surrogatepass")
    brackets = len(data) - len(data.translate(None, b"([{"))
    operators = len(data) - len(data.translate(None, b"+-*/%@&|^~<>=!:.,;'\"\n"))
    return (
        brackets <= MAX_BRACKETS
        and operators + len(_WORDS.findall(text)) <= _FEW
        and _PATTERNS.search(text) is None
    )


class _Scan:
    """One pass over a source. ``levels`` holds an entry for each open bracket: its kind and the chain around it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.levels: list[tuple[str, int]] = []
        self.strings: list[tuple[str, bool]] = []
        self.chain = 0
        self.depth = 0
        self.deepest = 0
        self.cost = 0
        self.tokens = 0
        self.elifs = 0
        self.pattern = False
        self.unfinished: int | None = None

    def run(self) -> None:
        position: int | None = 0
        while position is not None:
            position = self._code(position)

    def _code(self, start: int) -> int | None:
        """Read code up to the next change of mode; the place where to go on, None at the end."""
        for match in _CODE.finditer(self.text, start):
            lexeme = match.group()
            if lexeme in "([{":
                self._open(lexeme, match.start())
            elif lexeme in "\n,;":
                self._separate(lexeme, match.start())
            elif lexeme in ")]}":
                kind = self._close(match.start())
                if kind in _FIELDS:
                    return self._after_field(kind, match.end())
            elif lexeme == ":" and self.levels and self.levels[-1][0] in _FIELDS:
                return self._specification(match.end())
            elif lexeme[-1] in "'\"" and lexeme[0] != "#":
                if not self._string(lexeme, match.start()):
                    return self._string_text(match.end()) if self.strings else None
            elif lexeme[0] not in "#\\":
                self._link(lexeme, match.start())
        return None

    def _string(self, lexeme: str, position: int) -> bool:
        """Whether the lexeme is a whole string; if not, either an f-string starts or a string never ends."""
        self.chain += 1
        self.depth += 1
        quote = lexeme.lstrip("fFtTrRbBuU")
        prefix = lexeme[: -len(quote)].lower()
        if quote not in _SPECIFICATION:
            self._count(position, 0)
            return True
        if "f" in prefix or "t" in prefix:
            self.strings.append((quote, "r" in prefix))
        else:
            self.strings = []
            self.unfinished = position
        return False

    def _string_text(self, position: int) -> int | None:
        """Read an f-string's text up to its next field or its end."""
        quote, raw = self.strings[-1]
        for match in _TEXT[quote, raw].finditer(self.text, position):
            lexeme = match.group()
            if lexeme == "{":
                self._open(_FIELD, match.start())
                return match.end()
            if lexeme == quote:
                self.strings.pop()
                return match.end()
        return None

    def _specification(self, position: int) -> int | None:
        """Read a format specification up to its next field or its end."""
        quote, _raw = self.strings[-1]
        for match in _SPECIFICATION[quote].finditer(self.text, position):
            lexeme = match.group()
            if lexeme == "{":
                self._open(_NESTED_FIELD, match.start())
                return match.end()
            if lexeme == "}":
                return self._after_field(self._close(match.start()), match.end())
            if lexeme == quote:
                return None  # unfinished: the tokenizer will say so
        return None

    def _open(self, kind: str, position: int) -> None:
        if len(self.levels) >= MAX_BRACKETS:
            self._refuse(f"more than {MAX_BRACKETS} nested brackets", position)
        self.levels.append((kind, self.chain))
        self.chain = 0
        self.depth += 1
        self._count(position, _BRACKET_COST * max(0, len(self.levels) - _FREE_DEPTH) + self._surplus())

    def _close(self, position: int) -> str:
        """The kind of what closes; empty where nothing is open."""
        if not self.levels:
            return ""
        kind, chain = self.levels.pop()
        # What closed may be a trailer, of which the parser makes a chain too.
        self.depth -= self.chain
        self.chain = chain + 1
        self._count(position, 0)
        return kind

    def _after_field(self, kind: str, position: int) -> int | None:
        """Go on behind a replacement field, in the text or the format specification that holds it."""
        return self._string_text(position) if kind == _FIELD else self._specification(position)

    def _separate(self, lexeme: str, position: int) -> None:
        if lexeme != "\n" or not self.levels:
            self.depth -= self.chain
            self.chain = 0
        if not self.levels and lexeme != ",":
            self.pattern = False
        self._count(position, 0)

    def _link(self, lexeme: str, position: int) -> None:
        if lexeme in ("case", "del"):
            self.pattern = self.pattern or not self.levels
        elif lexeme == "elif":
            self.elifs += 1
            if self.elifs > MAX_ELIFS:
                self._refuse(f"more than {MAX_ELIFS} elif clauses", position)
        elif not self.levels and lexeme in ("=", ":", "if"):
            self.pattern = False
        self.chain += 1
        self.depth += 1
        self._count(position, self._surplus())

    def _surplus(self) -> int:
        return max(0, self.depth - _FREE_DEPTH)

    def _count(self, position: int, cost: int) -> None:
        self.tokens += 1
        if self.depth > self.deepest:
            self.deepest = self.depth
            if self.depth > MAX_DEPTH:
                self._refuse(f"an expression that is nested or chained more than {MAX_DEPTH} deep", position)
        if self.pattern:
            cost += 1 << min(_PATTERN_BITS * len(self.levels), _MAX_SHIFT)
        self.cost += cost + _TOKEN_COST
        if self.cost > MAX_COST:
            self._refuse("too much deep nesting to be parsed in reasonable time", position)
        if self.tokens > MAX_TOKENS:
            self._refuse(f"more than {MAX_TOKENS} operators, keywords and line ends", position)

    def _refuse(self, what: str, position: int) -> None:
        raise UnreadableSource(f"the source has {what}", *place(self.text, position))
