"""What the rules say of one file, as text that is kept with the file's facts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis.facts.values import RULES_VERSION, items, place, text
from scripts_tracker.lint import noqa
from scripts_tracker.lint.values import FileHits, Hit, Noqa, Where

if TYPE_CHECKING:
    from scripts_tracker.analysis.facts.extraction import Extraction
    from scripts_tracker.analysis.facts.values import FileFacts, Verdict
    from scripts_tracker.analysis.store.cache import FactStore
    from scripts_tracker.lint.file import Tree

WITH_HITS: Final = f"{__name__}:with_hits"
_HEAD: Final = f"[{RULES_VERSION},"


def found(tree: Tree) -> str:
    """What all rules over trees say of a file."""
    from scripts_tracker.lint.rules import tree_rules

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
    noqas = [[one.line, one.column, one.codes] for one in noqa.read(tree.text)]
    content = [RULES_VERSION, encoded, ends, tree.says_rerun, noqas]
    return json.dumps(content, separators=(",", ":"))


def with_hits(facts: FileFacts, extraction: Extraction) -> FileFacts:
    """The facts with what all rules over trees say of the file; see ``compiling.compiled``."""
    from scripts_tracker.lint.file import Tree

    return facts._replace(hits=found(Tree(extraction)))


def is_current(content: str) -> bool:
    """Whether a text comes from today's rules."""
    return content.startswith(_HEAD)


def read(content: str) -> FileHits:
    """The inverse of ``found``; raises ValueError for anything else."""
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


class LintStore:
    """A FactStore whose facts carry hits.

    Args:
        store: keeps the facts.
    """

    def __init__(self, store: FactStore) -> None:
        self._store = store
        self._texts: dict[str, str] = {}
        # By text: most files say the same, which is nothing.
        self._read: dict[str, FileHits] = {}

    def verdict(self, digest: str) -> Verdict | None:
        """What the bytes with this digest are by themselves; None where they are not known or it depends."""
        verdict = self._store.verdict(digest)
        if verdict is None or verdict.script is None:
            return verdict
        return verdict if self.knows(digest) else None

    def get(self, digest: str) -> FileFacts | None:
        """The facts of the bytes with this digest; None where the rules have not seen them."""
        return self._store.get(digest) if self.knows(digest) else None

    def put(self, digest: str, facts: FileFacts) -> None:
        """Remember the facts of the bytes with this digest."""
        self._store.put(digest, facts)
        self._texts.pop(digest, None)

    def fingerprint(self, digest: str) -> str:
        """The fingerprint of the bytes with this digest, a command or not; empty where it is not known."""
        return self._store.fingerprint(digest)

    def put_fingerprint(self, digest: str, fingerprint: str) -> None:
        """Remember the fingerprint of the bytes with this digest."""
        self._store.put_fingerprint(digest, fingerprint)

    def hits(self, digest: str) -> str:
        """The hits in the bytes with this digest, as text."""
        if digest not in self._texts:
            self._texts[digest] = self._store.hits(digest)
        return self._texts[digest]

    def knows(self, digest: str) -> bool:
        """Whether today's rules have seen the bytes with this digest."""
        return is_current(self.hits(digest))

    def read(self, digest: str) -> FileHits:
        """The hits in the bytes with this digest; none where they are not known."""
        content = self.hits(digest)
        if content not in self._read:
            try:
                self._read[content] = read(content)
            except ValueError:
                self._read[content] = FileHits()
        return self._read[content]
