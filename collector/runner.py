"""One source on its own thread: paced, isolated, and accounted for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from logging import INFO, WARNING

from collector.pace import Pace, Tick
from collector.source import Context, Source
from collector.stamp import Stamp
from gpuledger.catalogue.host import SourceRun
from gpuledger.errors import ReadError, Unavailable
from gpuledger.schema import Row
from gpuledger.spool import Changes

HANGS_PERIODS = 10
HANGS_AT_LEAST_S = 10.0
# A device may come after the agent: drivers load late, disks are plugged in.
LOOK_AGAIN_S = 600.0
PAUSED = "paused by the service"

Deliver = Callable[[Sequence[Row], Changes], None]


class Runner:
    """Reads one source on every deadline, whatever it does, until it is stopped.

    `deliver` takes the stamped rows of each reading, the reading's own account among them, with
    `changes`: what the source wants remembered now that it has told these rows.
    """

    def __init__(
        self,
        name: str,
        source: Source,
        context: Context,
        stamp: Stamp,
        deliver: Deliver,
        changes: Callable[[], Changes] = dict,
    ) -> None:
        self.name = name
        self.available = True
        self._source = source
        self._context = context
        self._stamp = stamp
        self._deliver = deliver
        self._changes = changes
        self._pace = Pace(source.period_s, context.clock)
        self._reason = ""
        self._began: float | None = None
        self._hangs = False
        self._abandoned = False
        self._delivering = threading.Lock()

    def follow(self, before: Runner) -> None:
        """Begin where another runner of the same source left off: no time is lost between them."""
        self._pace.follow(before._pace)

    def abandon(self) -> None:
        """Deliver no more, not even what a reading brings that hangs now.

        What that changes in the source's memory is not taken either: it is its thread's own.
        """
        with self._delivering:
            self._abandoned = True

    def run(self, stopped: threading.Event) -> None:
        """Read until `stopped`, then close the source."""
        while not stopped.wait(self._pace.wait_s() if self.available else LOOK_AGAIN_S):
            self.read_once()
        self.close()

    def close(self) -> None:
        """Close the source, whatever that does."""
        try:
            self._source.close()
        except Exception:
            self._context.log.exception("source %s could not be closed", self.name)

    def read_once(self) -> list[Row]:
        """One reading, stamped and delivered; whatever goes wrong stays in here."""
        tick, clock = self._pace.tick(), self._context.clock
        self._began = began = clock.monotonic()
        rows, reason = self._read(tick)
        with self._delivering:
            if self._abandoned:
                return rows
            self._began, self._hangs = None, False
            self._tell(reason)
            took_s = clock.monotonic() - began
            rows.append(self._account(tick, reason, runs=1, rows=len(rows), took_s=took_s))
            self._hand_over(rows)
        return rows

    def _hand_over(self, rows: list[Row]) -> None:
        try:
            self._deliver(rows, self._changes())
        except Exception:
            self._context.log.exception("source %s: its rows could not be taken", self.name)

    def check(self) -> None:
        """Say so, once in the log and in each account, while a reading hangs in its device."""
        clock, began = self._context.clock, self._began
        limit_s = max(HANGS_AT_LEAST_S, HANGS_PERIODS * self._source.period_s)
        if began is None or clock.monotonic() - began < limit_s:
            return
        reason = f"a reading hangs for more than {limit_s:.0f} s"
        if not self._hangs:
            self._context.log.error("source %s: %s; others go on", self.name, reason)
        self._hangs = True
        now = Tick(round(clock.wall() * 1000), 0.0)
        self._deliver([self._account(now, reason, runs=0, rows=0, took_s=None)], {})

    def _read(self, tick: Tick) -> tuple[list[Row], str]:
        """Stamped rows, as many as came, and why there are no more."""
        rows: list[Row] = []
        reason = ""
        if self._source.pauses and self._context.halt.holds(self._context.clock.monotonic()):
            return rows, PAUSED
        self.available = True
        try:
            for row in self._source.read():
                self._stamp.apply(row, tick)
                rows.append(row)
        except Unavailable as e:
            self.available, reason = False, str(e)
        except ReadError as e:
            reason = str(e) or "the reading failed"
        except Exception as e:
            reason = f"{type(e).__name__}: {e}"
            self._context.log.debug("source %s", self.name, exc_info=True)
        return rows, reason

    def _account(
        self, tick: Tick, reason: str, *, runs: int, rows: int, took_s: float | None
    ) -> SourceRun:
        account = SourceRun(
            source=self.name,
            runs=runs,
            failures=int(bool(reason)),
            rows=rows,
            duration_seconds=took_s,
            reason=reason,
        )
        self._stamp.apply(account, tick)
        return account

    def _tell(self, reason: str) -> None:
        """One line when the state changes, none while it lasts."""
        log, before, self._reason = self._context.log, self._reason, reason
        if reason and not before:
            verb = "fails" if self.available else "is not on this machine"
            log.log(
                WARNING if self.available else INFO, "source %s %s: %s", self.name, verb, reason
            )
        elif before and not reason:
            log.info("source %s reads again", self.name)
