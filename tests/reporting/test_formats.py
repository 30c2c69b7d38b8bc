from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest
from django.core.management.color import make_style, no_style

from scripts_tracker.core.states import ScriptRecord, State, statuses
from scripts_tracker.core.values import Finding, Lease, Location, ScriptDefinition
from scripts_tracker.reporting import formats
from scripts_tracker.reporting.formats import CHECK_FORMATS
from scripts_tracker.reporting.report import EXIT_CODES, Report, next_step
from scripts_tracker.reporting.terminal import Output
from scripts_tracker.reporting.text import notice, waiting
from tests.builders import definition, fingerprint, module, record, run, walk
from tests.conftest import every_pair
from tests.growth import LARGER, grows_in_proportion

PLAIN = Output(no_style())


def report(
    found: list[ScriptDefinition],
    kept: list[ScriptRecord] | None = None,
    findings: tuple[Finding, ...] = (),
    *,
    show_all: bool = False,
    dependencies: bool = False,
) -> Report:
    all_of_them = statuses(found, {one.id: one for one in kept or []})
    by_id = {status.id: status for status in all_of_them}
    return Report(all_of_them, by_id, findings, show_all, dependencies)


def text(made: Report, output: Output = PLAIN) -> str:
    return formats.renderer(CHECK_FORMATS, "text")(made, output)


def test_text_is_the_first_of_the_formats() -> None:
    assert tuple(CHECK_FORMATS) == ("text", "dot", "json", "markdown", "mermaid")


def test_a_format_that_does_not_exist_fails_loudly() -> None:
    with pytest.raises(KeyError):
        formats.renderer(CHECK_FORMATS, "yaml")


def test_the_notice_has_the_words_that_people_grep_for() -> None:
    assert notice(report([definition("orders.fix_totals")]), PLAIN) == (
        "Checking management scripts:\n"
        "  You have 1 new and 0 modified management scripts to be applied.\n"
        "New scripts (1):\n"
        "  orders/management/commands/fix_totals.py\n"
        "    Does orders.fix_totals\n"
        "  Names: orders.fix_totals"
    )


def test_of_many_scripts_ten_are_listed_and_the_command_that_lists_all() -> None:
    many = report([definition(f"a.s{number:03d}") for number in range(200)])
    more = "\n  and 190 more; to list all: manage.py check_scripts --verbosity 2"
    for made in (notice(many, PLAIN), text(many)):
        assert made.count("/commands/s") == 10
        assert more in made
        assert "New scripts (200):" in made
    assert text(many._replace(is_full=True)).count("/commands/s") == 200
    assert text(many._replace(show_all=True)).count("/commands/s") == 200
    twelve = report([definition(f"a.s{number:03d}") for number in range(12)])
    assert (text(twelve).count("/commands/s"), "more" in text(twelve)) == (12, False)


def test_of_many_problems_ten_are_listed() -> None:
    found = tuple(Finding(Location(f"shop/{number}.py"), "ST003", "no such script") for number in range(30))
    made = text(report([], findings=found))
    assert (made.count("ST003"), "  and 20 more; " in made) == (10, True)


def test_of_a_long_help_text_the_first_line_is_shown() -> None:
    made = report([definition("a.x")._replace(help="\nFix the totals.\n\nSeven\nlines\nof\nprose\n.")])
    for shown in (notice(made, PLAIN), text(made)):
        assert "    Fix the totals.\n" in shown
        assert "prose" not in shown


def test_a_running_script_is_listed_with_its_holder_in_the_notice_too() -> None:
    kept = record("a.x", last_run=run("running"))._replace(lease=Lease(is_live=True, ago=4.0, left=56.0))
    made = report([definition("a.x")], [kept])
    words = (
        "a.x: running since 2026-05-01 12:00 UTC by deploy on web-1, process 42; last sign of life 4 s ago, free in"
        " 56 s if none follows"
    )
    for shown in (notice(made, PLAIN), text(made)):
        assert "Running scripts (1):" in shown
        assert words in shown


