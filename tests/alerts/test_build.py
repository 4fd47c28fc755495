from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from alerts.build import GENERATED, build, rules, write
from alerts.render import METRIC, holding_sql
from gpuledger.store import Store
from tests.alerts.test_rule import each_rule
from tests.alerts.world import finding, run
from tests.components.prometheus import promtool_check_rules, promtool_test_rules

PROMETHEUS = GENERATED / "prometheus.yaml"


def test_generated_files_are_up_to_date() -> None:
    written = {p.name: p.read_text() for p in GENERATED.glob("*.yaml")}
    assert written == build(), "run: gpuledger alerts build"


def test_the_same_rules_give_the_same_bytes(tmp_path: Path) -> None:
    paths = write(tmp_path / "new")
    assert {p.name: p.read_text() for p in paths} == build()


def test_promtool_accepts_the_rules(promtool: None) -> None:
    assert promtool_check_rules(PROMETHEUS) == []


def test_prometheus_fires_from_the_metric(promtool: None, tmp_path: Path) -> None:
    fires = {
        "exp_labels": {"subject": "alpha/1", "rule": "JobIdleGPU"},
        "exp_annotations": {
            "summary": "alpha/1: a job has held idle GPUs for 15 minutes or longer (15m 0s)",
            "runbook": "alerts/runbooks/job_idle_gpu.md",
        },
    }
    fires["exp_labels"] |= {"severity": "warning", "owner": "job owner"}
    series = f'{METRIC}{{rule="JobIdleGPU",subject="alpha/1"}}'
    case = {
        "interval": "1m",
        "input_series": [{"series": series, "values": "840 900 960"}],
        "alert_rule_test": [
            {"eval_time": "0m", "alertname": "JobIdleGPU", "exp_alerts": []},
            {"eval_time": "1m", "alertname": "JobIdleGPU", "exp_alerts": [fires]},
        ],
    }
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [str(PROMETHEUS)], "tests": [case]}))
    assert promtool_test_rules(path) == []


def grafana_rules() -> list[dict[str, Any]]:
    document = yaml.safe_load(build()["grafana.yaml"])
    assert document["apiVersion"] == 1
    return [rule for group in document["groups"] for rule in group["rules"]]


def test_grafana_rules_have_the_plugins_v4_shape() -> None:
    assert [r["title"] for r in grafana_rules()] == [r.name for r in rules().values()]
    for rule in grafana_rules():
        question, threshold = rule["data"]
        assert question["model"]["format"] == 1
        assert question["model"]["queryType"] == "table"
        assert threshold["model"]["expression"] == question["refId"]
        assert rule["condition"] == threshold["refId"]


def test_no_dollar_that_grafana_takes_for_an_environment_variable() -> None:
    # Its macros and variables do not exist in alert rules either.
    assert "$" not in build()["grafana.yaml"]


@each_rule
def test_grafana_gets_texts_and_one_number(store: Store, rule: Any) -> None:
    [[now]] = store.select_typed("SELECT now64(3, 'UTC')")[1]
    store.insert_rows([finding("alpha/1", since=now - timedelta(hours=1), until=now)])
    store.insert_rows([run("n1", now - timedelta(hours=1), 10)])
    columns, found = store.select_typed(holding_sql(rule))
    assert columns == [
        *((name, "String") for name in ("subject", *rule.labels)),
        ("value", "Float64"),
    ]
    assert len(found) == 1
