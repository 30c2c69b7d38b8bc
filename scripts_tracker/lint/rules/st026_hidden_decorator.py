"""ST026."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class HiddenDecorator(AnalysisRule):
    """The way from a command to `@tracked_script` cannot be followed.

    ## What it does
    Follows decorators, base classes, factories of classes and hooks such as `__init_subclass__` from a command through
    the modules of the project. Reports a command that is not tracked as far as the lint can see, although such a way
    leads to code with `@tracked_script`, or ends in an object, table or name that the code names together with it.
    Decorators and base classes that have nothing to do with it are skipped.

    ## Why is this bad?
    When the command runs, it may be recorded. But no other environment is told that it has to run there, because the
    tracker reads the files and never imports them.

    ## Example
    ```python
    # shop/tools.py
    class Once:
        def __init__(self, function):
            self.function = tracked_script(function)

    # shop/management/commands/fix_prices.py
    class Command(BaseCommand):
        @Once
        def handle(self, *args, **options): ...
    ```

    ## Use instead
    ```python
    # shop/tools.py
    def once(function):
        return tracked_script(function)

    # shop/management/commands/fix_prices.py
    class Command(BaseCommand):
        @once
        def handle(self, *args, **options): ...
    ```
    Simplest is `@tracked_script` above `def handle(`.
    """

    code = codes.HIDDEN_DECORATOR
    decided_by = (
        "scripts_tracker.analysis.linking.untracked.Untracked._hidden",
        "scripts_tracker.analysis.linking.untracked.Untracked._unread",
    )
