from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management.color import make_style, no_style

from scripts_tracker.core.history import Past, PastRun, PastVersion
from scripts_tracker.core.states import ScriptRecord, State, statuses
from scripts_tracker.core.text import duration
from scripts_tracker.core.values import Finding, Location, ScriptDefinition
from scripts_tracker.project.detail import Comparison, ScriptDetail, next_steps
from scripts_tracker.reporting import formats
from scripts_tracker.reporting.formats import SCRIPT_FORMATS
from scripts_tracker.reporting.terminal import Output
from tests.builders import NOON, definition, fingerprint, record, run

PLAIN = Output(no_style())
NARROW = Output(no_style(), width=60)


def detail(
    found: ScriptDefinition | None, kept: ScriptRecord | None = None, past: Past | None = None, **more: Any
) -> ScriptDetail:
    (status,) = statuses([found] if found else [], {kept.id: kept} if kept else {})
    facts: dict[str, Any] = {
        "required": {},
        "required_by": (),
        "findings": (),
        "past": past or Past(),
        **more,
    }
    return ScriptDetail(status=status, **facts)


def past_run(outcome: str, seconds: float = 3.21, *, kind: str = "run", **more: Any) -> PastRun:
    past = {name: more.pop(name) for name in ("arguments", "git_revision") if name in more}
    made = run(outcome, kind=kind)._replace(ended_at=NOON + timedelta(seconds=seconds), **more)
    return PastRun(made, outcome, **past)


def version(letter: str, **more: Any) -> PastVersion:
    facts = {"runs": 2, "applied": 1, "first_at": NOON, "last_at": NOON, "has_source": True, **more}
    return PastVersion(fingerprint(letter), f"content of {letter}", **facts)


def text(made: ScriptDetail, output: Output = PLAIN) -> str:
    return formats.renderer(SCRIPT_FORMATS, "text")(made, output)


def compared(*lines: str, note: str = "") -> ScriptDetail:
    comparison = Comparison("applied", "now", ("--- applied", "+++ now", *lines) if lines else (), note)
    return detail(definition("a.x", "b"), record("a.x", "a"), comparison=comparison)


def test_text_is_the_first_of_the_formats() -> None:
    assert tuple(SCRIPT_FORMATS) == ("text", "json")


def test_no_text_of_an_author_controls_the_terminal() -> None:
    evil = "\x1b[2J\u202e\r"
    past = Past(
        (past_run("failed", reason=evil, user=evil, host=evil, arguments=json.dumps({"a": evil})),),
        1,
        (),
        evil,
        evil,
    )
    found = definition("a.x")._replace(help=evil, location=Location(evil))
    finding = Finding(Location(evil), "ST003", evil, evil)
    comparison = Comparison("", "", ("--- a", "+++ b", f"+{evil}"), evil)
    for shown in (
        detail(found, record("a.x"), past, findings=(finding,), required={evil: None}),
        detail(found, record("a.x"), past, comparison=comparison),
    ):
        for output in (PLAIN, NARROW):
            assert not set(text(shown, output)) & {"\x1b", "\u202e", "\r"}


def test_an_escape_that_an_author_wrote_is_not_mistaken_for_the_character() -> None:
    assert text(compared("+x = '\\x1b'", "+y = '\x1b\u202e\x7f\t'")).endswith(
        "+x = '\\x1b'\n+y = '^[<U+202E><U+007F>\t'"
    )


def test_a_diff_is_in_gits_colours_and_a_line_is_not_mistaken_for_a_name() -> None:
    lines = text(compared("@@ -1 +1 @@", "--- x", "+y", " z"), Output(make_style(""))).splitlines()[-6:]
    style = make_style("")
    assert lines == [
        style.MIGRATE_LABEL("--- applied"),
        style.MIGRATE_LABEL("+++ now"),
        style.MIGRATE_HEADING("@@ -1 +1 @@"),
        style.ERROR("--- x"),
        style.SUCCESS("+y"),
        " z",
    ]


