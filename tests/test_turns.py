"""Compare and set over rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gpuledger import turns
from gpuledger.catalogue import LeaseTurn
from gpuledger.store import Store

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
KEPT = "SELECT holder, decision FROM v_leases WHERE name = {name:String}"


def turn(holder: str) -> LeaseTurn:
    return LeaseTurn(ts=NOW, name="x", turn=1, holder=holder, decision=turns.decision(), until=NOW)


def test_the_first_row_of_a_token_holds_for_everybody(store: Store) -> None:
    ana, bob = turn("ana"), turn("bob")
    assert turns.take(store, ana, "x/1", KEPT, name="x")["decision"] == ana.decision
    assert turns.take(store, bob, "x/1", KEPT, name="x") == {
        "holder": "ana",
        "decision": ana.decision,
    }


def test_an_earlier_row_has_the_higher_version() -> None:
    assert turns.version(NOW) > turns.version(NOW + timedelta(milliseconds=1)) > 0