NEXT = {
    "nothing": ([], [], ""),
    "a new one": ([definition("a.x")], [], "Run 'python manage.py run_scripts' to apply them."),
    "a failed one beside a new one": (
        [definition("a.x"), definition("b.y")],
        [record("b.y", last_run=run("failed"))],
        "Run 'python manage.py run_scripts' to apply them; 'python manage.py show_script b.y' says why it failed.",
    ),
    "a failed one": (
        [definition("b.y")],
        [record("b.y", last_run=run("failed"))],
        "Run 'python manage.py show_script b.y' to see why it failed and what to type next.",
    ),
    "a lost one": (
        [definition("b.y")],
        [record("b.y", last_run=run("running"))],
        "Run 'python manage.py show_script b.y' to see what is known of its last run and what to type next.",
    ),
    "an unreadable one": (
        [definition("b.y", None)],
        [],
        "Run 'python manage.py show_script b.y' to see what is wrong in its file.",
    ),
    "a moved one": (
        [definition("b.y")],
        [record("b.z", "a")],
        "Run 'python manage.py check_scripts --mark-applied b.y' to mark it under its new name.",
    ),
    "a running one": (
        [definition("b.y")],
        [record("b.y", last_run=run("running"))._replace(lease=Lease(is_live=True, ago=4.0, left=56.0))],
        "Run 'python manage.py show_script b.y --watch' to follow it until it ends.",
    ),
    "a failed one beside a running one": (
        [definition("a.x"), definition("b.y")],
        [
            record("a.x", last_run=run("running"))._replace(lease=Lease(is_live=True, ago=4.0, left=56.0)),
            record("b.y", last_run=run("failed")),
        ],
        "Run 'python manage.py show_script b.y' to see why it failed and what to type next.",
    ),
    "a paused one": (
        [definition("b.y", is_batched=True)],
        [record("b.y", walk=walk(hold="pause"))],
        "Run 'python manage.py resume_script b.y' to let it go on.",
    ),
    "an applied one": ([definition("b.y")], [record("b.y", "a")], ""),
    "a failed one without a file": ([], [record("b.y", last_run=run("failed"))], ""),
}


@pytest.mark.parametrize(("found", "kept", "line"), NEXT.values(), ids=NEXT)
def test_what_to_type_next(found: list[ScriptDefinition], kept: list[ScriptRecord], line: str) -> None:
    made = report(found, kept)
    assert next_step(made) == line
    assert text(made).endswith(line)


def test_what_was_typed_to_select_scripts_is_typed_again() -> None:
    made = report([definition("a.x")])._replace(names=("a", "b.*"))
    assert next_step(made) == "Run 'python manage.py run_scripts a \"b.*\"' to apply them."


WAITING = {
    "nothing": ([], [], ""),
    "one": ([definition("a.x")], [], "You have 1 new management script."),
    "several kinds": (
        [definition("a.x"), definition("b.y"), definition("c.z", None)],
        [record("b.y", last_run=run("failed"))],
        "You have 1 new, 1 unreadable and 1 failed management scripts.",
    ),
    "applied": ([definition("a.x")], [record("a.x", "a")], ""),
}


@pytest.mark.parametrize(("found", "kept", "line"), WAITING.values(), ids=WAITING)
def test_what_waits_in_a_line(found: list[ScriptDefinition], kept: list[ScriptRecord], line: str) -> None:
    assert waiting(report(found, kept)) == line


def test_the_notice_of_nothing_is_two_lines() -> None:
    assert len(notice(report([]), PLAIN).splitlines()) == 2


def test_the_notice_counts_problems_and_names_the_command_that_shows_them() -> None:
    finding = Finding(Location("shop/x.py", 3, 5), "ST003", "no such script", "write another")
    words = notice(report([], findings=(finding,)), PLAIN)
    assert words.endswith("1 problem was found in the scripts; to see them: manage.py check_scripts")


