"""What the rules over trees find in each file: it is found while the file is parsed, and kept in the cache."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis.facts.values import items, place, text
from scripts_tracker.analysis.store.compiling import Question
from scripts_tracker.lint import RULES_VERSION, noqa
from scripts_tracker.lint.values import FileViolations, Noqa, Violation, Where

if TYPE_CHECKING:
    from scripts_tracker.analysis.facts.extraction import Extraction
    from scripts_tracker.analysis.store.cache import Cache

QUESTION: Final = Question(f"violations {RULES_VERSION}", f"{__name__}:violations_in")


def violations_in(extraction: Extraction) -> str:
    """What all rules over trees find in a file, as JSON."""
    from scripts_tracker.lint.file import Tree
    from scripts_tracker.lint.rules import tree_rules

    tree = Tree(extraction)
    violations = [(rule.code, violation) for rule in tree_rules() for violation in rule.check(tree)]
    violations.sort(key=lambda one: (one[1].place, one[0], one[1].message))
    overrides = {one.name: sorted(tree.overrides(one)) for one in tree.classes}
    return json.dumps([violations, overrides, tree.says_rerun, noqa.read(tree.text)], separators=(",", ":"))


def read(content: str) -> FileViolations:
    """The inverse of ``violations_in``; raises ValueError for anything else."""
    try:
        violations, overrides, says_rerun, comments = json.loads(content)
        return FileViolations(
            tuple(
                (text(code), _violation(*items(violation)))
                for code, violation in map(items, items(violations))
            ),
            {text(name): frozenset(map(text, items(methods))) for name, methods in overrides.items()},
            bool(says_rerun),
            tuple(
                Noqa(
                    *place([line, column]),
                    None if codes is None else tuple(map(text, items(codes))),
                    place([first, 1])[0],
                    text(wrong),
                )
                for line, column, codes, first, wrong in map(items, items(comments))
            ),
        )
    except (TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"these violations are malformed: {error!r}") from error


def _violation(there: object, message: object, hint: object, *others: object) -> Violation:
    where, fixable, unless, batched = others
    method = None if where is None else Where(*map(text, items(where)))
    attributes = None if unless is None else tuple(map(text, items(unless)))
    kind = None if batched is None else bool(batched)
    return Violation(place(there), text(message), text(hint), method, bool(fixable), attributes, kind)


class KnownViolations:
    """The violations in files, by the digest of their bytes.

    Args:
        cache: keeps them.

    Attributes:
        cache: the same.
    """

    def __init__(self, cache: Cache) -> None:
        self.cache = cache
        # By text: most files have no violations.
        self._read: dict[str, FileViolations] = {}

    def has(self, digest: str) -> bool:
        """Whether the current rules have checked the bytes with this digest."""
        return bool(self.cache.text(QUESTION.kind, digest))

    def of(self, digest: str) -> FileViolations:
        """The violations in the bytes with this digest; none if they were not checked."""
        content = self.cache.text(QUESTION.kind, digest)
        if content not in self._read:
            try:
                self._read[content] = read(content)
            except ValueError:
                self._read[content] = FileViolations()
        return self._read[content]
