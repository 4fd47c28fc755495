from __future__ import annotations

from pathlib import Path

import pytest

from alerts.receivers import VARIABLE, Receivers, load
from alerts.rule import Owner
from gpuledger.errors import ConfigError

TEXT = """
mail = "mailtos://u:hunter2@mail.example.org"
heartbeat = "https://hc.example.org/ping/secret"
platform = ["slack://token/token/token", "mailto:oncall@example.org"]
[teams]
vision = "msteams://secret"
"""


def test_receivers_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "receivers.toml"
    path.write_text(TEXT)
    found = load(str(path), {})
    assert found.platform == ("slack://token/token/token", "mailto:oncall@example.org")
    assert found.teams == {"vision": ("msteams://secret",)}
    assert found.heartbeat.endswith("/secret")


def test_the_environment_outranks_the_file(tmp_path: Path) -> None:
    found = load(str(tmp_path / "none"), {VARIABLE: 'platform = "json://h"'})
    assert found.platform == ("json://h",)


def test_without_either_there_are_none() -> None:
    assert load("", {}) == Receivers()


def test_hardware_without_receivers_is_the_platforms() -> None:
    assert Receivers(platform=("a://",)).of(Owner.HARDWARE) == ("a://",)
    assert Receivers(platform=("a://",), hardware=("b://",)).of(Owner.HARDWARE) == ("b://",)


def test_printed_receivers_show_nothing() -> None:
    assert repr(load("", {VARIABLE: TEXT})) == "Receivers()"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('platfrom = "a://hunter2"', "unknown key 'platfrom'; did you mean 'platform'"),
        ("platform = 3", "platform: write an address"),
        ('platform = [""]', "platform: write an address"),
        ('teams = "a://hunter2"', "teams: write a table"),
        ("[teams]\nvision = 1", "teams.vision: write an address"),
        ("mail = []", "mail: write one address"),
        ('platform = "hunter2', "is not TOML"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_without_its_secrets(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as refused:
        load("", {VARIABLE: text})
    assert "hunter2" not in str(refused.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"receivers_file .*No such file"):
        load(str(tmp_path / "none"), {})
