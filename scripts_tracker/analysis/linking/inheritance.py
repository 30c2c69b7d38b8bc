"""The method resolution order of a command, and the methods that it runs: ``handle()``, or ``process()`` in batches."""

from __future__ import annotations

import builtins
import sys
from collections import Counter
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis.facts.values import BATCHED, HANDLES, PROCESS
from scripts_tracker.analysis.linking.resolving import Broken, FoundClass, FoundFunction, Unknown
from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scripts_tracker.analysis.facts.values import ClassFacts, MethodFacts, SuperCall
    from scripts_tracker.analysis.linking.modules import Module
    from scripts_tracker.analysis.linking.resolving import Entity, Resolver
    from scripts_tracker.analysis.linking.trails import Trails

MAX_CLASSES: Final = 300
"""The most classes of one hierarchy that are read."""

Class = FoundClass | Unknown | Broken
Mro = tuple[Class, ...]


class Implementation(NamedTuple):
    """One method that a call reaches, and the module that defines it."""

    module: Module
    method: MethodFacts


class Chain(NamedTuple):
    """The methods that a call reaches, and the broken files that may contain more."""

    implementations: list[Implementation]
    broken: list[Broken]


class Hierarchy:
    """Orders classes and finds methods in them.

    Args:
        resolver: finds base classes.
        trails: follows the functions that make them.
    """

    def __init__(self, resolver: Resolver, trails: Trails) -> None:
        self._resolver = resolver
        self._trails = trails
        self._mros: dict[Class, Mro] = {}
        self._patched: dict[FoundClass, dict[str, list[Implementation]]] = {}
        self._plain: dict[Mro, bool] = {}

    def facts(self, one: FoundClass) -> ClassFacts:
        """The facts of a class."""
        return self._resolver.class_facts(one)

    def mro(self, start: FoundClass) -> Mro:
        """The method resolution order of a class, by C3 as in Python.

        An unknown class has no bases. Bases in a cycle, and those past the limit, are left out.
        """
        done = self._mros.get(start)
        if done is not None:
            return done
        stack = [start]
        opened: set[FoundClass] = set()
        while stack:
            current = stack[-1]
            if current in self._mros:
                stack.pop()
                continue
            bases = [base for base in self._bases(current) if base != current]
            waiting = [base for base in bases if isinstance(base, FoundClass) and base not in self._mros]
            if current not in opened and waiting and len(opened) < MAX_CLASSES:
                opened.add(current)
                stack.extend(reversed(waiting))
                continue
            known = [self._mros.get(base, (base,)) for base in bases]
            self._mros[current] = (current, *_merge(known, bases))
            stack.pop()
        return self._mros[start]

    def is_batched(self, one: FoundClass) -> bool:
        """Whether a class reaches BatchedCommand."""
        for each in self.mro(one):  # noqa: SIM110 - every class is asked, and a generator takes twice as long
            if type(each) is Unknown and each.path == BATCHED:
                return True
        return False

    def tracked_methods(self, one: FoundClass) -> tuple[str, ...]:
        """The methods of a command that our decorators can track."""
        return (PROCESS,) if self.is_batched(one) else HANDLES

    def lacks_batches(self, one: FoundClass) -> bool:
        """Whether it is certain that a batched command has no ``batches()`` of its own."""
        mro = self.mro(one)
        classes = [self.facts(each) for each in mro if isinstance(each, FoundClass)]
        others = [each for each in mro if not isinstance(each, FoundClass)]
        return (
            self._is_plain(mro)
            and all(isinstance(each, Unknown) and _is_foreign(each.path) for each in others)
            and not any(each.has_batches for each in classes)
        )

    def _bases(self, one: FoundClass) -> list[Class]:
        found: list[Class] = []
        for values in self.facts(one).bases:
            base = _likeliest(self._trails.classes(values, one.module))
            if base is not None and base not in found:
                found.append(base)
        return found

    def chain(self, start: FoundClass, method: str) -> Chain:
        """The methods that a call on an instance of the class reaches, in the order of the calls."""
        chain = Chain([], [])
        todo: list[tuple[Mro, int, str]] = [(self.mro(start), 0, method)]
        seen: set[tuple[Mro, int, str]] = set()
        while todo:
            mro, index, name = item = todo.pop()
            if item in seen or len(seen) > MAX_CLASSES:
                continue
            seen.add(item)
            found = self._definition(mro, index, name, chain)
            if found is None:
                continue
            position, owner = found
            if not self._is_plain(mro):
                chain.implementations.extend(self._patches(owner).get(name, []))
            own = self.facts(owner).methods.get(name)
            if own is None:
                todo.append((mro, position + 1, name))
            for definition in own or ():
                chain.implementations.append(Implementation(owner.module, definition))
                steps = [self._step(call, mro, position, owner) for call in definition.super_calls]
                todo.extend(step for step in reversed(steps) if step is not None)
        return chain

    def _is_plain(self, mro: Mro) -> bool:
        """Whether all classes are what their bodies say."""
        if mro not in self._plain:
            classes = [self.facts(one) for one in mro if isinstance(one, FoundClass)]
            self._plain[mro] = all(not (one.decorations or one.hooks or one.metaclass) for one in classes)
        return self._plain[mro]

    def _patches(self, one: FoundClass) -> Mapping[str, list[Implementation]]:
        """What decorators, metaclasses and hooks make of the methods of a class, the outermost first."""
        if one not in self._patched:
            found = self._patched[one] = {}
            for function in self._makers(one):
                for module, name, method, needs_own in self._trails.patches(function):
                    if not needs_own or name in self.facts(one).methods:
                        found.setdefault(name, []).append(Implementation(module, method))
        return self._patched[one]

    def _makers(self, one: FoundClass) -> Iterator[FoundFunction]:
        """The functions that may make another class of one: they are called last to first."""
        facts = self.facts(one)
        for decoration in facts.decorations:
            yield from self._trails.functions(decoration.values, one.module)
        mro = [each for each in self.mro(one) if isinstance(each, FoundClass)]
        for parent in mro[1:]:
            if "__init_subclass__" in self.facts(parent).hooks:
                yield FoundFunction(parent.module, self.facts(parent).hooks["__init_subclass__"])
        metaclasses = (self._metaclass(each) for each in mro)
        meta = next((each for each in metaclasses if each is not None), None)
        for each in self.mro(meta) if meta is not None else ():
            if isinstance(each, FoundClass):
                hooks = self.facts(each).hooks.items()
                yield from (
                    FoundFunction(each.module, number)
                    for name, number in hooks
                    if name != "__init_subclass__"
                )

    def _metaclass(self, one: FoundClass) -> FoundClass | None:
        values = self.facts(one).metaclass
        found = _likeliest(self._trails.classes(values, one.module)) if values else None
        return found if isinstance(found, FoundClass) else None

    def _definition(self, mro: Mro, index: int, name: str, chain: Chain) -> tuple[int, FoundClass] | None:
        for position in range(index, len(mro)):
            one = mro[position]
            if isinstance(one, Broken):
                chain.broken.append(one)
                return None
            if isinstance(one, Unknown):
                if one.path == BATCHED or one.path.startswith("django.core.management."):
                    return None
            elif name in self.facts(one).methods or (not self._is_plain(mro) and name in self._patches(one)):
                return position, one
        return None

    def _step(
        self, call: SuperCall, mro: Mro, position: int, owner: FoundClass
    ) -> tuple[Mro, int, str] | None:
        if call.base is None:
            return mro, position + 1, call.method
        for entity in self._trails.classes(call.base, owner.module):
            if isinstance(entity, FoundClass) and not entity.attributes:
                if not call.after:
                    return self.mro(entity), 0, call.method
                if entity in mro:
                    return mro, mro.index(entity) + 1, call.method
        return None


