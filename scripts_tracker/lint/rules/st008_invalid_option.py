"""ST008."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class InvalidOption(AnalysisRule):
    """A decorator has no such option, or does not take such a value.

    ## What it does
    Compares the options of `@tracked_script` and their values with those that there are: `rerun` is one of
    `"on-change"`, `"once"` and `"always"`, `atomic` is `True` or `False`, `tags` and `unless` are tuples of texts.
    `@required_preceding_script` takes texts and modules, without names.

    ## Why is this bad?
    The decorator raises an error as soon as Django imports the command, and until then the tracker goes by the
    default.

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

    code = codes.WRONG_OPTION
