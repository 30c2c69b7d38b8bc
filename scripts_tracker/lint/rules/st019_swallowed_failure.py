"""ST019."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.linking.resolving import TRACKED
from scripts_tracker.lint import swallowing
from scripts_tracker.lint.base import Hit, TreeRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.lint.file import Tree

# What runs before handle() or around it is not recorded.
_OUTSIDE: Final = frozenset({"", "execute", "run_from_argv"})


class SwallowedFailure(TreeRule):
    """A failure of the script is taken for a success.

    ## What it does
    Looks for `except Exception` around the whole of `handle()` with nothing behind it but words, for `sys.exit(0)`
    and the like in the methods of the command, and for `os._exit()`. A `try` for each item of a loop is fine, and so
    is one around a part of the work.

    ## Why is this bad?
    A script that ends without an exception, or with code 0, is recorded as applied: nobody hears of the failure, and
    the script never runs again. `os._exit()` ends the process before anything is recorded.

    ## Example
    ```python
    @tracked_script
    def handle(self, *args, **options):
        try:
            self.recompute_totals()
        except Exception as error:
            self.stderr.write(str(error))
    ```

    ## Use instead
    ```python
    @tracked_script
    def handle(self, *args, **options):
        try:
            self.recompute_totals()
        except Exception as error:
            raise CommandError(f"the totals are as they were: {error}") from error
    ```
    """

    code = codes.SWALLOWED_FAILURE
    passes = (
        """\
import sys
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options):
        for order in self.orders:
            try:
                order.save()
            except Exception:
                self.stderr.write("oh")
        try:
            self.tidy_up()
        except Exception:
            pass
        if not self.orders:
            sys.exit("nothing to do")
        sys.exit(bool(self.orders))
        raise SystemExit(2)

    def run_from_argv(self, argv):
        sys.exit(0)

if __name__ == "__main__":
    sys.exit(0)
""",
        """\
import os
from scripts_tracker import tracked_script
from shop.shell import exit

class Command:
    @tracked_script
    def handle(self, *args, **options):
        \"\"\"Says what it does.\"\"\"
        if os.fork() == 0:
            os._exit(0)
        exit(0)
        self.exit()
        try:
            self.work()
        except ValueError:
            pass
        except Exception as error:
            self.stderr.write(str(error))
            if options["verbosity"]:
                raise

class Other:
    def handle(self, *args, **options):
        try:
            self.work()
        except Exception:
            pass
""",
        """\
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options):
        try:
            rates = self.fetch()
        except Exception:
            rates = self.read()
        self.save(rates)
""",
        """\
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options):
        failed = None
        try:
            self.work()
        except Exception as error:
            failed = error
        finally:
            self.tell(failed)
""",
    )
    fails = (
        """\
import logging
import traceback
from django.db import transaction
from scripts_tracker import tracked_script

logger = logging.getLogger(__name__)

class Command:
    @tracked_script
    def handle(self, *args, **options):
        \"\"\"Says what it does.\"\"\"
        from shop.models import Order
        orders = Order.objects.all()
        self.stdout.write("Starting")
        with transaction.atomic():
            try:
                orders.delete()
            except Order.DoesNotExist:
                raise
            # What is except for?
            except (ValueError, Exception) as error:  # expect: ST019
                message = f"{error}"
                logger.exception(message)
                traceback.print_exc()
                if options["verbosity"]:
                    self.stderr.write(self.style.ERROR(str(error)))
                return
            else:
                self.done()
        self.stdout.write("Done")
""",
        """\
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options):
        try: self.work()
        except: pass  # expect: ST019

    def work(self):
        try: self.work()
        except: pass
        try: self.work()
        except: pass
""",
        """\
from contextlib import suppress
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options):
        with suppress(Exception):  # expect: ST019
            self.work()
            self.more_work()
""",
        """\
import os, sys
from os import _exit
from sys import exit as leave
from scripts_tracker import tracked_script

def stop():
    os._exit(3)  # expect: ST019

class Command:
    @tracked_script
    def handle(self, *args, **options):
        try:
            self.work()
        except Exception as error:
            sys.exit(0)  # expect: ST019
        leave()  # expect: ST019
        quit(None)  # expect: ST019
        raise SystemExit from None  # expect: ST019

    def work(self):
        _exit(0)  # expect: ST019
        raise SystemExit(0)  # expect: ST019
""",
    )

    def check(self, tree: Tree) -> Iterator[Hit]:
        """What hides a failure, and what looks like a success."""
        yield from self._swallowed(tree)
        if "exit" in tree.text.lower():
            yield from self._exits(tree)

    def _swallowed(self, tree: Tree) -> Iterator[Hit]:
        for method in tree.methods("handle"):
            if tree.decorators(method.node, TRACKED):
                for node in swallowing.swallows(tree, method):
                    message = "a failure ends here, so the script is recorded as applied whatever happens"
                    hint = "Raise CommandError, or let the exception pass."
                    yield Hit(tree.place(node), message, hint, method.where)

    def _exits(self, tree: Tree) -> Iterator[Hit]:
        owners = {one.name for lineage in tree.lineages for one in lineage.classes}
        for node, name, use in swallowing.exits(tree):
            if name == "os._exit":
                message = "os._exit() ends the process before anything is recorded"
                yield Hit(tree.place(node), message, "Raise CommandError, or return.", use.where)
            elif (
                use.where
                and use.where.owner in owners
                and use.where.method not in _OUTSIDE
                # What is defined within may run at a signal, or never.
                and len(use.inside) == 1
            ):
                message = f"{name}() without an error code ends the script as if all were done"
                hint = "Use return where all is done, and raise CommandError where it is not."
                yield Hit(tree.place(node), message, hint, use.where)
