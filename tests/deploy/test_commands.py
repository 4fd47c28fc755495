"""The deployed command lines and settings are ones that the program knows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from alerts.settings import AlertSettings, Mode
from collector.agent import AgentSettings
from gpuledger.cli import cli
from gpuledger.cli.options import load_config
from gpuledger.store import parse_address
from tests.deploy.files import DEPLOY, services

OURS = ("service", "service-b", "relay", "collector")
VALUES = {"GPULEDGER_INGEST": "http://a:1", "GPULEDGER_LISTEN": "a:1", "STATE_DIRECTORY": "/tmp"}


def deployed_lines() -> dict[str, list[str]]:
    lines = {name: list(services()[name]["command"]) for name in OURS}
    for unit in (DEPLOY / "systemd").glob("*.service"):
        started = re.search(r"^ExecStart=\S+ (.*)$", unit.read_text(), flags=re.MULTILINE)
        assert started
        lines[unit.name] = [
            re.sub(r"\$\{(\w+)\}", lambda m: VALUES[m[1]], w) for w in shlex.split(started[1])
        ]
    return lines


def deployed_environment(name: str) -> dict[str, str]:
    return {k: v for k, v in services()[name]["environment"].items() if k.startswith("GPULEDGER_")}


@pytest.mark.parametrize(("name", "line"), deployed_lines().items(), ids=[*deployed_lines()])
def test_the_program_understands_the_command(
    name: str, line: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in deployed_environment("service").items():
        monkeypatch.setenv(key, value)
    command = cli.get_command(click.Context(cli), line[0])
    assert command is not None
    command.make_context(line[0], line[1:])


@pytest.mark.parametrize("name", OURS)
def test_the_program_understands_the_environment(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in deployed_environment(name).items():
        monkeypatch.setenv(key, value)
    loaded = load_config(None)
    agent = loaded.section("agent", AgentSettings)
    alerts = loaded.section("alerts", AlertSettings)
    assert agent.sources == (("simulated",) if name == "collector" else ())
    assert alerts.mode is (Mode.SHADOW if name == "collector" else Mode.PAGE)


def test_the_service_finds_the_database(tmp_path: Path) -> None:
    word = tmp_path / "store_password"
    word.write_text("word")
    environment = deployed_environment("service")
    told = parse_address(
        environment["GPULEDGER_STORE"], {"GPULEDGER_STORE_PASSWORD_FILE": str(word)}
    )
    assert told.host in services()
    assert (told.port, told.user, told.database) == (8123, "gpuledger", "gpuledger")
    assert told.password == "word"
