"""ST018."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.findings import in_script
from scripts_tracker.core.values import Finding
from scripts_tracker.lint.base import ProjectRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.lint.base import Project


class RecurringRequirement(ProjectRule):
    """A script requires a recurring one.

    ## What it does
    Reports arguments of `@required_preceding_script` that name a script with `rerun="always"`.

    ## Why is this bad?
    A script that runs in every deploy is never finished. The requirement is met from its first success on, however
    long ago that was, and says nothing about later runs: in the next deploy either of the two may run first.

    ## Example
    ```python
    @tracked_script
    @required_preceding_script("shop.sync_prices")  # which has rerun="always"
    def handle(self, *args, **options): ...
    ```

    ## Use instead
    ```python
    @tracked_script
    def handle(self, *args, **options):
        call_command("sync_prices")
        ...
    ```
    """

    code = codes.RECURRING_REQUIREMENT

    def check(self, project: Project) -> Iterator[Finding]:
        """Yield the requirements that name a recurring script."""
        for script in project.definitions.values():
            for one in script.requires:
                required = project.definitions.get(one.target) if one.target else None
                if required and required.id != script.id and required.options.rerun == "always":
                    finding = Finding(
                        one.location,
                        self.code,
                        f'{script.id} requires {required.id}, which has rerun="always" and is never finished',
                        f"Call {required.id.name} from handle(), or change its rerun option.",
                    )
                    yield in_script(finding, script.location)
