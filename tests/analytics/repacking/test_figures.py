"""How fragmented a fleet is, in terms that people feel."""

from __future__ import annotations

from typing import Any

import pytest

from analytics.placing.settings import PlacementSettings
from analytics.repacking import answer, figures
from analytics.repacking.figures import Figures
from analytics.repacking.history import History
from analytics.repacking.scene import Scene, open_scene
from analytics.repacking.settings import SnapshotSettings
from gpuledger.catalogue import Job, NodeState
from gpuledger.errors import ConfigError
from gpuledger.schema import Row
from gpuledger.states import LedgerSettings
from gpuledger.store import Store
from tests.analytics.world import asset, at, booked, card, cells, given, job, node_state, write

NODES = ("n0", "n1", "n2")


def crumbs(free: int = 4, count: int = 3, **state: Any) -> list[Row]:
    """Nodes of 8 GPUs of which so many are free on each; jobs of 8 GPUs are usual."""
    out: list[Row] = [job("old", gpus=8, started=at(0), ended=at(10))]
    for name in NODES[:count]:
        out += [asset(slot, name) for slot in range(8)]
        out.append(node_state(name, gpus=8, **state))
        out.append(job(name, gpus=8 - free, started=at(0), ended=at(600)))
        out += [given(name, slot, name) for slot in range(8 - free)]
    return out


def crumbs_of(node: str, name: str, free: int, gpus: int = 8) -> list[Row]:
    """One more node, in a pool of that name."""
    rows: list[Row] = []
    for slot in range(gpus):
        place = asset(slot, node)
        place.pool = name
        rows.append(place)
    if free < gpus:
        rows.append(job(node, gpus=gpus - free, started=at(0), ended=at(600)))
    return [*rows, *(given(node, slot, node) for slot in range(gpus - free))]


def scene(store: Store, rows: list[Row]) -> Scene:
    write(store, rows)
    found = open_scene(
        store, at(60), at(60), SnapshotSettings(), LedgerSettings(), PlacementSettings()
    )
    found.at(at(60))
    return found


def pool(store: Store, rows: list[Row]) -> Figures:
    (found,) = figures.pools(scene(store, rows))
    return found


def test_crumbs_are_told_with_what_they_would_be_together(store: Store) -> None:
    found = pool(store, crumbs())
    assert (found.nodes, found.gpus, found.free, found.whole) == (3, 24, 12, 12)
    assert (found.largest, found.largest_repacked) == (4, 8)
    assert found.sentence == (
        "largest job that could start now on big: 4 GPUs; with all crumbs together: 8"
    )


def test_slots_of_each_size_are_counted_now_and_after_a_repack(store: Store) -> None:
    found = pool(store, crumbs())
    assert [found.slots[k] for k in ("1", "2", "4", "8", "16")] == [12, 6, 3, 0, 0]
    assert [found.repacked[k] for k in ("1", "2", "4", "8", "16")] == [12, 6, 3, 1, 0]


def test_whole_nodes_together_are_one_large_job(store: Store) -> None:
    found = pool(store, crumbs(free=8))
    assert (found.largest, found.slots["16"], found.slots["32"]) == (24, 1, 0)


def test_fragments_are_free_gpus_that_usual_jobs_cannot_use(store: Store) -> None:
    found = pool(store, crumbs())
    # Jobs of 8 have 8 of the 20 GPUs that were asked for, those of 4 the rest.
    assert found.fragmented == pytest.approx(12 * 8 / 20)
    assert found.causes == {"lacks_gpu": pytest.approx(12 * 8 / 20)}
    assert found.ratio == pytest.approx(0.4)


def test_processors_that_are_gone_leave_no_slot(store: Store) -> None:
    rows = crumbs(cpus=32)
    for row in rows:
        if isinstance(row, Job):
            row.cpu_milli = 4000 * row.gpus_per_node
    found = pool(store, [*rows, job("old2", cpus=20, gpus=4, started=at(0), ended=at(1))])
    assert found.slots["4"] == 3
    for row in rows:
        if isinstance(row, Job) and row.gpus_per_node == 4:
            row.cpu_milli, row.version = 30_000, 2
    found = pool(store, rows)
    assert (found.slots["4"], found.largest) == (0, 0)
    assert found.causes["lacks_cpu"] > 0


