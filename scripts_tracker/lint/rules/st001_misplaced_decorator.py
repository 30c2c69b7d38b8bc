"""ST001."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class MisplacedDecorator(AnalysisRule):
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
