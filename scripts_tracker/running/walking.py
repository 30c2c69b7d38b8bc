"""The loop of one worker of a batched script: it takes ranges, goes through them batch by batch, and may do the end."""

from __future__ import annotations

import contextlib
import functools
import logging
import random
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from django.core.management.base import CommandError
from django.db import Error, connections

from scripts_tracker import conf
from scripts_tracker.core import stops
from scripts_tracker.core.escaping import escaped
from scripts_tracker.core.progress import progress_of
from scripts_tracker.core.text import by_whom, plain_reason
from scripts_tracker.exceptions import LedgerMissing
from scripts_tracker.ledger import database, leases, processes, sessions, walk_queries, walks
from scripts_tracker.ledger.walks import Saved
from scripts_tracker.running import batch
from scripts_tracker.running.backoff import Trouble, Waiting
from scripts_tracker.running.calls import Stopped, TakenOver
from scripts_tracker.running.keys import Sizes
from scripts_tracker.running.outcome import INTERRUPTED, error_summary

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scripts_tracker.core.events import WorkOptions
    from scripts_tracker.core.progress import Progress
    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.ledger.leases import OpenRun
    from scripts_tracker.ledger.walks import HeldRange, Hold, Left, Standing
    from scripts_tracker.running.keys import KeySpace, Step

T = TypeVar("T")

logger = logging.getLogger("scripts_tracker")

# Seconds between two looks at what people have decided, and what reports show.
_LOOK: Final = 1.0
_SLICE: Final = 0.2


