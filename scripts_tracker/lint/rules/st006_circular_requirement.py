"""ST006."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class RequirementsInACircle(AnalysisRule):
    """Scripts require each other in a circle.

    ## What it does
    Follows what scripts require from one to the next. Each circle is reported once, with the whole way around it, in
    the file of its first script in the order of the alphabet.

    ## Why is this bad?
    Each script of the circle waits for the next one, so none of them can ever run.

    ## Example
    ```python
    # shop/management/commands/recompute_totals.py
    @required_preceding_script("shop.import_vat_rates")
    def handle(self, *args, **options): ...

    # shop/management/commands/import_vat_rates.py
    @required_preceding_script("shop.recompute_totals")
    def handle(self, *args, **options): ...
    ```

    ## Use instead
    ```python
    # shop/management/commands/recompute_totals.py
    @required_preceding_script("shop.import_vat_rates")
    def handle(self, *args, **options): ...

    # shop/management/commands/import_vat_rates.py
    def handle(self, *args, **options): ...
    ```
    """

    code = codes.REQUIREMENT_CYCLE
    passes = (
        """\
--- shop/management/commands/first.py
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options): ...
--- shop/management/commands/left.py
from scripts_tracker import required_preceding_script, tracked_script

class Command:
    @tracked_script
    @required_preceding_script("first")
    def handle(self, *args, **options): ...
--- shop/management/commands/right.py
from scripts_tracker import required_preceding_script, tracked_script

class Command:
    @tracked_script
    @required_preceding_script("first")
    def handle(self, *args, **options): ...
--- shop/management/commands/last.py
from scripts_tracker import required_preceding_script, tracked_script

class Command:
    @tracked_script
    @required_preceding_script("left", "right", "first")
    def handle(self, *args, **options): ...
""",
        """\
from scripts_tracker import required_preceding_script, tracked_script

class Command:
    @tracked_script
    @required_preceding_script("fix")  # a matter of ST005
    def handle(self, *args, **options): ...
""",
        """\
--- shop/management/commands/first.py
from scripts_tracker import required_preceding_script

class Command:
    @required_preceding_script("second")
    def handle(self, *args, **options):
        print("this one is not tracked, which is a matter of ST004")
--- shop/management/commands/second.py
from scripts_tracker import required_preceding_script, tracked_script

class Command:
    @tracked_script
    @required_preceding_script("first")
    def handle(self, *args, **options): ...
""",
    )
    fails = (
        """\
--- catalog/management/commands/vat.py
from scripts_tracker import required_preceding_script, tracked_script

class Command:
    @tracked_script
    @required_preceding_script("shop.fix")  # expect: ST006
    def handle(self, *args, **options): ...
--- shop/management/commands/fix.py
from scripts_tracker import required_preceding_script, tracked_script
from catalog.management.commands import vat

class Command:
    @tracked_script
    @required_preceding_script(vat)
    def handle(self, *args, **options): ...
""",
        """\
--- shop/management/commands/a.py
from scripts_tracker import required_preceding_script, tracked_script

class Command:
    @tracked_script
    @required_preceding_script("b")  # expect: ST006
    def handle(self, *args, **options): ...
--- shop/management/commands/b.py
from scripts_tracker import required_preceding_script, tracked_script

class Command:
    @tracked_script
    @required_preceding_script("c", "d")  # expect: ST006
    def handle(self, *args, **options): ...
--- shop/management/commands/c.py
from scripts_tracker import required_preceding_script, tracked_script

class Command:
    @tracked_script
    @required_preceding_script("a")
    def handle(self, *args, **options): ...
--- shop/management/commands/d.py
from scripts_tracker import required_preceding_script, tracked_script

class Command:
    @tracked_script
    @required_preceding_script("b")
    def handle(self, *args, **options): ...
""",
    )
