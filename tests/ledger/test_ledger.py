"""What the ledger is asked and what it records, on the database of the test suite itself."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scripts_tracker.analysis.store.cache import Cache
from scripts_tracker.core.values import Fingerprint, RunRecord, ScriptDefinition, ScriptId
from scripts_tracker.ledger import database, leases, marking, queries, writing
from scripts_tracker.ledger.database import Collision
from scripts_tracker.ledger.marking import Mark
from scripts_tracker.ledger.writing import RunFacts, VersionFacts
from scripts_tracker.models import Script, ScriptRun, ScriptVersion
from scripts_tracker.project import scan, status
from tests.builders import definition, path_of, script_id

pytestmark = pytest.mark.django_db

MARK = RunFacts("mark")
SOURCE = b"class Command:\n    def handle(self):\n        return 'one'\n"
REWRITTEN = SOURCE.replace(b"'one'", b'"one"  # the first')


def version(source: bytes, algorithm: str = "st1", *, keeps_source: bool = True) -> VersionFacts:
    """A version with made-up facts; its digest has nothing to do with its code."""
    digest = hashlib.sha256(source).hexdigest()
    kept = source if keeps_source else None
    return VersionFacts(Fingerprint(algorithm, digest[::-1]), digest, f"facts of {digest}", kept)


def mark_of(name: str, made: VersionFacts, **facts: Any) -> Mark:
    """A mark of a script as the ledger has it now."""
    given = {"path": path_of(name), "seen": last_run(name), **facts}
    return Mark(script_id(name), version=made, **given)


def last_run(name: str) -> RunRecord | None:
    record = queries.record_of(script_id(name))
    return record.last_run if record else None


def mark(name: str, *made: VersionFacts) -> None:
    for one in made:
        assert marking.mark_applied([mark_of(name, one)], MARK) == {}


def attempt(name: str, made: VersionFacts, outcome: str = "failed") -> None:
    entry = leases.look_up(script_id(name), made.content_digest)
    run = leases.begin(script_id(name), path_of(name), entry, made, RunFacts("run"))
    assert leases.end(run, outcome, applies=False)


def today(source: bytes) -> Fingerprint:
    from scripts_tracker.analysis.fingerprint import fingerprint

    return fingerprint(source)


def comparable(found: Iterable[ScriptDefinition] = ()) -> dict[ScriptId, Fingerprint | None]:
    records = queries.records()
    result = status.comparable(records, {one.id: one for one in found}, Cache())
    return {one: record.applied for one, record in result.items()}


def selects(queries: CaptureQueriesContext) -> list[str]:
    return [query["sql"] for query in queries if query["sql"].startswith("SELECT")]


def test_facts_of_another_algorithm_are_left_out() -> None:
    mark("shop.x", version(b"old", "st0"))
    attempt("shop.x", version(b"newer", "st9"))
    assert queries.known_facts() == {}


def test_only_the_facts_of_what_was_applied_and_tried_last_are_read() -> None:
    versions = [version(letter) for letter in (b"a", b"b", b"c")]
    mark("shop.x", *versions[:2])
    attempt("shop.x", versions[2])
    assert set(queries.known_facts()) == {one.content_digest for one in versions[1:]}


@pytest.mark.parametrize("tried_again", [False, True])
def test_facts_of_one_version_come_over_the_wire_once(tried_again: bool) -> None:  # noqa: FBT001 - a parameter
    made = version(b"a")
    mark("shop.x", made)
    if tried_again:
        attempt("shop.x", made)
    with CaptureQueriesContext(connection) as captured:
        found = queries.known_facts()
    with connection.cursor() as cursor:
        cursor.execute(selects(captured)[0])
        assert list(cursor.fetchone()).count(made.facts) == 1
    assert found == {made.content_digest: made.facts}


def test_a_record_has_the_applied_version_and_the_last_attempt() -> None:
    applied, tried = version(b"a"), version(b"b")
    mark("shop.x", applied)
    attempt("shop.x", tried)
    (record,) = queries.records().values()
    assert (record.applied, record.applied_content) == (applied.fingerprint, applied.content_digest)
    assert record.applied_at == ScriptRun.objects.get(kind="mark").ended_at
    assert record.last_run is not None
    assert (record.last_run.outcome, record.last_run.version) == ("failed", tried.fingerprint)
    assert record.last_run.content_digest == tried.content_digest


def test_a_script_that_was_only_tried_is_not_applied() -> None:
    attempt("shop.x", version(b"a"))
    (record,) = queries.records().values()
    assert (record.applied, record.applied_content, record.applied_at) == (None, None, None)


def test_an_unmarked_script_keeps_its_history_and_is_not_applied() -> None:
    mark("shop.x", version(b"a"))
    seen = {script_id("shop.x"): last_run("shop.x"), script_id("shop.unknown"): None}
    assert marking.unmark(seen, RunFacts("unmark")) == {}
    (record,) = queries.records().values()
    assert (record.applied, record.last_run and record.last_run.kind) == (None, "unmark")
    assert queries.formerly_applied([record.pk]) == []


def test_sources_are_read_only_where_they_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    mark("shop.x", version(b"older", "st0"), version(b"old"))
    mark("shop.y", version(b"foreign", "st0"))
    for _ in range(2):
        pks = list(Script.objects.values_list("pk", flat=True))
        assert {one.source for one in queries.formerly_applied(pks)} == {b"older", None, b"foreign"}
        assert {one.source for one in queries.current_versions(pks)} == {None, b"foreign"}
        monkeypatch.setattr(queries, "_MOST_PARAMETERS", 1)  # as if there were too many to name


def test_a_fingerprint_that_another_process_upgraded_in_the_meantime_is_used() -> None:
    mark("shop.x", version(SOURCE, "st0", keeps_source=False))
    records = queries.records()
    stamped = Fingerprint("st1", "5" * 64)
    ScriptVersion.objects.update(algorithm="st1", digest=stamped.digest)
    found = {script_id("shop.x"): definition("shop.x")}
    (record,) = status.comparable(records, found, Cache()).values()
    assert (record.applied, record.bytes_only) == (stamped, "")


def test_a_script_whose_file_is_gone_is_left_alone_while_nothing_is_new() -> None:
    mark("shop.gone", version(SOURCE, "st0"))
    with CaptureQueriesContext(connection) as captured:
        assert comparable() == {script_id("shop.gone"): version(SOURCE, "st0").fingerprint}
    assert len(selects(captured)) == 1
    assert comparable([definition("shop.new")]) == {script_id("shop.gone"): today(SOURCE)}


def test_facts_that_were_kept_elsewhere_answer_for_a_source_that_was_not() -> None:
    made = version(SOURCE, "st0", keeps_source=False)
    mark("shop.x", made)
    records, found = queries.records(), {script_id("shop.x"): definition("shop.x")}
    cache = Cache()
    (record,) = status.comparable(records, found, cache).values()
    assert (record.applied, record.bytes_only != "") == (made.fingerprint, True)
    cache.put_facts(made.content_digest, scan.facts_of(SOURCE))
    (record,) = status.comparable(records, found, cache).values()
    assert (record.applied, record.bytes_only) == (today(SOURCE), "")


def test_a_reformatted_source_has_the_fingerprint_of_the_stored_one() -> None:
    mark("shop.x", version(SOURCE, "st0"))
    assert comparable([definition("shop.x")])[script_id("shop.x")] == today(REWRITTEN)


def test_inside_a_transaction_no_fingerprint_is_upgraded() -> None:
    mark("shop.x", version(SOURCE, "st0"))
    comparable([definition("shop.x")])
    assert ScriptVersion.objects.get().algorithm == "st0"


@pytest.mark.django_db(transaction=True)
def test_a_late_fingerprint_upgrade_changes_nothing() -> None:
    mark("shop.x", version(b"a"))
    row = ScriptVersion.objects.get()
    late = {row.pk: (Fingerprint("st1", "9" * 64), "late"), row.pk + 1: (today(SOURCE), "")}
    writing.refingerprint(late, ())
    assert ScriptVersion.objects.get().digest == row.digest


@pytest.mark.django_db(transaction=True)
def test_a_fingerprint_upgrade_changes_fingerprint_and_facts_only() -> None:
    for number in range(120):
        mark(f"shop.x{number}", version(str(number).encode(), "st0"))
    before = list(ScriptRun.objects.order_by("pk").values_list())
    rows = list(ScriptVersion.objects.order_by("pk").values_list("content_digest", "source"))
    pks = ScriptVersion.objects.values_list("pk", flat=True)
    writing.refingerprint({pk: (Fingerprint("st1", "9" * 64), "new facts") for pk in pks}, ())
    stamped = set(ScriptVersion.objects.values_list("algorithm", "digest", "facts"))
    assert stamped == {("st1", "9" * 64, "new facts")}
    assert list(ScriptVersion.objects.order_by("pk").values_list("content_digest", "source")) == rows
    assert list(ScriptRun.objects.order_by("pk").values_list()) == before


@pytest.mark.parametrize("returns_keys", [True, False])
def test_marks_take_few_queries(
    monkeypatch: pytest.MonkeyPatch,
    returns_keys: bool,  # noqa: FBT001 - a parameter
) -> None:
    monkeypatch.setattr(type(connection.features), "can_return_rows_from_bulk_insert", returns_keys)
    marks = [
        Mark(script_id(f"shop.x{number}"), path_of(f"shop.x{number}"), version(str(number).encode()))
        for number in range(100)
    ]
    with CaptureQueriesContext(connection) as captured:
        marking.mark_applied(marks, MARK)
    assert len(captured) < (40 if returns_keys else 140)
    records = queries.records()
    assert {one: record.applied for one, record in records.items()} == {
        one.script_id: one.version.fingerprint for one in marks
    }


@pytest.mark.django_db(transaction=True)
def test_marks_are_all_or_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_BATCH", 1)
    broken = version(b"bad")._replace(facts=None)  # type: ignore[arg-type]
    good, bad = mark_of("shop.good", version(b"good")), mark_of("shop.bad", broken)
    with pytest.raises(Collision):
        marking.mark_applied([good, bad], MARK)
    assert Script.objects.count() == ScriptRun.objects.count() == 0


def blind_at_first(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    answers = itertools.chain([lambda _: {}], itertools.repeat(function))

    def ask(asked: Any) -> Any:
        return next(answers)(asked)

    return ask


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("blind", ["_locked_rows", "_known_versions"])
def test_rows_that_another_process_adds_at_the_same_time_are_used(
    monkeypatch: pytest.MonkeyPatch, blind: str
) -> None:
    monkeypatch.setattr(database, "patience", lambda: 60)
    entry = leases.look_up(script_id("shop.x"), "")
    dry_run = leases.begin(script_id("shop.x"), "x.py", entry, version(b"x"), RunFacts("rehearsal"))
    assert leases.end(dry_run, "succeeded", applies=False)
    marks = [mark_of("shop.x", version(b"x")), mark_of("shop.y", version(b"y"))]
    monkeypatch.setattr(marking, blind, blind_at_first(getattr(marking, blind)))
    assert marking.mark_applied(marks, MARK) == {}
    assert (Script.objects.count(), ScriptVersion.objects.count(), ScriptRun.objects.count()) == (2, 2, 3)
    assert {record.applied for record in queries.records().values()} == {
        one.version.fingerprint for one in marks
    }


def test_a_mark_brings_path_source_and_fingerprint_up_to_date() -> None:
    mark("shop.x", version(SOURCE, "st0", keeps_source=False))
    marking.mark_applied([mark_of("shop.x", version(SOURCE), path="elsewhere.py")], MARK)
    row = ScriptVersion.objects.get()
    assert (row.algorithm, bytes(row.source or b""), row.facts) == ("st1", SOURCE, version(SOURCE).facts)
    assert Script.objects.get().path == "elsewhere.py"
