"""The net below the trails: which of our decorators a command may come by, judged by the names in the code alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis.facts.graph import DECIDED, DECORATED, PASSED, RUN, SET, NameGraph
from scripts_tracker.analysis.facts.values import (
    COMMAND,
    INSIDE,
    LOCAL_CLASS,
    LOCAL_FUNCTION,
    METHODS,
    OURS,
    STAR,
    TRACKED,
    Call,
    Ref,
    dotted,
)
from scripts_tracker.analysis.linking.resolving import (
    OUR_MODULES,
    FoundClass,
    FoundFunction,
    FoundModule,
    OurDecorator,
    Unknown,
)
from scripts_tracker.analysis.linking.trails import End
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from scripts_tracker.analysis.facts.graph import Mention
    from scripts_tracker.analysis.facts.values import FileFacts, Value
    from scripts_tracker.analysis.linking.modules import FactsLoader, Module
    from scripts_tracker.analysis.linking.prefilter import Prefilter
    from scripts_tracker.analysis.linking.resolving import Entity, Resolver
    from scripts_tracker.analysis.linking.trails import Trails

MAX_NODES: Final = 300
MAX_MODULES: Final = 8
"""The most modules that are looked at for one command: more are no way to a decorator, but all that the code calls."""
MAX_CROSSINGS: Final = 2
"""How often a way leads from one module to another, which imports on the way do not count for; in the body of a class once less."""
_ANY: Final = ""
_SUBCLASSES: Final = "__subclasses__"


class Node(NamedTuple):
    """A node of the graph of names of one file."""

    module: Module
    name: str


class Mentions:
    """Follows names that are named together, from file to file.

    Args:
        resolver: follows names.
        loader: has the graph of each file.
        prefilter: saves parsing modules that cannot lead to our decorators.
        trails: follows decorators and classes.
    """

    def __init__(self, resolver: Resolver, loader: FactsLoader, prefilter: Prefilter, trails: Trails) -> None:
        self._resolver = resolver
        self._loader = loader
        self._prefilter = prefilter
        self._trails = trails
        self._known: frozenset[FoundClass] = frozenset()
        self._ends: dict[FoundClass, End | None] = {}

    def end(self, home: Module, classes: Sequence[FoundClass]) -> End | None:
        """A use of ``tracked_script`` that the command of a file may come by; None if there is none.

        Args:
            home: the module of the file.
            classes: the classes of its command, in the method resolution order.
        """
        computed = [Node(home, name) for name in (f"{SET}{COMMAND}", _ANY)]
        return (
            self._search([*computed, *([] if classes else [Node(home, COMMAND)])], with_classes=True)
            or self.end_of_classes(classes)
            or self._search([Node(home, COMMAND)], with_classes=False)
            or self._anywhere(home)
        )

    def end_of_classes(self, classes: Sequence[FoundClass]) -> End | None:
        """A use of ``tracked_script`` that some classes may come by, which inherit from each other; None if there is none."""
        self._known = frozenset(classes)
        for one in classes:
            if one not in self._ends:
                self._ends[one] = self._end_of_class(one)
        return next((self._ends[one] for one in classes if self._ends[one]), None)

    def _end_of_class(self, one: FoundClass) -> End | None:
        module, name = one.module, self._name(one)
        decided, decorated, run = (Node(module, f"{name}{sign}") for sign in (DECIDED, DECORATED, RUN))
        methods = [Node(module, f"{SET}{method}") for method in METHODS]
        return (
            self._search([decided], with_classes=True)
            or self._search([decorated], with_classes=False)
            or self._search([Node(module, name), *methods], with_classes=False, crossings=1)
            or self._run_in(run)
        )

    def end_of_path(self, path: str, home: Module) -> End | None:
        """A use of ``tracked_script`` that something else than a class may be made of, by its path in a module."""
        self._known = frozenset()
        return self._search([*self._reached(path, home, (1, 1), with_classes=True)], with_classes=True)

    def _name(self, one: FoundClass) -> str:
        return self._resolver.class_facts(one).name

    def _facts(self, module: Module) -> FileFacts | None:
        try:
            return self._resolver.facts(module)
        except UnreadableSource:
            return None

    def _mentions(self, node: Node) -> tuple[Mention, ...]:
        return self._graph(node.module).of(node.name)

    def _graph(self, module: Module) -> NameGraph:
        try:
            return NameGraph() if module.path is None else self._loader.names(module.path)
        except UnreadableSource:
            return NameGraph()

    def _search(self, starts: Iterable[Node | End], *, with_classes: bool, crossings: int = 0) -> End | None:
        """The nearest use.

        Args:
            starts: where to begin.
            with_classes: whether a class that is tracked counts as one.
            crossings: how many of MAX_CROSSINGS count as done.
        """
        todo = [(one, crossings) for one in starts]
        seen: set[Node] = set()
        modules: set[Module] = set()
        while todo and len(seen) < MAX_NODES:
            node, crossings = todo.pop(0)
            if isinstance(node, End):
                return node
            if node in seen or crossings > MAX_CROSSINGS:
                continue
            if node.module not in modules and len(modules) >= MAX_MODULES:
                continue
            seen.add(node)
            modules.add(node.module)
            for mention in self._mentions(node):
                found = self._next(node, mention, with_classes=with_classes)
                todo += [(one, crossings + (one.module != node.module)) for one in found]
        return None

    def _next(self, node: Node, mention: Mention, *, with_classes: bool) -> Iterator[Node | End]:
        """Where a mention leads: to nodes, or to our decorator."""
        name, module = mention.name, node.module
        root, is_called = name.partition(".")[0], name.endswith(PASSED)
        if INSIDE not in name and not (is_called and "." in name):
            yield Node(module, root)
        for path in self._paths(name.removesuffix(PASSED), module):
            if is_called:
                yield from self._called(path, module, mention)
                continue
            is_plain = node.name.endswith(DECORATED) and root == name and self._is_plain(path, module)
            is_head = node.name.endswith((DECORATED, DECIDED)) or (node.name == COMMAND and with_classes)
            if not is_plain and (is_head or self._may_lead(path, module)):
                yield from self._reached(path, module, mention.place, with_classes=with_classes)

    def _called(self, path: str, home: Module, mention: Mention) -> Iterator[Node | End]:
        """What a function of a module does that is called for its effect; of a method, nothing is known."""
        if self._may_lead(path, home):
            for entity in self._resolver.resolve(path, home):
                if _is_ours(entity):
                    yield End(home, mention.place)
                elif isinstance(entity, FoundFunction):
                    yield from self._of(entity, with_classes=False)

    def _is_plain(self, path: str, home: Module) -> bool:
        """Whether a decorator is ours by its plain name: the trails know more of it, as they keep to the order of the code."""
        entities = self._resolver.resolve(path, home) if self._may_lead(path, home) else []
        return any(isinstance(one, OurDecorator) for one in entities)

    def _paths(self, name: str, module: Module) -> list[str]:
        """The paths that a name stands for, as in a Ref."""
        if INSIDE in name:
            return [name.rstrip(INSIDE)]
        facts = self._facts(module)
        if facts is None:
            return []
        root, dot, rest = name.partition(".")
        values = facts.names.get(root)
        if values is not None:
            return [f"{one.path}{dot}{rest}" for one in values if isinstance(one, Ref)]
        return [f"{star}{INSIDE}{STAR}{name}" for star in facts.stars]

    def _reached(
        self, path: str, home: Module, place: tuple[int, int], *, with_classes: bool
    ) -> Iterator[Node | End]:
        """What a path leads to: nodes of the modules that it goes through, and the uses in what it stands for."""
        if not _is_local(path) and not _is_in_us(path) and not self._prefilter.path_leads_to_us(path, home):
            return
        for entity in self._resolver.resolve(path, home):
            if _is_ours(entity):
                yield End(home, place)
            else:
                yield from self._of(entity, with_classes=with_classes)
        for module, name in self._resolver.passed(path, home):
            yield from (Node(module, one) for one in (name, f"{SET}{name}", _ANY))

    def _may_lead(self, path: str, home: Module) -> bool:
        """Whether a path leads to our package, or to a file that names us itself: what code mentions leads everywhere."""
        return _is_local(path) or _is_in_us(path) or self._prefilter.path_names_us(path, home)

    def _of(self, entity: Entity, *, with_classes: bool) -> Iterator[Node | End]:
        """The nodes of a class or function; the use of our decorator in a class or module."""
        if isinstance(entity, FoundFunction):
            yield Node(entity.module, self._resolver.function_facts(entity).name)
        elif isinstance(entity, FoundClass):
            if entity in self._known:
                return
            name = self._name(entity)
            signs = ("", DECORATED, DECIDED, RUN, *([PASSED] if _SUBCLASSES in entity.attributes else []))
            yield from (Node(entity.module, f"{name}{sign}") for sign in signs)
            if with_classes and not entity.attributes and (end := self._trails.end_of(entity)):
                yield end
        elif isinstance(entity, FoundModule) and with_classes and (end := self._trails.end_of(entity)):
            yield end

    def _run_in(self, node: Node) -> End | None:
        """The use of our decorator in the body of ``handle()``, or in a function of the same file that is called there."""
        for mention in self._mentions(node):
            functions = [
                path for path in self._paths(mention.name, node.module) if path.startswith(LOCAL_FUNCTION)
            ]
            inner = self._mentions(node._replace(name=mention.name)) if functions else ()
            if any(self._is_us(one, node.module) for one in (mention, *inner)):
                return End(node.module, mention.place)
        return None

    def _is_us(self, mention: Mention, module: Module) -> bool:
        """Whether a name is our decorator as it is imported."""
        paths = (path for path in self._paths(mention.name, module) if _is_in_us(path))
        return any(_is_ours(entity) for path in paths for entity in self._resolver.resolve(path, module))

    def _anywhere(self, home: Module) -> End | None:
        """The first place where the file of the command names our decorator, in any way but on METHODS."""
        facts = self._facts(home)
        found = [
            mention.place
            for name, mentions in self._graph(home).mentions.items()
            if not name.endswith((DECORATED, DECIDED)) and not _is_alias(name, facts)
            for mention in mentions
            if self._is_us(mention, home)
        ]
        return End(home, min(found)) if found else None


def _is_in_us(path: str) -> bool:
    """Whether a path starts with our package."""
    return dotted(path).partition(".")[0] in OURS


def _is_alias(name: str, facts: FileFacts | None) -> bool:
    """Whether a name of a module is another one for something else, so that only its uses count."""
    values = facts.names.get(name, ()) if facts else ()
    return bool(values) and all(map(_is_elsewhere, values))


def _is_elsewhere(value: Value) -> bool:
    return isinstance(value, Call) or (isinstance(value, Ref) and not _is_local(value.path))


def _is_local(path: str) -> bool:
    """Whether a path starts with a class or function of the same file."""
    return path.startswith((LOCAL_CLASS, LOCAL_FUNCTION))


def _is_ours(entity: Entity) -> bool:
    """Whether something is ``tracked_script``, or a module of ours that has it, of which it may be taken in any way."""
    if isinstance(entity, OurDecorator):
        return entity.name == TRACKED
    if not isinstance(entity, Unknown):
        return False
    package, _, module = entity.path.partition(f".{TRACKED}")[0].partition(".")
    return package in OURS and module in OUR_MODULES
