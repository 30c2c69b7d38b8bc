"""The classes of one file: their methods and bases, and which of them may be the command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis.facts.scopes import END, Scope, read_scope
from scripts_tracker.analysis.facts.values import (
    BATCHED,
    COMMAND,
    LOCAL_CLASS,
    METHODS,
    OPAQUE,
    UNBOUND,
    Ref,
    dotted,
)
from scripts_tracker.analysis.source.trees import descendants
from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts_tracker.analysis.facts.evaluation import Evaluator
    from scripts_tracker.analysis.facts.values import Values

ADDS: Final = "add_arguments"
CHANGES: Final = (".nargs", ".required", "._actions")
"""What the text of a file contains if a class changes arguments after they were added."""
_BARE: Final = frozenset(
    {"django.core.management.base.BaseCommand", "django.core.management.BaseCommand", f"{UNBOUND}object"}
    | {BATCHED}
)
"""The bases that bring no arguments."""


class Class(NamedTuple):
    """A class at module level.

    Attributes:
        name: its name.
        node: its statement.
        methods: its methods, those in branches of its body too; the last of a name counts.
        scope: the names of its body.
        bases: for each base class what it may be.
    """

    name: str
    node: cst.ClassDef
    methods: Mapping[str, cst.FunctionDef]
    scope: Scope
    bases: tuple[Values, ...]

    @property
    def trackable(self) -> tuple[cst.FunctionDef, ...]:
        """The methods that our decorators can track."""
        return tuple(self.methods[name] for name in METHODS if name in self.methods)

    def sure(self, name: str) -> cst.FunctionDef | None:
        """The method of that name, where it is not bound in a branch, and nothing takes its place."""
        last = self.scope.names[name][-1] if name in self.scope.names else None
        return last.node if last and not last.point.path and isinstance(last.node, cst.FunctionDef) else None

    @property
    def is_plain(self) -> bool:
        """Whether the class is what its body says: no decorator and no metaclass has made another of it."""
        return not self.node.decorators and not self.node.keywords


class Lineage(NamedTuple):
    """A class with those of its base classes that stand in the same file.

    Attributes:
        classes: in the order in which methods are looked up.
        is_command: whether the first is the command of the file.
        is_whole: whether all other bases are known, and bring no arguments.
        is_batched: whether it is a batched command; None if that depends on other files.
    """

    classes: tuple[Class, ...]
    is_command: bool
    is_whole: bool
    is_batched: bool | None = None


def read_classes(scope: Scope, evaluator: Evaluator) -> tuple[Class, ...]:
    """The classes at module level, in the order of their numbers.

    Args:
        scope: the names of the module.
        evaluator: says what they stand for.
    """
    found = []
    for binding in scope.classes:
        if isinstance(binding.node, cst.ClassDef):
            body = read_scope(binding.node.body.body, scope, binding.point)
            methods = {one.name.value: one for one in body.functions}
            bases = tuple(
                OPAQUE if base.star else evaluator.values(base.value, scope, binding.point)
                for base in binding.node.bases
            )
            found.append(Class(binding.node.name.value, binding.node, methods, body, bases))
    return tuple(found)


def read_lineages(scope: Scope, evaluator: Evaluator, classes: Sequence[Class]) -> tuple[Lineage, ...]:
    """What may be the command of a file; in a file that has none, every class by itself.

    Args:
        scope: the names of the module.
        evaluator: says what they stand for.
        classes: what ``read_classes`` found.
    """
    if not scope.lookup(COMMAND, END)[0]:
        lineages = (Lineage((one,), is_command=False, is_whole=False) for one in classes)
        return tuple(one._replace(is_batched=_is_batched(one.classes) or None) for one in lineages)
    roots = [_local(value, classes) for value in evaluator.name(COMMAND, scope, END)]
    return tuple(_lineage(root, classes) for root in roots if root is not None)


def _lineage(root: Class, classes: Sequence[Class]) -> Lineage:
    found: list[Class] = []
    stack = [root]
    while stack:
        one = stack.pop()
        if one in found:
            continue
        found.append(one)
        bases = [_local(values[0], classes) for values in one.bases if len(values) == 1]
        known = [base for base in bases if base is not None]
        if len(known) + sum(_is_bare(values) for values in one.bases) < len(one.bases):
            # What an unknown base brings hides what comes after it.
            return Lineage(tuple(found), is_command=True, is_whole=False, is_batched=_is_batched(found))
        stack.extend(reversed(known))
    return Lineage(tuple(found), is_command=True, is_whole=True, is_batched=_is_batched(found))


def _is_batched(classes: Sequence[Class]) -> bool | None:
    """Whether some classes make a batched command; None if one of their bases may."""
    paths = [
        dotted(value.path) if isinstance(value, Ref) else ""
        for one in classes
        for values in one.bases
        for value in values
    ]
    if BATCHED in paths:
        return True
    known = ("django.", LOCAL_CLASS)
    return False if all(path.startswith(known) or path == "object" for path in paths) else None


def before_batched(lineage: Lineage, classes: Sequence[Class]) -> Lineage:
    """A lineage without the classes whose methods those of BatchedCommand hide, as they are named after it."""
    hidden: list[Class | None] = []
    for one in lineage.classes:
        names = [value for values in one.bases for value in values]
        paths = [dotted(value.path) if isinstance(value, Ref) else "" for value in names]
        if BATCHED in paths:
            hidden += [_local(value, classes) for value in names[paths.index(BATCHED) :]]
    left = tuple(one for one in lineage.classes if one not in hidden)
    return lineage._replace(classes=left)


def _local(value: object, classes: Sequence[Class]) -> Class | None:
    number = value.path.removeprefix(LOCAL_CLASS) if isinstance(value, Ref) else ""
    is_local = isinstance(value, Ref) and value.path.startswith(LOCAL_CLASS) and number.isdigit()
    return classes[int(number)] if is_local and int(number) < len(classes) else None


def _is_bare(values: Values) -> bool:
    paths = {
        path for one in values for path in ((one.path, dotted(one.path)) if isinstance(one, Ref) else ())
    }
    return len(values) == 1 and not _BARE.isdisjoint(paths)


def changes_arguments(one: Class) -> bool:
    """Whether a class has ``action.nargs = "?"`` where a parser is made, or ``parser._actions``."""
    methods = (one.methods[name] for name in (ADDS, "create_parser") if name in one.methods)
    return any(map(_changes_argument, (node for method in methods for node in descendants(method.body))))


def _changes_argument(node: cst.CSTNode) -> bool:
    if isinstance(node, cst.AssignTarget | cst.AnnAssign):
        return isinstance(node.target, cst.Attribute) and node.target.attr.value in {"nargs", "required"}
    return isinstance(node, cst.Attribute) and node.attr.value == "_actions"


def calls_super(method: cst.FunctionDef) -> bool:
    """Whether a method calls the one of the same name of a base class."""
    owner = first_parameter(method)
    return any(_is_super_call(node, method.name.value, owner) for node in descendants(method))


def first_parameter(method: cst.FunctionDef) -> str:
    """What a method calls its object; ``self`` where that is one of ``*args``."""
    params = (*method.params.posonly_params, *method.params.params)
    return params[0].name.value if params else "self"


def _is_super_call(node: cst.CSTNode, name: str, owner: str) -> bool:
    """Whether this is ``super().name``, or ``Base.name(self)``."""
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.func.attr.value == name:
        first = node.args[0].value if node.args else None
        return isinstance(first, cst.Name) and first.value == owner
    return isinstance(node, cst.Attribute) and node.attr.value == name and is_super(node)


def is_super(node: cst.BaseExpression) -> bool:
    """Whether this is an attribute of ``super()``."""
    owner = node.value if isinstance(node, cst.Attribute) else None
    return isinstance(owner, cst.Call) and isinstance(owner.func, cst.Name) and owner.func.value == "super"
