"""Every rule against its example: it fires as told, is silent as told, and its runbook helps."""

from __future__ import annotations

import re
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path

import pytest

import alerts.test
from alerts.build import rules
from alerts.engine import look
from alerts.render import holding_sql
from alerts.rule import RUNBOOKS, Condition, Rule
from alerts.test import EXAMPLES, check, differences, fill, load
from gpuledger.cli import alerts as cli
from gpuledger.cli import checking
from gpuledger.errors import ConfigError
from gpuledger.store import Store

RULES = rules()
each_rule = pytest.mark.parametrize("module", sorted(RULES))
HEADINGS = ("**What it means.**", "## Check", "## Fix", "## When to silence")


def test_no_example_is_left_over() -> None:
    assert {p.stem for p in EXAMPLES.glob("*.yaml")} == set(RULES)


@each_rule
def test_a_rule_does_as_its_example_tells(store: Store, module: str) -> None:
    rule, example = RULES[module], load(module)
    assert check(store, rule, example) == []
    fill(store, example.cases["firing"])
    seen = list(look(store, rule, example.now).values())
    assert_columns(store, rule, example.now)
    for condition in seen:
        assert_complete(rule, condition)
    queries = runbook_queries(rule)
    for sql in queries:
        answers = [asked(store, sql, condition, example.now) for condition in seen]
        assert any(answers), f"no alert of the example has rows for:\n{sql}"


def assert_columns(store: Store, rule: Rule, now: datetime) -> None:
    """Every column that the rule names; for Grafana texts and one number, a row for each alert."""
    asked, _ = store.select_typed(rule.sql, now=now)
    assert {"subject", "value", *rule.labels, *rule.words(), *filter(None, [rule.cost])} <= {
        name for name, _ in asked
    }
    columns, rows = store.select_typed(holding_sql(rule).replace("now64(3)", moment(now)))
    texts = [(name, "String") for name in ("subject", *rule.labels)]
    assert columns == [*texts, ("value", "Float64")]
    assert sorted(row[0] for row in rows) == sorted(look(store, rule, now))


def moment(now: datetime) -> str:
    """That instant as SQL: what files for people and Grafana call now."""
    return f"toDateTime64('{now:%Y-%m-%d %H:%M:%S}', 3, 'UTC')"


def assert_complete(rule: Rule, condition: Condition) -> None:
    """Labels, words and cost are there: of the place a rack may be unknown, all else is told."""
    assert set(rule.labels) - set(condition.labels) <= {"rack", "pool"}
    summary = condition.annotations["summary"]
    assert summary
    assert not re.search(r"[{}]|\bNone\b|\(\)", summary)
    if rule.cost and condition.labels.get("slot") != "all":
        assert condition.gpus is not None
        assert condition.gpus > 0


def runbook_queries(rule: Rule) -> list[str]:
    page = (RUNBOOKS / rule.runbook).read_text()
    assert all(heading in page for heading in HEADINGS)
    found = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    assert found
    return found


def asked(store: Store, sql: str, condition: Condition, now: datetime) -> bool:
    """Whether the query has rows once the alert's labels stand in the place of their names."""
    filled = sql
    for name, word in condition.labels.items():
        both = r"CLUSTER/JOB|JOB" if name == "job" else name.upper()
        filled = re.sub(rf"\b(?:{both})\b", lambda _, word=word: word, filled)
    left = re.findall(r"'[A-Z_/]{3,}'", filled)
    assert not left, f"no label for {left}"
    return bool(store.select(filled.replace("now()", moment(now))))


@each_rule
def test_both_sides_of_the_threshold_are_shown(module: str) -> None:
    rule, example = RULES[module], load(module)
    nearest = min(example.cases["firing"].alerts.values())
    # What counts whole things has nothing between them.
    assert rule.threshold <= nearest <= max(rule.threshold * 1.25, rule.threshold + 15)


def test_what_is_not_as_told_is_said(store: Store) -> None:
    rule, example = RULES["job_stalled"], load("job_stalled")
    other = RULES["job_idle_gpu"]
    assert check(store, other, example) == ["JobIdleGPU, firing: alpha/7 does not fire"]
    firing = example.cases["firing"]
    object.__setattr__(firing, "alerts", {"alpha/7": 901.0})
    example.cases["silent"].rows["findings"][0].since = firing.rows["findings"][0].since
    assert check(store, rule, example) == [
        "JobStalled, firing: alpha/7 has 900, not 901",
        "JobStalled, silent: alpha/7 fires, with 900",
    ]


def test_rules_are_picked_by_their_names(store: Store) -> None:
    assert differences(store, ["JobStalled", "BookingBehind"]) == ([], 2)
    with pytest.raises(ConfigError, match="unknown rule 'JobStaled'; did you mean 'JobStalled'"):
        differences(store, ["JobStaled"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("now: 2026-03-02T10:00:00Z\n", "firing"),
        ("- 1\n", "example.yaml"),
        ("now: 2026-03-02T10:00:00Z\nfiring: {rows: {findigs: [{}]}}\n", "findings"),
        ("now: 2026-03-02T10:00:00Z\nfiring: {rows: {findings: [{since: soon}]}}\n", "no time"),
        ("now: 2026-03-02T10:00:00Z\nfiring: {rows: {findings: [{size: 1}]}}\n", "size"),
        (
            "now: 2026-03-02T10:00:00Z\nfiring: {rows: {}}\nsilent: {rows: {}}\n",
            "'firing' must tell alerts",
        ),
    ],
)
def test_an_example_without_sense_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "example.yaml").write_text(text)
    with pytest.raises(ConfigError, match=says):
        load("example", tmp_path)


def test_a_rule_without_an_example_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no example"):
        load("nothing", tmp_path)


def test_a_list_makes_a_row_for_each_of_its_elements(tmp_path: Path) -> None:
    (tmp_path / "example.yaml").write_text(
        "now: 2026-03-02T10:00:00Z\n"
        "firing:\n  rows:\n    source_runs:\n"
        "    - {node: n1, ts: [-1 min, 2026-03-02T09:00:00Z], rows: [1, 2], source: nvml}\n"
        "  alerts: {x: 1}\n"
        "silent: {rows: {}}\n"
    )
    example = load("example", tmp_path)
    rows = example.cases["firing"].rows["source_runs"]
    told = [(r.values()["ts"].strftime("%H:%M"), r.values()["rows"]) for r in rows]
    assert told == [("09:59", 1), ("09:00", 2)]


def test_the_command_says_what_is_not_as_told(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checking, "empty_store", lambda: nullcontext(store))
    assert cli.test.main(["JobStalled"], standalone_mode=False) == 0
    assert "1 rules, 2 examples: all right" in capsys.readouterr().out
    monkeypatch.setattr(alerts.test, "rules", lambda: {"job_stalled": RULES["job_idle_gpu"]})
    assert cli.test.main(["JobIdleGPU"], standalone_mode=False) == 1
    told = capsys.readouterr()
    assert told.out == "JobIdleGPU, firing: alpha/7 does not fire\n"
    assert "1 wrong" in told.err
