"""ST025."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule


class InvalidWatch(AnalysisRule):
    """A watched module does not exist, is none of the project's, or is the script itself.

    ## What it does
    Looks up every name in `watch` of `@tracked_script` among the files of the project: next to the apps, in `src/`, and
    in the folders that `roots` names. A name stands for one file, that of a package for its `__init__.py`; what that
    file imports is not watched with it.

    ## Why is this bad?
    A change of what the script relies on goes unnoticed: the module was renamed, deleted, or misspelt. Modules of the
    standard library and of installed packages are other in every environment, and an upgrade is no reason to run every
    script again. The file of the script counts anyway.

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

    code = codes.WATCHES_NOTHING
