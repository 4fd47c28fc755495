"""Panels and boards: the only import of grafanalib, and the only place that lays out a dashboard.

A board says what is asked and in which units; this module draws it for Grafana 11 and later, and
leaves out what grafanalib writes for the versions before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import attr
from grafanalib import _gen, core

from dashboards.macros import point_width
from dashboards.words import (
    MAX_DATA_POINTS,
    PLUGIN,
    SERIES,
    TABLE,
    Column,
    Marks,
    Text,
    Variable,
    state_mappings,
)
from gpuledger.units import COUNT

SCHEMA_VERSION = 39
# The book changes once a minute at most; faster only loads the database.
REFRESH = "5m"
GRID_WIDTH = 24
# Cells of the book are hours: a finer point would draw combs. Telemetry may have finer ones.
HOURLY, MINUTELY, FINE = "1h", "1m", "10s"
WIDTHS_S = {HOURLY: 3600, MINUTELY: 60, FINE: 10}
# What grafanalib writes for the Grafana of ten years ago.
OLD_BOARD = ("__inputs", "hideControls", "rows", "sharedCrosshair", "style")
OLD_PANEL = ("editable", "error", "columns", "fontSize", "mappings")


@dataclass(frozen=True)
class Panel:
    """A panel without a place: its kind, words, question, columns and size, and its drawing.

    `by` and `value` name the columns of a timeline or a heat map: whose row, and what is painted.
    """

    kind: str
    text: Text
    sql: str
    columns: tuple[Column, ...]
    width: int
    height: int
    drawing: Any
    by: str = ""
    value: str = ""

    @property
    def title(self) -> str:
        """What stands above it."""
        return self.text.title

    def point_s(self, since: datetime, until: datetime) -> int:
        """How wide a point of it is over that range, in seconds."""
        least = WIDTHS_S.get(self.drawing.interval, 1)
        return point_width(since, until, MAX_DATA_POINTS, least)


# Older boards get it by a migration, those of our schema version do not.
LEGEND = {"legend": {"showLegend": True}}


def _more(text: Text, legend: bool = False, **defaults: Any) -> dict[str, Any]:
    """What grafanalib's panel lacks: the words of an empty panel, and more of its defaults."""
    found: dict[str, Any] = {"fieldConfig": {"defaults": {"noValue": text.empty, **defaults}}}
    return found | ({"options": LEGEND} if legend else {})


def _overrides(columns: Iterable[Column]) -> list[dict[str, Any]]:
    return [column.override() for column in columns]


def stat(text: Text, sql: str, *columns: Column, width: int, height: int = 5) -> Panel:
    """Big numbers from one row; a text column (currency, grade) is shown beside them."""
    drawing = core.Stat(
        **text.common(sql, TABLE),
        reduceCalc="lastNotNull",
        fields="/.*/",
        graphMode="none",
        colorMode="none",
        noValue=text.empty,
        format=COUNT.grafana,
        # grafanalib's own default is a text, where Grafana wants a list.
        thresholds=[],
        overrides=_overrides(columns),
    )
    return Panel("stat", text, sql, columns, width, height, drawing)


def area(
    text: Text, sql: str, *columns: Column, width: int, height: int = 10, interval: str = HOURLY
) -> Panel:
    """Columns of a time series on top of each other; they add up to something."""
    stacking = {"mode": "normal", "group": "A"}
    look = {"stacking": stacking, "fillOpacity": 80, "lineWidth": 0}
    drawing = _series(text, sql, columns, interval, look)
    return Panel("area", text, sql, columns, width, height, drawing)


def lines(
    text: Text, sql: str, *columns: Column, width: int, height: int = 8, interval: str = HOURLY
) -> Panel:
    """Each column of numbers a line; where a text column names series, a line for each.

    `interval` is the least width of a point: HOURLY for the book, MINUTELY or FINE for telemetry.
    """
    drawing = _series(text, sql, columns, interval, {"lineWidth": 2})
    return Panel("lines", text, sql, columns, width, height, drawing)


