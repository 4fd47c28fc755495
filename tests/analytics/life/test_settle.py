"""What ticks make of proposals that people decided on."""

from __future__ import annotations

import json
from datetime import timedelta

from analytics import book
from gpuledger.catalogue import Job, Outcome
from gpuledger.store import Store
from tests.analytics.life.world import life, proposal, statuses, step, tick
from tests.analytics.world import at, given, job, node_state, write


def test_a_proposal_expires_with_its_reason_and_comes_back_under_its_id(store: Store) -> None:
    tick(store, 0, proposal(1), proposal(2))
    tick(store, 1, proposal(2))
    assert statuses(store) == {1: "expired", 2: "proposed"}
    tick(store, 2, proposal(1), proposal(2))
    assert statuses(store) == {1: "proposed", 2: "proposed"}


def test_what_was_accepted_stays_as_promised(store: Store) -> None:
    tick(store, 0, proposal())
    step(store, "accepted", 1)
    tick(store, 2, proposal(gain_gpu_hours=3.0))
    tick(store, 3)
    assert statuses(store) == {1: "accepted"}
    (row,) = book.recommendations(store, status="accepted")
    assert row["gain_gpu_hours"] == 10


def test_a_dismissal_mutes_its_kind_and_subject_until_its_date(store: Store) -> None:
    tick(store, 0, proposal())
    step(store, "dismissed", 1, reason="needed", until=at(60))
    again = proposal(2, subject="c/1")
    other = proposal(3, subject="c/1", kind="rightsize")
    tick(store, 2, proposal(), again, other)
    assert statuses(store) == {1: "dismissed", 3: "proposed"}
    tick(store, 61, proposal(), again)
    assert statuses(store) == {1: "proposed", 2: "proposed", 3: "expired"}
    assert life(store) == ["dismissed", "proposed"]


def test_a_dismissal_is_about_what_the_advice_says_it_is_about(store: Store) -> None:
    tick(store, 0, proposal(about="ana/train"))
    step(store, "dismissed", 1, reason="needed", until=at(60))
    tick(store, 2, proposal(2, about="ana/train"), proposal(3, about="ana/eval"))
    assert statuses(store) == {1: "dismissed", 3: "proposed"}


def test_a_snooze_hides_until_its_time(store: Store) -> None:
    tick(store, 0, proposal())
    step(store, "snoozed", 1, until=at(60))
    tick(store, 2, proposal())
    assert (statuses(store), book.recommendations(store)) == ({1: "snoozed"}, [])
    tick(store, 60, proposal())
    assert (statuses(store), life(store)) == ({1: "proposed"}, ["snoozed", "proposed"])
    step(store, "accepted", 61)
    assert statuses(store) == {1: "accepted"}


def test_what_is_snoozed_expires_too_and_may_be_decided_on(store: Store) -> None:
    tick(store, 0, proposal(1), proposal(2))
    for id_ in (1, 2):
        step(store, "snoozed", 1, id_=id_, until=at(60))
    step(store, "accepted", 2, id_=2)
    tick(store, 3)
    assert statuses(store) == {1: "expired", 2: "accepted"}
    tick(store, 4, proposal(1))
    assert statuses(store) == {1: "proposed", 2: "accepted"}


def test_a_tick_that_knew_nothing_of_a_decision_does_not_undo_it(store: Store) -> None:
    tick(store, 0, proposal())
    step(store, "accepted", 1)
    write(store, [proposal(version=1 << 50)])
    assert statuses(store) == {1: "proposed"}
    tick(store, 2, proposal())
    assert statuses(store) == {1: "accepted"}


def test_the_same_tick_again_changes_nothing(store: Store) -> None:
    tick(store, 0, proposal(1), proposal(2))
    step(store, "snoozed", 1, until=at(60))
    tick(store, 2, proposal(1))
    rows = store.select("SELECT * FROM v_recommendations ORDER BY ALL")
    events = store.select("SELECT * FROM v_recommendation_events ORDER BY ALL")
    tick(store, 2, proposal(1))
    assert store.select("SELECT * FROM v_recommendations ORDER BY ALL") == rows
    assert store.select("SELECT * FROM v_recommendation_events ORDER BY ALL") == events


def running(native: str, **changed: object) -> Job:
    told = job(native, started=at(0), ends_by=at(6000))
    for name, value in changed.items():
        setattr(told, name, value)
    return told


