"""What names stand for across files, from facts alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from scripts_tracker.analysis.facts.values import (
    INSIDE,
    LOCAL_CLASS,
    STAR,
    UNBOUND,
    Call,
    Const,
    Opaque,
    Ref,
    Values,
    dotted,
    last_name,
)
from scripts_tracker.analysis.linking.modules import OURS, Module
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from scripts_tracker.analysis.facts.values import ClassFacts, Decoration, FileFacts, Value
    from scripts_tracker.analysis.linking.modules import FactsLoader, Finder
    from scripts_tracker.analysis.linking.prefilter import Sniffer
    from scripts_tracker.core.values import Place

TRACKED: Final = "tracked_script"
REQUIRED: Final = "required_preceding_script"
_OUR_MODULES: Final = frozenset({"", "core_tracker", "dependency_tracker", "decorators"})
MAX_STEPS: Final = 500
"""So many names are followed from one; only files made to mislead need more."""


class OurDecorator(NamedTuple):
    """``tracked_script`` or ``required_preceding_script``, by name."""

    name: str
    is_ours: Literal[True] = True  # else it would equal an Unknown of that name


class FoundClass(NamedTuple):
    """A class of a file, by its number, and the attributes that are looked up on it."""

    module: Module
    number: int
    attributes: tuple[str, ...] = ()


class FoundModule(NamedTuple):
    """A module."""

    module: Module


class FoundValue(NamedTuple):
    """A value of a module that is no class: a constant, a call, or something opaque."""

    value: Const | Call | Opaque
    module: Module


class Unknown(NamedTuple):
    """A name that leads outside of what can be seen."""

    path: str


class Broken(NamedTuple):
    """A name that leads into a file that cannot be analysed."""

    module: Module
    error: UnreadableSource


Entity = OurDecorator | FoundClass | FoundModule | FoundValue | Unknown | Broken


class Resolver:
    """Follows references from file to file.

    Args:
        finder: finds modules.
        loader: knows their facts.
    """

    def __init__(self, finder: Finder, loader: FactsLoader) -> None:
        self._finder = finder
        self._loader = loader
        self._resolved: dict[tuple[str, str, str | None], list[Entity]] = {}

    @staticmethod
    def is_ours(path: str) -> bool:
        """Whether an absolute path names one of our decorators."""
        return _our_decorator(path) is not None

    def facts(self, module: Module) -> FileFacts | None:
        """The facts of a module; None for a package without ``__init__.py``. Raises UnreadableSource."""
        return None if module.path is None else self._loader.facts(module.path)

    def class_facts(self, found: FoundClass) -> ClassFacts:
        """The facts of a class that was found."""
        facts = self.facts(found.module)
        if facts is None or found.number >= len(facts.classes):
            raise LookupError(f"{found} has no facts")
        return facts.classes[found.number]

    def entities(self, values: Values, home: Module) -> list[Entity]:
        """What any of several values is.

        Args:
            values: the values, as the facts of a module have them.
            home: that module.
        """
        found: list[Entity] = []
        for value in values:
            found += self.resolve(value.path, home) if isinstance(value, Ref) else [FoundValue(value, home)]
        return found

    def resolve(self, path: str, home: Module) -> list[Entity]:
        """What a path may be, the likeliest first; cycles of imports come out as nothing."""
        key = (path, home.name, home.path)
        if key not in self._resolved:
            self._resolved[key] = self._resolve(path, home)
        return self._resolved[key]

    def member(self, module: Module, name: str) -> list[Entity]:
        """What a module binds a name to; nothing where it does not. Raises UnreadableSource."""
        values = self._member(module, name, starred=False)
        if values is not None:
            return self.entities(values, module)
        through = self._through_stars(module, name, [])
        return [entity for path, home in through for entity in self.resolve(path, home)]

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

    def _step(self, path: str, home: Module) -> tuple[list[Entity], list[tuple[str, Module]]]:  # noqa: PLR0911 - one return a kind of node
        """One step: what the path is, or the paths that stand for it."""
        if path.startswith(UNBOUND):
            return [Unknown(path[len(UNBOUND) :])], []
        if path.startswith(LOCAL_CLASS):
            number, *attributes = path[len(LOCAL_CLASS) :].split(".")
            return [FoundClass(home, int(number), tuple(attributes))], []
        absolute = home.absolute(path)
        if absolute is None:
            return [Unknown(dotted(path))], []
        ours = _our_decorator(absolute)
        if ours is not None:
            return [ours], []
        start = self._start(absolute)
        if start is None:
            return ([] if STAR in absolute else [Unknown(dotted(absolute))]), []
        try:
            return self._descend(*start, absolute)
        except UnreadableSource as error:
            return [Broken(start[0], error)], []

    def _start(self, path: str) -> tuple[Module, list[str]] | None:
        """The module that a path starts with, and the names to look up in it and below."""
        module, inside, taken = path.partition(INSIDE)
        if inside:
            # `from a.b import c` takes a.b for a module, whatever the package binds to b.
            found = self._finder.find(module)
            return None if found is None else (found, taken.split("."))
        # A package that only the settings know has no file of its own.
        parts = path.split(".")
        first = self._finder.find(parts[0])
        return (first, parts[1:]) if first is not None else self._finder.longest(path)

    def _descend(
        self, module: Module, names: list[str], path: str
    ) -> tuple[list[Entity], list[tuple[str, Module]]]:
        """Down a dotted path: what a module binds comes before a file of that name in its folder."""
        while names:
            name, rest = names[0], names[1:]
            bound = self._member(module, name.lstrip(STAR), starred=name.startswith(STAR))
            if bound is not None:
                return self._continue(bound, rest, module)
            below = self._finder.find(f"{module.name}.{name}") if module.is_package else None
            if below is None:
                through = self._through_stars(module, name, rest)
                missing: list[Entity] = [] if through or name.startswith(STAR) else [Unknown(dotted(path))]
                return missing, through
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
                entities.append(FoundValue(Opaque() if rest else value, module))
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


def _our_decorator(path: str) -> OurDecorator | None:
    owner, _, name = dotted(path).rpartition(".")
    package, _, module = owner.partition(".")
    if package in OURS and module in _OUR_MODULES and name in {TRACKED, REQUIRED}:
        return OurDecorator(name)
    return None


class OurUse(NamedTuple):
    """A use of one of our decorators: its name, and its call with the module that holds it, if it is called."""

    name: str
    place: Place
    home: Module
    call: Call | None = None
    call_home: Module | None = None


class Doubtful(NamedTuple):
    """A decorator called ``tracked_script`` of which nobody can tell where it comes from."""

    path: str


class Judge:
    """Tells our decorators from others.

    Args:
        resolver: follows names.
        sniffer: spares the parse of modules that cannot lead to us.
    """

    def __init__(self, resolver: Resolver, sniffer: Sniffer) -> None:
        self._resolver = resolver
        self._sniffer = sniffer

    def judge(self, decoration: Decoration, home: Module) -> OurUse | Doubtful | None:
        """What a decorator is; of several alternatives ours counts.

        Args:
            decoration: the decorator, as the facts of a module have it.
            home: that module.
        """
        doubts = []
        for value in decoration.values:
            for entity, call, call_home in self._candidates(value, home):
                if isinstance(entity, OurDecorator):
                    return OurUse(entity.name, decoration.place, home, call, call_home)
                if isinstance(entity, Unknown) and last_name(entity.path) == TRACKED:
                    doubts.append(Doubtful(entity.path))
        return doubts[0] if doubts else None

    def _candidates(self, value: Value, home: Module) -> list[tuple[Entity, Call | None, Module | None]]:
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
        if not isinstance(value, Ref) or value.path.startswith(LOCAL_CLASS):
            return []
        worthwhile = last_name(value.path) == TRACKED or self._is_worthwhile(value.path, home)
        return self._resolver.resolve(value.path, home) if worthwhile else []

    def _is_worthwhile(self, path: str, home: Module) -> bool:
        if path.startswith(UNBOUND):
            return False
        return self._resolver.is_ours(path) or self._sniffer.path_leads_to_us(path, home)
