"""ST006."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class CircularRequirement(AnalysisRule):
    """Scripts require each other in a cycle.

    ## What it does
    Follows the requirements from script to script. Each cycle is reported once, with its whole path, in the file of
    its first script in alphabetical order.

    ## Why is this bad?
    Each script in the cycle waits for the next one, so none of them can ever run.

    ## Example
    ```python
    # shop/management/commands/recompute_totals.py
    @required_preceding_script("shop.import_vat_rates")
    def handle(self, *args, **options): ...

    # shop/management/commands/import_vat_rates.py
    @required_preceding_script("shop.recompute_totals")
    def handle(self, *args, **options): ...
    ```

    ## Use instead
    ```python
    # shop/management/commands/recompute_totals.py
    @required_preceding_script("shop.import_vat_rates")
    def handle(self, *args, **options): ...

    # shop/management/commands/import_vat_rates.py
    def handle(self, *args, **options): ...
    ```
    """

    code = codes.CIRCULAR_REQUIREMENT
    decided_by = ("scripts_tracker.analysis.linking.linker._report_cycles",)
