"""ST003."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class UnknownRequirement(AnalysisRule):
    """The required script does not exist.

    ## What it does
    Looks up every argument of `@required_preceding_script` among the commands of the project.

    ## Why is this bad?
    A script that waits for one that is not there can never run: it was renamed, deleted, or misspelt.

    ## Example
    ```python
    @tracked_script
    @required_preceding_script("catalog.import_vat_rate")
    def handle(self, *args, **options): ...
    ```

    ## Use instead
    ```python
    @tracked_script
    @required_preceding_script("catalog.import_vat_rates")
    def handle(self, *args, **options): ...
    ```
    """

    code = codes.UNKNOWN_REQUIREMENT
