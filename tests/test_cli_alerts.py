"""`gpuledger alerts` as people and programs call it."""

from __future__ import annotations

from pathlib import Path

from tests.analytics.command import complaint, output, rows

SECRETS = """
mail = "mailtos://gpu:hunter2hunter@mail.example.org"
platform = ["slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "mailto:oncall@example.org"]
"""


def test_rules_are_listed_with_who_hears_and_no_secret(tmp_path: Path) -> None:
    (tmp_path / "receivers.toml").write_text(SECRETS)
    config = tmp_path / "gpuledger.toml"
    config.write_text(f"[alerts]\nmode = 'page'\nreceivers_file = '{tmp_path}/receivers.toml'\n")
    told = output("alerts", "list", "--config", config, "--format", "json")
    (stale,) = (r for r in rows(told) if r["rule"] == "TelemetryStale")
    assert stale["hears"] == "platform: slack-1, oncall@example.org"
    assert (stale["told"], stale["holds_from"]) == ("at once", "3 min")
    assert "hunter2" not in told
    assert "T1JJ3T3L2" not in told


def test_rules_are_built_as_the_configuration_says(tmp_path: Path) -> None:
    config = tmp_path / "gpuledger.toml"
    config.write_text("[alerts]\noff = ['NodeDown']\nthresholds = {ThermalWarn = 70}\n")
    output("alerts", "build", "--config", config, "--out", tmp_path / "rules")
    for name in ("grafana.yaml", "prometheus.yaml", "prometheus_test.yaml"):
        text = " ".join((tmp_path / "rules" / name).read_text().split())
        assert "NodeDown" not in text
        assert "been at 70" in text
    rule = (tmp_path / "rules" / "prometheus.yaml").read_text()
    assert 'gpuledger_alert_value{rule="ThermalWarn"} >= 70' in rule


def test_a_store_that_does_not_answer_is_no_fault_of_the_rules() -> None:
    said = complaint(3, "alerts", "check", "--store", "http://127.0.0.1:1")
    assert "wrong" not in said


def test_a_misspelt_rule_is_told_the_nearest_one(tmp_path: Path) -> None:
    store = f"chdb://{tmp_path}/store"
    assert "did you mean 'JobIdleGPU'" in complaint(
        2, "alerts", "status", "--store", store, "--rule", "JobIdleGpu"
    )
