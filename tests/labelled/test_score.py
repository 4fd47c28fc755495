"""Scores: what counts as right, open, wrong, missed, late and harmful."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.labelled import page
from tests.labelled.rules import RULES
from tests.labelled.scenario import START
from tests.labelled.score import Advice, Found, Judge, Score, added
from tests.labelled.truth import Place, Truth

CARDS = tuple(Place("n0", slot, 100 + slot, f"GPU-{slot}") for slot in range(4))


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def span(label: str, since: float, until: float, **changed: Any) -> Truth:
    values = {"job": "c/1", "places": CARDS[:1], **changed}
    return Truth(label, since=at(since), until=at(until), **values)


def found(kind: str, since: float, until: float, **changed: Any) -> Found:
    values = {"subject": "c/1", "reported": at(until), **changed}
    return Found(kind, since=at(since), until=at(until), **values)


def judge(*truths: Truth) -> Judge:
    return Judge("c", truths)


def test_a_finding_is_right_when_most_of_its_time_is_what_it_says() -> None:
    j = judge(span("working", 0, 60), span("idle", 60, 120))
    assert j.verdict(found("idle", 58, 120)) == "right"
    assert j.verdict(found("idle", 0, 60)) == "wrong"


def test_a_pause_on_the_processors_is_neither_right_nor_wrong() -> None:
    assert judge(span("cpu_phase", 0, 20)).verdict(found("idle", 0, 18)) == "open"


def test_a_finding_about_nothing_known_is_wrong() -> None:
    assert judge(span("idle", 0, 60)).verdict(found("idle", 0, 60, subject="c/9")) == "wrong"


def test_a_kind_without_a_rule_is_not_judged() -> None:
    assert judge(span("idle", 0, 60)).verdict(found("queue_starvation", 0, 60)) == ""


@pytest.mark.parametrize("subject", ["c/n0/0", "GPU-0", "100", "c/n0", "n0", "c/n0/visitor"])
def test_a_gpu_is_found_by_any_of_its_names(subject: str) -> None:
    j = judge(span("rogue", 0, 60, job=""))
    assert j.verdict(found("rogue", 5, 60, subject=subject)) == "right"


def test_what_is_not_found_is_missed_unless_nobody_could_have_seen_it() -> None:
    j = judge(
        span("idle", 0, 60),
        span("idle", 0, 60, job="c/2", seen=0.1),
        span("idle", 0, 5, job="c/3"),
        span("hung", 0, 60, job="c/4", grade="C"),
    )
    scores = j.scores([])
    assert (scores["idle"].missed, scores["idle"].recall) == (1, 0)
    assert scores["stalled"].missed == 0


def test_another_kind_that_tells_the_same_is_as_good() -> None:
    j = judge(span("idle_notebook_mem", 0, 60))
    assert j.scores([found("notebook", 0, 60)])["idle"].recall == 1


def test_a_delay_counts_from_the_turn_to_the_first_tick_that_told() -> None:
    j = judge(span("working", 0, 60), span("idle", 60, 120))
    told = found("idle", 60, 120, reported=at(66.5))
    assert j.scores([told], (at(50), at(90)))["idle"].delays_s == [390]
    assert j.scores([told], (at(70), at(90)))["idle"].delays_s == []


def test_a_job_that_never_began_is_timed_apart() -> None:
    j = judge(span("idle", 0, 120))
    score = j.scores([found("idle", 0, 120, reported=at(11))], (at(0), at(90)))["idle"]
    assert (score.delays_s, score.starts_s) == ([], [660])


def stop(*ticks: float, command: str = "scancel 1") -> Advice:
    return Advice("reclaim", "c/1", command, "free it", tuple(at(t) for t in ticks))


def test_advice_to_end_a_job_harms_while_it_works_or_pauses() -> None:
    for label in ("working", "cpu_phase", "warm_serving", "partial_idle", "checkpoint"):
        assert judge(span(label, 0, 60)).harm([stop(30)]), label
    for label in ("idle", "idle_notebook_mem", "hung", "dead_peer", "shared_idle"):
        assert not judge(span(label, 0, 60)).harm([stop(30)]), label


def test_advice_that_stays_after_work_goes_on_harms_only_after_a_while() -> None:
    j = judge(span("idle", 0, 60), span("working", 60, 120))
    assert not j.harm([stop(59, 61, 62)])
    assert len(j.harm([stop(59, 61, 64, 65)])) == 1


def test_advice_that_ends_nothing_does_no_harm() -> None:
    advice = stop(30, command="")
    assert not advice.stops
    assert not judge(span("working", 0, 60)).harm([advice])
    assert Advice("x", "c/1", "", "End train", (at(30),)).stops


def test_causes_are_counted_by_the_heaviest_finding_of_a_job() -> None:
    j = judge(span("input_bound", 0, 60, mean_sm=0.1))
    findings = [
        found("underused", 0, 60, cause="input_bound", gpu_seconds=9),
        found("underused", 0, 60, cause="cpu_bound", gpu_seconds=3),
    ]
    assert j.causes(findings) == {("input_bound", "input_bound"): 1}
    assert j.causes([]) == {("input_bound", "-"): 1}


def test_a_label_that_is_as_right_counts_as_right() -> None:
    j = judge(span("small_batch", 0, 60, mean_sm=0.1, also=("over_provisioned",)))
    assert j.causes([found("overprovisioned", 0, 60)]) == {("small_batch", "small_batch"): 1}


def test_a_cause_that_cannot_be_told_is_not_asked_for() -> None:
    j = judge(
        span("no_tensor", 0, 60, mean_sm=0.2, grade="B"),
        span("no_tensor", 0, 60, mean_sm=0.7, job="c/2"),
        span("input_bound", 0, 60, mean_sm=0.1, grade="C", job="c/3"),
    )
    assert not j.causes([])


def test_scores_of_scenarios_add_up() -> None:
    one = {kind: Score() for kind in RULES}
    one["idle"] = Score(right=3, wrong=1, found=4, delays_s=[60.0])
    total = added([one, one])["idle"]
    assert (total.right, total.precision, total.recall, total.median_s) == (6, 0.75, 1.0, 60.0)


def test_the_page_says_which_bars_are_kept_and_which_detectors_are_not_built() -> None:
    scores = {kind: Score() for kind in RULES}
    scores["idle"] = Score(right=99, wrong=1, found=90, missed=10, delays_s=[300.0, 420.0])
    scores["stalled"] = Score(right=5, found=20)
    told = page.bars(scores, {("cpu_bound", "cpu_bound"): 9}, 20_000, [], 3, {"stalled"})
    assert "kept     idle, precision >= 0.98: 0.990" in told
    assert "MISSED   idle, recall >= 0.98: 0.900 of 100" in told
    assert "kept     no 'stop this' advice" in told
    assert "kept     cause right in >= 0.85: 1.000 of 9 jobs" in told
    assert "kept     stalled, < 1 false alarm per 10,000 GPU-hours: 0.00" in told
    lines = page.detectors(scores, {"idle"}, {"idle": 100, "other": 2}, 20_000)
    assert "serving          not built" in lines
    assert "other                   2 not scored" in lines


def test_harm_is_listed_and_misses_its_bar() -> None:
    scores = {kind: Score() for kind in RULES}
    told = page.bars(scores, {}, 10, ["c/1 at 10:00: working"], 1, set())
    assert "MISSED   no 'stop this' advice on a working job: 1 of 1" in told
    assert "c/1 at 10:00: working" in told


def test_the_confusion_matrix_shows_what_nobody_found() -> None:
    told = page.confusion({("cpu_bound", "cpu_bound"): 2, ("cpu_bound", "-"): 1})
    assert told.splitlines()[1].split() == ["cpu_bound", "2", "1"]


def test_the_written_page_carries_what_was_printed() -> None:
    assert "```text\nidle 1.000\n```" in page.markdown("idle 1.000")
