"""ST022."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class UnusedNoqa(AnalysisRule):
    """A `# noqa` names a code that is not found on its line.

    ## What it does
    Looks for `# noqa` comments with codes of this lint that hide no finding. Comments without codes, and codes of
    other tools, are left alone.

    ## Why is this bad?
    What it once hid was mended, or stands on another line; when it comes back, nobody will see it.

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
    `--fix` removes the code, and with the last code the comment.
    """

    code = codes.UNUSED_NOQA
    is_fixable = True
