"""Unit tests of the Prometheus rules, for `promtool test rules`: each is silent, then fires."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from alerts.render import METRIC, as_yaml, labels_of, summary
from alerts.rule import Rule
from gpuledger.units import RATIO, SECOND

SUBJECT = "alpha/1"
# What goes around a name: quotes and angle brackets must survive Prometheus' templates.
HOSTILE = 'alpha/<b>"1"'


def unit_tests(rules: Iterable[Rule], file: str) -> str:
    """Tests of the rules in that file, which lies beside this one."""
    tests = [_test(rule, subject) for rule in rules for subject in (SUBJECT, HOSTILE)]
    return as_yaml({"rule_files": [file], "evaluation_interval": "1m", "tests": tests})


def _test(rule: Rule, subject: str) -> dict[str, Any]:
    """Below the threshold for a minute, at it from then on; no alert until it has held."""
    holds = math.ceil(rule.for_s / 60)
    series = f'{METRIC}{{rule="{rule.name}",subject="{_quoted(subject)}"}}'
    fires = {
        "exp_labels": {"rule": rule.name, "subject": subject, **labels_of(rule)},
        "exp_annotations": {
            "summary": summary(rule, subject, _human(rule)),
            "runbook": rule.runbook_at,
        },
    }
    silent = [0, holds] if holds else [0]
    cases = [_case(rule, minute, []) for minute in silent]
    return {
        "interval": "1m",
        "input_series": [
            {"series": series, "values": f"{rule.threshold / 2!r} {rule.threshold!r}x{holds + 1}"}
        ],
        "alert_rule_test": [*cases, _case(rule, holds + 1, [fires])],
    }


def _case(rule: Rule, minute: int, expected: list[dict[str, Any]]) -> dict[str, Any]:
    return {"eval_time": f"{minute}m", "alertname": rule.name, "exp_alerts": expected}


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')


def _human(rule: Rule) -> str:
    """The threshold as the templates of Prometheus write it (template/template.go)."""
    value = rule.threshold
    if rule.unit is RATIO:
        return f"{100 * value:.4g}%"
    if rule.unit is not SECOND:
        return f"{value:.0f}" if value.is_integer() else repr(value)
    minutes, seconds = divmod(int(value), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s"))
    first = next((i for i, (n, _) in enumerate(parts) if n), len(parts) - 1)
    return " ".join(f"{n}{word}" for n, word in parts[first:])
