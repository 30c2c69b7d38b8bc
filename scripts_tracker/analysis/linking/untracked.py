"""Why a command that has to do with our decorators is not tracked: tracked, or a word about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.facts.values import COMMAND, OURS, REQUIRED, TRACKED, Ref, dotted
from scripts_tracker.analysis.linking.resolving import OUR_MODULES, FoundClass, OurUse
from scripts_tracker.core.names import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts_tracker.analysis.facts.values import ClassFacts, Decoration, FileFacts
    from scripts_tracker.analysis.findings import Findings
    from scripts_tracker.analysis.linking.inheritance import Hierarchy
    from scripts_tracker.analysis.linking.modules import Module
    from scripts_tracker.analysis.linking.resolving import Resolver
    from scripts_tracker.analysis.linking.trails import End, Trails
    from scripts_tracker.core.values import Place

_NAMES: Final = (TRACKED, REQUIRED)
_DECORATE: Final = "Write @tracked_script above `def handle(` of the Command class or of a base class."


class Untracked:
    """Reports what keeps the command of a file from being tracked.

    Args:
        resolver: follows names.
        hierarchy: orders classes.
        trails: follows functions.
        findings: takes what is wrong.
    """

    def __init__(self, resolver: Resolver, hierarchy: Hierarchy, trails: Trails, findings: Findings) -> None:
        self._resolver = resolver
        self._hierarchy = hierarchy
        self._trails = trails
        self._findings = findings

    def explain(
        self, facts: FileFacts, home: Module, commands: Sequence[FoundClass], uses: Sequence[OurUse]
    ) -> None:
        """Report the first reason that there is.

        Args:
            facts: of the file.
            home: its module.
            commands: the classes that may be its command.
            uses: of our decorators on the ``handle()`` of the command.
        """
        is_told = self.misplaced(facts, home) or self._replaced(facts, home, commands)
        if not (is_told or self._hidden(facts, home, commands)) and facts.command is not None:
            self._unused(facts, home, uses)

    def misplaced(self, facts: FileFacts, home: Module) -> bool:
        """Report the decorators that do nothing; True if there are any."""
        if not facts.misplaced_uses:
            return False
        found = False
        followed = [self._resolver.function_facts(one) for one in self._trails.followed if one.module == home]
        for use in facts.misplaced_uses:
            if any(one.place[0] <= use.place[0] <= one.end for one in followed):
                continue
            if self._tracks(use, home):
                found = True
                self._findings.report(
                    home.file,
                    use.place,
                    codes.MISPLACED_DECORATOR,
                    "@tracked_script is not on the handle() of a Command class",
                    "Move @tracked_script to the line above `def handle(` in the Command class.",
                )
        return found

    def misspelt(self, facts: FileFacts, home: Module) -> None:
        """Report names that our package does not have."""
        for one in facts.imports:
            path, place = one.path, one.place
            owner, _, name = dotted(path).rpartition(".")
            package, _, module = owner.partition(".")
            if package not in OURS or module not in OUR_MODULES or _exists(module, name):
                continue
            near = nearest(name, _NAMES)
            hint = f"Did you mean {near}?" if near else f"The decorators are {' and '.join(_NAMES)}."
            message = f"{owner} has no {name}, so this file cannot be imported"
            self._findings.report(home.file, place, codes.MISSPELT_DECORATOR, message, hint)

    def _tracks(self, decoration: Decoration, home: Module) -> bool:
        uses = self._trails.uses(decoration, home)
        return any(isinstance(one, OurUse) and one.name == TRACKED for one in uses)

    def _replaced(self, facts: FileFacts, home: Module, commands: Sequence[FoundClass]) -> bool:
        """Report the decorator of a class Command that another one replaces; True if there is one."""
        used = {one for command in commands for one in self._hierarchy.mro(command)}
        for number, cls in enumerate(facts.classes):
            if cls.name != COMMAND or FoundClass(home, number) in used:
                continue
            for decoration in _on_handle(cls):
                if self._tracks(decoration, home):
                    self._findings.report(
                        home.file,
                        decoration.place,
                        codes.MISPLACED_DECORATOR,
                        "@tracked_script is in a class Command that is not the command of this file",
                        "Keep one class Command in the file, and decorate its handle().",
                    )
                    return True
        return False

    def _hidden(self, facts: FileFacts, home: Module, commands: Sequence[FoundClass]) -> bool:
        """Report where the way from the command to our decorator cannot be followed; True if there is one."""
        for what, end, module, place in self._ways(facts, home, commands):
            if end is None:
                continue
            line = f"{self._findings.shown(end.module.file)}:{end.place[0]}"
            origin = "" if module == home else f" in {self._findings.shown(module.file)}:{place[0]}"
            self._findings.report(
                home.file,
                place if module == home else facts.command or (1, 1),
                codes.HIDDEN_DECORATOR,
                f"{what}{origin} leads to @tracked_script in {line}, but the way there cannot be followed, so the"
                " script is not tracked",
                _DECORATE,
            )
            return True
        return False

    def _ways(
        self, facts: FileFacts, home: Module, commands: Sequence[FoundClass]
    ) -> Iterator[tuple[str, End | None, Module, Place]]:
        """What decides about the handle() of a command, where that leads to our decorator, and where it is."""
        end, place = self._trails.end, facts.command or (1, 1)
        made = tuple(one for one in facts.names.get(COMMAND, ()) if not commands or not isinstance(one, Ref))
        yield COMMAND, end(made, home), home, place
        for one in dict.fromkeys(each for command in commands for each in self._hierarchy.mro(command)):
            if not isinstance(one, FoundClass):
                continue
            module, cls = one.module, self._hierarchy.facts(one)
            for decoration in cls.decorations:
                yield "the class decorator", end(decoration.values, module), module, decoration.place
            for base in cls.bases:
                yield "the base class", end(self._trails.unmade(base, module), module), module, cls.place
            yield "the metaclass", end(cls.metaclass, module), module, cls.place
            for decoration in _on_handle(cls):
                yield "the decorator", end(decoration.values, module), module, decoration.place
            for method in (each for several in cls.methods.values() for each in several):
                yield "handle()", end(method.inner, module), module, cls.place
            yield f"the class {cls.name}", self._trails.misuse(one), module, cls.place

    def _unused(self, facts: FileFacts, home: Module, uses: Sequence[OurUse]) -> None:
        """Report a command that has to do with our package, but not with tracked_script."""
        for use in uses:
            if use.name == REQUIRED:
                message = "@required_preceding_script is on a command that is not tracked"
                self._findings.report(
                    home.file, _place(use, facts, home), codes.UNTRACKED_COMMAND, message, _DECORATE
                )
                return
        for one in facts.imports:
            package, _, name = dotted(one.path).partition(".")
            if not one.is_used and (name in OUR_MODULES or name.rpartition(".")[2] in _NAMES):
                message = f"{name.rpartition('.')[2] or package} is imported and not used, and the command is not tracked"
                hint = f"{_DECORATE[:-1]}, or remove the import."
                self._findings.report(home.file, one.place, codes.UNTRACKED_COMMAND, message, hint)
                return


def _place(use: OurUse, facts: FileFacts, home: Module) -> Place:
    return use.place if use.home == home else facts.command or (1, 1)


def _on_handle(cls: ClassFacts) -> Iterator[Decoration]:
    for methods in cls.methods.values():
        for method in methods:
            yield from method.decorations


def _exists(module: str, name: str) -> bool:
    """Whether one of the modules with our decorators has a name."""
    if name in _NAMES or name.startswith("__"):
        return True
    if module:
        return False
    import importlib.util  # only where something else is imported from our package

    return importlib.util.find_spec(f"scripts_tracker.{name}") is not None
