"""The way from a command to our decorators, through functions and classes of the project.

What can be followed is followed: a decorator that applies ours, a factory of classes, a hook of a base class. Where the
way leads to ``tracked_script`` and cannot be followed, ``Trails.lead`` names the place where it ends.
"""

from __future__ import annotations

import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis.facts.values import (
    OURS,
    PARAMETER,
    TRACKED,
    Argument,
    Call,
    Const,
    Decoration,
    Made,
    Opaque,
    Ref,
)
from scripts_tracker.analysis.linking.resolving import (
    FoundClass,
    FoundFunction,
    FoundModule,
    FoundValue,
    OurDecorator,
    OurUse,
    Unknown,
)
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from scripts_tracker.analysis.facts.values import FunctionFacts, MethodFacts, Value, Values
    from scripts_tracker.analysis.linking.modules import Module
    from scripts_tracker.analysis.linking.resolving import Ambiguous, DecoratorClassifier, Entity, Resolver
    from scripts_tracker.core.values import Place

MAX_DEPTH: Final = 12
"""The most functions that call each other."""
MAX_STEPS: Final = 200

Given = tuple["Values", "Module"]
"""An argument, and the module that it is written in."""
_NOTHING: Final[Mapping[tuple[str, str], Given]] = MappingProxyType({})


class End(NamedTuple):
    """Where a way ends: the use of our decorator that it leads to."""

    module: Module
    place: Place


