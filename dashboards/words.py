"""What a board says around its queries: columns with units, words, choices and marks.

The shapes are those of Grafana's dashboard JSON and of the ClickHouse plugin (v4: `format` is a
number, a string breaks its backend).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from gpuledger.measures import Measure
from gpuledger.states import STATES, State
from gpuledger.units import COUNT, Unit

PLUGIN, PLUGIN_VERSION = "grafana-clickhouse-datasource", "4.20.0"
DATASOURCE = {"type": PLUGIN, "uid": "${ds}"}
SERIES, TABLE = "timeseries", "table"
FORMATS = {SERIES: 0, TABLE: 1}
# One point per two pixels of a full-width panel.
MAX_DATA_POINTS = 800
NO_DATA = "no data in this range"
BOARD_LINK = re.compile(r"^/d/(?P<uid>[a-z0-9-]+)")
PREFIX = "gpuledger-"


@dataclass(frozen=True)
class Column:
    """A column of an answer as a panel shows it.

    `link` is where a click on a value leads (`choices.board_link`); `states` paints cells that
    hold names of states in the colours of these.
    """

    name: str
    title: str
    unit: Unit = COUNT
    colour: str = ""
    link: str = ""
    states: bool = False

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
            links = [{"title": f"{leads_to(self.link)}: this {self.title}", "url": self.link}]
            properties.append({"id": "links", "value": links})
        if self.states:
            properties.append({"id": "mappings", "value": state_mappings()})
            background = {"type": "color-background", "mode": "basic"}
            properties.append({"id": "custom.cellOptions", "value": background})
        return {"matcher": {"id": "byName", "options": self.name}, "properties": properties}


def measured(measure: Measure, title: str = "", link: str = "") -> Column:
    """A measure's column: its name without the unit, which Grafana prints."""
    suffix = measure.unit.suffix
    name = measure.name.removesuffix(f"_{suffix}") if suffix else measure.name
    return Column(measure.name, title or name.replace("_", " "), measure.unit, link=link)


def coloured(state: State) -> Column:
    """A state's column, in the colour that it has everywhere."""
    return Column(state.name, state.title, colour=state.colour)


def state_mappings() -> list[dict[str, Any]]:
    """Grafana's value mappings: each state as people read it, in its colour."""
    shown = {
        state.name: {"text": state.title, "color": state.colour, "index": place}
        for place, state in enumerate(STATES)
    }
    return [{"type": "value", "options": shown}]


def leads_to(link: str) -> str:
    """In words, where an address leads: a board of ours, or something to read."""
    found = BOARD_LINK.match(link)
    return f"{found['uid'].removeprefix(PREFIX)} board" if found else "read more"


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
    """The words around a panel: title, what it says in one line, and what to do about it.

    `rows` is the SQL of the rows behind it, `link` the address of the next action (another board:
    `choices.board_link`, or a page), `empty` why there may be nothing to show.
    """

    title: str
    help: str
    next: str
    rows: str = ""
    link: str = ""
    empty: str = NO_DATA

    @property
    def description(self) -> str:
        """What Grafana shows on hovering: what it says and what to do."""
        return f"{self.help}\n\nNext: {self.next}"

    def common(self, sql: str, kind: str) -> dict[str, Any]:
        """Arguments that every kind of panel takes."""
        return {
            "title": self.title,
            "description": self.description,
            "dataSource": DATASOURCE,
            "targets": [Query(sql, kind)],
            "maxDataPoints": MAX_DATA_POINTS,
            "links": [*self._links()],
        }

    def _links(self) -> list[dict[str, Any]]:
        found = []
        if self.link:
            found.append(_link(f"next: {leads_to(self.link)}", self.link))
        if self.rows:
            found.append(_link("rows behind it", explore(self.rows), new_tab=True))
        return found


def _link(title: str, url: str, *, new_tab: bool = False) -> dict[str, Any]:
    """A panel's link as Grafana writes it: every key is there, unused ones are empty."""
    return {
        "title": title,
        "type": "link",
        "icon": "",
        "tooltip": "",
        "url": url,
        "tags": [],
        "asDropdown": False,
        "targetBlank": new_tab,
        "includeVars": False,
        "keepTime": False,
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
