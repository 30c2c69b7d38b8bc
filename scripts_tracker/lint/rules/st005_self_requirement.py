"""ST005."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class SelfRequirement(AnalysisRule):
    """A script requires itself.

    ## What it does
    Compares every script with what its `@required_preceding_script` names, be it written out, a module, or inherited.

    ## Why is this bad?
    The script could only run after it has run: never.

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
