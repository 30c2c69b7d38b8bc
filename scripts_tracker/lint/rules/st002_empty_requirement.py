"""ST002."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class EmptyRequirement(AnalysisRule):
    """`@required_preceding_script` names no script.

    ## What it does
    Reports the decorator without arguments, and without a call.

    ## Why is this bad?
    The script was meant to wait for another one, but waits for none. Without a call, Django cannot even import the
    command.

    ## Example
    ```python
    @tracked_script
    @required_preceding_script
    def handle(self, *args, **options): ...
    ```

    ## Use instead
    ```python
    @tracked_script
    @required_preceding_script("catalog.import_vat_rates")
    def handle(self, *args, **options): ...
    ```
    """

    code = codes.EMPTY_REQUIREMENT
    decided_by = ("scripts_tracker.analysis.linking.arguments.RequirementReader.read",)
