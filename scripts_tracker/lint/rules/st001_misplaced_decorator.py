"""ST001."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class DecoratorThatTracksNothing(AnalysisRule):
    """`@tracked_script` stands on something that is not the `handle()` of a command.

    ## What it does
    Looks for uses of the decorator on the class, on other methods, on functions, and on a `handle()` that is defined
    anew further down. A `handle()` of any class of the module is fine: commands may inherit it.

    ## Why is this bad?
    The tracker takes a command for a script by the decorators of the `handle()` that Django calls. Anywhere else they
    track nothing, and the script runs in some environments and is forgotten in others.

    ## Example
    ```python
    @tracked_script
    class Command(BaseCommand):
        def handle(self, *args, **options): ...
    ```

    ## Use instead
    ```python
    class Command(BaseCommand):
        @tracked_script
        def handle(self, *args, **options): ...
    ```
    """

    code = codes.MISPLACED_DECORATOR
    passes = (
        """\
from scripts_tracker import tracked_script

once = tracked_script(rerun="once")

class Command:
    @once
    def handle(self, *args, **options): ...
""",
        """\
from scripts_tracker import tracked_script

class Base:
    @tracked_script
    def handle(self, *args, **options): ...

class Command(Base):
    def handle(self, *args, **options):
        super().handle(*args, **options)
""",
        """\
from scripts_tracker import tracked_script

def work(self, *args, **options): ...

class Command:
    handle = tracked_script(work)
""",
        """\
from scripts_tracker import tracked_script

class Command:
    def handle(self, *args, **options): ...

Command.handle = tracked_script(Command.handle)
""",
        """\
from scripts_tracker import tracked_script

def wrapped(tracked_script):
    @tracked_script
    def inner(): ...
    return inner

class Command:
    @tracked_script
    def handle(self, *args, **options):
        wrapped(print)()
""",
        """\
def tracked_script(function):
    return function

@tracked_script
class Command:
    @tracked_script
    def run(self): ...
""",
    )
    fails = (
        """\
from scripts_tracker import tracked_script

@tracked_script(rerun="once")  # expect: ST001
class Command:
    def handle(self, *args, **options): ...
""",
        """\
from scripts_tracker import tracked_script as once

class Command:
    def handle(self, *args, **options):
        self.run()

    @once  # expect: ST001
    def run(self): ...
""",
        """\
import scripts_tracker

@scripts_tracker.tracked_script  # expect: ST001
def handle(self, *args, **options): ...

class Command:
    def handle(self, *args, **options):
        @scripts_tracker.tracked_script  # expect: ST001
        def handle(): ...
""",
        """\
from scripts_tracker import tracked_script

class Command:
    @tracked_script  # expect: ST001
    def handle(self, *args, **options): ...

    def handle(self, *args, **options): ...
""",
        """\
from django.utils.decorators import method_decorator
from scripts_tracker import tracked_script

@method_decorator(tracked_script, name="handle")  # expect: ST001
class Command:
    def handle(self, *args, **options): ...
""",
        """\
--- shop/tools.py
from scripts_tracker import tracked_script as once
--- shop/management/commands/fix.py
from shop.tools import once

@once  # expect: ST001
def helper(): ...

class Command:
    @once
    def handle(self, *args, **options):
        helper()
""",
    )
