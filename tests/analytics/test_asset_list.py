"""The asset list as its owner writes it: above what was seen, in time, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analytics.asset_list import import_assets, owned
from analytics.assets import discover
from analytics.lists import BadLines, Taken
from gpuledger.rows import changed
from gpuledger.schema import FOREVER
from gpuledger.store import Store
from tests.analytics.world import START, asset, at, card, write

NOW = at(600)


def take(store: Store, folder: Path, text: str, minute: float = 600, **more: Any) -> Taken:
    path = folder / "assets.csv"
    path.write_text(text)
    return import_assets(store, path, at(minute), **more)


def assets(store: Store) -> dict[str, dict[str, Any]]:
    return {r["asset_id"]: r for r in store.select("SELECT * FROM v_assets ORDER BY asset_id")}


def states(store: Store) -> list[tuple[str, object, object]]:
    rows = store.select("SELECT * FROM v_asset_states ORDER BY valid_from")
    return [(r["state"], r["valid_from"], r["valid_to"]) for r in rows]


def test_a_list_says_what_is_owned_and_what_is_seen_changes_it_no_more(
    store: Store, tmp_path: Path
) -> None:
    head = "cluster,node,slot,model,pool,provider,valid_from\n"
    take(store, tmp_path, f"{head}c,n0,0,H100,big,own,2026-01-01\n")
    write(store, [card(0)])
    assert discover(store, NOW) == 0
    found = assets(store)["c/n0/0"]
    assert (found["model"], found["pool"], found["provider"]) == ("H100", "big", "own")


def test_what_a_list_leaves_open_stays_as_it_was_seen(store: Store, tmp_path: Path) -> None:
    write(store, [asset(0)])
    take(store, tmp_path, "node,slot,provider\nn0,0,cloud\n")
    found = assets(store)["c/n0/0"]
    assert (found["pool"], found["valid_from"], found["provider"]) == ("big", START, "cloud")


def test_the_same_list_again_writes_nothing(store: Store, tmp_path: Path) -> None:
    text = "cluster,node,slot,state\nc,n0,0,repair\nc,n0,1,service\n"
    assert take(store, tmp_path, text).written == 3
    assert take(store, tmp_path, text, 700).written == 0


def test_a_serial_stands_for_the_place_of_its_card(store: Store, tmp_path: Path) -> None:
    write(store, [changed(card(3, "n7"), serial="S-1")])
    take(store, tmp_path, "serial,pool\nS-1,big\n")
    assert assets(store)["c/n7/3"]["pool"] == "big"


def test_a_state_ends_when_the_list_says_another(store: Store, tmp_path: Path) -> None:
    take(store, tmp_path, "cluster,node,slot,state\nc,n0,0,repair\n")
    take(store, tmp_path, "cluster,node,slot,state\nc,n0,0,service\n", 700)
    assert states(store) == [("repair", NOW, at(700)), ("service", at(700), FOREVER)]


def test_a_state_may_begin_in_the_past(store: Store, tmp_path: Path) -> None:
    text = f"cluster,node,slot,state,state_from\nc,n0,0,delivered,{at(5):%Y-%m-%dT%H:%MZ}\n"
    take(store, tmp_path, text)
    assert states(store) == [("delivered", at(5), FOREVER)]


def test_a_complete_list_ends_what_it_does_not_name_in_its_clusters(
    store: Store, tmp_path: Path
) -> None:
    other = changed(asset(9), cluster="d", gpu_id=9, asset_id="d/n0/9")
    write(store, [asset(0), asset(1), other])
    take(store, tmp_path, "cluster,node,slot\nc,n0,0\n", complete=True)
    found = assets(store)
    assert (found["c/n0/1"]["valid_to"], found["d/n0/9"]["valid_to"]) == (NOW, FOREVER)


def test_every_line_that_names_no_place_is_told(store: Store, tmp_path: Path) -> None:
    text = (
        "cluster,node,slot,serial,state,reason,valid_from,valid_to\n"
        "c,n0,,,,,,\n"
        "c,,,,,,,\n"
        "c,,,S-9,,,,\n"
        ",n0,1,,,,,\n"
        "c,n0,1,,broken,,,\n"
        "c,n0,2,,,fan,,\n"
        "c,n0,70000,,,,,\n"
        "c,n0,4,,,,,2026-01-01\n"
        "c,n0,5,,,,,\n"
        "c,n0,5,,,,,\n"
        "c,n0,x,,,,,\n"
    )
    with pytest.raises(BadLines) as caught:
        take(store, tmp_path, text)
    told = "\n".join(caught.value.lines)
    for complaint in (
        "line 2: node and slot go together",
        "line 3: neither serial nor node and slot",
        "line 4: serial S-9: no agent has named this card",
        "line 5: cluster: nothing is said",
        "line 6: state 'broken' is none of service, delivered, repair, powered_down, retired",
        "line 7: state_from and reason need a state",
        "line 8: slot 70000 is no minor number",
        "line 9: valid_to 2026-01-01 is before it was first seen",
        "line 11: c/n0/5 is listed twice",
        "line 12: slot: 'x'",
    ):
        assert complaint in told
    assert assets(store) == {}


def test_what_is_owned_is_told_by_pool_and_state(store: Store, tmp_path: Path) -> None:
    write(store, [asset(0), asset(1)])
    take(store, tmp_path, "node,slot,state\nn0,1,repair\n")
    rows = owned(store, at(601))
    assert [(r["state"], r["told_by"], r["gpus"]) for r in rows] == [
        ("repair", "list", 1),
        ("service", "seen", 1),
    ]