class Trails:
    """Follows decorators, factories and hooks.

    Args:
        resolver: follows names.
        classifier: knows our decorators.

    Attributes:
        followed: the functions that made a command a tracked script.
    """

    def __init__(self, resolver: Resolver, classifier: DecoratorClassifier) -> None:
        self.followed: set[FoundFunction] = set()
        self._resolver = resolver
        self._classifier = classifier
        self._ends: dict[Entity, End | None] = {}

    def uses(self, decoration: Decoration, home: Module) -> list[OurUse | Ambiguous]:
        """The uses of our decorators that one decorator makes, the outermost first.

        Args:
            decoration: as the facts of a module have it.
            home: that module.
        """
        direct = self._classifier.classify(decoration, home)
        if direct is not None:
            return [direct]
        return list(self._applied_all(decoration.values, home, _NOTHING, 0))

    def method_uses(self, method: MethodFacts, home: Module) -> Iterator[OurUse | Ambiguous]:
        """The uses of our decorators on a method, wherever the method comes from."""
        for decoration in method.decorations:
            yield from self.uses(decoration, home)
        if method.inner:
            yield from self._on(method.inner, home, _NOTHING, 0)

    def classes(self, values: Values, home: Module, depth: int = 0) -> list[Entity]:
        """What some values refer to, with the classes that functions make of them."""
        entities = self._resolver.entities(values, home)
        for entity in entities:
            if type(entity) is FoundValue:
                return self.expanded(entities, depth)
        return entities

    def expanded(self, entities: Iterable[Entity], depth: int = 0) -> list[Entity]:
        """Some entities, with the classes that functions make in place of their calls."""
        found: list[Entity] = []
        for entity in entities:
            made = list(self._made_classes(entity, depth)) if isinstance(entity, FoundValue) else []
            found += made or [entity]
        return found

    def unmade(self, values: Values, home: Module) -> Values:
        """Some values without those that are classes."""
        entities = self.classes(values, home)
        # A class inside of another one is not read by itself.
        return () if any(isinstance(one, FoundClass) and not one.attributes for one in entities) else values

    def misuse(self, one: FoundClass) -> End | None:
        """A use of ``tracked_script`` in a class on anything but one of METHODS."""
        facts = self._resolver.class_facts(one)
        return self._use_within(one.module, facts.place[0], facts.end)

    def _made_classes(self, entity: FoundValue, depth: int) -> Iterator[Entity]:
        call = entity.value
        if not isinstance(call, Call) or depth > MAX_DEPTH:
            return
        for function in self._functions(call.function, entity.module):
            facts = self._resolver.function_facts(function)
            bound = _bound(facts, function, call, entity.module)
            for returned in facts.returns:
                for values, home in self._substituted(returned.inner, function.module, bound):
                    for one in self.classes(values, home, depth + 1):
                        if isinstance(one, FoundClass):
                            self.followed.add(function)
                            yield one

    def patches(self, function: FoundFunction) -> Iterator[tuple[Module, str, MethodFacts, bool]]:
        """What a class decorator or a hook makes of a method: its module, name, method, and whether that must be the class's own."""
        for patch in self._resolver.function_facts(function).patches:
            yield function.module, patch.name, patch.method, patch.needs_own

    def functions(self, values: Values, home: Module) -> list[FoundFunction]:
        """The functions that decorate: ``@function``, or what ``@maker(...)`` returns."""
        found: list[FoundFunction] = []
        for entity in self._resolver.entities(values, home):
            if isinstance(entity, FoundFunction):
                found.append(entity)
            elif isinstance(entity, FoundValue) and isinstance(entity.value, Call):
                for maker in self._functions(entity.value.function, entity.module):
                    for returned in self._resolver.function_facts(maker).returns:
                        found += self._functions(returned.inner, maker.module)
        return found

    # A decorator is applied: its values are functions, or calls that give functions.

    def _applied_all(
        self, values: Values, home: Module, bound: Mapping[tuple[str, str], Given], depth: int
    ) -> Iterator[OurUse]:
        if depth > MAX_DEPTH:
            return
        for value in values:
            yield from self._applied(value, home, bound, depth)

    def _applied(
        self, value: Value, home: Module, bound: Mapping[tuple[str, str], Given], depth: int
    ) -> Iterator[OurUse]:
        """The uses that applying one decorator makes."""
        if isinstance(value, Ref) and value.path.startswith(PARAMETER):
            given = bound.get((home.file, value.path))
            if given is not None:
                yield from self._applied_all(*given, _NOTHING, depth + 1)
            return
        for entity, call, call_home in self._classifier.candidates(value, home):
            if isinstance(entity, OurDecorator):
                use = OurUse(entity.name, call.place if call else (1, 1), home, call, call_home)
                yield _with_arguments(use, bound, self._resolver)
            elif isinstance(entity, FoundFunction):
                if call is None or call_home is None:
                    yield from self._by(entity, bound, depth)
                else:
                    yield from self._by_made(entity, call, call_home, depth)

    def _by(
        self, function: FoundFunction, bound: Mapping[tuple[str, str], Given], depth: int
    ) -> Iterator[OurUse]:
        """The uses that a function makes of what it decorates."""
        home, facts = function.module, self._resolver.function_facts(function)
        decorated = Call((), (Argument((Opaque(),), facts.place),), facts.place)
        bound = {**bound, **_bound(facts, function, decorated, home)}
        for returned in facts.returns:
            for use in self._in(returned, home, bound, depth):
                self.followed.add(function)
                yield use

    def _in(
        self, method: MethodFacts, home: Module, bound: Mapping[tuple[str, str], Given], depth: int
    ) -> Iterator[OurUse]:
        for decoration in method.decorations:
            for use in self._applied_all(decoration.values, home, bound, depth + 1):
                yield use._replace(place=decoration.place) if use.place == (1, 1) else use
        yield from self._on(method.inner, home, bound, depth + 1)

    def _by_made(self, maker: FoundFunction, call: Call, call_home: Module, depth: int) -> Iterator[OurUse]:
        """The uses that ``@maker(...)`` makes: what it returns is the decorator."""
        facts = self._resolver.function_facts(maker)
        bound = _bound(facts, maker, call, call_home)
        for returned in facts.returns:
            for use in self._applied_all(returned.inner, maker.module, bound, depth + 1):
                self.followed.add(maker)
                yield use

    def _on(
        self, values: Values, home: Module, bound: Mapping[tuple[str, str], Given], depth: int
    ) -> Iterator[OurUse]:
        """The uses on a function that is bound elsewhere, or that a call gives."""
        if depth > MAX_DEPTH:
            return
        for entity in self._resolver.entities(values, home):
            if isinstance(entity, FoundFunction):
                for decoration in self._resolver.function_facts(entity).decorations:
                    for use in self._applied_all(decoration.values, entity.module, bound, depth + 1):
                        self.followed.add(entity)
                        yield use._replace(place=decoration.place) if use.place == (1, 1) else use
            elif isinstance(entity, FoundValue) and isinstance(entity.value, Call):
                yield from self._on_call(entity.value, entity.module, bound, depth)

    def _on_call(
        self, call: Call, home: Module, bound: Mapping[tuple[str, str], Given], depth: int
    ) -> Iterator[OurUse]:
        """The uses on what a call gives: it may be that of a decorator, or of a function that makes one."""
        if any(not argument.keyword and not argument.star for argument in call.arguments[:1]):
            yield from self._applied_all(call.function, home, bound, depth + 1)
        for maker in self._functions(call.function, home):
            made = _bound(self._resolver.function_facts(maker), maker, call, home)
            for returned in self._resolver.function_facts(maker).returns:
                for use in self._in(returned, maker.module, made, depth + 1):
                    self.followed.add(maker)
                    yield use

    def _functions(self, values: Values, home: Module) -> list[FoundFunction]:
        return [one for one in self._resolver.entities(values, home) if isinstance(one, FoundFunction)]

    def _substituted(
        self, values: Values, home: Module, bound: Mapping[tuple[str, str], Given]
    ) -> Iterator[tuple[Values, Module]]:
        for value in values:
            given = bound.get((home.file, value.path)) if isinstance(value, Ref) else None
            yield given if given is not None else ((value,), home)

    # Where the way cannot be followed.

    def end(self, values: Values, home: Module, place: Place) -> End | None:
        """The use of ``tracked_script`` that some values lead to; None if they lead to none.

        Args:
            values: the values, as the facts of a module have them.
            home: that module.
            place: where they are.
        """
        for entity in self._starts(values, home):
            found = End(home, place) if _is_ours(entity) else self.end_of(entity)
            if found is not None:
                return found
        return None

    def end_of(self, entity: Entity) -> End | None:
        """The use of ``tracked_script`` that something leads to; None if it leads to none."""
        if entity not in self._ends:
            self._ends[entity] = self._search(entity)
        return self._ends[entity]

    def _starts(self, values: Values, home: Module) -> list[Entity]:
        """What values refer to, with everything that calls and expressions are made of."""
        found: list[Entity] = []
        todo = list(values)
        while todo and len(found) < MAX_STEPS:
            value = todo.pop(0)
            if isinstance(value, Call):
                todo += [*value.function, *(one for each in value.arguments for one in each.values)]
            elif isinstance(value, Made):
                todo += value.parts
            elif isinstance(value, Ref) and not value.path.startswith(PARAMETER):
                for entity in self._resolver.resolve(value.path, home):
                    if isinstance(entity, FoundValue) and isinstance(entity.value, Call | Made):
                        found += self._starts((entity.value,), entity.module) if entity.module != home else []
                        todo += [entity.value] if entity.module == home and entity.value not in todo else []
                    else:
                        found.append(entity)
        return found

    def _search(self, start: Entity) -> End | None:
        todo: list[Entity] = [start]
        seen: set[Entity] = set()
        while todo and len(seen) < MAX_STEPS:
            entity = todo.pop(0)
            if entity in seen:
                continue
            seen.add(entity)
            try:
                found = self._mention(entity)
                if found is not None:
                    return found
                todo += self._next(entity)
            except UnreadableSource:
                continue
        return None

    def _mention(self, entity: Entity) -> End | None:
        """The use of our decorator in a value, function, class or module."""
        if isinstance(entity, FoundValue):
            place = entity.value.place if isinstance(entity.value, Call) else (1, 1)
            return End(entity.module, place) if self._names_ours((entity.value,), entity.module) else None
        if isinstance(entity, FoundFunction):
            function = self._resolver.function_facts(entity)
            if self._names_ours(function.parts, entity.module):
                return End(entity.module, function.place)
            return self._use_within(entity.module, function.place[0], function.end)
        if isinstance(entity, FoundClass):
            return self._on_method(entity) or self.misuse(entity)
        if not isinstance(entity, FoundModule):
            return None
        facts = self._resolver.facts(entity.module)
        classes = [FoundClass(entity.module, number) for number in range(len(facts.classes) if facts else 0)]
        uses = filter(None, map(self._on_method, classes))
        return next(uses, None) or self._use_within(entity.module, 1, sys.maxsize)

    def _names_ours(self, values: Values, home: Module) -> bool:
        return any(map(_is_ours, self._starts(values, home)))

    def _on_method(self, one: FoundClass) -> End | None:
        """The use of our decorator on one of METHODS of a class."""
        for methods in self._resolver.class_facts(one).methods.values():
            for method in methods:
                for use in self.method_uses(method, one.module):
                    if isinstance(use, OurUse) and use.name == TRACKED:
                        return End(use.home, use.place)
        return None

    def _use_within(self, module: Module, first: int, last: int) -> End | None:
        facts = self._resolver.facts(module)
        for use in facts.misplaced_uses if facts else ():
            if first <= use.place[0] <= last:
                kind = self._classifier.classify(use, module)
                if isinstance(kind, OurUse) and kind.name == TRACKED:
                    return End(module, use.place)
        return None

    def _next(self, entity: Entity) -> list[Entity]:
        """What a function or class is made of in turn."""
        if isinstance(entity, FoundValue):
            return self._starts((entity.value,), entity.module)
        if isinstance(entity, FoundFunction):
            function = self._resolver.function_facts(entity)
            values: Iterable[Value] = (
                *function.parts,
                *(value for one in function.decorations for value in one.values),
            )
        elif isinstance(entity, FoundClass):
            cls = self._resolver.class_facts(entity)
            values = (
                *(value for base in cls.bases for value in base),
                *(value for one in cls.decorations for value in one.values),
                *cls.metaclass,
                *(
                    value
                    for methods in cls.methods.values()
                    for method in methods
                    for value in (*method.inner, *(each for one in method.decorations for each in one.values))
                ),
            )
        else:
            return []
        return self._starts(tuple(values), entity.module)