def test_an_unmarked_script_says_who_unmarked_it_and_when() -> None:
    made = text(report([definition("a.x")], [record("a.x", last_run=run("succeeded", kind="unmark"))]))
    assert "a.x: unmarked on 2026-05-01 12:00 UTC by deploy on web-1" in made


WHYS = {
    "new": ([definition("a.x")], [], "a.x: never applied here"),
    "modified": ([definition("a.x", "b")], [record("a.x", "a")], "applied on 2026-05-01 12:00 UTC"),
    "failed": (
        [definition("a.x")],
        [record("a.x", last_run=run("failed"))],
        "the last run failed (started 2026-05-01 12:00 UTC by deploy on web-1, process 42)",
    ),
    "lost": ([definition("a.x")], [record("a.x", last_run=run("running"))], "never ended"),
    "unreadable": ([definition("a.x", None)], [], "cannot be parsed"),
    "edited": ([definition("a.x", "b", rerun="once")], [record("a.x", "a")], 'rerun is "once"'),
    "reverted": ([definition("a.x", "a")], [record("a.x", "b", before="a")], "applied earlier"),
    "moved": ([definition("b.y")], [record("a.x", "a")], "applied as a.x, whose file is gone"),
}


@pytest.mark.parametrize(("state", "case"), WHYS.items(), ids=list(WHYS))
def test_every_listed_state_says_why(
    state: str, case: tuple[list[ScriptDefinition], list[ScriptRecord], str]
) -> None:
    found, kept, words = case
    made = text(report(found, kept))
    assert f"{State[state.upper()].label} scripts (1):" in made
    assert words in made


BY_BYTES = {
    "applied": ("a", {}, "applied on 2026-05-01 12:00 UTC; only the bytes could be compared: no source"),
    "modified": (
        "b",
        {},
        "the file changed since it was applied on 2026-05-01 12:00 UTC; only the bytes could be",
    ),
    "edited": (
        "b",
        {"rerun": "once"},
        "the file changed since it was applied on 2026-05-01 12:00 UTC, and rerun is",
    ),
}


@pytest.mark.parametrize(("state", "case"), BY_BYTES.items(), ids=list(BY_BYTES))
def test_a_comparison_of_bytes_is_called_one(state: str, case: tuple[str, dict[str, Any], str]) -> None:
    code, options, words = case
    kept = record("a.x", "a")._replace(bytes_only="no source")
    made = report([definition("a.x", code, **options)], [kept], show_all=True)
    assert made.statuses[0].state.value == state
    assert words in text(made)
    assert (words in notice(made, PLAIN)) == (state == "modified")


def test_without_a_comparison_bytes_are_not_mentioned() -> None:
    kept = record("a.x", "a", last_run=run("running"))._replace(bytes_only="no source")
    assert "bytes" not in text(report([definition("a.x")], [kept]))


@pytest.mark.parametrize("state", list(State), ids=lambda state: state.value)
def test_every_state_has_a_reason(state: State) -> None:
    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.reporting.report import why

    status = ScriptStatus(record("a.x", "a").id, state, definition("a.x"), record("a.x", "a"))
    assert why(status)


@pytest.mark.parametrize("state", list(State), ids=lambda state: state.value)
def test_a_check_fails_for_every_state_that_needs_action_and_for_no_other(state: State) -> None:
    assert (EXIT_CODES.get(state, 0) > 0) == state.needs_action


def test_what_is_not_listed_is_counted() -> None:
    made = text(report([definition("a.x"), definition("a.y")], [record("a.y", "a")]))
    assert "a.y" not in made
    assert "Not listed: 1 applied. To list all: manage.py check_scripts --all" in made


def test_all_lists_applied_scripts_too() -> None:
    made = text(report([definition("a.y")], [record("a.y", "a")], show_all=True))
    assert "Applied scripts (1):\n  a/management/commands/y.py" in made


