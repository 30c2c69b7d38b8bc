"""Arguments, output and errors of a run in a form that every database stores: bounded and without secrets."""

from __future__ import annotations

import functools
import itertools
import json
import math
import re
from typing import TYPE_CHECKING

from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

MASK = "********************"

# Colours and other commands to a terminal; between a name and its value they would hide a secret from the mask. A text,
# as most runs print none and need not compile it.
ESCAPES = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])"

# Every search starts at a literal word or at the start of a word, and no repetition can be split in two ways, so the
# time is proportional to the length of the text, however hostile it is.

# Names of nothing but secrets: a colon after them is enough. A plural is followed by a count.
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
_PREFIX = "[bru]{0,2}"
# From the end of a quoted text to the beginning of the next one, in a list: ["--password", "x"].
_NEXT_ITEM = rf"{_QUOTE} \s{{0,99}} , \s{{0,99}} {_PREFIX} {_QUOTE}"
_FLAG = r"""
    --? (?:[a-z]{1,20}[_-]){0,3}
    (?: password | passwd | passphrase | passcode | pwd | token | secret | (?:api|access|account|auth|secret)[_-]?key )
  | -{1,2} (?:store|key)pass
"""
# After "password is": letters and digits, as no word of a sentence has them; not a date, an algorithm or a factor.
_LIKE_A_PASSWORD = rf"""
    (?= {_QUOTE}? (?! \d{{4}}-\d | 2fa | (?:aes|argon|base|hmac|md|oauth|rsa|sha|utf)[_-]?\d )
        (?= [^\s"'<>()\[\],;]{{0,60}}\d ) (?= [^\s"'<>()\[\],;]{{0,60}}[a-z] ) [^\s"'<>()\[\],;]{{6}} )
"""
_NAMED = rf"""
    # JSON and code: the value may stand on the next line, in parentheses, or in an item of its own.
    (?: {_SURE} (?: (?: {_QUOTE} \s{{0,99}} : | {_QUOTE}?\]?[ ]?= ) \s{{0,99}} \(? \s{{0,99}} (?={_PREFIX}{_QUOTE})
          | {_QUOTE}?[ \t]*:(?!:)=? | {_EQUALS} | >(?=[^\s<])
          | {_QUOTE} \s{{0,99}} , \s{{0,99}} {_QUOTE}value{_QUOTE} \s{{0,99}} : (?=[ \t]*{_QUOTE})
          | [ ] (?: (?:is|was)(?:[ ]now)? | (?:re)?set[ ]to | changed[ ]to ) [ ]?:? [ ] {_LIKE_A_PASSWORD}
          | [ \t]+ (?=[a-z/+=]{{0,100}}\d) (?=[\d/+=]{{0,100}}[a-z]) (?=[a-z0-9/+=]{{32,255}}(?![\w./-])) )
      | {_PERHAPS} (?: {_EQUALS} | {_QUOTE} \s{{0,99}} : (?=\s{{0,99}}["']) \s{{0,99}} )
      | (?:password|identified[ ]by) [ \t]+ (?=')
      | (?<![\w-]) (?:{_FLAG}) (?: [ \t]+ (?! - | (?:and|flag|for|if|is|must|option|or|to|was)\b )
          | (?={_NEXT_ITEM} (?! --[a-z] | -[a-z]{_QUOTE} )) {_QUOTE} \s{{0,99}} , \s{{0,99}} )
      | -pass(?:in|out)? [ \t]+ pass:
    )
    [ \t]* (?: [|>][+-]? [ \t]* \n [ \t]+ )?
    (?: {_PREFIX}{_QUOTE} )? (?! (?:none|null|true|false)\b )
"""
# A comma, a semicolon or an ampersand belongs to the value, unless a space or another name= follows.
_VALUE = r"""
    (?<=\\") (?: [^"\\\n] | \\{3}" | \\(?!") )+
  | (?<=") (?: [^"\\\n] | \\. )+
  | (?<=') (?: [^'\\\n] | \\. | '' )+
  | digest[ ][^\n]+
  | (?: (?:bearer|basic|token|negotiate|apikey)[ ] )? (?: [^\s"'<>,;&] | [,;&](?=\S)(?![\w .-]{1,40}=) )+
"""
_USUAL = rf"""
    {_NAMED} (?P<secret> {_VALUE} )
  | :(?:\\?/){{2}}[^\s/:@"'<>]*: (?P<secret_in_url> [^\s/?#"'<>]+ ) @
  | \bbearer[ ] (?=[a-z.~+/_-]{{0,200}}\d) (?P<secret_of_bearer> [\w.~+/=-]{{16,}} )
  | \bcookie {_QUOTE}? [ \t]*:[ \t]* (?: {_PREFIX}{_QUOTE} )? (?= [^\s=;,"']{{1,100}}= )
      (?P<secret_cookie> (?<=") [^"\n]+ | (?<=') [^'\n]+ | (?: [^\n"'=] | = (?: "[^"\n]*" | '[^'\n]*' )? )+ )
  | \b (?: hooks\.slack\.com/(?:services|workflows|triggers)/ | discord(?:app)?\.com/api/webhooks/\d{{1,30}}/ )
      (?P<secret_of_webhook> [\w/-]{{16,}} )
  | -----begin[ ][a-z ]{{0,40}}private[ ]key(?:[ ]block)?-----
      (?: (?: [^-] | -(?!----) )* -----end[ ][a-z ]{{0,40}}-----
        | (?: (?:\s|\\[rn])+ [a-z0-9+/=]{{16,}} )* )
  | \A [a-z0-9+/=\s]* -----end[ ][a-z ]{{0,40}}private[ ]key(?:[ ]block)?-----
  | \bprivate-lines:[ ]\d{{1,5}} (?P<secret_of_putty> (?: \s+ [a-z0-9+/=]{{16,}} )+ )
"""
# Without any of these nothing in _USUAL matches, nor in _TOKENS without a long word: most texts need no pattern, which
# takes 2 ms to compile.
_WORDS = (
    *(
        "pass",
        "pwd",
        "secret",
        "token",
        "key",
        "auth",
        "credential",
        "sig",
        "session",
        "identified",
        "bearer",
        "cookie",
    ),
    *(":/", ":\\/", "hooks", "private-lines"),
)
_LONG_WORD = r"[\w.-]{16}"
# Tokens with a prefix of their vendor; upper and lower case matter.
_TOKENS = r"""
    (?<![\w-])
    (?: (?: A3T[0-9A-Z] | ABIA | ACCA | AKIA | ASIA ) [0-9A-Z]{16} \b
      | AIza [\w-]{35}
      | eyJ [\w-]{10,} \. [\w-]{5,} \. [\w-]*
      | (?: gh[pousr] | github_pat | gl(?:pat|ptt|dt|rt|cbt|soat|ft|oas|agent|imt|ffct|sa|c) | xox[abeprs] | xapp
          | npm | hf | gsk | nvapi | pplx | xai | r8 | dckr_pat | dop_v1 | doo_v1 | dor_v1 | whsec | GOCSPX | ntn
          | lin_api | sntry[su] | shp(?:at|ca|pa|ss) | sq0[a-z]{3} | pscale_(?:tkn|pw|oauth) | PMAK | HRKU | rubygems
          | sbp | pul | xkeysib | figd | [srp]k[_-](?:live|test|proj|ant|svcacct|admin|or) ) [_-] [\w-]{16,255}
      | sk- [A-Za-z0-9]{32,}
      | key- [0-9a-f]{32} \b
      | [0-9a-f]{32} -us\d{1,2} \b
      | SK [0-9a-f]{32} \b
      | dapi [0-9a-f]{32}
      | pypi-AgE [\w-]{10,}
      | SG\. [\w-]{16,64} \. [\w-]{16,}
      | ya29\. [\w-]{20,}
      | 1//0 [\w-]{20,}
      | hv[sbr]\. [\w-]{20,}
      | dp\.(?:ct|pt|sa|scim|st)\. [\w.-]{16,}
      | AT(?:ATT|CTT|BB) [\w=-]{20,}
      | \d{8,10} :AA [\w-]{33}
      | AGE-SECRET-KEY-1 [0-9A-Z]{50,}
    )
"""

