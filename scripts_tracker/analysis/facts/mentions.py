"""Which names of one file are named together: what something may be made of that is known only when the code runs.

A table that is filled later, an attribute of an object, a name that a function binds: none of these is a value that can be
read. What may have got there is named in the same statement, and that is what is kept here, as a graph of names.
"""

from __future__ import annotations

import ast
import builtins
from itertools import chain
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis.facts.evaluation import is_foreign
from scripts_tracker.analysis.facts.graph import DECIDED, DECORATED, PASSED, RUN, SET, Mention, NameGraph
from scripts_tracker.analysis.facts.parts import (
    MODULES,
    Function,
    below,
    bound_in,
    dotted,
    entries,
    expressions,
    imported,
    is_module,
    literal,
    names_of_body,
    names_us,
    pairs,
    targets,
)
from scripts_tracker.analysis.facts.values import INSIDE, LOCAL_CLASS, LOCAL_FUNCTION, METHODS, UNBOUND, Ref
from scripts_tracker.analysis.facts.words import OUR_PATH, Around, Word, WordReader, root_of
from scripts_tracker.analysis.source.parsing import read_text
from scripts_tracker.analysis.source.syntax import tree_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from scripts_tracker.analysis.facts.values import FileFacts, Values
    from scripts_tracker.core.values import Place

_EXECUTING: Final = frozenset({"exec", "eval", "compile"})
_ANY: Final = ""
"""The node of names that are computed."""


def read_names(source: bytes, facts: FileFacts) -> NameGraph:
    """The graph of the names of a file, without what cannot lead out of it.

    Args:
        source: the bytes of the file.
        facts: of the same bytes.

    Raises:
        UnreadableSource: they cannot be read.
    """
    text = read_text(source)
    tree = tree_of(text)
    if tree is None:
        return NameGraph()
    reader = _StatementReader(facts.names)
    reader.read(tree)
    return NameGraph(_Pruning(reader.found, facts.names, has_stars=bool(facts.stars)).located(text))


