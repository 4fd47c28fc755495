from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alerts.history import noted
from alerts.receivers import Receivers
from alerts.rules.job_idle_gpu import rule as idle_rule
from alerts.rules.telemetry_stale import rule as stale_rule
from alerts.settings import AlertSettings, Mode
from alerts.status import listed, status
from gpuledger.store import Store
from tests.alerts.world import alert

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULES = {r.name: r for r in (idle_rule, stale_rule)}
RECEIVERS = Receivers(platform=("slack://T1/A1/secret", "mailto:oncall@example.org"))


def row(rule: str, settings: AlertSettings, receivers: Receivers = RECEIVERS) -> dict[str, str]:
    (found,) = (r for r in listed(RULES, settings, receivers) if r["rule"] == rule)
    return found


def test_what_stands_is_listed_worst_first_with_who_was_told(store: Store) -> None:
    bad = alert(NOW, "alpha/2", severity="critical", cost=7.5)
    mild = alert(NOW - HOUR, "alpha/1", severity="info")
    over = alert(NOW - HOUR, "alpha/0", resolved=NOW)
    store.insert_rows([mild, bad, over])
    store.insert_rows(
        [
            noted(bad, NOW, "not taken: 550", channel="mailto", receiver="platform/a@b.c"),
            noted(bad, NOW + HOUR, "accepted", channel="mailto", receiver="platform/a@b.c"),
            noted(mild, NOW, "shadow: nobody was told", channel="shadow"),
        ]
    )
    assert [(r["subject"], r["told"]) for r in status(store)] == [
        ("alpha/2", "platform/a@b.c: accepted"),
        ("alpha/1", "shadow: nobody was told"),
    ]
    assert status(store)[0]["cost_per_hour"] == 7.5
    assert [r["subject"] for r in status(store, resolved=True)][-1] == "alpha/0"
    assert status(store, rule="TelemetryStale") == []


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (AlertSettings(), "never (shadow)"),
        (AlertSettings(engine=False), "elsewhere"),
        (AlertSettings(off=["JobIdleGPU"]), "off"),
        (AlertSettings(mode=Mode.DIGEST), "daily"),
        (AlertSettings(mode=Mode.PAGE), "at once"),
        (AlertSettings(mode=Mode.PAGE, alertmanager_url="http://a"), "at once"),
    ],
)
def test_a_rule_says_when_it_is_told(settings: AlertSettings, told: str) -> None:
    assert row("JobIdleGPU", settings)["told"] == told


def test_a_rule_says_from_when_it_holds_and_who_hears_without_a_secret() -> None:
    settings = AlertSettings(mode=Mode.PAGE)
    idle, stale = row("JobIdleGPU", settings), row("TelemetryStale", settings)
    assert (idle["holds_from"], stale["for"]) == ("15 min", "1 min")
    assert idle["hears"] == "the user, else the team, else slack-1, oncall@example.org"
    assert stale["hears"] == "platform: slack-1, oncall@example.org"
    assert row("TelemetryStale", settings, Receivers())["hears"] == "platform: no receiver"


def test_alertmanager_decides_who_hears() -> None:
    settings = AlertSettings(mode=Mode.PAGE, alertmanager_url="http://a")
    assert row("TelemetryStale", settings)["hears"] == "platform, by Alertmanager"
