"""From the book to a released report: draft, release and correction of a week.

A draft is for leads to annotate; its numbers are kept. A release keeps the draft's numbers, or
takes them anew where the draft is from before the week had settled; the remarks are frozen with it.
What comes later (late data, a re-booking) does not change it: a correction is a new edition that
says why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo

from analytics.book import last_booked
from analytics.report import pages, remarks, snapshot, weekly, weeks
from analytics.report.options import Options, options_of
from analytics.report.persons import persons
from analytics.report.snapshot import DRAFT, RELEASED, Snapshot
from analytics.report.value import WeeklyReport
from gpuledger.config import Config
from gpuledger.errors import ConfigError, Conflict, Unknown
from gpuledger.service import Reader
from gpuledger.store import Store

US = "gpuledger"


@dataclass(frozen=True)
class Desk:
    """What reports are made with: zone, options, and how long cells stay open."""

    options: Options
    provisional: timedelta

    @property
    def zone(self) -> tzinfo:
        """The zone of weeks."""
        return self.options.zone

    @classmethod
    def of(cls, configuration: Config) -> Desk:
        """The desk that a configuration describes. ConfigError."""
        options = options_of(configuration)
        return cls(options, timedelta(hours=options.provisional_h))

    def live(self, reader: Reader, week: str) -> WeeklyReport:
        """The week as the book is now. ConfigError where nothing of it is booked."""
        since, until = weeks.bounds(week, self.zone)
        if not self.has_booked(reader, week):
            rows = reader.select(_BOOKED)
            there = "".join(
                f": the book is {r['first']:%Y-%m-%d} to {r['last']:%Y-%m-%d}" for r in rows
            )
            raise Unknown(f"nothing is booked of week {week}{there}")
        return weekly.collect(reader, since, until, self.options)

    def has_booked(self, reader: Reader, week: str) -> bool:
        """Whether any hour is booked: a report of nothing looks like one of idleness."""
        since, until = weeks.bounds(week, self.zone)
        rows = reader.select(_BOOKED)
        return any(r["first"] < until and r["last"] > since for r in rows)

    @property
    def link(self) -> str:
        """Where readers find the newest report; empty = nowhere."""
        return f"{self.options.console}/weekly-report.html" if self.options.console else ""

    def newest(self, reader: Reader, now: datetime) -> WeeklyReport:
        """The seven days before the last booked minute."""
        since, until = weekly.last_seven_days(last_booked(reader) or now)
        return weekly.collect(reader, since, until, self.options)

    def last_whole(self, reader: Reader) -> str:
        """The last week that is booked to its end. ConfigError where nothing is booked."""
        booked = last_booked(reader)
        if booked is None:
            raise ConfigError("nothing is booked yet: the analytics have not run on this store")
        return weeks.before(weeks.of(booked, self.zone), self.zone)

    def settles(self, week: str) -> datetime:
        """When every cell of the week will be closed, UTC."""
        return weeks.bounds(week, self.zone)[1] + self.provisional

    def is_over(self, reader: Reader, week: str) -> bool:
        """Whether the book has come to the end of the week."""
        booked = last_booked(reader)
        return booked is not None and booked >= weeks.bounds(week, self.zone)[1]

    def is_settled(self, reader: Reader, week: str) -> bool:
        """Whether the book is so far that nothing in the week changes by itself."""
        booked = last_booked(reader)
        return booked is not None and booked >= self.settles(week)


def report(
    reader: Reader, desk: Desk, week: str, *, edition: int = 0, live: bool = False
) -> WeeklyReport:
    """A week as it is shown: frozen where it is, else (or `live`) as the book is now."""
    frozen = None if live else snapshot.shown(reader, week, edition)
    if frozen is None:
        return replace(desk.live(reader, week), lead_notes=remarks.of_week(reader, week))
    return frozen.report(remarks.of_week(reader, week) if frozen.state == DRAFT else ())


def draft(
    store: Store, desk: Desk, week: str, by: str, now: datetime, reason: str = ""
) -> Snapshot:
    """Freeze numbers and teams' pages as they are now, as a draft; a released week's corrects it.

    ConfigError where the week is not over, or a correction gives no reason.
    """
    if not desk.is_over(store, week):
        raise Conflict(f"week {week} is not booked to its end yet: a draft needs the whole week")
    before = snapshot.latest(store, week)
    corrects, edition = _edition(before, week, reason.strip())
    corrects = persons(store).out_of(corrects)
    made = Snapshot(week, 0, 0, edition, DRAFT, corrects, desk.is_settled(store, week), by, now)
    taken = snapshot.take(store, before, made, desk.live(store, week))
    pages.freeze(store, taken, desk.zone)
    return taken


def _edition(before: Snapshot | None, week: str, reason: str) -> tuple[str, int]:
    """Why the next draft corrects, and the number of its edition."""
    if before is None:
        return "", 1
    if before.state == DRAFT:
        return reason or before.corrects, before.edition
    if not reason:
        raise Conflict(f"week {week} is released: a correction needs a --reason")
    return reason, before.edition + 1


def release(
    store: Store, desk: Desk, week: str, by: str, now: datetime, *, early: bool = False
) -> Snapshot:
    """Release the draft with the remarks as they are.

    ConfigError where there is none, or the book of the week has not settled (`early`: all the
    same).
    """
    before = snapshot.latest(store, week)
    if before is None:
        raise Conflict(f"week {week} has no draft: make one by 'gpuledger report draft'")
    if before.state == RELEASED:
        raise Conflict(f"{before.told}: to correct it, draft it again with a --reason")
    settled = desk.is_settled(store, week)
    if not (settled or early):
        raise Conflict(
            f"the book of week {week} settles at {desk.settles(week):%Y-%m-%d %H:%M} UTC:"
            " release it then, or as it is with --early"
        )
    anew = settled and not before.settled
    numbers = desk.live(store, week) if anew else snapshot.loaded(store, before).report()
    told = replace(numbers, lead_notes=remarks.of_week(store, week))
    after = replace(before, state=RELEASED, settled=settled, by=by, at=now)
    return snapshot.take(store, before, after, told)


def annotate(store: Store, week: str, team: str, text: str, by: str, now: datetime) -> None:
    """Keep a lead's remark on a week. ConfigError once the report is released."""
    before = snapshot.latest(store, week)
    if before is not None and before.state == RELEASED:
        raise Conflict(f"{before.told}: to add a remark, draft it again with a --reason first")
    remarks.write(store, week, team, text, by, now)


_BOOKED = """
SELECT min(hour) AS first, max(booked_until) AS last FROM booked_hours FINAL HAVING count() > 0
"""
