"""Why a command that has to do with our decorators is not tracked: tracked, or a word about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.facts.values import (
    BATCHED,
    COMMAND,
    GETATTR,
    HANDLES,
    OURS,
    PROCESS,
    REQUIRED,
    TRACKED,
    Ref,
    dotted,
)
from scripts_tracker.analysis.linking.resolving import OUR_MODULES, FoundClass, OurUse
from scripts_tracker.core.names import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from scripts_tracker.analysis.facts.values import ClassFacts, Decoration, FileFacts
    from scripts_tracker.analysis.findings import Findings
    from scripts_tracker.analysis.linking.inheritance import Hierarchy
    from scripts_tracker.analysis.linking.mentions import Mentions
    from scripts_tracker.analysis.linking.modules import Module
    from scripts_tracker.analysis.linking.resolving import Resolver
    from scripts_tracker.analysis.linking.trails import End, Trails
    from scripts_tracker.core.values import Place

_NAMES: Final = (TRACKED, REQUIRED)
_BATCHES: Final = "batches"
_BASE: Final = BATCHED.rpartition(".")[2]
_IMPORT_BASE: Final = f"Write `from scripts_tracker.{_BATCHES} import {_BASE}`."


class Untracked:
    """Reports what keeps the command of a file from being tracked.

    Args:
        resolver: follows names.
        hierarchy: orders classes.
        trails: follows functions.
        mentions: finds what cannot be followed by the names in the code.
        findings: takes what is wrong.
    """

    def __init__(
        self,
        resolver: Resolver,
        hierarchy: Hierarchy,
        trails: Trails,
        mentions: Mentions,
        findings: Findings,
    ) -> None:
        self._resolver = resolver
        self._hierarchy = hierarchy
        self._trails = trails
        self._mentions = mentions
        self._findings = findings

    def explain(
        self, facts: FileFacts, home: Module, commands: Sequence[FoundClass], uses: Sequence[OurUse]
    ) -> None:
        """Report the first reason that there is.

        Args:
            facts: of the file.
            home: its module.
            commands: the classes that may be its command.
            uses: of our decorators on the methods of the command.
        """
        is_told = self.misplaced(facts, home, commands) or self._replaced(facts, home, commands)
        if is_told or self._hidden(facts, home, commands):
            return
        if not (facts.command is not None and self._unused(facts, home, commands, uses)):
            self._unread(facts, home, commands)

    def misplaced(self, facts: FileFacts, home: Module, commands: Sequence[FoundClass]) -> bool:
        """Report the decorators that do nothing; True if there are any."""
        found = self._on_other_methods(facts, home, commands)
        if not facts.misplaced_uses:
            return found
        method = self._method(commands)
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
                    f"@tracked_script is not on the {method}() of a Command class",
                    f"Move @tracked_script to the line above `def {method}(` in the Command class.",
                )
        return found

    def _on_other_methods(self, facts: FileFacts, home: Module, commands: Sequence[FoundClass]) -> bool:
        """Report decorators on ``handle()`` of batched commands, and on ``process()`` of others; True if there are any."""
        found = False
        for one, is_batched in self._kinds(facts, home, commands):
            names = HANDLES if is_batched else (PROCESS,)
            for method, decoration in _decorations(self._hierarchy.facts(one), names):
                uses = self._trails.uses(decoration, one.module)
                name = next((use.name for use in uses if isinstance(use, OurUse)), "")
                if name:
                    found = True
                    self._report_other_method(name, method, decoration, home, one)
        return found

    def _kinds(
        self, facts: FileFacts, home: Module, commands: Sequence[FoundClass]
    ) -> Iterator[tuple[FoundClass, bool]]:
        """The classes of the commands of a file, and others in it with a decorated ``process()``: whether it runs that."""
        seen: set[FoundClass] = set()
        for command in commands:
            is_batched = self._hierarchy.is_batched(command)
            for one in self._hierarchy.mro(command):
                if isinstance(one, FoundClass):
                    seen.add(one)
                    yield one, is_batched
        inner = {use.place for use in facts.misplaced_uses}
        for number, cls in enumerate(facts.classes):
            one = FoundClass(home, number)
            places = [decoration.place for _, decoration in _decorations(cls, (PROCESS,))]
            if places and one not in seen and inner.isdisjoint(places):
                yield one, self._hierarchy.is_batched(one)

    def _report_other_method(
        self, name: str, method: str, decoration: Decoration, home: Module, one: FoundClass
    ) -> None:
        if method == PROCESS:
            message = f"@{name} is on process(), but the command does not inherit from {_BASE}"
            hint = "Move it to the line above `def handle(`."
            if self._hierarchy.facts(one).has_batches:
                hint = f"Inherit from {BATCHED}, or m{hint[1:]}"
        else:
            message = f"@{name} is on {method}() of a {_BASE}, which works in process()"
            hint = "Move it to the line above `def process(`."
        place, is_here = decoration.place, one.module == home
        if not is_here:
            message += f" (inherited from {self._findings.shown(one.module.file)}:{place[0]})"
            place = self._command_place(home)
        self._findings.report(home.file, place, codes.MISPLACED_DECORATOR, message, hint)

    def _command_place(self, home: Module) -> Place:
        facts = self._resolver.facts(home)
        return (facts and facts.command) or (1, 1)

    def misspelt(self, facts: FileFacts, home: Module) -> None:
        """Report names that our package does not have."""
        for one in facts.imports:
            path, place = one.path, one.place
            owner, _, name = dotted(path).rpartition(".")
            package, _, module = owner.partition(".")
            if package not in OURS or _exists(module, name):
                continue
            near = nearest(name, _NAMES)
            hint = f"Did you mean {near}?" if near else f"The decorators are {' and '.join(_NAMES)}."
            if nearest(name, (_BASE,)):
                hint = _IMPORT_BASE
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
            for method, decoration in _decorations(cls, cls.methods):
                if self._tracks(decoration, home):
                    self._findings.report(
                        home.file,
                        decoration.place,
                        codes.MISPLACED_DECORATOR,
                        "@tracked_script is in a class Command that is not the command of this file",
                        f"Keep one class Command in the file, and decorate its {method}().",
                    )
                    return True
        return False

    def _hidden(self, facts: FileFacts, home: Module, commands: Sequence[FoundClass]) -> bool:
        """Report where the way from the command to our decorator cannot be followed; True if there is one."""
        for what, end, module, place in self._ways(facts, home, commands):
            if end is None:
                continue
            is_here = end == (home, place)
            line = "" if is_here else f" in {self._findings.shown(end.module.file)}:{end.place[0]}"
            origin = "" if module == home else f" in {self._findings.shown(module.file)}:{place[0]}"
            self._findings.report(
                home.file,
                place if module == home else facts.command or (1, 1),
                codes.HIDDEN_DECORATOR,
                f"{what}{origin} leads to @tracked_script{line}, but the way there cannot be followed, so the"
                " script is not tracked",
                self._advice(commands),
            )
            return True
        return False

    def _ways(
        self, facts: FileFacts, home: Module, commands: Sequence[FoundClass]
    ) -> Iterator[tuple[str, End | None, Module, Place]]:
        """What decides about the methods of a command, where that leads to our decorator, and where it is."""
        end, place = self._trails.end, facts.command or (1, 1)
        bound = facts.names.get(COMMAND, ()) or facts.names.get(GETATTR, ())
        made = tuple(one for one in bound if not commands or not isinstance(one, Ref))
        yield COMMAND, end(made, home, place), home, place
        names = dict.fromkeys(name for one in commands for name in self._hierarchy.tracked_methods(one))
        for one in dict.fromkeys(each for command in commands for each in self._hierarchy.mro(command)):
            if not isinstance(one, FoundClass):
                continue
            module, cls = one.module, self._hierarchy.facts(one)
            for decoration in cls.decorations:
                yield "the class decorator", self._end_of(decoration, module), module, decoration.place
            for base in cls.bases:
                yield (
                    "the base class",
                    end(self._trails.unmade(base, module), module, cls.place),
                    module,
                    cls.place,
                )
            yield "the metaclass", end(cls.metaclass, module, cls.place), module, cls.place
            for _, decoration in _decorations(cls, names):
                yield "the decorator", self._end_of(decoration, module), module, decoration.place
            for name in names:
                for method in cls.methods.get(name, ()):
                    yield f"{name}()", end(method.inner, module, cls.place), module, cls.place
            yield f"the class {cls.name}", self._trails.misuse(one), module, cls.place

    def _end_of(self, decoration: Decoration, module: Module) -> End | None:
        """Where the way of a decorator ends that cannot be followed."""
        if self._tracks(decoration, module):
            return None
        return self._trails.end(decoration.values, module, decoration.place)

    def _advice(self, commands: Sequence[FoundClass]) -> str:
        """What to decorate."""
        return f"Write @tracked_script above `def {self._method(commands)}(` of the Command class or of a base class."

    def _method(self, commands: Sequence[FoundClass]) -> str:
        return PROCESS if any(map(self._hierarchy.is_batched, commands)) else HANDLES[0]

    def _unused(
        self, facts: FileFacts, home: Module, commands: Sequence[FoundClass], uses: Sequence[OurUse]
    ) -> bool:
        """Report a command that has to do with our package, but not with tracked_script; True if it is one."""
        for use in uses:
            if use.name == REQUIRED:
                message = "@required_preceding_script is on a command that is not tracked"
                place = _place(use, facts, home)
                self._findings.report(
                    home.file, place, codes.UNTRACKED_COMMAND, message, self._advice(commands)
                )
                return True
        if any(map(self._hierarchy.is_batched, commands)):
            message = f"the command inherits from {_BASE} and is not tracked"
            place = facts.command or (1, 1)
            self._findings.report(home.file, place, codes.UNTRACKED_COMMAND, message, self._advice(commands))
            return True
        for one in facts.imports:
            package, _, name = dotted(one.path).partition(".")
            if not one.is_used and (name in OUR_MODULES or name.rpartition(".")[2] in _NAMES):
                message = f"{name.rpartition('.')[2] or package} is imported and not used, and the command is not tracked"
                hint = f"{self._advice(commands)[:-1]}, or remove the import."
                self._findings.report(home.file, one.place, codes.UNTRACKED_COMMAND, message, hint)
                return True
        return False

    def _unread(self, facts: FileFacts, home: Module, commands: Sequence[FoundClass]) -> None:
        """Report where the code names our decorator in a way that is not read, and that the command may come by."""
        mro = dict.fromkeys(one for command in commands for one in self._hierarchy.mro(command))
        end = self._mentions.end(home, [one for one in mro if isinstance(one, FoundClass)])
        if end is None:
            return
        is_here = end.module == home
        where = "here" if is_here else f"in {self._findings.shown(end.module.file)}:{end.place[0]}"
        self._findings.report(
            home.file,
            end.place if is_here else facts.command or (1, 1),
            codes.HIDDEN_DECORATOR,
            f"@tracked_script is used {where} in a way that cannot be followed to the command, so the script is not"
            " tracked",
            self._advice(commands),
        )


def _place(use: OurUse, facts: FileFacts, home: Module) -> Place:
    return use.place if use.home == home else facts.command or (1, 1)


def _decorations(cls: ClassFacts, names: Iterable[str]) -> Iterator[tuple[str, Decoration]]:
    """The decorators of some methods of a class, each with the name of the method."""
    for name in names:
        for method in cls.methods.get(name, ()):
            for decoration in method.decorations:
                yield name, decoration


def _exists(module: str, name: str) -> bool:
    """Whether one of our modules may have a name."""
    if module == _BATCHES:
        return name == _BASE or not nearest(name, (_BASE,))
    if module not in OUR_MODULES or name in (*_NAMES, _BATCHES) or name.startswith("__"):
        return True
    if module:
        return False
    import importlib.util  # only where something else is imported from our package

    return importlib.util.find_spec(f"scripts_tracker.{name}") is not None