def test_a_diff_without_lines_is_its_note() -> None:
    assert text(compared(note="Nothing to see.")) == "a.x: modified\nNothing to see."


def test_a_new_script_without_a_past_is_short() -> None:
    assert text(detail(definition("a.x"))) == (
        "a.x: new\n"
        "  never applied here\n"
        "  run it: manage.py run_scripts a.x\n"
        "\n"
        "  Does a.x\n"
        "\n"
        "Path         a/management/commands/x.py\n"
        "\n"
        "No history here."
    )


def test_a_script_with_everything() -> None:
    required = statuses([definition("b.y")], {})[0]
    past = Past(
        (
            past_run(
                "failed", reason="ValueError: boom\nmore", git_revision="f" * 40, arguments='{"limit": 10}'
            ),
            past_run("succeeded", 200, applies=True, arguments='{"dry_run": false, "args": [], "to": null}'),
            past_run("succeeded", kind="mark", applies=True, reason="ran before"),
        ),
        7,
        (version("b", applied=0), version("a", has_source=False)),
        "one\ntwo\n",
        "Traceback\nValueError: boom",
    )
    kept = record("a.x", "a", last_run=run("failed", "b"))._replace(pk=1)
    made = detail(
        definition("a.x", "b", rerun="once", atomic=True, tags=("slow", "vat"), unless=("check", "plan")),
        kept,
        past,
        required={"b.y": required, "no.such": None},
        required_by=(required,),
    )
    assert text(made, NARROW).splitlines() == [
        "a.x: failed",
        "  the last run failed (started 2026-05-01 12:00 UTC by",
        "  deploy on web-1, process 42)",
        "  run it: manage.py run_scripts a.x",
        "  fixed by hand: manage.py check_scripts --mark-applied a.x",
        "",
        "  Does a.x",
        "",
        "Path         a/management/commands/x.py",
        'Options      rerun="once", atomic=True, tags: slow, vat,',
        "             unless: check, plan",
        "Requires     b.y (new)",
        "             no.such (does not exist)",
        "Required by  b.y (new)",
        "",
        "Versions that ran or were marked here (2):",
        "  st1:bbbbbbbbbbbb  never applied, current file, 2x, last",
        "    2026-05-01 12:00 UTC",
        "  st1:aaaaaaaaaaaa  applied last, 2x, last",
        "    2026-05-01 12:00 UTC, source not stored",
        "",
        "History, newest first (3 of 7; more: --history):",
        "  #1  2026-05-01 12:00 UTC  failed in 3.2 s, deploy on web-1",
        "                    ValueError: boom",
        "                    with limit=10",
        "                    git ffffffffffff",
        "  #1  2026-05-01 12:00 UTC  succeeded in 3 min 20 s, applied",
        "                    deploy on web-1",
        "  #1  2026-05-01 12:00 UTC  marked as applied",
        "                    deploy on web-1",
        "                    ran before",
        "",
        "Output of the last run:",
        "  one",
        "  two",
        "",
        "Traceback of the last run:",
        "  Traceback",
        "  ValueError: boom",
    ]


OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "the defaults": ({}, ""),
    "the default of unless, written out": ({"unless": ("dry_run",)}, ""),
    "no option that makes a rehearsal": ({"unless": ()}, "unless=()"),
    "another one": ({"unless": ("plan",)}, "unless: plan"),
    "watched modules": ({"watches": ("shop.pricing=a", "shop=a")}, "watch: shop.pricing, shop"),
    "all of them": (
        {"rerun": "always", "tags": ("slow",), "watches": ("shop=a",), "unless": ("plan", "dry_run")},
        'rerun="always", tags: slow, watch: shop, unless: plan, dry_run',
    ),
}


@pytest.mark.parametrize(("options", "shown"), OPTIONS.values(), ids=OPTIONS)
def test_every_option_that_is_no_default_is_shown(options: dict[str, Any], shown: str) -> None:
    lines = text(detail(definition("a.x", **options))).splitlines()
    assert [line for line in lines if line.startswith("Options")] == (
        [f"Options      {shown}"] if shown else []
    )


