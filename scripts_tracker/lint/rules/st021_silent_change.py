"""ST021."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import RunRule


class ChangedSilently(RunRule):
    """A script that is known elsewhere changed, and does not say whether it is to run again.

    ## What it does
    With `--since REV`, compares the code of every script that is decorated in its own file with what it was in that revision. Formatting,
    comments and line ends do not count; scripts that are new since then, or that have `rerun` in their decorator, are
    left alone. To look at a branch only, give the commit where it began: `--since $(git merge-base main HEAD)`.

    ## Why is this bad?
    Environments have applied the script already. Unless it says otherwise they all run it again, over the data that it
    has changed once, which is rarely what somebody had in mind who corrected a log message.

    ## Example
    ```python
    @tracked_script
    def handle(self, *args, **options):
        ...  # edited since it was released
    ```

    ## Use instead
    ```python
    @tracked_script(rerun="once")  # or rerun="on-change", where it is meant to run again
    def handle(self, *args, **options):
        ...
    ```
    """

    code = codes.CHANGED_SILENTLY
