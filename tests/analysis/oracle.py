"""The judge: the fingerprint's contract over CPython's own tree and compiler, independent of the product's code."""

from __future__ import annotations

import ast
import copy
import warnings
from types import CodeType
from typing import Any

_SILENT_FIELDS = {"ctx", "kind", "type_comment", "type_ignores"}
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_IMPORTS = (ast.Import, ast.ImportFrom)


def parse(source: bytes | str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


def literal(source: str) -> Any:
    """The value of a literal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.literal_eval(source)


def normal_form(source: bytes | str) -> Any:
    """A plain value that is equal for two sources exactly when their fingerprints must be."""
    tree = parse(source)
    return _normal(tree, reads_docstrings=_reads_docstrings(tree))


def code_shape(source: bytes | str) -> Any:
    """What a source compiles to, less positions, docstrings that are not read and the order of neighbouring imports."""
    tree = copy.deepcopy(parse(source))
    _strip(tree, reads_docstrings=_reads_docstrings(tree))
    for node in ast.walk(tree):
        if "lineno" in node._attributes:
            node.lineno = node.end_lineno = 1  # type: ignore[attr-defined]
            node.col_offset = node.end_col_offset = 0  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _shape(compile(tree, "source.py", "exec", dont_inherit=True))


def _docstring(node: Any) -> str | None:
    return _bare(node.body[0]) if isinstance(node, _DOCUMENTED) and node.body else None


def _reads_docstrings(tree: ast.Module) -> bool:
    documents = {id(node.body[0].value) for node in ast.walk(tree) if _docstring(node) is not None}  # type: ignore[attr-defined]
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            if id(node) in documents:
                continue
            value = node.value.decode("latin-1") if isinstance(node.value, bytes) else node.value
            if isinstance(value, str) and "__doc__" in value:
                return True
            continue
        for _name, field in ast.iter_fields(node):
            texts = field if isinstance(field, list) else [field]
            if any(isinstance(text, str) and "__doc__" in text.split(".") for text in texts):
                return True
    return False


def _normal(node: Any, *, reads_docstrings: bool) -> Any:
    if isinstance(node, list):
        return [_normal(item, reads_docstrings=reads_docstrings) for item in node]
    if isinstance(node, ast.Constant):
        return ("Constant", type(node.value).__name__, repr(node.value))
    if not isinstance(node, ast.AST):
        return node
    text = _bare(node)
    if text is not None:
        return ("bare string", _clean(text))
    form: dict[str, Any] = {"": type(node).__name__}
    docstring = _docstring(node)
    for name, value in ast.iter_fields(node):
        if name in _SILENT_FIELDS:
            continue
        field = value
        if isinstance(field, list) and field and isinstance(field[0], ast.stmt):
            form[name] = _body(
                field[1:] if name == "body" and docstring is not None else field,
                reads_docstrings=reads_docstrings,
            )
        elif isinstance(node, ast.Delete):
            form[name] = _normal(_flat_targets(node.targets), reads_docstrings=reads_docstrings)
        else:
            form[name] = _normal(field, reads_docstrings=reads_docstrings)
    if reads_docstrings and docstring is not None:
        form["docstring"] = _clean(docstring)
    return form


def _body(statements: list[ast.stmt], *, reads_docstrings: bool) -> list[Any]:
    body: list[Any] = []
    run: list[str] = []
    for statement in [*statements, None]:
        if isinstance(statement, _IMPORTS):
            origin = [getattr(statement, "level", None), getattr(statement, "module", None)]
            run += [
                repr([type(statement).__name__, *origin, alias.name, alias.asname])
                for alias in statement.names
            ]
            continue
        if run:
            body.append(sorted(run))
            run = []
        if statement is not None:
            body.append(_normal(statement, reads_docstrings=reads_docstrings))
    return body


def _flat_targets(targets: list[ast.expr]) -> list[ast.expr]:
    flat: list[ast.expr] = []
    for target in targets:
        flat += _flat_targets(target.elts) if isinstance(target, ast.Tuple) else [target]
    return flat


def _clean(docstring: str) -> str:
    lines = docstring.expandtabs().split("\n")
    margins = [len(line) - len(line.lstrip(" ")) for line in lines[1:] if line.strip()]
    margin = min(margins) if margins else 0
    cleaned = [lines[0].lstrip()] + [line[margin:] for line in lines[1:]]
    return "\n".join(line.rstrip() for line in cleaned).strip()


def _strip(tree: ast.Module, *, reads_docstrings: bool) -> None:
    kept: set[int] = set()
    for node in list(ast.walk(tree)):
        docstring = _docstring(node)
        if docstring is not None and reads_docstrings:
            node.body[0].value.value = _clean(docstring)  # type: ignore[attr-defined]
            kept.add(id(node.body[0]))  # type: ignore[attr-defined]  # only what has a body has a docstring
        if isinstance(node, ast.Delete):
            node.targets = _flat_targets(node.targets)
    for node in list(ast.walk(tree)):
        for name, value in ast.iter_fields(node):
            if isinstance(value, list) and any(isinstance(item, ast.stmt) for item in value):
                # All bare strings go: without the docstring, the next one would be taken for it.
                body = [item for item in _sorted_imports(value) if id(item) in kept or _bare(item) is None]
                setattr(node, name, body or [ast.Pass(lineno=1, col_offset=0)])


def _bare(node: ast.AST) -> str | None:
    """The text of a statement that is a string and so no code."""
    constant = node.value if isinstance(node, ast.Expr) else None
    return constant.value if isinstance(constant, ast.Constant) and isinstance(constant.value, str) else None


def _sorted_imports(statements: list[ast.stmt]) -> list[ast.stmt]:
    result: list[ast.stmt] = []
    run: list[ast.stmt] = []
    for statement in [*statements, None]:
        if isinstance(statement, _IMPORTS):
            for alias in statement.names:
                single = copy.copy(statement)
                single.names = [alias]
                run.append(single)
            continue
        # Future imports stay first, where the compiler wants them.
        run.sort(key=lambda node: (getattr(node, "module", "") != "__future__", ast.dump(node)))
        result += run
        run = []
        if statement is not None:
            result.append(statement)
    return result


def _shape(code: CodeType) -> Any:
    constants = [
        _shape(item) if isinstance(item, CodeType) else (type(item).__name__, repr(item))
        for item in code.co_consts
    ]
    names = [code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars]
    counts = [code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags]
    return [code.co_name, code.co_code, constants, names, counts]
