"""ST012."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.source.trees import descendants
from scripts_tracker.lint.base import TreeRule
from scripts_tracker.lint.guards import Guards
from scripts_tracker.lint.parsers import method_of
from scripts_tracker.lint.values import Violation, Where

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.lint.file import Tree, Use

_PROMPTS = frozenset(
    {"builtins.input", "getpass.getpass", "prompt_toolkit.prompt", "inquirer.prompt"}
    | {"click.confirm", "click.prompt", "click.pause", "click.getchar", "typer.confirm", "typer.prompt"}
    | {f"rich.prompt.{kind}.ask" for kind in ("Prompt", "Confirm", "IntPrompt", "FloatPrompt")}
)
_DEBUGGERS = frozenset(
    {"builtins.breakpoint", "pdb.set_trace", "ipdb.set_trace", "pudb.set_trace"}
    | {"code.interact", "IPython.embed"}
)
_STDIN = "sys.stdin"
_READERS = frozenset(
    f"{stream}.{name}"
    for stream in (_STDIN, f"{_STDIN}.buffer")
    for name in ("read", "readline", "readlines", "read1", "readinto")
) | {"fileinput.input"}
# Others may only keep it, or hand it on where an option says so.
_CONSUMERS = frozenset(
    {
        "load",
        "safe_load",
        "reader",
        "DictReader",
        "list",
        "sorted",
        "set",
        "enumerate",
        "iter",
        "next",
        "join",
        "parse",
    }
    | {"copyfileobj", "loads"}
)
# Each of these names contains one of these words.
_WORDS = (
    *("input", "getpass", "breakpoint", "set_trace", "stdin", "confirm", "prompt", "pause", "getchar"),
    *("interact", "embed"),
)


class InteractivePrompt(TreeRule):
    """A tracked script waits for input at a terminal.

    ## What it does
    Reports calls of `input()`, `getpass.getpass()`, `click.confirm()` and similar, whatever reads `sys.stdin`, and
    leftover debugger calls: `breakpoint()`, `pdb.set_trace()`, `code.interact()`. A prompt that depends on an option,
    such as `--interactive`, or on `isatty()` is fine.

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
        text = tree.text.lower()
        if not any(word in text for word in _WORDS):
            return
        guards: Guards | None = None
        for call, use in tree.calls:
            name = tree.origin(call.func, use) if isinstance(call.func, cst.Name | cst.Attribute) else ""
            shown = name.removeprefix("builtins.")
            if name in _DEBUGGERS:
                message = f"{shown}() stops the script in a debugger"
                yield Violation(tree.place(call), message, "Remove the call.", use.where)
            elif name in _PROMPTS or _reads_stdin(tree, call, use, name):
                guards = guards or Guards(tree)
                if not guards.is_behind(call):
                    yield _violation(tree, call, use, shown, waits=name in _PROMPTS)
        yield from _loops(tree)


def _reads_stdin(tree: Tree, call: cst.Call, use: Use, name: str) -> bool:
    """Whether a call reads standard input, itself or by what it passes it to."""
    if name in _READERS:
        return True
    consumer = (name or method_of(call)).rpartition(".")[2]
    return consumer in _CONSUMERS and any(tree.origin(arg.value, use) == _STDIN for arg in call.args)


def _violation(tree: Tree, call: cst.Call, use: Use, name: str, *, waits: bool) -> Violation:
    what = f"{name}() waits for input at a terminal" if waits else "this reads standard input"
    hint = "Use an option with a default, or a setting."
    return Violation(tree.place(call), f"{what}, which a deploy does not have", hint, use.where)


def _loops(tree: Tree) -> Iterator[Violation]:
    """The loops over the lines of standard input."""
    if _STDIN not in tree.text:
        return
    for one in tree.classes:
        for name, method in one.methods.items():
            for node in descendants(method):
                if isinstance(node, cst.For) and tree.origin(node.iter) == _STDIN:
                    message = "this reads standard input, which a deploy does not have"
                    hint = "Read a file, or use an option with a default."
                    yield Violation(tree.place(node.iter), message, hint, Where(one.name, name))
