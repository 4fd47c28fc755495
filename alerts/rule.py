"""What a rule is: a question to the store, a threshold, who acts, and what they read first."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from gpuledger.units import SECOND, Unit

RUNBOOKS = Path(__file__).parent / "runbooks"
# Where a rule's SQL speaks of the moment of its evaluation.
NOW = "{now:DateTime64(3, 'UTC')}"


class Severity(StrEnum):
    """How soon somebody must look."""

    INFO = "info"
    WARNING = "warning"
    HIGH = "high"
    CRITICAL = "critical"


@dataclass(frozen=True)
class Rule:
    """The public value `rule` of a module in `alerts/rules/`.

    `sql` answers one row for each subject: `subject`, `value` in `unit`, the columns of `labels`,
    and whatever else `summary` names. The condition holds from `threshold` on; it fires once it
    has held for `for_s` seconds. Labels say which alert it is, so they must not change while it
    lasts; `summary` may.
    """

    name: str
    help: str
    sql: str
    labels: tuple[str, ...]
    threshold: float
    unit: Unit
    for_s: float
    severity: Severity
    owner: str
    summary: str
    runbook: str

    def holds(self, value: float | None) -> bool:
        """Whether that value is a reason to alert; a missing one is none."""
        return value is not None and value >= self.threshold

    def words(self) -> set[str]:
        """Columns that the summary needs."""
        return {name for _, name, _, _ in string.Formatter().parse(self.summary) if name}

    def told(self, row: Mapping[str, Any]) -> str:
        """The summary for one row of the answer."""
        shown = {name: str(row[name]) for name in self.words() - {"value"}}
        return self.summary.format(value=quantity(float(row["value"]), self.unit), **shown)


@dataclass(frozen=True)
class Condition:
    """What one evaluation saw of one subject: the value, and the words around it."""

    subject: str
    value: float
    labels: dict[str, str]
    annotations: dict[str, str]


def condition(rule: Rule, row: Mapping[str, Any]) -> Condition:
    """A row of the rule's answer, in the shape that an alert carries."""
    labels = {
        "alertname": rule.name,
        "subject": str(row["subject"]),
        "severity": rule.severity.value,
        "owner": rule.owner,
        **{name: str(row[name]) for name in rule.labels},
    }
    annotations = {
        "summary": rule.told(row),
        "description": rule.help,
        "runbook": f"alerts/runbooks/{rule.runbook}",
    }
    # To Alertmanager and Prometheus an empty label is no label.
    named = {name: word for name, word in labels.items() if word}
    return Condition(str(row["subject"]), float(row["value"]), named, annotations)


def quantity(value: float, unit: Unit) -> str:
    """A value as people read it: `1 h 20 min`, `3.5`."""
    if unit is not SECOND:
        return f"{value:g} {unit.suffix}".strip()
    minutes, seconds = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (0 if hours else seconds, "s"))
    return " ".join(f"{n} {word}" for n, word in parts if n) or "0 s"