# Programs with a short option for a password (to other programs, -p 8080 is something else), and those options.
_PROGRAMS = rf"""
    (?<![\w.-])
    (?: (?P<glued> (?:mysql|mariadb)[\w-]* )
      | (?P<p> sshpass | mongo(?:sh|dump|restore|import|export|stat|top)? | 7z[ar]?
          | (?:docker|podman|nerdctl|buildah|skopeo|oc|az|registry) (?: [ ]+ | {_NEXT_ITEM} ) login )
      | (?P<P> sqlcmd | bcp | zip | unzip )
      | (?P<a> redis-cli )
      | (?P<w> ldap(?:search|modify|add|delete|passwd|whoami) )
      | (?P<user> curl )
    )
    (?![\w.])
"""
_COMMAND_END = r"(?<![\\,])\n|\s(?:\|\|?|&&)\s|;\s"
_OVERLAP = 200
_GLUED = r"""(?<="-.) (?: [^"\\\n] | \\. )+ | (?<='-.) (?: [^'\\\n] | \\. )+"""
_SPACED = rf"(?: {_NEXT_ITEM} | [ \t]+ (?: {_QUOTE} | (?!-) ) | {_QUOTE}? )"
_OPTIONS = {
    "glued": rf"(?<=[\s\"']) -p (?: (?P<secret_glued> {_GLUED} ) | {_QUOTE}? (?P<secret> {_VALUE} ) )",
    **{
        letter: rf"(?<=[\s\"']) -{letter} (?: (?P<secret_glued> {_GLUED} ) | {_SPACED} (?P<secret> {_VALUE} ) )"
        for letter in "pPaw"
    },
    "user": rf"""
        (?<=[\s"']) (?: -[uU] | --(?:proxy-)?user )
        (?: {_QUOTE} \s{{0,99}} , \s{{0,99}} {_PREFIX} | [ \t]* =? [ \t]* )
        (?: \\?"[^":\n]{{0,100}}: (?P<secret_double> [^"\\\n]+ ) | \\?'[^':\n]{{0,100}}: (?P<secret_single> [^'\\\n]+ )
          | [^\s:"'/]{{1,100}}: (?P<secret> [^\s"'|]+ ) )
    """,
}


