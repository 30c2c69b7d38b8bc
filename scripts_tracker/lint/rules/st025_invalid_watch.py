"""ST025."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class InvalidWatch(AnalysisRule):
    """A watched module does not exist, is not part of the project, or is the script itself.

    ## What it does
    Looks up each name in `watch` of `@tracked_script` among the files of the project: next to the apps, in `src/`,
    and in the folders that `roots` names. A name stands for one file, and that of a package for its `__init__.py`.
    Modules that this file imports are not watched.

    ## Why is this bad?
    If a module was renamed, deleted or misspelt, changes of the code that the script uses go unnoticed. The
    standard library and installed packages differ between environments, and upgrading them is no reason to run
    every script again. The script's own file always counts.

    ## Example
    ```python
    @tracked_script(watch=("shop.pricng", "decimal"))
    def handle(self, *args, **options): ...
    ```

    ## Use instead
    ```python
    @tracked_script(watch=("shop.pricing",))
    def handle(self, *args, **options): ...
    ```
    """

    code = codes.INVALID_WATCH
    decided_by = ("scripts_tracker.analysis.linking.arguments.WatchReader.read",)
