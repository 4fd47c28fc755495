"""Rules as files for those who evaluate elsewhere: Prometheus over `/metrics`, Grafana over SQL."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from alerts.rule import NOW, Rule
from gpuledger.units import SECOND

# What the service's /metrics page says of every pending or firing alert.
METRIC = "gpuledger_alert_value"
DATASOURCE_UID = "gpuledger"
PLUGIN_VERSION = "4.20.0"
HEADER = "# Generated from alerts/rules by `gpuledger alerts build`; edits are lost.\n"


def prometheus(rules: Iterable[Rule]) -> str:
    """Alerting rules for Prometheus; `promtool check rules` accepts them."""
    group = {"name": "gpuledger", "rules": [_prometheus_rule(rule) for rule in rules]}
    return _yaml({"groups": [group]})


def _prometheus_rule(rule: Rule) -> dict[str, Any]:
    return {
        "alert": rule.name,
        "expr": f'{METRIC}{{rule="{rule.name}"}} >= {rule.threshold:g}',
        "for": f"{rule.for_s:g}s",
        "labels": _labels(rule),
        "annotations": _annotations(rule, "$labels", "$value"),
    }


def grafana(rules: Iterable[Rule]) -> str:
    """Alert rules for Grafana's file provisioning, evaluated on the ClickHouse data source."""
    group = {
        "orgId": 1,
        "name": "gpuledger",
        "folder": "gpuledger",
        "interval": "1m",
        "rules": [_grafana_rule(rule) for rule in rules],
    }
    return _yaml({"apiVersion": 1, "groups": [group]})


def _grafana_rule(rule: Rule) -> dict[str, Any]:
    return {
        "uid": f"gpuledger-{rule.name.lower()}",
        "title": rule.name,
        "condition": "C",
        "data": [_question(rule), _threshold()],
        "for": f"{rule.for_s:g}s",
        "noDataState": "OK",
        "execErrState": "Error",
        "isPaused": False,
        "labels": _labels(rule),
        # Not `$labels`: in these files Grafana may take a dollar for an environment variable.
        "annotations": _annotations(rule, ".Labels", ".Values.A.Value"),
    }


def _question(rule: Rule) -> dict[str, Any]:
    """Query A: a table of texts and one number, which Grafana reads as one alert per row."""
    model = {
        "refId": "A",
        "editorType": "sql",
        "queryType": "table",
        "format": 1,
        "pluginVersion": PLUGIN_VERSION,
        "rawSql": holding_sql(rule),
    }
    return {
        "refId": "A",
        "relativeTimeRange": {"from": 600, "to": 0},
        "datasourceUid": DATASOURCE_UID,
        "model": model,
    }


def holding_sql(rule: Rule) -> str:
    """Subjects for which the condition holds now: only these have a row."""
    texts = ", ".join(f"CAST({name} AS String) AS {name}" for name in ("subject", *rule.labels))
    inner = rule.sql.replace(NOW, "now64(3)")
    return f"SELECT {texts}, value\nFROM (\n{inner}\n) AS answer\nWHERE value >= {rule.threshold:g}"


def _threshold() -> dict[str, Any]:
    """Expression C: a row is enough, since the query has compared already."""
    expression = {"type": "__expr__", "uid": "__expr__"}
    compared = {
        "type": "query",
        "evaluator": {"type": "gt", "params": [0]},
        "operator": {"type": "and"},
        "query": {"params": ["A"]},
        "reducer": {"type": "last", "params": []},
    }
    return {
        "refId": "C",
        "relativeTimeRange": {"from": 0, "to": 0},
        "datasourceUid": "__expr__",
        "model": {
            "refId": "C",
            "type": "threshold",
            "expression": "A",
            "datasource": expression,
            "conditions": [compared],
        },
    }


def _labels(rule: Rule) -> dict[str, str]:
    return {"severity": rule.severity.value, "owner": rule.owner}


def _annotations(rule: Rule, labels: str, value: str) -> dict[str, str]:
    """Words of an alert; `labels` and `value` are what the evaluator's templates call them."""
    human = " | humanizeDuration" if rule.unit is SECOND else ""
    return {
        "summary": f"{{{{ {labels}.subject }}}}: {rule.help} ({{{{ {value}{human} }}}})",
        "runbook": f"alerts/runbooks/{rule.runbook}",
    }


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as they are."""


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _yaml(document: dict[str, Any]) -> str:
    return HEADER + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=120)
