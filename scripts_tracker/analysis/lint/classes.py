"""The classes of one file, and which of them the command of the file is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import libcst as cst

from scripts_tracker.analysis.bindings import Scope, read_scope
from scripts_tracker.analysis.blocks import END
from scripts_tracker.analysis.extraction import COMMAND
from scripts_tracker.analysis.facts import HANDLES
from scripts_tracker.analysis.trees import descendants
from scripts_tracker.analysis.values import LOCAL_CLASS, OPAQUE, UNBOUND, Ref, dotted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts_tracker.analysis.evaluation import Evaluator
    from scripts_tracker.analysis.values import Values

_BARE: Final = frozenset(
    {"django.core.management.base.BaseCommand", "django.core.management.BaseCommand", f"{UNBOUND}object"}
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
    def handles(self) -> tuple[cst.FunctionDef, ...]:
        """The methods in which Django runs a command, or ran it once."""
        return tuple(self.methods[name] for name in HANDLES if name in self.methods)

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
    """

    classes: tuple[Class, ...]
    is_command: bool
    is_whole: bool


def read_classes(scope: Scope, evaluator: Evaluator) -> tuple[Class, ...]:
    """The classes at module level, in the order of their numbers.

    Args:
        scope: the names of the module.
        evaluator: tells what they stand for.
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
        evaluator: tells what they stand for.
        classes: what ``read_classes`` found.
    """
    if not scope.lookup(COMMAND, END)[0]:
        return tuple(Lineage((one,), is_command=False, is_whole=False) for one in classes)
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
            return Lineage(tuple(found), is_command=True, is_whole=False)
        stack.extend(reversed(known))
    return Lineage(tuple(found), is_command=True, is_whole=True)


def _local(value: object, classes: Sequence[Class]) -> Class | None:
    number = value.path.removeprefix(LOCAL_CLASS) if isinstance(value, Ref) else ""
    is_local = isinstance(value, Ref) and value.path.startswith(LOCAL_CLASS) and number.isdigit()
    return classes[int(number)] if is_local and int(number) < len(classes) else None


def _is_bare(values: Values) -> bool:
    paths = {
        path for one in values for path in ((one.path, dotted(one.path)) if isinstance(one, Ref) else ())
    }
    return len(values) == 1 and not _BARE.isdisjoint(paths)


def goes_on(method: cst.FunctionDef) -> bool:
    """Whether a method calls the one of the same name of a base class."""
    return any(_is_onward(node, method.name.value) for node in descendants(method))


def _is_onward(node: cst.CSTNode, name: str) -> bool:
    """Whether this is ``super().name``, or ``Base.name(self)``."""
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.func.attr.value == name:
        first = node.args[0].value if node.args else None
        return isinstance(first, cst.Name) and first.value == "self"
    return isinstance(node, cst.Attribute) and node.attr.value == name and is_super(node)


def is_super(node: cst.BaseExpression) -> bool:
    """Whether this is an attribute of ``super()``."""
    owner = node.value if isinstance(node, cst.Attribute) else None
    return isinstance(owner, cst.Call) and isinstance(owner.func, cst.Name) and owner.func.value == "super"
