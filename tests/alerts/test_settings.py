from __future__ import annotations

import pytest

from alerts.settings import AlertSettings, Mode
from gpuledger.config import Config
from gpuledger.errors import ConfigError


def section(**values: object) -> AlertSettings:
    return Config({"alerts": values}).section("alerts", AlertSettings)


def test_by_default_alerts_are_recorded_and_nobody_is_told() -> None:
    assert section().mode is Mode.SHADOW
    assert section().engine


@pytest.mark.parametrize("key", ["mode", "quiet_unless", "digest_below"])
def test_an_unknown_word_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        section(**{key: "loud"})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("quiet_from", "25:00"),
        ("digest_at", "eight"),
        ("digest_at", "08"),
        ("digest_at", "08:00+01:00"),
        ("time_zone", "Europe/Berlinn"),
        ("time_zone", "../etc"),
        ("repeat_days", -1),
        ("runbook_url", "javascript:alert(1)"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=key):
        section(**{key: value})


def test_quiet_hours_are_off_until_somebody_says_when_they_begin() -> None:
    assert section().timing().quiet is None
    assert section(quiet_from="22:00").timing().quiet is not None


def test_quiet_hours_that_end_as_they_begin_are_refused() -> None:
    with pytest.raises(ConfigError, match="quiet_from and quiet_until are both 07:00"):
        section(quiet_from="07:00", quiet_until="07:00")


def test_digest_mode_tells_only_summaries() -> None:
    assert section(mode="digest").timing().only_summaries
    assert not section(mode="page").timing().only_summaries
