"""ST022."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class UnusedNoqa(AnalysisRule):
    """A `# noqa` comment hides no finding.

    ## What it does
    Reports `# noqa` comments with codes of this lint that match no finding on their lines, and comments with other
    text than codes and names of rules after the colon. Comments without codes, and codes of other tools, are skipped.

    ## Why is this bad?
    The problem was fixed, or is now on another line. If it comes back on this one, it stays hidden. A comment such as
    `# noqa: legacy` seems to hide a finding and does not.

    ## Example
    ```python
    @tracked_script
    @required_preceding_script("import_vat_rates")  # noqa: ST004, E501
    def handle(self, *args, **options): ...
    ```

    ## Use instead
    ```python
    @tracked_script
    @required_preceding_script("import_vat_rates")  # noqa: E501
    def handle(self, *args, **options): ...
    ```
    `--fix` removes the code, and with the last code the whole comment.
    """

    code = codes.UNUSED_NOQA
    decided_by = (
        "scripts_tracker.lint.noqa.Comments.applied",
        "scripts_tracker.lint.noqa._unused",
    )
    fixed_by = "scripts_tracker.lint.fixing._comment_edits"
