from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards.build import GENERATED, boards, build, write
from dashboards.check import MOST_PANELS
from dashboards.choices import COMMON
from dashboards.panel import Board
from dashboards.preview.figures import UNITS
from gpuledger.cli import COMMANDS
from gpuledger.states import STATES

PROVISIONING = Path(__file__).parents[2] / "deploy" / "grafana" / "provisioning"
each_board = pytest.mark.parametrize("name", sorted(boards()))


def dashboard(name: str) -> dict[str, Any]:
    return dict(json.loads(boards()[name].text()))


def test_generated_files_are_up_to_date() -> None:
    written = {p.name: p.read_text() for p in GENERATED.glob("*.json")}
    assert written == build(), "run: gpuledger dashboards build"


def test_the_same_boards_give_the_same_bytes(tmp_path: Path) -> None:
    paths = write(tmp_path / "new")
    assert {p.name: p.read_text() for p in paths} == build()


@each_board
def test_a_board_has_what_grafana_needs(name: str) -> None:
    board = dashboard(name)
    assert board["schemaVersion"] == 39
    assert board["refresh"] == "5m"
    assert re.fullmatch(r"[a-z0-9-]{1,40}", board["uid"])
    names = [v["name"] for v in board["templating"]["list"]]
    assert names[:4] == ["ds", *(v.name for v in COMMON)]
    assert set(names[4:]) <= {"user", "job", "node"}
    assert 0 < len(board["panels"]) <= MOST_PANELS


@each_board
def test_every_panel_has_a_line_of_help_a_next_step_and_a_sane_resolution(name: str) -> None:
    for panel in dashboard(name)["panels"]:
        assert "\n\nNext: " in panel["description"], panel["title"]
        assert 100 < panel["maxDataPoints"] <= 2000
        assert isinstance(panel["fieldConfig"]["defaults"]["thresholds"]["steps"], list)


@each_board
def test_commands_named_by_panels_exist(name: str) -> None:
    for panel in dashboard(name)["panels"]:
        assert set(re.findall(r"`gpuledger (\w+)", panel["description"])) <= set(COMMANDS)


@each_board
def test_panels_speak_the_units_of_grafana(name: str) -> None:
    for panel in dashboard(name)["panels"]:
        for override in panel["fieldConfig"]["overrides"]:
            units = [p["value"] for p in override["properties"] if p["id"] == "unit"]
            assert set(units) <= set(UNITS), panel["title"]


def test_states_have_the_same_colour_everywhere() -> None:
    colours = {s.name: s.colour for s in STATES}
    seen = set()
    for name in boards():
        for panel in dashboard(name)["panels"]:
            for override in panel["fieldConfig"]["overrides"]:
                state = override["matcher"]["options"]
                for prop in override["properties"]:
                    if prop["id"] == "color" and state in colours:
                        seen.add(state)
                        assert prop["value"]["fixedColor"] == colours[state]
    assert seen == set(colours)


def test_addresses_of_boards_are_unique() -> None:
    uids = [board.uid for board in boards().values()]
    assert len(uids) == len(set(uids))
    assert all(isinstance(board, Board) for board in boards().values())


def test_provisioning_names_the_plugin_and_the_folder_of_boards() -> None:
    [source] = _provisioned("datasources")["datasources"]
    assert source["type"] == "grafana-clickhouse-datasource"
    # v4 calls it host; the name before, server, is silently ignored.
    assert source["jsonData"]["host"]
    assert "server" not in source["jsonData"]
    assert source["secureJsonData"]["password"].startswith("$")
    [provider] = _provisioned("dashboards")["providers"]
    assert provider["type"] == "file"
    assert provider["options"]["path"]


def _provisioned(kind: str) -> dict[str, Any]:
    document = yaml.safe_load((PROVISIONING / kind / "gpuledger.yaml").read_text())
    assert document["apiVersion"] == 1
    return dict(document)
