"""A store, a door that takes messages or refuses, and one who tells people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from alerts.direct import Direct
from alerts.message import Message
from alerts.receivers import Receivers
from alerts.routing import Target
from alerts.rules.gpu_lost import rule as lost_rule
from alerts.rules.job_idle_gpu import rule as idle_rule
from alerts.rules.telemetry_stale import rule as stale_rule
from alerts.timing import Timing
from gpuledger.catalogue import AlertState, Person
from gpuledger.store import Store
from tests.alerts.world import alert

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
RULES = {r.name: r for r in (idle_rule, stale_rule, lost_rule)}
RECEIVERS = Receivers(platform=("json://platform",), mail="mailtos://u:p@mail.example.org")


class FakeDoor:
    """Takes messages, but for receivers that refuse."""

    def __init__(self) -> None:
        self.refuse: set[str] = set()
        self.sent: list[tuple[str, Message]] = []

    def send(self, target: Target, message: Message) -> str:
        if target.key in self.refuse:
            return "not taken: 550 no such user"
        self.sent.append((target.key, message))
        return "accepted"

    @property
    def titles(self) -> list[tuple[str, str]]:
        return [(key, message.title) for key, message in self.sent]


class World:
    """A store, a door, and one who tells."""

    def __init__(self, store: Store, receivers: Receivers = RECEIVERS, **timing: object) -> None:
        self.store = store
        self.door = FakeDoor()
        self.timing = Timing(**timing)  # type: ignore[arg-type]
        self.receivers = receivers

    def teller(self) -> Direct:
        return Direct(self.store, RULES, self.receivers, self.door, self.timing, lambda: 0.0)

    def tick(self, now: datetime, *alerts: AlertState) -> list[tuple[str, str, str]]:
        """Receiver, state and outcome of what was noted, which is written down."""
        self.store.insert_rows(list(alerts))
        out = []
        for notes in self.teller().tell(alerts, now):
            self.store.insert_rows(notes)
            out += [(n.receiver, n.state, n.outcome) for n in notes]
        return out


def person(user: str, mail: str) -> Person:
    return Person(user=user, mail=mail, valid_from=NOON - 30 * DAY, version=1)


def own(fired: datetime, job: str, user: str = "ana", **labels: str) -> AlertState:
    """An alert for a user."""
    place = {"owner": "user", "severity": "warning", "team": "vision", "job": job}
    return alert(fired, job, user=user, **{**place, **labels})
