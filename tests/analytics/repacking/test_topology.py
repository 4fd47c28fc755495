"""Gangs that find no domain, and tasks that find no NVLink group."""

from __future__ import annotations

import pytest

from analytics.repacking.topology import gangs, groups, scattered


def test_gangs_lose_what_is_left_over_in_each_domain() -> None:
    racks = ["a"] * 3 + ["b"] * 3
    assert gangs(racks, 2) == pytest.approx(1 / 3)
    assert gangs(racks, 3) == 0
    assert gangs(racks, 4) == 1


def test_nodes_of_which_nobody_told_a_domain_are_alone() -> None:
    assert gangs(["", ""], 2) == 1


def test_without_an_empty_node_there_is_nothing_to_say() -> None:
    assert gangs([], 2) is None
    assert scattered([4, 4], 0) is None


def link(slot: int, peer: str, path: str = "nvlink", nvlinks: int = 4) -> dict[str, object]:
    return {"slot": slot, "peer": peer, "path": path, "nvlinks": nvlinks}


def test_gpus_behind_one_switch_are_one_group() -> None:
    assert groups([0, 1, 2], [link(s, "switch") for s in range(3)]) == [(0, 1, 2)]


def test_pairs_of_gpus_are_groups_where_only_the_host_joins_them() -> None:
    links = [link(0, "1"), link(2, "3"), link(0, "2", "system", 0), link(1, "3", "numa", 0)]
    assert groups([0, 1, 2, 3], links) == [(0, 1), (2, 3)]


def test_where_nobody_told_links_there_are_no_groups() -> None:
    assert groups([0, 1], []) == []
