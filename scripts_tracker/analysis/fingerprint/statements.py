"""Statements as canonical tokens; each deliberate equality of two spellings is a branch of its own here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import libcst as cst

from scripts_tracker.analysis.fingerprint.expressions import BINARY, arguments, parameters
from scripts_tracker.analysis.fingerprint.strings import plain_text
from scripts_tracker.analysis.fingerprint.tokens import (
    Handler,
    Known,
    Stack,
    Tokens,
    constant,
    docstring_token,
    fields,
    identifier,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def _module(node: cst.Module, out: Tokens, stack: Stack) -> None:
    out.append("Module")
    _documented(_flat(node.body), out, stack)


def _flat(body: Iterable[Any]) -> list[Any]:
    """``a; b`` is two statements, like any two lines."""
    statements: list[Any] = []
    for statement in body:
        if statement.__class__ is cst.SimpleStatementLine:
            statements += statement.body
        else:
            statements.append(statement)
    return statements


def _block(node: cst.IndentedBlock | cst.SimpleStatementSuite, out: Tokens, stack: Stack) -> None:
    """``if x: y`` is the block of the same statements."""
    _statements(_flat(node.body), out, stack)


def _documented(statements: list[Any], out: Tokens, stack: Stack) -> None:
    """A body that may start with a docstring, whose place in the stream stays empty."""
    out.append("")
    if statements and statements[0].__class__ is cst.Expr:
        docstring = plain_text(statements[0].value)
        if docstring is not None:
            out.docstrings.append((len(out) - 1, docstring))
            statements = statements[1:]
    stack.append(statements)


def _statements(statements: Sequence[Any], out: Tokens, stack: Stack) -> None:
    """A list of statements, where an unbroken run of imports counts as one that has no order."""
    count = 0
    run: list[str] = []
    for statement in statements:
        if statement.__class__ in _IMPORTS:
            run += _imported(statement)
            continue
        if run:
            stack.append(_import_run(run))
            run = []
            count += 1
        stack.append(statement)
        count += 1
    if run:
        stack.append(_import_run(run))
        count += 1
    out.append(f"[{count}")


# The lazy ones (PEP 810) are newer than the oldest libcst that works.
_LAZY: Final = {getattr(cst, name, None): "lazy-" for name in ("LazyImport", "LazyImportFrom")}
_IMPORTS: Final = frozenset({cst.Import, cst.ImportFrom, *_LAZY} - {None})


def _import_run(run: list[str]) -> str:
    """The single imports of a run, as one token without an order."""
    return "\n".join([f"Imports {len(run)}", *sorted(run)])


def _imported(node: Any) -> Iterable[str]:
    """One line a name: ``import a, b`` and ``from a import (b, c)`` are as many single imports."""
    lazy = _LAZY.get(node.__class__, "")
    if not hasattr(node, "module"):
        for alias in node.names:
            yield f"{lazy}import {_dotted(alias.name)}{_as_name(alias.asname)}"
        return
    origin = f"{lazy}from {len(node.relative)} {_dotted(node.module)}"
    if isinstance(node.names, cst.ImportStar):
        yield f"{origin} *"
        return
    for alias in node.names:
        yield f"{origin} {_dotted(alias.name)}{_as_name(alias.asname)}"


def _dotted(node: Any) -> str:
    names: list[str] = []
    while isinstance(node, cst.Attribute):
        names.append(identifier(node.attr.value))
        node = node.value
    if node is not None:
        names.append(identifier(node.value))
    return ".".join(reversed(names))


def _as_name(node: cst.AsName | None) -> str:
    return "" if node is None else " as " + identifier(node.name.value)  # type: ignore[union-attr]  # a Name


def _expression_statement(node: cst.Expr, out: Tokens, stack: Stack) -> None:
    """A bare string is no code, and formatters indent it like a docstring wherever it stands."""
    out.append("Expr")
    text = plain_text(node.value)
    stack.append(node.value if text is None else docstring_token(text))


def _assign(node: cst.Assign, out: Tokens, stack: Stack) -> None:
    targets = node.targets
    out.append(f"Assign {len(targets)}")
    stack.append(node.value)
    for target in targets:
        stack.append(target.target)


def _annotated_assign(node: cst.AnnAssign, out: Tokens, stack: Stack) -> None:
    """``(x): int`` is no annotation of a name in Python's eyes, unlike ``x: int``."""
    simple = isinstance(node.target, cst.Name) and not node.target.lpar
    out.append("AnnAssign" if simple else "AnnAssign()")
    stack += (node.target, node.annotation.annotation, node.value)


_AUGMENTED: Final = Known[str](
    {
        cst.AddAssign: BINARY[cst.Add],
        cst.SubtractAssign: BINARY[cst.Subtract],
        cst.MultiplyAssign: BINARY[cst.Multiply],
        cst.DivideAssign: BINARY[cst.Divide],
        cst.FloorDivideAssign: BINARY[cst.FloorDivide],
        cst.ModuloAssign: BINARY[cst.Modulo],
        cst.PowerAssign: BINARY[cst.Power],
        cst.LeftShiftAssign: BINARY[cst.LeftShift],
        cst.RightShiftAssign: BINARY[cst.RightShift],
        cst.BitOrAssign: BINARY[cst.BitOr],
        cst.BitAndAssign: BINARY[cst.BitAnd],
        cst.BitXorAssign: BINARY[cst.BitXor],
        cst.MatrixMultiplyAssign: BINARY[cst.MatrixMultiply],
    }
)


