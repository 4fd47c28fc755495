from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import pytest

from dashboards.panel import (
    FINE,
    GRID_WIDTH,
    HOURLY,
    MINUTELY,
    Board,
    Panel,
    area,
    bars,
    heat,
    lines,
    stat,
    table,
    timeline,
)
from dashboards.words import Column, Text, Variable, explore, leads_to, measured
from gpuledger.measures import GPU_HOURS, UTILIZATION, WAIT_MEDIAN
from gpuledger.states import STATES
from gpuledger.units import RATIO, SECOND

TEXT = Text("title", "what it says", "what to do", "SELECT 1")


def drawn(*panels: Panel) -> list[dict[str, Any]]:
    board = Board("uid", "title", "help", (), panels)
    return list(json.loads(board.text())["panels"])


@pytest.mark.parametrize(
    ("kind", "name", "format"),
    [
        (stat, "stat", 1),
        (table, "table", 1),
        (bars, "barchart", 1),
        (lines, "timeseries", 0),
        (area, "timeseries", 0),
    ],
)
def test_targets_have_the_plugins_v4_shape(kind: Any, name: str, format: int) -> None:
    panel = drawn(kind(TEXT, "SELECT 1 AS a", Column("a", "A", SECOND), width=6))[0]
    assert panel["type"] == name
    assert panel["targets"] == [
        {
            "refId": "A",
            "datasource": {"type": "grafana-clickhouse-datasource", "uid": "${ds}"},
            "editorType": "sql",
            "pluginVersion": "4.20.0",
            "queryType": "timeseries" if format == 0 else "table",
            "format": format,
            "rawSql": "SELECT 1 AS a",
            "meta": {},
        }
    ]


def test_units_titles_and_colours_are_overrides_by_name() -> None:
    column = Column("a", "A", RATIO, colour="#123456", link="/d/x")
    panel = drawn(table(TEXT, "SELECT 1", column, width=6))[0]
    [override] = panel["fieldConfig"]["overrides"]
    assert override["matcher"] == {"id": "byName", "options": "a"}
    assert {p["id"]: p["value"] for p in override["properties"]} == {
        "displayName": "A",
        "unit": "percentunit",
        "color": {"mode": "fixed", "fixedColor": "#123456"},
        "links": [{"title": "x board: this A", "url": "/d/x"}],
    }


def test_a_measures_title_leaves_the_unit_to_grafana() -> None:
    assert measured(UTILIZATION).title == "utilization"
    assert measured(WAIT_MEDIAN).title == "wait p50"
    assert measured(GPU_HOURS).title == "gpu hours"


def test_a_panel_says_what_it_is_and_what_comes_next() -> None:
    panel = drawn(stat(TEXT, "SELECT 1", width=6))[0]
    assert panel["description"] == "what it says\n\nNext: what to do"
    assert panel["fieldConfig"]["defaults"]["noValue"] == "no data in this range"
    [link] = panel["links"]
    assert link["title"] == "rows behind it"
    followed = Text("title", "what", "to do", link="/d/gpuledger-idle?x", empty="nobody waits")
    panel = drawn(table(followed, "SELECT 1", width=6))[0]
    [link] = panel["links"]
    assert (link["title"], link["url"]) == ("next: idle board", "/d/gpuledger-idle?x")
    assert panel["fieldConfig"]["defaults"]["noValue"] == "nobody waits"
    assert leads_to("https://example.org") == "read more"


def test_explore_keeps_macros_and_lets_grafana_fill_in_the_datasource_and_times() -> None:
    url = explore("SELECT * FROM t WHERE $__timeFilter(ts)")
    # Grafana replaces variables before the address is decoded, and must leave the macro alone.
    assert url.count("%22${ds}%22") == 2
    assert "$__timeFilter" not in url
    pane = json.loads(unquote(url.split("panes=")[1]))["a"]
    assert pane["queries"][0]["rawSql"] == "SELECT * FROM t WHERE $__timeFilter(ts)"
    assert pane["range"] == {"from": "${__from}", "to": "${__to}"}


def test_panels_flow_from_left_to_right_and_never_overlap() -> None:
    sizes = [(6, 5), (6, 4), (12, 5), (16, 10), (8, 10), (24, 8)]
    panels = drawn(*(stat(TEXT, "SELECT 1", width=w, height=h) for w, h in sizes))
    taken = set()
    for panel in panels:
        p = panel["gridPos"]
        assert p["x"] + p["w"] <= GRID_WIDTH
        cells = {
            (x, y) for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])
        }
        assert not cells & taken
        taken |= cells
    assert [p["gridPos"]["y"] for p in panels] == [0, 0, 0, 5, 5, 15]
    assert [p["id"] for p in panels] == [1, 2, 3, 4, 5, 6]


def test_variables_offer_all_and_start_there() -> None:
    board = Board("uid", "title", "help", (Variable("team", "SELECT 1"),), ())
    ds, team = json.loads(board.text())["templating"]["list"]
    assert ds["type"] == "datasource"
    assert ds["query"] == "grafana-clickhouse-datasource"
    assert team["multi"]
    assert team["includeAll"]
    assert team["current"]["value"] == ["$__all"]
    assert team["query"] == {"editorType": "sql", "rawSql": "SELECT 1"}


def test_a_timeline_is_a_strip_for_each_name_in_the_colours_of_states() -> None:
    panel = drawn(timeline(TEXT, "SELECT 1", "node", "state", width=6))[0]
    assert panel["type"] == "state-timeline"
    assert panel["targets"][0]["format"] == 1
    [apart] = panel["transformations"]
    assert apart["id"] == "partitionByValues"
    assert apart["options"]["fields"] == ["node"]
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["displayName"] == "${__field.labels.node}"
    colours = {name: shown["color"] for name, shown in defaults["mappings"][0]["options"].items()}
    assert colours == {s.name: s.colour for s in STATES}


def test_a_heat_map_draws_the_values_that_come() -> None:
    panel = drawn(heat(TEXT, "SELECT 1", "node", Column("a", "A", RATIO), width=6))[0]
    assert (panel["type"], panel["targets"][0]["format"]) == ("heatmap", 0)
    assert panel["options"]["calculate"] is False
    assert panel["options"]["cellValues"] == {"unit": "percentunit"}
    assert panel["fieldConfig"]["defaults"]["displayName"] == "${__field.labels.node}"


def test_cells_that_hold_states_are_painted_in_their_colours() -> None:
    column = Column("a", "A", states=True)
    [override] = drawn(table(TEXT, "SELECT 1", column, width=6))[0]["fieldConfig"]["overrides"]
    told = {p["id"]: p["value"] for p in override["properties"]}
    assert told["mappings"][0]["options"]["alloc_idle"]["color"] == "#ef6c00"
    assert told["custom.cellOptions"]["type"] == "color-background"


@pytest.mark.parametrize("kind", [lines, area, bars])
def test_legends_are_shown(kind: Any) -> None:
    panel = drawn(kind(TEXT, "SELECT 1", Column("a", "A"), width=6))[0]
    assert panel["options"]["legend"]["showLegend"] is True


def test_a_point_is_never_finer_than_the_panel_says() -> None:
    since, until = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 1, 1, tzinfo=UTC)
    for interval, expected in ((HOURLY, 3600), (MINUTELY, 60), (FINE, 10)):
        panel = lines(TEXT, "SELECT 1", Column("a", "A"), width=6, interval=interval)
        assert panel.point_s(since, until) == expected
    assert table(TEXT, "SELECT 1", width=6).point_s(since, until) == 5
