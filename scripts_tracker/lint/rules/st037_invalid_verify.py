"""ST037."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.findings import in_script
from scripts_tracker.core.names import nearest
from scripts_tracker.core.values import Finding
from scripts_tracker.lint.base import ProjectRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.core.values import ScriptDefinition
    from scripts_tracker.lint.base import Project
    from scripts_tracker.lint.members import Found

_WORK: Final = frozenset({"handle", "handle_noargs", "execute", "run_from_argv", "__init__"})
_BATCHED_WORK: Final = _WORK | {"process", "batches", "finish"}
"""The methods that do the work of a script, or start it."""
_DJANGOS: Final = frozenset(
    {"add_arguments", "add_base_argument", "check", "check_migrations", "create_parser", "get_check_kwargs"}
    | {"get_version", "print_help"}
)
"""The other methods that a command has from BaseCommand."""
_WRITE: Final = "Write def {}(self), which raises an exception or returns False if the work is not done."
_OTHER: Final = "Name a method that only looks whether the work is done, and raises if it is not."


class InvalidVerify(ProjectRule):
    """`verify` names no method that can be asked whether the work is done.

    ## What it does
    Looks for the method that `verify=` names in the command and in its base classes. Reports a method that does not
    exist, that requires arguments, that is a property, `async` or a generator, that is one of Django's own, and
    `handle()` or `process()` itself. Nothing is reported if a base class comes from a package outside of the project, or
    if the command may have members that its classes do not show.

    ## Why is this bad?
    The method is called without arguments after `handle()`. If it cannot be called, a run fails when its work is already
    done. What an `async` method or a generator checks is never looked at, so every run passes.

    ## Example
    ```python
    @tracked_script(verify="check_total")
    def handle(self, *args, **options): ...

    def check_totals(self): ...
    ```

    ## Use instead
    ```python
    @tracked_script(verify="check_totals")
    def handle(self, *args, **options): ...

    def check_totals(self): ...
    ```
    """

    code = codes.INVALID_VERIFY

    def check(self, project: Project) -> Iterator[Finding]:
        """Yield the scripts whose ``verify`` names no method, or one that cannot be asked."""
        for script in project.definitions.values():
            name = script.options.verify
            if name is None:
                continue
            found = project.member(script, name)
            message, hint = _wrong(script, name, found)
            if message:
                location = script.location
                if found.verify is not None:
                    location = project.findings.location(*found.verify)
                yield in_script(Finding(location, self.code, message, hint), script.location)


def _wrong(script: ScriptDefinition, name: str, found: Found) -> tuple[str, str]:
    """What is wrong with the method, and what to do; empty if nothing is, or if it cannot be known."""
    subject = f'verify="{name}"'
    if name in (_BATCHED_WORK if script.is_batched else _WORK):
        return f"{subject} names a method that does the work of the script", _OTHER
    if found.problem:
        return f"{subject}: {name}() {found.problem}", _WRITE.format(name)
    if found.problem is not None or not found.is_known:
        return "", ""
    if name in _DJANGOS:
        return f"{subject} names a method of Django, which knows nothing of this script", _OTHER
    others = found.names - _BATCHED_WORK - _DJANGOS
    near = nearest(name, others)
    hint = f"Did you mean {near}()?" if near else _WRITE.format(name)
    return f"{subject}: the command has no method {name}()", hint
