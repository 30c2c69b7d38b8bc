"""ST016."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts_tracker.analysis import codes
from scripts_tracker.core.values import Finding
from scripts_tracker.lint.base import ProjectRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.lint.base import Project


_MISSING = ("no help text", 'Add help = "..." to the Command class.')
_COMPUTED = ("no help text that can be read without running the code", "Write the text as a literal.")


class MissingHelp(ProjectRule):
    """A tracked script has no help text.

    ## What it does
    Looks for `help` in the class and its base classes, and for a docstring of the class or the module. A help text that
    is computed, or that a base class from an installed package may have, cannot be read, and is reported as such.

    ## Why is this bad?
    The notice after `migrate` shows the help text to people who have never seen the script and must decide whether
    to run it now.

    ## Example
    ```python
    class Command(BaseCommand):
        @tracked_script
        def handle(self, *args, **options): ...
    ```

    ## Use instead
    ```python
    class Command(BaseCommand):
        help = "Recompute order totals after the VAT change"

        @tracked_script
        def handle(self, *args, **options): ...
    ```
    """

    code = codes.MISSING_HELP

    def check(self, project: Project) -> Iterator[Finding]:
        """Yield the scripts without a help text."""
        for script in project.definitions.values():
            if not script.help:
                what, hint = _COMPUTED if script.has_computed_help else _MISSING
                yield Finding(script.location, self.code, f"{script.id} has {what}", hint)
