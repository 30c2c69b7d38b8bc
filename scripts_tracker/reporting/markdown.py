"""A review as Markdown, for a comment on a pull request: what a change of the code does to every environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scripts_tracker.core.markdown import block, code, details, text
from scripts_tracker.core.states import State
from scripts_tracker.core.text import as_typed, local_time, plain_reason
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import Fingerprint
from scripts_tracker.reporting import rehearsals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts_tracker.core.values import ScriptDefinition, ScriptId
    from scripts_tracker.project.review import Change, Review
    from scripts_tracker.reporting.terminal import Output

MARK: Final = "<!-- scripts_tracker: review -->"
"""The first line, by which the comment of the last time is found."""
MOST: Final = 60_000
"""Characters: GitHub takes 65,536."""
_MOST_ROWS: Final = 50
"""Of a table or a list; more are counted."""
_MOST_LINES: Final = 400
"""Of one diff."""
_COMMIT: Final = 12
_MOST_REHEARSED: Final = 15
"""Lines of a rehearsal."""


class _Part(NamedTuple):
    """A part of the text, and what stands in its place where there is no room."""

    full: str
    short: str = ""


def review(found: Review, _output: Output) -> str:
    """The whole comment; details are left out where it would be longer than GitHub takes."""
    head = [MARK, "## Management scripts", "", _summary(found)]
    parts = [
        *_plan(found),
        *_blocked(found),
        *(
            part
            for number, one in enumerate(found.runs[:_MOST_ROWS], start=1)
            for part in _section(one, found, number)
        ),
        *_others(found),
        *_gone(found),
        *_formatted(found),
        *_problems(found),
    ]
    return "\n".join([*head, *_fitting(parts, MOST - sum(map(len, head)) - len(head))]) + "\n"


def _fitting(parts: Sequence[_Part], room: int) -> Iterator[str]:
    """The parts in order: each in full as long as there is room for it and the short forms of the others."""
    left = room - sum(len(one.short) + 2 for one in parts)
    is_cut = False
    for one in parts:
        needed = len(one.full) - len(one.short)
        if needed <= left:
            left -= needed
            yield f"\n{one.full}"
        else:
            is_cut = True
            yield from [f"\n{one.short}"] if one.short else []
    if is_cut:
        yield "\nSome details are left out, as a comment cannot be longer. To see a script alone, add its name to the command."


def _summary(found: Review) -> str:
    runs, others, gone = len(found.runs), len(found.others), len(found.gone)
    base = f"Compared with {code(found.since)} ({code(found.commit[:_COMMIT])}): "
    if not (runs or others or gone or found.blocked):
        return f"{base}no management script changed."
    words = [
        f"**{_scripts(runs)}** {_verb(runs, 'runs', 'run')} in an environment that has applied everything of it",
        f"{others} changed and {_verb(others, 'does', 'do')} not run" if others else "",
        f"{gone} {_verb(gone, 'is', 'are')} gone" if gone else "",
        f"**{len(found.blocked)} cannot run**" if found.blocked else "",
    ]
    return f"{base}{', '.join(filter(None, words))}."


def _scripts(count: int) -> str:
    return f"{count} script{'s' * (count != 1)}" if count else "no script"


def _verb(count: int, one: str, several: str) -> str:
    return several if count > 1 else one


def _plan(found: Review) -> Iterator[_Part]:
    """The order, as a table."""
    if not found.runs:
        return
    rows = ["| | Script | Why it runs | After |", "|--:|---|---|---|"]
    for number, one in enumerate(found.runs[:_MOST_ROWS], start=1):
        after = " ".join(code(str(other), in_table=True) for other in one.after[:_MOST_ROWS])
        rows.append(f"| {number} | {code(str(one.status.id), in_table=True)} | {_why(one)} | {after} |")
    more = _more(found.runs)
    short = f"{_scripts(len(found.runs))} in this order: the table is left out."
    yield _Part("\n".join(["### What runs, in this order", "", *rows, *more]), short)


def _more(found: Sequence[object]) -> list[str]:
    return ["", f"and {len(found) - _MOST_ROWS} more."] if len(found) > _MOST_ROWS else []


def _why(change: Change) -> str:
    """Why a script runs or does not, as half a sentence."""
    status = change.status
    now = change.now
    state = status.state
    if state is State.NEW and change.renamed_from:
        return f"renamed and edited: runs as a new script, also where {code(change.renamed_from, in_table=True)} was applied"
    if state is State.NEW:
        return "new" if change.before is None else "new: the revision could not parse it"
    if state is State.MODIFIED:
        return f"changed{_of_modules(change)}: **runs again** where it was applied"
    words = {
        State.EDITED: 'changed; `rerun="once"`: does not run again where it was applied',
        State.RECURRING: 'changed; `rerun="always"`: runs each time anyway',
        State.MOVED: f"same code as {code(str(status.moved_from), in_table=True)}, which is gone: does not run where that was applied",
        State.UNREADABLE: "**cannot be parsed**: does not run, and `check_scripts` reports it everywhere",
        State.APPLIED: _why_applied(change),
    }
    if state in words:
        return words[state]
    return "cannot run" if now is not None else "gone"


def _why_applied(change: Change) -> str:
    """Why a script that differs stays applied: what differs does not run, or stands in another file."""
    now, before = change.now, change.before
    if now is not None and before is not None and now.fingerprint == before.fingerprint:
        return "its own file is the same: does not run again"
    return "changed in nothing that runs"


def _of_modules(change: Change) -> str:
    """What else than its own file has changed."""
    return f" ({text(change.modules)})" if change.modules else ""


def _blocked(found: Review) -> Iterator[_Part]:
    if found.blocked:
        lines = [
            f"- {code(str(script))}: {text('; '.join(reasons))}"
            for script, reasons in found.blocked[:_MOST_ROWS]
        ]
        short = f"{_scripts(len(found.blocked))} cannot run."
        yield _Part("\n".join(["### What cannot run", "", *lines, *_more(found.blocked)]), short)


def _section(change: Change, found: Review, number: int) -> Iterator[_Part]:
    """One script that runs: what it is, then what changed in it."""
    title = f"{number}. {code(str(change.status.id))}"
    yield _Part("\n".join([f"### {title}", "", *_facts(change), *_rehearsed(change, found)]))
    yield from _diff(change, found)


def _facts(change: Change) -> Iterator[str]:
    now = change.now
    if now is None:
        return
    if now.help:
        yield f"> {text(now.help)}\n"
    yield f"- File: {code(now.location.path)}"
    yield f"- {_rerun(now)}"
    if now.requires:
        names = " ".join(code(str(one.target or one.text)) for one in now.requires)
        yield f"- Requires: {names}"
    if now.is_batched:
        yield f"- {_batched(change)}"
    options = now.options
    if options.tags:
        yield f"- Tags: {' '.join(map(code, options.tags))}"
    if options.arguments:
        yield f"- Arguments: {code(as_typed(options.arguments))}"
    if options.atomic:
        yield "- Atomic: all of its work is one transaction"
    if options.verify:
        yield f"- Verified by {code(f'{options.verify}()')} after each run"
    if now.watches:
        yield f"- Watches: {' '.join(code(one.module) for one in now.watches)}"
    yield from _changes(change)


def _rehearsed(change: Change, found: Review) -> Iterator[str]:
    """What the last rehearsal in this database has found."""
    if change.status.id not in found.rehearsals:
        return
    version, rehearsal = found.rehearsals[change.status.id]
    now = change.now
    versions = (now.fingerprint, Fingerprint.of_bytes(now.content_digest)) if now else ()
    same = "this version" if version in map(str, versions) else "another version"
    day = local_time(rehearsal.started_at)
    if rehearsal.outcome != "succeeded":
        yield f"- Rehearsal of {same}, {day}: **failed**: {text(plain_reason(rehearsal.reason))}"
        return
    yield f"- Rehearsal of {same}, {day}:"
    report = rehearsal.report
    lines = [*rehearsals.sentences(report), *(f"Note: {one}." for one in report.warnings)]
    yield from (f"  - {text(one)}" for one in lines[:_MOST_REHEARSED])
    if len(lines) > _MOST_REHEARSED:
        yield f"  - and {len(lines) - _MOST_REHEARSED} more lines"


def _rerun(now: ScriptDefinition) -> str:
    rerun = {
        "on-change": "once, and again after each change of its code",
        "once": "once; later changes do not run it again",
        "always": "each time that `run_scripts` runs",
    }[now.options.rerun]
    fresh = ""
    if now.options.fresh == "mark":
        fresh = "; a new database marks it as applied without a run"
    elif now.options.fresh == "run":
        fresh = "; in a new database, too"
    return f'Runs {rerun} (`rerun="{now.options.rerun}"`){fresh}'


def _batched(change: Change) -> str:
    words = "Batched: it can be paused, and shared by `run_scripts --workers N`"
    if change.status.state is State.MODIFIED:
        words += (
            "; where it has begun and is not finished, it stops until `resume_script` with `--accept-code` or"
            " `--restart`"
        )
    return words


def _changes(change: Change) -> Iterator[str]:
    """The options and requirements that differ."""
    for name, before, now in change.options:
        yield f"- Changed: {code(f'{name}={before!r}')} is now {code(f'{name}={now!r}')}"
    added = [one[1:] for one in change.requires if one.startswith("+")]
    removed = [one[1:] for one in change.requires if one.startswith("-")]
    if added:
        yield f"- Now also requires: {' '.join(map(code, added))}"
    if removed:
        yield f"- No longer requires: {' '.join(map(code, removed))}"


def _diff(change: Change, found: Review) -> Iterator[_Part]:
    if not change.diff:
        return
    lines = change.diff[:_MOST_LINES]
    count = sum(one[:1] in {"+", "-"} for one in change.diff[2:])
    summary = f"What changed in the code: {count} line{'s' * (count != 1)}"
    body = block(lines, "diff")
    path = change.status.path
    whole = f"git diff {as_typed([found.since])} -- {as_typed([path])}"
    if len(change.diff) > _MOST_LINES:
        body += f"\n\n{len(change.diff) - _MOST_LINES} lines are left out. To see all: {code(whole)}"
    note = f"\n\n{text(change.note)}" if change.note else ""
    short = f"The {count} changed lines are left out here. To see them: {code(whole)}"
    yield _Part(details(summary, body + note), short)


def _others(found: Review) -> Iterator[_Part]:
    """What changed and does not run."""
    if not found.others:
        return
    short = f"{_scripts(len(found.others))} changed and {_verb(len(found.others), 'does', 'do')} not run: the list is left out."
    lines = [f"- {code(str(one.status.id))}: {_why(one)}" for one in found.others[:_MOST_ROWS]]
    yield _Part("\n".join(["### What changed and does not run", "", *lines, *_more(found.others)]), short)
    for one in found.others[:_MOST_ROWS]:
        for part in _diff(one, found):
            yield part._replace(full=f"{code(str(one.status.id))}\n\n{part.full}", short="")


def _gone(found: Review) -> Iterator[_Part]:
    if not found.gone:
        return
    lines = [f"- {code(str(one.status.id))}: {_absence(one)}" for one in found.gone[:_MOST_ROWS]]
    short = f"{_scripts(len(found.gone))} {_verb(len(found.gone), 'is', 'are')} gone: the list is left out."
    yield _Part("\n".join(["### What is gone", "", *lines, *_more(found.gone)]), short)


def _absence(change: Change) -> str:
    if change.status.absence:
        return f"{text(change.status.absence)}. Environments that have not applied it never will"
    return f"{code(change.status.path)} was deleted. Environments that have not applied it never will"


def _formatted(found: Review) -> Iterator[_Part]:
    if found.formatted:
        yield _collapsed("Only formatting changed, so nothing runs", found.formatted)


def _collapsed(title: str, scripts: Sequence[ScriptId]) -> _Part:
    lines = [f"- {code(str(one))}" for one in scripts[:_MOST_ROWS]]
    summary = f"{title}: {_scripts(len(scripts))}"
    return _Part(details(summary, "\n".join([*lines, *_more(scripts)])), f"{summary}.")


def _problems(found: Review) -> Iterator[_Part]:
    if found.findings:
        lines = [
            f"- {code(str(one.location))} {one.code}: {text(one.message)}. {text(one.hint)}"
            for one in found.findings[:_MOST_ROWS]
        ]
        short = f"{len(found.findings)} new problems in the scripts: `scripts-tracker-lint` lists them."
        yield _Part("\n".join(["### New problems", "", *lines, *_more(found.findings)]), short)