def _is_ours(entity: Entity) -> bool:
    """Whether something is ``tracked_script``, or our package, of which it may be taken in any way."""
    if isinstance(entity, OurDecorator):
        return entity.name == TRACKED
    return isinstance(entity, Unknown) and entity.path in OURS


def _bound(
    facts: FunctionFacts, function: FoundFunction, call: Call, home: Module
) -> Mapping[tuple[str, str], Given]:
    """The arguments of a call by the path of the parameter that takes each."""
    positional = [one for one in call.arguments if not one.keyword and not one.star]
    named = {one.keyword: one for one in call.arguments if one.keyword}
    found: dict[str, Given] = {}
    for parameter in facts.params:
        name = parameter.name
        if name.startswith("**"):
            known = {one.name for one in facts.params}
            rest = tuple(one for key, one in named.items() if key not in known)
            found[name.lstrip("*")] = ((Call((), rest, call.place),), home)
        elif name.startswith("*"):
            positional = []
        elif positional:
            found[name] = (positional.pop(0).values, home)
        elif name in named:
            found[name] = (named[name].values, home)
        elif parameter.default:
            found[name] = (parameter.default, function.module)
    return {
        (function.module.file, f"{PARAMETER}{function.number}.{name}"): given for name, given in found.items()
    }


def _with_arguments(use: OurUse, bound: Mapping[tuple[str, str], Given], resolver: Resolver) -> OurUse:
    """A use whose arguments are parameters, with what was passed for them."""
    if use.call is None or not bound or not use.call.arguments:
        return use
    arguments: list[Argument] = []
    for argument in use.call.arguments:
        given = next(
            (
                bound.get((use.arguments_home.file, one.path))
                for one in argument.values
                if isinstance(one, Ref)
            ),
            None,
        )
        if given is None:
            arguments.append(argument)
        elif argument.star:
            values, home = given
            passed = values[0].arguments if values and isinstance(values[0], Call) else ()
            arguments += [_literal(one, one.values, home, argument, resolver) for one in passed]
        else:
            arguments.append(_literal(argument, *given, argument, resolver))
    return use._replace(call=use.call._replace(arguments=tuple(arguments)))


def _literal(
    argument: Argument, values: Values, home: Module, where: Argument, resolver: Resolver
) -> Argument:
    """An argument with its value as a literal: its names mean something only in the module that they are from."""
    entities = resolver.entities(values, home)
    value = entities[0].value if len(entities) == 1 and isinstance(entities[0], FoundValue) else Opaque()
    return argument._replace(values=(value if isinstance(value, Const) else Opaque(),), place=where.place)
