"""One pass over the command files: what each says at a glance, the facts of the others, all of them linked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from scripts_tracker.analysis import codes, memos, sources
from scripts_tracker.analysis.coding import Outcome
from scripts_tracker.analysis.cycles import cycles
from scripts_tracker.analysis.linking import HiddenBaseError, Linker
from scripts_tracker.analysis.memos import key_of_file
from scripts_tracker.analysis.modules import Library, Module
from scripts_tracker.analysis.requirements import Commands, RequirementReader
from scripts_tracker.analysis.resolving import Resolver
from scripts_tracker.analysis.sniffing import Sniffer
from scripts_tracker.analysis.stores import MemoryStore
from scripts_tracker.analysis.values import Const
from scripts_tracker.analysis.watching import WatchReader
from scripts_tracker.datatypes import Fingerprint, ProjectIndex, Requirement, ScriptDefinition, ScriptId
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts_tracker.analysis.facts import OwnScript
    from scripts_tracker.analysis.findings import Findings
    from scripts_tracker.analysis.memos import Basis
    from scripts_tracker.analysis.modules import Finder
    from scripts_tracker.analysis.sources import CommandFile
    from scripts_tracker.analysis.stores import FactStore
    from scripts_tracker.datatypes import Finding


class _Pending(NamedTuple):
    """A command file that is linked when the facts of all are there."""

    file: CommandFile
    home: Module
    source: bytes
    digest: str


_NOTHING: Final = Outcome()


class Scan:
    """One pass over the command files.

    Args:
        files: the files; where two give the same script, the first counts.
        finder: finds modules.
        store: knows the facts of bytes that were analysed before.
        findings: takes what is wrong.
        for_lint: whether what is parsed is put before the rules of the lint.
    """

    def __init__(
        self,
        files: Sequence[CommandFile],
        finder: Finder,
        store: FactStore | None,
        findings: Findings,
        *,
        for_lint: bool = False,
    ) -> None:
        self._files = files
        self._finder = finder
        self._library = Library(store if store is not None else MemoryStore(), for_lint=for_lint)
        self._findings = findings
        self._digests: dict[str, str] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._lineages: dict[ScriptId, tuple[tuple[str, str], ...]] = {}
        self._known: Basis | None = None
        self._sniffer = Sniffer(finder, self._library)
        resolver = Resolver(finder, self._library)
        self._requirements = RequirementReader(Commands(files), resolver, findings.report)
        self._watches = WatchReader(finder, self._library, findings)
        self._linker = Linker(
            resolver=resolver,
            sniffer=self._sniffer,
            findings=findings,
            requirements=self._requirements,
            watches=self._watches,
        )

    def index(self, known: Basis | None = None) -> ProjectIndex:
        """The scripts that the files define, and everything that is wrong.

        Args:
            known: what holds from an earlier pass; the files it tells of are not looked at.
        """
        self._known = known
        self._look_at(
            [
                file
                for file in self._files
                if not (file.ignored or (known and key_of_file(file) in known.outcomes))
            ]
        )
        checked = check_requirements(self._definitions(), self._findings)
        return ProjectIndex(tuple(checked[one] for one in sorted(checked)), tuple(self._findings))

    def inherited(self, script: ScriptId) -> Sequence[tuple[str, str]]:
        """The classes that a script is made of, as path and name, where they are not all in its own file."""
        return self._lineages.get(script, ())

    def digest_of(self, path: str) -> str:
        """The digest of a file that was read; empty where it was not."""
        known = self._known
        mine = self._digests.get(path) or (self._library.digests or {}).get(path, "")
        return mine or ((known.digests.get(path) or known.read.get(path, "")) if known else "")

    def remembered(self, index: ProjectIndex, since: int) -> str | None:
        """The text that an index can be recalled from, if it can; ``since`` is when looking at files began."""
        if self._library.digests is None:
            return None
        known = self._known or memos.Basis({}, {}, {}, {}, ())
        paths = [file.path for file in self._files if not file.ignored]
        basis = known._replace(
            digests={
                **known.digests,
                **{path: self.digest_of(path) for path in paths if path not in known.digests},
            },
            outcomes={**known.outcomes, **self._outcomes},
            probes={**known.probes, **self._finder.probes},
            read={**known.read, **self._library.digests},
            found={*known.found, *self._finder.found.intersection(paths)},
        )
        return memos.remembered(index, self._files, since, basis)

    def _outcome(self, file: CommandFile) -> Outcome:
        key = key_of_file(file)
        outcome = self._outcomes.get(key)
        if outcome is None and self._known:
            outcome = self._known.outcomes.get(key)
        return outcome or _NOTHING

    def _look_at(self, files: Sequence[CommandFile]) -> None:
        """Find out what becomes of some files, all of them together: many may have to be parsed."""
        pending: list[tuple[_Pending, set[Finding]]] = []
        for file in files:
            with self._findings.recorded() as said:
                one = self._look(file)
            if isinstance(one, _Pending):
                pending.append((one, said))
            elif one is not None or said:
                self._outcomes[key_of_file(file)] = Outcome(one, tuple(sorted(said)))
        self._library.learn((one.file.path, one.source, one.digest) for one, _ in pending)
        for one, said in pending:
            with self._findings.recorded() as more:
                definition = self._linked(one)
            lineage = self._linker.lineages.pop(definition.id, ()) if definition else ()
            self._outcomes[key_of_file(one.file)] = Outcome(definition, tuple(sorted(said | more)), lineage)

    def _definitions(self) -> dict[ScriptId, ScriptDefinition]:
        """The tracked scripts, and the files of which nobody can tell; the first of an identity counts."""
        found: dict[ScriptId, ScriptDefinition] = {}
        for file in self._files:
            outcome = self._outcome(file)
            self._findings.take(outcome.findings)
            definition = outcome.definition
            if definition is None:
                continue
            first = found.setdefault(definition.id, definition)
            self._lineages.setdefault(definition.id, outcome.lineage)
            if first is not definition:
                self._findings.add(
                    definition.location,
                    codes.SHADOWED,
                    f"{definition.id} is hidden by another command of that name in {first.location.path}",
                    "Rename one of the two files, or give one of the apps another label.",
                )
        return found

    def _look(self, file: CommandFile) -> ScriptDefinition | _Pending | None:
        """What a file says at a glance; nothing is kept of the many that are no scripts."""
        try:
            source = sources.read_bytes(file.path)
        except UnreadableSource as error:
            self._findings.unreadable(file.path, error)
            return self._unreadable(file, "", error.line, error.column)
        digest = self._digests[file.path] = sources.content_digest(source)
        home = Module(file.module, file.path, is_package=False)
        if b"\x00" in source:
            binary = _nul_bytes(source)
            self._findings.unreadable(file.path, binary)
            return self._unreadable(file, digest, binary.line, binary.column)
        marked = sources.has_marker(source)
        if not marked and not self._sniffer.command_leads_to_marker(home, source, self._linker.may_track):
            return None
        verdict = self._library.verdict(digest) if marked else None
        if verdict is None:
            return _Pending(file, home, source, digest)
        return None if verdict.script is None else self._decided(file, home, verdict.script, digest)

    def _decided(self, file: CommandFile, home: Module, script: OwnScript, digest: str) -> ScriptDefinition:
        """The script that a file defines by itself."""
        requires: dict[object, Requirement] = {}
        for name, place in script.requires:
            required = self._requirements.constant(Const(name), place, home, file.folder.app_label)
            if required is not None:
                target, text = required
                location = self._findings.location(file.path, place)
                requires.setdefault(target or text, Requirement(target, text, location))
        return ScriptDefinition(
            id=ScriptId(file.folder.app_label, file.name),
            location=self._findings.location(file.path, script.place),
            fingerprint=Fingerprint.parse(script.fingerprint),
            content_digest=digest,
            help=script.help,
            options=script.options,
            requires=tuple(requires.values()),
            watches=self._watches.read(script.options.watch, home, script.watch_at, file.path)
            if script.watch_at
            else (),
        )

    def _linked(self, one: _Pending) -> ScriptDefinition | None:
        try:
            facts = self._library.facts(one.file.path)
            if facts.verdict is not None:
                script = facts.verdict.script
                return None if script is None else self._decided(one.file, one.home, script, one.digest)
            return self._linker.link(one.file, facts, one.home, one.digest)
        except UnreadableSource as error:
            self._findings.unreadable(one.file.path, error)
            return self._unreadable(one.file, one.digest, error.line, error.column)
        except HiddenBaseError:
            return self._unreadable(one.file, one.digest, 1, 1)

    def _unreadable(self, file: CommandFile, digest: str, line: int, column: int) -> ScriptDefinition:
        return ScriptDefinition(
            id=ScriptId(file.folder.app_label, file.name),
            location=self._findings.location(file.path, (line, column)),
            fingerprint=None,
            content_digest=digest,
        )


def _nul_bytes(source: bytes) -> UnreadableSource:
    before = source[: source.index(b"\x00")]
    column = len(before) - (before.rfind(b"\n") + 1) + 1
    return UnreadableSource(
        "it contains NUL bytes, so it is binary or not encoded in UTF-8", before.count(b"\n") + 1, column
    )


def check_requirements(
    definitions: Mapping[ScriptId, ScriptDefinition], findings: Findings
) -> dict[ScriptId, ScriptDefinition]:
    """The definitions with only tracked scripts as requirements; reports untracked ones, itself, and circles."""
    checked = {
        one: replace(
            definition,
            requires=tuple(_checked(one, each, definitions, findings) for each in definition.requires),
        )
        if definition.requires
        else definition
        for one, definition in definitions.items()
    }
    edges = {
        one: [each.target for each in definition.requires if each.target is not None]
        for one, definition in checked.items()
    }
    for circle in cycles(edges):
        first, second = circle[0], circle[1]
        place = next(each.location for each in checked[first].requires if each.target == second)
        path = " -> ".join(map(str, (*circle, first)))
        findings.add(
            place,
            codes.REQUIREMENT_CYCLE,
            f"these scripts require each other in a circle: {path}",
            "Remove one of the @required_preceding_script arguments on this way.",
        )
    return checked


def _checked(
    one: ScriptId, each: Requirement, definitions: Mapping[ScriptId, ScriptDefinition], findings: Findings
) -> Requirement:
    if each.target is None:
        return each
    if each.target == one:
        findings.add(
            each.location,
            codes.SELF_REQUIREMENT,
            f"{one} requires itself, so it could never run",
            "Remove the name from @required_preceding_script.",
        )
    elif each.target not in definitions:
        findings.add(
            each.location,
            codes.UNTRACKED_REQUIREMENT,
            f"the required command {each.target} is not tracked, so nobody knows whether it has run",
            "Put @tracked_script on its handle(), or take it out of the ignored files.",
        )
        return replace(each, target=None)
    return each
