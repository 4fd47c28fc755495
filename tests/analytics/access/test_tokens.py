"""Tokens: made, looked up, replaced, taken back, and known while the store is away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from analytics.access import issue, keys
from analytics.access.caller import Caller, Role
from analytics.access.issue import Office, Wanted
from analytics.access.keys import Keys
from analytics.access.tokens import hashed, parted, shown
from gpuledger.errors import ConfigError, Conflict, StoreError, Unknown
from gpuledger.schema import FOREVER
from gpuledger.store import Store

ADA = Caller("ada", Role.ADMIN)
NODE = Wanted("", "ingest", "90d", cluster="alpha", node="n1", tables=("gpu_samples",))
LEAD = Wanted("lea", "team-owner", "30d", teams=("red",))


class Clock:
    """A clock that stands until it is told."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.day = datetime.now(UTC)

    def __call__(self) -> float:
        return self.now

    def today(self) -> datetime:
        return self.day


class Away(Store):
    """A store that can be taken away."""

    def __init__(self, there: Store) -> None:
        self.there = there
        self.away = False
        self.asked = 0

    def select(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        self.asked += 1
        if self.away:
            raise StoreError("gone")
        return self.there.select(sql, **parameters)

    def insert_rows(self, rows: Any) -> None:
        if self.away:
            raise StoreError("gone")
        self.there.insert_rows(rows)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def away(store: Store) -> Away:
    return Away(store)


@pytest.fixture
def known(away: Away, clock: Clock) -> Iterator[Keys]:
    made = Keys(away, clock.today, clock)
    yield made
    away.away = False
    made.close()


def find(known: Keys, token: str) -> Caller | None:
    return asyncio.run(known.find(token, "10.0.0.7"))


def listed(store: Store) -> list[dict[str, Any]]:
    return issue.listed(store, datetime.now(UTC))


def test_a_new_token_opens_doors_as_what_it_was_made_for(store: Store, known: Keys) -> None:
    token = Office(store).create(ADA, NODE).token
    caller = find(known, token)
    assert caller
    assert (caller.name, caller.role) == ("alpha/n1", Role.INGEST)
    assert (caller.cluster, caller.node, caller.tables) == ("alpha", "n1", ("gpu_samples",))


def test_the_secret_is_kept_nowhere(store: Store) -> None:
    issued = Office(store).create(ADA, LEAD)
    parts = parted(issued.token)
    assert parts
    everything = str([store.select(f"SELECT * FROM {t}") for t in ("api_tokens", "audit_log")])
    assert parts[1] not in everything
    assert hashed(parts[1]) in everything
    assert hashed(parts[1]) not in str([issued.told, listed(store)])
    assert hashed(parts[1]) not in str(store.select("SELECT * FROM audit_log"))


@pytest.mark.parametrize("spoilt", ["secret", "id", "prefix", "cut", "empty"])
def test_a_token_that_is_not_quite_right_opens_nothing(
    store: Store, known: Keys, spoilt: str
) -> None:
    token = Office(store).create(ADA, LEAD).token
    parts = parted(token)
    assert parts
    wrong = {
        "secret": shown(parts[0], "x" * 43),
        "id": shown("0" * 12, parts[1]),
        "prefix": token.replace("gpl_", "gpm_"),
        "cut": token[:-1],
        "empty": shown(parts[0], ""),
    }
    assert find(known, wrong[spoilt]) is None
    assert find(known, token)


def test_a_token_ends_when_it_said(store: Store, known: Keys, clock: Clock) -> None:
    token = Office(store).create(ADA, replace(LEAD, expires="1d")).token
    assert find(known, token)
    clock.day += timedelta(days=1, seconds=1)
    assert find(known, token) is None


def test_one_that_is_taken_back_opens_nothing_seconds_later(
    store: Store, known: Keys, clock: Clock
) -> None:
    issued = Office(store).create(ADA, LEAD)
    assert find(known, issued.token)
    Office(store).revoke(ADA, issued.told["token_id"])
    clock.now += keys.FRESH_S
    clock.day = datetime.now(UTC)
    assert find(known, issued.token) is None


def test_a_token_made_elsewhere_is_known_at_once(store: Store, known: Keys, clock: Clock) -> None:
    assert find(known, "gpl_aaaaaaaaaaaa_b") is None
    token = Office(store).create(ADA, LEAD).token
    clock.now += keys.ASK_AGAIN_S
    assert find(known, token)


def test_a_flood_of_unknown_ids_asks_the_store_once_a_second(away: Away, known: Keys) -> None:
    for number in range(50):
        assert find(known, f"gpl_{number:012x}_secret") is None
    assert away.asked == 2


def test_while_the_store_is_away_the_last_known_tokens_go_on(
    store: Store, away: Away, known: Keys, clock: Clock
) -> None:
    token = Office(store).create(ADA, LEAD).token
    assert find(known, token)
    away.away = True
    clock.now += 3600
    assert find(known, token)
    assert find(known, "gpl_aaaaaaaaaaaa_b") is None


def test_before_the_store_answered_nobody_is_refused_for_good(away: Away, known: Keys) -> None:
    away.away = True
    with pytest.raises(StoreError, match="no token is known"):
        find(known, "gpl_aaaaaaaaaaaa_b")


def test_what_is_no_token_of_ours_asks_nobody(away: Away, known: Keys) -> None:
    assert find(known, "of the tests") is None
    assert away.asked == 0


def test_the_last_use_is_written_once_a_minute(store: Store, known: Keys, clock: Clock) -> None:
    token = Office(store).create(ADA, LEAD).token
    for _ in range(3):
        find(known, token)
        clock.now += keys.FRESH_S
    assert listed(store)[0]["used_at"] is None
    clock.now += keys.USES_S
    find(known, token)
    (row,) = listed(store)
    assert abs(row["used_at"] - clock.day) < timedelta(milliseconds=1)
    assert row["used_from"] == "10.0.0.7"


def test_a_replaced_token_goes_on_for_the_grace_time_under_the_same_name(
    store: Store, known: Keys, clock: Clock
) -> None:
    old = Office(store).create(ADA, NODE)
    new = Office(store).rotate(ADA, old.told["token_id"], grace="1h")
    assert new.token != old.token
    first, second = find(known, old.token), find(known, new.token)
    assert first
    assert second
    assert (first.name, first.node) == (second.name, second.node) == ("alpha/n1", "n1")
    lasts = new.told["expires_at"] - new.told["made_at"]
    assert lasts == timedelta(days=90)
    clock.day += timedelta(hours=1, minutes=1)
    assert find(known, old.token) is None
    assert find(known, new.token)


def test_every_change_of_a_token_is_in_the_audit(store: Store) -> None:
    office = Office(store)
    old = office.create(ADA, LEAD).told["token_id"]
    new = office.rotate(ADA, old).told["token_id"]
    office.revoke(ADA, new)
    entries = store.select("SELECT who, action, subject FROM audit_log ORDER BY ts")
    assert [(e["who"], e["action"], e["subject"]) for e in entries] == [
        ("ada", "token.create", old),
        ("ada", "token.rotate", old),
        ("ada", "token.revoke", new),
    ]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (replace(LEAD, role="boss"), "role boss: there are ingest, viewer"),
        (replace(LEAD, teams=()), "a team owner needs a team"),
        (replace(LEAD, teams=("red", "")), "a team has a name"),
        (replace(LEAD, role="admin"), "role admin: it has no team"),
        (replace(LEAD, cluster="alpha"), "bind ingest tokens"),
        (replace(LEAD, name=""), "name: 1 to 100 letters"),
        (replace(LEAD, name="oidc:ada"), "name: 1 to 100 letters"),
        (replace(LEAD, name="a\nb"), "name: 1 to 100 letters"),
        (replace(LEAD, name="owner"), "the service's own token"),
        (replace(NODE, cluster=""), "say --cluster"),
        (replace(NODE, tables=("gpu_sample",)), "did you mean 'gpu_samples'?"),
        (replace(NODE, tables=("audit_log",)), "no table 'audit_log' takes rows"),
        (replace(LEAD, expires="soon"), "expires soon: write 90d"),
        (replace(LEAD, expires="2001-01-01"), "ends later than now"),
        (replace(LEAD, expires="999999w"), "expires 999999w"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused_in_one_line(
    store: Store, wanted: Wanted, said: str
) -> None:
    with pytest.raises(ConfigError, match=said.replace("?", r"\?")):
        Office(store).create(ADA, wanted)
    assert listed(store) == []


def test_a_token_that_never_ends_has_no_end(store: Store) -> None:
    made = Office(store).create(ADA, replace(LEAD, expires="never"))
    assert made.told["expires_at"] is None
    assert Office(store).rotate(ADA, made.told["token_id"]).told["expires_at"] is None
    assert issue.until("never", datetime.now(UTC)) == FOREVER


def test_two_good_tokens_of_one_name_are_refused(store: Store) -> None:
    Office(store).create(ADA, LEAD)
    with pytest.raises(Conflict, match="rotate it"):
        Office(store).create(ADA, LEAD)


def test_what_is_over_is_not_changed_again(store: Store) -> None:
    office = Office(store)
    token_id = office.create(ADA, LEAD).told["token_id"]
    office.revoke(ADA, token_id)
    with pytest.raises(Conflict, match="is revoked already"):
        office.rotate(ADA, token_id)
    with pytest.raises(Unknown, match="there is no token 'nobody'"):
        office.revoke(ADA, "nobody")
