"""Command files one by one: whether each is a tracked script, and what it requires, from facts alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.facts.values import HANDLES, Call, Const
from scripts_tracker.analysis.linking.arguments import (
    Commands,
    RequirementReader,
    WatchReader,
    read_options,
)
from scripts_tracker.analysis.linking.inheritance import Hierarchy
from scripts_tracker.analysis.linking.prefilter import Sniffer
from scripts_tracker.analysis.linking.resolving import (
    REQUIRED,
    TRACKED,
    Broken,
    Doubtful,
    FoundClass,
    FoundValue,
    Judge,
    OurUse,
    Resolver,
)
from scripts_tracker.core.values import Fingerprint, Requirement, ScriptDefinition, ScriptId, ScriptOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scripts_tracker.analysis.facts.values import FileFacts
    from scripts_tracker.analysis.findings import Findings
    from scripts_tracker.analysis.linking.inheritance import Implementation
    from scripts_tracker.analysis.linking.modules import FactsLoader, Finder, Module
    from scripts_tracker.analysis.linking.resolving import Entity
    from scripts_tracker.analysis.source.reading import CommandFile
    from scripts_tracker.core.values import ModuleVersion

COMMAND = "Command"


class HiddenBaseError(Exception):
    """What a command inherits from stands in a file that cannot be analysed, and may be tracked."""


class ScriptReader:
    """Reads command files, one after the other.

    Args:
        files: all commands of the project, ignored ones included.
        finder: finds modules.
        loader: reads them.
        findings: takes what is wrong.

    Attributes:
        mros: for each script that is not made of its own file alone, its classes as path and name, in the order
            in which methods are looked up.
    """

    def __init__(
        self, files: Sequence[CommandFile], finder: Finder, loader: FactsLoader, findings: Findings
    ) -> None:
        self.mros: dict[ScriptId, tuple[tuple[str, str], ...]] = {}
        self._findings = findings
        self._sniffer = Sniffer(finder, loader)
        self._resolver = Resolver(finder, loader)
        self._hierarchy = Hierarchy(self._resolver)
        self._judge = Judge(self._resolver, self._sniffer)
        self._requirements = RequirementReader(Commands(files), self._resolver, findings.report)
        self._watches = WatchReader(finder, loader, findings)

    def may_inherit(self, source: bytes, home: Module) -> bool:
        """Whether a file without the marker may still hold a tracked script."""
        return self._sniffer.command_leads_to_marker(home, source, self._may_track)

    def read(self, file: CommandFile, facts: FileFacts, home: Module, digest: str) -> ScriptDefinition | None:
        """The tracked script in a command file.

        Args:
            file: the file.
            facts: its facts.
            home: its module.
            digest: the sha256 of its bytes.

        Returns:
            The script; None where the command is not tracked.

        Raises:
            HiddenBaseError: the command inherits from a file that cannot be analysed.
            UnreadableSource: as the above, for a star import.
        """
        entities = self._resolver.member(home, COMMAND)
        commands = [one for one in entities if isinstance(one, FoundClass) and not one.attributes]
        broken = [one for one in entities if isinstance(one, Broken)]
        for command in commands:
            uses, hidden = self._uses(command)
            broken += hidden
            if any(use.name == TRACKED for use in uses):
                self._report_misplaced(facts, home)
                return self._definition(file, facts, digest, command=command, uses=uses)
        self._report_misplaced(facts, home)
        hidden = [one for one in broken if self._sniffer.leads_to_marker(one.module, "")]
        for one in hidden:
            self._findings.unreadable(one.module.file, one.error)
        if hidden:
            raise HiddenBaseError
        return None

    def _may_track(self, path: str, home: Module) -> bool:
        """Whether a base class or decorator may make a command a tracked script; spares the parse of those that inherit.

        Args:
            path: absolute and dotted.
            home: a module that uses it.
        """
        return any(self._entity_may_track(entity) for entity in self._resolver.resolve(path, home))

    def _entity_may_track(self, entity: Entity) -> bool:
        if isinstance(entity, FoundValue):
            return isinstance(entity.value, Call)
        if not isinstance(entity, FoundClass) or entity.attributes:
            return True
        for one in self._hierarchy.order(entity):
            if isinstance(one, Broken):
                return True
            if isinstance(one, FoundClass) and self._decorates(one):
                return True
        return False

    def _decorates(self, one: FoundClass) -> bool:
        """Whether a class has a ``handle()`` with a decorator that is or may be ours."""
        return any(
            self._judge.judge(decoration, one.module) is not None
            for methods in self._hierarchy.facts(one).methods.values()
            for method in methods
            for decoration in method.decorations
        )

    def _uses(self, command: FoundClass) -> tuple[list[OurUse], list[Broken]]:
        """The uses of our decorators on the methods in which Django runs the command."""
        uses: list[OurUse] = []
        broken: list[Broken] = []
        for method in HANDLES:
            chain = self._hierarchy.chain(command, method)
            broken += chain.broken
            for implementation in chain.implementations:
                uses += [use for use in self._judged(implementation) if use not in uses]
        return uses, broken

    def _judged(self, implementation: Implementation) -> Iterable[OurUse]:
        for decoration in implementation.method.decorations:
            verdict = self._judge.judge(decoration, implementation.module)
            if isinstance(verdict, OurUse):
                yield verdict
            elif isinstance(verdict, Doubtful):
                self._findings.report(
                    implementation.module.file,
                    decoration.place,
                    codes.DYNAMIC_ARGUMENT,
                    f"it is not known where {verdict.path} comes from, so it does not count as @tracked_script",
                    "Write `from scripts_tracker import tracked_script`, or rename the other decorator.",
                )

    def _report_misplaced(self, facts: FileFacts, home: Module) -> None:
        for use in facts.misplaced_uses:
            verdict = self._judge.judge(use, home)
            if isinstance(verdict, OurUse) and verdict.name == TRACKED:
                self._findings.report(
                    home.file,
                    use.place,
                    codes.MISPLACED_DECORATOR,
                    "@tracked_script is used on something that is not the handle() of a Command class",
                    "Put @tracked_script on the line above `def handle(` of the Command class.",
                )

    def _definition(
        self,
        file: CommandFile,
        facts: FileFacts,
        digest: str,
        *,
        command: FoundClass,
        uses: list[OurUse],
    ) -> ScriptDefinition:
        place = facts.command or (1, 1)
        identity = ScriptId(file.folder.app_label, file.name)
        mro = tuple(
            (one.module.path, self._hierarchy.facts(one).name)
            for one in self._hierarchy.order(command)
            if isinstance(one, FoundClass) and one.module.path
        )
        if any(path != file.path for path, _ in mro):
            self.mros[identity] = mro
        options = self._options(uses)
        return ScriptDefinition(
            id=identity,
            location=self._findings.location(file.path, place),
            fingerprint=Fingerprint.parse(facts.fingerprint) if facts.fingerprint else None,
            content_digest=digest,
            help=self._help(facts, command),
            options=options,
            requires=self._requires(uses, file.folder.app_label),
            watches=self._watched(options.watch, uses, file.path) if options.watch else (),
        )

    def _options(self, uses: list[OurUse]) -> ScriptOptions:
        """The options of the decorator that is met first; wrong ones of the others are reported all the same."""
        found = [
            read_options(use.call, use.call_home or use.home, self._resolver, self._findings.report)
            if use.call
            else ScriptOptions()
            for use in uses
            if use.name == TRACKED
        ]
        return found[0]

    def _watched(self, names: Sequence[str], uses: list[OurUse], own_path: str) -> tuple[ModuleVersion, ...]:
        use = next(use for use in uses if use.name == TRACKED)
        arguments = use.call.arguments if use.call else ()
        place = next((one.place for one in arguments if one.keyword == "watch"), use.place)
        return self._watches.read(names, use.call_home or use.home, place, own_path)

    def _requires(self, uses: list[OurUse], app_label: str) -> tuple[Requirement, ...]:
        found: dict[object, Requirement] = {}
        for use in uses:
            if use.name != REQUIRED:
                continue
            for target, text, module, place in self._requirements.read(use, app_label):
                location = self._findings.location(module.file, place)
                found.setdefault(target or text, Requirement(target, text, location))
        return tuple(found.values())

    def _help(self, facts: FileFacts, command: FoundClass) -> str:
        """The first ``help`` along the classes, else the docstring of the class or of the module."""
        own = self._hierarchy.facts(command).doc
        for one in self._hierarchy.order(command):
            if isinstance(one, FoundClass) and (values := self._hierarchy.facts(one).help) is not None:
                for entity in self._resolver.entities(values, one.module):
                    text = self._text(entity)
                    if text:
                        return text
                break
        return _dedented(own or "") or _dedented(facts.doc or "")

    def _text(self, entity: object) -> str:
        for _ in range(10):
            if isinstance(entity, FoundValue) and isinstance(entity.value, Const):
                return _dedented(entity.value.value) if isinstance(entity.value.value, str) else ""
            # The help of another class, taken over by its name.
            if not isinstance(entity, FoundClass) or entity.attributes != ("help",):
                break
            values = self._hierarchy.facts(entity).help
            entity = next(iter(self._resolver.entities(values, entity.module)), None) if values else None
        return ""


def _dedented(text: str) -> str:
    """A text without the margin that a docstring has, and without empty lines around it."""
    first, *others = text.replace("\r\n", "\n").expandtabs().split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in others if line.strip()), default=0)
    return "\n".join([first.lstrip(), *(line[margin:] for line in others)]).strip()
