from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from alerts import check
from alerts.rules.job_idle_gpu import rule
from gpuledger.store import Store

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


def test_a_rule_that_can_be_asked_is_right(store: Store) -> None:
    assert [*check.of_queries({"a": rule}, store, NOW)] == []
    assert [*check.of_pages({"a": rule})] == []


def test_a_rule_that_the_engine_refuses_is_named(store: Store) -> None:
    (line,) = check.of_queries({"a": replace(rule, sql="SELECT nonsense")}, store, NOW)
    assert line.startswith("JobIdleGPU: ")


def test_a_rule_without_its_page_is_named() -> None:
    (line,) = check.of_pages({"a": replace(rule, runbook="none.md")})
    assert line == "JobIdleGPU: there is no alerts/runbooks/none.md"


def test_promtool_accepts_the_rules_and_sees_each_silent_and_firing(promtool: None) -> None:
    assert check.has_promtool()
    assert [*check.of_prometheus()] == []