def _series(
    text: Text, sql: str, columns: tuple[Column, ...], interval: str, look: Mapping[str, Any]
) -> Any:
    return core.TimeSeries(
        **text.common(sql, SERIES),
        interval=interval,
        tooltipMode="multi",
        tooltipSort="desc",
        showPoints="never",
        axisSoftMin=0,
        unit=columns[0].unit.grafana,
        overrides=_overrides(columns),
        extraJson=_more(text, legend=True),
        **look,
    )


def table(text: Text, sql: str, *columns: Column, width: int, height: int = 8) -> Panel:
    """Rows as they come; the query orders and limits them."""
    drawing = core.Table(
        **text.common(sql, TABLE),
        filterable=True,
        overrides=_overrides(columns),
        extraJson=_more(text),
    )
    return Panel("table", text, sql, columns, width, height, drawing)


def bars(text: Text, sql: str, *columns: Column, width: int, height: int = 8) -> Panel:
    """One group of bars for each row; the first column of the answer names it."""
    drawing = core.BarChart(
        **text.common(sql, TABLE),
        orientation="horizontal",
        showValue="always",
        thresholdSteps=[],
        extraJson=_more(text, legend=True, unit=columns[0].unit.grafana),
        overrides=_overrides(columns),
    )
    return Panel("bars", text, sql, columns, width, height, drawing)


def timeline(text: Text, sql: str, by: str, state: str, *, width: int, height: int = 8) -> Panel:
    """A strip for each `by`, painted in the colours of the states over time.

    The query answers `time`, `by` and `state`, ascending in time; a state lasts until the next row
    of the same strip, so that a row per change is enough.
    """
    strips = {"id": "partitionByValues", "options": _by_label(by)}
    drawing = core.StateTimeline(
        **text.common(sql, TABLE),
        interval=MINUTELY,
        colorMode="fixed",
        mappings=state_mappings(),
        showValue="never",
        transformations=[strips],
        extraJson=_more(text, legend=True, displayName=f"${{__field.labels.{by}}}"),
    )
    return Panel("timeline", text, sql, (), width, height, drawing, by, state)


def _by_label(by: str) -> dict[str, Any]:
    """One frame for each value of a column, which becomes the label that names it."""
    return {"fields": [by], "keepFields": False, "naming": {"asLabels": True}}


# Rows are series: nothing is counted, each cell is a value of the answer.
HEAT_OPTIONS = {
    "calculate": False,
    "cellGap": 1,
    "color": {
        "mode": "scheme",
        "scheme": "Oranges",
        "reverse": True,
        "exponent": 0.5,
        "steps": 64,
        "fill": "dark-orange",
    },
    "rowsFrame": {"layout": "auto"},
    "yAxis": {"axisPlacement": "left"},
    "showValue": "never",
    "legend": {"show": True},
    "tooltip": {"mode": "single", "yHistogram": False, "showColorScale": True},
    "exemplars": {"color": "rgba(255,0,255,0.7)"},
    "filterValues": {"le": 1e-9},
}
# What grafanalib's heat map has from the time before Grafana 9.
OLD_HEAT = (
    *("cards", "color", "dataFormat", "heatmap", "hideZeroBuckets", "highlightCards", "legend"),
    *("reverseYBuckets", "tooltip", "xAxis", "xBucketNumber", "xBucketSize", "yAxis"),
    *("yBucketBound", "yBucketNumber", "yBucketSize"),
)


def heat(
    text: Text,
    sql: str,
    by: str,
    column: Column,
    *,
    width: int,
    height: int = 8,
    interval: str = HOURLY,
) -> Panel:
    """A row of cells for each `by` over time, darker where `column` is larger.

    The query answers `time`, `by` (text) and the column, ascending in time.
    """
    unit = column.unit.grafana
    options = {**HEAT_OPTIONS, "cellValues": {"unit": unit}}
    more = _more(text, displayName=f"${{__field.labels.{by}}}", unit=unit)
    # A name for the column would be the name of every row.
    more["fieldConfig"]["overrides"] = []
    drawing = core.Heatmap(
        **text.common(sql, SERIES),
        interval=interval,
        options=options,
        extraJson=more,
    )
    return Panel("heat", text, sql, (column,), width, height, drawing, by, column.name)


