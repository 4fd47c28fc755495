"""Rows compared and changed."""

from __future__ import annotations

from datetime import UTC, datetime

from gpuledger.rows import changed, fitting, says_the_same
from tests.analytics.world import job


def test_a_changed_row_is_another_one() -> None:
    row = job()
    assert changed(row, state="failed").state == "failed"
    assert row.state == "running"


def test_when_it_was_said_makes_no_difference() -> None:
    row = job()
    again = changed(row, version=7, seen_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert says_the_same(row, again)
    assert not says_the_same(row, changed(row, priority=1))
    assert says_the_same(row, changed(row, priority=1), "priority")


def test_a_number_beyond_its_column_is_held_within_it() -> None:
    row = fitting(changed(job(), gpus_per_node=1 << 20, nodes=-1))
    assert (row.gpus_per_node, row.nodes) == ((1 << 16) - 1, 0)
