"""One file's bytes to FileFacts, a pure function: the first half of the compiler."""

from __future__ import annotations

import contextlib
from functools import cached_property
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

import libcst as cst

from scripts_tracker.analysis.facts.evaluation import Evaluator, HelpReader
from scripts_tracker.analysis.facts.functions import FunctionReader, may_lead
from scripts_tracker.analysis.facts.methods import MethodReader
from scripts_tracker.analysis.facts.misplaced import MisplacedUses, root_name
from scripts_tracker.analysis.facts.scopes import END, Binding, Point, Scope, read_scope
from scripts_tracker.analysis.facts.values import (
    BATCHES,
    COMMAND,
    HOOKS,
    INSIDE,
    LOCAL_CLASS,
    METHODS,
    NOT_COMPUTED,
    OPAQUE,
    OURS,
    REQUIRED,
    TRACKED,
    Call,
    ClassFacts,
    Decoration,
    FileFacts,
    Made,
    MethodFacts,
    Opaque,
    OurImport,
    Ref,
    TooLittle,
    Value,
    Values,
    cleaned,
    dotted,
    last_name,
)
from scripts_tracker.analysis.fingerprint import fingerprint_parsed
from scripts_tracker.analysis.fingerprint.literals import string_value
from scripts_tracker.analysis.source.collector import collector_paused
from scripts_tracker.analysis.source.parsing import parse, parse_text, read_text
from scripts_tracker.analysis.source.syntax import compiles, with_plain_names
from scripts_tracker.analysis.source.trees import Positions, descendants
from scripts_tracker.core.values import Fingerprint
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scripts_tracker.analysis.facts.skeleton import Skeleton
    from scripts_tracker.analysis.source.parsing import ParsedSource
    from scripts_tracker.core.values import Place


def extract(source: bytes, *, with_fingerprint: bool = True) -> FileFacts:
    """What one file says by itself.

    Args:
        source: its bytes.
        with_fingerprint: whether its fingerprint is needed too.

    Returns:
        The facts; equal bytes give equal facts.

    Raises:
        UnreadableSource: with line, column and reason, where the source cannot be parsed.
    """
    if with_fingerprint:
        with collector_paused():
            return Extraction(parsed(source)).facts()
    (found,) = extract_all([source])
    if isinstance(found, UnreadableSource):
        raise found
    return found


def extract_all(sources: Sequence[bytes], *, is_valid: bool = False) -> list[FileFacts | UnreadableSource]:
    """The facts of several files without their fingerprints; the error of one that cannot be parsed.

    Each step is done for all of them before the next one, in a tenth less time than file by file, as the processor has at
    hand what a step needs. All trees are there at once.
    """
    from scripts_tracker.analysis.facts.skeleton import skeleton  # its patterns take long to compile

    with collector_paused():
        texts = [_tried(_named_plainly, source) for source in sources]
        parts = [None if isinstance(text, UnreadableSource) else skeleton(text) for text in texts]
        trees = [_tree(part, is_valid=is_valid) for part in parts]
        return list(map(_result, sources, texts, map(_facts_of_tree, parts, trees)))


def parsed(source: bytes) -> ParsedSource:
    """One file as its facts are read from, whoever asks for them; raises UnreadableSource."""
    return parse(source, _named_plainly(source))


def _named_plainly(source: bytes) -> str:
    """The text of one file's bytes with its names as Python sees them; raises UnreadableSource."""
    return with_plain_names(read_text(source))


_T = TypeVar("_T")
_P = ParamSpec("_P")


