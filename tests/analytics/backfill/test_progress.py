"""Stretches of history: cut alike by every run, read once, begun again as they were."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from analytics.backfill.memory import Memory
from analytics.backfill.progress import Progress, Stretch, cut, gaps, span_for
from gpuledger.store import Store

HOUR = 3_600_000
DAY = 24 * HOUR


def hours(first: float, last: float) -> Stretch:
    return Stretch(round(first * HOUR), round(last * HOUR))


def test_a_stretch_is_cut_at_whole_spans() -> None:
    assert list(cut(hours(1, 13), 6 * HOUR)) == [hours(1, 6), hours(6, 12), hours(12, 13)]


def test_what_is_known_is_not_read_again() -> None:
    known = [hours(0, 2), hours(3, 5)]
    assert list(gaps(hours(1, 6), known)) == [hours(2, 3), hours(5, 6)]


def test_spans_are_shorter_where_there_is_more() -> None:
    assert span_for(1_000, 6_000_000) == DAY
    assert span_for(1_000_000, 6_000_000) == 6 * HOUR
    assert span_for(1e12, 6_000_000) == 5 * 60_000


def test_a_run_goes_on_where_the_one_before_ended(store: Store) -> None:
    first = Progress(store, "c/dcgm")
    first.begin(hours(0, 6))
    first.finish(hours(0, 6), 10, 5, Memory(7).kept(0))
    again = Progress(store, "c/dcgm")
    assert list(again.todo(hours(0, 18), 6 * HOUR)) == [hours(6, 12), hours(12, 18)]
    assert again.memory(hours(6, 12)).epoch == 7
    assert again.done() == [hours(0, 6)]
    assert again.totals() == (10, 5)


def test_what_was_begun_is_read_again_with_the_same_bounds(store: Store) -> None:
    Progress(store, "c/dcgm").begin(hours(0, 5))
    again = Progress(store, "c/dcgm")
    assert list(again.todo(hours(1, 12), 6 * HOUR)) == [hours(0, 5), hours(5, 6), hours(6, 12)]


def test_history_that_does_not_go_on_has_an_epoch_of_its_own(store: Store) -> None:
    progress = Progress(store, "c/dcgm")
    progress.finish(hours(0, 6), 1, 1, Memory(0).kept(0))
    assert progress.memory(hours(12, 18)).epoch == 12 * 3600


def test_only_the_newest_stretch_keeps_its_state(store: Store) -> None:
    progress = Progress(store, "c/dcgm")
    for at in (0, 6, 12):
        progress.memory(hours(at, at + 6))
        progress.finish(hours(at, at + 6), 1, 1, Memory(at).kept(0))
    kept = store.value("SELECT count() FROM backfill_chunks FINAL WHERE state != ''")
    assert kept == 1
    assert progress.totals() == (3, 3)


def test_histories_are_kept_apart(store: Store) -> None:
    Progress(store, "c/dcgm").finish(hours(0, 6), 1, 1, "")
    assert list(Progress(store, "d/dcgm").todo(hours(0, 6), DAY)) == [hours(0, 6)]


stretches = st.lists(st.tuples(st.integers(0, 50), st.integers(1, 10)), max_size=8)


@given(stretches, st.integers(0, 40), st.integers(1, 30))
def test_gaps_and_what_is_known_cover_everything_once(
    told: list[tuple[int, int]], first: int, length: int
) -> None:
    known = sorted(Stretch(a, a + n) for a, n in told)
    whole = Stretch(first, first + length)
    missing = [at for g in gaps(whole, known) for at in range(g.since_ms, g.until_ms)]
    covered = {at for k in known for at in range(k.since_ms, k.until_ms)}
    assert missing == [at for at in range(first, first + length) if at not in covered]