class _StatementReader:
    """Reads the statements of a module.

    Attributes:
        found: for each node the words that it is named with, in the order of the code.
    """

    def __init__(self, names: Collection[str]) -> None:
        self.found: dict[str, dict[Word, None]] = {}
        self._reader = WordReader(names)

    def read(self, tree: ast.Module) -> None:
        stack: list[tuple[ast.AST, Around]] = [(one, Around()) for one in reversed(tree.body)]
        while stack and not self._reader.is_done:
            node, around = stack.pop()
            stack.extend(reversed(self._statement(node, around)))

    def _add(self, nodes: Iterable[str], words: Iterable[Word]) -> None:
        words = [*words]
        for node in nodes if words else ():
            self.found.setdefault(node, {}).update((word, None) for word in words if word.name != node)

    def _statement(self, node: ast.AST, around: Around) -> list[tuple[ast.AST, Around]]:
        """Read a statement, without those inside it, which are returned."""
        if isinstance(node, Function):
            return self._function(node, around)
        if isinstance(node, ast.ClassDef):
            return self._class(node, around)
        if isinstance(node, ast.Import | ast.ImportFrom):
            self._import(node, around)
            return []
        self._simple(node, around)
        return [(one, around) for one in below(node)]

    # Definitions.

    def _function(self, node: Function, around: Around) -> list[tuple[ast.AST, Around]]:
        is_method = bool(around.in_class) and node.name in METHODS
        bound, declared = bound_in(node)
        is_own = around.inner and node.name in around.local
        name = around.local.get(node.name, node.name) if is_own else node.name
        regions = around.regions if around.inner else (node.name,)
        if around.inner and not is_own:
            regions = (*regions, node.name)  # `global` made it a name of the module
        if is_method:
            regions = (f"{around.in_class}{RUN}",)
        words = self._reader.words(node.decorator_list, around)
        self._add([f"{around.in_class}{DECORATED}"] if is_method else regions, words)
        self._hand_over(node.decorator_list, Word(name, node.lineno, node.col_offset), around)
        defaults = (one for one in (*node.args.defaults, *node.args.kw_defaults) if one is not None)
        self._add(regions, self._reader.words(defaults, around))
        inner = around.inner or f"{node.name}{PASSED}"
        local = around.outside if around.in_class else around.local
        paths = {one: path for one, path in bound.items() if path}
        mine = {one: path or inner for one, path in bound.items() if one not in declared}
        for one in declared & paths.keys():
            self._add([one], [Word(paths[one], node.lineno, node.col_offset)])
        within = Around(regions, inner, {**local, **mine} if mine else local)
        return [(one, within) for one in node.body]

    def _class(self, node: ast.ClassDef, around: Around) -> list[tuple[ast.AST, Around]]:
        is_top = not around.inner
        name = node.name
        regions = around.regions if not is_top else (name,)
        if around.inner and name not in around.local:
            regions = (*regions, name)
        this = Word(name if is_top else around.local.get(name, name), node.lineno, node.col_offset)
        decorators = self._reader.words(node.decorator_list, around)
        bases = self._reader.words(node.bases, around)
        keywords = self._reader.words((one.value for one in node.keywords), around)
        self._add([f"{name}{DECORATED}"] if is_top else regions, decorators)
        self._add([f"{name}{DECIDED}"] if is_top else regions, [*bases, *keywords])
        self._hand_over(node.decorator_list, this, around)
        self._add((f"{root_of(word)}{PASSED}" for word in bases), [this])
        own = dict.fromkeys(names_of_body(node.body), name if is_top else around.inner)
        inner = around.inner or f"{name}{PASSED}"
        outside = around.outside if around.in_class else around.local
        within = Around(regions, inner, {**outside, **own}, name if is_top else "", outside)
        return [(one, within) for one in node.body]

    def _hand_over(self, decorators: Iterable[ast.expr], this: Word, around: Around) -> None:
        """What is decorated is passed to the decorator, and to the object that has it."""
        for one in decorators:
            function = one.func if isinstance(one, ast.Call) else one
            for root in self._reader.roots(function, around):
                self._add(
                    [f"{root}{PASSED}", *([root] if isinstance(function, ast.Attribute) else [])], [this]
                )

    def _import(self, node: ast.Import | ast.ImportFrom, around: Around) -> None:
        """An import in a class body; the module's own are among its names, those in functions among their local names."""
        if around.in_class:
            words = [Word(path, node.lineno, node.col_offset) for path in imported(node).values()]
            self._add(around.regions, words)

    # Other statements.

    def _simple(self, node: ast.AST, around: Around) -> None:
        bound, values = targets(node), [*expressions(node)]
        words = self._reader.words(values, around)
        for target, value in pairs(bound, values):
            self._add(
                self._target_nodes(target, around), self._reader.words([value], around) if value else words
            )
            self._reader.remember_space(target, values)
            index = [one.slice for one in ast.walk(target) if isinstance(one, ast.Subscript)]
            self._add(around.regions, self._reader.words(index, around))
            if around.in_class and isinstance(target, ast.Name) and target.id in METHODS:
                self._add([f"{around.in_class}{DECIDED}"], words)
        bare = node.value if isinstance(node, ast.Expr) else None
        for value in values:
            for one in self._reader.walk(value):
                if isinstance(one, ast.Call):
                    self._call(one, around, is_bare=one is bare)
                elif isinstance(one, ast.NamedExpr):
                    self._add(self._target_nodes(one.target, around), self._reader.words([one.value], around))
        made_of = self._without_receiver(words, bare, around)
        self._add(around.regions, (word for word in made_of if word.name != around.inner))

    def _without_receiver(
        self, words: Sequence[Word], bare: ast.expr | None, around: Around
    ) -> Iterable[Word]:
        """What a statement is made of: not the table that it fills, unless that is a function of a module."""
        if not isinstance(bare, ast.Call) or not isinstance(bare.func, ast.Attribute):
            return words
        called = self._reader.words([bare.func], around)[:1]
        return [*(word for word in words if word not in called)] + [
            word._replace(name=f"{word.name}{PASSED}") for word in called if "." in word.name
        ]

    def _call(self, call: ast.Call, around: Around, *, is_bare: bool) -> None:
        """What is passed to a function may get into what it is a method of, and into what else is passed."""
        arguments = [*call.args, *(one.value for one in call.keywords)]
        words = self._reader.words(arguments, around)
        function = call.func
        if isinstance(function, ast.Name) and function.id in _EXECUTING and names_us(call):
            self._add([_ANY, *around.regions], [Word(OUR_PATH, call.lineno, call.col_offset)])
        if isinstance(function, ast.Attribute) and self._reader.is_space(function.value):
            for key, value in entries(call):
                self._add([key], self._reader.words([value], around) if value else words)
        roots = self._reader.roots(function, around)
        self._add((f"{root}{PASSED}" for root in roots), words)
        if isinstance(function, ast.Attribute):
            self._add(roots, words)
        if is_bare and call.args:
            self._mutated(call, words, around)

    def _mutated(self, call: ast.Call, words: Sequence[Word], around: Around) -> None:
        """``setattr(owner, "name", value)``, ``heappush(heap, value)``, ``patch(owner)``."""
        called = self._reader.words([call.func], around)
        owner = self._reader.roots(call.args[0], around)
        self._add(owner, [*called, *words])
        for other in call.args[1:]:
            self._add(self._reader.roots(other, around), called)
        if isinstance(call.func, ast.Name | ast.Attribute) and len(call.args) > 1:
            name = literal(call.args[1])
            if name is not None and around.inner not in owner:
                self._add([f"{SET}{name}"], words)
            if self._reader.is_space(call.args[0]) or is_module(call.args[0]):
                self._add([_ANY if name is None else name], words)

    def _target_nodes(self, target: ast.expr, around: Around) -> list[str]:
        found: list[str] = []
        todo = [target]
        while todo:
            one = todo.pop()
            if isinstance(one, ast.Tuple | ast.List):
                todo += one.elts
            elif isinstance(one, ast.Starred):
                todo.append(one.value)
            elif isinstance(one, ast.Attribute):
                owners = self._reader.roots(one.value, around)
                # A function that sets it on its parameter is found where it is called.
                found += [*owners, *([] if around.inner in owners else [f"{SET}{one.attr}"])]
                if is_module(one.value):
                    found += [one.attr, _ANY]
            elif isinstance(one, ast.Subscript):
                found += self._reader.roots(one.value, around)
                if self._reader.is_space(one.value):
                    found.append(literal(one.slice) or _ANY)
                elif dotted(one.value) == MODULES:
                    found.append(_ANY)
            elif isinstance(one, ast.Name):
                found += [around.local.get(one.id, one.id), *([_ANY] if self._reader.is_space(one) else [])]
        return [one for one in found if INSIDE not in one]