WHATEVER = re.compile(r"whatever ([a-z, ]+?) is chosen")
DATASOURCE_VARIABLE = {
    "name": "ds",
    "label": "data source",
    "type": "datasource",
    "query": PLUGIN,
    "refresh": 1,
}


@dataclass(frozen=True)
class Board:
    """One dashboard: its address, what it tells, what one can choose, and its panels in order.

    `kept` are choices that links hand on, though not every panel is filtered by them: machines,
    for instance, have no team. Panels that are not say so.
    """

    uid: str
    title: str
    help: str
    variables: tuple[Variable, ...]
    panels: tuple[Panel, ...]
    marks: tuple[Marks, ...] = ()
    since: str = "now-7d"
    kept: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Let panels tell which of the kept choices do not count for them."""
        told = tuple(map(self._telling, self.panels))
        object.__setattr__(self, "panels", told)

    def _telling(self, panel: Panel) -> Panel:
        names = [name for name in self.unsaid(panel) if name in self.kept]
        if not names:
            return panel
        more = f"{panel.text.help} Whatever {' or '.join(names)} is chosen above."
        text = replace(panel.text, help=more)
        drawing = attr.evolve(panel.drawing, description=text.description)
        return replace(panel, text=text, drawing=drawing)

    def unsaid(self, panel: Panel) -> list[str]:
        """Choices that do not change a panel's question, though its help does not say so.

        It says so as "whole fleet", or as "whatever pool or user is chosen".
        """
        said = panel.text.help.casefold()
        if "whole fleet" in said:
            return []
        told = set(re.findall(r"\w+", " ".join(WHATEVER.findall(said))))
        names = (v.name for v in self.variables)
        used = {n for n in names if re.search(rf"\$(?:{n}\b|\{{{n}[:}}])", panel.sql)}
        return [v.name for v in self.variables if v.name not in used | told]

    def model(self) -> dict[str, Any]:
        """The dashboard as Grafana 11 and later know it."""
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
        plain = without_nulls(json.loads(json.dumps(whole, cls=_gen.DashboardEncoder)))
        plain["timepicker"].pop("time_options")
        plain["panels"] = [without((*OLD_PANEL, *OLD_HEAT), panel) for panel in plain["panels"]]
        return without(OLD_BOARD, plain)

    def text(self) -> str:
        """The dashboard as JSON; the same board gives the same bytes."""
        return json.dumps(self.model(), indent=2, sort_keys=True) + "\n"


def placed(panels: Iterable[Panel]) -> Iterator[Any]:
    """Drawings from left to right, a new row where the next does not fit."""
    for number, (panel, x, y) in enumerate(grid(panels), start=1):
        place = core.GridPos(h=panel.height, w=panel.width, x=x, y=y)
        yield attr.evolve(panel.drawing, id=number, gridPos=place)


def grid(panels: Iterable[Panel]) -> Iterator[tuple[Panel, int, int]]:
    """Each panel with its place (column of GRID_WIDTH, line)."""
    x = y = row = 0
    for panel in panels:
        if x + panel.width > GRID_WIDTH:
            x, y, row = 0, y + row, 0
        yield panel, x, y
        x, row = x + panel.width, max(row, panel.height)


def without(names: Iterable[str], value: Mapping[str, Any]) -> dict[str, Any]:
    """The same JSON without some keys."""
    return {k: v for k, v in value.items() if k not in names}


def without_nulls(value: Any) -> Any:
    """The same JSON without keys that say nothing."""
    if isinstance(value, Mapping):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [without_nulls(v) for v in value]
    return value
