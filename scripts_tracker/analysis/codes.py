"""The code of each finding, named like the rule that explains it."""

from __future__ import annotations

from typing import Final

UNREADABLE_FILE: Final = "ST000"
"""A file or folder cannot be read or analysed."""
MISPLACED_DECORATOR: Final = "ST001"
"""``@tracked_script`` decorates something else than the ``handle()`` of a Command class, or ``process()`` of a batched one."""
EMPTY_REQUIREMENT: Final = "ST002"
"""``@required_preceding_script`` names no script: no arguments, or no call."""
UNKNOWN_REQUIREMENT: Final = "ST003"
"""The required script does not exist."""
UNTRACKED_REQUIREMENT: Final = "ST004"
"""The required command exists, but is not tracked or is ignored."""
SELF_REQUIREMENT: Final = "ST005"
"""A script requires itself."""
CIRCULAR_REQUIREMENT: Final = "ST006"
"""Scripts require each other in a cycle."""
DYNAMIC_ARGUMENT: Final = "ST007"
"""A value that must be known without running the code is computed."""
INVALID_OPTION: Final = "ST008"
"""An unknown option, or an option with a value it does not take."""
SHADOWED_COMMAND: Final = "ST009"
"""Another command of the same name hides this one."""
UNREACHABLE_SCRIPT: Final = "ST010"
"""A tracked script is in a file that is never scanned."""
REQUIRED_ARGUMENT: Final = "ST011"
"""A tracked command needs arguments, and the runner passes none."""
INTERACTIVE_PROMPT: Final = "ST012"
"""A tracked script waits for input from a terminal."""
DEFERRED_HANDLE: Final = "ST013"
"""``handle()`` is a coroutine, which Django never awaits."""
HANDLE_NOARGS: Final = "ST014"
"""``handle_noargs()`` is not called by any supported Django."""
LEGACY_IMPORT_PATH: Final = "ST015"
"""The decorators are imported from the modules of django-scripts-tracker."""
MISSING_HELP: Final = "ST016"
"""A tracked script has no help text."""
REPEATED_DECORATOR: Final = "ST017"
"""A decorator is applied twice."""
RECURRING_REQUIREMENT: Final = "ST018"
"""A script requires one that runs every time."""
SWALLOWED_FAILURE: Final = "ST019"
"""A failure of the script is recorded as success."""
UNCOMMITTED_SCRIPT: Final = "ST020"
"""A tracked script is ignored by git or not committed."""
SILENT_CHANGE: Final = "ST021"
"""A script that is known elsewhere changed without an explicit ``rerun=``."""
UNUSED_NOQA: Final = "ST022"
"""A ``# noqa`` names a code that its line does not have."""
INVALID_HANDLE_SIGNATURE: Final = "ST023"
"""``handle()`` does not accept the arguments that Django passes."""
UNKNOWN_UNLESS_OPTION: Final = "ST024"
"""``unless`` names an option that the command does not have."""
INVALID_WATCH: Final = "ST025"
"""``watch`` names something that is no module of the project, or the script itself."""

HIDDEN_DECORATOR: Final = "ST026"
"""The way from a command to ``@tracked_script`` cannot be followed, so the script is not tracked."""
MISSPELT_DECORATOR: Final = "ST027"
"""A name is imported from scripts_tracker, or used as its attribute, that it does not have."""
UNTRACKED_COMMAND: Final = "ST028"
"""A command imports or uses one of our decorators, and is not tracked."""
INVALID_BATCHES: Final = "ST029"
"""``batches()`` does not return a plain queryset."""
MISSING_BATCHES: Final = "ST030"
"""A batched script has no ``batches()``."""
CONFLICTING_OPTION: Final = "ST031"
"""A batched script has an option that batches leave no room for."""
TRANSACTION_CONTROL: Final = "ST032"
"""``process()`` ends or replaces the transaction of its batch."""
OTHER_DATABASE: Final = "ST033"
"""``process()`` works in another database than its batch."""
EFFECT_BEFORE_COMMIT: Final = "ST034"
"""``process()`` sends mail or a request before its batch is committed."""
ROW_BY_ROW_LOOP: Final = "ST035"
"""A script loops over a table in ``handle()`` and saves row by row."""
REPLACED_HANDLE: Final = "ST036"
"""A batched script has a ``handle()``, or what calls it, of its own, so that no batch is processed."""

NAMES: Final = {
    code: name.lower().replace("_", "-")
    for name, code in sorted(globals().items(), key=lambda one: str(one[1]))
    if name.isupper()
}
"""The name of the rule for each code, in order."""
ALL: Final = tuple(NAMES)
"""All codes, in order."""
ON_REQUEST: Final = frozenset({ROW_BY_ROW_LOOP})
"""Hints: they are reported only where their code, or the name of the rule, is selected as such."""


def code_of(text: str) -> str:
    """The code that a person writes, as such or by the name of its rule; anything else in capitals."""
    wanted = text.lower()
    return next((code for code, name in NAMES.items() if name == wanted), text.upper())
