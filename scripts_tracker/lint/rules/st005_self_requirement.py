"""ST005."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class SelfRequirement(AnalysisRule):
    """A script requires itself.

    ## What it does
    Compares each script with its requirements, whether they are written as strings, given as modules, or inherited.

    ## Why is this bad?
    The script could only run after it has run, which is never.

    ## Example
    ```python
    # shop/management/commands/recompute_totals.py
    @tracked_script
    @required_preceding_script("shop.recompute_totals")
    def handle(self, *args, **options): ...
    ```

    ## Use instead
    ```python
    # shop/management/commands/recompute_totals.py
    @tracked_script
    def handle(self, *args, **options): ...
    ```
    """

    code = codes.SELF_REQUIREMENT
    decided_by = ("scripts_tracker.analysis.linking.linker._checked",)