def test_json_has_every_option_and_null_without_a_file() -> None:
    made = detail(definition("a.x", rerun="once", tags=("slow",), unless=(), watches=("shop=a",)))
    assert json.loads(formats.renderer(SCRIPT_FORMATS, "json")(made, PLAIN))["options"] == {
        "rerun": "once",
        "atomic": False,
        "tags": ["slow"],
        "unless": [],
        "watch": ["shop"],
        "arguments": [],
        "verify": None,
        "fresh": None,
    }
    gone = detail(None, record("a.x", "a"))
    assert json.loads(formats.renderer(SCRIPT_FORMATS, "json")(gone, PLAIN))["options"] is None


def test_a_command_to_copy_is_on_one_line() -> None:
    made = text(detail(definition("a.x")), Output(no_style(), width=30))
    assert "\n  run it:\n    manage.py run_scripts a.x\n" in made


def test_the_end_of_a_long_output_is_shown() -> None:
    made = text(detail(definition("a.x"), record("a.x"), Past((), 0, (), "\n".join(map(str, range(30))))))
    assert "Output of the last run (last 20 lines; all: --run -1):\n  10\n" in made


def test_code_that_ran_in_another_layout_is_called_current_code() -> None:
    found = definition("a.x", "a")._replace(content_digest="another")
    made = text(detail(found, record("a.x", "a"), Past((), 0, (version("a"),))))
    assert "st1:aaaaaaaaaaaa  applied last, current code, 2x" in made


@pytest.mark.parametrize("state", list(State), ids=lambda state: state.value)
def test_a_script_that_needs_action_shows_the_command_to_type(state: State) -> None:
    made = detail(definition("a.x"))
    made = made._replace(status=made.status._replace(state=state))
    assert next_steps(made) or not state.needs_action


KEPT, NOT_KEPT = Past((), 0, (version("a"),)), Past((), 0, (version("a", has_source=False),))
DIFF, MARK, FIXED = "what changed", "if only its formatting changed", "when it is fixed"
OFFERS: dict[str, tuple[ScriptDefinition, ScriptRecord, Past, list[str]]] = {
    "other code than the source that is kept": (
        definition("a.x", "b"),
        record("a.x", "a"),
        KEPT,
        [DIFF, "run it"],
    ),
    "other code, and no source": (definition("a.x", "b"), record("a.x", "a"), NOT_KEPT, ["run it"]),
    "other code, and no version at all": (definition("a.x", "b"), record("a.x", "a"), Past(), ["run it"]),
    "other bytes, and no source": (
        definition("a.x", "b"),
        record("a.x", "a")._replace(bytes_only="its source was not stored"),
        NOT_KEPT,
        [MARK, "run it"],
    ),
    "a watched module alone": (
        definition("a.x", "a", watches=("pricing=b",)),
        record("a.x", "a", watched=("pricing=a",)),
        KEPT,
        ["run it"],
    ),
    "a watched module and the code": (
        definition("a.x", "b", watches=("pricing=b",)),
        record("a.x", "a", watched=("pricing=a",)),
        KEPT,
        [DIFF, "run it"],
    ),
    "a file that was broken from the start": (definition("a.x", None), record("a.x"), Past(), [FIXED]),
    "a file that was broken since": (definition("a.x", None), record("a.x", "a"), KEPT, [DIFF, FIXED]),
    "a watched module that is broken": (
        definition("a.x", "a", watches=("pricing=?",)),
        record("a.x", "a", watched=("pricing=a",)),
        KEPT,
        [FIXED],
    ),
    "what is not to run again": (definition("a.x", "b", rerun="once"), record("a.x", "a"), NOT_KEPT, []),
}


@pytest.mark.parametrize(("now", "kept", "past", "offered"), OFFERS.values(), ids=OFFERS)
def test_a_diff_is_offered_if_there_is_one(
    now: ScriptDefinition, kept: ScriptRecord, past: Past, offered: list[str]
) -> None:
    assert list(next_steps(detail(now, kept, past))) == offered


