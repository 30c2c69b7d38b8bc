"""ST012."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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
    from scripts_tracker.lint.guards import Run

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
_READS: Final = "this reads standard input, which a deploy does not have"
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
    such as `--interactive`, or on `isatty()` is fine, also if the option is read in a base class in another file.

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
        for node, violation in (*_calls(tree), *_loops(tree)):
            if violation.unless is None:
                yield violation
                continue
            guards = guards or Guards(tree)
            if not guards.is_behind(node):
                yield violation._replace(unless=guards.attributes(node))


def _calls(tree: Tree) -> Iterator[tuple[Run, Violation]]:
    """The calls of prompts and debuggers, and those that read standard input."""
    for call, use in tree.calls:
        name = tree.origin(call.func, use) if isinstance(call.func, cst.Name | cst.Attribute) else ""
        shown = name.removeprefix("builtins.")
        if name in _DEBUGGERS:
            message = f"{shown}() stops the script in a debugger"
            yield call, Violation(tree.place(call), message, "Remove the call.", use.where)
        elif name in _PROMPTS:
            message = f"{shown}() waits for input at a terminal, which a deploy does not have"
            hint = "Use an option with a default, or a setting."
            yield call, Violation(tree.place(call), message, hint, use.where, unless=())
        elif _reads_stdin(tree, call, use, name):
            hint = "Use an option with a default, or a setting."
            yield call, Violation(tree.place(call), _READS, hint, use.where, unless=())


def _reads_stdin(tree: Tree, call: cst.Call, use: Use, name: str) -> bool:
    """Whether a call reads standard input, itself or by what it passes it to."""
    if name in _READERS:
        return True
    consumer = (name or method_of(call)).rpartition(".")[2]
    return consumer in _CONSUMERS and any(tree.origin(arg.value, use) == _STDIN for arg in call.args)


def _loops(tree: Tree) -> Iterator[tuple[Run, Violation]]:
    """The loops over the lines of standard input."""
    if "stdin" not in tree.text:
        return
    methods = [(Where(one.name, name), node) for one in tree.classes for name, node in one.methods.items()]
    functions = [(None, node) for node in tree.scope.functions]
    for where, function in (*methods, *functions):
        for node in descendants(function):
            if isinstance(node, cst.For | cst.CompFor) and tree.origin(node.iter) == _STDIN:
                hint = "Read a file, or use an option with a default."
                yield node, Violation(tree.place(node.iter), _READS, hint, where, unless=())
