"""ST007."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class DynamicArgument(AnalysisRule):
    """An argument or decorator can be known only by running the code.

    ## What it does
    Looks for options of `@tracked_script` and arguments of `@required_preceding_script` that are neither written out
    nor constants of a module, and for decorators called `tracked_script` of which nobody can tell where they come
    from.

    ## Why is this bad?
    The tracker reads scripts and never imports them. What it cannot read it takes at its default, so that a check and
    a run go by different options, and a requirement is not waited for.

    ## Example
    ```python
    @tracked_script(rerun=settings.RERUN)
    @required_preceding_script(f"{APP}.import_vat_rates")
    def handle(self, *args, **options): ...
    ```

    ## Use instead
    ```python
    @tracked_script(rerun="once")
    @required_preceding_script("catalog.import_vat_rates")
    def handle(self, *args, **options): ...
    ```
    """

    code = codes.NOT_STATIC
