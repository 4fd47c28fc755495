"""The asset list kept from what was ever seen."""

from __future__ import annotations

from typing import Any

from analytics.assets import discover
from gpuledger.store import Store
from tests.analytics.world import (
    MODEL,
    asset,
    at,
    card,
    node_state,
    samples,
    write,
)

NOW = at(600)


def assets(store: Store) -> dict[str, dict[str, Any]]:
    return {r["asset_id"]: r for r in store.select("SELECT * FROM v_assets ORDER BY asset_id")}


def test_a_gpu_of_the_inventory_is_owned_from_the_whole_minute_of_its_first_sample(
    store: Store,
) -> None:
    write(store, [card(0, seen=at(10.5)), *samples(0, 3, 5)])
    assert discover(store, NOW) == 1
    found = assets(store)["c/n0/0"]
    assert (found["model"], found["pool"]) == (MODEL, f"c/{MODEL}")
    assert found["valid_from"] == at(3)


def test_a_gpu_without_samples_is_owned_from_the_minute_in_which_it_was_seen(store: Store) -> None:
    write(store, [card(0, seen=at(10.5))])
    discover(store, NOW)
    assert assets(store)["c/n0/0"]["valid_from"] == at(10)


def test_the_schedulers_count_stands_in_for_a_node_that_is_silent(store: Store) -> None:
    write(store, [node_state(gpus=2, since=at(7.5))])
    assert discover(store, NOW) == 2
    found = assets(store)
    assert list(found) == ["c/n0/0", "c/n0/1"]
    assert {(r["model"], r["valid_from"]) for r in found.values()} == {("h100", at(7))}


def test_the_schedulers_count_adds_nothing_to_a_node_with_an_inventory(store: Store) -> None:
    write(store, [card(0), node_state(gpus=8)])
    assert discover(store, NOW) == 1


def test_a_node_that_speaks_after_the_scheduler_did_keeps_its_places_and_names_its_model(
    store: Store,
) -> None:
    write(store, [node_state(gpus=2)])
    discover(store, NOW)
    write(store, [card(0), card(1)])
    assert discover(store, at(700)) == 2
    found = assets(store)
    assert {(r["model"], r["pool"]) for r in found.values()} == {(MODEL, f"c/{MODEL}")}
    assert len(found) == 2


def test_a_backlog_that_comes_late_is_owned_too(store: Store) -> None:
    write(store, [card(0, seen=at(60)), *samples(0, 50, 60)])
    discover(store, NOW)
    write(store, samples(0, 3, 5))
    assert discover(store, at(700)) == 1
    assert assets(store)["c/n0/0"]["valid_from"] == at(3)


def test_one_sample_with_a_wrong_clock_makes_no_years_of_ownership(store: Store) -> None:
    write(store, [card(0, seen=at(60)), *samples(0, 50, 60), *samples(0, -3_000_000, -2_999_999)])
    discover(store, NOW)
    assert assets(store)["c/n0/0"]["valid_from"] == at(50)


def test_an_imported_asset_is_never_corrected_by_what_is_seen(store: Store) -> None:
    write(store, [card(0, seen=at(60)), *samples(0, 3, 5), asset(0, model="ours", since=at(30))])
    store.command(
        "INSERT INTO assets SELECT * REPLACE (bitShiftLeft(toUInt64(1), 50) AS version) FROM assets"
    )
    assert discover(store, NOW) == 0


def test_what_is_listed_already_is_not_listed_again(store: Store) -> None:
    write(store, [card(0), card(1), node_state("n1", gpus=4)])
    assert discover(store, NOW) == 6
    before = assets(store)
    assert discover(store, at(700)) == 0
    assert assets(store) == before
    assert store.value("SELECT count() FROM assets") == 6


def test_nothing_seen_is_nothing_owned(store: Store) -> None:
    assert discover(store, NOW) == 0
