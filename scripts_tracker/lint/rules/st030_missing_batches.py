"""ST030."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class MissingBatches(AnalysisRule):
    """A batched script has no `batches()`.

    ## What it does
    Looks for `batches()` in a tracked BatchedCommand and in its base classes. Nothing is reported if one of these comes
    from a package outside of the project.

    ## Why is this bad?
    `batches()` says which rows to process. Without it the script fails when it starts.

    ## Example
    ```python
    class Command(BatchedCommand):
        @tracked_script
        def process(self, batch):
            batch.update(total=F("cents") / 100)
    ```

    ## Use instead
    ```python
    class Command(BatchedCommand):
        def batches(self):
            return Order.objects.filter(total=None)

        @tracked_script
        def process(self, batch):
            batch.update(total=F("cents") / 100)
    ```
    """

    code = codes.MISSING_BATCHES
    decided_by = ("scripts_tracker.analysis.linking.scripts.ScriptReader._missing_batches",)
