"""Grafana's own models of dashboards know all that we write."""

from __future__ import annotations

import pytest

from dashboards import roundtrip
from dashboards.build import boards
from dashboards.panel import Board, Panel, area, bars, heat, lines, stat, table, timeline
from dashboards.words import Column, Marks, Text

TEXT = Text("title", "what it says", "what to do", "SELECT 1", "/d/gpuledger-a")
COLUMN = Column("a", "A", colour="#123456", link="/d/gpuledger-a", states=True)
PANELS = (
    *(kind(TEXT, "SELECT 1", COLUMN, width=6) for kind in (stat, area, lines, table, bars)),
    timeline(TEXT, "SELECT 1", "node", "state", width=6),
    heat(TEXT, "SELECT 1", "node", COLUMN, width=6),
)


def board(*panels: Panel) -> Board:
    return Board("gpuledger-a", "a", "help", (), panels, (Marks("changes", "SELECT 1", "purple"),))


@pytest.mark.parametrize("panel", PANELS, ids=lambda p: p.kind)
def test_nothing_of_a_kind_of_panel_is_lost(panel: Panel) -> None:
    assert [*roundtrip.lost(board(panel).model())] == []


@pytest.mark.parametrize("name", sorted(boards()))
def test_nothing_of_a_board_is_lost(name: str) -> None:
    assert [*roundtrip.lost(boards()[name].model())] == []


def test_what_grafana_does_not_know_is_found_wherever_it_is() -> None:
    model = board(*PANELS).model()
    model["hideControls"] = False
    model["panels"][0]["editable"] = True
    model["panels"][1]["options"]["legend"]["sideWidth"] = 3
    assert [*roundtrip.lost(model)] == [
        "hideControls is unknown to Grafana",
        "panels[0].editable is unknown to Grafana",
        "panels[1].options.legend.sideWidth is unknown to Grafana",
    ]