def test_an_unapplied_requirement_is_named_with_its_state() -> None:
    made = text(report([definition("a.x", requires=("b.y",)), definition("b.y")]))
    assert "    requires b.y (new)\n" in made


def test_text_is_wrapped_at_the_width_of_a_terminal_and_nowhere_else() -> None:
    made = report(
        [definition("a.x")], findings=(Finding(Location("a/x.py"), "ST003", "word " * 40, "do " * 40),)
    )
    narrow = text(made, Output(no_style(), width=60))
    assert max(map(len, narrow.splitlines())) <= 60
    assert max(map(len, text(made).splitlines())) > 60


def test_colours_are_djangos_styles() -> None:
    assert "\x1b[" in text(report([definition("a.x")]), Output(make_style("")))
    assert "\x1b[" not in text(report([definition("a.x")]))


TREES = {
    "nothing to apply": ([definition("a.x")], [record("a.x", "a")], ["No scripts to apply."]),
    "a chain": (
        [definition("a.x", requires=("b.y",)), definition("b.y", requires=("c.z",)), definition("c.z")],
        [],
        ["└── a.x", "    └── b.y", "        └── c.z"],
    ),
    "a diamond is drawn once": (
        [
            definition("a.x", requires=("b.l", "b.r")),
            definition("b.l", requires=("c.z",)),
            definition("b.r", requires=("c.z",)),
            definition("c.z", requires=("d.z",)),
            definition("d.z"),
        ],
        [],
        [
            "└── a.x",
            "    ├── b.l",
            "    │   └── c.z",
            "    │       └── d.z",
            "    └── b.r",
            "        └── c.z (drawn above)",
        ],
    ),
    "an applied requirement is not drawn": (
        [definition("a.x", requires=("b.y",)), definition("b.y")],
        [record("b.y", "a")],
        ["└── a.x"],
    ),
    "a requirement that does not exist": (
        [definition("a.x", requires=("no.such",))],
        [],
        ["└── a.x", "    └── no.such (does not exist)"],
    ),
    "a cycle is named as a cycle": (
        [definition("a.x", requires=("a.y",)), definition("a.y", requires=("a.x",)), definition("b.z")],
        [],
        [
            "├── b.z",
            "└── a.x (in a cycle)",
            "    └── a.y (in a cycle)",
            "        └── a.x (in a cycle) (drawn above)",
            "Cycle: a.x -> a.y -> a.x",
        ],
    ),
    "a long chain is not indented": (
        [
            definition("a.x", requires=("a.y", "a.z")),
            *(definition(f"b.s{n}", requires=(f"b.s{n + 1}",)) for n in range(3)),
            definition("b.s3", requires=("c.l", "c.r")),
            *map(definition, ("c.l", "c.r", "a.z")),
            definition("a.y", requires=("b.s0",)),
        ],
        [],
        [
            "└── a.x",
            "    ├── a.y",
            "    │   -> b.s0",
            "    │   -> b.s1",
            "    │   -> b.s2",
            "    │   -> b.s3",
            "    │      ├── c.l",
            "    │      └── c.r",
            "    └── a.z",
        ],
    ),
    "a long chain that ends in what was drawn, and one in what does not exist": (
        [
            definition("a.x", requires=("b.y",)),
            definition("b.y"),
            *(definition(f"c.s{n}", requires=(f"c.s{n + 1}",)) for n in range(3)),
            definition("c.s3", requires=("b.y",)),
            *(definition(f"d.s{n}", requires=(f"d.s{n + 1}",)) for n in range(3)),
            definition("d.s3", requires=("no.such",)),
        ],
        [],
        [
            "├── a.x",
            "│   └── b.y",
            "├── c.s0",
            "│   -> c.s1",
            "│   -> c.s2",
            "│   -> c.s3",
            "│   -> b.y (drawn above)",
            "└── d.s0",
            "    -> d.s1",
            "    -> d.s2",
            "    -> d.s3",
            "    -> no.such (does not exist)",
        ],
    ),
    "a long cycle is a chain": (
        [definition(f"a.s{n}", requires=(f"a.s{(n + 1) % 4}",)) for n in range(4)],
        [],
        [
            "└── a.s0 (in a cycle)",
            "    -> a.s1 (in a cycle)",
            "    -> a.s2 (in a cycle)",
            "    -> a.s3 (in a cycle)",
            "    -> a.s0 (in a cycle) (drawn above)",
            "Cycle: a.s0 -> a.s1 -> a.s2 -> a.s3 -> a.s0",
        ],
    ),
    "what branches too deep is drawn below": (
        [
            *(definition(f"a.s{n}", requires=(f"a.s{n + 1}", f"b.s{n}")) for n in range(9)),
            *(definition(f"b.s{n}") for n in range(9)),
            definition("a.s9"),
        ],
        [],
        [
            "├── a.s0",
            *(f"│   {'│   ' * n}├── a.s{n + 1}" for n in range(7)),
            f"│   {'│   ' * 7}├── a.s8 (drawn below)",
            *(f"│   {'│   ' * n}└── b.s{n}" for n in reversed(range(8))),
            "└── a.s8",
            "    ├── a.s9",
            "    └── b.s8",
        ],
    ),
    "a script that requires another twice draws it once": (
        [definition("a.x", requires=("b.y", "b.y")), definition("b.y")],
        [],
        ["└── a.x", "    └── b.y"],
    ),
}


