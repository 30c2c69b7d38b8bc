"""ST027."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class MisspeltDecorator(AnalysisRule):
    """A name of `scripts_tracker` does not exist.

    ## What it does
    Reports a command that imports a name from `scripts_tracker` that it does not have, or decorates with such an
    attribute, and a misspelt BatchedCommand.

    ## Why is this bad?
    The command cannot be imported, and the tracker does not see that it was meant to be a script.

    ## Example
    ```python
    from scripts_tracker import trackedscript
    ```

    ## Use instead
    ```python
    from scripts_tracker import tracked_script
    ```
    """

    code = codes.MISSPELT_DECORATOR
    decided_by = ("scripts_tracker.analysis.linking.untracked.Untracked.misspelt",)
