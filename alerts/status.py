"""What people ask of alerts: which rules there are, who hears them, and where alerts stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alerts.receivers import Receivers
from alerts.routing import names
from alerts.rule import Owner, Rule, quantity
from alerts.settings import AlertSettings, Mode
from gpuledger.service import Reader
from gpuledger.units import SECOND

_STATUS = """
SELECT a.rule AS rule, a.subject AS subject, a.state AS state,
  JSONExtractString(a.labels, 'severity') AS severity,
  JSONExtractString(a.labels, 'owner') AS owner,
  a.since AS since, a.fired AS fired, a.resolved AS resolved, a.value AS value, a.gpus AS gpus,
  a.cost_per_hour AS cost_per_hour, a.currency AS currency, n.told AS told,
  JSONExtractString(a.annotations, 'summary') AS summary
FROM (SELECT * FROM v_alert_states WHERE state != 'resolved' OR {all:UInt8}) AS a
LEFT JOIN (
  SELECT rule, subject, argMax(multiIf(receiver != '', receiver || ': ' || outcome,
    channel = 'alertmanager', 'alertmanager: ' || outcome, outcome), ts) AS told
  FROM v_notifications GROUP BY rule, subject
) AS n ON n.rule = a.rule AND n.subject = a.subject
WHERE {rule:String} IN ('', a.rule)
ORDER BY a.state, indexOf(['critical', 'high', 'warning', 'info'], severity), a.since, a.rule,
  a.subject
"""


def status(reader: Reader, *, rule: str = "", resolved: bool = False) -> list[dict[str, Any]]:
    """Alerts that are pending or firing (with `resolved`, those that ended too), worst first.

    `told` is what became of telling it last. StoreError.
    """
    rows = reader.select(_STATUS, all=int(resolved), rule=rule)
    return [{**row, "told": row["told"] or ""} for row in rows]


def listed(
    rules: Mapping[str, Rule], settings: AlertSettings, receivers: Receivers
) -> list[dict[str, Any]]:
    """Every rule with its threshold as people read it, what is told of it when, and to whom."""
    return [
        {
            "rule": rule.name,
            "severity": rule.severity.value,
            "holds_from": quantity(rule.threshold, rule.unit),
            "for": quantity(rule.for_s, SECOND),
            "told": _told(rule, settings),
            "hears": _hears(rule, settings, receivers),
            "measure": rule.measure,
            "help": rule.meaning,
        }
        for rule in sorted(rules.values(), key=lambda r: (-r.severity.rank, r.name))
    ]


def _told(rule: Rule, settings: AlertSettings) -> str:
    if rule.name in settings.off:
        return "off"
    if not settings.engine:
        return "elsewhere"
    if settings.mode is Mode.SHADOW:
        return "never (shadow)"
    if _through_alertmanager(settings):
        return "at once"
    return "daily" if settings.timing().is_summarised(rule.severity) else "at once"


def _through_alertmanager(settings: AlertSettings) -> bool:
    return settings.mode is Mode.PAGE and bool(settings.alertmanager_url)


def _hears(rule: Rule, settings: AlertSettings, receivers: Receivers) -> str:
    """The receivers by names that hold no secret; of users and teams, where they are looked up."""
    if _through_alertmanager(settings):
        return f"{rule.owner.value}, by Alertmanager"
    shared = receivers.of(rule.owner)
    where = ", ".join(names(shared)) if shared else "no receiver"
    if rule.owner is Owner.USER:
        return f"the user, else the team, else {where}"
    if rule.owner is Owner.TEAM:
        return f"the team, else {where}"
    return f"{rule.owner.value}: {where}"
