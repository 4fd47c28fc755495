"""Every panel's SQL on the real engine, with the plugin's macros expanded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest

from dashboards.boards.executive import board
from dashboards.macros import expand
from gpuledger.catalogue import Change
from gpuledger.states import STATES
from gpuledger.store import Store
from tests.dashboards.world import HOUR, NOTEBOOK, SINCE, UNTIL, fill

PANELS = {panel.title: panel for panel in board.panels}
ALL: dict[str, Sequence[str]] = {"cluster": [], "pool": [], "team": []}
NUMBER, SHARE = "Float64", "Nullable(Float64)"
WASTE = {
    "loose_gpu_hours": NUMBER,
    "loose_value": SHARE,
    "cash_avoidable": SHARE,
    "currency": "String",
}
OF_WHOLE = {"gpu_hours": NUMBER, "activity_ratio": SHARE, "grade": "String"}
LABEL = "LowCardinality(String)"

EXPECTED: dict[str, dict[str, str]] = {
    "GPU availability": {f"{n} GPU{'s' if n > 1 else ''}": NUMBER for n in (1, 2, 4, 8)},
    "Resource utilization": {
        "utilization_ratio": SHARE,
        "activity_ratio": SHARE,
        "unknown_ratio": SHARE,
        "grade": "String",
    },
    "Workload execution": {
        "wait_p50_seconds": "Nullable(Int64)",
        "wait_p90_seconds": "Nullable(Int64)",
        "jobs_started": "UInt64",
    },
    "Management overhead": {
        "pages_per_1000_gpu_hours": SHARE,
        "resolve_p50_seconds": "Nullable(Int64)",
    },
    "The book: every GPU in exactly one state": {
        "time": "DateTime",
        **{s.name: NUMBER for s in STATES},
    },
    "Recoverable GPU-hours": {
        "recoverable_gpu_hours": NUMBER,
        "slack_gpu_hours": NUMBER,
        **{name: kind for name, kind in WASTE.items() if name != "loose_gpu_hours"},
        "grade": "String",
    },
    "Utilization, allocation and healthy hardware over time": {
        "time": "DateTime",
        "utilization_ratio": SHARE,
        "allocation_ratio": SHARE,
        "availability_ratio": SHARE,
    },
    "Queue wait by size class": {
        "size_class": "String",
        "wait_p50_seconds": "Nullable(Int64)",
        "wait_p90_seconds": "Nullable(Int64)",
    },
    "Top waste by team": {"team": LABEL, **WASTE, **OF_WHOLE},
    "Top waste by user": {"user": LABEL, "team": LABEL, **WASTE, **OF_WHOLE},
    "Top waste by job": {
        "job": "String",
        "job_name": LABEL,
        "user": LABEL,
        "team": LABEL,
        **WASTE,
        **OF_WHOLE,
    },
    "What to do next": {
        "id": "String",
        "title": "String",
        "kind": LABEL,
        "team": LABEL,
        "gain_gpu_hours": SHARE,
        "gain_low_gpu_hours": SHARE,
        "gain_high_gpu_hours": SHARE,
        "gain_capacity_value": SHARE,
        "currency": LABEL,
        "confidence_ratio": SHARE,
        "command": "String",
    },
}


def ask(
    store: Store, title: str, variables: Mapping[str, Sequence[str]] = ALL
) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Columns with types, and rows."""
    sql = expand(PANELS[title].sql, SINCE, UNTIL, 3600, variables)
    columns, found = store.select_typed(sql)
    names = [name for name, _ in columns]
    return dict(columns), [dict(zip(names, row, strict=True)) for row in found]


def test_every_panel_is_expected() -> None:
    assert list(PANELS) == list(EXPECTED)


@pytest.mark.parametrize("title", EXPECTED)
def test_columns_and_types(store: Store, title: str) -> None:
    fill(store)
    columns, found = ask(store, title)
    assert columns == EXPECTED[title]
    assert found


