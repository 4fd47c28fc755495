"""The schedule of the weekly report, as a step of the runner's tick.

Every tick asks where the newest week that is due stands, and does what comes next: draft, release,
deliveries. Nothing is remembered between ticks: what a service missed while it was down is made up
by the first tick after, once, for the newest week alone. A draft of one of the weeks before (late,
or a correction) is released and sent in the same way, but none is made.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from analytics.report import release, snapshot, weeks
from analytics.report.release import US, Desk
from analytics.report.send.run import Sender
from analytics.report.settings import ReportSettings
from analytics.report.snapshot import DRAFT, Snapshot
from gpuledger.config import Config
from gpuledger.errors import ConfigError
from gpuledger.store import Store

LOG = logging.getLogger(__name__)
# Weeks that are looked after, the newest one among them.
WEEKS = 4
# Of weeks before, older steps are sent by hand alone: a new reader gets no pile of old reports.
FRESH = timedelta(days=7)


class Schedule:
    """Drafts the newest week that is due; releases and sends it, and drafts of weeks before."""

    def __init__(self, store: Store, configuration: Config) -> None:
        self._store = store
        self._settings = configuration.section("report", ReportSettings)
        self._desk = Desk.of(configuration)
        self._sender = Sender(store, self._settings.delivery, self._desk)

    def step(self, now: datetime) -> None:
        """What is due now. StoreError."""
        if not self._settings.send_at:
            return
        week = weeks.due(now, self._settings.send_at, self._desk.zone)
        standing = self._released(self._drafted(week, now), now)
        if standing is not None:
            self._sender.send(standing, now)
        for number in range(1, WEEKS):
            before = weeks.before(week, self._desk.zone, number)
            late = self._released(snapshot.latest(self._store, before), now)
            if late is not None and now - late.at < FRESH:
                self._sender.send(late, now)

    def _drafted(self, week: str, now: datetime) -> Snapshot | None:
        """Where the week stands, drafted if it was not; None while it cannot be."""
        standing = snapshot.latest(self._store, week)
        if standing is not None or not self._desk.is_over(self._store, week):
            return standing
        if not self._desk.has_booked(self._store, week):
            return None
        return self._tried(lambda: release.draft(self._store, self._desk, week, US, now), week)

    def _released(self, standing: Snapshot | None, now: datetime) -> Snapshot | None:
        after_h = self._settings.release_after_h
        if standing is None or standing.state != DRAFT or after_h < 0:
            return standing
        waited = now - standing.at >= timedelta(hours=after_h)
        if not waited or not self._desk.is_settled(self._store, standing.week):
            return standing
        week = standing.week
        done = self._tried(lambda: release.release(self._store, self._desk, week, US, now), week)
        return done or standing

    def _tried(self, take: Callable[[], Snapshot], week: str) -> Snapshot | None:
        """The step; where another service or a person was first, what stands then."""
        try:
            done = take()
        except ConfigError as e:
            LOG.info("report: %s", e)
            return snapshot.latest(self._store, week)
        LOG.info("report: %s", done.told)
        return done
