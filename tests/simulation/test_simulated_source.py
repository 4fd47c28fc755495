"""The simulated source: each row once, for a whole cluster, also across restarts and worlds."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from collector.simulation.feed import Feed
from collector.source import Clock, Context, Role
from collector.sources.simulated import SimulatedSettings, source
from gpuledger.batch import EPOCH
from gpuledger.catalogue.gpu import GpuSample
from gpuledger.catalogue.work import Allocation
from gpuledger.schema import FOREVER, Row

NOW = datetime(2026, 11, 18, 10, 0, 5, tzinfo=UTC)


class Wall:
    def __init__(self) -> None:
        self.now = NOW.timestamp()

    def __call__(self) -> float:
        return self.now


def context(wall: Wall, memory: dict[str, str] | None = None) -> Context:
    return Context("sim", "head", clock=Clock(wall, wall), memory={} if memory is None else memory)


def gpu_rows(rows: Iterable[Row]) -> list[tuple[str, int, datetime]]:
    return [(r.node, r.slot, r.ts) for r in rows if isinstance(r, GpuSample)]


SETTINGS = SimulatedSettings(nodes=2, history_h=0.5, world_days=7)


def test_it_belongs_to_the_cluster_and_runs_only_where_asked_for() -> None:
    assert source.role is Role.CLUSTER
    assert source.optional


def test_rows_name_their_own_node_and_cluster() -> None:
    rows = list(source.make(SETTINGS, context(Wall())).read())
    assert {r.__dict__["cluster"] for r in rows} == {"sim"}
    assert {r.node for r in rows if isinstance(r, GpuSample)} == {"gpu001", "gpu002"}


def test_each_reading_brings_what_is_new_and_nothing_twice() -> None:
    wall = Wall()
    simulated = source.make(SETTINGS, context(wall))
    seen: Counter[tuple[str, int, datetime]] = Counter()
    for _ in range(20):
        seen.update(gpu_rows(simulated.read()))
        wall.now += 10
    assert set(seen.values()) == {1}
    last = datetime.fromtimestamp(wall.now - 15, UTC)
    assert max(ts for _, _, ts in seen) == last


def test_after_a_restart_it_goes_on_where_it_was() -> None:
    wall = Wall()
    memory: dict[str, str] = {}
    before = gpu_rows(source.make(SETTINGS, context(wall, memory)).read())
    wall.now += 120
    after = gpu_rows(source.make(SETTINGS, context(wall, memory)).read())
    assert not set(before) & set(after)
    assert min(ts for _, _, ts in after) - max(ts for _, _, ts in before) == timedelta(seconds=10)


def test_a_world_that_ends_leaves_nothing_open() -> None:
    end = EPOCH + timedelta(days=7 * 2_968)
    feed = Feed("sim", 1, 2, 7)
    rows = list(feed.rows(end - timedelta(minutes=5), end + timedelta(minutes=1)))
    held: dict[int, list[tuple[datetime, datetime]]] = {}
    for row in (r for r in rows if isinstance(r, Allocation)):
        held.setdefault(row.gpu_id, []).append((row.valid_from, row.valid_to))
    assert any(until == FOREVER for spans in held.values() for _, until in spans)
    for spans in held.values():
        ordered = sorted(spans)
        assert all(a[1] <= b[0] for a, b in pairwise(ordered))


def test_the_settings_have_the_promised_defaults() -> None:
    assert SimulatedSettings().period_s == pytest.approx(10)
