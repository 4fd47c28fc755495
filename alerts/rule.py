"""What a rule is: a question to the store, a threshold, who acts, and what they read first."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from gpuledger.units import CELSIUS, RATIO, SECOND, Unit

RUNBOOKS = Path(__file__).parent / "runbooks"
RUNBOOKS_HERE = "alerts/runbooks"
# Where a rule's SQL speaks of the moment of its evaluation.
NOW = "{now:DateTime64(3, 'UTC')}"


class Severity(StrEnum):
    """How soon somebody must look."""

    INFO = "info"
    WARNING = "warning"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for the mildest, then 1, 2, 3."""
        return list(Severity).index(self)


class Owner(StrEnum):
    """Who acts, and so who hears of it."""

    USER = "user"
    TEAM = "team"
    PLATFORM = "platform"
    HARDWARE = "hardware"


# Labels by which an owner is found.
ADDRESSED_BY = {Owner.USER: ("user", "team"), Owner.TEAM: ("team",)}


@dataclass(frozen=True)
class Rule:
    """The public value `rule` of a module in `alerts/rules/`.

    `sql` answers one row for each subject: `subject`, `value` in `unit`, the columns of `labels`,
    that of `cost`, and whatever else `summary` names. The condition holds from `threshold` on; it
    fires once it has held for `for_s` seconds. Labels say which alert it is, so they must not
    change while it lasts; `summary` may.

    `measure` is what is compared: a measure or `table.column` of the catalogue, or the kind of a
    finding. `cost` is the column of GPUs lost while it lasts; empty where none are. `group` are
    labels by which alerts fold into one message, with those of other rules; none: all of this rule.
    `mutes` are labels: while it fires, no other rule is told with the same values of all of them.
    A rule that looks at days need not be asked each minute: `every_s`. One that looks for events
    no longer sees after `fades_h` hours what nothing has mended; 0: it sees what lasts.
    `{threshold}` in `help` is the threshold as people read it.
    """

    name: str
    help: str
    sql: str
    labels: tuple[str, ...]
    measure: str
    threshold: float
    unit: Unit
    for_s: float
    severity: Severity
    owner: Owner
    summary: str
    runbook: str
    group: tuple[str, ...] = ()
    cost: str = ""
    mutes: tuple[str, ...] = ()
    every_s: float = 60.0
    fades_h: int = 0
    runbooks: str = RUNBOOKS_HERE

    @property
    def runbook_at(self) -> str:
        """Where its runbook is read: under the site's address, else as it lies beside the code."""
        return f"{self.runbooks}/{self.runbook}"

    @property
    def meaning(self) -> str:
        """`help` with the threshold that holds here."""
        return self.help.format(threshold=quantity(self.threshold, self.unit))

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
    """What one evaluation saw of one subject: the value, what it costs, and the words around it.

    `gpus` are lost while it lasts, `cost_per_hour` is what they are worth; None = not known.
    """

    subject: str
    value: float
    labels: dict[str, str]
    annotations: dict[str, str]
    gpus: float | None = None
    cost_per_hour: float | None = None
    currency: str = ""


def condition(rule: Rule, row: Mapping[str, Any]) -> Condition:
    """A row of the rule's answer, in the shape that an alert carries."""
    labels = {
        "alertname": rule.name,
        "subject": str(row["subject"]),
        "severity": rule.severity.value,
        "owner": rule.owner.value,
        **{name: str(row[name]) for name in rule.labels},
    }
    annotations = {
        "summary": rule.told(row),
        "description": rule.meaning,
        "runbook": rule.runbook_at,
    }
    # To Alertmanager and Prometheus an empty label is no label.
    named = {name: word for name, word in labels.items() if word}
    gpus = row[rule.cost] if rule.cost else None
    return Condition(
        subject=str(row["subject"]),
        value=float(row["value"]),
        labels=named,
        annotations=annotations,
        gpus=None if gpus is None else float(gpus),
    )


def quantity(value: float, unit: Unit) -> str:
    """A value as people read it: `1 h 20 min`, `3.5`."""
    if unit is RATIO:
        return f"{100 * value:.3g} %"
    if unit is CELSIUS:
        return f"{value:g} °C"
    if unit is not SECOND:
        return f"{value:g} {unit.suffix}".strip()
    minutes, seconds = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (0 if hours else seconds, "s"))
    return " ".join(f"{n} {word}" for n, word in parts if n) or "0 s"