def _tried(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T | UnreadableSource:
    try:
        return function(*args, **kwargs)
    except UnreadableSource as error:
        return error


def _result(
    source: bytes, text: str | UnreadableSource, facts: FileFacts | None
) -> FileFacts | UnreadableSource:
    """The facts of a skeleton; those of the whole source where there are none."""
    if isinstance(text, UnreadableSource):
        return text
    return _tried(_facts_of_whole, source, text) if facts is None else facts


def _facts_of_whole(source: bytes, text: str) -> FileFacts:
    return Extraction(parse(source, text)).facts(with_fingerprint=False)


def _tree(part: Skeleton | None, *, is_valid: bool) -> ParsedSource | None:
    """What is left of a source that CPython accepts."""
    if part is None or not compiles(part.whole, is_valid=is_valid):
        return None
    with contextlib.suppress(UnreadableSource):
        return parse_text(part.text)
    return None


def _facts_of_tree(part: Skeleton | None, parsed: ParsedSource | None) -> FileFacts | None:
    if part is None or parsed is None:
        return None
    with contextlib.suppress(TooLittle, UnreadableSource):
        return Extraction(parsed, part).facts(with_fingerprint=False)
    return None


class Extraction:
    """Reads one parsed file.

    Args:
        parsed: the file, or what is left of it in a skeleton.
        part: that skeleton.

    Attributes:
        module: its tree.
        text: what was parsed.
        whole: the text of the whole file.
        scope: the names of the module.
        functions: reads its functions.
        positions: where its nodes are.
        evaluator: what its expressions stand for.
    """

    def __init__(self, parsed: ParsedSource, part: Skeleton | None = None) -> None:
        self.module, self.text = parsed.module, parsed.text
        self.whole = part.whole if part else self.text
        imported = part.imported if part else {}
        self.scope = read_scope(self.module.body, has_walrus=":=" in self.text, imported=imported)
        self.positions = Positions(self.module, self.text, self.whole, part.left_out if part else ())
        self.evaluator = Evaluator(self.positions)
        self.functions = FunctionReader(self.evaluator, self.positions, len(self.scope.classes), part)
        self.functions.number(self.scope)
        self._parsed, self._skeleton = parsed, part
        self._doc = _docstring(self.module.body)
        self._help = HelpReader(self.evaluator, self.module, self._doc)
        self._methods = self._method_reader()
        self._class_scopes: list[Scope] = []

    def facts(self, *, with_fingerprint: bool = True) -> FileFacts:
        """What the file says by itself; raises UnreadableSource as ``extract`` does."""
        bindings, _ = self.scope.lookup(COMMAND, END)
        self.functions.read()
        classes, patches = self._patched([self._class(binding, self.scope) for binding in self.scope.classes])
        inner = self._method_reader()  # what is inside a function may also be there for something else
        classes += [self._class(binding, scope, inner) for binding, scope in self.functions.classes]
        names = {name: self._exported(name) for name in sorted(self.scope.names)}
        misplaced = MisplacedUses(
            self._parsed,
            self.evaluator,
            self.positions,
            consumed=self._methods.consumed,
            decorators=self._methods.decorators,
            scopes=[self.scope, *self._class_scopes],
            skeleton=self._skeleton,
        )
        uses = misplaced.read(names)
        unread = self._parsed.unread
        facts = FileFacts(
            fingerprint=self._fingerprint(needed=with_fingerprint) if bindings else None,
            command=self._command_place(bindings),
            doc=self._doc and cleaned(self._doc),
            names=names,
            stars=tuple(module for _, module in reversed(self.scope.stars)),
            classes=tuple(classes),
            misplaced_uses=tuple(sorted([*uses, *patches], key=lambda use: use.place)),
            functions=self.functions.facts(),
            imports=(*self._our_imports(), *_our_attributes(classes)),
            unread=unread and (unread.error.reason, (unread.error.line, unread.error.column)),
        )
        return facts if self.positions.is_exact else self._located(facts)

    def _method_reader(self) -> MethodReader:
        return MethodReader(self.functions, self.evaluator, self.positions, self.scope, self.whole)

    def _located(self, facts: FileFacts) -> FileFacts:
        """The facts as a skeleton has them, where fewer nodes are alike."""
        if self._skeleton is not None or self._parsed.is_rewritten:
            return facts
        from scripts_tracker.analysis.facts.skeleton import skeleton  # as above

        part = skeleton(self.text)
        same = _facts_of_tree(part, _tree(part, is_valid=False))
        return same._replace(fingerprint=facts.fingerprint) if same else facts

    def _fingerprint(self, *, needed: bool) -> str:
        """Of the code; of the bytes where not all of the code can be read."""
        unread = self._parsed.unread
        if unread:
            return str(Fingerprint.of_bytes(unread.content_digest))
        # The walk refuses literals that the parse lets pass: without it, CPython has to do that.
        if not needed and (self._skeleton or compiles(self.text)):
            return NOT_COMPUTED
        return str(fingerprint_parsed(self._parsed))

    def _exported(self, name: str) -> Values:
        last = self.scope.names[name][-1]
        if type(last.node) in _IMPORTS and last.values and not last.point.path and not self.scope.stars:
            return last.values  # as most names
        bindings, _ = self.scope.lookup(name, END)
        values = [self._traced(binding) for binding in bindings if binding.sure]
        return tuple(dict.fromkeys(value for several in values for value in several)) or OPAQUE

    def _traced(self, binding: Binding) -> Values:
        """What a name is after a binding; of what cannot be evaluated, the names that it is made of."""
        values, origin = self.evaluator.bound(binding, self.scope), binding.expression or binding.origin
        if origin is None or not any(isinstance(value, Opaque) for value in values):
            return values
        parts = self.functions.parts([origin], self.scope, binding.point)
        return (*(one for one in values if not isinstance(one, Opaque)), Made(parts)) if parts else values

    def _our_imports(self) -> Iterator[OurImport]:
        """What is imported from our package and decorates none of METHODS by that name."""
        decorating = {root_name(one.decorator) for one in self._methods.decorators}
        for name, bindings in self.scope.names.items():
            for binding in bindings:
                if type(binding.node) not in _IMPORTS:
                    continue
                value = binding.values[0] if binding.values else None
                if (
                    type(value) is not Ref
                    or not value.path.startswith(_PACKAGES)
                    or dotted(value.path).partition(".")[0] not in OURS
                ):
                    continue
                if name not in decorating or last_name(value.path) not in (TRACKED, REQUIRED):
                    if self.scope.stands_for_others(binding.node):
                        raise TooLittle(name)
                    place = self.positions.place(binding.node)
                    yield OurImport(value.path, place, self._is_used(name))

    def _is_used(self, name: str) -> bool:
        if name not in self._names_used and self._skeleton is not None:
            self._skeleton.check(name)
        return name in self._names_used

    @cached_property
    def _names_used(self) -> frozenset[str]:
        """The names in the code that imports do not hold."""
        nodes = descendants(self.module, enter=lambda node: not isinstance(node, cst.ImportFrom | cst.Import))
        return frozenset(node.value for node in nodes if type(node) is cst.Name)

    def _command_place(self, bindings: Sequence[Binding]) -> Place | None:
        for binding in bindings:
            if binding.sure:
                return self.positions.place(binding.node)
        return (1, 1) if bindings else None

    def _class(self, binding: Binding, around: Scope, methods: MethodReader | None = None) -> ClassFacts:
        node = binding.node
        if not isinstance(node, cst.ClassDef):
            raise TypeError(f"{node!r} is no class")
        scope = read_scope(node.body.body, around, binding.point)
        if methods is None:
            self._class_scopes.append(scope)
        doc = _docstring(node.body.body)
        place = self.positions.place(node)
        metaclass = next(
            (one for one in node.keywords if one.keyword and one.keyword.value == "metaclass"), None
        )
        traced = self.functions.values
        return ClassFacts(
            name=node.name.value,
            bases=tuple(self._base(base, around, binding.point) for base in node.bases),
            place=place,
            help=self._help_of(scope, doc),
            doc=doc and cleaned(doc),
            methods=(methods or self._methods).methods(scope),
            end=self.positions.last_line(place),
            decorations=tuple(self.functions.decorations(node.decorators, around, binding.point)),
            metaclass=traced(metaclass.value, around, binding.point) if metaclass else (),
            hooks=dict(self._hooks(scope)),
            has_batches=BATCHES in scope.names or self._patches_batches,
            attributes={} if node.decorators or metaclass else dict(self._attributes(scope)),
        )

    def _attributes(self, scope: Scope) -> Iterator[tuple[str, Values]]:
        """What the names of a class body are that may lead to our decorators, where that is certain."""
        for name, bindings in scope.names.items():
            last = bindings[-1]
            if name not in _SPECIAL and not last.point.path and (values := self._named(last, scope)):
                yield name, values

    def _named(self, binding: Binding, scope: Scope) -> Values:
        """What a binding names; nothing if that is a value, or cannot lead to our decorators."""
        node = binding.expression
        if isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and node.func.value == _STATIC:
            node = node.args[0].value if len(node.args) == 1 else None
        if isinstance(node, cst.Name | cst.Attribute):
            values = self.evaluator.values(node, scope, binding.point)
        elif isinstance(node, cst.Call):
            values = self.evaluator.values(node, scope, binding.point)
            return values if any(_calls_us(one) for one in values) else ()
        else:
            values = binding.values or () if type(binding.node) in _IMPORTS else ()
        return values if any(map(may_lead, values)) else ()

    @cached_property
    def _patches_batches(self) -> bool:
        return any(attribute.attr.value == BATCHES for attribute, _ in self.scope.patches)

    def _hooks(self, scope: Scope) -> Iterator[tuple[str, int]]:
        for name in HOOKS:
            for binding in scope.names.get(name, ()):
                if isinstance(binding.node, cst.FunctionDef):
                    number = self.functions.hook(binding.node, self.scope)
                    if number is not None:
                        yield name, number

    def _base(self, base: cst.Arg, around: Scope, at: Point) -> Values:
        value = base.value
        # The base of Generic[T] is Generic.
        if isinstance(value, cst.Subscript):
            value = value.value
        values = self.functions.values(value, around, at)
        # What is unpacked is no class itself, but it may be made of some.
        return tuple(one for one in values if isinstance(one, Made)) or OPAQUE if base.star else values

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
        for attribute, binding in self.scope.patches:
            name = attribute.attr.value
            if name not in METHODS:
                self._set_attribute(classes, attribute, binding)
                continue
            for value in self.evaluator.values(attribute, self.scope, binding.point):
                if not isinstance(value, Ref):
                    continue
                patch = self._methods.patch(binding, value)
                number = _class_number(value.path)
                if number is None:
                    misplaced += patch.decorations
                else:
                    replaced = _patched(classes[number], name, patch)
                    if replaced == (patch,):
                        own = classes[number].methods.get(name, ())
                        misplaced += [decoration for one in own for decoration in one.decorations]
                    methods = {**classes[number].methods, name: replaced}
                    classes[number] = classes[number]._replace(methods=methods)
        return classes, misplaced

    def _set_attribute(self, classes: list[ClassFacts], attribute: cst.Attribute, binding: Binding) -> None:
        """``Tools.once = tracked_script``: what the attribute of a class is afterwards; not known under a condition."""
        for value in self.evaluator.values(attribute, self.scope, binding.point):
            number = _class_number(value.path) if isinstance(value, Ref) else None
            if number is None:
                continue
            name, known = attribute.attr.value, dict(classes[number].attributes)
            known.pop(name, None)
            values = () if binding.point.path or name in _SPECIAL else self._named(binding, self.scope)
            if values:
                known[name] = values
            classes[number] = classes[number]._replace(attributes=known)


def _calls_us(value: Value) -> bool:
    """Whether a value is our decorator with its options."""
    return isinstance(value, Call) and any(map(_is_us, value.function))


def _is_us(value: Value) -> bool:
    """Whether a value may be our decorator, without or with its options."""
    return (isinstance(value, Ref) and last_name(value.path) == TRACKED and may_lead(value)) or _calls_us(
        value
    )


def _class_number(path: str) -> int | None:
    owner, _, _method = path.rpartition(".")
    return int(owner[1:]) if owner.startswith(LOCAL_CLASS) and owner[1:].isdigit() else None


def _patched(facts: ClassFacts, name: str, patch: MethodFacts) -> tuple[MethodFacts, ...]:
    """A method that was replaced; a patch that wraps the class's own method keeps its decorators."""
    own = facts.methods.get(name, ())
    if own and any(call.base is None for call in patch.super_calls):
        return tuple(MethodFacts(patch.decorations + one.decorations, one.super_calls) for one in own)
    return (patch,)


def _docstring(body: Sequence[cst.CSTNode]) -> str | None:
    first = next(iter(body), None)
    if isinstance(first, cst.SimpleStatementLine):
        first = next(iter(first.body), None)
    if not isinstance(first, cst.Expr):
        return None
    text = string_value(first.value)
    return text if isinstance(text, str) else None


def _our_attributes(classes: Sequence[ClassFacts]) -> Iterator[OurImport]:
    """The attributes of our package that decorate a class or one of METHODS and are none of our decorators."""
    for cls in classes:
        methods = [method for several in cls.methods.values() for method in several]
        for decoration in (*cls.decorations, *(one for method in methods for one in method.decorations)):
            paths = [value.path for value in decoration.values if isinstance(value, Ref)]
            for path in paths:
                is_ours = path.startswith(_PACKAGES) and INSIDE not in path
                if is_ours and last_name(path) not in (TRACKED, REQUIRED):
                    yield OurImport(path, decoration.place, is_used=True)


_PACKAGES: Final = tuple(OURS)
_STATIC: Final = "staticmethod"
_SPECIAL: Final = frozenset({*METHODS, *HOOKS, BATCHES, "help"})
"""Names that are facts of a class by themselves."""
_IMPORTS: Final = frozenset({cst.Import, cst.ImportFrom})
