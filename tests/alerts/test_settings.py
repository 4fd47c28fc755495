from __future__ import annotations

import pytest

from alerts.settings import AlertSettings, Mode
from gpuledger.config import Config
from gpuledger.errors import ConfigError


def section(**values: object) -> AlertSettings:
    return Config({"alerts": values}).section("alerts", AlertSettings)


def test_by_default_alerts_are_recorded_and_nobody_is_told() -> None:
    assert section().mode is Mode.SHADOW


def test_paging_needs_somebody_to_page() -> None:
    with pytest.raises(ConfigError, match="needs alertmanager_url"):
        section(mode="page")
    assert section(mode="page", alertmanager_url="http://a:9093").mode is Mode.PAGE


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ConfigError, match="mode"):
        section(mode="loud")
