"""The options of ``@tracked_script``, read from the call as it is written."""

from __future__ import annotations

import difflib
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.resolving import FoundValue
from scripts_tracker.analysis.values import Const
from scripts_tracker.datatypes import RERUN_VALUES, ScriptOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scripts_tracker.analysis.modules import Module
    from scripts_tracker.analysis.resolving import Resolver
    from scripts_tracker.analysis.values import Argument, Call, Constant, Place

NAMES: Final = ("rerun", "atomic", "tags", "unless", "watch")


def constant_of(argument: Argument, home: Module, resolver: Resolver) -> Const | None:
    """The one literal that an argument is, also through constants of modules; None where it is anything else."""
    entities = resolver.entities(argument.values, home)
    first = entities[0] if len(entities) == 1 else None
    return first.value if isinstance(first, FoundValue) and isinstance(first.value, Const) else None


def read_options(
    call: Call, home: Module, resolver: Resolver, report: Callable[[Module, Place, str, str, str], None]
) -> ScriptOptions:
    """The options of one call of ``tracked_script``; what is wrong is reported and left at its default.

    Args:
        call: the call.
        home: the module that it stands in.
        resolver: follows names.
        report: takes module, place, code, message and hint of a finding.
    """
    options = ScriptOptions()
    for argument in call.arguments:
        name = argument.keyword
        tell = partial(report, home, argument.place)
        if argument.star:
            message = (
                f"the options of @tracked_script in {argument.star} cannot be read without running the code"
            )
            tell(codes.NOT_STATIC, message, f"Write the options out, such as {_example('rerun')}.")
        elif name is None:
            message = "@tracked_script takes its options by name only"
            tell(codes.WRONG_OPTION, message, f"Write the name of the option, such as {_example('rerun')}.")
        elif name not in NAMES:
            hint = f"{_nearest(name, NAMES)}The options are {', '.join(NAMES)}."
            tell(codes.WRONG_OPTION, f"@tracked_script has no option {name!r}", hint)
        else:
            options = _with_option(options, name, constant_of(argument, home, resolver), tell)
    return options


def _with_option(
    options: ScriptOptions, name: str, constant: Const | None, tell: Callable[[str, str, str], None]
) -> ScriptOptions:
    if constant is None:
        default = getattr(options, name)
        message = (
            f"the value of {name} cannot be known without running the code, so {name}={default!r} is assumed"
        )
        tell(codes.NOT_STATIC, message, f"Write the value out, such as {_example(name)}.")
        return options
    value = constant.value
    if name == "rerun":
        for known in RERUN_VALUES:
            if value == known:
                return replace(options, rerun=known)
    elif name == "atomic":
        if isinstance(value, bool):
            return replace(options, atomic=value)
    elif isinstance(value, tuple) and all(isinstance(item, str) for item in value):
        texts = tuple(item for item in value if isinstance(item, str))
        if name == "watch" and all(texts):
            return replace(options, watch=tuple(dict.fromkeys(texts)))
        if name != "watch":
            return replace(options, tags=texts) if name == "tags" else replace(options, unless=texts)
    tell(codes.WRONG_OPTION, f"{name} cannot be {value!r}", _advice(name, value))
    return options


def _advice(name: str, value: Constant) -> str:
    if name == "rerun":
        near = _nearest(value, RERUN_VALUES) if isinstance(value, str) else ""
        return f"{near}The values of rerun are {', '.join(map(repr, RERUN_VALUES))}."
    if name == "atomic":
        return "Write atomic=True or atomic=False."
    if isinstance(value, str):
        return f"Write {name}=({value!r},) with parentheses and a comma."
    return f"Write a tuple of texts, such as {_example(name)}."


def _example(name: str) -> str:
    examples = {
        "rerun": 'rerun="once"',
        "atomic": "atomic=True",
        "tags": 'tags=("deploy",)',
        "watch": 'watch=("shop.pricing",)',
    }
    return examples.get(name, 'unless=("dry_run",)')


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"Did you mean {near[0]!r}? " if near else ""
