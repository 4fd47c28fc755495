"""Who gets what of a week, and handing it over."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from email.errors import MessageError
from pathlib import Path

from analytics.report import pages, remarks, snapshot, teams, weeks
from analytics.report.release import Desk
from analytics.report.send import log, s3, webhook
from analytics.report.send.log import MANAGEMENT, TEAM, Delivery, Turn
from analytics.report.send.mail import Mailer, compose
from analytics.report.send.outcome import FAILED, REFUSED, Outcome, told
from analytics.report.send.papers import Papers
from analytics.report.settings import DeliverySettings
from analytics.report.snapshot import RELEASED, Snapshot
from gpuledger import contacts
from gpuledger.errors import ConfigError, StoreError
from gpuledger.files import read_secret
from gpuledger.service import Reader
from gpuledger.store import Store

LOG = logging.getLogger(__name__)
MAIL, S3, WEBHOOK = "mail", "s3", "webhook"
# What a tick may take: alerts of the next one must not wait. The rest goes on then.
BUDGET_S = 30.0


@dataclass(frozen=True)
class Planned:
    """A delivery and where it stands; None = not begun. `held`: it waits for the release."""

    delivery: Delivery
    turn: Turn | None
    held: bool = False

    @property
    def told(self) -> str:
        """Where it stands, in words."""
        if self.turn is None:
            return "waits for the release" if self.held else "to be sent"
        again = f", again at {self.turn.due:%H:%M} UTC" if self.turn.is_due(self.turn.due) else ""
        reason = f": {self.turn.reason}" if self.turn.reason else ""
        return f"{self.turn.state} {self.turn.at:%Y-%m-%d %H:%M} UTC{reason}{again}"


@dataclass
class Sent:
    """What one run did: states of what it sent, and how much is left for the next run."""

    states: dict[str, int] = field(default_factory=dict)
    left: int = 0

    def count(self, state: str) -> None:
        """One more in that state."""
        self.states[state] = self.states.get(state, 0) + 1


def planned(
    reader: Reader, settings: DeliverySettings, zone: tzinfo, frozen: Snapshot
) -> list[Planned]:
    """Who gets what of a week, in a fixed order, and what became of it. StoreError.

    Leads get their teams' parts with the draft; the rest waits for the release.
    """
    standing = log.standing(reader, frozen.week)
    held = frozen.state != RELEASED
    to_leads = [(d, False) for d in _to_leads(reader, settings, zone, frozen)]
    released = [(d, held) for d in _to_management(settings, frozen)]
    return [Planned(d, standing.get(d.delivery_id), h) for d, h in (*to_leads, *released)]


def unreachable(
    reader: Reader, settings: DeliverySettings, zone: tzinfo, frozen: Snapshot
) -> list[str]:
    """Teams whose lead has no mail address."""
    if not settings.team_leads:
        return []
    addresses = contacts.of_teams(reader, frozen.at)
    held = teams.named(reader, *weeks.bounds(frozen.week, zone))
    return [team for team in held if not addresses.get(team)]


class Sender:
    """Sends what is due of one week; a delivery is begun, handed over and ended, each on record."""

    def __init__(
        self,
        store: Store,
        settings: DeliverySettings,
        desk: Desk,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._settings = settings
        self._desk = desk
        self._clock = clock
        self._papers: dict[str, Papers] = {}

    def send(
        self,
        frozen: Snapshot,
        now: datetime,
        *,
        again: bool = False,
        budget_s: float = BUDGET_S,
    ) -> Sent:
        """Send what is due; `again`: everything, whatever became of it. StoreError."""
        self._papers = {}
        plan = planned(self._store, self._settings, self._desk.zone, frozen)
        plan = [p for p in plan if not p.held]
        turns = {p.delivery.delivery_id: p.turn for p in plan if p.turn}
        known = {p.delivery.delivery_id: p.delivery for p in plan}
        turns = log.close_lost(self._store, known, turns, now)
        due = [d for i, d in known.items() if _is_due(turns.get(i), now, again=again)]
        done, ends = Sent(), self._clock() + budget_s
        with ExitStack() as open_:
            mailer = open_.enter_context(Mailer(self._settings))
            for n, delivery in enumerate(due):
                if self._clock() > ends:
                    done.left = len(due) - n
                    break
                before = turns.get(delivery.delivery_id)
                done.count(self._deliver(delivery, before, frozen, mailer, now))
        return done

    def _deliver(
        self,
        delivery: Delivery,
        before: Turn | None,
        frozen: Snapshot,
        mailer: Mailer,
        now: datetime,
    ) -> str:
        begun = log.begin(self._store, delivery, before, now)
        if begun is None:
            return "begun by another service"
        outcome = self._hand_over(delivery, frozen, mailer, now)
        log.end(self._store, delivery, begun, outcome, now, self._settings.attempts)
        if outcome.reason:
            LOG.warning(
                "report %s: %s to %s %s: %s",
                *(delivery.week, delivery.channel, delivery.target),
                *(outcome.state, outcome.reason),
            )
        return outcome.state

    def _hand_over(
        self, delivery: Delivery, frozen: Snapshot, mailer: Mailer, now: datetime
    ) -> Outcome:
        try:
            papers = self._of(delivery, frozen, now)
            if delivery.channel == MAIL:
                return self._mail(delivery, papers, mailer, now)
            if delivery.channel == S3:
                return s3.upload(delivery, papers, self._settings)
            url = webhook_url(self._settings)
            return webhook.post(url, papers, self._settings.timeout_s, self._desk.link)
        except (ConfigError, StoreError) as e:
            return told(FAILED, e)

    def _mail(self, delivery: Delivery, papers: Papers, mailer: Mailer, now: datetime) -> Outcome:
        try:
            message = compose(delivery, papers, self._settings, now)
        except (ValueError, MessageError) as e:
            return told(REFUSED, f"no message can be made of it: {e}")
        return mailer.send(delivery.target, message)

    def _of(self, delivery: Delivery, frozen: Snapshot, now: datetime) -> Papers:
        """The papers that the delivery needs, made once a run."""
        if delivery.what not in self._papers:
            if delivery.team:
                made = pages.page(self._store, frozen, delivery.team, self._desk.zone, now)
                self._papers[delivery.what] = Papers(made)
            else:
                notes = remarks.of_week(self._store, frozen.week)
                loaded = snapshot.loaded(self._store, frozen)
                self._papers[delivery.what] = Papers(loaded.report(notes))
        return self._papers[delivery.what]


def webhook_url(settings: DeliverySettings) -> str:
    """The webhook's address; empty = none. ConfigError where its file cannot be read."""
    if not settings.webhook_file:
        return settings.webhook
    return read_secret(Path(settings.webhook_file), "[report.delivery] webhook_file")


