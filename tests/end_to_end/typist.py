"""Types what our output says to type: every command that a command prints, in the project as it is at that moment."""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.conftest import Project, Result

if TYPE_CHECKING:
    from collections.abc import Iterator

# Up to what ends a command in our sentences.
_COMMAND = re.compile(r"manage\.py((?: (?:\"[^\"]*\"|'[^']*'(?:\"'\"'[^']*')*|[^\s'\";)]+(?<![.,])))+)")
# Words that stand for something a person knows.
_PLACEHOLDERS = {"NAME", "...", "COMMAND"}
_WRONG_USE = 2
_DEPTH = 2


def commands(text: str) -> list[list[str]]:
    """The commands in a text, without those that have a gap to fill."""
    found = (shlex.split(each.rstrip(".,")) for each in _COMMAND.findall(text))
    return [
        words
        for words in found
        if not _PLACEHOLDERS.intersection(words[:-1] if words[-2:-1] == ["--reason"] else words)
    ]


@dataclass
class Typist:
    """A person who types what is printed.

    Attributes:
        project: where.
        typed: what was typed so far because it was printed.
    """

    project: Project
    typed: list[str] = field(default_factory=list)

    def type(self, line: str, code: int = 0) -> Result:
        """Type a line, then each command that it prints, and undo what those do."""
        result = self.project.manage(*shlex.split(line), code=code)
        self._type_printed(result, _DEPTH, {line})
        return result

    def type_next(self, result: Result, word: str, code: int = 0) -> Result:
        """Type the one printed command that has this word, for good."""
        (words,) = {tuple(each) for each in commands(result.text) if word in each}
        return self.type(shlex.join(words), code)

    def _type_printed(self, result: Result, depth: int, before: set[str]) -> None:
        for words in commands(result.text):
            line = shlex.join(words)
            if line in before:
                continue
            before.add(line)
            self.typed.append(line)
            with self._undone(depth):
                printed = self.project.manage(*words, code=None)
                self._insist(line, words, printed)
                if depth > 1:
                    self._type_printed(printed, depth - 1, before)

    @contextlib.contextmanager
    def _undone(self, depth: int) -> Iterator[None]:
        """What happens to the project inside of the block is undone."""
        root = self.project.root
        kept = root.with_name(f"{root.name} before {depth}")
        shutil.copytree(root, kept)
        try:
            yield
        finally:
            shutil.rmtree(root)
            kept.rename(root)

    @staticmethod
    def _insist(line: str, words: list[str], result: Result) -> None:
        """It is understood, and does what it is there for; only what runs a script may fail, as the script does."""
        assert result.code != _WRONG_USE, f"{line}: {result}"
        ours = {
            "check_scripts",
            "show_script",
            "start_script",
            "adopt_scripts_tracker",
            "migrate",
            "resume_script",
        }
        if words[0] in ours:
            assert result.code == 0, f"{line}: {result}"
        else:
            assert result.code in {0, 1}, f"{line}: {result}"