def _augmented_assign(node: cst.AugAssign, out: Tokens, stack: Stack) -> None:
    out.append("AugAssign " + _AUGMENTED[node.operator.__class__])
    stack += (node.target, node.value)


def _delete(node: cst.Del, out: Tokens, stack: Stack) -> None:
    """``del (a, b)`` is ``del a, b``: formatters take the parentheses away, and the code is the same."""
    targets: list[cst.BaseExpression] = []
    pending: list[cst.BaseExpression] = [node.target]
    while pending:
        target = pending.pop()
        if isinstance(target, cst.Tuple):
            pending += [element.value for element in reversed(target.elements)]
        else:
            targets.append(target)
    out.append(f"Delete {len(targets)}")
    stack += targets


def _names(tag: str) -> Handler:
    def handle(node: cst.Global | cst.Nonlocal, out: Tokens, _stack: Stack) -> None:
        out.append(" ".join([tag, *(identifier(item.name.value) for item in node.names)]))

    return handle


def _raise(node: cst.Raise, out: Tokens, stack: Stack) -> None:
    out.append("Raise")
    stack += (node.exc, node.cause and node.cause.item)


def _or_else(node: cst.Else | cst.If | None, stack: Stack) -> None:
    """``elif`` is an ``else`` that holds one ``if``; a missing ``else`` is an empty one."""
    if node is None:
        stack.append(())
    elif isinstance(node, cst.If):
        stack.append((node,))
    else:
        stack.append(node.body)


def _if_or_while(node: cst.If | cst.While, out: Tokens, stack: Stack) -> None:
    out.append(node.__class__.__name__)
    stack += (node.test, node.body)
    _or_else(node.orelse, stack)


def _for(node: cst.For, out: Tokens, stack: Stack) -> None:
    out.append("AsyncFor" if node.asynchronous else "For")
    stack += (node.target, node.iter, node.body)
    _or_else(node.orelse, stack)


def _with(node: cst.With, out: Tokens, stack: Stack) -> None:
    out.append(f"{'AsyncWith' if node.asynchronous else 'With'} {len(node.items)}")
    stack.append(node.body)
    for item in node.items:
        stack += (item.item, item.asname and item.asname.name)


def _try(node: cst.Try | cst.TryStar, out: Tokens, stack: Stack) -> None:
    out.append(f"{node.__class__.__name__} {len(node.handlers)}")
    stack.append(node.body)
    for handler in node.handlers:
        out.append("except" if handler.name is None else "except as " + identifier(handler.name.name.value))  # type: ignore[union-attr]  # a Name
        stack += (handler.type, handler.body)
    _or_else(node.orelse, stack)
    stack.append(() if node.finalbody is None else node.finalbody.body)


def _function(node: cst.FunctionDef, out: Tokens, stack: Stack) -> None:
    out.append(("AsyncFunctionDef " if node.asynchronous else "FunctionDef ") + identifier(node.name.value))
    _decorators(node.decorators, out, stack)
    stack += (node.type_parameters, node.returns and node.returns.annotation)
    parameters(node.params, out, stack)
    _documented(_flat(node.body.body), out, stack)


def _class(node: cst.ClassDef, out: Tokens, stack: Stack) -> None:
    out.append("ClassDef " + identifier(node.name.value))
    _decorators(node.decorators, out, stack)
    stack.append(node.type_parameters)
    arguments([*node.bases, *node.keywords], out, stack)
    _documented(_flat(node.body.body), out, stack)


def _decorators(decorators: Sequence[cst.Decorator], out: Tokens, stack: Stack) -> None:
    out.append(f"@{len(decorators)}")
    for decorator in decorators:
        stack.append(decorator.decorator)


def _type_alias(node: cst.TypeAlias, out: Tokens, stack: Stack) -> None:
    out.append("TypeAlias " + identifier(node.name.value))
    stack += (node.type_parameters, node.value)


def _type_parameters(node: cst.TypeParameters, out: Tokens, stack: Stack) -> None:
    out.append(f"TypeParameters {len(node.params)}")
    for entry in node.params:
        param = entry.param
        out.append(f"{param.__class__.__name__}{getattr(entry, 'star', '')} {identifier(param.name.value)}")
        stack += (getattr(param, "bound", None), getattr(entry, "default", None))


HANDLERS: Final[dict[type, Handler]] = {
    cst.Module: _module,
    cst.IndentedBlock: _block,
    cst.SimpleStatementSuite: _block,
    list: _statements,
    tuple: _statements,
    cst.Expr: _expression_statement,
    cst.Assign: _assign,
    cst.AnnAssign: _annotated_assign,
    cst.AugAssign: _augmented_assign,
    cst.Del: _delete,
    cst.Pass: constant("Pass"),
    cst.Break: constant("Break"),
    cst.Continue: constant("Continue"),
    cst.Return: fields("Return", "value"),
    cst.Assert: fields("Assert", "test", "msg"),
    cst.Raise: _raise,
    cst.Global: _names("Global"),
    cst.Nonlocal: _names("Nonlocal"),
    cst.If: _if_or_while,
    cst.While: _if_or_while,
    cst.For: _for,
    cst.With: _with,
    cst.Try: _try,
    cst.TryStar: _try,
    cst.FunctionDef: _function,
    cst.ClassDef: _class,
    cst.TypeAlias: _type_alias,
    cst.TypeParameters: _type_parameters,
}
