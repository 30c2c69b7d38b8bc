"""ST028."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class UntrackedCommand(AnalysisRule):
    """A command uses `scripts_tracker` and is not tracked.

    ## What it does
    Reports a command that imports one of the two decorators and does not use it, that has only
    `@required_preceding_script`, or that is a BatchedCommand without `@tracked_script` on its `process()`.

    ## Why is this bad?
    It looks as if the author meant to track the command. As it is, the tracker knows nothing of it: it runs in some
    environments and is missed in others.

    ## Example
    ```python
    class Command(BaseCommand):
        @required_preceding_script("import_rates")
        def handle(self, *args, **options): ...
    ```

    ## Use instead
    ```python
    class Command(BaseCommand):
        @tracked_script
        @required_preceding_script("import_rates")
        def handle(self, *args, **options): ...
    ```
    A command that is no one-off script, but has to run after one, can have the comment `# noqa: ST028`.
    """

    code = codes.UNTRACKED_COMMAND
    decided_by = ("scripts_tracker.analysis.linking.untracked.Untracked._unused",)