class Secrets(NamedTuple):
    """The secrets in a text: what a project's own pattern matches, or the usual names and forms."""

    own: re.Pattern[str] | None

    def spans(self, text: str) -> list[tuple[int, int]]:
        """The start and end of each secret, in order; they may overlap."""
        if self.own is not None:
            return [_span(match) for match in self.own.finditer(text)]
        # Python searches lower case five times as fast as it ignores case. Only this letter becomes two in lower case.
        lower = text.replace("\u0130", "i").lower()
        found: list[tuple[int, int]] = []
        if any(word in lower for word in _WORDS):
            found += (_span(match) for match in _verbose(_USUAL).finditer(lower))
        if re.search(_LONG_WORD, text):
            found += (match.span() for match in _verbose(_TOKENS).finditer(text))
        if "-" in text:
            found += _given_to_programs(text)
        return sorted(found)


@functools.lru_cache(maxsize=8)
def compiled(given: str | re.Pattern[str] | None) -> Secrets:
    """The secrets that the setting ``secret_pattern`` describes; None is the default.

    Raises:
        re.error, OverflowError, RecursionError: the expression is invalid.
    """
    return Secrets(None if given is None else re.compile(given))


def _span(match: re.Match[str]) -> tuple[int, int]:
    groups = [name for name in match.re.groupindex if name.startswith("secret")]
    return match.span(next((name for name in groups if match.start(name) >= 0), 0))


@functools.lru_cache(maxsize=16)
def _verbose(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.VERBOSE)


def _given_to_programs(text: str) -> Iterator[tuple[int, int]]:
    """The passwords of command lines and of lists of arguments; each part of the text is searched once."""
    programs = list(_verbose(_PROGRAMS).finditer(text))
    for program, following in itertools.zip_longest(programs, programs[1:]):
        begin, stop = program.end(), following.start() if following else len(text)
        end = re.compile(_COMMAND_END).search(text, begin, stop)
        # The name of the next program may be a word in the value of this one's option.
        limit = end.start() if end else stop + _OVERLAP
        for match in _verbose(_OPTIONS[str(program.lastgroup)]).finditer(text, begin, limit):
            if match.start() < stop:
                yield _span(match)
            if program.lastgroup != "user":  # a second one belongs to a program that this one starts
                break


def pattern_error(given: object) -> str:
    """What is wrong with a value of ``secret_pattern``; empty if it is a valid pattern of text."""
    if isinstance(given, re.Pattern):
        return "" if isinstance(given.pattern, str) else "it matches bytes, not text"
    if not isinstance(given, str):
        return "not a string"
    try:
        compiled(given)
    except (re.error, OverflowError, RecursionError) as error:
        return str(error)
    return ""


