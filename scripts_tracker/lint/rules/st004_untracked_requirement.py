"""ST004."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class UntrackedRequirement(AnalysisRule):
    """The required command is not a tracked script.

    ## What it does
    Looks up each argument of `@required_preceding_script` among the tracked scripts. Commands without
    `@tracked_script` are not tracked, nor are those that `IGNORED_FILES` or `IGNORED_CMD_PREFIXES` exclude.

    ## Why is this bad?
    The ledger has no record of such a command, so the script that requires it waits forever.

    ## Example
    ```python
    # catalog/management/commands/import_vat_rates.py
    class Command(BaseCommand):
        def handle(self, *args, **options): ...
    ```

    ## Use instead
    ```python
    # catalog/management/commands/import_vat_rates.py
    class Command(BaseCommand):
        @tracked_script
        def handle(self, *args, **options): ...
    ```
    """

    code = codes.UNTRACKED_REQUIREMENT
    decided_by = ("scripts_tracker.analysis.linking.linker._checked",)
