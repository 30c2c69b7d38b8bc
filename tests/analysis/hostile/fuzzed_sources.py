"""Sources that no person would write: random bytes, random tokens, and real files with their parts exchanged."""

from __future__ import annotations

import keyword
import re
from functools import cache

from hypothesis import strategies as st

from tests.analysis import sources
from tests.analysis.hostile.shapes import TRACKED

_PIECES = re.compile(rb"\w+|\s+|[^\w\s]")
_OPERATORS = "( ) [ ] { } : , ; . = == := -> + - * ** / // % @ & | ^ ~ < > <= >= != << >> += ! ? $ ` \\"
TOKENS = (
    *_OPERATORS.split(" "),
    *keyword.kwlist,
    *keyword.softkwlist,
    *(
        "a",
        "b",
        "handle",
        "Command",
        "help",
        "tracked_script",
        "required_preceding_script",
        "super()",
        "__doc__",
    ),
    *("0", "1", "0777", "0x_f", "1_0", "1e5", "1j", "1.", ".5", "9" * 4301, "0b2", "1__0"),
    *(
        "''",
        "'a'",
        '"""',
        "'''",
        "b'a'",
        "rb'\\x'",
        "u'a'",
        "'\\N{DIGIT ONE}'",
        "'\\N{}'",
        "'\\x'",
        "'\\ud800'",
    ),
    *("f'", "f'{", "f'{a}'", "f'{a!r:>{b}}'", "f'{a=}'", 'f"""', "rf'\\{a}'", "t'{a}'", "{{", "}}", "'", '"'),
    *("\n", "\n    ", "\n        ", "\n\t", "\r\n", "\r", "\f", "\v", "\0", "\\\n", " ", "\t", "# a\n", "#"),
    *(
        "é",
        "\uff46",
        "\u00a0",
        "\ufeff",
        "\U0001f600",
        "\u2028",
        "\u017f",
        "# coding: latin-1\n",
        "type X = a\n",
    ),
    *(
        "@tracked_script\n",
        "class Command:\n    ",
        "def handle(self):\n        ",
        "lambda: ",
        "async def f(): ",
    ),
    *(
        "match a:\n  case ",
        "from . import ",
        "import a.b as c\n",
        "def f[T: a = b](",
        "except* ",
        "else:\n    ",
    ),
)


def _bytes_of(token: str) -> bytes:
    return token.encode("utf-8", "surrogatepass")


@cache
def _real() -> tuple[bytes, ...]:
    paths = [*sources.library(40, seed=5, largest=4000), *sources.demo()]
    return (TRACKED.encode(), *(path.read_bytes() for path in paths))


def random_bytes() -> st.SearchStrategy[bytes]:
    ends = st.sampled_from(
        [b"", TRACKED.encode(), b"\xef\xbb\xbf", b"# coding: latin-1\n", b"# coding: euc-jp\n"]
    )
    return st.builds(lambda start, rest: start + rest, ends, st.binary(max_size=200))


def random_text() -> st.SearchStrategy[bytes]:
    alphabet = "()[]{}:,.;='\"\\\n\r\t\f #@*-+/<>!~^|&%fbrut0x1_eé\0aNif"
    return st.text(alphabet, max_size=80).map(_bytes_of)


def random_tokens() -> st.SearchStrategy[bytes]:
    tokens = st.lists(st.sampled_from(TOKENS), max_size=30)
    glue = st.sampled_from(["", " "])
    start = st.sampled_from(["", TRACKED])
    return st.builds(lambda start, glue, each: _bytes_of(start + glue.join(each)), start, glue, tokens)


@st.composite
def mutated_sources(draw: st.DrawFn) -> bytes:
    """A real file after a few splices, deletions, duplications, exchanges and insertions."""
    pieces = _PIECES.findall(draw(st.sampled_from(_real())))
    for _change in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(pieces)))
        end = min(len(pieces), start + draw(st.integers(0, 12)))
        kind = draw(st.sampled_from(["splice", "delete", "duplicate", "swap", "insert", "bytes"]))
        if kind == "splice":
            other = _PIECES.findall(draw(st.sampled_from(_real())))
            first = draw(st.integers(0, len(other)))
            pieces[start:end] = other[first : first + draw(st.integers(1, 60))]
        elif kind == "delete":
            del pieces[start:end]
        elif kind == "duplicate":
            pieces[start:start] = pieces[start:end] * draw(st.integers(1, 5))
        elif kind == "swap" and start < end:
            pieces[start], pieces[end - 1] = pieces[end - 1], pieces[start]
        elif kind == "insert":
            pieces.insert(start, _bytes_of(draw(st.sampled_from(TOKENS))))
        elif kind == "bytes":
            pieces.insert(start, draw(st.binary(max_size=3)))
    return b"".join(pieces)


STRATEGIES = {
    "random bytes": random_bytes(),
    "random text": random_text(),
    "random tokens": random_tokens(),
    "mutated sources": mutated_sources(),
}
