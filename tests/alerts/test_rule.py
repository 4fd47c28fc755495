from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from alerts.build import rules
from alerts.rule import ADDRESSED_BY, RUNBOOKS, Rule, condition, quantity
from gpuledger import measures, plugins
from gpuledger.catalogue import TABLES
from gpuledger.cli import COMMANDS
from gpuledger.measures import Measure
from gpuledger.store import Store
from gpuledger.units import COUNT, SECOND

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
RULES = sorted(rules().values(), key=lambda r: r.name)
each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda r: r.name)
MAX_LINE = 150


@each_rule
def test_every_rule_has_a_runbook_that_says_what_to_do(rule: Rule) -> None:
    page = (RUNBOOKS / rule.runbook).read_text()
    assert page.startswith(f"# {rule.name}\n")
    for part in ("**What it means.**", "**Who acts.**", "## Check", "## Fix", "## When to silence"):
        assert part in page


@each_rule
def test_queries_of_the_runbook_run(store: Store, rule: Rule) -> None:
    queries = re.findall(r"```sql\n(.*?)```", (RUNBOOKS / rule.runbook).read_text(), re.DOTALL)
    assert queries
    for sql in queries:
        assert store.select(sql) == []


@each_rule
def test_commands_of_the_runbook_exist(rule: Rule) -> None:
    named = re.findall(r"`gpuledger (\w+)", (RUNBOOKS / rule.runbook).read_text())
    assert named
    assert set(named) <= set(COMMANDS)


def test_no_runbook_is_left_over() -> None:
    assert {p.name for p in RUNBOOKS.glob("*.md")} == {rule.runbook for rule in RULES}


@each_rule
def test_a_rule_is_silent_on_an_empty_store(store: Store, rule: Rule) -> None:
    assert store.select(rule.sql, now=NOW) == []


@each_rule
def test_a_rule_is_one_line_for_people(rule: Rule) -> None:
    assert re.fullmatch(r"[A-Z][A-Za-z]+", rule.name)
    for line in (rule.help, rule.summary):
        assert "\n" not in line
        assert len(line) <= MAX_LINE


@each_rule
def test_values_are_no_labels(rule: Rule) -> None:
    # A label that changes would make another alert of it at every evaluation.
    assert not {"value", "gpus", "grade"} & set(rule.labels)


def known_measures() -> set[str]:
    """Measures, columns of the catalogue, and kinds of findings."""
    derived = {m.name for m in vars(measures).values() if isinstance(m, Measure)}
    columns = {f"{t.name}.{f.visible}" for t in TABLES.values() for f in t.fields}
    return derived | columns | set(plugins.names("analytics.detectors"))


@each_rule
def test_what_a_rule_measures_is_in_the_catalogue(rule: Rule) -> None:
    assert rule.measure in known_measures()


@each_rule
def test_a_rule_folds_mutes_and_is_addressed_by_its_own_labels(rule: Rule) -> None:
    assert {*rule.group, *rule.mutes, *ADDRESSED_BY.get(rule.owner, ())} <= {
        "subject",
        *rule.labels,
    }


def test_an_alert_says_who_what_and_where_to_read_on() -> None:
    rule = rules()["job_idle_gpu"]
    row = {
        "subject": "alpha/7",
        "value": 1200.0,
        "user": "ana",
        "team": "",
        "pool": "big",
        "job": "alpha/7",
        "gpus": 4,
        "grade": "B",
    }
    seen = condition(rule, row)
    assert seen.labels == {
        "alertname": "JobIdleGPU",
        "subject": "alpha/7",
        "severity": "warning",
        "owner": "user",
        "job": "alpha/7",
        "user": "ana",
        "pool": "big",
    }
    assert seen.annotations["summary"] == (
        "alpha/7 (ana, ) has held idle GPUs for 20 min: 4, grade B"
    )
    assert seen.annotations["runbook"] == "alerts/runbooks/job_idle_gpu.md"
    assert seen.gpus is not None


@pytest.mark.parametrize(
    ("value", "holds"), [(None, False), (899.9, False), (900.0, True), (901.0, True)]
)
def test_the_threshold_itself_counts_and_a_missing_value_does_not(
    value: float | None, holds: bool
) -> None:
    assert rules()["job_idle_gpu"].holds(value) is holds


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, SECOND, "0 s"),
        (59, SECOND, "59 s"),
        (200, SECOND, "3 min 20 s"),
        (900, SECOND, "15 min"),
        (4805, SECOND, "1 h 20 min"),
        (3.5, COUNT, "3.5"),
    ],
)
def test_quantities_as_people_read_them(value: float, unit: object, text: str) -> None:
    assert quantity(value, unit) == text  # type: ignore[arg-type]
