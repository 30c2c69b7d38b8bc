"""The tracked script in one command file, from facts alone: its options, help text, requirements and classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.facts.values import BATCHED, COMMAND, REQUIRED, TRACKED, Const
from scripts_tracker.analysis.linking.arguments import (
    RequirementReader,
    WatchReader,
    read_options,
)
from scripts_tracker.analysis.linking.inheritance import Hierarchy
from scripts_tracker.analysis.linking.mentions import Mentions
from scripts_tracker.analysis.linking.prefilter import Prefilter
from scripts_tracker.analysis.linking.resolving import (
    Broken,
    DecoratorClassifier,
    FoundClass,
    FoundFunction,
    FoundValue,
    OurUse,
    Resolver,
    Unknown,
)
from scripts_tracker.analysis.linking.trails import Trails
from scripts_tracker.analysis.linking.untracked import Untracked
from scripts_tracker.core.values import (
    PENDING,
    Fingerprint,
    Requirement,
    ScriptDefinition,
    ScriptId,
    ScriptOptions,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scripts_tracker.analysis.facts.values import FileFacts
    from scripts_tracker.analysis.findings import Findings
    from scripts_tracker.analysis.linking.inheritance import Implementation
    from scripts_tracker.analysis.linking.modules import FactsLoader, Finder, Module
    from scripts_tracker.analysis.linking.resolving import Entity
    from scripts_tracker.analysis.source.reading import CommandFile
    from scripts_tracker.core.values import ModuleVersion, Place

# Base classes from packages that bring no help text.
_DJANGO: Final = ("BaseCommand", "AppCommand", "LabelCommand", "NoArgsCommand")
_WITHOUT_HELP: Final = frozenset(
    {BATCHED, "object", "abc.ABC", "typing.Generic", "typing.Protocol"}
    | {f"django.core.management.{name}" for name in _DJANGO}
    | {f"django.core.management.base.{name}" for name in _DJANGO}
)


class HiddenBaseError(Exception):
    """A command inherits from a file that cannot be parsed, and may be tracked."""


class ScriptReader:
    """Finds the script in each command file.

    Args:
        files: all commands of the project, ignored ones included.
        finder: finds modules.
        loader: reads them.
        findings: takes what is wrong.

    Attributes:
        mros: the classes of each script as path and name, in the method resolution order; without the scripts whose
            classes are all in their own file.
    """

    def __init__(
        self, files: Sequence[CommandFile], finder: Finder, loader: FactsLoader, findings: Findings
    ) -> None:
        self.mros: dict[ScriptId, tuple[tuple[str, str], ...]] = {}
        self._findings = findings
        self._prefilter = Prefilter(finder, loader)
        self._resolver = Resolver(finder, loader)
        self._trails = Trails(self._resolver, DecoratorClassifier(self._resolver, self._prefilter))
        self._hierarchy = Hierarchy(self._resolver, self._trails)
        self._mentions = Mentions(self._resolver, loader, self._prefilter, self._trails)
        self._untracked = Untracked(self._resolver, self._hierarchy, self._trails, self._mentions, findings)
        self._requirements = RequirementReader(files, self._resolver, findings.report)
        self._watches = WatchReader(finder, loader, findings)

    def may_inherit(self, source: bytes, home: Module) -> bool:
        """Whether a file without the marker may still hold a tracked script."""
        return self._prefilter.command_leads_to_marker(home, source, self._may_track)

    def read(self, file: CommandFile, facts: FileFacts, home: Module, digest: str) -> ScriptDefinition | None:
        """The tracked script in a command file.

        Args:
            file: the file.
            facts: its facts.
            home: its module.
            digest: of its bytes.

        Returns:
            The script; None if the command is not tracked.

        Raises:
            HiddenBaseError: the command inherits from a file that cannot be parsed.
            UnreadableSource: the same, through a star import.
        """
        entities = self._trails.expanded(self._resolver.member(home, COMMAND))
        commands = [one for one in entities if isinstance(one, FoundClass) and not one.attributes]
        broken = [one for one in entities if isinstance(one, Broken)]
        found: list[OurUse] = []
        self._untracked.misspelt(facts, home)
        for command in commands:
            uses, hidden = self._uses(command)
            found += uses
            broken += hidden
            if any(use.name == TRACKED for use in uses):
                self._untracked.misplaced(facts, home, commands)
                return self._definition(file, facts, digest, command=command, uses=uses)
        self._untracked.explain(facts, home, commands, found)
        hidden = [one for one in broken if self._prefilter.leads_to_marker(one.module, "")]
        for one in hidden:
            self._findings.unreadable(one.module.file, one.error)
        if hidden:
            raise HiddenBaseError
        return None

    def _may_track(self, path: str, home: Module) -> bool:
        """Whether a base class or decorator may make a command a tracked script; if not, the command is not parsed.

        Args:
            path: absolute and dotted.
            home: a module that uses it.
        """
        entities = self._resolver.resolve(path, home)
        if any(map(self._entity_may_track, entities)):
            return True
        is_class = any(isinstance(one, FoundClass) for one in entities)
        return not is_class and self._mentions.end_of_path(path, home) is not None

    def _entity_may_track(self, entity: Entity) -> bool:
        if isinstance(entity, FoundFunction | FoundValue):
            return self._trails.end_of(entity) is not None
        if not isinstance(entity, FoundClass) or entity.attributes:
            return True
        for one in self._hierarchy.mro(entity):
            if isinstance(one, Broken):
                return True
            if isinstance(one, FoundClass) and (self._decorates(one) or self._trails.end_of(one)):
                return True
        classes = [one for one in self._hierarchy.mro(entity) if isinstance(one, FoundClass)]
        return self._hierarchy.is_batched(entity) or self._mentions.end_of_classes(classes) is not None

    def _decorates(self, one: FoundClass) -> bool:
        """Whether a class has a method with a decorator that is or may be ours."""
        return any(
            self._trails.uses(decoration, one.module)
            for methods in self._hierarchy.facts(one).methods.values()
            for method in methods
            for decoration in method.decorations
        )

    def _uses(self, command: FoundClass) -> tuple[list[OurUse], list[Broken]]:
        """The uses of our decorators on the methods that they can track."""
        uses: list[OurUse] = []
        broken: list[Broken] = []
        for method in self._hierarchy.tracked_methods(command):
            chain = self._hierarchy.chain(command, method)
            broken += chain.broken
            for implementation in chain.implementations:
                uses += [use for use in self._our_uses(implementation) if use not in uses]
        return uses, broken

    def _our_uses(self, implementation: Implementation) -> Iterable[OurUse]:
        for kind in self._trails.method_uses(implementation.method, implementation.module):
            if isinstance(kind, OurUse):
                yield kind
            else:
                self._findings.report(
                    implementation.module.file,
                    kind.place,
                    codes.DYNAMIC_ARGUMENT,
                    f"cannot resolve {kind.path}, so it is not treated as @tracked_script",
                    "Write `from scripts_tracker import tracked_script`, or rename the other decorator.",
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
            for one in self._hierarchy.mro(command)
            if isinstance(one, FoundClass) and one.module.path
        )
        if any(path != file.path for path, _ in mro):
            self.mros[identity] = mro
        options, is_batched = self._options(uses), self._hierarchy.is_batched(command)
        if is_batched:
            self._conflicting_options(options, uses)
            self._missing_batches(file, place, command)
        text, is_computed = self._help(facts, command)
        return ScriptDefinition(
            id=identity,
            location=self._findings.location(file.path, place),
            fingerprint=_fingerprint_of(facts),
            content_digest=digest,
            help=text,
            has_computed_help=is_computed,
            options=options,
            requires=self._requires(uses, file.folder.app_label),
            watches=self._watched(options.watch, uses, file.path) if options.watch else (),
            is_batched=is_batched,
        )

    def _options(self, uses: list[OurUse]) -> ScriptOptions:
        """The options of the first decorator; invalid options of the others are reported too."""
        report = self._findings.report
        found = [read_options(use, self._resolver, report) for use in uses if use.name == TRACKED]
        return found[0]

    def _conflicting_options(self, options: ScriptOptions, uses: list[OurUse]) -> None:
        """Report the options that batches leave no room for."""
        use = next(use for use in uses if use.name == TRACKED)
        for argument in use.arguments:
            name = argument.keyword
            if name == "atomic" and options.atomic:
                message = "atomic=True contradicts batches, each of which has a transaction of its own"
                hint = "Remove atomic=True."
            elif name == "rerun" and options.rerun == "always":
                message = 'rerun="always" contradicts batches, which go through a table once'
                hint = 'Remove rerun="always", or work in handle() of a BaseCommand.'
            else:
                continue
            path = use.arguments_home.file
            self._findings.report(path, argument.place, codes.CONFLICTING_OPTION, message, hint)

    def _missing_batches(self, file: CommandFile, place: Place, command: FoundClass) -> None:
        """Report a batched command that has no ``batches()``."""
        if self._hierarchy.lacks_batches(command):
            message = "the command has no batches(), so there is nothing to process"
            hint = "Write batches(self), and return the queryset of the rows."
            self._findings.report(file.path, place, codes.MISSING_BATCHES, message, hint)

    def _watched(self, names: Sequence[str], uses: list[OurUse], own_path: str) -> tuple[ModuleVersion, ...]:
        use = next(use for use in uses if use.name == TRACKED)
        place = next((one.place for one in use.arguments if one.keyword == "watch"), use.place)
        return self._watches.read(names, use.arguments_home, place, own_path)

    def _requires(self, uses: list[OurUse], app_label: str) -> tuple[Requirement, ...]:
        found: dict[object, Requirement] = {}
        for use in uses:
            if use.name != REQUIRED:
                continue
            for target, text, module, place in self._requirements.read(use, app_label):
                location = self._findings.location(module.file, place)
                found.setdefault(target or text, Requirement(target, text, location))
        return tuple(found.values())

    def _help(self, facts: FileFacts, command: FoundClass) -> tuple[str, bool]:
        """The first ``help`` in the method resolution order, else the docstring of the class or of the module.

        Returns:
            The text, and whether there is none because it is computed, or stands in a package, which is not read.
        """
        own, is_computed = self._hierarchy.facts(command).doc, False
        for one in self._hierarchy.mro(command):
            is_computed = is_computed or (isinstance(one, Unknown) and one.path not in _WITHOUT_HELP)
            if isinstance(one, FoundClass) and (values := self._hierarchy.facts(one).help) is not None:
                texts = [self._text(entity) for entity in self._resolver.entities(values, one.module)]
                for text in filter(None, texts):
                    return text, False
                is_computed = is_computed or None in texts
                break
        text = _dedented(own or "") or _dedented(facts.doc or "")
        return text, is_computed and not text

    def _text(self, entity: object) -> str | None:
        """The text that is bound to ``help``, empty if it is no text; None if it is computed."""
        for _ in range(10):
            if isinstance(entity, FoundValue) and isinstance(entity.value, Const):
                return _dedented(entity.value.value) if isinstance(entity.value.value, str) else ""
            # It may name the help of another class.
            if not isinstance(entity, FoundClass) or entity.attributes != ("help",):
                break
            values = self._hierarchy.facts(entity).help
            entity = next(iter(self._resolver.entities(values, entity.module)), None) if values else None
        return None


def _fingerprint_of(facts: FileFacts) -> Fingerprint | None:
    if facts.fingerprint is None:
        return None
    return Fingerprint.parse(facts.fingerprint) if facts.has_fingerprint else PENDING


def _dedented(text: str) -> str:
    """A text without the indentation of a docstring, and without empty lines around it."""
    first, *others = text.replace("\r\n", "\n").expandtabs().split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in others if line.strip()), default=0)
    return "\n".join([first.lstrip(), *(line[margin:] for line in others)]).strip()
