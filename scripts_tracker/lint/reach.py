"""Which methods of a command run without an option that says so, over all files that its classes are in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis.facts.values import BATCHED, BATCHES, HANDLES, PROCESS, items, text
from scripts_tracker.analysis.fingerprint.literals import string_value
from scripts_tracker.analysis.source.trees import descendants
from scripts_tracker.analysis.store.compiling import Question
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.lint import RULES_VERSION
from scripts_tracker.lint.answers import Answers
from scripts_tracker.lint.guards import Guard, Guards

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from scripts_tracker.analysis.facts.extraction import Extraction
    from scripts_tracker.analysis.store.cache import Cache
    from scripts_tracker.lint.file import Tree
    from scripts_tracker.lint.values import Where

QUESTION: Final = Question(f"reach {RULES_VERSION}", f"{__name__}:reach_in")
_SELF: Final = "self"
_DJANGOS: Final = "django.core.management."
_PLAIN_BASES: Final = frozenset({"builtins.object", "abc.ABC", BATCHED})
_PLAIN_DECORATORS: Final = frozenset({"staticmethod", "classmethod", "property", "cached_property"})
# What Django calls, by itself or from one of these, and what runs when the class or the command is made.
_ENTRIES: Final = frozenset(
    {*HANDLES, "", "__init__", "execute", "run_from_argv", "create_parser", "add_arguments", "check"}
    | {"handle_label", "handle_app_config"}
)
_BATCHED_ENTRIES: Final = frozenset({PROCESS, BATCHES, "finish"})
"""What BatchedCommand calls."""


class Reference(NamedTuple):
    """A name that a method uses: it may be that of a method, which is called then."""

    owner: str
    method: str
    name: str
    guard: Guard


class Reach(NamedTuple):
    """What one file says about the calls in it.

    Attributes:
        bases: for each class the last names of its bases that are not Django's; empty where one is unknown.
        open: the classes whose methods may be called by others: ``self`` is handed on.
        entries: the methods with decorators that may have others call them.
        overrides: for each class, the methods that do not call the method of the same name in a base class.
        made: the attributes of the command with what they are made of.
        references: all of them; those outside of classes have no owner.
    """

    bases: Mapping[str, Sequence[str]]
    open: frozenset[str]
    entries: frozenset[str]
    overrides: Mapping[str, frozenset[str]]
    made: tuple[tuple[str, Guard], ...]
    references: tuple[Reference, ...]


def reach_in(extraction: Extraction) -> str:
    """The reach of a file, as JSON."""
    from scripts_tracker.lint.file import Tree

    tree = Tree(extraction)
    guards = Guards(tree)
    methods = [(one.name, name, node) for one in tree.classes for name, node in one.methods.items()]
    content = [
        {one.name: [base_name(tree, base.value) for base in one.node.bases] for one in tree.classes},
        sorted({owner for owner, name, node in methods if _hands_on(node, name)}),
        sorted({name for _, name, node in methods if _has_unknown_decorator(node)}),
        {one.name: sorted(tree.overrides(one)) for one in tree.classes},
        [[name, *_stored(guard)] for name, guard in guards.made()],
        [[*key, *_stored(guard)] for key, guard in _references(tree, guards)],
    ]
    return json.dumps(content, separators=(",", ":"))


def _stored(guard: Guard) -> tuple[bool, list[str]]:
    return guard.is_sure, sorted(guard.attributes)


def base_name(tree: Tree, base: cst.BaseExpression) -> str:
    """The last name of a base class; of Django's own the whole path, which no other class has."""
    path = tree.origin(base)
    if path.startswith(_DJANGOS) or path in _PLAIN_BASES:
        return "."
    return (path or (base.value if isinstance(base, cst.Name) else "")).rpartition(".")[2]


def _hands_on(method: cst.FunctionDef, name: str) -> bool:
    """Whether a method gives ``self`` to anything but a base class."""
    known: set[int] = set()
    for node in descendants(method.body):
        if isinstance(node, cst.Attribute):
            known.add(id(node.value))
        elif isinstance(node, cst.Call) and _is_of_base(node.func, name):
            known.update(id(one.value) for one in node.args)
    uses = (node for node in descendants(method.body) if isinstance(node, cst.Name) and node.value == _SELF)
    return any(id(node) not in known for node in uses)


def _is_of_base(function: cst.BaseExpression, name: str) -> bool:
    """Whether a call is that of ``super()``, or that of the same method of a base class."""
    is_super = isinstance(function, cst.Name) and function.value == "super"
    return is_super or (isinstance(function, cst.Attribute) and function.attr.value == name)


def _has_unknown_decorator(method: cst.FunctionDef) -> bool:
    names = (_last_name(one.decorator) for one in method.decorators)
    return any(name not in _PLAIN_DECORATORS for name in names)


