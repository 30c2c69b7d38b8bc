"""ST007."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class DynamicArgument(AnalysisRule):
    """A decorator or its argument is known only at run time.

    ## What it does
    Reports options of `@tracked_script` and arguments of `@required_preceding_script` that are neither literals nor
    constants of a module, and decorators named `tracked_script` whose origin cannot be resolved.

    ## Why is this bad?
    The tracker reads scripts and never imports them. Where it cannot read an option it assumes the default, so a
    check and a run may use different options. A requirement that it cannot read is ignored.

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

    code = codes.DYNAMIC_ARGUMENT
    decided_by = (
        "scripts_tracker.analysis.linking.arguments.read_options",
        "scripts_tracker.analysis.linking.arguments._with_option",
        "scripts_tracker.analysis.linking.arguments.RequirementReader._report_dynamic",
        "scripts_tracker.analysis.linking.scripts.ScriptReader._our_uses",
    )