@pytest.mark.parametrize(("found", "kept", "lines"), TREES.values(), ids=TREES)
def test_tree(found: list[ScriptDefinition], kept: list[ScriptRecord], lines: list[str]) -> None:
    made = text(report(found, kept, dependencies=True)).splitlines()
    start = made.index("Script dependencies:") + 1
    assert made[start : start + len(lines)] == [f"  {line}" for line in lines]


@pytest.mark.parametrize("name", [name for name in CHECK_FORMATS if name not in {"json", "markdown"}])
def test_no_text_of_an_author_controls_the_terminal(name: str) -> None:
    evil = "\x1b[2J\u202e\r"
    made = report([definition("a.x", requires=(f"no.such{evil}",))], dependencies=True)
    (status,) = made.statuses
    assert status.definition is not None
    place = Location(f"{evil}a/x.py")
    odd = status._replace(definition=status.definition._replace(help=f"Does\xa0a.x{evil}", location=place))
    finding = Finding(place, "ST003", evil, evil)
    shown = formats.renderer(CHECK_FORMATS, name)(
        made._replace(statuses=(odd,), by_id={odd.id: odd}, findings=(finding,)), PLAIN
    )
    assert "no.such^[[2J" in shown
    assert not set(shown) & set(evil[:1] + evil[4:])
    if name == "text":
        assert "    Does a.x^[[2J<U+202E>\n" in shown


def test_a_terminal_without_box_characters_gets_ascii() -> None:
    made = report([definition("a.x", requires=("b.y",)), definition("b.y")], dependencies=True)
    assert text(made, Output(no_style(), unicode=False)).isascii()


