"""One pass over the command files: what each says at a glance, the facts of the others, all of them linked."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.facts.values import Const
from scripts_tracker.analysis.findings import Findings
from scripts_tracker.analysis.linking.arguments import Commands, RequirementReader, WatchReader
from scripts_tracker.analysis.linking.linker import HiddenBaseError, Linker
from scripts_tracker.analysis.linking.modules import VERDICT, Library, Module
from scripts_tracker.analysis.linking.prefilter import Sniffer
from scripts_tracker.analysis.linking.resolving import Resolver
from scripts_tracker.analysis.source import reading
from scripts_tracker.analysis.store import index_cache
from scripts_tracker.analysis.store.cache import MemoryStore
from scripts_tracker.analysis.store.index_cache import Outcome, key_of_file
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import Fingerprint, ProjectIndex, Requirement, ScriptDefinition, ScriptId
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from scripts_tracker.analysis.facts.values import FileFacts, OwnScript
    from scripts_tracker.analysis.linking.modules import Finder
    from scripts_tracker.analysis.source.reading import CommandFile
    from scripts_tracker.analysis.store.cache import FactStore
    from scripts_tracker.analysis.store.index_cache import Basis, IndexMemory
    from scripts_tracker.core.values import CommandsDir, Finding


def cycles(requires: Mapping[ScriptId, Sequence[ScriptId]]) -> list[tuple[ScriptId, ...]]:
    """The shortest circle through every script that stands in one, each circle once.

    Args:
        requires: for each script the scripts it requires; what requires itself alone is left out.

    Returns:
        Circles that start with their first script in sort order, sorted.
    """
    edges = _core({one: [other for other in others if other != one] for one, others in requires.items()})
    found = set()
    for start in sorted(edges):
        circle = _shortest(start, edges)
        if circle:
            first = circle.index(min(circle))
            found.add((*circle[first:], *circle[:first]))
    return sorted(found)


def _core(edges: dict[ScriptId, list[ScriptId]]) -> dict[ScriptId, list[ScriptId]]:
    """Without the scripts that require nothing that is left: none of them stands in a circle."""
    while True:
        kept = {
            one: left
            for one, others in edges.items()
            if (left := [other for other in others if edges.get(other)])
        }
        if kept == edges:
            return edges
        edges = kept


def _shortest(start: ScriptId, edges: Mapping[ScriptId, Sequence[ScriptId]]) -> tuple[ScriptId, ...]:
    before: dict[ScriptId, ScriptId] = {}
    queue = deque([start])
    while queue:
        current = queue.popleft()
        for other in edges.get(current, ()):
            if other == start:
                path = [current]
                while path[-1] != start:
                    path.append(before[path[-1]])
                return tuple(reversed(path))
            if other not in before:
                before[other] = current
                queue.append(other)
    return ()


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
        also: what else completes the facts of what is parsed, as ``module:function``.
    """

    def __init__(
        self,
        files: Sequence[CommandFile],
        finder: Finder,
        store: FactStore | None,
        findings: Findings,
        also: Sequence[str] = (),
    ) -> None:
        self._files = files
        self._finder = finder
        self._library = Library(store if store is not None else MemoryStore(), also)
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
        known = self._known or index_cache.Basis({}, {}, {}, {}, ())
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
        return index_cache.remembered(index, self._files, since, basis)

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
                    codes.SHADOWED_COMMAND,
                    f"{definition.id} is hidden by another command of that name in {first.location.path}",
                    "Rename one of the two files, or give one of the apps another label.",
                )
        return found

    def _look(self, file: CommandFile) -> ScriptDefinition | _Pending | None:
        """What a file says at a glance; nothing is kept of the many that are no scripts."""
        try:
            source = reading.read_bytes(file.path)
        except UnreadableSource as error:
            self._findings.unreadable(file.path, error)
            return self._unreadable(file, "", error.line, error.column)
        digest = self._digests[file.path] = reading.content_digest(source)
        home = Module(file.module, file.path, is_package=False)
        if b"\x00" in source:
            binary = _nul_bytes(source)
            self._findings.unreadable(file.path, binary)
            return self._unreadable(file, digest, binary.line, binary.column)
        marked = reading.has_marker(source)
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
        one: definition._replace(
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
            codes.CIRCULAR_REQUIREMENT,
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
        return each._replace(target=None)
    return each


def facts_of(source: bytes) -> FileFacts:
    """What one file says by itself, from its bytes alone.

    Raises:
        UnreadableSource: with line, column and reason, where the source cannot be analysed.
    """
    from scripts_tracker.analysis.store.compiling import compiled

    return compiled(source, (VERDICT,))


def analyse(
    dirs: Sequence[CommandsDir],
    *,
    root: str,
    import_roots: Sequence[str] = (),
    ignored_files: Collection[str] = ("__init__.py",),
    ignored_prefixes: tuple[str, ...] = (),
    store: FactStore | None = None,
    memory: IndexMemory | None = None,
) -> ProjectIndex:
    """All tracked scripts of a project, and everything that is wrong with them.

    Args:
        dirs: the folders of commands; where two give the same script, the first counts.
        root: the project root, absolute; locations are relative to it.
        import_roots: further absolute folders in which modules of base classes are looked for.
        ignored_files: names of files to leave out.
        ignored_prefixes: beginnings of names of files to leave out.
        store: knows the facts of bytes that were analysed before.
        memory: remembers whole results, for as long as nothing that they depend on changes.

    Returns:
        Definitions sorted by id, findings by place. A file that cannot be analysed is a definition without
        fingerprint and a finding, since nobody can tell whether it is tracked.
    """
    findings, since = Findings(root), reading.now()
    files = command_files(dirs, findings, ignored_files, ignored_prefixes)
    key = index_cache.key_of(dirs, root, import_roots) if memory else ""
    known = index_cache.recalled(memory.recall(key), files, since) if memory and not any(findings) else None
    if known is not None and known.project is not None:
        if memory and known.fresh is not None:
            memory.remember(key, known.fresh)
        return known.project
    # Twenty modules that a check needs only where something is new.
    from scripts_tracker.analysis.linking.modules import Finder

    scan = Scan(files, Finder(dirs, root, import_roots), store, findings)
    index = scan.index(known.basis if known else None)
    if memory and (text := scan.remembered(index, since)) is not None:
        memory.remember(key, text)
    return index


def command_files(
    dirs: Sequence[CommandsDir],
    findings: Findings,
    ignored_files: Collection[str] = ("__init__.py",),
    ignored_prefixes: tuple[str, ...] = (),
) -> list[CommandFile]:
    """All commands in some folders, ignored ones included; takes down which folders cannot be listed."""
    ignored = {name.lower() for name in ignored_files}
    prefixes = tuple(prefix.lower() for prefix in ignored_prefixes if prefix)
    return [file for folder in _distinct(dirs) for file in _files(folder, ignored, prefixes, findings)]


def _distinct(dirs: Sequence[CommandsDir]) -> list[CommandsDir]:
    """The folders without those that are named twice."""
    by_place: dict[tuple[str, str], CommandsDir] = {}
    for folder in dirs:
        by_place.setdefault((folder.app_label, os.path.realpath(folder.path)), folder)
    return list(by_place.values())


def _files(
    folder: CommandsDir, ignored_files: Collection[str], ignored_prefixes: tuple[str, ...], findings: Findings
) -> list[CommandFile]:
    try:
        files = reading.list_commands(folder, ignored_files, ignored_prefixes)
    except UnreadableSource as error:
        hint = "Create the folder, correct COMMANDS_DIRS in the settings, or remove the app."
        findings.add(findings.location(folder.path), codes.UNREADABLE_FILE, error.reason, hint)
        return []
    kept = []
    for file in files:
        try:
            file.name.encode()
        except UnicodeEncodeError:
            hint = "Rename the file: letters, digits and underscores are understood everywhere."
            message = "the name of the file is no valid UTF-8"
            findings.add(findings.location(file.path), codes.UNREADABLE_FILE, message, hint)
        else:
            kept.append(file)
    return kept
