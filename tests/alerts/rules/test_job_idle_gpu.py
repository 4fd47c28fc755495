from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alerts.rules.job_idle_gpu import rule
from gpuledger.store import Store
from tests.alerts.world import finding

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "open", "minutes", "holds"),
    [
        ("idle", 1, 14, False),
        ("idle", 1, 15, True),
        ("idle", 0, 60, False),
        ("underused", 1, 60, False),
    ],
)
def test_an_open_idle_finding_of_a_quarter_of_an_hour(
    store: Store, kind: str, open: int, minutes: int, holds: bool
) -> None:
    since = NOW - timedelta(minutes=minutes)
    store.insert_rows([finding("alpha/1", since=since, until=NOW, kind=kind, open=open)])
    rows = store.select(rule.sql, now=NOW)
    assert any(rule.holds(row["value"]) for row in rows) is holds


@pytest.mark.parametrize("owner", ["hardware operations", "ana"])
def test_what_the_job_does_not_answer_for_pages_nobody_about_it(store: Store, owner: str) -> None:
    since = NOW - timedelta(hours=1)
    store.insert_rows([finding("alpha/1", since=since, until=NOW, owner=owner)])
    assert store.select(rule.sql, now=NOW) == []


def test_nothing_grows_while_nothing_is_booked(store: Store) -> None:
    since = NOW - timedelta(hours=3)
    store.insert_rows([finding("alpha/1", since=since, until=since + timedelta(minutes=5))])
    [row] = store.select(rule.sql, now=NOW)
    assert row["value"] == 300