def test_json_is_the_contract_to_the_letter() -> None:
    finding = Finding(Location("a/x.py", 3, 5), "ST004", "a fact", "a command", fixable=True)
    made = report(
        [
            definition("a.x", "b", requires=("b.y",), tags=("slow",), watches=("a.helper=b",)),
            definition("b.y"),
        ],
        [record("a.x", "a", watched=("a.helper=a",)), record("b.y", "a")],
        (finding,),
    )
    made = made._replace(
        environment="production", taken_at=datetime(2026, 5, 2, tzinfo=timezone.utc), revision="1f"
    )
    document = json.loads(formats.renderer(CHECK_FORMATS, "json")(made, PLAIN))
    assert document == {
        "version": 1,
        "counts": {state.value: {"modified": 1, "applied": 1}.get(state.value, 0) for state in State},
        "needs_action": True,
        "scripts": [
            {
                "script": "a.x",
                "state": "modified",
                "needs_action": True,
                "path": "a/management/commands/x.py",
                "help": "Does a.x",
                "fingerprint": "st1:" + "b" * 64,
                "requires": ["b.y"],
                "applied_at": "2026-05-01T12:00:00+00:00",
                "applied_fingerprint": "st1:" + "a" * 64,
                "inherited_from": None,
                "tags": ["slow"],
                "last_run": {
                    "outcome": "succeeded",
                    "kind": "run",
                    "started_at": "2026-05-01T12:00:00+00:00",
                    "seconds": 0.0,
                    "host": "web-1",
                },
                "last_success": None,
                "watches": ["a.helper"],
                "changed_modules": ["a.helper"],
                "lease": None,
                "progress": None,
                "queued_jobs": None,
            }
        ],
        "environment": "production",
        "environment_is_undecided": False,
        "taken_at": "2026-05-02T00:00:00+00:00",
        "revision": "1f",
        "problems": [
            {
                "path": "a/x.py",
                "line": 3,
                "column": 5,
                "code": "ST004",
                "message": "a fact",
                "hint": "a command",
                "fixable": True,
            }
        ],
    }


def test_json_of_a_script_without_a_file_has_nulls() -> None:
    made = report([], [record("a.x", "a")], show_all=True)
    (script,) = json.loads(formats.renderer(CHECK_FORMATS, "json")(made, PLAIN))["scripts"]
    assert (script["state"], script["fingerprint"], script["path"]) == (
        "missing",
        None,
        "a/management/commands/x.py",
    )


WATCHES = {
    "a module changed": (
        definition("a.x", watches=("a.p=b", "a.q=a")),
        record("a.x", "a", watched=("a.p=a", "a.q=a")),
        "a.x: a.p, which it watches, changed; applied on 2026-05-01",
    ),
    "the script and two modules changed": (
        definition("a.x", "b", watches=("a.p=b", "a.q=b")),
        record("a.x", "a", watched=("a.p=a", "a.q=a")),
        "a.x: the code changed since it was applied on 2026-05-01 12:00 UTC; a.p and a.q, which it watches, changed",
    ),
    "a module is gone and another was not watched": (
        definition("a.x", watches=("a.p=", "a.q=a"), rerun="once"),
        record("a.x", "a", watched=("a.p=a",)),
        "a.x: a.p, which it watches, was removed; a.q, which it watches, was not watched then; applied on 2026-05-01",
    ),
    "a module cannot be parsed": (
        definition("a.x", watches=("a.p=?",)),
        record("a.x", "a", watched=("a.p=a",)),
        "a.x: a.p, which it watches, cannot be parsed, see the problems below",
    ),
    "a module never existed, and the script ran anyway": (
        definition("a.x", watches=("a.p=",)),
        record("a.x", "a", watched=("a.p=",)),
        "a.x: applied on 2026-05-01 12:00 UTC; a.p, which it watches, does not exist",
    ),
    "a module never existed, and the script did not run": (
        definition("a.x", watches=("a.p=", "a.q=")),
        None,
        "a.x: never applied here; a.p and a.q, which it watches, do not exist",
    ),
    "a module could not be analysed then": (
        definition("a.x", watches=("a.p=a",)),
        record("a.x", "a", watched=("a.p=?",)),
        "; only the bytes could be compared: a.p could not be parsed then",
    ),
}


@pytest.mark.parametrize(("found", "kept", "words"), WATCHES.values(), ids=WATCHES)
def test_why_names_the_watched_modules(
    found: ScriptDefinition, kept: ScriptRecord | None, words: str
) -> None:
    assert words in text(report([found], [kept] if kept else [], show_all=True))


