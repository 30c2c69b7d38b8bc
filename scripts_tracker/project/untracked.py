"""Commands of the project without ``@tracked_script``, and the decorator put on them: every other byte stays."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from scripts_tracker import conf
from scripts_tracker.core.values import ScriptId
from scripts_tracker.exceptions import NotScaffolded, UnreadableSource
from scripts_tracker.project import scan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_DECORATOR: Final = "tracked_script"
_IMPORT: Final = f"from scripts_tracker import {_DECORATOR}\n"
_BATCHED: Final = "BatchedCommand"


def commands() -> Mapping[ScriptId, str]:
    """The files of all commands that are scanned, tracked or not, as reports show them."""
    from scripts_tracker.analysis.findings import Findings
    from scripts_tracker.analysis.linking.scanning import command_files

    findings = Findings(conf.base_dir())
    ignored = conf.ignored_files(), conf.ignored_prefixes()
    files = command_files(scan.commands_dirs(), findings, *ignored)
    known: dict[ScriptId, str] = {}
    for file in files:
        if file.has_source and not file.ignored:
            known.setdefault(ScriptId(file.folder.app_label, file.name), scan.shown_path(file.path))
    return known


def untracked(tracked: Iterable[ScriptId]) -> Mapping[ScriptId, str]:
    """The commands that are none of the tracked scripts, by id."""
    known, ids = commands(), frozenset(tracked)
    return {one: known[one] for one in sorted(known) if one not in ids}


def adopt(path: str) -> None:
    """Put ``@tracked_script`` on the command in a file.

    Args:
        path: the file, as reports show it.

    Raises:
        NotScaffolded: that is not possible, or would change more; the message says what to do. The file is unchanged.
    """
    from scripts_tracker.analysis.source import reading  # the lint needs libcst
    from scripts_tracker.lint import fixing

    try:
        before = reading.read_bytes(scan.absolute_path(path))
        after = decorated(before, path)
        fixing.write(scan.absolute_path(path), before, after)
    except UnreadableSource as error:
        raise NotScaffolded(f"{path} cannot be parsed: {error}; fix it first") from error
    except fixing.ChangedMeanwhileError as error:
        raise NotScaffolded(f"{path} changed in the meantime and was not written; run it again") from error
    except OSError as error:
        raise NotScaffolded(f"{path} cannot be written: {error.strerror}") from error


def decorated(source: bytes, path: str) -> bytes:
    """The bytes of a file with the decorator and its import; raises as ``adopt``."""
    from scripts_tracker.analysis.source.parsing import decode  # as above
    from scripts_tracker.analysis.source.rewriting import tree_of
    from scripts_tracker.lint.fixing import exchanged
    from scripts_tracker.lint.values import Edit

    text = decode(source)
    try:
        tree = tree_of(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NotScaffolded(f"{path} cannot be parsed: {error}; fix it first") from error
    method, lines = _method(tree, path), text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    row = min([method.lineno, *(one.lineno for one in method.decorator_list)]) - 1
    indent = lines[row][: len(lines[row]) - len(lines[row].lstrip())]
    edits = [Edit(starts[row], starts[row], f"{indent}@{_DECORATOR}\n")]
    if not _is_imported(tree):
        row, gap = _place_of_import(tree, lines)
        edits.insert(0, Edit(starts[row], starts[row], f"{gap}{_IMPORT}"))
    after = exchanged(source, text, edits)
    if not _is_same(tree, decode(after)):
        raise NotScaffolded(
            f"{path}: the decorator cannot be added without a change of something else; add it by hand:"
            f" {_IMPORT.strip()}, and @{_DECORATOR} above `def {method.name}(`"
        )
    return after


def _method(tree: ast.Module, path: str) -> ast.FunctionDef:
    """The method that the decorator goes on."""
    classes = [
        one for one in _statements(tree.body) if isinstance(one, ast.ClassDef) and one.name == "Command"
    ]
    if len(classes) != 1:
        what = "no class Command" if not classes else f"{len(classes)} classes named Command"
        raise NotScaffolded(f"{path} has {what}; add @{_DECORATOR} by hand, above the handle() that runs")
    (command,) = classes
    bases = [ast.unparse(base) for base in command.bases]
    name = "process" if any(base.rpartition(".")[2] == _BATCHED for base in bases) else "handle"
    found = [
        one
        for one in _statements(command.body)
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name == name
    ]
    if not found:
        raise NotScaffolded(
            f"{path} inherits {name}() from {', '.join(bases) or 'nothing'}; add @{_DECORATOR} to that {name}() if all"
            f" its commands are to be tracked, or define {name}() here and call super().{name}()"
        )
    (method, *others) = found
    if others or isinstance(method, ast.AsyncFunctionDef):
        what = (
            f"{len(found)} definitions of {name}()"
            if others
            else f"an async {name}(), which Django does not await"
        )
        raise NotScaffolded(f"{path} has {what}; make it one plain def first")
    return method


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a body, and of the blocks in it that open no scope of their own."""
    for one in body:
        yield one
        if not isinstance(one, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            inner = (getattr(one, name, ()) for name in ("body", "orelse", "finalbody"))
            blocks = [block for block in inner if isinstance(block, list)]
            blocks += [handler.body for handler in getattr(one, "handlers", ())]
            for block in blocks:
                yield from _statements(block)


def _is_imported(tree: ast.Module) -> bool:
    """Whether the name of the decorator is imported already, by the path of now or the one of before."""
    imports = (one for one in tree.body if isinstance(one, ast.ImportFrom))
    return any(
        alias.name == _DECORATOR and alias.asname in {None, _DECORATOR}
        for one in imports
        for alias in one.names
        if (one.module or "").partition(".")[0] in {"scripts_tracker", "django_scripts_tracker"}
    )


def _place_of_import(tree: ast.Module, lines: Sequence[str]) -> tuple[int, str]:
    """Before which line the import goes, and what separates it from the ones above it.

    That is after those of Django, as isort sorts them, or after all others at the top.
    """
    head: list[ast.stmt] = []
    for one in tree.body:
        is_docstring = isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) and not head
        if not (is_docstring or isinstance(one, ast.Import | ast.ImportFrom)):
            break
        head.append(one)
    of_django = [one for one in head if _package(one) == "django"]
    for last in (of_django or head)[-1:]:
        is_apart = isinstance(last, ast.Expr) or _package(last) == "__future__"
        return last.end_lineno or 0, "\n" if is_apart else ""
    row = 0
    while row < len(lines) and lines[row].startswith("#"):  # an interpreter, an encoding, a licence
        row += 1
    return row, "\n" if row else ""


def _package(statement: ast.stmt) -> str:
    """What an import is from; empty for any other statement."""
    return (statement.module or "").partition(".")[0] if isinstance(statement, ast.ImportFrom) else ""


def _is_same(tree: ast.Module, text: str) -> bool:
    """Whether a text has the same syntax tree but for the decorator and its import."""
    from scripts_tracker.analysis.source.rewriting import tree_of

    try:
        changed = tree_of(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    method = _method(changed, "")
    first = method.decorator_list.pop(0)
    if not (isinstance(first, ast.Name) and first.id == _DECORATOR):
        return False
    if not _is_imported(tree):
        added = ast.dump(ast.parse(_IMPORT).body[0])
        place = next((one for one in changed.body if ast.dump(one) == added), None)
        if place is None:
            return False
        changed.body.remove(place)
    return ast.dump(changed) == ast.dump(tree)