@pytest.mark.parametrize("title", EXPECTED)
def test_a_database_without_any_gpu_shows_nothing(store: Store, title: str) -> None:
    assert ask(store, title)[1] == []


@pytest.mark.parametrize("title", EXPECTED)
def test_overrides_name_columns_that_come(title: str) -> None:
    for override in PANELS[title].drawing.overrides:
        assert override["matcher"]["options"] in EXPECTED[title]


def test_availability(store: Store) -> None:
    fill(store)
    assert ask(store, "GPU availability")[1] == [
        {"1 GPU": 1.0, "2 GPUs": 0.5, "4 GPUs": 0.0, "8 GPUs": 0.0}
    ]


def test_utilization_and_its_grade(store: Store) -> None:
    fill(store)
    assert ask(store, "Resource utilization")[1] == [
        {"utilization_ratio": 0.25, "activity_ratio": 0.5, "unknown_ratio": 0.0, "grade": "B"}
    ]


def test_a_pool_chosen_above_filters(store: Store) -> None:
    fill(store)
    chosen = {**ALL, "pool": ["big"]}
    [row] = ask(store, "Resource utilization", chosen)[1]
    assert row["utilization_ratio"] == 0.5
    # The pool `big` has no free GPU at all.
    assert ask(store, "GPU availability", chosen)[1][0]["1 GPU"] == 0.0


def test_a_share_of_nothing_is_missing_and_not_nan(store: Store) -> None:
    fill(store)
    [row] = ask(store, "Resource utilization", {**ALL, "pool": ["small"]})[1]
    assert row["utilization_ratio"] == 0.0
    assert row["activity_ratio"] is None


def test_waits(store: Store) -> None:
    fill(store)
    [row] = ask(store, "Workload execution")[1]
    assert row["jobs_started"] == 2
    assert row["wait_p90_seconds"] == 240
    [by_size] = ask(store, "Queue wait by size class", {**ALL, "team": ["vision"]})[1]
    assert by_size == {"size_class": "1 GPU", "wait_p50_seconds": 60, "wait_p90_seconds": 60}


def test_a_refreshed_alert_is_one_page(store: Store) -> None:
    fill(store)
    # One page in two GPU-hours.
    assert ask(store, "Management overhead")[1] == [
        {"pages_per_1000_gpu_hours": 500.0, "resolve_p50_seconds": 600}
    ]


def test_where_nobody_was_ever_told_pages_are_missing_and_not_zero(store: Store) -> None:
    fill(store)
    store.command("TRUNCATE TABLE notifications")
    [row] = ask(store, "Management overhead")[1]
    assert row["pages_per_1000_gpu_hours"] is None


def test_recommendations_are_of_what_is_chosen(store: Store) -> None:
    fill(store)
    for chosen in ({"cluster": ["beta"]}, {"pool": ["small"]}):
        assert ask(store, "What to do next", {**ALL, **chosen})[1] == []
    assert len(ask(store, "What to do next", {**ALL, "cluster": ["alpha"]})[1]) == 1


def test_the_book_adds_up_to_the_gpus_owned_in_an_hour_booked_in_part(store: Store) -> None:
    fill(store)
    [row] = ask(store, "The book: every GPU in exactly one state")[1]
    assert row.pop("time") == HOUR
    assert sum(row.values()) == 4.0
    assert {name for name, gpus in row.items() if gpus} == {
        "productive",
        "alloc_idle",
        "free_demand",
        "fault",
    }


def test_recoverable_hours_and_their_money(store: Store) -> None:
    fill(store)
    # Half an hour idle and half an hour free while wanted; 0.2 kWh of it drawn.
    assert ask(store, "Recoverable GPU-hours")[1] == [
        {
            "recoverable_gpu_hours": 0.0,
            "slack_gpu_hours": 1.0,
            "loose_value": 4.0,
            "cash_avoidable": pytest.approx(0.1),
            "currency": "EUR",
            "grade": "B",
        }
    ]


