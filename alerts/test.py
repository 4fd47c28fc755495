"""Rules against their examples: rows on which a rule fires as told, and rows on which it is silent.

An example is a file of `alerts/examples/`, named as the rule's module:

    now: 2026-03-02T10:00:00Z
    firing:
      rows:
        findings:
          - {kind: idle, subject: alpha/7, since: -15 min, until: now, open: 1}
      alerts: {alpha/7: 900}
    silent:
      rows: …

`alerts` is every subject that must hold, with its value. Times count from `now`; a list in a row
makes a row for each of its elements, lists of one row go together. What a row leaves out is 0,
empty or missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from alerts.build import rules
from alerts.engine import look
from alerts.rule import Condition, Rule
from gpuledger.catalogue import ROWS
from gpuledger.errors import ConfigError, nearest
from gpuledger.schema import FOREVER, MEASURED, REQUIRED, Column, Kind, Row
from gpuledger.store import Store

EXAMPLES = Path(__file__).parent / "examples"
CASES = ("firing", "silent")
# Values are compared as the store keeps them: in thousandths.
CLOSE = 0.001
_ROWS = {row.table.name: row for row in ROWS}
_SPAN = re.compile(r"([+-]?[\d.]+) (s|min|h|d)")
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
_FILLED = """
SELECT name FROM system.tables
WHERE database = currentDatabase() AND total_rows > 0 AND engine LIKE '%MergeTree'
"""


@dataclass(frozen=True)
class Case:
    """Rows by table, and the subjects of which the condition must hold, with their values."""

    rows: Mapping[str, Sequence[Row]]
    alerts: Mapping[str, float]


@dataclass(frozen=True)
class Example:
    """The moment, and what must be seen at it: by `firing` and `silent`."""

    now: datetime
    cases: Mapping[str, Case]


def differences(store: Store, names: Sequence[str] = ()) -> tuple[list[str], int]:
    """What the rules of these names (none: all) do unlike their examples, and how many they are.

    Empties the store. ConfigError for a rule that there is not, StoreError.
    """
    known = rules()
    modules = {rule.name: module for module, rule in known.items()}
    for name in names:
        if name not in modules:
            raise ConfigError(f"unknown rule '{name}'{nearest(name, modules)}")
    picked = [modules[name] for name in names or modules]
    wrong = [line for module in picked for line in check(store, known[module], load(module))]
    return wrong, len(picked)


def load(module: str, directory: Path = EXAMPLES) -> Example:
    """The example of a rule by the name of its module. ConfigError where it makes no sense."""
    path = directory / f"{module}.yaml"
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
        now = told["now"].astimezone(UTC)
        cases = {name: _case(told[name], now) for name in CASES}
    except OSError as e:
        raise ConfigError(f"no example for the rule: {path}: {e.strerror}") from e
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as e:
        raise ConfigError(f"{path}: {e}") from e
    if bool(cases["silent"].alerts) or not cases["firing"].alerts:
        raise ConfigError(f"{path}: 'firing' must tell alerts, and 'silent' none")
    return Example(now, cases)


def check(store: Store, rule: Rule, example: Example) -> list[str]:
    """What is not as the example tells, a line each. Empties the store; StoreError."""
    wrong = []
    for name, case in example.cases.items():
        fill(store, case)
        seen = look(store, rule, example.now)
        wrong += [f"{rule.name}, {name}: {line}" for line in _differences(seen, case.alerts)]
    return wrong


def fill(store: Store, case: Case) -> None:
    """Make the rows of the case all that the store has. StoreError."""
    for row in store.select(_FILLED):
        store.command(f"TRUNCATE TABLE `{row['name']}`")
    for rows in case.rows.values():
        store.insert_rows(rows)


def _differences(seen: Mapping[str, Condition], told: Mapping[str, float]) -> Iterator[str]:
    for subject in sorted({*seen, *told}):
        if subject not in seen:
            yield f"{subject} does not fire"
        elif subject not in told:
            yield f"{subject} fires, with {seen[subject].value:g}"
        elif abs(seen[subject].value - told[subject]) > CLOSE:
            yield f"{subject} has {seen[subject].value:g}, not {told[subject]:g}"


def _case(told: Mapping[str, Any], now: datetime) -> Case:
    rows = {
        table: [row for line in lines for row in _rows(table, line, now)]
        for table, lines in told["rows"].items()
    }
    return Case(rows, {str(k): float(v) for k, v in (told.get("alerts") or {}).items()})


def _rows(table: str, line: Mapping[str, Any], now: datetime) -> Iterator[Row]:
    """The rows that a line of the example stands for."""
    if table not in _ROWS:
        raise ValueError(f"unknown table '{table}'{nearest(table, _ROWS)}")
    kind = _ROWS[table]
    lists = {name: value for name, value in line.items() if isinstance(value, list)}
    for number in range(max(map(len, lists.values()), default=1)):
        picked = {name: values[number] for name, values in lists.items()}
        yield _row(kind, {**line, **picked}, now)


def _row(kind: type[Row], line: Mapping[str, Any], now: datetime) -> Row:
    known = {c.name: c for c in kind.table.columns}
    values = {c.name: _default(c, now) for c in known.values() if c.default is REQUIRED}
    for name, value in line.items():
        is_time = name in known and known[name].kind is Kind.TIME
        values[name] = _time(value, now) if is_time else value
    return kind(**values)


def _default(column: Column[Any], now: datetime) -> Any:
    if column.kind is Kind.TIME:
        return now
    if column.kind in {Kind.LABEL, Kind.TEXT}:
        return ""
    return None if column.kind in MEASURED else 0


def _time(word: str | datetime, now: datetime) -> datetime:
    """`now`, `forever`, `-15 min` or an instant."""
    if isinstance(word, datetime):
        return word.astimezone(UTC)
    if word in {"now", "forever"}:
        return now if word == "now" else FOREVER
    found = _SPAN.fullmatch(word)
    if not found:
        raise ValueError(f"'{word}' is no time: now, forever, -15 min, -2 h or -3 d")
    return now + timedelta(seconds=float(found[1]) * _SECONDS[found[2]])
