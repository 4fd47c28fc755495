"""Holdings over any series of lists: what began ends once, and a restart changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from collector.holdings import Holdings
from gpuledger.catalogue.work import Allocation
from gpuledger.schema import FOREVER

BEGIN = datetime(2027, 1, 15, tzinfo=UTC)
# A list: which of four allocations it names, with which share; and whether the agent restarts.
STEPS = st.lists(
    st.tuples(st.dictionaries(st.integers(0, 3), st.sampled_from([250, 1000])), st.booleans()),
    max_size=12,
)


def allocation(key: int, share: int, at: datetime, version: int) -> Allocation:
    return Allocation(
        gpu_id=key,
        alloc_id=key,
        job_id=f"c/ml/p{key}@0",
        cluster="c",
        node="n1",
        share_milli=share,
        valid_from=at,
        source="kubernetes",
        seen_at=at,
        version=version,
    )


def play(steps: list[tuple[dict[int, int], bool]], *, restarts: bool) -> list[Allocation]:
    memory: dict[str, str] = {}
    holdings, rows = Holdings(memory), []
    for number, (named, restart) in enumerate(steps):
        at = BEGIN + timedelta(seconds=10 * number)
        listed = [allocation(key, share, at, number) for key, share in named.items()]
        holdings = Holdings(memory) if restart and restarts else holdings
        rows += holdings.advance(listed, at, number, everything=False)
    return sorted(rows, key=lambda row: (row.version, row.alloc_id))


@given(STEPS)
def test_the_last_word_of_each_allocation_is_what_the_last_list_says(
    steps: list[tuple[dict[int, int], bool]],
) -> None:
    rows = play(steps, restarts=False)
    last = {row.alloc_id: row for row in rows}
    named = steps[-1][0] if steps else {}
    assert {k: r.share_milli for k, r in last.items() if r.valid_to == FOREVER} == named
    assert all(row.valid_from <= row.valid_to for row in rows)


@given(STEPS)
def test_a_restart_changes_nothing(steps: list[tuple[dict[int, int], bool]]) -> None:
    assert play(steps, restarts=True) == play(steps, restarts=False)


@given(STEPS)
def test_what_is_given_again_begins_anew(steps: list[tuple[dict[int, int], bool]]) -> None:
    ends: dict[int, datetime] = {}
    for row in play(steps, restarts=True):
        assert row.valid_from >= ends.get(row.alloc_id, BEGIN)
        if row.valid_to != FOREVER:
            ends[row.alloc_id] = row.valid_to
