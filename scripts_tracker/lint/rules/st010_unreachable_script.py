"""ST010."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import RunRule


class TrackedWhereNobodyLooks(RunRule):
    """A tracked script stands in a file that the tracker never sees.

    ## What it does
    Looks for a tracked `Command` in files that are no command: with an underscore at the start of the name or a dot in
    it, left out by `IGNORED_FILES` or `IGNORED_CMD_PREFIXES`, in a package or folder below the commands, or in no
    folder of commands at all. Tests and migrations are left alone, and so are files from which commands import or
    inherit their `Command`.

    ## Why is this bad?
    Whoever wrote the decorator expects to be told when the script has to run. Nobody will be: for Django and for the
    tracker there is no such script.

    ## Example
    ```python
    # shop/management/commands/_fix_prices.py
    class Command(BaseCommand):
        @tracked_script
        def handle(self, *args, **options): ...
    ```

    ## Use instead
    ```python
    # shop/management/commands/fix_prices.py
    class Command(BaseCommand):
        @tracked_script
        def handle(self, *args, **options): ...
    ```
    """

    code = codes.UNSEEN
    passes = (
        """\
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options): ...
""",
        """\
--- shop/base.py
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options): ...
--- shop/management/commands/_parent.py
from scripts_tracker import tracked_script
from ...base import Command as Grandparent

class Command(Grandparent):
    @tracked_script(rerun="once")
    def handle(self, *args, **options):
        super().handle(*args, **options)
--- shop/management/commands/fix.py
from ._parent import Command as Parent

class Command(Parent): ...
""",
        """\
--- shop/scripts/fix.py
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options): ...
--- shop/management/commands/fix.py
from shop.scripts.fix import Command
""",
        """\
--- shop/management/commands/_base.py
from scripts_tracker import tracked_script

class Base:
    @tracked_script
    def handle(self, *args, **options): ...
--- shop/management/commands/_plain.py
from scripts_tracker import tracked_script

class Command:
    def handle(self, *args, **options): ...
""",
        """\
--- shop/tests/test_fix.py
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options): ...
--- shop/tests/commands.py
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options): ...
--- shop/tests.py
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options): ...
--- shop/fix_test.py
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options): ...
--- conftest.py
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options): ...
--- shop/migrations/0002_fix.py
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options): ...
""",
        """\
--- shop/management/commands/_broken.py
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options) = 1
""",
        """\
--- shop/management/commands/_fix.py
from scripts_tracker import tracked_script

class Command:  # noqa: ST010
    @tracked_script
    def handle(self, *args, **options): ...
""",
    )
    fails = (
        """\
--- shop/management/commands/_fix.py
from scripts_tracker import tracked_script

class Command:  # expect: ST010
    @tracked_script
    def handle(self, *args, **options): ...
--- shop/management/commands/fix.old.py
from scripts_tracker import tracked_script

class Command:  # expect: ST010
    @tracked_script
    def handle(self, *args, **options): ...
--- shop/management/commands/__init__.py
from scripts_tracker import tracked_script

class Command:  # expect: ST010
    @tracked_script
    def handle(self, *args, **options): ...
""",
        """\
--- shop/management/commands/fix/__init__.py
from scripts_tracker import tracked_script

class Command:  # expect: ST010
    @tracked_script
    def handle(self, *args, **options): ...
--- shop/management/commands/fix.py
from scripts_tracker import tracked_script

class Command:  # expect: ST010
    @tracked_script
    def handle(self, *args, **options): ...
--- shop/management/commands/old/fix.py
from scripts_tracker import tracked_script

class Command:  # expect: ST010
    @tracked_script
    def handle(self, *args, **options): ...
""",
        """\
--- shop/commands/fix.py
from scripts_tracker import tracked_script

class Command:  # expect: ST010
    @tracked_script
    def handle(self, *args, **options): ...
--- shop/management/fix.py
from scripts_tracker import tracked_script

class Command:  # expect: ST010
    @tracked_script
    def handle(self, *args, **options): ...
--- fix.py
from scripts_tracker import tracked_script

class Command:  # expect: ST010
    @tracked_script
    def handle(self, *args, **options): ...
""",
        """\
--- shop/base.py
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options): ...
--- shop/management/commands/_fix.py
from scripts_tracker import tracked_script
from shop.base import Command as Base

class Command(Base):  # expect: ST010
    @tracked_script(rerun="once")
    def handle(self, *args, **options):
        super().handle(*args, **options)
""",
        """\
--- shop/management/commands/_fix.py
from scripts_tracker import tracked_script

class Command:  # expect: ST010
    @tracked_script
    def handle(self, *args, **options): ...
--- shop/management/commands/fix_again.py
from scripts_tracker import required_preceding_script, tracked_script
from . import _fix

class Command:
    @tracked_script
    @required_preceding_script(_fix)
    def handle(self, *args, **options): ...
""",
    )