def _is_due(turn: Turn | None, now: datetime, *, again: bool) -> bool:
    return turn is None or turn.is_due(now, again=again)


def _to_management(settings: DeliverySettings, frozen: Snapshot) -> list[Delivery]:
    hook = [_named(settings)] if settings.webhook or settings.webhook_file else []
    places = {
        MAIL: dict.fromkeys(settings.management),
        S3: [settings.s3] if settings.s3 else [],
        WEBHOOK: hook,
    }
    return [
        Delivery(frozen.week, frozen.edition, MANAGEMENT, channel, target)
        for channel, targets in places.items()
        for target in targets
    ]


def _to_leads(
    reader: Reader, settings: DeliverySettings, zone: tzinfo, frozen: Snapshot
) -> list[Delivery]:
    if not settings.team_leads:
        return []
    addresses = contacts.of_teams(reader, frozen.at)
    return [
        Delivery(frozen.week, frozen.edition, f"{TEAM}{team}", MAIL, address)
        for team in teams.named(reader, *weeks.bounds(frozen.week, zone))
        for address in addresses.get(team, ())
    ]


def _named(settings: DeliverySettings) -> str:
    """What names a webhook without its secret."""
    if settings.webhook_file:
        return Path(settings.webhook_file).name
    return webhook.shown(settings.webhook)
