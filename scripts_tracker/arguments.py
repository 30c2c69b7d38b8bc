"""What a run was given, in a form that every database keeps: JSON, bounded, without secrets."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TEXT_LIMIT = 64 * 1024

# The names that Django's own error reports hide (django.views.debug, which is too dear to import for this).
_SECRET = re.compile("API|AUTH|TOKEN|KEY|SECRET|PASS|SIGNATURE", re.IGNORECASE)
_MASK = "********************"

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


def bounded(text: str) -> str:
    """The end of a text, at most 64 KiB, without what PostgreSQL and UTF-8 refuse."""
    clean = text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace")
    return clean[-TEXT_LIMIT:].decode("utf-8", "ignore")


def shareable(text: str) -> str:
    """What a script printed or raised, bounded and without secrets."""
    return bounded(text)


def shown(args: Sequence[object], options: Mapping[str, object]) -> str:
    """The arguments of a run as JSON text, with values of secret-sounding options masked as Django masks settings."""
    own = {name: _masked(name, value) for name, value in options.items() if name not in _OF_DJANGO}
    return json.dumps({**({"args": [_plain(value) for value in args]} if args else {}), **own})


def _masked(name: str, value: object) -> object:
    return _MASK if _SECRET.search(name) and value else _plain(value)


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return bounded(value if isinstance(value, str) else repr(value))[-1000:]