def test_a_job_that_ends_early_after_acceptance_shows_that_it_was_reclaimed(store: Store) -> None:
    write(store, [running("1")])
    tick(store, 10, proposal())
    step(store, "accepted", 11)
    tick(store, 12)
    assert statuses(store) == {1: "accepted"}
    write(store, [running("1", state="cancelled", ended=at(13), version=2)])
    tick(store, 14)
    assert life(store) == ["accepted", "applied"]


def test_the_next_job_of_that_name_that_asks_for_less_shows_a_right_size(store: Store) -> None:
    tick(store, 0, proposal(kind="rightsize"))
    step(store, "accepted", 1)
    same = {"submitted": at(2), "gpus_per_node": 4}
    write(store, [running("1", gpus_per_node=4), running("2", **same)])
    tick(store, 3)
    assert statuses(store) == {1: "accepted"}
    write(store, [running("3", submitted=at(3), gpus_per_node=2)])
    tick(store, 4)
    assert life(store) == ["accepted", "applied"]
    assert "c/3 asked for 2 GPUs" in str(book.recommendation(store, f"{1:016x}")["life"][1])


def test_tasks_that_run_on_other_nodes_show_a_repack(store: Store) -> None:
    moved = json.dumps({"c/1": 1, "c/2": 1, "node/c/n0": 8})
    write(store, [running("1"), running("2"), given("1", 0), given("2", 1)])
    tick(store, 10, proposal(kind="repack", subject="pool/c/big", resources=moved))
    step(store, "accepted", 11)
    tick(store, 12)
    assert statuses(store) == {1: "accepted"}
    # A pod that was evicted comes back as another job of the same name.
    write(store, [running("9", submitted=at(13)), given("9", 0, "n1", since=at(13))])
    tick(store, 14)
    assert life(store) == ["accepted", "applied"]


def test_nodes_out_of_service_show_that_they_were_powered_down(store: Store) -> None:
    nodes = json.dumps({"node/c/n0": 8, "node/c/n1": 8})
    tick(store, 0, proposal(kind="power_down", resources=nodes))
    step(store, "accepted", 1)
    write(store, [node_state("n0", "drained", at(2))])
    tick(store, 3)
    assert statuses(store) == {1: "accepted"}
    write(store, [node_state("n1", "down", at(4))])
    tick(store, 5)
    assert life(store) == ["accepted", "applied"]


def test_an_outcome_is_judged_once_and_kept(store: Store) -> None:
    tick(store, 0, proposal(kind="buy", subject="pool/c/big"))
    step(store, "applied", 1)
    week = timedelta(days=7).total_seconds() / 60
    tick(store, week)
    assert statuses(store) == {1: "applied"}
    tick(store, week + 2)
    tick(store, week + 3)
    (kept,) = store.select("SELECT * FROM v_outcomes")
    assert (kept["status"], kept["predicted_gpu_hours"]) == ("not_measurable", 10)
    assert "nothing tells" in kept["reason"]
    assert life(store) == ["accepted", "applied", "not_measurable"]
    (row,) = book.outcomes(store)
    assert row["recommendation_id"] == f"{1:016x}"


def test_past_outcomes_count_in_new_proposals_once_and_say_so(store: Store) -> None:
    write(store, [outcome(i, measured=-2.0 if i else 7.0) for i in range(5)])
    proposed = proposal()
    for minute in (0, 1, 2):
        tick(store, minute, proposed)
    (row,) = book.recommendations(store)
    # Five outcomes won -1 of 50, and five more are believed to come true.
    assert row["calibration_ratio"] == 0.49
    assert row["gain_gpu_hours"] == 4.9
    assert row["gain_capacity_value"] == 9.8
    assert "counted at 49 %, as 5 outcomes of such advice came true" in row["because"]


def outcome(id_: int, measured: float | None, **told: object) -> Outcome:
    values: dict[str, object] = {
        "recommendation_id": 100 + id_,
        "kind": "reclaim",
        "subject": "c/9",
        "status": "measured",
        "predicted_gpu_hours": 10.0,
        "measured_gpu_hours": measured,
        "low_gpu_hours": measured,
        "high_gpu_hours": measured,
        "matched_before": 30,
        "matched_after": 30,
        "accepted": at(0),
        "applied": at(0),
        "measured": at(0),
        "version": 1,
        **told,
    }
    return Outcome(**values)
