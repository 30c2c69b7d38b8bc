"""ST020."""

from __future__ import annotations

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import RunRule


class NotInGit(RunRule):
    """A tracked script that git ignores or does not know.

    ## What it does
    Asks git for the file of every tracked script. Files that are added but not committed yet are fine, and so are
    files that lie outside of the repository or in a submodule. Without git, nothing is looked for.

    ## Why is this bad?
    The script runs here and exists nowhere else: the pull request lacks it, and no deploy ever runs it.

    ## Example
    ```console
    $ cat .gitignore
    fix_*.py
    $ python manage.py fix_totals
    ```

    ## Use instead
    ```console
    $ git add --force orders/management/commands/fix_totals.py
    ```
    """

    code = codes.NOT_IN_GIT
