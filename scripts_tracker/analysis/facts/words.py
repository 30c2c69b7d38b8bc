"""The names in expressions, as the module around them sees them."""

from __future__ import annotations

import ast
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis.facts.parts import MAX_LINKS, dotted, folded, literal
from scripts_tracker.analysis.facts.values import INSIDE, TRACKED
from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

MAX_WORDS: Final = 500
"""The most names of one statement that count."""
MAX_NODES: Final = 100_000
"""The most parts of expressions that are looked at in one file."""
OUR_PATH: Final = f"scripts_tracker{INSIDE}{TRACKED}"
_NAMESPACES: Final = frozenset({"globals", "locals", "vars"})
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Word(NamedTuple):
    """A name as it is written, or the path of what is imported on the spot; its line, and its column in bytes."""

    name: str
    line: int
    column: int


class Around(NamedTuple):
    """What a statement stands in.

    Attributes:
        regions: the nodes that all its words count for.
        inner: the node of local names; empty at module level.
        local: those names, each with its node, or with the path of what it is imported from.
        in_class: the class whose body this is.
        outside: ``local`` as the functions in a class body see it.
    """

    regions: tuple[str, ...] = ()
    inner: str = ""
    local: Mapping[str, str] = _NOTHING
    in_class: str = ""
    outside: Mapping[str, str] = _NOTHING


class WordReader:
    """Reads the expressions of a module.

    Args:
        names: the names of the module.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._spaces: set[str] = set()  # names of namespaces: space = globals()
        self._left = MAX_NODES

    @property
    def is_done(self) -> bool:
        """Whether no more of the file is looked at."""
        return self._left <= 0

    def remember_space(self, target: ast.expr, values: Sequence[ast.expr]) -> None:
        """Know a name that a namespace is bound to."""
        if isinstance(target, ast.Name) and any(map(self.is_space, values)):
            self._spaces.add(target.id)

    def is_space(self, node: ast.AST) -> bool:
        """Whether this is the namespace of a module or body: ``globals()``, ``vars(module)``, ``module.__dict__``."""
        if isinstance(node, ast.Name):
            return node.id in self._spaces
        if isinstance(node, ast.Attribute):
            return node.attr == "__dict__"
        is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        return is_call and node.func.id in _NAMESPACES  # type: ignore[attr-defined]  # checked above

    def walk(self, *nodes: ast.AST) -> Iterator[ast.AST]:
        """The parts of expressions, no more than are left to look at."""
        todo = [*nodes]
        while todo and self._left > 0:
            self._left -= 1
            node = todo.pop()
            yield node
            todo.extend(ast.iter_child_nodes(node))

    def words(self, nodes: Iterable[ast.expr], around: Around) -> list[Word]:
        """The names in some expressions, without what is a parameter in them."""
        found: dict[Word, None] = {}
        inner: set[str] = set()
        todo: list[ast.AST] = [*nodes]
        while todo and self._left > 0 and len(found) < MAX_WORDS:
            self._left -= 1
            node = todo.pop()
            name = self._named(node) if isinstance(node, ast.Constant) else dotted(node)
            if name and isinstance(node, ast.expr):
                found[Word(name, node.lineno, node.col_offset)] = None
            else:
                inner.update(folded(node))
                todo.extend(ast.iter_child_nodes(node))
        return [_placed(word, around.local) for word in found if word.name.partition(".")[0] not in inner]

    def _named(self, node: ast.Constant) -> str:
        """What a text names: what the module has by this name, or something by its path."""
        name = literal(node) or ""
        if name == TRACKED:
            return OUR_PATH
        owner, _, last = name.replace(INSIDE, ".").rpartition(".")
        return f"{owner}{INSIDE}{last}" if owner else name if name in self._names else ""

    def roots(self, node: ast.expr, around: Around) -> list[str]:
        """The names that an expression starts with: ``table`` of ``table["key"].items``."""
        for _ in range(MAX_LINKS):
            if isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
                node = node.value
            elif isinstance(node, ast.Call):
                inner = node.args[:1] if isinstance(node.func, ast.Name) and node.args else [node.func]
                node = inner[0]
            else:
                break
        return [root_of(word) for word in self.words([node], around)] if isinstance(node, ast.Name) else []


def _placed(word: Word, local: Mapping[str, str]) -> Word:
    """A word as the module sees it: a local name is the node of all of them, or what it is imported from."""
    first, dot, rest = word.name.partition(".")
    known = local.get(first)
    if known is None:
        return word
    if INSIDE in known:
        known = f"{known}{rest}" if known.endswith(INSIDE) else f"{known}{dot}{rest}"
    return word._replace(name=known)


def root_of(word: Word) -> str:
    """The name of what an attribute belongs to; a path as it is."""
    is_path = INSIDE in word.name or word.name.startswith(".")
    return word.name if is_path else word.name.partition(".")[0]
