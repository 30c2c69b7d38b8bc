"""What a run was given, in a form that every database keeps: JSON, bounded, without secrets."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

from scripts_tracker import masking

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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


def printed(text: str, limit: int, secrets: str | re.Pattern[str] | None) -> str:
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
    return _end(masking.mask(clean, masking.compiled(secrets), start), limit)


def _storable(text: str) -> str:
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()


def _end(text: str, limit: int) -> str:
    return text.encode()[-limit:].decode("utf-8", "ignore")


def _line_start(text: str, start: int, near: int) -> int:
    """The start of the first whole line from a cut on, the cut itself where that is not near."""
    if start == 0:
        return 0
    return text.find("\n", start - 1, start + near) + 1 or start


def shown(
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
    return masking.MASK if re.search(_HIDDEN, name, re.IGNORECASE) and value else _plain(value, secrets)


def _plain(value: object, secrets: str | re.Pattern[str] | None) -> object:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, list | tuple):
        return [_plain(item, secrets) for item in value]
    text = value if isinstance(value, str) else repr(value)
    # A word by itself, or a date, is not worth the 2 ms that the pattern takes to compile.
    return bounded(text, 1000) if text.isalnum() else printed(text, 1000, secrets)
