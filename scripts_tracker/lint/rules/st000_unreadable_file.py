"""ST000."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class UnreadableFile(AnalysisRule):
    """A file cannot be read, or is no valid Python.

    ## What it does
    Names the files that may hold a tracked script and cannot be read, decoded or parsed, and folders of commands that
    cannot be listed. A file that mentions `tracked_script` nowhere is left alone, unless it is binary.

    ## Why is this bad?
    Nobody can tell whether such a file is a tracked script, and whether it changed since it ran.

    ## Example
    ```python
    @tracked_script
    def handle(self, *args, **options)
        print "done"
    ```

    ## Use instead
    ```python
    @tracked_script
    def handle(self, *args, **options):
        print("done")
    ```
    """

    code = codes.UNREADABLE
