"""The rules: one module for each, named by its code and the bad pattern.

Hands out all rules, sorted by kind. Every module here is a rule: one that cannot be imported, or a code used twice, is an
error.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING

from scripts_tracker.lint import base

if TYPE_CHECKING:
    from collections.abc import Mapping

_KINDS = (base.Rule, base.AnalysisRule, base.TreeRule, base.ProjectRule, base.RunRule)


class RuleError(Exception):
    """A module of this package is not a rule."""


@cache
def all_rules() -> Mapping[str, base.Rule]:
    """The rules by code, sorted."""
    import pkgutil

    found: dict[str, base.Rule] = {}
    for name in sorted(module.name for module in pkgutil.iter_modules(__path__)):
        rule = _rule(name)
        if rule.code in found:
            raise RuleError(f"{name}.py and another rule both have the code {rule.code}")
        found[rule.code] = rule
    return found


@cache
def tree_rules() -> tuple[base.TreeRule, ...]:
    """The rules over trees."""
    return tuple(rule for rule in all_rules().values() if isinstance(rule, base.TreeRule))


@cache
def project_rules() -> tuple[base.ProjectRule, ...]:
    """The rules over all files."""
    return tuple(rule for rule in all_rules().values() if isinstance(rule, base.ProjectRule))


def name_of(rule: base.Rule) -> str:
    """The bad pattern in words with hyphens, such as ``interactive-prompt``."""
    return type(rule).__module__.rpartition(".")[2].partition("_")[2].replace("_", "-")


def _rule(name: str) -> base.Rule:
    module = importlib.import_module(f"{__name__}.{name}")
    classes = [
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, base.Rule) and one not in _KINDS
    ]
    if len(classes) != 1:
        raise RuleError(f"{name}.py defines {len(classes)} rules instead of one")
    rule: base.Rule = classes[0]()
    if name.partition("_")[0].upper() != rule.code:
        raise RuleError(f"{name}.py has the code {rule.code}, which does not match its name")
    return rule
