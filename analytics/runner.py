"""One tick: assets, prices, placement, book, findings, recommendations, and what else is wired."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated

from analytics import accounts, assets, consent, goodput, learn, lifecycle
from analytics.advisor import Advisor
from analytics.book import Span, last_booked
from analytics.detector import Detector
from analytics.job_teams import JobTeams
from analytics.ledger import Ledger, Window
from analytics.money.rates import Rates
from analytics.money.settings import EnergySettings, PriceSettings
from analytics.placement import Placement
from analytics.placing.settings import PlacementSettings
from analytics.watch import Watch
from gpuledger import plugins
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import Finding, Recommendation
from gpuledger.config import Config, Settings
from gpuledger.errors import BookNotClosed, GpuledgerError
from gpuledger.states import LedgerSettings
from gpuledger.store import Store

log = logging.getLogger(__name__)

Step = Callable[[datetime], None]
Progress = Callable[[str, float], None]


class RunnerSettings(Settings):
    """Section `[runner]`."""

    period_s: Annotated[float, "seconds between ticks"] = 60.0
    settle_s: Annotated[float, "age that a minute must have before it is booked"] = 20.0
    look_back_h: Annotated[float, "hours that detectors look back at least"] = 26.0
    history_d: Annotated[float, "days before now from which samples make an asset owned"] = 400.0
    learn_every_h: Annotated[float, "hours between two looks at what history teaches"] = 1.0
    restate_every_h: Annotated[float, "hours between two looks for news of closed hours"] = 24.0
    restate_d: Annotated[float, "days for which news adjust what was booked; 0 = never"] = 35.0


@dataclass(frozen=True)
class NamedStep:
    """A step of which figures and traces tell by name."""

    name: str
    take: Step

    def __call__(self, now: datetime) -> None:
        """Take it."""
        self.take(now)


def until_settled(settings: RunnerSettings, now: datetime) -> float:
    """Seconds until the next tick: as soon as a minute has settled, since nothing is new before."""
    return settings.period_s - (now.timestamp() - settings.settle_s) % settings.period_s


def _silent(_phase: str, _share: float) -> None:
    return None


class Runner:
    """Turns telemetry into a book, findings and recommendations, tick by tick."""

    def __init__(
        self,
        store: Store,
        config: Config,
        steps: Sequence[Step] = (),
        watch: Watch | None = None,
    ) -> None:
        self._store = store
        self._watch = watch or Watch()
        self._steps = steps
        self._settings = config.section("runner", RunnerSettings)
        ledger = config.section("ledger", LedgerSettings)
        self._ledger = Ledger(store, ledger)
        self._job_teams = JobTeams(store)
        self._provisional = timedelta(hours=ledger.provisional_h)
        placing = config.section("placement", PlacementSettings)
        self._placement = Placement(store, ledger, placing)
        self._rates = Rates(
            store, config.section("prices", PriceSettings), config.section("energy", EnergySettings)
        )
        self._detectors = [
            (detector, config.section(name, detector.settings))
            for name, detector in plugins.discover("analytics.detectors", Detector).items()
        ]
        self._advisors = [
            (advisor, config.section(name, advisor.settings))
            for name, advisor in plugins.discover("analytics.advisors", Advisor).items()
        ]
        self._standing: dict[int, tuple[datetime, list[Recommendation]]] = {}
        self._stop = threading.Event()
        self._learning = config.section("learn", learn.LearnSettings)
        self._learned: datetime | None = None
        self._restated: datetime | None = None
        self.last_tick: datetime | None = None

    def tick(
        self, now: datetime, progress: Progress = _silent, reopened: datetime | None = None
    ) -> None:
        """Bring the book and everything that rests on it up to date.

        With `reopened`, hours from there on are booked again wherever what they rest on changed,
        and places are owned from the first that is known of them now: history came in.
        Where the book or a step fails, every other step is taken all the same: alerts must be
        asked just then. The first error is raised once all is done, the others are logged.
        StoreError; BookNotClosed, where findings of the hours that do close were looked for.
        """
        with self._watch.step("tick"):
            self._tick(now, progress, reopened)

    def _tick(self, now: datetime, progress: Progress, reopened: datetime | None) -> None:
        failed = self._attempts(
            [
                partial(self._keep_book, now, progress, reopened),
                *(partial(self._take, step, now) for step in self._steps),
            ]
        )
        if all(isinstance(e, BookNotClosed) for e in failed):
            progress("findings", 1.0)
            self._restate(now - timedelta(seconds=self._settings.settle_s))
            self.last_tick = now
        if failed:
            raise failed[0]

    def _take(self, step: Step, now: datetime) -> None:
        with self._watch.step(getattr(step, "name", "step")):
            step(now)

    def _attempts(self, parts: Sequence[Callable[[], None]]) -> list[Exception]:
        """Take each part, whatever became of those before it; their errors."""
        failed: list[Exception] = []
        for part in parts:
            try:
                part()
            except Exception as e:
                if failed:
                    known = isinstance(e, GpuledgerError)
                    log.error("a step failed: %s", e, exc_info=None if known else e)
                failed.append(e)
        return failed

    def _keep_book(self, now: datetime, progress: Progress, reopened: datetime | None) -> None:
        """Assets, prices, book, findings, recommendations: each rests on what is before it."""
        with self._watch.step("booking"):
            since, broken = self._bring_up(now, progress, reopened)
        progress("findings", 0.0)
        with self._watch.step("detectors"):
            findings = self._detect(since)
        with self._watch.step("advisors"):
            self._advise(findings)
        if broken:
            raise broken

    def _bring_up(
        self, now: datetime, progress: Progress, reopened: datetime | None
    ) -> tuple[datetime | None, BookNotClosed | None]:
        """What is booked, and what that rests on: as `_book`."""
        # What a live service booked since must not outrank what is booked anew of the past.
        booked_at = max(now, datetime.now(UTC)) if reopened else now
        settled = now - timedelta(seconds=self._settings.settle_s)
        history = timedelta(days=self._settings.history_d)
        assets.discover(self._store, booked_at, history, history if reopened else assets.BACKLOG)
        self._rates.write(now)
        self._learn(now, reopened)
        self._job_teams.write(now)
        if self.last_tick is None:
            accounts.catch_up(self._store)
        return self._book(settled, booked_at, progress, reopened)

    def run(self, stop: threading.Event) -> None:
        """Tick every period until told to stop; a failed tick is logged and tried again.

        A long catch-up stops after the window that is being booked; the next start goes on.
        """
        self._stop = stop
        while not stop.is_set():
            try:
                self.tick(datetime.now(UTC))
            except GpuledgerError as e:
                log.error("tick failed: %s", e)
            except Exception:
                # Nobody would notice a thread that is gone: the next tick may fare better.
                log.exception("tick failed")
            stop.wait(until_settled(self._settings, datetime.now(UTC)))

    def _learn(self, now: datetime, reopened: datetime | None) -> None:
        """What history teaches decides how the next hours are booked."""
        if reopened or _is_due(self._learned, now, self._settings.learn_every_h):
            learn.learn_all(self._store, now, self._learning, reopened)
            self._learned = now

    def _restate(self, settled: datetime) -> None:
        """News of closed hours come as adjustments."""
        days = self._settings.restate_d
        if days and _is_due(self._restated, settled, self._settings.restate_every_h):
            self._ledger.restate(settled, days)
            goodput.tell_lost_work(self._store, settled - self._provisional, settled)
            self._restated = settled

    def _book(
        self,
        settled: datetime,
        booked_at: datetime,
        progress: Progress,
        reopened: datetime | None,
    ) -> tuple[datetime | None, BookNotClosed | None]:
        """Book every window whose inputs changed: where changes begin, and what did not close."""
        windows = self._ledger.dirty(settled, reopened)
        broken: BookNotClosed | None = None
        for i, window in enumerate(windows):
            if self._stop.is_set():
                break
            progress("book", i / len(windows))
            broken = self._book_window(window, booked_at) or broken
        progress("book", 1.0)
        return (windows[0].since if windows else None), broken

    def _book_window(self, window: Window, booked_at: datetime) -> BookNotClosed | None:
        """The other windows go on when one does not close."""
        self._placement.write(window.since, window.until)
        try:
            self._ledger.book(window, booked_at)
        except BookNotClosed as e:
            log.error("%s", e)
            return e
        return None

    def _detect(self, since: datetime | None) -> list[Finding]:
        until = last_booked(self._store)
        if until is None:
            return []
        span = Span(self._look_back(since, until), until)
        findings = self._found(span)
        older = lifecycle.older(self._store, span)
        if older:
            findings = [f for f in findings if f.subject not in older.only]
            findings += [f for f in self._found(older) if f.subject in older.only]
        self._store.insert_rows(findings)
        version = to_milliseconds(until)
        lifecycle.close_findings(self._store, {f.finding_id for f in findings if f.open}, version)
        return findings

    def _found(self, span: Span) -> list[Finding]:
        found = [
            finding
            for detector, settings in self._detectors
            for finding in detector.find(self._store, settings, span)
        ]
        agreed = consent.honoured(self._store, found, span)
        return lifecycle.keep_ids(self._store, agreed, span.since)

    def _look_back(self, since: datetime | None, until: datetime) -> datetime:
        """Far enough for episodes of a day, and to see whole what was booked again."""
        default = until - timedelta(hours=self._settings.look_back_h)
        return min(since, default) if since else default

    def _advise(self, findings: Sequence[Finding]) -> None:
        until = last_booked(self._store)
        if until is None:
            return
        proposals = [p for i in range(len(self._advisors)) for p in self._told(i, findings, until)]
        lifecycle.settle(self._store, proposals, until)

    def _told(self, i: int, findings: Sequence[Finding], until: datetime) -> list[Recommendation]:
        """What an advisor proposes, or proposed when it looked last."""
        advisor, settings = self._advisors[i]
        looked, proposals = self._standing.get(i, (None, []))
        if (looked and until < looked) or _is_due(looked, until, advisor.every_min / 60):
            proposals = list(advisor.advise(self._store, settings, findings, until))
            self._standing[i] = (until, proposals)
        return proposals


def _is_due(last: datetime | None, now: datetime, hours: float) -> bool:
    return last is None or now - last >= timedelta(hours=hours)
