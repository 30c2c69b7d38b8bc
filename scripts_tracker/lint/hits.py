"""What the rules say of one file, as text that is kept with the file's facts."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from scripts_tracker.analysis.lint import comments
from scripts_tracker.analysis.lint.base import Hit
from scripts_tracker.analysis.lint.comments import Noqa
from scripts_tracker.analysis.values import items, place, text
from scripts_tracker.analysis.version import RULES_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts_tracker.analysis.lint.trees import Tree

_HEAD: Final = f"[{RULES_VERSION},"


class FileHits(NamedTuple):
    """What the rules say of one file.

    Attributes:
        hits: with their codes, in the order of their places.
        ends: for each class the methods that do not call the method of the same name of a base class.
        says_rerun: whether a decorator in the file says in so many words when the script is to run again.
        comments: its ``# noqa`` comments.
    """

    hits: tuple[tuple[str, Hit], ...] = ()
    ends: Mapping[str, frozenset[str]] = MappingProxyType({})
    says_rerun: bool = False
    comments: tuple[Noqa, ...] = ()


def found(tree: Tree) -> str:
    """What all rules over trees say of a file."""
    from scripts_tracker.analysis.lint.rules import tree_rules

    hits = [(rule.code, hit) for rule in tree_rules() for hit in rule.check(tree)]
    hits.sort(key=lambda one: (one[1].place, one[0], one[1].message))
    encoded = [
        [
            code,
            one.place,
            one.message,
            one.hint,
            one.where and [one.where.owner, one.where.method],
            one.fixable,
        ]
        for code, one in hits
    ]
    ends = {one.name: sorted(tree.ends(one)) for one in tree.classes}
    noqas = [[one.line, one.column, one.codes] for one in comments.read(tree.text)]
    content = [RULES_VERSION, encoded, ends, tree.says_rerun, noqas]
    return json.dumps(content, separators=(",", ":"))


def is_current(content: str) -> bool:
    """Whether a text comes from today's rules."""
    return content.startswith(_HEAD)


def read(content: str) -> FileHits:
    """The inverse of ``found``; raises ValueError for anything else."""
    from scripts_tracker.analysis.lint.trees import Where

    try:
        version, hits, ends, says_rerun, noqas = json.loads(content)
        if version != RULES_VERSION:
            raise ValueError("these hits are of other rules")
        return FileHits(
            tuple(
                (
                    text(code),
                    Hit(
                        place(there),
                        text(message),
                        text(hint),
                        None if where is None else Where(*map(text, items(where))),
                        bool(fixable),
                    ),
                )
                for code, there, message, hint, where, fixable in map(items, items(hits))
            ),
            {text(name): frozenset(map(text, items(methods))) for name, methods in ends.items()},
            bool(says_rerun),
            tuple(
                Noqa(*place([line, column]), None if named is None else tuple(map(text, items(named))))
                for line, column, named in map(items, items(noqas))
            ),
        )
    except (TypeError, AttributeError) as error:
        raise ValueError(f"these hits are malformed: {error!r}") from error
