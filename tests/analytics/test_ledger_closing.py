"""A book that does not close is refused, and the old one stays."""

from __future__ import annotations

from typing import Any

import pytest

from analytics.ledger import Ledger, Window
from gpuledger.errors import BookNotClosed
from gpuledger.store import Store
from tests.analytics.ledger_world import (
    START,
    History,
    Phase,
    Telemetry,
    allocation,
    asset,
    at,
)

STAGED = "ledger_1m_staging"
# One cell of a job that holds a third of the second GPU.
ONE = f"gpu_id = {asset(1).gpu_id} AND minute = '{at(70):%Y-%m-%d %H:%M:%S}' AND alloc_id = 2"
NOW = {"mutations_sync": 2}
MOVED = f"INSERT INTO {STAGED} SELECT * REPLACE ({{}}) FROM (SELECT * FROM {STAGED} WHERE {ONE})"
DELETED = f"ALTER TABLE {STAGED} DELETE WHERE {ONE}"
TAMPERED = {
    "dropped": [DELETED],
    "doubled": [f"INSERT INTO {STAGED} SELECT * FROM {STAGED} WHERE {ONE}"],
    "a second short": [f"ALTER TABLE {STAGED} UPDATE gpu_ms = gpu_ms - 1000 WHERE {ONE}"],
    "a second long": [f"ALTER TABLE {STAGED} UPDATE gpu_ms = gpu_ms + 1000 WHERE {ONE}"],
    "given to another GPU": [MOVED.format(f"toUInt64({asset(0).gpu_id}) AS gpu_id"), DELETED],
    "given to another hour": [MOVED.format("minute - INTERVAL 1 HOUR AS minute"), DELETED],
    "a GPU forgotten": [f"ALTER TABLE {STAGED} DELETE WHERE gpu_id = {asset(0).gpu_id}"],
    "a GPU invented": [MOVED.format("toUInt64(1) AS gpu_id")],
    "everything gone": [f"TRUNCATE TABLE {STAGED}"],
}


class Tampered:
    """A store whose staged book is changed before it is checked."""

    def __init__(self, store: Store, statements: list[str]) -> None:
        self._store = store
        self._statements = statements

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def select(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        found = self._store.select(sql, **parameters)
        if sql.startswith(f"INSERT INTO {STAGED}"):
            for statement in self._statements:
                self._store.command(statement, **NOW)
        return found


@pytest.fixture
def history() -> History:
    gpus = [asset(0), asset(1)]
    jobs = [
        allocation(gpus[0], 1, at(10.5)),
        allocation(gpus[1], 2, at(20), share_milli=333),
        allocation(gpus[1], 3, at(30), share_milli=500),
    ]
    return History(
        at(120), gpus, jobs, telemetry=[Telemetry(g, 0, [Phase(120, processes=0)]) for g in gpus]
    )


def everything(store: Store) -> list[list[dict[str, Any]]]:
    """The whole book."""
    return [
        store.select(f"SELECT * FROM {table} ORDER BY ALL")
        for table in ("ledger_1m", "ledger_1h", "booked_hours")
    ]


@pytest.mark.parametrize("how", TAMPERED)
def test_a_tampered_book_is_refused_and_the_old_one_stays(
    store: Store, history: History, how: str
) -> None:
    history.write(store)
    window = Window(START, history.until)
    Ledger(store).book(window, at(200))
    old = everything(store)
    store.insert_rows([allocation(asset(0), 4, at(100))])
    with pytest.raises(BookNotClosed, match="does not close: GPU"):
        Ledger(Tampered(store, TAMPERED[how])).book(window, at(201))  # type: ignore[arg-type] # stands in for one
    assert everything(store) == old
    Ledger(store).book(window, at(202))
    assert everything(store)[0] != old[0]


def test_the_message_says_which_gpu_and_hour_misses_how_much(
    store: Store, history: History
) -> None:
    history.write(store)
    tampered: Any = Tampered(store, TAMPERED["a second short"])
    with pytest.raises(BookNotClosed) as caught:
        Ledger(tampered).book(Window(START, history.until), at(200))
    assert str(caught.value) == (
        "the book of 2025-03-04 10:00 to 2025-03-04 12:00 does not close:"
        f" GPU {asset(1).gpu_id}, hour 2025-03-04 11:00: booked 3599.000 s of 3600.000 s"
    )
