"""What most files settle by themselves: linked with nothing else in sight, once, when their facts are made.

A file whose command inherits from Django alone and is decorated by us alone means the same in every project, so a
check need not link it again. Whatever asks for another file has no verdict and is linked every time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis.facts.values import Const, OwnScript, Verdict
from scripts_tracker.analysis.findings import Findings
from scripts_tracker.analysis.linking.linker import HiddenBaseError, Linker
from scripts_tracker.analysis.linking.modules import SKIPPED, Module
from scripts_tracker.analysis.linking.prefilter import Sniffer
from scripts_tracker.analysis.linking.resolving import Resolver
from scripts_tracker.analysis.source.reading import CommandFile
from scripts_tracker.core.values import CommandsDir
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts_tracker.analysis.facts.extraction import Extraction
    from scripts_tracker.analysis.facts.values import Argument, FileFacts
    from scripts_tracker.analysis.linking.resolving import OurUse
    from scripts_tracker.core.values import ModuleVersion, Place, ScriptId

# So deep in packages that no relative import leads outside.
_HOME: Final = Module(".".join(["here"] * 50), "here.py", is_package=False)
_FILE: Final = CommandFile(CommandsDir("here", "", ""), "here", "here.py", ignored=False)


class _OtherFileError(Exception):
    """The answer depends on another file."""


class _NothingElse:
    """A Finder and a Library to which the file is all there is."""

    def __init__(self, facts: FileFacts) -> None:
        self._facts = facts

    def find(self, name: str) -> Module | None:
        if name.partition(".")[0] not in SKIPPED:
            raise _OtherFileError(name)
        return None

    def longest(self, path: str) -> None:
        self.find(path)

    def source(self, path: str) -> bytes:
        raise _OtherFileError(path)

    def facts(self, path: str) -> FileFacts:
        if path != _HOME.path:
            raise _OtherFileError(path)
        return self._facts

    def mentions(self, path: str, name: str) -> bool:
        return name in self.facts(path).names

    def has_star(self, path: str) -> bool:
        return bool(self.facts(path).stars)


class _Texts:
    """Reads requirements that are literals; which scripts they name is for the project to say."""

    def __init__(self) -> None:
        self.found: list[tuple[str, Place]] = []

    def read(self, use: OurUse, _app_label: str) -> list[tuple[ScriptId | None, str, Module, Place]]:
        arguments = use.call.arguments if use.call else ()
        for argument in arguments:
            text = _text(argument)
            if not text or argument.keyword is not None or argument.star:
                raise _OtherFileError
            self.found.append((text, argument.place))
        if not arguments:
            raise _OtherFileError
        return []


class _Watched:
    """Takes down where modules to watch are named; what they are is for the project to say."""

    def __init__(self) -> None:
        self.at: Place | None = None

    def read(
        self,
        _names: Sequence[str],
        _home: Module,
        place: Place,
        _own_path: str,
    ) -> tuple[ModuleVersion, ...]:
        self.at = place
        return ()


def _text(argument: Argument) -> str | None:
    value = argument.values[0] if len(argument.values) == 1 else None
    return value.value if isinstance(value, Const) and isinstance(value.value, str) else None


def verdict(facts: FileFacts) -> Verdict | None:
    """What the file is, whatever stands in others; None where it depends on them, or where something is wrong."""
    alone, findings, texts, watched = _NothingElse(facts), Findings(""), _Texts(), _Watched()
    linker = Linker(
        resolver=Resolver(alone, alone),
        sniffer=Sniffer(alone, alone),
        findings=findings,
        requirements=texts,
        watches=watched,
    )
    try:
        found = linker.link(_FILE, facts, _HOME, "")
    except (_OtherFileError, HiddenBaseError, UnreadableSource):
        return None
    if any(findings):
        return None
    if found is None:
        return Verdict(None)
    return (
        None
        if found.fingerprint is None
        else Verdict(
            OwnScript(
                str(found.fingerprint),
                (found.location.line, found.location.column),
                found.help,
                found.options,
                tuple(texts.found),
                watched.at,
            )
        )
    )


def with_verdict(facts: FileFacts, _extraction: Extraction) -> FileFacts:
    """The facts with the verdict; see ``compiling.compiled``."""
    return facts._replace(verdict=verdict(facts))