def _is_foreign(path: str) -> bool:
    """Whether an unknown class is ours, Django's or Python's, and so has no ``batches()`` that works."""
    first, _, rest = path.partition(".")
    if not rest:
        return hasattr(builtins, first)
    return path == BATCHED or first == "django" or first in sys.stdlib_module_names


def _likeliest(entities: list[Entity]) -> Class | None:
    """The likeliest class, if there are several (``try: import ... except ImportError``): ours, or one that can be read."""
    classes = [one for one in entities if isinstance(one, FoundClass) and not one.attributes]
    broken = [one for one in entities if isinstance(one, Broken)]
    unknown = [one for one in entities if isinstance(one, Unknown)]
    ours = [one for one in unknown if one.path == BATCHED]
    ranked: list[Class] = [*ours, *classes, *broken, *unknown]
    return ranked[0] if ranked else None


def _merge(orders: list[Mro], bases: list[Class]) -> list[Class]:
    """The merge step of C3; if Python would refuse the class, the orders one after the other."""
    pending = [list(reversed(order)) for order in [*orders, tuple(bases)] if order]
    behind = Counter(one for order in pending for one in order[:-1])
    merged: list[Class] = []
    while pending:
        head = next((order[-1] for order in pending if not behind[order[-1]]), None)
        if head is None:
            left = dict.fromkeys(one for order in pending for one in reversed(order))
            return [*merged, *(one for one in left if one not in merged)]
        merged.append(head)
        for order in pending:
            if order[-1] == head:
                order.pop()
                if order:
                    behind[order[-1]] -= 1
        pending = [order for order in pending if order]
    return merged