def test_without_a_price_there_is_no_money(store: Store) -> None:
    fill(store)
    store.command("TRUNCATE TABLE prices")
    [row] = ask(store, "Recoverable GPU-hours")[1]
    assert row["slack_gpu_hours"] == 1.0
    assert row["loose_value"] is None
    assert row["cash_avoidable"] is None
    assert row["currency"] == ""


def test_trend(store: Store) -> None:
    fill(store)
    [row] = ask(store, "Utilization, allocation and healthy hardware over time")[1]
    assert row == {
        "time": HOUR,
        "utilization_ratio": 0.25,
        "allocation_ratio": pytest.approx(2 / 3),
        "availability_ratio": 0.75,
    }


@pytest.mark.parametrize(("by", "name"), [("team", "speech"), ("user", "ben"), ("job", NOTEBOOK)])
def test_top_waste_names_who_holds_it(store: Store, by: str, name: str) -> None:
    fill(store)
    [row] = ask(store, f"Top waste by {by}")[1]
    assert row[by] == name
    assert row["loose_gpu_hours"] == 0.5
    assert row["loose_value"] == 2.0
    assert row["activity_ratio"] == 0.0


def test_what_to_do_next(store: Store) -> None:
    fill(store)
    [row] = ask(store, "What to do next")[1]
    assert (row["gain_gpu_hours"], row["command"]) == (6.0, "scancel 2")
    assert (row["gain_low_gpu_hours"], row["gain_high_gpu_hours"]) == (0.0, 9.5)
    assert ask(store, "What to do next", {**ALL, "team": ["vision"]})[1] == []


@pytest.mark.parametrize("variable", board.variables, ids=lambda v: v.name)
def test_variables_list_their_values(store: Store, variable: Any) -> None:
    fill(store)
    expected = {"cluster": ["alpha"], "pool": ["big", "small"], "team": ["speech", "vision"]}
    found = store.select(expand(variable.sql, SINCE, UNTIL, 3600, {}))
    assert [row[variable.name] for row in found] == expected[variable.name]


@pytest.mark.parametrize("panel", board.panels, ids=lambda p: p.title)
def test_rows_behind_a_panel_can_be_asked_for(store: Store, panel: Any) -> None:
    fill(store)
    shown = [link for link in panel.drawing.links if "panes=" in link["url"]]
    assert len(shown) == bool(panel.text.rows)
    for link in shown:
        pane = json.loads(unquote(link["url"].split("panes=")[1]))["a"]
        sql = expand(pane["queries"][0]["rawSql"], SINCE, UNTIL, 3600, {})
        assert store.select(sql)


def test_changes_of_the_chosen_clusters_are_marked(store: Store) -> None:
    told: dict[str, Any] = {"ts": SINCE, "before": "550.54", "after": "560.28"}
    store.insert_rows(
        [
            Change(cluster="alpha", node="n1", kind="driver", **told),
            Change(cluster="alpha", node="n1", slot=3, kind="vbios", **{**told, "before": ""}),
            Change(cluster="alpha", node="n1", kind="card", ts=SINCE, before="", after="GPU-1"),
            Change(cluster="beta", kind="quota", subject="vision", **{**told, "after": ""}),
            Change(cluster="alpha", node="n1", kind="drain", ts=SINCE - timedelta(hours=1)),
        ]
    )
    [marks] = board.marks
    shown = json.loads(board.text())["annotations"]["list"]
    assert [(a["name"], a["target"]["rawSql"]) for a in shown] == [("changes", marks.sql)]

    def marked(**variables: Sequence[str]) -> list[tuple[str, str]]:
        rows = store.select(expand(marks.sql, SINCE, UNTIL, 3600, variables))
        return [(row["tags"], row["text"]) for row in rows]

    assert marked(**{**ALL, "cluster": ["alpha"]}) == [
        ("driver", "driver of n1: 550.54 → 560.28"),
        ("vbios", "vbios of n1 GPU 3: none → 560.28"),
    ]
    assert ("quota", "quota of beta vision: 550.54 → none") in marked(**ALL)
    assert len(marked(**ALL)) == 3