def test_a_diff_that_cannot_show_a_watched_module_says_which_one_changed() -> None:
    about = "pricing, which it watches, changed."
    comparison = Comparison("", "", (), "The same.", changed_modules=("pricing",), about_modules=about)
    made = detail(definition("a.x", "b"), record("a.x", "a"), comparison=comparison)
    assert text(made).splitlines() == ["a.x: modified", about, "The same."]
    found = json.loads(formats.renderer(SCRIPT_FORMATS, "json")(made, PLAIN))["diff"]
    assert (found["changed_modules"], found["note"]) == (["pricing"], f"{about} The same.")


DURATIONS = {-1: "0.0 s", 0.04: "0.0 s", 9.94: "9.9 s", 59.4: "59 s", 59.6: "1 min", 200: "3 min 20 s"}
DURATIONS |= {7500: "2 h 5 min", 86400: "1 d", 100_000: "1 d 3 h"}


@pytest.mark.parametrize(("seconds", "words"), DURATIONS.items(), ids=DURATIONS.values())
def test_a_duration_is_readable(seconds: float, words: str) -> None:
    assert duration(seconds) == words


ARGUMENTS = {
    "[1]": {"arguments": [1]},
    "no JSON": {"arguments": "no JSON"},
    '{"a": 0, "b": false, "c": "", "d": []}': {"a": 0, "c": ""},
}


@pytest.mark.parametrize(("kept", "given"), ARGUMENTS.items(), ids=ARGUMENTS)
def test_arguments_without_a_value_are_left_out(kept: str, given: dict[str, Any]) -> None:
    assert PastRun(run("succeeded"), "succeeded", kept).given == given


def test_json_is_the_contract_to_the_letter() -> None:
    past = Past(
        (past_run("lost", arguments='{"limit": 10}'),),
        9,
        (version("a", has_source=False),),
        "printed",
        "trace",
    )
    made = compared("+x", note="a note")._replace(
        past=past, required_by=(statuses([definition("b.y")], {})[0],)
    )
    document = json.loads(formats.renderer(SCRIPT_FORMATS, "json")(made, PLAIN))
    assert document.pop("script")["script"] == "a.x"
    assert document == {
        "version": 1,
        "environment": None,
        "why": "the code changed since it was applied on 2026-05-01 12:00 UTC",
        "options": {
            "rerun": "on-change",
            "atomic": False,
            "tags": [],
            "unless": ["dry_run"],
            "watch": [],
            "arguments": [],
            "verify": None,
            "fresh": None,
        },
        "required_by": ["b.y"],
        "problems": [],
        "versions": [
            {
                "fingerprint": "st1:" + "a" * 64,
                "content_digest": "content of a",
                "runs": 2,
                "applied": 1,
                "first_run_at": "2026-05-01T12:00:00+00:00",
                "last_run_at": "2026-05-01T12:00:00+00:00",
                "has_source": False,
                "is_applied": True,
                "is_file": False,
            }
        ],
        "runs_total": 9,
        "runs": [
            {
                "id": 1,
                "kind": "run",
                "outcome": "lost",
                "applies": False,
                "reason": "",
                "started_at": "2026-05-01T12:00:00+00:00",
                "ended_at": "2026-05-01T12:00:03.210000+00:00",
                "seconds": 3.21,
                "user": "deploy",
                "host": "web-1",
                "pid": 42,
                "git_revision": "",
                "fingerprint": "st1:" + "a" * 64,
                "arguments": {"limit": 10},
                "inherited_from": None,
            }
        ],
        "output": "printed",
        "traceback": "trace",
        "rehearsal": None,
        "diff": {
            "old": "applied",
            "new": "now",
            "is_raw": False,
            "note": "a note",
            "changed_modules": [],
            "text": "--- applied\n+++ now\n+x",
        },
    }
