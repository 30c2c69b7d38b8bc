"""One process whose wall clock is off, as that of a badly kept host; its monotonic clock is right."""

from __future__ import annotations

from pathlib import Path

from tests.databases.servers import absent

# Debian keeps it in a folder of the machine's architecture. MT: for programs with threads.
PLACES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1")


def off_by(offset: str) -> dict[str, str]:
    """The environment of a process whose clock is off, such as by "+1h" or "-1h"."""
    found = [file for place in PLACES for file in Path("/").glob(place.lstrip("/"))]
    if not found:
        absent("no libfaketime: install the Debian package faketime")
    return {"LD_PRELOAD": str(found[0]), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
