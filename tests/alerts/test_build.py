from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.build import GENERATED, build, rules, write
from alerts.render import holding_sql
from gpuledger.store import Store
from tests.alerts.world import finding, run
from tests.components.prometheus import promtool_test_rules

PROMETHEUS = GENERATED / "prometheus.yaml"


def test_generated_files_are_up_to_date() -> None:
    written = {p.name: p.read_text() for p in GENERATED.glob("*.yaml")}
    assert written == build(), "run: gpuledger alerts build"


def test_the_same_rules_give_the_same_bytes(tmp_path: Path) -> None:
    paths = write(tmp_path / "new")
    assert {p.name: p.read_text() for p in paths} == build()


def test_every_rule_has_a_test_that_promtool_can_run() -> None:
    tests = yaml.safe_load((GENERATED / "prometheus_test.yaml").read_text())["tests"]
    told = {case["alertname"] for test in tests for case in test["alert_rule_test"]}
    assert told == {rule.name for rule in rules().values()}


def test_promtool_would_notice_a_wrong_threshold(promtool: None, tmp_path: Path) -> None:
    text = PROMETHEUS.read_text()
    (tmp_path / "prometheus.yaml").write_text(text.replace(">= 900", ">= 901"))
    document = yaml.safe_load((GENERATED / "prometheus_test.yaml").read_text())
    of_idle = [t for t in document["tests"] if t["alert_rule_test"][0]["alertname"] == "JobIdleGPU"]
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(document | {"tests": of_idle}))
    assert promtool_test_rules(tmp_path / "test.yaml") != []


def grafana_rules() -> list[dict[str, Any]]:
    document = yaml.safe_load(build()["grafana.yaml"])
    assert document["apiVersion"] == 1
    return [rule for group in document["groups"] for rule in group["rules"]]


def test_grafana_rules_have_the_plugins_v4_shape() -> None:
    assert {r["title"] for r in grafana_rules()} == {r.name for r in rules().values()}
    for rule in grafana_rules():
        question, threshold = rule["data"]
        assert question["model"]["format"] == 1
        assert question["model"]["queryType"] == "table"
        assert threshold["model"]["expression"] == question["refId"]
        assert rule["condition"] == threshold["refId"]


def test_grafana_asks_each_rule_as_often_as_the_engine_does() -> None:
    every = {rule.name: f"{rule.every_s:g}s" for rule in rules().values()}
    for group in yaml.safe_load(build()["grafana.yaml"])["groups"]:
        assert {every[rule["title"]] for rule in group["rules"]} == {group["interval"]}


def test_no_dollar_that_grafana_takes_for_an_environment_variable() -> None:
    # Its macros and variables do not exist in alert rules either.
    assert "$" not in build()["grafana.yaml"]


@pytest.mark.parametrize("name", ["job_idle_gpu", "telemetry_stale"])
def test_grafana_gets_a_row_for_each_alert(store: Store, name: str) -> None:
    [[now]] = store.select_typed("SELECT now64(3, 'UTC')")[1]
    store.insert_rows([finding("alpha/1", since=now - timedelta(hours=1), until=now)])
    store.insert_rows([run("n1", now - timedelta(hours=1), 10)])
    assert len(store.select(holding_sql(rules()[name]))) == 1
