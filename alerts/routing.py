"""Who hears of an alert: its user, team, the platform or hardware operations, and where."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from alerts.receivers import Addresses, Receivers
from alerts.rule import Owner
from gpuledger import contacts
from gpuledger.catalogue import AlertState
from gpuledger.store import Store

MAILTO = "mailto:"
USER, TEAM, PLATFORM = "user/", "team/", "platform"

_PEOPLE = """
SELECT user, argMax(mail, version) AS mail FROM v_people
WHERE valid_from <= {now:DateTime64(3, 'UTC')} AND valid_to > {now:DateTime64(3, 'UTC')}
GROUP BY user HAVING mail != ''
"""


@dataclass(frozen=True)
class Target:
    """One place where messages go. `key` is its name for people; the address is a secret."""

    key: str
    address: str = field(repr=False)

    @property
    def is_user(self) -> bool:
        """Whether it is a person who is told of their own."""
        return self.key.startswith(USER)


class Routing:
    """Receivers by owner; mail addresses come from the lists of people and teams."""

    def __init__(
        self,
        receivers: Receivers,
        people: Mapping[str, str],
        teams: Mapping[str, Sequence[str]],
    ) -> None:
        self._receivers = receivers
        self._people = people
        self._teams = teams

    def targets(self, alert: AlertState) -> list[Target]:
        """Everybody who is told: the owner, else the team, else the platform."""
        labels = json.loads(alert.labels)
        owner = labels.get("owner", "")
        for name, key, addresses in self._candidates(owner, labels):
            if addresses:
                return list(_targets(f"{name}{key}", addresses))
        where = Owner.HARDWARE if owner == Owner.HARDWARE else Owner.PLATFORM
        return list(_targets(where.value, self._receivers.of(where)))

    def _candidates(
        self, owner: str, labels: Mapping[str, str]
    ) -> Iterator[tuple[str, str, Addresses]]:
        if owner == Owner.USER and (user := labels.get("user", "")):
            yield USER, user, self._user(user)
        if owner in {Owner.USER, Owner.TEAM} and (team := labels.get("team", "")):
            yield TEAM, team, self._team(team)

    def _user(self, user: str) -> Addresses:
        return self._receivers.users.get(user) or self._mailed([self._people.get(user, "")])

    def _team(self, team: str) -> Addresses:
        return self._receivers.teams.get(team) or self._mailed(self._teams.get(team, ()))

    def _mailed(self, addresses: Iterable[str]) -> Addresses:
        if not self._receivers.mail:
            return ()
        return tuple(f"{MAILTO}{address}" for address in addresses if address)


def routing(store: Store, receivers: Receivers, now: datetime) -> Routing:
    """Routing by the lists of people and teams as they are at that moment. StoreError."""
    if not receivers.mail:
        return Routing(receivers, {}, {})
    people = {row["user"]: row["mail"] for row in store.select(_PEOPLE, now=now)}
    return Routing(receivers, people, contacts.of_teams(store, now))


def _targets(who: str, addresses: Sequence[str]) -> Iterator[Target]:
    """Where somebody has several addresses each one is told, and tried again, on its own."""
    if len(addresses) == 1:
        yield Target(who, addresses[0])
        return
    for address, name in zip(addresses, names(addresses), strict=True):
        yield Target(f"{who}/{name}", address)


def names(addresses: Iterable[str]) -> list[str]:
    """Names for people that hold nothing secret: a mail address, or service and number."""
    counts: dict[str, int] = {}
    out = []
    for address in addresses:
        kind = address.partition(":")[0]
        counts[kind] = counts.get(kind, 0) + 1
        plain = address.startswith(MAILTO) and "//" not in address
        out.append(address.removeprefix(MAILTO) if plain else f"{kind}-{counts[kind]}")
    return out
