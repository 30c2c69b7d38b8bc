"""ST008."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class InvalidOption(AnalysisRule):
    """A decorator has an unknown option, or an option has an invalid value.

    ## What it does
    Checks the options of `@tracked_script`: `rerun` is `"on-change"`, `"once"` or `"always"`, `atomic` is `True` or
    `False`, `tags`, `unless` and `watch` are tuples of strings. `@required_preceding_script` takes strings and
    modules, and no keyword arguments.

    ## Why is this bad?
    The decorator raises an error as soon as Django imports the command. Until then the tracker assumes the default.

    ## Example
    ```python
    @tracked_script(rerun="never", tags="deploy")
    def handle(self, *args, **options): ...
    ```

    ## Use instead
    ```python
    @tracked_script(rerun="once", tags=("deploy",))
    def handle(self, *args, **options): ...
    ```
    """

    code = codes.INVALID_OPTION
    decided_by = (
        "scripts_tracker.analysis.linking.arguments.read_options",
        "scripts_tracker.analysis.linking.arguments._with_option",
        "scripts_tracker.analysis.linking.arguments.RequirementReader._argument",
        "scripts_tracker.analysis.linking.arguments.RequirementReader._literal",
    )
