"""A site where everything is odd at once: the book closes each time, and doctor names each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, example, given, seed, settings
from hypothesis import strategies as st

from analytics.ledger import HOUR, Ledger, Window
from gpuledger.catalogue import Asset, HostSample
from gpuledger.cli.doctor import odd
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.analytics import world
from tests.analytics.world import CLUSTER, START, asset, at, job, price, samples, write
from tests.conftest import empty

HOURS = 3
MINUTES = 60 * HOURS
END = at(MINUTES)
YEARS = timedelta(days=700)
FEW = settings(
    max_examples=2,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def host(node: str, error_s: float | None, synchronized: int) -> HostSample:
    return HostSample.known(
        ts=at(30),
        interval_seconds=60,
        cluster=CLUSTER,
        node=node,
        clock_error_seconds=error_s,
        clock_synchronized=synchronized,
    )


def overlapping(minute: int) -> list[Row]:
    """Three jobs on one GPU, each of which has all of it."""
    held = [world.given(n, 0, since=at(minute + i)) for i, n in enumerate("123")]
    return [*(job(n, started=START) for n in "123"), *held]


def open_allocation(minute: int) -> list[Row]:
    """A job that ended while its allocation went on."""
    return [job("4", started=START, ended=at(minute)), world.given("4", 1)]


def silent(_: int) -> list[Row]:
    return [asset(2, since=START - timedelta(days=8))]


def unknown(minute: int) -> list[Row]:
    return samples(9, minute, 5)


def fast_and_slow(_: int) -> list[Row]:
    """Nodes whose clocks are an hour off, either way; each holds a job all the while."""
    rows: list[Row] = [host("fast", 3600.0, 1), host("slow", None, 0), host("n0", 0.001, 1)]
    for native, (node, shift) in zip("56", (("fast", 60), ("slow", -60)), strict=True):
        rows += [asset(0, node), job(native, started=START), world.given(native, 0, node)]
        rows += samples(0, shift, MINUTES, node=node)
    return rows


def reused(_: int) -> list[Row]:
    old = world.given("7", 1, since=START - YEARS, until=START - YEARS + HOUR)
    return [job("7", started=START), old]


def unpriced(_: int) -> list[Row]:
    other: Asset = asset(3, model="Other")
    other.pool = "cheap"
    return [other, *samples(3, 0, MINUTES)]


ODD: dict[str, Callable[[int], list[Row]]] = {
    "shares": overlapping,
    "open allocations": open_allocation,
    "silent GPUs": silent,
    "unknown GPUs": unknown,
    "clocks": fast_and_slow,
    "job ids": reused,
    "prices": unpriced,
}


def closes(store: Store, window: Window, now: datetime) -> None:
    """Book a window, and compare it with what is owned in it, to the millisecond."""
    Ledger(store).book(window, now)
    (told,) = store.select(
        "SELECT (SELECT sum(gpu_ms) FROM ledger_1m WHERE minute >= {since:DateTime64(3, 'UTC')}"
        " AND minute < {until:DateTime64(3, 'UTC')}) AS booked, (SELECT count() FROM assets FINAL)"
        " * dateDiff('millisecond', {since:DateTime64(3, 'UTC')}, {until:DateTime64(3, 'UTC')})"
        " AS owned",
        since=window.since,
        until=window.until,
    )
    assert told["booked"] == told["owned"] > 0


def check(store: Store, kinds: set[str], minute: int, *, late: bool) -> None:
    """Book a site with these oddities twice over; doctor names them and no others."""
    empty(store)
    plain: list[Row] = [asset(0), asset(1), price(), *samples(0, 0, MINUTES)]
    strange = [row for kind in sorted(kinds) for row in ODD[kind](minute)]
    known = [r for r in strange if isinstance(r, Asset) or not late]
    write(store, [*plain, *samples(1, 0, MINUTES), *known])
    closes(store, Window(START, END), END)
    write(store, [r for r in strange if r not in known])
    closes(store, Window(START, END), END + timedelta(minutes=1))
    assert {found.name for found in odd(store)} == kinds


@seed(1)
@FEW
@example(kinds=set(ODD), minute=61, late=True)
@given(st.sets(st.sampled_from(sorted(ODD))), st.integers(0, MINUTES - 70), st.booleans())
def test_any_mix_of_odd_histories_closes_and_is_named(
    engine: Store, kinds: set[str], minute: int, late: bool
) -> None:
    check(engine, kinds, minute, late=late)
    empty(engine)


def test_each_node_whose_clock_is_off_is_named_also_where_it_is_ahead_of_the_store(
    store: Store,
) -> None:
    write(store, [asset(0), *fast_and_slow(0)])
    closes(store, Window(START, END), END)
    ahead = samples(0, 0, 1, node="early")
    ahead[0].ts = datetime.now(UTC).replace(microsecond=0) + HOUR
    write(store, list(ahead))
    [clocks] = [found for found in odd(store) if found.name == "clocks"]
    assert clocks.found.endswith("early, fast, slow")
    assert clocks.found.startswith("the clocks of 3 nodes")


def test_time_of_nodes_whose_clocks_are_an_hour_off_is_told_unknown_and_not_lost(
    store: Store,
) -> None:
    write(store, [asset(0), *samples(0, 0, MINUTES), *fast_and_slow(0)])
    closes(store, Window(START, END), END)
    rows = store.select(
        "SELECT node, toHour(minute) - 10 AS hour, sumIf(gpu_ms, state = 'alloc_unknown') > 0 AS"
        " unknown FROM ledger_1m WHERE node != 'n0' GROUP BY node, hour ORDER BY node, hour"
    )
    assert [(r["node"], r["unknown"]) for r in rows] == [
        *(("fast", 1), ("fast", 0), ("fast", 0)),
        *(("slow", 0), ("slow", 0), ("slow", 1)),
    ]


def test_shares_that_overlap_are_scaled_to_the_whole_gpu(store: Store) -> None:
    write(store, [asset(0), *samples(0, 0, MINUTES), *overlapping(0)])
    closes(store, Window(START, END), END)
    last = store.select(
        "SELECT whole_milli, sum(share_milli) AS given FROM occupancy"
        " WHERE valid_to = {end:DateTime64(3, 'UTC')} GROUP BY whole_milli",
        end=END,
    )
    assert last == [{"whole_milli": 3000, "given": 3000}]
    shared = "SELECT sum(gpu_ms) FROM ledger_1m WHERE minute = {m:DateTime64(3, 'UTC')}"
    assert store.value(shared, m=at(90)) == 60_000


def test_claims_that_overlap_for_seconds_are_not_odd(store: Store) -> None:
    jobs: list[Row] = [job("1", started=START, ended=at(30.5)), job("2", started=at(30))]
    held = [world.given("1", 0, until=at(30.5)), world.given("2", 0, since=at(30))]
    write(store, [asset(0), *samples(0, 0, MINUTES), *jobs, *held])
    closes(store, Window(START, END), END)
    assert [found.name for found in odd(store)] == []


def test_a_job_id_that_is_used_again_on_the_same_gpu_is_named_from_the_book(store: Store) -> None:
    """Regression: the new allocation takes the place of the old one, and nothing looked odd."""
    long_ago = START - YEARS
    write(store, [asset(0, since=long_ago), world.given("1", 0, since=long_ago)])
    write(store, [job("1", started=long_ago)])
    closes(store, Window(long_ago, long_ago + HOUR), long_ago + HOUR)
    again = world.given("1", 0)
    again.version = 2
    write(store, [again, job("1", started=START, version=2), *samples(0, 0, MINUTES)])
    closes(store, Window(START, END), END)
    assert [found.found for found in odd(store) if found.name == "job ids"] == [
        "1 job ids were used again for other jobs: c/1"
    ]
