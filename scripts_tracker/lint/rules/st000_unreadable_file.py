"""ST000."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class UnreadableFile(AnalysisRule):
    """A file cannot be read, or is not valid Python.

    ## What it does
    Reports files that may hold a tracked script but cannot be read, decoded or parsed, and folders of commands that
    cannot be listed. A file that never mentions `tracked_script` is skipped, unless it is binary. Links that lead to
    each other in a cycle, or to a folder that contains them, are one finding. A statement that Python can parse and
    libcst cannot, such as `(x): int = 1`, is reported as well: the script is followed byte by byte. If it is in the
    file of a base class, it is reported at each script that inherits from it.

    ## Why is this bad?
    The tracker cannot see whether such a file is a tracked script, or whether it has changed since it ran.

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

    code = codes.UNREADABLE_FILE
    decided_by = (
        "scripts_tracker.analysis.findings.Findings.unreadable",
        "scripts_tracker.analysis.findings.Findings.cycle_of_links",
        "scripts_tracker.analysis.findings.Findings.followed_by_bytes",
        "scripts_tracker.analysis.findings.Findings.inherited_in_part",
        "scripts_tracker.analysis.findings.Findings.watched_by_bytes",
        "scripts_tracker.analysis.linking.scanning._files",
        "scripts_tracker.analysis.linking.linker.Linker._report_without_source",
    )