def test_the_notice_names_the_module_that_made_a_script_modified() -> None:
    changed = report([definition("a.x", watches=("a.p=b",))], [record("a.x", "a", watched=("a.p=a",))])
    assert "a.p, which it watches, changed" in notice(changed, PLAIN)
    plain = report([definition("a.x", "b", watches=("a.p=a",))], [record("a.x", "a", watched=("a.p=a",))])
    assert "a.p" not in notice(plain, PLAIN)


def test_the_algorithm_of_a_module_is_named_where_only_its_bytes_could_be_compared() -> None:
    old = module("a.p=a")._replace(
        fingerprint=fingerprint("a")._replace(algorithm="st0"), content_digest="other bytes"
    )
    kept = record("a.x", "a")._replace(applied_watched=(old,))
    found = text(report([definition("a.x", watches=("a.p=a",))], [kept]))
    assert "only the bytes could be compared: the fingerprint of a.p uses algorithm st0, not st1" in found


EXITS = {
    "nothing to do": ([definition("a.x")], [record("a.x", "a")], 0),
    "new": ([definition("a.x")], [], 1),
    "modified": ([definition("a.x", "b")], [record("a.x", "a")], 1),
    "failed": ([definition("a.x"), definition("a.y")], [record("a.x", last_run=run("failed"))], 3),
    "lost": ([definition("a.x")], [record("a.x", last_run=run("running"))], 3),
    "unreadable wins": (
        [definition("a.x"), definition("a.y", None), definition("a.z")],
        [record("a.x", last_run=run("failed"))],
        4,
    ),
    "missing, edited and reverted ask for nothing": (
        [definition("a.e", "b", rerun="once"), definition("a.r")],
        [record("a.gone", "z"), record("a.e", "a"), record("a.r", "b", before="a")],
        0,
    ),
}


@pytest.mark.parametrize(("found", "kept", "code"), EXITS.values(), ids=EXITS)
def test_exit_code(found: list[ScriptDefinition], kept: list[ScriptRecord], code: int) -> None:
    assert report(found, kept).exit_code == code


def chain(count: int) -> list[ScriptDefinition]:
    return [definition(f"a.s{n:05d}", requires=(f"a.s{n + 1:05d}",) * (n < count - 1)) for n in range(count)]


SHAPES = {
    "a chain": chain,
    "a chain of which each requires one more": lambda count: [
        *(one._replace(requires=one.requires * 1 + other.requires) for one, other in zip(
            chain(count), (definition("a.z", requires=(f"b.s{n:05d}",)) for n in range(count)), strict=True)),
        *(definition(f"b.s{n:05d}") for n in range(count)),
    ],
    "pairs": lambda count: [definition(f"a.s{n:05d}", requires=(f"a.s{n ^ 1:05d}",)) for n in range(count)],
    "a cycle": lambda count: [
        definition(f"a.s{n:05d}", requires=(f"a.s{(n + 1) % count:05d}",)) for n in range(count)
    ],
    "scripts that all require one": lambda count: [
        definition(f"a.s{n:05d}", requires=("a.s00000",) * (n > 0)) for n in range(count)
    ],
}  # fmt: skip


REPORTED = {name: name for name in ("text", "mermaid", "dot", "json")}


@pytest.mark.parametrize(("name", "shape"), every_pair(REPORTED, SHAPES))
def test_the_size_and_time_of_a_report_grow_with_the_scripts(
    shape: Callable[[int], list[ScriptDefinition]], name: str
) -> None:
    small, large = (report(shape(count), [], dependencies=True) for count in (4_000 // LARGER, 4_000))
    render = formats.renderer(CHECK_FORMATS, name)
    assert len(render(large, PLAIN)) < 1.2 * LARGER * len(render(small, PLAIN))
    assert grows_in_proportion(lambda: render(small, PLAIN), lambda: render(large, PLAIN))
