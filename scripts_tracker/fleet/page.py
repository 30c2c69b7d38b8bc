"""A fleet as one static page: no script, no other file, light or dark as the reader has it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from scripts_tracker.core.escaping import visible
from scripts_tracker.core.text import local_time
from scripts_tracker.fleet import comparison, formats

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.fleet.comparison import Row
    from scripts_tracker.fleet.formats import View

# What a state looks like beside its name, for readers who see colours.
_TONES: Final = {
    **dict.fromkeys(("failed", "lost", "unreadable"), "trouble"),
    **dict.fromkeys(("new", "modified", formats.NOT_KNOWN), "waiting"),
    **dict.fromkeys(("running", "paused"), "busy"),
}
_STYLE: Final = """
:root { color-scheme: light dark; --text: #1c2024; --quiet: #5b6570; --back: #ffffff; --line: #d5dae0; --head: #f3f5f7;
  --trouble: #a4161a; --waiting: #7a4a00; --busy: #0b5394; --done: #1b5e20; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ec; --quiet: #a7b0b9; --back: #14181c; --line: #38414a;
  --head: #1e2429; --trouble: #ff9c9c; --waiting: #f2c266; --busy: #8ec5ff; --done: #93d597; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 90rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--text);
  background: var(--back); overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; margin: 0 0 .5rem; } h2 { font-size: 1.1rem; margin: 1.5rem 0 .5rem; }
ul { padding-left: 1.2rem; margin: .3rem 0; } small, .quiet { color: var(--quiet); font-size: .85rem; font-weight: 400; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 4px; }
table { border-collapse: collapse; width: 100%; } th, td { padding: .4rem .6rem; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); } thead th { background: var(--head); }
tbody th { font-weight: 600; position: sticky; left: 0; background: var(--back); min-width: 16rem; }
td { min-width: 7rem; } tr:last-child > * { border-bottom: 0; }
.trouble { color: var(--trouble); font-weight: 600; } .waiting { color: var(--waiting); font-weight: 600; }
.busy { color: var(--busy); } .done { color: var(--done); } .stale { color: var(--trouble); }
@media (max-width: 700px) { .scroll { border: 0; overflow-x: visible; } thead { display: none; }
  table, tbody, tr, th, td { display: block; width: 100%; } tbody th { position: static; border: 0; padding: .8rem 0 .2rem; }
  td { display: flex; justify-content: space-between; gap: 1rem; padding: .2rem 0; border: 0; }
  td > span:last-child { text-align: right; } td::before { content: attr(data-environment); color: var(--quiet); }
  tr { border-bottom: 1px solid var(--line); padding-bottom: .6rem; } }
"""


def html(view: View) -> str:
    """The page."""
    count = len(view.fleet.snapshots)
    title = f"Scripts in {count} environment{'s' * (count != 1)}"
    body = [f"<h1>{title}</h1>", *_environments(view)]
    if view.required:
        body += _missing(view)
    body += _scripts(view)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + "\n</main>\n</body>\n</html>\n"
    )


def _text(text: str) -> str:
    return escape(visible(text))


def _environments(view: View) -> Iterator[str]:
    yield "<ul>"
    for one in view.fleet.snapshots:
        waiting = sum(not entry.is_applied for entry in one.entries.values())
        stale = ' class="stale"' if one.is_stale(view.now) else ' class="quiet"'
        when = f"<span{stale}>{_text(formats.taken(one, view.now))}</span>"
        yield f"<li><strong>{_text(one.environment)}</strong>: {waiting} not applied, {when}</li>"
    yield "</ul>"


def _missing(view: View) -> Iterator[str]:
    found = comparison.missing(view.fleet, view.required)
    yield f"<h2>Not applied where required ({len(found)})</h2>"
    if not found:
        yield f"<p>No script is missing in {_text(' and '.join(view.required))}.</p>"
        return
    yield "<ul>"
    for environment, script, state in found:
        yield f"<li>{_text(script)} in {_text(environment)}: {_state(state)}</li>"
    yield "</ul>"


def _scripts(view: View) -> Iterator[str]:
    names = view.fleet.environments
    uniform = len(view.fleet.rows) - len(view.rows)
    if uniform:
        verb = "scripts are" if uniform != 1 else "script is"
        yield f'<p class="quiet">{uniform} {verb} applied everywhere in the same version.</p>'
    if not view.rows:
        return
    yield '<div class="scroll" tabindex="0" role="region" aria-label="Scripts by environment"><table><thead><tr>'
    yield '<th scope="col">Script</th>'
    yield from (f'<th scope="col">{_text(name)}</th>' for name in names)
    yield "</tr></thead><tbody>"
    for row in view.rows:
        yield f'<tr><th scope="row">{_text(row.script)}<br><small>{_text(row.path)}</small></th>'
        yield from (_cell(row, name) for name in names)
        yield "</tr>"
    yield "</tbody></table></div>"


def _cell(row: Row, environment: str) -> str:
    entry = row.entries[environment]
    words = _state(formats.cell(row, environment))
    when = (
        f"<br><small>{_text(local_time(entry.applied_at)[:10])}</small>" if entry and entry.applied_at else ""
    )
    return f'<td data-environment="{_text(environment)}"><span>{words}{when}</span></td>'


def _state(words: str) -> str:
    return f'<span class="{_TONES.get(words.partition(" ")[0], "done")}">{_text(words)}</span>'
