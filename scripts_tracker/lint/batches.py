"""What runs inside the transaction of a batch: ``process()``, and the methods and functions of the file that it calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis.facts.scopes import dotted_name
from scripts_tracker.analysis.source.trees import children
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.lint.file import Executed, Use

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.lint.file import Function, Tree
    from scripts_tracker.lint.values import Where

_AFTER: Final = "on_commit"
_ANY: Final = cst.Call(cst.Name("_"))


class _Body(NamedTuple):
    """A function that runs inside of a batch, with the functions around it, itself included."""

    function: cst.FunctionDef
    inside: tuple[Function, ...]
    where: Where


def executed(tree: Tree) -> tuple[Executed, ...]:
    """What ``process()`` executes, except what it leaves to ``transaction.on_commit()``; nothing in other files."""
    if tree.executed is None:
        tree.executed = tuple(_executed(tree))
    return tree.executed


def _executed(tree: Tree) -> Iterator[Executed]:
    todo = [_Body(one.node, (one.node,), one.where) for one in tree.processes]
    known: set[int] = set()
    while todo:
        body = todo.pop()
        if id(body.function) in known:
            continue
        known.add(id(body.function))
        names: set[str] = set()
        nested: dict[str, _Body] = {}
        for node, inside in _nodes(body):
            if isinstance(node, cst.Call | cst.Subscript):
                yield Executed(node, Use(_ANY, inside, body.where), body.where)
            if isinstance(node, cst.FunctionDef):
                nested[node.name.value] = _Body(node, (*inside, node), body.where)
            elif isinstance(node, cst.Name | cst.Attribute):
                names.add(dotted_name(node))
        todo += [one for name, one in nested.items() if name in names]
        todo += [one for name in sorted(names - {*nested}) for one in _named(tree, name, body)]


def _named(tree: Tree, name: str, body: _Body) -> Iterator[_Body]:
    """The method or function of the file that a name stands for."""
    owner, _, method = name.rpartition(".")
    if owner == "self":
        first = next(tree.batched_methods(method), None)
        if first is not None:
            yield _Body(first.node, (first.node,), first.where)
    elif not owner:
        bindings = tree.scope.names.get(name, ())
        if len(bindings) == 1 and isinstance(bindings[0].node, cst.FunctionDef):
            yield _Body(bindings[0].node, (bindings[0].node,), body.where)


def _nodes(body: _Body) -> Iterator[tuple[cst.CSTNode, tuple[Function, ...]]]:
    """The nodes of a function that run when it is called, each with the functions around it.

    Functions inside are yielded, but not entered; what is passed to ``on_commit()`` is left out.
    """
    decorators = [(one.decorator, body.inside[:-1]) for one in body.function.decorators]
    stack: list[tuple[cst.CSTNode, tuple[Function, ...]]] = [*decorators, (body.function.body, body.inside)]
    while stack:
        node, inside = stack.pop()
        yield node, inside
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            continue
        if isinstance(node, cst.Attribute | cst.Arg):
            stack.append((node.value, inside))
        elif isinstance(node, cst.Call) and is_left_to_commit(node):
            stack.append((node.func, inside))
        elif isinstance(node, cst.Lambda):
            stack.append((node.body, (*inside, node)))
        else:
            stack.extend((child, inside) for child in children(node))


def is_left_to_commit(call: cst.Call) -> bool:
    """Whether a call registers its arguments for the time after the commit."""
    name = call.func.attr.value if isinstance(call.func, cst.Attribute) else dotted_name(call.func)
    return name.endswith(_AFTER)
