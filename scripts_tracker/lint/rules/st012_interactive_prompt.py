"""ST012."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import Hit, TreeRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.lint.file import Tree

_ASKS = frozenset({"builtins.input", "getpass.getpass"})
_DEBUGS = frozenset({"builtins.breakpoint", "pdb.set_trace", "ipdb.set_trace", "pudb.set_trace"})
# One of these is a part of each of those.
_WORDS = ("input", "getpass", "breakpoint", "set_trace")


class AsksAPerson(TreeRule):
    """A tracked script waits for somebody at a terminal.

    ## What it does
    Looks for calls of `input()` and `getpass.getpass()`, and for what debuggers leave behind: `breakpoint()`,
    `pdb.set_trace()` and the like.

    ## Why is this bad?
    Scripts run during deploys, where nobody sits at the terminal: the deploy hangs, or the script fails.

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

    code = codes.ASKS_A_PERSON
    passes = (
        """\
from scripts_tracker import tracked_script
from shop.forms import input

class Command:
    @tracked_script
    def handle(self, *args, **options):
        input("this is another one")
""",
        """\
from scripts_tracker import tracked_script

def input(text): ...

class Command:
    @tracked_script
    def handle(self, *args, getpass=None, **options):
        input("this is another one")
        self.input("and so is this")
        getpass()
        [input(text) for input in (print, repr)]
        (lambda text: lambda input: input(text))("")(print)
        with open("log") as breakpoint:
            breakpoint()
""",
    )
    fails = (
        """\
import getpass
from pdb import set_trace
from scripts_tracker import tracked_script

def ask():
    return input("Sure? ")  # expect: ST012

class Command:
    @tracked_script
    def handle(self, *args, **options):
        ask()
        set_trace()  # expect: ST012
        password = getpass.getpass()  # expect: ST012
        breakpoint()  # expect: ST012
""",
        """\
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options):
        import pdb; pdb.set_trace()  # expect: ST012
""",
        """\
import getpass as ask
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options):
        question = ask.getpass
        def confirm():
            return question("Password: ") and (lambda: input())()  # expect: ST012
""",
    )

    def check(self, tree: Tree) -> Iterator[Hit]:
        """The calls that wait for somebody."""
        if not any(word in tree.text for word in _WORDS):
            return
        for call, use in tree.calls:
            name = tree.origin(call.func, use) if isinstance(call.func, cst.Name | cst.Attribute) else ""
            if name in _ASKS:
                message = f"{name.removeprefix('builtins.')}() waits for somebody at a terminal, and a deploy has none"
                hint = "Take the answer from an option with a default, or from the settings."
                yield Hit(tree.place(call), message, hint, use.where)
            elif name in _DEBUGS:
                message = f"{name.removeprefix('builtins.')}() stops the script in a debugger"
                yield Hit(tree.place(call), message, "Remove the call.", use.where)
