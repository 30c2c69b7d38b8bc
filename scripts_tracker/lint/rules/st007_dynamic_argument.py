"""ST007."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class ArgumentThatIsComputed(AnalysisRule):
    """An argument or decorator can be known only by running the code.

    ## What it does
    Looks for options of `@tracked_script` and arguments of `@required_preceding_script` that are neither written out
    nor constants of a module, and for decorators called `tracked_script` of which nobody can tell where they come
    from.

    ## Why is this bad?
    The tracker reads scripts and never imports them. What it cannot read it takes at its default, so that a check and
    a run go by different options, and a requirement is not waited for.

    ## Example
    ```python
    @tracked_script(rerun=settings.RERUN)
    @required_preceding_script(f"{APP}.import_vat_rates")
    def handle(self, *args, **options): ...
    ```

    ## Use instead
    ```python
    @tracked_script(rerun="once")
    @required_preceding_script("catalog.import_vat_rates")
    def handle(self, *args, **options): ...
    ```
    """

    code = codes.NOT_STATIC
    passes = (
        """\
--- shop/constants.py
DEPLOY = ("deploy", "night")
FIRST = "shop.first"
--- shop/management/commands/first.py
from scripts_tracker import tracked_script

RERUN = "once"

class Command:
    @tracked_script(rerun=RERUN, atomic=True, unless=["dry_run", "check"])
    def handle(self, *args, **options): ...
--- shop/management/commands/second.py
from importlib import import_module
from scripts_tracker import required_preceding_script, tracked_script
from shop.constants import DEPLOY, FIRST

class Command:
    @tracked_script(tags=DEPLOY)
    @required_preceding_script(FIRST, "shop." "first", import_module("shop.management.commands.first"))
    def handle(self, *args, **options): ...
""",
        """\
from scripts_tracker import tracked_script
from shop.tools import retry

class Command:
    @retry(times=2 + 1)
    @tracked_script
    def handle(self, *args, **options): ...
""",
        """\
--- shop/tools.py
def tracked_script(function):
    return function
--- shop/management/commands/fix.py
from shop.tools import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options): ...
""",
    )
    fails = (
        """\
import os
from django.conf import settings
from scripts_tracker import tracked_script

class Command:
    @tracked_script(
        rerun=settings.RERUN,  # expect: ST007
        atomic=os.name != "nt",  # expect: ST007
        tags=tuple("deploy night".split()),  # expect: ST007
        unless=("dry_run", *settings.FLAGS),  # expect: ST007
    )
    def handle(self, *args, **options): ...
""",
        """\
from scripts_tracker import tracked_script

OPTIONS = {"rerun": "once"}

class Command:
    @tracked_script(**OPTIONS)  # expect: ST007
    def handle(self, *args, **options): ...
""",
        """\
from scripts_tracker import required_preceding_script, tracked_script

APP = "shop"
NAMES = ("shop.first",)

class Command:
    @tracked_script
    @required_preceding_script(*NAMES)  # expect: ST007
    @required_preceding_script(f"{__name__}.first")  # expect: ST007
    @required_preceding_script(NAMES[0])  # expect: ST007
    def handle(self, *args, **options): ...
""",
        """\
import os
from scripts_tracker import tracked_script

if os.name == "nt":
    RERUN = "once"
else:
    RERUN = "always"

class Command:
    @tracked_script(rerun=RERUN)  # expect: ST007
    def handle(self, *args, **options): ...
""",
        """\
from somewhere_else import tracked_script

class Command:
    @tracked_script  # expect: ST007
    def handle(self, *args, **options): ...
""",
    )
