"""What a run was given, in a form that every database keeps: JSON, bounded, without secrets."""

from __future__ import annotations

import functools
import json
import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MASK = "********************"

# Colours and other commands to a terminal; between a name and its value they would hide a secret from the mask. A text,
# as most runs print none and need not compile it.
ESCAPES = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])"

# Every search starts at a literal word or where a word starts, and no repetition can be split in two ways:
# so hostile text costs time in proportion to its length.

# Names that stand for nothing but a secret: a colon after them is enough. A plural is a number of them.
_SURE = r"""
    (?: pass(?:word|wd|phrase|code) | secret | token | authorization
      | (?:api|access|auth|account|client|deploy|encryption|license|master|private|shared|signing|storage)[ _-]?key )
    (?: [ _-]?(?:access[ _-]?)?key | [_-]?(?:hash|value|confirm(?:ation)?) | [_-]?\d{1,2} )?
"""
# Names with other meanings too ("pass: 12, fail: 3"): an equals sign, or quotes around name and value.
_PERHAPS = r"""
    (?<![a-z])
    (?: pass | pwd | auth | credentials? | sig(?:nature)? | session[_-]?id | shared[_-]?access[_-]?signature )
"""
_QUOTE = r"""(?: \\{0,3}["'] )"""
_EQUALS = rf"{_QUOTE}? \]? [ \t]* ==?>?"
_NAMED = rf"""
    (?: {_SURE} (?: {_QUOTE}?[ \t]*:(?!:)=? | {_EQUALS} | >(?=[^\s<]) )
      | {_PERHAPS} (?: {_EQUALS} | {_QUOTE}[ \t]*:(?=[ \t]*["']) )
      | (?:password|identified[ ]by) [ \t]+ (?=')
      | --(?:[a-z]{{1,20}}-){{0,3}}(?:password|passwd|token|secret|api-?key) [ \t]+ (?! - | (?:and|flag|for|if|is|must|option|or|to|was)\b )
    )
    [ \t]* (?: [bru]{{0,2}}{_QUOTE} )? (?! (?:None|null|true|false)\b )
"""
# A comma, a semicolon or an ampersand belongs to the value, unless a space or another name= follows.
_VALUE = r"""
    (?<=") (?: [^"\\\n] | \\. )+
  | (?<=') (?: [^'\\\n] | \\. )+
  | Digest[ ][^\n]+
  | (?: (?:Bearer|Basic|Token|Negotiate|ApiKey)[ ] )? (?: [^\s"'<>,;&] | [,;&](?=\S)(?![\w .-]{1,40}=) )+
"""
_DEFAULT = rf"""
    {_NAMED} (?P<secret> {_VALUE} )
  | ://[^\s/:@"'<>]*: (?P<secret_in_url> [^\s/?#"'<>]+ ) @
  | \bBearer[ ] (?=[a-z.~+/_-]{{0,200}}\d) (?P<secret_of_bearer> [\w.~+/=-]{{16,}} )
  | -----BEGIN[ ][A-Z ]{{0,40}}PRIVATE[ ]KEY(?:[ ]BLOCK)?-----
      (?: (?: [^-] | -(?!----) )* -----END[ ][A-Z ]{{0,40}}-----
        | (?: (?:\s|\\[rn])+ [a-z0-9+/=]{{16,}} )* )
  | \A [a-z0-9+/=\s]* -----END[ ][A-Z ]{{0,40}}PRIVATE[ ]KEY(?:[ ]BLOCK)?-----
  | (?<![\w.-]) (?-i:eyJ) [\w-]{{10,}} \. [\w-]{{5,}} \. [\w-]*
  | (?<![\w-]) (?-i:
        (?:AKIA|ASIA)[0-9A-Z]{{16}}\b
      | AIza[\w-]{{35}}
      | (?:gh[pousr]|github_pat|glpat|xox[abeprs]|npm|hf|[srp]k[_-](?:live|test|proj|ant))[_-][\w-]{{16,255}} )
"""


@functools.lru_cache(maxsize=8)
def compiled(given: str | re.Pattern[str] | None) -> re.Pattern[str]:
    """The pattern of a setting: of a regular expression, a compiled one, or None for the default.

    Raises:
        re.error, OverflowError, RecursionError: the expression is wrong.
    """
    if given is None:
        return re.compile(_DEFAULT, re.IGNORECASE | re.VERBOSE)
    return re.compile(given)


