"""Alertmanager accepts its configuration, and alerts go where it says."""

from __future__ import annotations

import subprocess

import pytest
import yaml

from tests.components.process import program
from tests.deploy.files import DEPLOY

CONFIG = DEPLOY / "alertmanager" / "alertmanager.yml"


def amtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [program("amtool"), *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)


def test_alertmanager_accepts_it() -> None:
    done = amtool("check-config", str(CONFIG))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("severity", "receiver"), [("critical", "people"), ("high", "people"), ("info", "nobody")]
)
def test_alerts_are_routed_by_severity(severity: str, receiver: str) -> None:
    done = amtool(
        "config", "routes", "test", f"--config.file={CONFIG}", f"severity={severity}", "team=a"
    )
    assert done.stdout.strip() == receiver


def test_an_alert_of_the_fleet_hides_no_other() -> None:
    # Absent labels count as equal: without this matcher one alert would inhibit all.
    for rule in yaml.safe_load(CONFIG.read_text())["inhibit_rules"]:
        named = {m.partition(" ")[0] for m in rule["source_matchers"]}
        assert set(rule["equal"]) - {"cluster"} <= named
