"""The parts of statements and expressions in the tree of CPython, which holds the functions that skeletons leave out."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis.facts.values import INSIDE, TRACKED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_LINKS: Final = 50
"""The most links of a chain of attributes and calls."""
Function = ast.FunctionDef | ast.AsyncFunctionDef
MODULES: Final = "sys.modules"


def dotted(node: ast.AST) -> str:
    """``a.b.c`` as text; empty where the expression starts with anything but a name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute) and len(parts) < MAX_LINKS:
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def literal(node: ast.AST) -> str | None:
    """A text that is a name, or dotted names; None for anything else."""
    text = node.value if isinstance(node, ast.Constant) else None
    if not isinstance(text, str):
        return None
    return text if all(part.isidentifier() for part in text.replace(INSIDE, ".").split(".")) else None


def folded(node: ast.AST) -> Iterator[str]:
    """The names that a lambda or a comprehension binds for itself."""
    if isinstance(node, ast.Lambda):
        yield from parameters(node.args)
    elif isinstance(node, ast.comprehension):
        yield from (one.id for one in ast.walk(node.target) if isinstance(one, ast.Name))


def parameters(node: ast.arguments) -> Iterator[str]:
    """The names of the parameters of a function."""
    several = (*node.posonlyargs, *node.args, *node.kwonlyargs, node.vararg, node.kwarg)
    yield from (one.arg for one in several if one is not None)


def is_module(node: ast.AST) -> bool:
    """Whether this is ``sys.modules[...]``."""
    return isinstance(node, ast.Subscript) and dotted(node.value) == MODULES


def names_us(call: ast.Call) -> bool:
    """Whether a text with our decorator is executed."""
    parts = (one.value for one in ast.walk(call) if isinstance(one, ast.Constant))
    return any(isinstance(one, str) and TRACKED in one for one in parts)


def entries(call: ast.Call) -> Iterator[tuple[str, ast.expr | None]]:
    """The names that a call binds in a namespace: ``.update(name=value)``; without a value where that is not written out."""
    yield from ((one.arg or "", one.value) for one in call.keywords)
    for one in call.args[:1]:
        if isinstance(one, ast.Dict):
            for key, value in zip(one.keys, one.values, strict=True):
                yield ((literal(key) or "") if key is not None else ""), value
        else:
            yield literal(one) or "", None


def pairs(
    targets: Sequence[ast.expr], values: Sequence[ast.expr]
) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    """Each target with its value; None for all of the values."""
    value = values[0] if len(values) == 1 else None
    for target in targets:
        parts = target.elts if isinstance(target, ast.Tuple | ast.List) else []
        known = value.elts if isinstance(value, ast.Tuple | ast.List) else []
        is_starred = any(isinstance(one, ast.Starred) for one in (*parts, *known))
        if parts and len(parts) == len(known) and not is_starred:
            yield from zip(parts, known, strict=True)
        else:
            yield target, None


def below(node: ast.AST) -> Iterator[ast.AST]:
    """The statements directly inside of one; a handler and a case count as such."""
    for name in ("body", "handlers", "orelse", "finalbody", "cases"):
        found = getattr(node, name, None)
        if isinstance(found, list):
            yield from found


def expressions(node: ast.AST) -> Iterator[ast.expr]:
    """The expressions of a statement that are no targets; of ``try`` with names for what is raised, those of its body."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.withitem):
            yield child.context_expr
        elif isinstance(child, ast.expr) and not isinstance(getattr(child, "ctx", None), ast.Store | ast.Del):
            yield child
    if isinstance(node, ast.Try) and any(one.name for one in node.handlers):
        for one in node.body:
            yield from (each for each in ast.iter_child_nodes(one) if isinstance(each, ast.expr))


def targets(node: ast.AST) -> list[ast.expr]:
    """What a statement binds or changes."""
    found = [one for one in ast.iter_child_nodes(node) if isinstance(getattr(one, "ctx", None), ast.Store)]
    if isinstance(node, ast.With | ast.AsyncWith):
        found += [one.optional_vars for one in node.items if one.optional_vars is not None]
    elif isinstance(node, ast.Match):
        found += [ast.Name(name, ast.Store()) for case in node.cases for name in captured(case.pattern)]
    elif isinstance(node, ast.Try):
        found += [ast.Name(one.name, ast.Store()) for one in node.handlers if one.name]
    return [one for one in found if isinstance(one, ast.expr)]


def captured(pattern: ast.pattern) -> Iterator[str]:
    """The names that a pattern of ``match`` binds."""
    for one in ast.walk(pattern):
        name = getattr(one, "name", None) or getattr(one, "rest", None)
        if isinstance(name, str):
            yield name


def imported(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    """The names that an import binds, with their paths as in a Ref; that of a module by itself ends with INSIDE."""
    if isinstance(node, ast.ImportFrom):
        module = f"{'.' * node.level}{node.module or ''}"
        return {
            one.asname or one.name: f"{module}{INSIDE}{one.name}" for one in node.names if one.name != "*"
        }
    names = [(one.asname, one.name if one.asname else one.name.partition(".")[0]) for one in node.names]
    return {alias or module: f"{module}{INSIDE}" for alias, module in names}


def bound_in(node: Function) -> tuple[dict[str, str], set[str]]:
    """The names that a function binds for itself, with the paths of those that it imports; and those of the module."""
    bound = dict.fromkeys(parameters(node.args), "")
    declared: set[str] = set()
    todo: list[ast.AST] = [*node.body]
    while todo:
        one = todo.pop()
        if isinstance(one, ast.Global):
            declared.update(one.names)
        elif isinstance(one, ast.Import | ast.ImportFrom):
            bound.update(imported(one))
        elif isinstance(one, ast.Name):
            if isinstance(one.ctx, ast.Store):
                bound.setdefault(one.id, "")
        elif isinstance(one, Function | ast.ClassDef):
            bound.setdefault(one.name, "")
            continue
        elif isinstance(one, ast.ExceptHandler) and one.name:
            bound.setdefault(one.name, "")
        elif isinstance(one, ast.Match):
            bound.update((name, "") for case in one.cases for name in captured(case.pattern))
        todo.extend(ast.iter_child_nodes(one))
    return bound, declared


def names_of_body(body: Sequence[ast.stmt]) -> Iterator[str]:
    """The names that a class body binds."""
    for one in body:
        if isinstance(one, Function | ast.ClassDef):
            yield one.name
        elif isinstance(one, ast.Import | ast.ImportFrom):
            yield from imported(one)
        else:
            nodes = ast.walk(one)
            yield from (
                each.id for each in nodes if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
            )
