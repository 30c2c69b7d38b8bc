"""ST005."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class RequiresItself(AnalysisRule):
    """A script requires itself.

    ## What it does
    Compares every script with what its `@required_preceding_script` names, be it written out, a module, or inherited.

    ## Why is this bad?
    The script could only run after it has run: never.

    ## Example
    ```python
    # shop/management/commands/recompute_totals.py
    @tracked_script
    @required_preceding_script("shop.recompute_totals")
    def handle(self, *args, **options): ...
    ```

    ## Use instead
    ```python
    # shop/management/commands/recompute_totals.py
    @tracked_script
    def handle(self, *args, **options): ...
    ```
    """

    code = codes.SELF_REQUIREMENT
    passes = (
        """\
--- catalog/management/commands/fix.py
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options): ...
--- shop/management/commands/fix.py
from scripts_tracker import required_preceding_script, tracked_script

class Command:
    @tracked_script
    @required_preceding_script("catalog.fix")
    def handle(self, *args, **options): ...
""",
        """\
--- shop/management/commands/fix.py
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options): ...
--- shop/management/commands/fix_again.py
from scripts_tracker import required_preceding_script, tracked_script
from shop.management.commands import fix

class Command(fix.Command):
    @tracked_script
    @required_preceding_script(fix)
    def handle(self, *args, **options):
        super().handle(*args, **options)
""",
    )
    fails = (
        """\
from scripts_tracker import required_preceding_script, tracked_script

class Command:
    @tracked_script
    @required_preceding_script("fix")  # expect: ST005
    def handle(self, *args, **options): ...
""",
        """\
from scripts_tracker import required_preceding_script, tracked_script

NAME = "shop.fix"

class Command:
    @tracked_script
    @required_preceding_script(NAME)  # expect: ST005
    def handle(self, *args, **options): ...
""",
        """\
from scripts_tracker import required_preceding_script, tracked_script
from . import fix

class Command:
    @tracked_script
    @required_preceding_script(fix)  # expect: ST005
    def handle(self, *args, **options): ...
""",
        """\
--- shop/base.py
from scripts_tracker import required_preceding_script, tracked_script

class Base:
    @tracked_script
    @required_preceding_script("shop.first")  # expect: ST005
    def handle(self, *args, **options): ...
--- shop/management/commands/first.py
from shop.base import Base

class Command(Base): ...
--- shop/management/commands/second.py
from shop.base import Base

class Command(Base): ...
""",
    )
