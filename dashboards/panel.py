"""Panels and boards: the only import of grafanalib, and the only place that knows Grafana's JSON.

A board says what is asked and in which units; this module writes the targets of the ClickHouse
plugin (v4: `format` is a number, a string breaks its backend), places panels and names variables.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import attr
from grafanalib import _gen, core

from gpuledger.measures import Measure
from gpuledger.states import State
from gpuledger.units import COUNT, Unit

PLUGIN, PLUGIN_VERSION = "grafana-clickhouse-datasource", "4.20.0"
DATASOURCE = {"type": PLUGIN, "uid": "${ds}"}
SCHEMA_VERSION = 39
# The book changes once a minute at most; faster only loads the database.
REFRESH = "5m"
GRID_WIDTH = 24
# One point per two pixels of a full-width panel.
MAX_DATA_POINTS = 800
SERIES, TABLE = "timeseries", "table"
FORMATS = {SERIES: 0, TABLE: 1}
EMPTY = "no GPU owned"


@dataclass(frozen=True)
class Column:
    """A column of an answer as a panel shows it."""

    name: str
    title: str
    unit: Unit = COUNT
    colour: str = ""
    link: str = ""

    def override(self) -> dict[str, Any]:
        """Grafana's field override for it."""
        properties: list[dict[str, Any]] = [
            {"id": "displayName", "value": self.title},
            {"id": "unit", "value": self.unit.grafana},
        ]
        if self.colour:
            fixed = {"mode": "fixed", "fixedColor": self.colour}
            properties.append({"id": "color", "value": fixed})
        if self.link:
            links = [{"title": f"only this {self.title}", "url": self.link}]
            properties.append({"id": "links", "value": links})
        return {"matcher": {"id": "byName", "options": self.name}, "properties": properties}


def measured(measure: Measure, title: str = "") -> Column:
    """A measure's column: its name without the unit, which Grafana prints."""
    suffix = measure.unit.suffix
    name = measure.name.removesuffix(f"_{suffix}") if suffix else measure.name
    return Column(measure.name, title or name.replace("_", " "), measure.unit)


def coloured(state: State) -> Column:
    """A state's column, in the colour that it has everywhere."""
    return Column(state.name, state.title, colour=state.colour)


@dataclass(frozen=True)
class Panel:
    """A panel without a place: what it asks, how wide and high it is, and its drawing."""

    title: str
    sql: str
    width: int
    height: int
    drawing: Any


@dataclass(frozen=True)
class Query:
    """One question to the plugin, in the shape that alerts and provisioning need too."""

    sql: str
    kind: str

    def to_json_data(self) -> dict[str, Any]:
        """The target; grafanalib's SqlTarget writes a string where the plugin wants a number."""
        return {
            "refId": "A",
            "datasource": DATASOURCE,
            "editorType": "sql",
            "pluginVersion": PLUGIN_VERSION,
            "queryType": self.kind,
            "format": FORMATS[self.kind],
            "rawSql": self.sql,
            "meta": {},
        }


@dataclass(frozen=True)
class Text:
    """The words around a panel: title, what it says in one line, what to do about it, its rows."""

    title: str
    help: str
    next: str
    rows: str = ""

    def common(self, sql: str, kind: str) -> dict[str, Any]:
        """Arguments that every kind of panel takes."""
        link = {"title": "rows behind it", "url": explore(self.rows), "targetBlank": True}
        return {
            "title": self.title,
            "description": f"{self.help}\n\nNext: {self.next}",
            "dataSource": DATASOURCE,
            "targets": [Query(sql, kind)],
            "maxDataPoints": MAX_DATA_POINTS,
            "links": [link] if self.rows else [],
        }


def explore(sql: str) -> str:
    """Address of Grafana's Explore with a query over the board's time range."""
    target = Query(sql, TABLE).to_json_data() | {"datasource": {"type": PLUGIN, "uid": "DS"}}
    pane = {
        "datasource": "DS",
        "queries": [target],
        "range": {"from": "FROM", "to": "TO"},
    }
    panes = quote(json.dumps({"a": pane}, sort_keys=True), safe="")
    for word, variable in (("DS", "${ds}"), ("FROM", "${__from}"), ("TO", "${__to}")):
        panes = panes.replace(f"%22{word}%22", f"%22{variable}%22")
    return f"/explore?schemaVersion=1&panes={panes}"


def stat(text: Text, sql: str, *columns: Column, width: int, height: int = 5) -> Panel:
    """Big numbers from one row; a text column (currency, grade) is shown beside them."""
    drawing = core.Stat(
        **text.common(sql, TABLE),
        reduceCalc="lastNotNull",
        fields="/.*/",
        graphMode="none",
        colorMode="none",
        noValue=EMPTY,
        format=COUNT.grafana,
        # grafanalib's own default is a text, where Grafana wants a list.
        thresholds=[],
        overrides=_overrides(columns),
    )
    return Panel(text.title, sql, width, height, drawing)


