"""ST025."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class WatchThatWatchesNothing(AnalysisRule):
    """A watched module does not exist, is none of the project's, or is the script itself.

    ## What it does
    Looks up every name in `watch` of `@tracked_script` among the files of the project: next to the apps, in `src/`, and
    in the folders that `roots` names. A name stands for one file, that of a package for its `__init__.py`; what that
    file imports is not watched with it.

    ## Why is this bad?
    A change of what the script relies on goes unnoticed: the module was renamed, deleted, or misspelt. Modules of the
    standard library and of installed packages are other in every environment, and an upgrade is no reason to run every
    script again. The file of the script counts anyway.

    ## Example
    ```python
    @tracked_script(watch=("shop.pricng", "decimal"))
    def handle(self, *args, **options): ...
    ```

    ## Use instead
    ```python
    @tracked_script(watch=("shop.pricing",))
    def handle(self, *args, **options): ...
    ```
    """

    code = codes.WATCHES_NOTHING
    passes = (
        """\
--- shop/__init__.py
--- shop/pricing.py
RATE = 19
--- shop/management/commands/fix.py
from scripts_tracker import tracked_script

class Command:
    @tracked_script(watch=("shop", "shop.pricing"))
    def handle(self, *args, **options): ...
""",
        """\
--- space/shop/pricing.py
print("its packages are folders without __init__.py")
--- shop/management/commands/fix.py
from scripts_tracker import tracked_script

class Command:
    @tracked_script(watch=["space.shop.pricing"])
    def handle(self, *args, **options): ...
""",
        """\
--- calendar/__init__.py
print("an app that is called like a standard module")
--- shop/management/commands/fix.py
from scripts_tracker import tracked_script

class Command:
    @tracked_script(watch=("calendar",))
    def handle(self, *args, **options): ...
""",
        """\
--- shop/base.py
from scripts_tracker import tracked_script

class Base:
    @tracked_script(watch=("shop.base",))
    def handle(self, *args, **options): ...
--- shop/management/commands/fix.py
from shop.base import Base

class Command(Base):
    help = "the file of the base class is not that of the script"
""",
    )
    fails = (
        """\
--- shop/pricing.py
RATE = 19
--- shop/management/commands/fix.py
from scripts_tracker import tracked_script

class Command:
    @tracked_script(
        tags=("deploy",),
        watch=("shop.pricing", "shop.pricng"),  # expect: ST025
    )
    def handle(self, *args, **options): ...
""",
        """\
from scripts_tracker import tracked_script

class Command:
    @tracked_script(watch=("decimal",))  # expect: ST025
    def handle(self, *args, **options): ...
""",
        """\
from scripts_tracker import tracked_script

class Command:
    @tracked_script(watch=("django.db",))  # expect: ST025
    def handle(self, *args, **options): ...
""",
        """\
from scripts_tracker import tracked_script

class Command:
    @tracked_script(watch=("shop.management.commands.fix",))  # expect: ST025
    def handle(self, *args, **options): ...
""",
        """\
--- space/pricing.py
RATE = 19
--- shop/management/commands/fix.py
from scripts_tracker import tracked_script

class Command:
    @tracked_script(watch=("space",))  # expect: ST025
    def handle(self, *args, **options): ...
""",
        """\
--- shop/pricing.py
def total(): ...
--- shop/management/commands/fix.py
from scripts_tracker import tracked_script

class Command:
    @tracked_script(watch=("shop.pricing.total",))  # expect: ST025
    def handle(self, *args, **options): ...
--- shop/management/commands/other.py
from scripts_tracker import tracked_script

class Command:
    @tracked_script(watch=("shop/pricing.py", ".pricing"))  # expect: ST025
    def handle(self, *args, **options): ...
""",
        """\
--- shop/base.py
from scripts_tracker import tracked_script

class Base:
    @tracked_script(watch=("shop.gone",))  # expect: ST025
    def handle(self, *args, **options): ...
--- shop/management/commands/fix.py
from shop.base import Base

class Command(Base): ...
""",
    )