class Walker:
    """The loop of one worker.

    Attributes:
        late: the first error of a hook of ``on_commit``, which came after its batch was committed.
        late_count: how many there were.
    """

    def __init__(
        self,
        command: Any,
        script_id: ScriptId,
        run: OpenRun,
        space: KeySpace,
        work: WorkOptions,
        *,
        inside: bool,
    ) -> None:
        self._command, self._id, self._run, self._space, self._work = command, script_id, run, space, work
        self._walk_pk = run.walk_pk or 0
        self._inside = inside
        self._levels = None if conf.is_under_test() else sessions.levels()
        self._sizes = Sizes.of(command)
        self._is_one = space.database == database.alias()
        is_marked = self._is_one and not inside and connections[space.database].vendor == "postgresql"
        self._mark = run.token if is_marked else ""
        self._processing = batch.Processing(command.process, space, self._levels, is_marked=is_marked)
        self._timeouts = batch.Timeouts(space.database, command.batch_seconds, _lease(), self._mark)
        self._part: HeldRange | None = None
        self._step: Step | None = None
        self._looked_at = self._asked_at = 0.0
        self._arrived: Callable[[], KeyboardInterrupt | None] = processes.arrived
        self._extended = 0
        self._has_more = False
        self.late: Exception | None = None
        self.late_count = 0

    def work(self) -> str:
        """Work until the walk is over; gives why the run does not apply, empty if it did the end."""
        if not self._is_one:
            warn(
                self._command,
                self._id,
                f"the rows are in database {self._space.database!r} and the ledger is in {database.alias()!r}, so"
                " the last batch may be processed twice after a crash (exactly once needs one database)",
            )
        if self._space.table in sessions.tables_without_transactions(connections[self._space.database]):
            warn(
                self._command,
                self._id,
                f"table {self._space.table} has no transactions, so rows may be processed twice where a batch fails or is"
                " killed (exactly once needs an engine such as InnoDB)",
            )
        with processes.signals_delayed() as self._arrived:
            try:
                reason = self._walk()
            finally:
                self._timeouts.restore()
        if not reason:
            self._command.finish()
        return reason

    def _walk(self) -> str:
        """Take ranges until none is left; gives why the run does not apply, empty if it does the end."""
        waiting = Waiting(self._work.wait)
        while True:
            self._look()
            left = self._ask(functools.partial(walks.left, self._run))
            if not left:
                end = self._end()
                if end is not None:
                    return end
                if self._has_more:
                    continue
            elif (part := self._take(left)) is not None:
                self._go_through(part)
                waiting = Waiting(self._work.wait)
                continue
            elif all(one.record.outcome == "parked" for one in left):
                raise self._failed([one.record.reason for one in left])
            if not waiting.goes_on(self._check_time):
                raise Stopped(self._id, "other workers are still at it")

    def _take(self, left: Sequence[Left]) -> HeldRange | None:
        """A free range: the first one, unless others take some at the same time."""
        free = [one for one in left if one.is_free]
        if len(free) != len([one for one in left if one.record.outcome == "open"]):
            random.shuffle(free)
        for one in free:
            part = self._ask(functools.partial(walks.take_range, self._run, one))
            if part is not None:
                return part
        return None

    def _look(self, *, is_urgent: bool = False) -> None:
        """Raise what ends the work: a signal, the time, a decision, the loss of the run."""
        self._check_time()
        if not is_urgent and time.monotonic() - self._looked_at < _LOOK:
            return
        self._looked_at = time.monotonic()
        self._obey(self._standing())
        if self._work.report is not None and (progress := progress_now(self._walk_pk)) is not None:
            self._work.report(progress)

    def _check_time(self) -> None:
        if interrupt := self._arrived():
            raise interrupt
        if self._work.until is not None and time.monotonic() >= self._work.until:
            raise Stopped(self._id, "the time of --for is over")

    def _standing(self) -> Standing:
        return self._ask(functools.partial(walks.standing, self._run))

    def _obey(self, now: Standing) -> None:
        if now.run != "running":
            why, _ = leases.why_unrecorded(self._run)
            raise TakenOver(f"{self._id} was stopped: {why}. What it has committed counts.")
        if now.hold is not None and now.walk == "open":
            raise Stopped(self._id, decided(now.hold))
        if now.walk not in {"open", "succeeded"}:
            raise Stopped(self._id, f"its walk was {now.walk or 'deleted'} in the meantime")

    def _throttle(self) -> None:
        """Wait while a throttle of the settings has a reason, which is shown; the range is kept."""
        if not conf.tracker_settings().throttle or time.monotonic() < self._asked_at + _LOOK:
            return
        from scripts_tracker.core.values import Work
        from scripts_tracker.running.throttling import reason_to_wait  # few projects have one

        shown = ""
        while (reason := reason_to_wait(Work(self._id, self._space.database, self._space.table))) is not None:
            if not self._work.patient:
                raise Stopped(self._id, reason)
            if reason != shown:
                walks.set_waiting(self._run, reason)
                shown = reason
            self._sleep(_LOOK)
        if shown:
            walks.set_waiting(self._run, "")
        self._asked_at = time.monotonic()

    # One range

    def _go_through(self, part: HeldRange) -> None:
        trouble = Trouble(part.record.batch_size)
        current: HeldRange | None = part
        try:
            while current is not None and current.record.outcome == "open":
                self._part = current
                self._look()
                self._throttle()
                current = self._advance(current, trouble)
        except BaseException as error:
            self._give_back(error)
            raise
        finally:
            self._part = None

    def _give_back(self, error: BaseException) -> None:
        """Let another worker have the range; without a word if that cannot be done, as the lease runs out."""
        part, using = self._part, self._space.database
        if part is None:
            return
        with contextlib.suppress(Error, LedgerMissing), processes.signals_held():
            if not self._inside and isinstance(error, KeyboardInterrupt | Error):
                database.discard(connections[using])  # the interrupt may have cut an answer in two
            walks.give_back(self._run, part)

    def _advance(self, part: HeldRange, trouble: Trouble) -> HeldRange | None:
        """One try of the next batch; gives the range as it is then, None if this worker has it no more."""
        self._step = None
        try:
            done = self._batch(part, trouble.size)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a batch raises is tried again, then named
            return self._recover(part, trouble, error)
        trouble.passed(done.record.batch_size, done.record.keys - part.record.keys)
        return done

    def _batch(self, part: HeldRange, size: int) -> HeldRange:
        record, space, hooks = part.record, self._space, list[BaseException]()
        after = record.cursor or record.lower
        with sessions.one_transaction(space.database, hooks):
            before = None if self._inside else self._timeouts.apply()
            began = time.monotonic()
            step = self._step = space.step(after, record.upper, size, before)
            end = (record.upper or step.end) if step.is_last else step.end
            rows = self._processing(after, end, step.keys) if step.keys else 0
            seconds = max(time.monotonic() - began, 1e-6)
            saved = Saved(
                cursor=end or record.cursor,
                is_done=step.is_last,
                keys=step.keys,
                rows=rows,
                batch_size=self._sizes.after(size, step.keys, seconds),
                keys_per_second=step.keys / seconds,
                rows_per_second=rows / seconds,
                mark=self._mark,
            )
            if self._is_one:
                part = walks.save_cursor(self._run, part, saved)
        if not self._is_one:  # the rows are committed; so once more if the connection was lost
            save = functools.partial(walks.save_cursor, self._run, part, saved)
            part = self._ask(save)
        for error in hooks:
            self._note_late(error)
        return part

    def _note_late(self, error: BaseException) -> None:
        """Keep what a hook of ``on_commit`` has raised after its batch: with the run, and the first one said at once."""
        if not isinstance(error, Exception):
            raise error
        self.late = self.late or error
        self.late_count += 1
        text = f"a hook of on_commit failed after its batch: {error_summary(error)}"
        logger.error("%s: %s", self._id, text)
        if self.late_count == 1:
            self._command.stderr.write(f"Warning: {self._id}: {text}")

    def _ask(self, ask: Callable[[], T]) -> T:
        """Ask or tell the ledger; a lost connection or one that cannot be had for a while is no reason to give up."""
        return database.retry(ask, 0 if self._inside else _lease(), self._waits_for_ledger)

    def _waits_for_ledger(self, trouble: str) -> None:
        logger.warning("%s: cannot use the ledger, trying again: %s", self._id, trouble)

    def _recover(self, part: HeldRange, trouble: Trouble, error: BaseException) -> HeldRange | None:
        """What to do after a batch that failed: try it again, smaller, or leave the range alone."""
        using = self._space.database
        if self._levels is not None:
            sessions.put_back(self._levels, sessions.left_open(self._levels))
        if not self._inside and batch.may_be_lost(error) and not batch.is_in_the_way(error, using):
            database.discard(connections[using])
        now = self._reread(part)
        if isinstance(error, walks.Fenced) and now == part:
            error = batch.BrokenBatch(batch.ENDED)
        if now is None or now.record.cursor != part.record.cursor or now.record.outcome != "open":
            if now is None:
                self._fenced()
            return now  # its commit has arrived, and the answer was lost
        keys = self._step.keys if self._step is not None else 0
        if isinstance(error, batch.BrokenBatch) or not trouble.tries_again(
            keys, is_in_the_way=batch.is_in_the_way(error, using)
        ):
            self._park(part, error)
            return None
        logger.info("%s: a batch of %d failed and is tried again: %s", self._id, keys, error_summary(error))
        self._sleep(trouble.pause)
        return now

    def _reread(self, part: HeldRange) -> HeldRange | None:
        return self._ask(functools.partial(walks.reread, self._run, part))

    def _fenced(self) -> None:
        """Say that the batch was rolled back, as another worker has the range; raise if the run is over, too."""
        self._part = None
        logger.warning(
            "%s: another worker has taken over the range of this one; its last batch was rolled back",
            self._id,
        )
        self._look(is_urgent=True)

    def _park(self, part: HeldRange, error: BaseException) -> None:
        step = self._step
        if step is not None and step.keys == 1 and step.end is not None:
            where = f"row {', '.join(step.end)}"
        elif step is not None and step.keys and step.end is not None:
            where = f"the {step.keys} rows up to {', '.join(step.end)}"
        else:
            where = "the rows after " + (
                ", ".join(part.record.cursor or part.record.lower or ()) or "the first"
            )
        reason = f"{where}: {error_summary(error)}"
        logger.error("%s: %s", self._id, reason, exc_info=error)
        self._ask(functools.partial(walks.park, self._run, part, reason))
        self._part = None
        self._last_error = error

    _last_error: BaseException | None = None

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._look()
            time.sleep(min(left, _SLICE))

    def _failed(self, reasons: Sequence[str]) -> CommandError:
        at = at_percent(self._walk_pk)
        more = f" ({len(reasons)} ranges have failed)" if len(reasons) > 1 else ""
        error = CommandError(
            f"{self._id} has stopped{at}: {reasons[0]}{more}. Run it again to go on from there."
        )
        error.__cause__ = self._last_error
        return error

    # The end

    def _end(self) -> str | None:
        """Become the one that does the end; gives why the run does not apply if another did, None to go on."""
        self._has_more = False
        now = self._standing()
        if now.walk == "succeeded":
            return f"worked beside run {now.finisher}"
        self._obey(now)
        if now.finisher and now.finisher != self._run.pk:
            if now.finisher_outcome == "running":
                return None
            if now.finisher_outcome == "failed" and not now.finisher_reason.startswith(INTERRUPTED):
                raise CommandError(
                    f"{self._id} failed at its end, in run {now.finisher}: {plain_reason(now.finisher_reason)}"
                )
        if not self._ask(functools.partial(walks.begin_finish, self._run, now)):
            return None
        return None if self._goes_on_above() else ""

    def _goes_on_above(self) -> bool:
        """Add a range for the rows that were added above the last one; the last such range may be small."""
        *_, last = self._ask(functools.partial(walks.ranges, self._walk_pk, self._run.place))
        if self._extended == last.number and last.batches <= 1:
            return False
        top = last.upper or last.cursor
        above = self._space.above(top)
        if above is None:
            return False
        self._extended = last.number + 1
        extend = functools.partial(walks.extend, self._run, last.number + 1, top, above)
        self._ask(functools.partial(extend, last.batch_size))
        self._has_more = True
        return True


def warn(command: Any, script_id: ScriptId, text: str) -> None:
    """Say something about a batched script on the stderr of its command, and in the log."""
    text = escaped(text)
    if logger.hasHandlers():
        logger.warning("%s: %s", script_id, text)
    command.stderr.write(f"Warning: {script_id}: {text}.")


def _lease() -> float:
    return conf.tracker_settings().lease_seconds


def decided(hold: Hold) -> str:
    """How a walk was paused or cancelled, by whom and why, as a clause."""
    done = "paused" if hold.kind == "pause" else "cancelled"
    reason = f": {' '.join(hold.reason.split())}" if hold.reason else ""
    return f"{done}{by_whom(hold.user, hold.host)}{reason}"


def progress_now(walk_pk: int) -> Progress | None:
    """How far a walk is; None if it cannot be read now, as it only informs."""
    with contextlib.suppress(Error, LedgerMissing):
        walk = walk_queries.walks([walk_pk]).get(walk_pk)
        return progress_of(walk) if walk else None
    return None


def at_percent(walk_pk: int) -> str:
    """How far a walk is, as an adverbial with a blank before it; empty where that is not known."""
    progress = progress_now(walk_pk)
    return f" {stops.at(progress)}" if progress else ""
