"""ST011."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.fingerprint.literals import string_value
from scripts_tracker.lint import parsers
from scripts_tracker.lint.base import Hit, TreeRule
from scripts_tracker.lint.file import Use
from scripts_tracker.lint.parsers import Parser, keyword, method_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.lint.file import Method, Tree

_MANY = frozenset({"argparse.ONE_OR_MORE", "argparse.PARSER"})
# Other actions take no value from the command line, or nobody knows.
_TAKING = frozenset({"store", "append", "extend"})


class NeedsArguments(TreeRule):
    """A tracked command needs arguments, and the runner gives none.

    ## What it does
    Looks in `add_arguments()` for positional arguments that cannot be left out, and for `required=True`.

    ## Why is this bad?
    Scripts are run without arguments, by `run_scripts` and by whoever is told that one is waiting: the command stops
    with a usage message, and will do so in every environment.

    ## Example
    ```python
    def add_arguments(self, parser):
        parser.add_argument("country")
        parser.add_argument("--rate", type=int, required=True)
    ```

    ## Use instead
    ```python
    def add_arguments(self, parser):
        parser.add_argument("country", nargs="?", default="CH")
        parser.add_argument("--rate", type=int, default=8)
    ```
    """

    code = codes.NEEDS_ARGUMENTS
    passes = (
        """\
from argparse import REMAINDER, OPTIONAL
from scripts_tracker import tracked_script

class Command:
    def add_arguments(self, parser):
        parser.add_argument("country", nargs="?")
        parser.add_argument("shops", nargs="*", default=[])
        parser.add_argument("rest", nargs=REMAINDER)
        parser.add_argument("last", nargs=OPTIONAL)
        parser.add_argument("--rate", required=False)
        parser.add_argument("--rates", nargs="+")
        parser.add_mutually_exclusive_group().add_argument("--fast")

    @tracked_script
    def handle(self, *args, **options): ...
""",
        """\
from scripts_tracker import tracked_script

NAME, COUNT = "country", "*"
EXTRA = {"nargs": "?"}

class Command:
    def add_arguments(self, parser):
        parser.add_argument(NAME)
        parser.add_argument("country", nargs=COUNT)
        parser.add_argument("shop", **EXTRA)
        parser.add_argument(*EXTRA)
        parser.add_argument("flag", action=Flag)
        parser.add_argument("--rate", required=bool(EXTRA))
        if EXTRA:
            parser.add_argument("perhaps")
            return
        parser.add_argument("perhaps")

    @tracked_script
    def handle(self, *args, **options): ...
""",
        """\
from scripts_tracker import tracked_script

class Command:
    def add_arguments(self, parser):
        subcommands = parser.add_subparsers(dest="what")
        subcommand = subcommands.add_parser("import")
        subcommand.add_argument("file")
        other = self.parser()
        other.add_argument("file")

    @tracked_script
    def handle(self, *args, **options): ...

class Other:
    def add_arguments(self, parser):
        parser.add_argument("file")
""",
        """\
from scripts_tracker import tracked_script

class Base:
    def add_arguments(self, parser):
        parser.add_argument("file")

class Command(Base):
    def add_arguments(self, parser):
        pass

    @tracked_script
    def handle(self, *args, **options): ...
""",
        """\
class Command:
    def add_arguments(self, parser):
        parser.add_argument("file")

    def handle(self, *args, **options): ...
""",
    )
    fails = (
        """\
import argparse
from scripts_tracker import tracked_script

class Command:
    def add_arguments(self, p):
        super().add_arguments(p)
        p.add_argument("country")  # expect: ST011
        p.add_argument("shops", nargs="+")  # expect: ST011
        p.add_argument("both", nargs=2, action="append")  # expect: ST011
        p.add_argument(dest="other", nargs=argparse.ONE_OR_MORE)  # expect: ST011
        p.add_argument(
            "--rate", required=True  # expect: ST011
        )

    @tracked_script
    def handle(self, *args, **options): ...
""",
        """\
from scripts_tracker import tracked_script

class Command:
    def add_arguments(self, parser):
        group = parser.add_argument_group("dates")
        group.add_argument("day", default=1)  # expect: ST011
        parser.add_argument_group("more").add_argument("month")  # expect: ST011
        either = parser.add_mutually_exclusive_group(required=True)  # expect: ST011
        either.add_argument("--all")
        parser.add_subparsers(required=True)  # expect: ST011

    @tracked_script
    def handle(self, *args, **options): ...
""",
        """\
from scripts_tracker import tracked_script

class Base:
    def add_arguments(self, parser):
        parser.add_argument("file")  # expect: ST011

class Command(Base):
    def add_arguments(self, parser):
        super().add_arguments(parser)

    @tracked_script
    def handle(self, *args, **options): ...
""",
        """\
--- shop/base.py
from django.core.management.base import BaseCommand

class Base(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("file")  # expect: ST011
--- shop/management/commands/fix.py
from scripts_tracker import tracked_script
from shop.base import Base

class Command(Base):
    @tracked_script
    def handle(self, *args, **options): ...
""",
    )

    def check(self, tree: Tree) -> Iterator[Hit]:
        """What cannot be left out."""
        if "add_argument" not in tree.text:
            return
        for method in tree.methods("add_arguments"):
            for call in Parser(method.node).sure_calls():
                needed = _needed(tree, method, call)
                if needed is not None:
                    what, hint = needed
                    message = f"the command needs {what}, and scripts are run without arguments"
                    yield Hit(tree.place(call.args[0], call), message, hint, method.where)


def _needed(tree: Tree, method: Method, call: cst.Call) -> tuple[str, str] | None:
    """What a call makes a user give, and what to do about that."""
    required = keyword(call, "required")
    must = isinstance(required, cst.Name) and required.value == "True"
    if method_of(call) != parsers.ADDS:
        return ("one of several", "Drop required=True and choose one of them in handle().") if must else None
    names = parsers.names_of(call)
    if names is None:
        return None
    if names and names[0].startswith("-"):
        return (f"the option {names[0]}", "Give it a default in place of required=True.") if must else None
    name = parsers.dest_of(call)
    if not name or not _must_be_given(tree, method, call):
        return None
    return f"the argument {name}", 'Give it nargs="?" and a default, or make it an option.'


def _must_be_given(tree: Tree, method: Method, call: cst.Call) -> bool:
    """Whether a positional argument cannot be left out."""
    action, nargs = keyword(call, "action"), keyword(call, "nargs")
    if action is not None and string_value(action) not in _TAKING:
        return False
    if nargs is None or isinstance(nargs, cst.Integer) or string_value(nargs) == "+":
        return True
    is_none = isinstance(nargs, cst.Name) and nargs.value == "None"
    return is_none or tree.origin(nargs, Use(call, (method.node,), method.where)) in _MANY
