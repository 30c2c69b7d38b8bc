"""ST012."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import TreeRule
from scripts_tracker.lint.values import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.lint.file import Tree

_PROMPTS = frozenset({"builtins.input", "getpass.getpass"})
_DEBUGGERS = frozenset({"builtins.breakpoint", "pdb.set_trace", "ipdb.set_trace", "pudb.set_trace"})
# Each of these names contains one of these words.
_WORDS = ("input", "getpass", "breakpoint", "set_trace")


class InteractivePrompt(TreeRule):
    """A tracked script waits for input at a terminal.

    ## What it does
    Reports calls of `input()` and `getpass.getpass()`, and leftover debugger calls: `breakpoint()`,
    `pdb.set_trace()` and similar.

    ## Why is this bad?
    Scripts run during deploys, without a terminal: the deploy hangs, or the script fails.

    ## Example
    ```python
    @tracked_script
    def handle(self, *args, **options):
        if input("Delete them all? ") == "yes": ...
    ```

    ## Use instead
    ```python
    def add_arguments(self, parser):
        parser.add_argument("--keep", action="store_true")

    @tracked_script
    def handle(self, *args, **options):
        if not options["keep"]: ...
    ```
    """

    code = codes.INTERACTIVE_PROMPT

    def check(self, tree: Tree) -> Iterator[Violation]:
        """Yield the calls that wait for a person."""
        if not any(word in tree.text for word in _WORDS):
            return
        for call, use in tree.calls:
            name = tree.origin(call.func, use) if isinstance(call.func, cst.Name | cst.Attribute) else ""
            if name in _PROMPTS:
                message = f"{name.removeprefix('builtins.')}() waits for input at a terminal, which a deploy does not have"
                hint = "Use an option with a default, or a setting."
                yield Violation(tree.place(call), message, hint, use.where)
            elif name in _DEBUGGERS:
                message = f"{name.removeprefix('builtins.')}() stops the script in a debugger"
                yield Violation(tree.place(call), message, "Remove the call.", use.where)
