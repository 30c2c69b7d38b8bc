"""The compiler's first half: one file's bytes -> FileFacts, a pure function."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from scripts_tracker.analysis.bindings import Binding, Scope, read_scope
from scripts_tracker.analysis.blocks import END
from scripts_tracker.analysis.evaluation import Evaluator
from scripts_tracker.analysis.facts import HANDLES, ClassFacts, Decoration, FileFacts, MethodFacts
from scripts_tracker.analysis.fingerprint import fingerprint_parsed
from scripts_tracker.analysis.helptext import HelpReader
from scripts_tracker.analysis.literals import string_value
from scripts_tracker.analysis.methods import MethodReader
from scripts_tracker.analysis.parsing import collector_paused, parse
from scripts_tracker.analysis.positions import Positions
from scripts_tracker.analysis.uses import strays
from scripts_tracker.analysis.values import LOCAL_CLASS, OPAQUE, Ref, Values, cleaned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts_tracker.analysis.lint.trees import Tree
    from scripts_tracker.analysis.parsing import ParsedSource

COMMAND = "Command"


def extract(source: bytes) -> FileFacts:
    """What one file says by itself.

    Args:
        source: its bytes.

    Returns:
        The facts; equal bytes give equal facts.

    Raises:
        UnreadableSource: with line, column and reason, where the source cannot be analysed.
    """
    with collector_paused():
        return Extraction(parse(source)).facts()


class Extraction:
    """Reads one parsed file."""

    def __init__(self, parsed: ParsedSource) -> None:
        self._parsed = parsed
        self._doc = _docstring(parsed.module.body)
        self._scope = read_scope(parsed.module.body)
        self._class_scopes: list[Scope] = []
        self._positions = Positions(parsed.module, parsed.text)
        self._evaluator = Evaluator(self._positions)
        self._help = HelpReader(self._evaluator, parsed.module, self._doc)
        self._methods = MethodReader(self._evaluator, self._positions, self._scope, parsed.text)

    def facts(self) -> FileFacts:
        """What the file says by itself."""
        scope = self._scope
        bindings, _ = scope.lookup(COMMAND, END)
        classes, misplaced = self._patched([self._class(binding) for binding in scope.classes])
        names = {name: self._exported(name) for name in sorted(scope.names)}
        found = strays(
            self._parsed.module,
            scope,
            self._class_scopes,
            evaluator=self._evaluator,
            positions=self._positions,
            text=self._parsed.text,
            exported=names,
            consumed=self._methods.consumed,
            decorators=self._methods.decorators,
        )
        return FileFacts(
            fingerprint=str(fingerprint_parsed(self._parsed)) if bindings else None,
            command=self._command_place(bindings),
            doc=self._doc and cleaned(self._doc),
            names=names,
            stars=tuple(module for _, module in reversed(scope.stars)),
            classes=tuple(classes),
            strays=tuple(sorted((*found, *misplaced), key=lambda one: one.place)),
        )

    def tree(self) -> Tree:
        """The file as the rules of the lint see it."""
        from scripts_tracker.analysis.lint.trees import Tree

        parsed = self._parsed
        return Tree(
            parsed.module,
            parsed.text,
            scope=self._scope,
            evaluator=self._evaluator,
            positions=self._positions,
        )

    def _exported(self, name: str) -> Values:
        bindings, _ = self._scope.lookup(name, END)
        values = [self._evaluator.bound(binding, self._scope) for binding in bindings if binding.sure]
        return tuple(dict.fromkeys(value for several in values for value in several)) or OPAQUE

    def _command_place(self, bindings: Sequence[Binding]) -> tuple[int, int] | None:
        sure = [binding for binding in bindings if binding.sure]
        if sure:
            return self._positions.place(sure[0].node)
        return (1, 1) if bindings else None

    def _class(self, binding: Binding) -> ClassFacts:
        node = binding.node
        if not isinstance(node, cst.ClassDef):
            raise TypeError(f"{node!r} is no class")
        scope = read_scope(node.body.body, self._scope, binding.point)
        self._class_scopes.append(scope)
        doc = _docstring(node.body.body)
        bases = tuple(self._base(base, binding) for base in node.bases)
        return ClassFacts(
            name=node.name.value,
            place=self._positions.place(node),
            bases=bases,
            help=self._help_of(scope, doc),
            doc=doc and cleaned(doc),
            methods=self._methods.methods(scope),
        )

    def _base(self, base: cst.Arg, binding: Binding) -> Values:
        value = base.value
        # The base of Generic[T] is Generic.
        if isinstance(value, cst.Subscript):
            value = value.value
        return OPAQUE if base.star else self._evaluator.values(value, self._scope, binding.point)

    def _help_of(self, scope: Scope, doc: str | None) -> Values | None:
        bindings, _ = scope.lookup("help", END)
        for binding in bindings:
            if binding.sure:
                if binding.expression is None:
                    return OPAQUE
                return self._help.read(binding.expression, scope, binding.point, doc)
        return None

    def _patched(self, classes: list[ClassFacts]) -> tuple[list[ClassFacts], list[Decoration]]:
        """The classes after ``Command.handle = tracked_script(Command.handle)``, and patches of other classes."""
        misplaced: list[Decoration] = []
        for attribute, binding in self._scope.patches:
            if attribute.attr.value not in HANDLES:
                continue
            for value in self._evaluator.values(attribute, self._scope, binding.point):
                if not isinstance(value, Ref):
                    continue
                method = self._methods.patch(binding, value)
                index = _class_number(value.path)
                if index is None:
                    misplaced += method.decorations
                else:
                    classes[index] = _with_method(classes[index], attribute.attr.value, method)
        return classes, misplaced


def _class_number(path: str) -> int | None:
    owner, _, _method = path.rpartition(".")
    return int(owner[1:]) if owner.startswith(LOCAL_CLASS) and owner[1:].isdigit() else None


def _with_method(facts: ClassFacts, name: str, patch: MethodFacts) -> ClassFacts:
    """A class whose method was exchanged; one that wraps the class's own keeps that one's decorators."""
    goes_on = any(step.start is None for step in patch.onward)
    own = facts.methods.get(name, ())
    if goes_on and own:
        merged = tuple(MethodFacts((*patch.decorations, *one.decorations), one.onward) for one in own)
    else:
        merged = (patch,)
    return ClassFacts(
        facts.name, facts.place, facts.bases, facts.help, facts.doc, {**facts.methods, name: merged}
    )


def _docstring(body: Sequence[cst.CSTNode]) -> str | None:
    first = next(iter(body), None)
    if isinstance(first, cst.SimpleStatementLine):
        first = next(iter(first.body), None)
    if not isinstance(first, cst.Expr):
        return None
    text = string_value(first.value)
    return text if isinstance(text, str) else None
