"""Which decorators of a ``handle()`` are ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from scripts_tracker.analysis.resolving import TRACKED, FoundValue, OurDecorator, Unknown
from scripts_tracker.analysis.values import LOCAL_CLASS, UNBOUND, Call, Ref, last_name

if TYPE_CHECKING:
    from scripts_tracker.analysis.facts import Decoration
    from scripts_tracker.analysis.modules import Module
    from scripts_tracker.analysis.resolving import Entity, Resolver
    from scripts_tracker.analysis.sniffing import Sniffer
    from scripts_tracker.analysis.values import Place, Value


class OurUse(NamedTuple):
    """A use of one of our decorators: its name, and its call with the module that holds it, if it is called."""

    name: str
    place: Place
    home: Module
    call: Call | None = None
    call_home: Module | None = None


@dataclass(frozen=True, slots=True)
class Doubtful:
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
