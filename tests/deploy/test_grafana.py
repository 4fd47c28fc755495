"""Each team looks at its rows through its own user, in an organisation of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from gpuledger.users import user_of
from tests.deploy.files import DEPLOY, ROOT

SCRIPT = DEPLOY / "grafana" / "team.sh"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(SCRIPT), *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)


def provisioned(folder: Path, kind: str) -> list[dict[str, Any]]:
    files = sorted((folder / kind).iterdir())
    return [
        yaml.safe_load(f.read_text())[kind.replace("dashboards", "providers")][0] for f in files
    ]


@pytest.fixture
def teams(tmp_path: Path) -> Path:
    """Provisioning of two teams."""
    for team, organisation in (("red", "2"), ("blue", "3")):
        done = run(team, user_of(team), organisation, str(tmp_path))
        assert done.returncode == 0, done.stderr
    return tmp_path


def test_each_team_has_its_user_and_its_organisation(teams: Path) -> None:
    sources = provisioned(teams, "datasources")
    assert [s["jsonData"]["username"] for s in sources] == ["team_blue", "team_red"]
    # 1 is the organisation of those who see everything.
    assert [s["orgId"] for s in sources] == [3, 2]
    assert [p["orgId"] for p in provisioned(teams, "dashboards")] == [3, 2]


def test_a_team_has_its_own_password_and_none_is_in_a_file(teams: Path) -> None:
    words = [s["secureJsonData"]["password"] for s in provisioned(teams, "datasources")]
    assert words == [f"$GPULEDGER_GRAFANA_TEAM_{team}_PASSWORD" for team in ("BLUE", "RED")]


def test_its_boards_are_those_of_the_platform(teams: Path) -> None:
    everybody = yaml.safe_load(
        (DEPLOY / "grafana" / "provisioning" / "dashboards" / "gpuledger.yaml").read_text()
    )["providers"][0]
    assert {p["options"]["path"] for p in provisioned(teams, "dashboards")} == {
        everybody["options"]["path"]
    }


def test_boards_ask_whatever_datasource_their_organisation_has() -> None:
    for board in (ROOT / "dashboards" / "generated").glob("*.json"):
        told = json.loads(board.read_text())
        assert "gpuledger-datasource" not in json.dumps(told)
        assert any(v["type"] == "datasource" for v in told["templating"]["list"]), board


@pytest.mark.parametrize(
    "words",
    [
        ("red",),
        ("red", "team_red", "1"),
        ("red", "team_red", "none"),
        ("red", "team red", "2"),
        ("red\nevil: true", "team_red", "2"),
        ('"red', "team_red", "2"),
    ],
)
def test_a_wrong_word_is_refused_in_one_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run(*words, *([str(tmp_path)] if len(words) == 3 else []))
    assert done.returncode == 2
    assert done.stderr.startswith("team.sh: ")
    assert not [*tmp_path.iterdir()]
