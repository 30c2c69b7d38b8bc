"""ST002."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class RequirementOfNothing(AnalysisRule):
    """`@required_preceding_script` names no script.

    ## What it does
    Looks for the decorator without arguments, and without a call.

    ## Why is this bad?
    Somebody meant the script to wait for another one, and it waits for none. Without a call Django cannot even import
    the command.

    ## Example
    ```python
    @tracked_script
    @required_preceding_script
    def handle(self, *args, **options): ...
    ```

    ## Use instead
    ```python
    @tracked_script
    @required_preceding_script("catalog.import_vat_rates")
    def handle(self, *args, **options): ...
    ```
    """

    code = codes.EMPTY_REQUIREMENT
    passes = (
        """\
--- shop/management/commands/first.py
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options): ...
--- shop/management/commands/second.py
from scripts_tracker import required_preceding_script, tracked_script
from shop.management.commands import first

after_first = required_preceding_script(first)

class Command:
    @tracked_script
    @after_first
    def handle(self, *args, **options): ...
""",
        """\
from scripts_tracker import tracked_script
from shop.tools import required_preceding_script

class Command:
    @tracked_script
    @required_preceding_script
    def handle(self, *args, **options): ...
""",
        """\
from scripts_tracker import required_preceding_script

class Command:
    @required_preceding_script()
    def handle(self, *args, **options):
        print("this command is not tracked")
""",
    )
    fails = (
        """\
from scripts_tracker import required_preceding_script, tracked_script

class Command:
    @tracked_script
    @required_preceding_script  # expect: ST002
    def handle(self, *args, **options): ...
""",
        """\
from scripts_tracker import required_preceding_script as after, tracked_script

class Command:
    @after()  # expect: ST002
    @tracked_script
    def handle(self, *args, **options): ...
""",
        """\
from scripts_tracker import required_preceding_script, tracked_script

after = required_preceding_script()

class Command:
    @tracked_script
    @after  # expect: ST002
    def handle(self, *args, **options): ...
""",
        """\
--- shop/base.py
import scripts_tracker

class Base:
    @scripts_tracker.required_preceding_script  # expect: ST002
    def handle(self, *args, **options): ...
--- shop/management/commands/fix.py
from scripts_tracker import tracked_script
from shop.base import Base

class Command(Base):
    @tracked_script
    def handle(self, *args, **options):
        super().handle(*args, **options)
""",
    )
