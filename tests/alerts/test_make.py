from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from alerts.direct import Direct
from alerts.make import known_rules, make_engine, make_teller
from alerts.promtest import unit_tests
from alerts.receivers import VARIABLE, Receivers
from alerts.render import grafana, prometheus
from alerts.settings import AlertSettings, Mode
from alerts.tell import Shadow, ThroughAlertmanager
from gpuledger.errors import ConfigError
from gpuledger.store import Store
from tests.alerts.world import finding

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
OTHERS = sorted(set(known_rules(AlertSettings())) - {"JobIdleGPU"})
URL = "http://alerts:9093"


def idle(store: Store) -> None:
    store.insert_rows([finding("alpha/1", since=NOW - 20 * MINUTE, until=NOW)])


def state(store: Store) -> str:
    sql = "SELECT toString(state) FROM v_alert_states WHERE rule = 'JobIdleGPU'"
    return str(store.value(sql))


def test_the_engine_is_made_from_the_section_and_every_rule(store: Store) -> None:
    idle(store)
    ticked = make_engine(store, AlertSettings(), {}).tick(NOW)
    assert ticked.failed == ()
    assert state(store) == "firing"
    assert store.value("SELECT toString(channel) FROM notifications LIMIT 1") == "shadow"


def test_with_the_engine_off_alerts_are_measured_and_never_fire(store: Store) -> None:
    idle(store)
    off = make_engine(store, AlertSettings(engine=False, mode=Mode.PAGE, off=OTHERS), {})
    for minute in (0, 120):
        off.tick(NOW + minute * MINUTE)
    assert state(store) == "pending"
    assert store.value("SELECT count() FROM notifications") == 0


def test_thresholds_and_rules_that_are_off_are_as_the_section_says() -> None:
    rules = known_rules(AlertSettings(thresholds={"JobIdleGPU": 5.0}, off=["TelemetryStale"]))
    assert rules["JobIdleGPU"].threshold == 5.0
    assert "TelemetryStale" not in rules


def test_runbooks_are_read_where_the_section_says() -> None:
    told = known_rules(AlertSettings(runbook_url="https://wiki.example.org/gpu/"))["NodeDown"]
    assert told.runbook_at == "https://wiki.example.org/gpu/node_down.md"
    for text in (prometheus([told]), grafana([told]), unit_tests([told], "rules.yaml")):
        assert "https://wiki.example.org/gpu/node_down.md" in text
    assert known_rules(AlertSettings())["NodeDown"].runbook_at == "alerts/runbooks/node_down.md"


@pytest.mark.parametrize("threshold", [0.0, -1.0, float("nan"), float("inf")])
def test_a_threshold_that_every_subject_reaches_or_none_is_refused(threshold: float) -> None:
    with pytest.raises(ConfigError, match="thresholds: JobIdleGPU"):
        known_rules(AlertSettings(thresholds={"JobIdleGPU": threshold}))


@pytest.mark.parametrize("section", [{"thresholds": {"JobIdle": 1.0}}, {"off": ["JobIdle"]}])
def test_a_rule_that_there_is_not_is_refused(section: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="unknown rule 'JobIdle'; did you mean"):
        known_rules(AlertSettings(**section))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mode", "url", "platform", "kind"),
    [
        (Mode.SHADOW, URL, "json://h", Shadow),
        (Mode.PAGE, URL, "json://h", ThroughAlertmanager),
        (Mode.PAGE, "", "json://h", Direct),
        (Mode.DIGEST, URL, "json://h", Direct),
    ],
)
def test_who_tells(store: Store, mode: Mode, url: str, platform: str, kind: type) -> None:
    settings = AlertSettings(mode=mode, alertmanager_url=url)
    assert type(make_teller(store, {}, settings, Receivers(platform=(platform,)))) is kind


@pytest.mark.parametrize(
    ("mode", "url", "told"),
    [(Mode.PAGE, "", "needs alertmanager_url, or receivers_file"), (Mode.DIGEST, URL, "needs rec")],
)
def test_telling_needs_somebody_to_tell(store: Store, mode: Mode, url: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        make_engine(store, AlertSettings(mode=mode, alertmanager_url=url), {})


def test_an_address_that_cannot_be_used_stops_the_start(store: Store) -> None:
    with pytest.raises(ConfigError, match="receivers: platform"):
        make_engine(store, AlertSettings(mode=Mode.PAGE), {VARIABLE: 'platform = "nonsense"'})
