"""ST011."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.facts.values import TRACKED, Ref, dotted
from scripts_tracker.analysis.fingerprint.literals import string_value
from scripts_tracker.lint import parsers
from scripts_tracker.lint.base import TreeRule
from scripts_tracker.lint.file import Use
from scripts_tracker.lint.parsers import keyword, method_of
from scripts_tracker.lint.values import Violation, Where

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.analysis.facts.values import Values
    from scripts_tracker.lint.file import Tree

_MANY = frozenset({"argparse.ONE_OR_MORE", "argparse.PARSER"})
# Other actions take no value from the command line, or are unknown.
_TAKING = frozenset({"store", "append", "extend"})
_DJANGOS = {"LabelCommand": "label", "AppCommand": "app_label", "TemplateCommand": "name"}


class RequiredArgument(TreeRule):
    """A tracked command has required arguments, but it is run without any.

    ## What it does
    Looks in `add_arguments()`, and in functions that it passes the parser to, for positional arguments that cannot be
    omitted, and for `required=True`. Django's LabelCommand, AppCommand and TemplateCommand bring such an argument.

    ## Why is this bad?
    Scripts are run with the arguments of `@tracked_script(arguments=...)` only, so with none as a rule. The command
    stops with a usage message, in every environment.

    ## Example
    ```python
    def add_arguments(self, parser):
        parser.add_argument("country")
        parser.add_argument("--rate", type=int, required=True)
    ```

    ## Use instead
    ```python
    def add_arguments(self, parser):
        parser.add_argument("country", nargs="?", default="CH")
        parser.add_argument("--rate", type=int, default=8)
    ```
    Or `@tracked_script(arguments=("CH", "--rate", "8"))`.
    """

    code = codes.REQUIRED_ARGUMENT

    def check(self, tree: Tree) -> Iterator[Violation]:
        """Yield the arguments that cannot be omitted."""
        if any(tree.changes_arguments(one) for lineage in tree.lineages for one in lineage.classes):
            return
        if not _given(tree):
            yield from _brought_by_django(tree)
        if "add_argument" not in tree.text:
            return
        given = _given(tree)
        for method in tree.methods("add_arguments"):
            for function, call in parsers.all_calls(tree, method.node):
                needed = None if _is_given(call, given) else _needed(tree, function, call)
                if needed is not None:
                    what, hint = needed
                    message = f"the command requires {what}, but scripts run without arguments"
                    yield Violation(tree.place(call.args[0], call), message, hint, method.where)


def _given(tree: Tree) -> tuple[str, ...]:
    """What ``@tracked_script(arguments=...)`` passes to the command, as far as it is written out."""
    for method, _ in tree.runs:
        for decorator in tree.decorators(method.node, TRACKED):
            call = decorator.decorator
            value = keyword(call, "arguments") if isinstance(call, cst.Call) else None
            if isinstance(value, cst.Tuple | cst.List):
                texts = (string_value(one.value) for one in value.elements)
                return tuple(text if isinstance(text, str) else "" for text in texts)
    return ()


def _is_given(call: cst.Call, given: tuple[str, ...]) -> bool:
    """Whether the arguments of the script hold one; by its place, only roughly."""
    names = parsers.names_of(call) or ()
    options = [name for name in names if name.startswith("-")]
    if options:
        return any(text == name or text.startswith(f"{name}=") for name in options for text in given)
    return any(not text.startswith("-") for text in given)


def _brought_by_django(tree: Tree) -> Iterator[Violation]:
    """The classes that get an argument from a base class of Django."""
    for lineage in tree.lineages:
        for one in lineage.classes if lineage.is_command else ():
            if parsers.METHOD in one.methods and parsers.METHOD in tree.overrides(one):
                break
            for name in filter(None, map(_name_in_django, one.bases)):
                message = f"{name} requires the argument {_DJANGOS[name]}, but scripts run without arguments"
                hint = "Inherit from BaseCommand, or override add_arguments() without it."
                yield Violation(tree.place(one.node), message, hint, Where(one.name, parsers.METHOD))


def _name_in_django(values: Values) -> str:
    """The name of a base class that brings an argument; empty for any other."""
    paths = [dotted(value.path) for value in values if isinstance(value, Ref)]
    found = (path.rpartition(".")[2] for path in paths if path.startswith("django.core.management."))
    return next((name for name in found if name in _DJANGOS), "")


def _needed(tree: Tree, function: cst.FunctionDef, call: cst.Call) -> tuple[str, str] | None:
    """What a call requires from the user, and the hint; None if it requires nothing."""
    required = keyword(call, "required")
    must = isinstance(required, cst.Name) and required.value == "True"
    if method_of(call) in parsers.GROUPS | {parsers.SUBPARSERS}:
        return ("a choice", "Remove required=True and choose a default in handle().") if must else None
    names = parsers.names_of(call)
    if names is None:
        return None
    if names and names[0].startswith("-"):
        return (f"the option {names[0]}", "Give it a default instead of required=True.") if must else None
    name = parsers.dest_of(call)
    if not name or not _must_be_given(tree, function, call):
        return None
    return f"the argument {name}", 'Add nargs="?" and a default, or make it an option.'


def _must_be_given(tree: Tree, function: cst.FunctionDef, call: cst.Call) -> bool:
    """Whether a positional argument cannot be omitted."""
    action, nargs = keyword(call, "action"), keyword(call, "nargs")
    if action is not None and string_value(action) not in _TAKING:
        return False
    if nargs is None or isinstance(nargs, cst.Integer) or string_value(nargs) == "+":
        return True
    is_none = isinstance(nargs, cst.Name) and nargs.value == "None"
    return is_none or tree.origin(nargs, Use(call, (function,), None)) in _MANY
