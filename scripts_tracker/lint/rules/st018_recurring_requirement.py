"""ST018."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts_tracker.analysis import codes
from scripts_tracker.core.values import Finding
from scripts_tracker.lint.base import ProjectRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.lint.base import Project


class RecurringRequirement(ProjectRule):
    """A script requires one that runs every time.

    ## What it does
    Looks for arguments of `@required_preceding_script` that name a script with `rerun="always"`.

    ## Why is this bad?
    A script that runs at every deploy is never done. The requirement holds from its first success on, however long
    ago that was, and says nothing of the runs after it: which of the two comes first in the next deploy is open.

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

    code = codes.REQUIRES_ALWAYS

    def check(self, project: Project) -> Iterator[Finding]:
        """The requirements that name such a script."""
        for script in project.definitions.values():
            for one in script.requires:
                required = project.definitions.get(one.target) if one.target else None
                if required and required.id != script.id and required.options.rerun == "always":
                    yield Finding(
                        one.location,
                        self.code,
                        f'{script.id} requires {required.id}, which has rerun="always" and so is never done',
                        f"Call {required.id.name} from handle(), or give it another rerun.",
                    )