def area(text: Text, sql: str, *columns: Column, width: int, height: int = 10) -> Panel:
    """Columns of a time series on top of each other; they add up to something."""
    stacking = {"mode": "normal", "group": "A"}
    return _series(
        text, sql, columns, width, height, stacking=stacking, fillOpacity=80, lineWidth=0
    )


def lines(text: Text, sql: str, *columns: Column, width: int, height: int = 8) -> Panel:
    """Columns of a time series, each a line."""
    return _series(text, sql, columns, width, height, lineWidth=2)


def _series(
    text: Text, sql: str, columns: tuple[Column, ...], width: int, height: int, **look: Any
) -> Panel:
    drawing = core.TimeSeries(
        **text.common(sql, SERIES),
        # Cells are hours: a finer bucket would draw combs.
        interval="1h",
        tooltipMode="multi",
        tooltipSort="desc",
        showPoints="never",
        axisSoftMin=0,
        unit=columns[0].unit.grafana,
        overrides=_overrides(columns),
        **look,
    )
    return Panel(text.title, sql, width, height, drawing)


def table(text: Text, sql: str, *columns: Column, width: int, height: int = 8) -> Panel:
    """Rows as they come; the query orders and limits them."""
    drawing = core.Table(**text.common(sql, TABLE), filterable=True, overrides=_overrides(columns))
    return Panel(text.title, sql, width, height, drawing)


def bars(text: Text, sql: str, *columns: Column, width: int, height: int = 8) -> Panel:
    """One group of bars for each row; the first column of the answer names it."""
    drawing = core.BarChart(
        **text.common(sql, TABLE),
        orientation="horizontal",
        showValue="always",
        thresholdSteps=[],
        extraJson={"fieldConfig": {"defaults": {"unit": columns[0].unit.grafana}}},
        overrides=_overrides(columns),
    )
    return Panel(text.title, sql, width, height, drawing)


def _overrides(columns: Iterable[Column]) -> list[dict[str, Any]]:
    return [column.override() for column in columns]


@dataclass(frozen=True)
class Variable:
    """A choice above the board: several values or All, read by a query."""

    name: str
    sql: str

    def to_json_data(self) -> dict[str, Any]:
        """Grafana's query variable, standing on All."""
        return {
            "name": self.name,
            "label": self.name,
            "type": "query",
            "datasource": DATASOURCE,
            "definition": self.sql,
            "query": {"editorType": "sql", "rawSql": self.sql},
            "refresh": 2,
            "multi": True,
            "includeAll": True,
            "sort": 1,
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        }


@dataclass(frozen=True)
class Marks:
    """What is marked across the panels: rows of `time`, `text` and `tags`."""

    name: str
    sql: str
    colour: str

    def to_json_data(self) -> dict[str, Any]:
        """Grafana's annotation query."""
        return {
            "name": self.name,
            "datasource": DATASOURCE,
            "enable": True,
            "iconColor": self.colour,
            "target": Query(self.sql, TABLE),
        }


DATASOURCE_VARIABLE = {
    "name": "ds",
    "label": "data source",
    "type": "datasource",
    "query": PLUGIN,
    "refresh": 1,
}


@dataclass(frozen=True)
class Board:
    """One dashboard: its address, what it tells, what one can choose, and its panels in order."""

    uid: str
    title: str
    help: str
    variables: tuple[Variable, ...]
    panels: tuple[Panel, ...]
    marks: tuple[Marks, ...] = ()
    since: str = "now-7d"

    def text(self) -> str:
        """The dashboard as JSON; the same board gives the same bytes."""
        whole = core.Dashboard(
            uid=self.uid,
            title=self.title,
            description=self.help,
            schemaVersion=SCHEMA_VERSION,
            refresh=REFRESH,
            time=core.Time(self.since, "now"),
            timezone="utc",
            tags=["gpuledger"],
            graphTooltip=core.GRAPH_TOOLTIP_MODE_SHARED_CROSSHAIR,
            annotations=core.Annotations(list=list(self.marks)),
            templating=core.Templating(list=[DATASOURCE_VARIABLE, *self.variables]),
            panels=list(placed(self.panels)),
        )
        plain = json.loads(json.dumps(whole, cls=_gen.DashboardEncoder))
        return json.dumps(without_nulls(plain), indent=2, sort_keys=True) + "\n"


def placed(panels: Iterable[Panel]) -> Iterator[Any]:
    """Drawings from left to right, a new row where the next does not fit."""
    x = y = row = 0
    for number, panel in enumerate(panels, start=1):
        if x + panel.width > GRID_WIDTH:
            x, y, row = 0, y + row, 0
        place = core.GridPos(h=panel.height, w=panel.width, x=x, y=y)
        yield attr.evolve(panel.drawing, id=number, gridPos=place)
        x, row = x + panel.width, max(row, panel.height)


def without_nulls(value: Any) -> Any:
    """The same JSON without keys that say nothing."""
    if isinstance(value, Mapping):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [without_nulls(v) for v in value]
    return value