def mask(text: str, secrets: Secrets, start: int = 0, stop: int | None = None) -> str:
    """The text from ``start`` to ``stop``, with every secret replaced, also one that only overlaps with it.

    Args:
        text: may hold secrets.
        secrets: if its pattern matches more than the secret, a group whose name begins with ``secret`` holds the secret
            (the names of groups are unique, so there may be several such).
        start: the text before it is searched, but not returned.
        stop: the text after it is searched, but not returned.
    """
    return _replaced(text, secrets.spans(text), start, len(text) if stop is None else stop)


def _replaced(text: str, spans: Iterable[tuple[int, int]], start: int, stop: int) -> str:
    pieces: list[str] = []
    for begin, end in spans:
        if (
            begin < end and start < end and begin < stop
        ):  # a pattern such as x* matches the empty text everywhere
            if not pieces or begin >= start:  # else it overlaps the one before
                pieces += [text[start:begin], MASK]
            start = end
    return "".join([*pieces, text[start:stop]])


TEXT_LIMIT = 64 * 1024
# How far beyond a cut to search, so that no secret is cut in half before it is masked; a large private key has 6 KiB.
MARGIN = 16 * 1024
# A secret longer than the margin has no blanks.
_WORD = r"[\w.~+/=-]*"
ARGUMENTS_LIMIT = 10_000
_TEXT_IN_ARGUMENTS = 1000
_NOTE_ROOM = 80
_DEEPEST = 10
_INTEGER_BITS = 1024
_NO_QUOTES = str.maketrans("\"'\\\n", "____")

# The names that Django's error reports hide (django.views.debug, which takes long to import).
_HIDDEN = "API|AUTH|TOKEN|KEY|SECRET|PASS|SIGNATURE"

# The options of every command; only the script's own are recorded.
_DJANGOS = frozenset(
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
    """The end of a text, at most ``limit`` bytes, without characters that PostgreSQL or UTF-8 refuse."""
    return _end(_storable(text[-limit:]), limit)


def masked_tail(text: str, limit: int, secrets: str | re.Pattern[str] | None) -> str:
    """The end of what a run printed: masked, then cut as by ``bounded``, at the end of a line if one is near.

    Only the end is searched for secrets, so a text of many megabytes costs no more than a short one.

    Args:
        text: the output, or its end with more than ``limit`` bytes (``running.output.Tail.text``).
        limit: bytes of UTF-8.
        secrets: the setting ``secret_pattern``.
    """
    if not text:
        return ""  # the pattern takes 2 ms to compile
    is_cut = len(text) > limit + MARGIN
    clean = _storable(text[-(limit + MARGIN) :])
    start = _line_start(clean, len(clean) - len(_end(clean, limit)), limit // 8)
    masked = mask(clean, compiled(secrets), start)
    word = re.match(_WORD, clean) if is_cut else None
    if word is not None and word.end() > start:  # its cut start may have shown that it is a secret
        masked = MASK + mask(clean, compiled(secrets), word.end())
    return _end(masked, limit)


def masked_head(text: str, limit: int, secrets: str | re.Pattern[str] | None) -> str:
    """The beginning of a text, masked, at most ``limit`` characters; the search goes on a little beyond it."""
    if not text:
        return ""
    visible = len(_storable(text[:limit]))
    return mask(_storable(text[: limit + MARGIN]), compiled(secrets), stop=visible)[:limit]


def _storable(text: str) -> str:
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()


def _end(text: str, limit: int) -> str:
    return text.encode()[-limit:].decode("utf-8", "ignore")


def _line_start(text: str, start: int, near: int) -> int:
    """The start of the first whole line after a cut; the cut itself if that is not near."""
    if start == 0:
        return 0
    return text.find("\n", start - 1, start + near) + 1 or start


def arguments_to_json(
    args: Sequence[object], options: Mapping[str, object], secrets: str | re.Pattern[str] | None = None
) -> str:
    """The arguments of a run as JSON text of at most ``ARGUMENTS_LIMIT`` characters, without secrets.

    Small values are stored whole, large ones share the rest of the room, and a note counts what is left out.

    Args:
        args: the positional arguments.
        options: by name; like Django's settings, those with the name of a secret are masked as a whole.
        secrets: the setting ``secret_pattern``, for the other values.
    """
    own = {name: value for name, value in options.items() if name not in _DJANGOS}
    if args:
        own = {"args": list(args), **own}
    room = ARGUMENTS_LIMIT - _NOTE_ROOM
    kept: dict[str, object] = {}
    for number, name in enumerate(sorted(own, key=lambda name: _length(own[name]))):
        share = room // (len(own) - number) - len(json.dumps(name)) - len(": , ")
        kept[name] = _masked(name, own[name], secrets, share)
        room -= len(json.dumps({name: kept[name]}))
        if room < 0:
            del kept[name]
            break
    ordered = {name: kept[name] for name in own if name in kept}
    left_out = len(own) - len(kept)
    return json.dumps({**ordered, "...": f"{left_out:,} more left out"} if left_out else ordered)


def is_secret_name(name: str) -> bool:
    """Whether the value of that name is masked as a whole."""
    return re.search(_HIDDEN, name, re.IGNORECASE) is not None


def _length(value: object) -> int:
    return len(value) if isinstance(value, str | list | tuple) else 0


def _masked(name: str, value: object, secrets: str | re.Pattern[str] | None, room: int) -> object:
    return MASK if is_secret_name(name) and _is_true(value) else _plain(value, secrets, room)


def _is_true(value: object) -> bool:
    try:
        return bool(value)
    except Exception:  # noqa: BLE001 - an array has no truth value
        return True


def _plain(value: object, secrets: str | re.Pattern[str] | None, room: int, depth: int = 0) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):  # Python refuses to print thousands of digits
        bits = value.bit_length()
        return value if bits <= _INTEGER_BITS else f"an integer of {bits:,} bits"
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, list | tuple) and depth < _DEEPEST:
        return _items(value, secrets, room, depth)
    return _bounded_text(value if isinstance(value, str) else _repr(value), secrets, room)