def pattern_error(given: object) -> str:
    """What is wrong with a setting, empty where it is a pattern of text."""
    if isinstance(given, re.Pattern):
        return "" if isinstance(given.pattern, str) else "it matches bytes, not text"
    if not isinstance(given, str):
        return "it is no text"
    try:
        compiled(given)
    except (re.error, OverflowError, RecursionError) as error:
        return str(error)
    return ""


def mask(text: str, pattern: re.Pattern[str], start: int = 0) -> str:
    """The text from ``start`` on, every secret in it replaced, and one that begins before ``start`` too.

    Args:
        text: what may hold secrets.
        pattern: matches a secret; or a secret and what it is known by, with the secret alone in a group whose name
            begins with ``secret`` (a name stands in a pattern only once).
        start: what stands before is looked at, but not returned.
    """
    groups = [name for name in pattern.groupindex if name.startswith("secret")]
    pieces = []
    for match in pattern.finditer(text):
        begin, end = match.span(next((name for name in groups if match.start(name) >= 0), 0))
        if begin < end and start < end:  # a pattern such as x* matches nothing between all letters
            pieces += [text[start:begin], MASK]
            start = end
    return "".join([*pieces, text[start:]])


TEXT_LIMIT = 64 * 1024

# The names that Django's own error reports hide (django.views.debug, which is too dear to import for this).
_HIDDEN = "API|AUTH|TOKEN|KEY|SECRET|PASS|SIGNATURE"

# What every command has; the run row tells of the script's own options.
_OF_DJANGO = frozenset(
    {
        "force_color",
        "no_color",
        "pythonpath",
        "settings",
        "skip_checks",
        "stderr",
        "stdout",
        "traceback",
        "verbosity",
    }
)


def bounded(text: str, limit: int = TEXT_LIMIT) -> str:
    """The end of a text, at most ``limit`` bytes, without what PostgreSQL and UTF-8 refuse."""
    return _end(_storable(text), limit)


def masked_tail(text: str, limit: int, secrets: str | re.Pattern[str] | None) -> str:
    """The end of what a run printed: masked, then cut as ``bounded`` does, at a line end where one is near.

    Args:
        text: the output, or its end with some more than ``limit`` bytes (``capture.Tail.text``).
        limit: bytes of UTF-8.
        secrets: the setting ``secret_pattern``.
    """
    if not text:
        return ""  # the pattern takes 2 ms to compile
    clean = _storable(text)
    start = _line_start(clean, len(clean) - len(_end(clean, limit)), limit // 8)
    return _end(mask(clean, compiled(secrets), start), limit)


def _storable(text: str) -> str:
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()


def _end(text: str, limit: int) -> str:
    return text.encode()[-limit:].decode("utf-8", "ignore")


def _line_start(text: str, start: int, near: int) -> int:
    """The start of the first whole line from a cut on, the cut itself where that is not near."""
    if start == 0:
        return 0
    return text.find("\n", start - 1, start + near) + 1 or start


def arguments_to_json(
    args: Sequence[object], options: Mapping[str, object], secrets: str | re.Pattern[str] | None = None
) -> str:
    """The arguments of a run as JSON text, without secrets.

    Args:
        args: the positional ones.
        options: by name; the values of secret-sounding ones are masked as Django masks settings.
        secrets: the setting ``secret_pattern``, for what the others hold.
    """
    own = {name: _masked(name, value, secrets) for name, value in options.items() if name not in _OF_DJANGO}
    return json.dumps({**({"args": [_plain(value, secrets) for value in args]} if args else {}), **own})


def _masked(name: str, value: object, secrets: str | re.Pattern[str] | None) -> object:
    return MASK if re.search(_HIDDEN, name, re.IGNORECASE) and value else _plain(value, secrets)


def _plain(value: object, secrets: str | re.Pattern[str] | None) -> object:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, list | tuple):
        return [_plain(item, secrets) for item in value]
    text = value if isinstance(value, str) else repr(value)
    # A word by itself, or a date, is not worth the 2 ms that the pattern takes to compile.
    return bounded(text, 1000) if text.isalnum() else masked_tail(text, 1000, secrets)
