"""``check_scripts --untracked``: commands that nothing is known about, as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts_tracker.core.escaping import escaped
from scripts_tracker.reporting.json import document_text
from scripts_tracker.reporting.terminal import wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.reporting.terminal import Output


def as_text(untracked: Mapping[ScriptId, str], output: Output) -> str:
    """The path and the name of each, and what to type to track one.

    Args:
        untracked: the file of each command.
        output: where the text goes.
    """
    lines = [output.style.MIGRATE_HEADING(f"Commands without @tracked_script ({len(untracked)}):")]
    for script_id, path in untracked.items():
        lines += [f"  {escaped(path)}", f"    {script_id}"]
    if untracked:
        from scripts_tracker.ledger.database import typed  # needs the models

        first = next(iter(untracked))
        text = f"Run 'python {typed('start_script --adopt {}', first)}' to track it from now on."
        lines += wrapped(text, "", output)
    return "\n".join(lines)


def as_json(untracked: Mapping[ScriptId, str], output: Output) -> str:
    """The same as one JSON document."""
    commands = [{"command": one.dotted, "path": path} for one, path in untracked.items()]
    return document_text({"version": 1, "commands": commands}, output)