class _Pruning:
    """Leaves out the words that lead nowhere: built-in names, Django's, and those that stand for nothing else."""

    def __init__(
        self, found: Mapping[str, Mapping[Word, None]], names: Mapping[str, Values], *, has_stars: bool
    ) -> None:
        self._found = found
        self._names = names
        self._has_stars = has_stars

    def located(self, text: str) -> dict[str, tuple[Mention, ...]]:
        """For each node its mentions, with their places in the text."""
        kept = self._kept()
        lines = text.split("\n") if kept else []
        return {
            node: tuple(Mention(name, _place(lines, line, column)) for name, line, column in kept[node])
            for node in sorted(kept)
        }

    def _kept(self) -> dict[str, list[Word]]:
        leads = {word.name: self._leads_out(word.name) for words in self._found.values() for word in words}
        live = {node for node, words in self._found.items() if any(leads[word.name] for word in words)}
        users: dict[str, set[str]] = {}
        for node, words in self._found.items():
            for word in words:
                for used in _nodes_of(word.name):
                    users.setdefault(used, set()).add(node)
        todo = [*live]
        while todo:
            for user in users.get(todo.pop(), set()) - live:
                live.add(user)
                todo.append(user)
        kept = {
            node: [
                word
                for word in self._found[node]
                if leads[word.name] or not live.isdisjoint(_nodes_of(word.name))
            ]
            for node in live
        }
        return {node: words for node, words in kept.items() if words}

    def _leads_out(self, name: str) -> bool:
        """Whether a word is of another module of the project, or may be."""
        if INSIDE in name or name.startswith("."):
            return not is_foreign(name)
        root = name.partition(".")[0].removesuffix(PASSED)
        values = self._names.get(root)
        if values is None:
            return self._has_stars and not hasattr(builtins, root) and not root.endswith(PASSED)
        local = (LOCAL_CLASS, LOCAL_FUNCTION, UNBOUND)
        refs = [one for one in values if isinstance(one, Ref)]
        return any(not one.path.startswith(local) and not is_foreign(one.path) for one in refs)


def _nodes_of(name: str) -> Iterator[str]:
    """The nodes that a word may lead to in its own file."""
    root = name.partition(".")[0]
    plain = root.removesuffix(PASSED)
    yield from chain(
        (root, plain, f"{SET}{plain}", _ANY), (f"{plain}{sign}" for sign in (PASSED, DECORATED, DECIDED, RUN))
    )


def _place(lines: Sequence[str], line: int, column: int) -> Place:
    """A place with its column in characters."""
    text = lines[line - 1] if line <= len(lines) else ""
    return line, (column if text.isascii() else len(text.encode()[:column].decode("utf-8", "replace"))) + 1