def _last_name(expression: cst.BaseExpression) -> str:
    if isinstance(expression, cst.Attribute):
        return expression.attr.value
    return expression.value if isinstance(expression, cst.Name) else ""


def _references(tree: Tree, guards: Guards) -> Iterator[tuple[tuple[str, str, str], Guard]]:
    """The names of attributes in a file, and texts that may be such names, each once with the least guard."""
    found: dict[tuple[str, str, str], set[Guard]] = {}
    owners = {id(one.node): one for one in tree.classes}
    for one in guards.walk(tree.module):
        name = _named(one.node)
        if name:
            owner = owners.get(one.owner)
            method = one.inside[0] if owner and one.inside else ""
            found.setdefault((owner.name if owner else "", method, name), set()).add(one.guard)
    for key, several in found.items():
        least = Guard() if Guard() in several else None
        yield from ((key, guard) for guard in ([least] if least else several))


def _named(node: cst.CSTNode) -> str:
    if isinstance(node, cst.Attribute):
        return node.attr.value
    value = string_value(node) if isinstance(node, cst.SimpleString) else ""
    return value if isinstance(value, str) and value.isidentifier() else ""


def _read(content: str) -> Reach:
    """The inverse of ``reach_in``; raises ValueError for anything else."""
    try:
        bases, open_, entries, overrides, made, references = json.loads(content)
        return Reach(
            {text(name): tuple(map(text, items(several))) for name, several in bases.items()},
            frozenset(map(text, items(open_))),
            frozenset(map(text, items(entries))),
            {text(name): frozenset(map(text, items(several))) for name, several in overrides.items()},
            tuple((text(name), _guard(sure, names)) for name, sure, names in map(items, items(made))),
            tuple(
                Reference(text(owner), text(method), text(name), _guard(sure, names))
                for owner, method, name, sure, names in map(items, items(references))
            ),
        )
    except (TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"this reach is malformed: {error!r}") from error


def _guard(is_sure: object, attributes: object) -> Guard:
    return Guard(bool(is_sure), frozenset(map(text, items(attributes))))


def known_reaches(cache: Cache, digest_of: Callable[[str], str]) -> Answers[Reach]:
    """The reach of files; it is looked for only where a prompt is in a command of several files.

    Args:
        cache: keeps them.
        digest_of: the digest of a file that was read.
    """
    return Answers(QUESTION, _read, cache, digest_of)


class Calls:
    """The methods of one command that run, whatever its options say.

    Args:
        mro: its classes, as path and name, in the order in which methods are looked up.
        known: the reach of files.
        is_batched: whether it is a batched one.
    """

    def __init__(self, mro: Sequence[tuple[str, str]], known: Answers[Reach], *, is_batched: bool) -> None:
        self._entries = _ENTRIES | _BATCHED_ENTRIES if is_batched else _ENTRIES
        found = [(known.of(path), name) for path, name in mro]
        classes = [(reach, name) for reach, name in found if reach is not None]
        self._names = {name for _, name in mro}
        names = {".", *self._names}
        self._is_open = len(classes) < len(found) or any(
            name in reach.open or not names.issuperset(reach.bases.get(name, ("",)))
            for reach, name in classes
        )
        self._options = _options(one for reach, _ in classes for one in reach.made)
        self._reached = self._follow(classes)

    def may_run(self, where: Where, attributes: Iterable[str]) -> bool:
        """Whether a call is made without an option that says so.

        Args:
            where: the method around it.
            attributes: those of the command that the conditions around it read.
        """
        if not self._options.isdisjoint(attributes):
            return False
        return self._is_open or where.owner not in self._names or where.method in self._reached

    def _follow(self, classes: Sequence[tuple[Reach, str]]) -> set[str]:
        references = {one for reach, _ in classes for one in _references_of(reach, self._names)}
        hidden: dict[str, set[str]] = {}
        for number, (reach, name) in enumerate(classes):
            for _, later in classes[number + 1 :]:
                hidden.setdefault(later, set()).update(reach.overrides.get(name, ()))
        reached = set(self._entries).union(*(reach.entries for reach, _ in classes))
        while True:
            more = {
                one.name
                for one in references
                if (not one.owner or (one.method in reached and one.method not in hidden.get(one.owner, ())))
                and not one.guard.is_sure
                and self._options.isdisjoint(one.guard.attributes)
            }
            if more <= reached:
                return reached
            reached |= more


def _references_of(reach: Reach, names: set[str]) -> Iterator[Reference]:
    """Those of a file; what is in no class of the command may always run."""
    for one in reach.references:
        yield one if one.owner in names else one._replace(owner="")


def _options(made: Iterable[tuple[str, Guard]]) -> frozenset[str]:
    """The attributes that are made of options, in whatever file."""
    several = list(made)
    found = {name for name, guard in several if guard.is_sure}
    while True:
        more = {name for name, guard in several if not found.isdisjoint(guard.attributes)}
        if more <= found:
            return frozenset(found)
        found |= more
