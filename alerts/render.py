"""Rules as files for those who evaluate elsewhere: Prometheus over `/metrics`, Grafana over SQL."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import yaml

from alerts.rule import NOW, Rule
from gpuledger.units import RATIO, SECOND

# What the service's /metrics page says of every pending or firing alert.
METRIC = "gpuledger_alert_value"
DATASOURCE_UID = "gpuledger"
PLUGIN_VERSION = "4.20.0"
# Templates of Prometheus and Grafana that write a value of that unit for people.
HUMAN = {SECOND: " | humanizeDuration", RATIO: " | humanizePercentage"}
HEADER = "# Generated from alerts/rules by `gpuledger alerts build`; edits are lost.\n"


def prometheus(rules: Iterable[Rule]) -> str:
    """Alerting rules for Prometheus; `promtool check rules` accepts them."""
    group = {"name": "gpuledger", "rules": [_prometheus_rule(rule) for rule in rules]}
    return as_yaml({"groups": [group]})


def _prometheus_rule(rule: Rule) -> dict[str, Any]:
    return {
        "alert": rule.name,
        "expr": f'{METRIC}{{rule="{rule.name}"}} >= {rule.threshold:g}',
        "for": f"{rule.for_s:g}s",
        "labels": labels_of(rule),
        "annotations": _annotations(rule, "$labels", "$value"),
    }


def grafana(rules: Iterable[Rule]) -> str:
    """Alert rules for Grafana's file provisioning, evaluated on the ClickHouse data source."""
    by_period = sorted(rules, key=lambda rule: rule.every_s)
    groups = [
        {
            "orgId": 1,
            "name": f"gpuledger every {every_s:g} s",
            "folder": "gpuledger",
            "interval": f"{every_s:g}s",
            "rules": [_grafana_rule(rule) for rule in of_period],
        }
        for every_s, of_period in groupby(by_period, key=lambda rule: rule.every_s)
    ]
    return as_yaml({"apiVersion": 1, "groups": groups})


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
        "labels": labels_of(rule),
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
    number = "assumeNotNull(toFloat64(answer.value)) AS value"
    where = f"WHERE answer.value >= {rule.threshold:g}"
    return f"SELECT {texts}, {number}\nFROM (\n{inner}\n) AS answer\n{where}"


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


def labels_of(rule: Rule) -> dict[str, str]:
    """Labels that every alert of the rule has, whoever evaluates it."""
    return {"severity": rule.severity.value, "owner": rule.owner.value}


def _annotations(rule: Rule, labels: str, value: str) -> dict[str, str]:
    """Words of an alert; `labels` and `value` are what the evaluator's templates call them."""
    human = HUMAN.get(rule.unit, "")
    return {
        "summary": summary(rule, f"{{{{ {labels}.subject }}}}", f"{{{{ {value}{human} }}}}"),
        "runbook": rule.runbook_at,
    }


def summary(rule: Rule, subject: str, value: str) -> str:
    """The sentence of an alert of that subject and value."""
    return f"{subject}: {rule.meaning} ({value})"


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as they are."""


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def as_yaml(document: dict[str, Any]) -> str:
    """The document with our header; the same bytes each time."""
    return HEADER + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=120)
