"""ST020."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.findings import in_script
from scripts_tracker.core.git import GitUnavailable
from scripts_tracker.core.text import quoted
from scripts_tracker.core.values import Finding
from scripts_tracker.lint.base import RunRule
from scripts_tracker.lint.git import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.core.values import Requirement, ScriptDefinition
    from scripts_tracker.lint.base import Run
    from scripts_tracker.lint.git import Pattern


class UncommittedScript(RunRule):
    """A tracked script is ignored by git, or was never added.

    ## What it does
    Asks git about the file of every tracked script, and of every script that it requires. Files that are added but not committed yet are fine, and so are
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
        """Yield the scripts that git ignores or does not know, and what requires them; none if git cannot answer."""
        by_id = {one.id: one for one in run.definitions}
        required = {each.target for one in run.scripts for each in one.requires}
        others = [by_id[one] for one in required if one in by_id]
        try:
            repository = Repository(run.request.root)
            named = repository.named([*run.scripts, *others])
            unknown = named.keys() - repository.known(named)
            patterns = repository.ignored(unknown)
        except GitUnavailable:
            return
        missing = {named[name].id: (named[name], patterns.get(name)) for name in unknown}
        reported = {one.id for one in run.scripts}
        for script in run.scripts:
            if script.id in missing:
                yield _missing(*missing[script.id])
            for each in script.requires:
                if each.target in missing and each.target not in reported:
                    yield _missing_requirement(script, each, *missing[each.target])


def _missing_requirement(
    script: ScriptDefinition, each: Requirement, required: ScriptDefinition, pattern: Pattern | None
) -> Finding:
    """A requirement that would be unknown to whoever gets this commit."""
    why, hint = _reason(required, pattern)
    message = f"{script.id} requires {required.id}, which {why}"
    return in_script(Finding(each.location, codes.UNCOMMITTED_SCRIPT, message, hint), script.location)


def _missing(script: ScriptDefinition, pattern: Pattern | None) -> Finding:
    why, hint = _reason(script, pattern)
    return Finding(script.location, codes.UNCOMMITTED_SCRIPT, f"{script.id} {why}", hint)


def _reason(script: ScriptDefinition, pattern: Pattern | None) -> tuple[str, str]:
    path = quoted(script.location.path)
    if pattern is None:
        return "is not in git, so it exists only here", f"Run `git add {path}`."
    hint = f"Run `git add --force {path}`, or change {pattern.text} in line {pattern.line} of {pattern.file}."
    return "is ignored by git, so it exists only here", hint
