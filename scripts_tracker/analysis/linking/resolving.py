"""What names refer to across files, from facts alone; and which decorators are ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from scripts_tracker.analysis.facts.values import (
    BATCHED,
    GETATTR,
    INSIDE,
    LOCAL_CLASS,
    LOCAL_FUNCTION,
    OURS,
    PARAMETER,
    REQUIRED,
    STAR,
    TRACKED,
    UNBOUND,
    Call,
    Const,
    Made,
    Opaque,
    Ref,
    Values,
    dotted,
    last_name,
)
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from scripts_tracker.analysis.facts.values import (
        Argument,
        ClassFacts,
        Decoration,
        FileFacts,
        FunctionFacts,
        Value,
    )
    from scripts_tracker.analysis.linking.modules import FactsLoader, Finder, Module
    from scripts_tracker.analysis.linking.prefilter import Prefilter
    from scripts_tracker.core.values import Place

OUR_MODULES: Final = frozenset({"", "core_tracker", "dependency_tracker", "decorators"})
MAX_STEPS: Final = 500
"""The most names that are followed from one. Only a file that is made to mislead needs more."""


class OurDecorator(NamedTuple):
    """``tracked_script`` or ``required_preceding_script``, by name."""

    name: str
    is_ours: Literal[True] = True  # else it would equal an Unknown of that name


class FoundClass(NamedTuple):
    """A class in a file, by its number, and the attributes that are looked up on it."""

    module: Module
    number: int
    attributes: tuple[str, ...] = ()


class FoundFunction(NamedTuple):
    """A function in a file that may lead to our decorators, by its number."""

    module: Module
    number: int
    is_function: Literal[True] = True  # else it would equal a class of that number


class FoundModule(NamedTuple):
    """A module."""

    module: Module


class FoundValue(NamedTuple):
    """Another value in a module: a constant, a call, or something opaque."""

    value: Const | Call | Opaque | Made
    module: Module


class Unknown(NamedTuple):
    """A name from outside of the project."""

    path: str


class Broken(NamedTuple):
    """A name from a file that cannot be parsed."""

    module: Module
    error: UnreadableSource


Entity = OurDecorator | FoundClass | FoundFunction | FoundModule | FoundValue | Unknown | Broken


class Resolver:
    """Follows references from file to file.

    Args:
        finder: finds modules.
        loader: loads their facts.
    """

    def __init__(self, finder: Finder, loader: FactsLoader) -> None:
        self._finder = finder
        self._loader = loader
        self._resolved: dict[tuple[str, str, str | None], list[Entity]] = {}
        self._passed: dict[tuple[str, str, str | None], list[tuple[Module, str]]] = {}
        self._passing: list[tuple[Module, str]] = []

    def facts(self, module: Module) -> FileFacts | None:
        """The facts of a module; None for a package without ``__init__.py``. Raises UnreadableSource."""
        return None if module.path is None else self._loader.facts(module.path)

    def class_facts(self, found: FoundClass) -> ClassFacts:
        """The facts of a class."""
        facts = self.facts(found.module)
        if facts is None or found.number >= len(facts.classes):
            raise LookupError(f"{found} has no facts")
        return facts.classes[found.number]

    def function_facts(self, found: FoundFunction) -> FunctionFacts:
        """The facts of a function."""
        facts = self.facts(found.module)
        if facts is None or found.number >= len(facts.functions):
            raise LookupError(f"{found} has no facts")
        return facts.functions[found.number]

    def entities(self, values: Values, home: Module) -> list[Entity]:
        """What any of several values refers to.

        Args:
            values: the values, as the facts of a module have them.
            home: that module.
        """
        found: list[Entity] = []
        for value in values:
            found += self.resolve(value.path, home) if isinstance(value, Ref) else [FoundValue(value, home)]
        return found

    def resolve(self, path: str, home: Module) -> list[Entity]:
        """What a path may refer to, the likeliest first; nothing for a cycle of imports."""
        key = (path, home.name, home.path)
        if key not in self._resolved:
            self._passing = []
            self._resolved[key] = self._resolve(path, home)
            self._passed[key] = self._passing
        return self._resolved[key]

    def passed(self, path: str, home: Module) -> list[tuple[Module, str]]:
        """The names that a path leads through, each with the module that it is looked up in."""
        self.resolve(path, home)
        return self._passed[path, home.name, home.path]

    def member(self, module: Module, name: str) -> list[Entity]:
        """What a module binds a name to; nothing if it does not. Raises UnreadableSource."""
        values = self._member(module, name, starred=False)
        if values is not None:
            return self.entities(values, module)
        through = self._through_stars(module, name, [])
        found = [entity for path, home in through for entity in self.resolve(path, home)]
        made = None if found else self._member(module, GETATTR, starred=False)
        return found if made is None else [FoundValue(Call(made, (), (1, 1)), module)]

    def _resolve(self, path: str, home: Module) -> list[Entity]:
        found: list[Entity] = []
        todo = [(path, home)]
        seen: set[tuple[str, Module]] = set()
        while todo and len(seen) < MAX_STEPS:
            item = todo.pop()
            if item in seen:
                continue
            seen.add(item)
            entities, further = self._step(*item)
            found += [entity for entity in entities if entity not in found]
            todo.extend(reversed(further))
        return found

    def _step(self, path: str, home: Module) -> tuple[list[Entity], list[tuple[str, Module]]]:  # noqa: PLR0911 - one return for each kind of path
        """What a path refers to, or the paths to follow next."""
        if path.startswith(UNBOUND):
            return [Unknown(path[len(UNBOUND) :])], []
        if path.startswith(LOCAL_CLASS):
            number, *attributes = path[len(LOCAL_CLASS) :].split(".")
            found_class = FoundClass(home, int(number), tuple(attributes))
            return self._attribute(found_class) if attributes else ([found_class], [])
        if path.startswith(LOCAL_FUNCTION):
            number, *attributes = path[len(LOCAL_FUNCTION) :].split(".")
            found = FoundValue(Opaque(), home) if attributes else FoundFunction(home, int(number))
            return [found], []
        if path.startswith(PARAMETER):
            return [FoundValue(Opaque(), home)], []
        absolute = home.absolute(path)
        if absolute is None:
            return [Unknown(dotted(path))], []
        ours = _our_decorator(absolute)
        if ours is not None:
            return [ours], []
        if absolute.startswith(_BATCHES) and dotted(absolute) == BATCHED:
            return [Unknown(BATCHED)], []
        start = self._start(absolute)
        if start is None:
            return ([] if STAR in absolute else [Unknown(dotted(absolute))]), []
        try:
            return self._descend(*start, absolute)
        except UnreadableSource as error:
            return [Broken(start[0], error)], []

    def _attribute(self, found: FoundClass) -> tuple[list[Entity], list[tuple[str, Module]]]:
        """What an attribute of a class is, where the body of the class says so."""
        name, *rest = found.attributes
        values = self.class_facts(found).attributes.get(name)
        return ([found], []) if values is None else self._continue(values, rest, found.module)

    def _start(self, path: str) -> tuple[Module, list[str]] | None:
        """The module at the start of a path, and the names to look up in it."""
        module, inside, taken = path.partition(INSIDE)
        if inside:
            # In `from a.b import c`, a.b is a module, whatever the package binds b to.
            found = self._finder.find(module)
            return None if found is None else (found, taken.split("."))
        # A package that only the settings name has no file.
        parts = path.split(".")
        first = self._finder.find(parts[0])
        return (first, parts[1:]) if first is not None else self._finder.longest(path)

    def _descend(
        self, module: Module, names: list[str], path: str
    ) -> tuple[list[Entity], list[tuple[str, Module]]]:
        """Follow a dotted path: a name that a module binds comes before a file with that name in its folder."""
        while names:
            name, rest = names[0], names[1:]
            self._passing.append((module, name.lstrip(STAR)))
            bound = self._member(module, name.lstrip(STAR), starred=name.startswith(STAR))
            if bound is not None:
                return self._continue(bound, rest, module)
            below = self._finder.find(f"{module.name}.{name}") if module.is_package else None
            if below is None:
                through = self._through_stars(module, name, rest)
                if through or name.startswith(STAR):
                    return [], through
                made = self._member(module, GETATTR, starred=False)
                return [
                    Unknown(dotted(path)) if made is None else FoundValue(Call(made, (), (1, 1)), module)
                ], []
            module, names = below, rest
        return [FoundModule(module)], []

    def _continue(
        self, values: Values, rest: list[str], module: Module
    ) -> tuple[list[Entity], list[tuple[str, Module]]]:
        entities: list[Entity] = []
        further = []
        for value in values:
            if isinstance(value, Ref):
                further.append((".".join([value.path, *rest]), module))
            else:
                entities.append(FoundValue(_attribute_of(value) if rest else value, module))
        return entities, further

    def _member(self, module: Module, name: str, *, starred: bool) -> Values | None:
        if module.path is None or not self._loader.mentions(module.path, name):
            return None
        facts = self._loader.facts(module.path)
        values = facts.names.get(name)
        if values is None or not starred:
            return values
        exported = facts.names.get("__all__", ())
        if len(exported) == 1 and isinstance(exported[0], Const) and isinstance(exported[0].value, tuple):
            return values if name in exported[0].value else None
        return None if name.startswith("_") else values

    def _through_stars(self, module: Module, name: str, rest: list[str]) -> list[tuple[str, Module]]:
        if module.path is None or not self._loader.has_star(module.path):
            return []
        stars = self._loader.facts(module.path).stars
        bare = name.lstrip(STAR)
        return [(".".join([f"{star}{INSIDE}{STAR}{bare}", *rest]), module) for star in stars]


def _attribute_of(value: Const | Call | Opaque | Made) -> Opaque | Made:
    """An attribute of a value: it may be made of what the value is made of."""
    if not isinstance(value, Call):
        return value if isinstance(value, Made) else Opaque()
    passed = [one for argument in value.arguments for one in argument.values]
    parts = tuple(one for one in (*value.function, *passed) if isinstance(one, Ref))
    return Made(parts) if parts else Opaque()


_BATCHES: Final = BATCHED.partition(".")[0]


def _our_decorator(path: str) -> OurDecorator | None:
    owner, _, name = dotted(path).rpartition(".")
    package, _, module = owner.partition(".")
    if package in OURS and module in OUR_MODULES and name in {TRACKED, REQUIRED}:
        return OurDecorator(name)
    return None


class OurUse(NamedTuple):
    """A use of one of our decorators.

    Attributes:
        name: of the decorator.
        place: of the use, in ``home``.
        call: the call with its arguments; None if it is not called.
        call_home: the module that contains the call.
    """

    name: str
    place: Place
    home: Module
    call: Call | None = None
    call_home: Module | None = None

    @property
    def arguments(self) -> tuple[Argument, ...]:
        """The arguments of the call."""
        return self.call.arguments if self.call else ()

    @property
    def arguments_home(self) -> Module:
        """The module that contains the arguments."""
        return self.call_home or self.home


class Ambiguous(NamedTuple):
    """A decorator with the name ``tracked_script`` from an unknown module."""

    path: str
    place: Place


class DecoratorClassifier:
    """Finds our decorators among others.

    Args:
        resolver: follows names.
        prefilter: saves parsing modules that cannot lead to our decorators.
    """

    def __init__(self, resolver: Resolver, prefilter: Prefilter) -> None:
        self._resolver = resolver
        self._prefilter = prefilter

    def classify(self, decoration: Decoration, home: Module) -> OurUse | Ambiguous | None:
        """Whether a decorator is one of ours; if it may be several, ours counts.

        Args:
            decoration: the decorator, as the facts of a module have it.
            home: that module.
        """
        ambiguous = None
        for value in decoration.values:
            for entity, call, call_home in self.candidates(value, home):
                if isinstance(entity, OurDecorator):
                    return OurUse(entity.name, decoration.place, home, call, call_home)
                if isinstance(entity, Unknown) and last_name(entity.path) == TRACKED:
                    ambiguous = ambiguous or Ambiguous(entity.path, decoration.place)
        return ambiguous

    def candidates(self, value: Value, home: Module) -> list[tuple[Entity, Call | None, Module | None]]:
        """What is applied, with the call that made it: ``@x``, ``@x(...)``, or ``@y`` after ``y = x(...)``."""
        if isinstance(value, Call):
            return [
                (entity, value, home) for inner in value.function for entity in self._entities(inner, home)
            ]
        found: list[tuple[Entity, Call | None, Module | None]] = []
        for entity in self._entities(value, home):
            if isinstance(entity, FoundValue) and isinstance(entity.value, Call):
                call = entity.value
                found += [
                    (maker, call, entity.module)
                    for inner in call.function
                    for maker in self._entities(inner, entity.module)
                ]
            else:
                found.append((entity, None, None))
        return found

    def _entities(self, value: Value, home: Module) -> list[Entity]:
        if not isinstance(value, Ref) or value.path.startswith(PARAMETER):
            return []
        path = value.path
        if path.startswith(LOCAL_CLASS):
            return self._resolver.resolve(path, home) if "." in path else []
        if path.startswith(LOCAL_FUNCTION):
            return self._resolver.resolve(path, home)
        may_be_ours = last_name(path) == TRACKED or (
            not path.startswith(UNBOUND)
            and (_our_decorator(path) is not None or self._prefilter.path_leads_to_us(path, home))
        )
        return self._resolver.resolve(path, home) if may_be_ours else []
