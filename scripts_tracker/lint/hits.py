"""What the rules over trees find in each file: worked out while the file is parsed, and kept in the cache."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis.facts.values import items, place, text
from scripts_tracker.analysis.store.compiling import Question
from scripts_tracker.lint import RULES_VERSION, noqa
from scripts_tracker.lint.values import FileHits, Hit, Noqa, Where

if TYPE_CHECKING:
    from scripts_tracker.analysis.facts.extraction import Extraction
    from scripts_tracker.analysis.store.cache import Cache

QUESTION: Final = Question(f"hits {RULES_VERSION}", f"{__name__}:hits_in")


def hits_in(extraction: Extraction) -> str:
    """What all rules over trees find in a file, as JSON."""
    from scripts_tracker.lint.file import Tree
    from scripts_tracker.lint.rules import tree_rules

    tree = Tree(extraction)
    hits = [(rule.code, hit) for rule in tree_rules() for hit in rule.check(tree)]
    hits.sort(key=lambda one: (one[1].place, one[0], one[1].message))
    ends = {one.name: sorted(tree.ends(one)) for one in tree.classes}
    return json.dumps([hits, ends, tree.says_rerun, noqa.read(tree.text)], separators=(",", ":"))


def read(content: str) -> FileHits:
    """The inverse of ``hits_in``; raises ValueError for anything else."""
    try:
        hits, ends, says_rerun, comments = json.loads(content)
        return FileHits(
            tuple((text(code), _hit(*items(hit))) for code, hit in map(items, items(hits))),
            {text(name): frozenset(map(text, items(methods))) for name, methods in ends.items()},
            bool(says_rerun),
            tuple(
                Noqa(*place([line, column]), None if codes is None else tuple(map(text, items(codes))))
                for line, column, codes in map(items, items(comments))
            ),
        )
    except (TypeError, AttributeError) as error:
        raise ValueError(f"these hits are malformed: {error!r}") from error


def _hit(there: object, message: object, hint: object, where: object, fixable: object) -> Hit:
    method = None if where is None else Where(*map(text, items(where)))
    return Hit(place(there), text(message), text(hint), method, bool(fixable))


class KnownHits:
    """What the rules found in files, by the digest of their bytes.

    Args:
        cache: keeps it.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        # By text: nothing was found in most files.
        self._read: dict[str, FileHits] = {}

    def has(self, digest: str) -> bool:
        """Whether today's rules have seen the bytes with this digest."""
        return bool(self._cache.text(QUESTION.kind, digest))

    def of(self, digest: str) -> FileHits:
        """What was found in the bytes with this digest; nothing where that is not known."""
        content = self._cache.text(QUESTION.kind, digest)
        if content not in self._read:
            try:
                self._read[content] = read(content)
            except ValueError:
                self._read[content] = FileHits()
        return self._read[content]