def _repr(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - no run fails because its arguments cannot be printed
        return f"an object of type {type(value).__name__}"


def _bounded_text(text: str, secrets: str | re.Pattern[str] | None, room: int) -> str:
    # The pattern takes 2 ms to compile: too long for a single word or number.
    is_word = len(text) <= _TEXT_IN_ARGUMENTS and text.isalnum()
    kept = text if is_word else masked_tail(text, _TEXT_IN_ARGUMENTS, secrets)
    note = (
        f"[the end of {len(text):,} characters] "
        if len(_storable(text[: _TEXT_IN_ARGUMENTS + 1]).encode()) > _TEXT_IN_ARGUMENTS
        else ""
    )
    limit = _TEXT_IN_ARGUMENTS
    while len(json.dumps(note + kept)) > room and limit > _NOTE_ROOM:
        limit //= 2  # what was masked stays masked
        note, kept = f"[the end of {len(text):,} characters] ", _end(kept, limit)
    return note + kept


def _items(
    values: Sequence[object], secrets: str | re.Pattern[str] | None, room: int, depth: int
) -> list[object]:
    shown: list[object] = []
    room -= _NOTE_ROOM
    for number, value in enumerate(values):
        item = _plain(value, secrets, room, depth + 1)
        room -= len(json.dumps(item)) + len(", ")
        if room < 0:
            return [*_masked_together(shown, secrets), f"... {len(values) - number:,} more left out"]
        shown.append(item)
    return _masked_together(shown, secrets)


def _masked_together(items: list[object], secrets: str | re.Pattern[str] | None) -> list[object]:
    """Mask the items of a list such as ``["--password", "x"]``, in which one names the secret and the next one is it."""
    if secrets is not None or not any(isinstance(item, str) and item.startswith("-") for item in items):
        return items
    # Search the printed list; quotes within an item would end it.
    texts = [item.translate(_NO_QUOTES) if isinstance(item, str) else "" for item in items]
    line = ", ".join(f"'{text}'" for text in texts)
    spans, start, masked = compiled(None).spans(line), 1, []
    for item, text in zip(items, texts, strict=True):
        stop = start + len(text)
        here = [(max(begin, start) - start, min(end, stop) - start) for begin, end in spans]
        masked.append(_replaced(item, here, 0, len(text)) if isinstance(item, str) else item)
        start = stop + len("', '")
    return masked
