"""ST020."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts_tracker.analysis import codes
from scripts_tracker.core.git import GitUnavailable
from scripts_tracker.core.values import Finding
from scripts_tracker.lint.base import RunRule
from scripts_tracker.lint.git import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.core.values import ScriptDefinition
    from scripts_tracker.lint.base import Run
    from scripts_tracker.lint.git import Pattern


class UncommittedScript(RunRule):
    """A tracked script is ignored by git, or was never added.

    ## What it does
    Asks git about the file of every tracked script. Files that are added but not committed yet are fine, and so are
    files outside of the repository or in a submodule. Without git, nothing is reported.

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

    code = codes.UNCOMMITTED_SCRIPT

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield the scripts that git ignores or does not know; none if git cannot answer."""
        try:
            repository = Repository(run.request.root)
            named = repository.named(run.scripts)
            unknown = named.keys() - repository.known(named)
            patterns = repository.ignored(unknown)
        except GitUnavailable:
            return
        for name, script in named.items():
            if name in unknown:
                yield _missing(script, patterns.get(name))


def _missing(script: ScriptDefinition, pattern: Pattern | None) -> Finding:
    import shlex

    path = shlex.quote(script.location.path)
    if pattern is None:
        message = f"{script.id} is not in git, so it exists only here"
        return Finding(script.location, codes.UNCOMMITTED_SCRIPT, message, f"Run `git add {path}`.")
    message = f"{script.id} is ignored by git, so it exists only here"
    hint = f"Run `git add --force {path}`, or change {pattern.text} in line {pattern.line} of {pattern.file}."
    return Finding(script.location, codes.UNCOMMITTED_SCRIPT, message, hint)
