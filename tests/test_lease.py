from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gpuledger.batch import Batch
from gpuledger.catalogue import LeaseTurn
from gpuledger.lease import Lease, somebody
from gpuledger.store import Store

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def lease(store: Store, holder: str) -> Lease:
    return Lease(store, "alerts", 180, holder)


def test_one_of_two_holds_it(store: Store) -> None:
    assert lease(store, "a").hold(NOW)
    assert not lease(store, "b").hold(NOW + 60 * SECOND)
    assert lease(store, "a").hold(NOW + 60 * SECOND)


def test_the_other_takes_over_when_the_holder_is_gone(store: Store) -> None:
    lease(store, "a").hold(NOW)
    assert not lease(store, "b").hold(NOW + 179 * SECOND)
    assert lease(store, "b").hold(NOW + 180 * SECOND)
    assert not lease(store, "a").hold(NOW + 181 * SECOND)


def test_a_holder_that_goes_on_keeps_it_for_ever(store: Store) -> None:
    first, second = lease(store, "a"), lease(store, "b")
    for minute in range(10):
        assert first.hold(NOW + minute * 60 * SECOND)
        assert not second.hold(NOW + minute * 60 * SECOND)
    [row] = store.select("SELECT count() AS turns, max(turn) AS last FROM leases")
    assert row["turns"] == row["last"] < 10


def test_of_two_that_take_the_same_turn_the_first_one_has_it(store: Store) -> None:
    row = LeaseTurn(ts=NOW, name="alerts", turn=1, holder="a", decision=7, until=NOW + 180 * SECOND)
    store.insert(Batch.of_rows([row]), token="lease/alerts/1")
    assert not Lease(store, "alerts", 180, "b")._take(1, NOW)
    assert store.select("SELECT holder FROM v_leases") == [{"holder": "a"}]


def test_leases_of_different_names_do_not_meet(store: Store) -> None:
    assert lease(store, "a").hold(NOW)
    assert Lease(store, "reports", 180, "b").hold(NOW)


def test_two_processes_have_two_names() -> None:
    assert somebody() != somebody()
