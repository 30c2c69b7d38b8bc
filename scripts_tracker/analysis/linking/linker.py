"""All command files together: the scripts of a project, their requirements of each other, and what is wrong."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.findings import in_script
from scripts_tracker.analysis.linking.modules import FactsLoader, Finder, Module
from scripts_tracker.analysis.linking.scripts import HiddenBaseError, ScriptReader
from scripts_tracker.analysis.source import reading
from scripts_tracker.analysis.store.index_cache import (
    NOT_A_SCRIPT,
    Inputs,
    LinkedFile,
    every_version,
    key_of_file,
)
from scripts_tracker.core.cycles import find_cycles
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import PENDING, Finding, ProjectIndex, ScriptDefinition, ScriptId
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scripts_tracker.analysis.facts.values import FileFacts
    from scripts_tracker.analysis.findings import Findings
    from scripts_tracker.analysis.source.reading import CommandFile
    from scripts_tracker.analysis.store.cache import Cache
    from scripts_tracker.analysis.store.compiling import Question
    from scripts_tracker.analysis.store.index_cache import ComparableVersions
    from scripts_tracker.core.cycles import Cycle
    from scripts_tracker.core.values import Fingerprint, Requirement


_MOST_NAMES: Final = 5


class _Pending(NamedTuple):
    """A command file that waits for its facts."""

    file: CommandFile
    source: bytes
    digest: str
    is_on_disk: bool = False


class Linker:
    """Links the command files of a project.

    Args:
        files: the files; where two give the same script, the first counts.
        finder: finds modules.
        cache: has facts from before, and takes new ones.
        findings: takes what is wrong.
        question: what else to find out about files that are parsed.
        instead: the bytes that count for some paths of modules, in place of those of the files.
        comparable: what scripts are compared with; every fingerprint is needed where it is not given.
    """

    def __init__(
        self,
        files: Sequence[CommandFile],
        finder: Finder,
        cache: Cache,
        findings: Findings,
        question: Question | None = None,
        *,
        instead: Mapping[str, bytes] = MappingProxyType({}),
        comparable: ComparableVersions = every_version,
    ) -> None:
        self._files = files
        self._finder = finder
        self._since = reading.now()
        self._loader = FactsLoader(cache, question, instead, self._wants_fingerprint, self._is_valid)
        self._comparable = comparable
        self._pending: dict[str, list[_Pending]] = {}
        self._findings = findings
        self._reader = ScriptReader(files, finder, self._loader, findings)
        self._digests: dict[str, str] = {}
        self._without_source: list[CommandFile] = []
        self._linked: dict[str, LinkedFile] = {}
        self._mros: dict[ScriptId, tuple[tuple[str, str], ...]] = {}
        self._known = Inputs()

    def index(self, known: Inputs | None = None) -> ProjectIndex:
        """The scripts that the files define, and everything that is wrong.

        Args:
            known: what still holds of an earlier pass; the files with a result there are not read.
        """
        self._known = known or self._known
        linked = self._known.linked
        self._link(file for file in self._files if not file.ignored and key_of_file(file) not in linked)
        self._report_without_source()
        checked = check_requirements(self._definitions(), self._findings)
        return ProjectIndex(tuple(checked[one] for one in sorted(checked)), tuple(self._findings))

    def script_in(self, file: CommandFile, source: bytes) -> ScriptDefinition | None:
        """The script that a command file with these bytes would define; None for no script."""
        one = _Pending(file, source, reading.content_digest(source))
        self._load([one])
        return self._script(one)

    def mro(self, script: ScriptId) -> Sequence[tuple[str, str]]:
        """The classes of a script, as path and name; empty if all of them are in its own file."""
        return self._mros.get(script, ())

    def digest_of(self, path: str) -> str:
        """The digest of a file; empty if it was not read."""
        mine = self._digests.get(path) or (self._loader.digests or {}).get(path, "")
        return mine or self._known.digests.get(path) or self._known.read.get(path, "")

    @property
    def inputs(self) -> Inputs | None:
        """Everything that the index was made from; None if a file could not be read."""
        if self._loader.digests is None:
            return None
        known = self._known
        paths = [file.path for file in self._files if not file.ignored]
        return known._replace(
            digests={
                **known.digests,
                **{path: self.digest_of(path) for path in paths if path not in known.digests},
            },
            linked={**known.linked, **self._linked},
            probes={**known.probes, **self._finder.probes},
            read={**known.read, **self._loader.digests},
            found={*known.found, *self._finder.found.intersection(paths)},
        )

    def _link(self, files: Iterable[CommandFile]) -> None:
        """Link some files, all of them together, because many may have to be parsed."""
        pending: list[tuple[_Pending, set[Finding]]] = []
        for file in files:
            with self._findings.recorded() as findings:
                one = self._read(file)
            if isinstance(one, _Pending):
                pending.append((one, findings))
            elif one is not None or findings:
                self._linked[key_of_file(file)] = LinkedFile(one, tuple(sorted(findings)))
        self._load(one for one, _ in pending)
        for one, findings in pending:
            with self._findings.recorded() as more:
                definition = self._script(one)
            mro = self._reader.mros.pop(definition.id, ()) if definition else ()
            every = findings | more
            if definition:
                every = self._findings.move(every, definition.location)
            self._linked[key_of_file(one.file)] = LinkedFile(definition, tuple(sorted(every)), mro)

    def _definitions(self) -> dict[ScriptId, ScriptDefinition]:
        """The tracked scripts, and the unreadable files; the first with an id counts."""
        found: dict[ScriptId, ScriptDefinition] = {}
        for file in self._files:
            key = key_of_file(file)
            one = self._linked.get(key) or self._known.linked.get(key) or NOT_A_SCRIPT
            self._findings.update(one.findings)
            definition = one.definition
            if definition is None:
                continue
            first = found.setdefault(definition.id, definition)
            self._mros.setdefault(definition.id, one.mro)
            if first is not definition:
                self._findings.add(
                    definition.location,
                    codes.SHADOWED_COMMAND,
                    f"{definition.id} is shadowed by the command with this name in {first.location.path}",
                    "Rename one of the files, or change the label of one of the apps.",
                )
        return found

    def _read(self, file: CommandFile) -> ScriptDefinition | _Pending | None:
        """Read a file. Nothing is kept of one that cannot be a script, as most cannot."""
        if not file.has_source:
            self._without_source.append(file)
            return self._unreadable(file, "", 1, 1)
        try:
            source = reading.read_bytes(file.path)
        except UnreadableSource as error:
            self._findings.unreadable(file.path, error)
            return self._unreadable(file, "", error.line, error.column)
        digest = self._digests[file.path] = reading.content_digest(source)
        if b"\x00" in source:
            binary = _nul_bytes(source)
            self._findings.unreadable(file.path, binary)
            return self._unreadable(file, digest, binary.line, binary.column)
        is_candidate = reading.mentions_us(source) or self._reader.may_inherit(source, _home(file))
        return _Pending(file, source, digest, is_on_disk=True) if is_candidate else None

    def _report_without_source(self) -> None:
        """One finding for all commands without source: there are none, or as many as commands."""
        files = self._without_source
        if files:
            names = [f"{file.folder.app_label}.{file.name}" for file in files]
            shown = ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")
            count = "1 command has" if len(files) == 1 else f"{len(files)} commands have"
            self._findings.add(
                self._findings.location(files[0].path),
                codes.UNREADABLE_FILE,
                f"{count} no source code here, so nothing is known of them: {shown}",
                "Keep the .py files of management/commands in the image, or run the check where they are.",
            )

    def _load(self, pending: Iterable[_Pending]) -> None:
        files = list(pending)
        for one in files:
            self._pending.setdefault(one.file.path, []).append(one)
        self._loader.load((one.file.path, one.source, one.digest) for one in files)
        self._pending = {}

    def _wants_fingerprint(self, path: str) -> bool:
        """Whether the fingerprint of a file has to be computed, to compare it with a version of other bytes."""
        files = self._pending.get(path)
        if files is None:  # of a base class
            return self._comparable is every_version
        versions = [(one, self._comparable(one.file.script_id)) for one in files]
        return any(known is not None and _known_version(one, known) is None for one, known in versions)

    def _is_valid(self, path: str) -> bool:
        """Whether Python has compiled a command file as it was read."""
        from scripts_tracker.analysis.source.bytecode import has_bytecode  # only where files are new

        files = self._pending.get(path, ())
        return any(one.is_on_disk and has_bytecode(path, len(one.source), self._since) for one in files)

    def _script(self, one: _Pending) -> ScriptDefinition | None:
        try:
            facts = self._loader.facts(one.file.path)
            definition = self._reader.read(one.file, facts, _home(one.file), one.digest)
        except UnreadableSource as error:
            self._findings.unreadable(one.file.path, error)
            return self._unreadable(one.file, one.digest, error.line, error.column)
        except HiddenBaseError:
            return self._unreadable(one.file, one.digest, 1, 1)
        if definition is None:
            return None
        self._report_unread(definition, one.file.path, facts)
        if definition.fingerprint is not None and definition.fingerprint.is_pending:
            versions = self._comparable(definition.id) or {}
            return definition._replace(fingerprint=_known_version(one, versions) or PENDING)
        return definition

    def _report_unread(self, script: ScriptDefinition, path: str, facts: FileFacts) -> None:
        """Report what is left out of the file of a script, and of the files of its base classes."""
        if facts.unread is not None:
            self._findings.followed_by_bytes(path, *facts.unread)
        for base in {one for one, _ in self._reader.mros.get(script.id, ())} - {path}:
            unread = self._loader.facts(base).unread
            if unread is not None:
                self._findings.inherited_in_part(script.location, base, *unread)

    def _unreadable(self, file: CommandFile, digest: str, line: int, column: int) -> ScriptDefinition:
        return ScriptDefinition(
            id=file.script_id,
            location=self._findings.location(file.path, (line, column)),
            fingerprint=None,
            content_digest=digest,
        )


def _known_version(one: _Pending, versions: Mapping[str, Fingerprint]) -> Fingerprint | None:
    """The fingerprint of a version that differs from a file at most in its line endings; None without one."""
    if not versions or one.digest in versions:
        return versions.get(one.digest)
    digests = map(reading.content_digest, reading.with_other_line_endings(one.source))
    return next((versions[digest] for digest in digests if digest in versions), None)


def _home(file: CommandFile) -> Module:
    return Module(file.module, file.path, is_package=False)


def _nul_bytes(source: bytes) -> UnreadableSource:
    before = source[: source.index(b"\x00")]
    column = len(before) - (before.rfind(b"\n") + 1) + 1
    return UnreadableSource(
        "it contains NUL bytes, so it is binary or not in UTF-8", before.count(b"\n") + 1, column
    )


def check_requirements(
    definitions: Mapping[ScriptId, ScriptDefinition], findings: Findings
) -> dict[ScriptId, ScriptDefinition]:
    """The definitions with only tracked scripts as requirements; reports the others, and cycles."""
    checked = {
        one: definition._replace(
            requires=tuple(_checked(definition, each, definitions, findings) for each in definition.requires),
        )
        if definition.requires
        else definition
        for one, definition in definitions.items()
    }
    edges = {
        one: [each.target for each in definition.requires if each.target is not None and each.target != one]
        for one, definition in checked.items()
        if definition.requires
    }
    _report_cycles(find_cycles(edges), checked, findings)
    return checked


def _report_cycles(
    found: Iterable[Cycle], definitions: Mapping[ScriptId, ScriptDefinition], findings: Findings
) -> None:
    """One finding a cycle, at its first requirement."""
    places = {
        (one, each.target): each.location
        for one in {cycle[0] for cycle in found}
        for each in reversed(definitions[one].requires)
    }
    for cycle in found:
        message = f"circular requirement: {' -> '.join(map(str, cycle))}"
        hint = "Remove one of these requirements."
        finding = Finding(places[cycle[0], cycle[1]], codes.CIRCULAR_REQUIREMENT, message, hint)
        findings.update([in_script(finding, definitions[cycle[0]].location)])


def _checked(
    script: ScriptDefinition,
    each: Requirement,
    definitions: Mapping[ScriptId, ScriptDefinition],
    findings: Findings,
) -> Requirement:
    if each.target is None:
        return each
    if each.target == script.id:
        message = f"{script.id} requires itself, so it can never run"
        hint = "Remove the name from @required_preceding_script."
        finding = Finding(each.location, codes.SELF_REQUIREMENT, message, hint)
        findings.update([in_script(finding, script.location)])
    elif each.target not in definitions:
        message = f"required command {each.target} is not tracked, so its state is unknown"
        hint = "Add @tracked_script to it, or remove it from the ignored files."
        finding = Finding(each.location, codes.UNTRACKED_REQUIREMENT, message, hint)
        findings.update([in_script(finding, script.location)])
        return each._replace(target=None)
    return each