def test_what_is_out_of_service_has_nothing_free(store: Store) -> None:
    found = pool(store, crumbs(count=1, state="drained"))
    assert (found.free, found.largest, found.largest_repacked) == (0, 0, 0)
    assert found.ratio is None


def test_the_most_fragmented_nodes_come_after_their_pool(store: Store) -> None:
    found = list(figures.pools(scene(store, crumbs()), nodes_of_pool=2))
    assert [f.node for f in found] == ["", "n0", "n1"]
    assert found[1].fragmented == pytest.approx(1.6)


def test_gangs_of_a_rack_are_scattered(store: Store) -> None:
    rows = crumbs(free=8)
    for row, rack in zip((r for r in rows if isinstance(r, NodeState)), "aab", strict=True):
        row.rack = rack
    assert pool(store, rows).scattered["2"] == pytest.approx(1 / 3)


def test_where_nobody_told_racks_nothing_is_said_of_gangs(store: Store) -> None:
    assert pool(store, crumbs(free=8)).scattered == {}


def history(store: Store) -> History:
    return History(store, SnapshotSettings(), LedgerSettings(), PlacementSettings())


def signed(hours: int) -> list[Row]:
    return booked(cells("free_surplus", range(60 * hours)), at(60 * hours))


def test_each_full_hour_is_kept_once(store: Store) -> None:
    write(store, [*crumbs(), *signed(3)])
    for _ in range(2):
        history(store).step(at(200))
    rows = store.select(
        "SELECT hour, largest_gpus, slots_4, free_gpus FROM v_fragmentation_1h"
        " WHERE node = '' ORDER BY hour"
    )
    assert [r["hour"] for r in rows] == [at(60), at(120), at(180)]
    assert {(r["largest_gpus"], r["slots_4"], r["free_gpus"]) for r in rows} == {(4, 3, 12.0)}


def test_a_later_hour_is_added(store: Store) -> None:
    kept = history(store)
    write(store, [*crumbs(), *signed(1)])
    kept.step(at(70))
    write(store, signed(2))
    kept.step(at(130))
    assert store.value("SELECT uniqExact(hour) FROM fragmentation_1h") == 2


def test_without_a_book_there_is_no_history(store: Store) -> None:
    history(store).step(at(60))
    assert store.value("SELECT count() FROM fragmentation_1h") == 0


def test_a_node_is_told_with_what_fits_on_it(store: Store) -> None:
    found = list(figures.nodes(scene(store, crumbs())))
    assert [f.node for f in found] == ["n0", "n1", "n2"]
    assert (found[0].free, found[0].largest) == (4, 4)
    assert found[0].slots == {"1": 4, "2": 2, "4": 1, "8": 0}


def test_the_largest_job_of_a_node_need_not_be_as_many_small_ones(store: Store) -> None:
    rows = crumbs(cpus=64)
    for row in rows:
        if isinstance(row, Job):
            row.cpu_milli = 8000
    hungry = job("old1", cpus=40, gpus=1, started=at(0), ended=at(1))
    first = next(figures.nodes(scene(store, [*rows, hungry])))
    assert (first.slots["1"], first.slots["4"], first.largest) == (1, 1, 4)


def test_fragments_of_nodes_add_up_to_those_of_their_pool(store: Store) -> None:
    seen = scene(store, [*crumbs(), *crumbs_of("m0", "other", 3)])
    of_nodes = figures.nodes(seen)
    lost: dict[str, float] = {}
    for found in of_nodes:
        lost[found.pool] = lost.get(found.pool, 0) + found.fragmented
    assert lost == {f.pool: pytest.approx(f.fragmented) for f in figures.pools(seen)}


def test_a_cluster_has_the_sums_of_its_pools_and_the_largest_job_of_one(store: Store) -> None:
    seen = scene(store, [*crumbs(), *crumbs_of("m0", "other", 3)])
    of_pools = list(figures.pools(seen))
    (found,) = figures.together(of_pools)
    assert (found.nodes, found.gpus, found.free) == (4, 32, 15)
    assert found.fragmented == pytest.approx(sum(f.fragmented for f in of_pools))
    assert sum(found.causes.values()) == pytest.approx(found.fragmented)
    assert (found.largest, found.largest_repacked) == (4, 8)
    assert (found.slots["1"], found.slots["4"], found.repacked["8"]) == (15, 3, 1)


