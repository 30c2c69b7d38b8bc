"""The members of the classes of a file, and what is wrong with calling each of them without arguments."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis.facts.scopes import dotted_name
from scripts_tracker.analysis.facts.values import METHODS, TRACKED, items, place, text
from scripts_tracker.analysis.source.trees import called, descendants
from scripts_tracker.analysis.store.compiling import Question
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.lint import RULES_VERSION
from scripts_tracker.lint.answers import Answers
from scripts_tracker.lint.file import Tree, opens_nothing
from scripts_tracker.lint.reach import base_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from scripts_tracker.analysis.facts.extraction import Extraction
    from scripts_tracker.analysis.facts.scopes import Binding
    from scripts_tracker.analysis.store.cache import Cache
    from scripts_tracker.core.values import Place
    from scripts_tracker.lint.classes import Class

QUESTION: Final = Question(f"members {RULES_VERSION}", f"{__name__}:members_in")
_VERIFY: Final = "verify"
# Decorators that pass all arguments on; others may change them.
_TRANSPARENT: Final = frozenset(
    {
        "django.db.transaction.atomic",
        "django.core.management.base.no_translations",
        "django.utils.translation.override",
        "abc.abstractmethod",
        "typing.final",
        "typing.override",
        "typing_extensions.override",
    }
)
_PROPERTIES: Final = frozenset(
    {"builtins.property", "functools.cached_property", "django.utils.functional.cached_property"}
)
_FIRST: Final = {"builtins.staticmethod": (), "builtins.classmethod": ("cls",)}
"""What a method is given without being passed anything, by its decorator."""
_MAKING: Final = frozenset({"setattr", "exec", "vars", "locals", "type"})
"""The functions that may give a class or an object members under names that nothing shows."""
_OPENING: Final = ("__getattr__", "__getattribute__", "__init_subclass__", "__new__", "__dict__")
"""The names with which others than the body of a class decide about its members."""


class ClassMembers(NamedTuple):
    """A class, as far as others may ask for its members.

    Attributes:
        bases: the last names of its bases, ``.`` for those that bring no members of the project; empty where one is unknown.
        is_open: whether it may have members that its body does not show.
        problems: for each member what is wrong with calling it without arguments; empty where nothing is, or may be.
        verify: where ``verify=`` of our decorator stands, by the method that it decorates.
    """

    bases: tuple[str, ...]
    is_open: bool
    problems: Mapping[str, str]
    verify: Mapping[str, Place]


class FileMembers(NamedTuple):
    """The classes of a file by name, and those that make up its command, in the order in which members are looked up.

    ``command`` is empty where it is not certain what the command is.
    """

    command: tuple[str, ...]
    classes: Mapping[str, ClassMembers]


class Found(NamedTuple):
    """What a command has under a name.

    Attributes:
        is_known: whether all of its classes can be read.
        problem: what is wrong with calling it without arguments; None where there is no such member.
        names: its other members, for a hint.
        verify: the file and the place where ``verify=`` stands; None where that is not known.
    """

    is_known: bool
    problem: str | None
    names: frozenset[str]
    verify: tuple[str, Place] | None


def mismatch(params: cst.Parameters, given: Sequence[str]) -> str:
    """What is wrong with parameters that are given some arguments by position; empty if nothing is."""
    by_position = [*params.posonly_params, *params.params]
    needed = [one for one in by_position if one.default is None]
    if len(by_position) < len(given) and not isinstance(params.star_arg, cst.Param):
        return f"does not take {given[len(by_position)]}"
    lacking = [*needed[len(given) :], *(one for one in params.kwonly_params if one.default is None)]
    return f"requires {lacking[0].name.value}" if lacking else ""


def is_transparent(tree: Tree, decorator: cst.Decorator) -> bool:
    """Whether a decorator passes all arguments on."""
    *_, maker = called(decorator.decorator)
    return bool(tree.our_name(maker)) or tree.origin(maker) in _TRANSPARENT


def members_in(extraction: Extraction) -> str:
    """The members of the classes of a file, as JSON."""
    tree = Tree(extraction)
    commands = [one for one in tree.lineages if one.is_command]
    names = [one.name for one in tree.classes]
    command = [one.name for one in commands[0].classes] if len(commands) == 1 else []
    is_clear = len(set(names)) == len(names)
    classes = {one.name: _class(tree, one) for one in tree.classes}
    return json.dumps([command if is_clear else [], classes if is_clear else {}], separators=(",", ":"))


def _class(tree: Tree, one: Class) -> tuple[list[str], bool, dict[str, str], dict[str, Place]]:
    bases = [base_name(tree, base.value) if not base.star else "" for base in one.node.bases]
    problems = {name: _problem(tree, bindings) for name, bindings in one.scope.names.items()}
    # What is assigned from elsewhere may be anything.
    elsewhere = {attribute.attr.value for attribute, _ in tree.scope.patches} | {*_assigned(one.node)}
    verify = {name: at for name in METHODS if name in one.methods for at in _verify(tree, one.methods[name])}
    return bases, _is_open(tree, one), {**problems, **dict.fromkeys(elsewhere, "")}, verify


def _is_open(tree: Tree, one: Class) -> bool:
    if not one.is_plain or any(name in tree.text for name in _OPENING):
        return True
    calls = (call for call, _ in tree.calls) if any(name in tree.text for name in _MAKING) else ()
    return any(dotted_name(call.func) in _MAKING for call in calls)


def _assigned(node: cst.ClassDef) -> Iterator[str]:
    """The attributes that the methods of a class assign."""
    for one in descendants(node.body):
        target = one.target if isinstance(one, cst.AssignTarget | cst.AnnAssign | cst.NamedExpr) else None
        if isinstance(target, cst.Attribute):
            yield target.attr.value
        elif isinstance(target, cst.Tuple | cst.List):
            yield from (each.attr.value for each in descendants(target) if isinstance(each, cst.Attribute))


def _problem(tree: Tree, bindings: Sequence[Binding]) -> str:
    """What is wrong with calling what the body of a class binds to a name."""
    last = bindings[-1]
    if len(bindings) > 1 or last.point.path:
        return ""
    if isinstance(last.node, cst.FunctionDef):
        return _problem_of_method(tree, last.node)
    is_literal = isinstance(
        last.expression, cst.BaseString | cst.BaseNumber | cst.Tuple | cst.List | cst.Dict | cst.Set
    )
    return "is not a method" if is_literal else ""


def _problem_of_method(tree: Tree, node: cst.FunctionDef) -> str:
    given: tuple[str, ...] = ("self",)
    for decorator in node.decorators:
        *_, maker = called(decorator.decorator)
        name = tree.origin(maker)
        if name in _PROPERTIES:
            return "is a property, not a method"
        if name not in _FIRST and not is_transparent(tree, decorator):
            return ""
        given = _FIRST.get(name, given)
    if node.asynchronous:
        return "is a coroutine function, which is never awaited, so it never fails"
    inside = descendants(node.body, enter=opens_nothing)
    if any(isinstance(one, cst.Yield) for one in inside):
        return "is a generator function, so calling it runs nothing, and it never fails"
    wrong = mismatch(node.params, given)
    return f"{wrong}, but is called without arguments" if wrong else ""


def _verify(tree: Tree, node: cst.FunctionDef) -> Iterator[Place]:
    for decorator in tree.decorators(node, TRACKED):
        call = decorator.decorator
        for arg in call.args if isinstance(call, cst.Call) else ():
            if arg.keyword is not None and arg.keyword.value == _VERIFY:
                yield tree.place(arg, call)


def _read(content: str) -> FileMembers:
    """The inverse of ``members_in``; raises ValueError for anything else."""
    try:
        command, classes = json.loads(content)
        return FileMembers(
            tuple(map(text, items(command))),
            {text(name): _read_class(*items(one)) for name, one in classes.items()},
        )
    except (TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"these members are malformed: {error!r}") from error


def _read_class(bases: object, is_open: object, problems: object, verify: object) -> ClassMembers:
    if not isinstance(problems, dict) or not isinstance(verify, dict):
        raise TypeError("a class has members by name")
    return ClassMembers(
        tuple(map(text, items(bases))),
        bool(is_open),
        {text(name): text(problem) for name, problem in problems.items()},
        {text(name): place(at) for name, at in verify.items()},
    )


class KnownMembers:
    """The members of commands; they are looked for only where ``verify=`` names one.

    Args:
        cache: keeps what the files say.
        digest_of: the digest of a file that was read.
    """

    def __init__(self, cache: Cache, digest_of: Callable[[str], str]) -> None:
        self._answers = Answers(QUESTION, _read, cache, digest_of)

    def find(self, name: str, path: str, mro: Sequence[tuple[str, str]]) -> Found:
        """What a command has under a name.

        Args:
            name: of the member.
            path: the file of the command.
            mro: its classes, as path and name, in the order in which members are looked up; none if all of them are in
                that file.
        """
        own = self._answers.of(path)
        places = mro or tuple((path, one) for one in (own.command if own else ()))
        files = [(file, self._answers.of(file), one) for file, one in places]
        found = [(file, known.classes.get(one)) for file, known, one in files if known is not None]
        classes = [(file, one) for file, one in found if one is not None]
        names = {".", *(one for _, one in places)}
        is_known = bool(classes) and len(classes) == len(places)
        is_known = is_known and all(not one.is_open and names.issuperset(one.bases) for _, one in classes)
        problems = [one.problems[name] for _, one in classes if name in one.problems]
        verify = [(file, at) for file, one in classes for at in one.verify.values()]
        others = frozenset(each for _, one in classes for each in one.problems)
        return Found(is_known, problems[0] if problems else None, others, verify[0] if verify else None)
