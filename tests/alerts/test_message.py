from __future__ import annotations

from datetime import UTC, datetime, timedelta

from alerts import message
from alerts.message import LISTED, LONGEST_TITLE, folded, severity_of
from alerts.rule import Severity
from alerts.rules.job_idle_gpu import rule as idle_rule
from alerts.rules.telemetry_stale import rule as stale_rule
from tests.alerts.world import alert

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)
RULES = {r.name: r for r in (idle_rule, stale_rule)}


def test_one_alert_names_severity_rule_and_subject() -> None:
    told = message.page(("job alpha/1",), [alert(NOW, summary="alpha/1 is idle", cost=7.5)], "ana")
    assert told.title == "[high] JobIdleGPU: alpha/1"
    assert told.body.splitlines() == [
        "- alpha/1 is idle; 7.50 EUR an hour",
        "What to do: alerts/runbooks/JobIdleGPU.md",
        "",
        f"To ana. Message {told.reference}: gpuledger alerts status",
    ]


def test_a_storm_is_counted_and_lists_the_most_costly_first() -> None:
    storm = [alert(NOW, f"n{n:02}", summary=f"n{n:02}", cost=float(n)) for n in range(1, 31)]
    told = message.page(("storm", "JobIdleGPU"), storm, "platform")
    lines = told.body.splitlines()
    assert told.title == "[high] 30 × JobIdleGPU"
    assert lines[0] == "- n30; 30.00 EUR an hour"
    assert lines[LISTED] == "… and 10 more"


def test_a_summary_counts_by_rule() -> None:
    mild = [alert(NOW, "a"), alert(NOW, "b"), alert(NOW, "c", rule="TelemetryStale")]
    told = message.summary(mild, "platform")
    assert told.title == "gpuledger: 3 alerts since the last summary"
    assert told.body.splitlines()[0] == "JobIdleGPU: 2"
    assert message.summary(mild[:1], "x").title == "gpuledger: 1 alert since the last summary"


def test_an_end_says_from_when_to_when() -> None:
    over = alert(NOW, "alpha/n1", resolved=NOW + 600 * SECOND)
    told = message.ended([over], "platform", RULES)
    assert told.title == "[ended] JobIdleGPU: alpha/n1"
    assert "from 2026-03-02 10:00 UTC to 2026-03-02 10:10 UTC" in told.body
    assert message.ended([over, over], "platform", RULES).title == "[ended] 2 alerts"


def test_alerts_of_other_rules_fold_by_the_same_group() -> None:
    due = [
        alert(NOW, "alpha/7", job="alpha/7"),
        alert(NOW, "alpha/7", rule="JobStalled", job="alpha/7", severity="critical"),
        alert(NOW, "alpha/8", job="alpha/8"),
    ]
    rules = {**RULES, "JobStalled": idle_rule}
    assert [(g, len(a)) for g, a in folded(due, [], rules)] == [
        (("job alpha/7",), 2),
        (("job alpha/8",), 1),
    ]


def test_without_a_group_the_rule_is_one() -> None:
    assert [g for g, _ in folded([alert(NOW, "x"), alert(NOW, "y")], [], RULES)] == [
        ("JobIdleGPU",)
    ]


def test_five_are_no_storm_and_six_are() -> None:
    many = [alert(NOW, f"n{n}", job=f"j{n}") for n in range(6)]
    assert len(folded(many[:5], [], RULES)) == 5
    assert [g for g, _ in folded(many, [], RULES)] == [("storm", "JobIdleGPU")]


def test_what_fired_a_minute_ago_counts_for_the_storm_and_what_fired_before_does_not() -> None:
    due = [alert(NOW, f"n{n}", job=f"j{n}") for n in range(3)]
    for seconds, groups in ((60, 1), (61, 3)):
        known = [alert(NOW - seconds * SECOND, f"k{n}") for n in range(3)]
        assert len(folded(due, known, RULES)) == groups


def test_a_repeat_has_the_same_number_and_another_occurrence_another() -> None:
    first = message.page(("g",), [alert(NOW)], "platform")
    again = message.page(("g",), [alert(NOW), alert(NOW + SECOND, "x")], "platform/other")
    later = message.page(("g",), [alert(NOW + SECOND)], "platform")
    assert first.number == again.number != later.number
    assert len(first.reference) == 16


def test_hostile_names_stay_whole_on_one_line() -> None:
    name = "x <script>\"'\U0001f469\u200d\U0001f52c " + "y" * 300
    told = message.page(("g",), [alert(NOW, name, summary=f"{name}\r\nBcc: a\x00\u202e")], "ana")
    assert name in told.body
    assert "\r" not in told.body + told.title
    assert "\u202e" not in told.body
    assert told.body.count("\n") == 3
    assert len(told.title) == LONGEST_TITLE
    assert "\n" not in message.page(("g",), [alert(NOW, "a\nb: c")], "ana").title


def test_an_unknown_severity_is_a_warning() -> None:
    assert severity_of(alert(NOW, severity="odd")) is Severity.WARNING