def asked(store: Store, moment: str = "now", name: str = "", by: str = "pool") -> Any:
    return answer.fragmentation(
        store, moment, name, SnapshotSettings(), LedgerSettings(), PlacementSettings(), by
    )


def test_an_answer_is_about_the_last_booked_minute(store: Store) -> None:
    write(store, [*crumbs(), *signed(1)])
    when, (row,) = asked(store)
    assert when == at(60)
    assert (row["pool"], row["largest"], row["stranded"], row["mig"]) == ("big", 4, {}, None)


def test_what_the_book_calls_stranded_is_told_by_cause(store: Store) -> None:
    lost = cells("stranded", range(60))
    for cell in lost:
        cell.cause = "cpu_ram"
    write(store, [*crumbs(), *booked(lost, at(60))])
    _, (row,) = asked(store)
    assert row["stranded"] == {"cpu_ram": 1.0}


def test_what_is_stranded_is_told_where_it_is(store: Store) -> None:
    lost = [*cells("stranded", range(60)), *cells("stranded", range(60), 1, "n1")]
    lost += cells("stranded", range(60), 0, "m0")
    for cell in lost:
        cell.cause = "cpu_ram"
    write(store, [*crumbs(), *crumbs_of("m0", "other", 3), *booked(lost, at(60))])
    _, rows = asked(store, by="node")
    assert {r["node"]: r["stranded"] for r in rows} == {
        "n0": {"cpu_ram": 1.0},
        "n1": {"cpu_ram": 1.0},
        "n2": {},
        "m0": {"cpu_ram": 1.0},
    }
    assert asked(store, by="cluster")[1][0]["stranded"] == {"cpu_ram": 3.0}
    (big,) = asked(store, name="big", by="cluster")[1]
    assert (big["stranded"], big["nodes"]) == ({"cpu_ram": 2.0}, 3)


def test_the_most_fragmented_node_comes_first(store: Store) -> None:
    write(store, [*crumbs(), *crumbs_of("m0", "other", 7), *signed(1)])
    _, rows = asked(store, by="node")
    assert [r["node"] for r in rows] == ["m0", "n0", "n1", "n2"]


def test_a_row_has_only_what_is_told_of_it(store: Store) -> None:
    write(store, [*crumbs(), *signed(1)])
    of = {by: set(asked(store, by=by)[1][0]) for by in answer.KEYS}
    assert of["pool"] - of["node"] == {"largest_repacked", "repacked", "scattered", "sentence"}
    assert of["pool"] - of["cluster"] == {"pool", "node", "scattered"}


def cut(node: str, *held: str) -> list[Row]:
    """The first card of a node with two slices of a seventh, and who holds them."""
    whole = card(0, node)
    whole.mig = "enabled"
    out: list[Row] = [whole]
    for name in "ab":
        slice_ = card(0, node)
        slice_.uuid, slice_.parent = f"MIG-{node}-{name}", f"GPU-{node}-0"
        slice_.profile, slice_.entitlement_milli = "1g.10gb", 143
        out.append(slice_)
    for name in held:
        taken = given(f"{node}{name}", 0, node)
        taken.slice = f"MIG-{node}-{name}"
        out += [job(f"{node}{name}", started=at(0), ended=at(600)), taken]
    return out


def test_cut_cards_are_told_where_they_are(store: Store) -> None:
    nodes = [*crumbs_of("m0", "other", 8), *crumbs_of("m1", "other", 8)]
    write(store, [*crumbs(), *nodes, *cut("m0", "a"), *cut("m1"), *signed(1)])
    slices = {
        by: [
            (r["mig"]["cards"], r["mig"]["free_slices"]) for r in asked(store, by=by)[1] if r["mig"]
        ]
        for by in answer.KEYS
    }
    assert slices == {"pool": [(2, 3)], "node": [(1, 1), (1, 2)], "cluster": [(2, 3)]}


def test_a_pool_that_is_not_there_is_an_error(store: Store) -> None:
    write(store, [*crumbs(), *signed(1)])
    with pytest.raises(ConfigError, match="pool bug: no pool is called so; did you mean 'big'"):
        asked(store, name="bug")


def test_an_empty_store_has_no_answer(store: Store) -> None:
    assert asked(store) == (None, [])
