"""ST010."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import RunRule


class TrackedWhereNobodyLooks(RunRule):
    """A tracked script stands in a file that the tracker never sees.

    ## What it does
    Looks for a tracked `Command` in files that are no command: with an underscore at the start of the name or a dot in
    it, left out by `IGNORED_FILES` or `IGNORED_CMD_PREFIXES`, in a package or folder below the commands, or in no
    folder of commands at all. Tests and migrations are left alone, and so are files from which commands import or
    inherit their `Command`.

    ## Why is this bad?
    Whoever wrote the decorator expects to be told when the script has to run. Nobody will be: for Django and for the
    tracker there is no such script.

    ## Example
    ```python
    # shop/management/commands/_fix_prices.py
    class Command(BaseCommand):
        @tracked_script
        def handle(self, *args, **options): ...
    ```

    ## Use instead
    ```python
    # shop/management/commands/fix_prices.py
    class Command(BaseCommand):
        @tracked_script
        def handle(self, *args, **options): ...
    ```
    """

    code = codes.UNSEEN
