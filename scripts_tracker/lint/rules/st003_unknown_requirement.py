"""ST003."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class UnknownRequirement(AnalysisRule):
    """The required script does not exist.

    ## What it does
    Looks up each argument of `@required_preceding_script` among the commands of the project.

    ## Why is this bad?
    A script that requires a missing one can never run. The required script was renamed, deleted or misspelt.

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
    decided_by = (
        "scripts_tracker.analysis.linking.arguments.RequirementReader._literal",
        "scripts_tracker.analysis.linking.arguments.RequirementReader._missing_module",
    )
