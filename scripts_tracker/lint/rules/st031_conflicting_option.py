"""ST031."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class ConflictingOption(AnalysisRule):
    """A batched script has an option that batches leave no room for.

    ## What it does
    Reports `atomic=True` and `rerun="always"` on the `process()` of a BatchedCommand.

    ## Why is this bad?
    Each batch is a transaction of its own, and is committed together with how far the script has come. One transaction
    around all of them would lose both with the first failure. And a script that goes through a table at every deploy
    is never applied, so nothing can wait for its end.

    ## Example
    ```python
    @tracked_script(atomic=True)
    def process(self, batch): ...
    ```

    ## Use instead
    ```python
    @tracked_script
    def process(self, batch): ...
    ```
    """

    code = codes.CONFLICTING_OPTION
    decided_by = ("scripts_tracker.analysis.linking.scripts.ScriptReader._conflicting_options",)
