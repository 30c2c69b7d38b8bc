"""ST001."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class MisplacedDecorator(AnalysisRule):
    """`@tracked_script` is not on the `handle()` of a command.

    ## What it does
    Reports the decorator on a class, on another method, on a function, and on a `handle()` that is redefined
    further down, or in a class `Command` that another one replaces. It may be on the `handle()` of any class in the
    module, because commands may inherit it. In a BatchedCommand the method is `process()`: both decorators are reported
    on its `handle()`, and on `process()` of any other command.

    ## Why is this bad?
    A command is a tracked script only if the `handle()` that Django calls is decorated. Anywhere else the decorator
    has no effect: the script runs in some environments and is missed in others.

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
    decided_by = (
        "scripts_tracker.analysis.linking.untracked.Untracked.misplaced",
        "scripts_tracker.analysis.linking.untracked.Untracked._replaced",
        "scripts_tracker.analysis.linking.untracked.Untracked._report_other_method",
    )
