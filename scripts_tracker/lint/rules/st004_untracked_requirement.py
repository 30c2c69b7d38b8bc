"""ST004."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class RequirementThatIsNotTracked(AnalysisRule):
    """The required command exists, but nobody knows whether it has run.

    ## What it does
    Looks up what `@required_preceding_script` names among the tracked scripts. Commands without `@tracked_script` are
    none, nor are those that `IGNORED_FILES` or `IGNORED_CMD_PREFIXES` leave out.

    ## Why is this bad?
    The ledger has no records of such a command, so the script that requires it waits forever.

    ## Example
    ```python
    # catalog/management/commands/import_vat_rates.py
    class Command(BaseCommand):
        def handle(self, *args, **options): ...
    ```

    ## Use instead
    ```python
    # catalog/management/commands/import_vat_rates.py
    class Command(BaseCommand):
        @tracked_script
        def handle(self, *args, **options): ...
    ```
    """

    code = codes.UNTRACKED_REQUIREMENT
    passes = (
        """\
--- shop/base.py
from scripts_tracker import tracked_script

class Base:
    @tracked_script
    def handle(self, *args, **options): ...
--- shop/management/commands/first.py
from shop.base import Base

class Command(Base): ...
--- shop/management/commands/second.py
from scripts_tracker import required_preceding_script, tracked_script

class Command:
    @tracked_script
    @required_preceding_script("first")
    def handle(self, *args, **options): ...
""",
        """\
--- shop/management/commands/broken.py
tracked_script = = "and perhaps a script, nobody can tell"
--- shop/management/commands/second.py
from scripts_tracker import required_preceding_script, tracked_script

class Command:
    @tracked_script
    @required_preceding_script("broken")
    def handle(self, *args, **options): ...
""",
        """\
--- shop/management/commands/first.py
class Command:
    def handle(self, *args, **options): ...
--- shop/management/commands/second.py
from scripts_tracker import required_preceding_script

class Command:
    @required_preceding_script("first")
    def handle(self, *args, **options): ...
""",
    )
    fails = (
        """\
--- catalog/management/commands/vat.py
class Command:
    def handle(self, *args, **options): ...
--- shop/management/commands/fix.py
from scripts_tracker import required_preceding_script, tracked_script

class Command:
    @tracked_script
    @required_preceding_script("catalog.vat")  # expect: ST004
    def handle(self, *args, **options): ...
""",
        """\
--- shop/management/commands/first.py
from scripts_tracker import tracked_script

class Command:
    def handle(self, *args, **options):
        self.run()

    @tracked_script  # expect: ST001
    def run(self): ...
--- shop/management/commands/second.py
from scripts_tracker import required_preceding_script, tracked_script
from shop.management.commands import first

class Command:
    @tracked_script
    @required_preceding_script(
        first,  # expect: ST004
    )
    def handle(self, *args, **options): ...
""",
    )
