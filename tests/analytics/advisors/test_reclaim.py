"""What would be freed if idle jobs let go now."""

from __future__ import annotations

import shlex
from datetime import datetime, timedelta

import pytest

from analytics.advisors.reclaim import ReclaimSettings, advisor
from gpuledger.catalogue import Finding, Recommendation
from gpuledger.catalogue.people import Service
from gpuledger.store import Store
from tests.analytics.world import at, given, job, write

NOW = at(120)


def finding(native: str = "1", **changed: object) -> Finding:
    """Two GPUs idle for two hours, worth 12 and 0.5 of power."""
    values: dict[str, object] = {
        "finding_id": 7,
        "kind": "idle",
        "subject": f"c/{native}",
        "user": "ana",
        "team": "vision",
        "since": at(0),
        "until": NOW,
        "open": 1,
        "gpus": 2,
        "gpu_seconds": 2 * 7200,
        "capacity_value": 12.0,
        "cash_avoidable": 0.5,
        "currency": "EUR",
        "grade": "A",
        "confidence_ratio": 0.95,
        "summary": "idle",
        "evidence": "SELECT 1",
        "version": 1,
        **changed,
    }
    return Finding(**values)


def advise(
    store: Store,
    *findings: Finding,
    ends_by: datetime = NOW + timedelta(hours=10),
    native: str = "1",
    source: str = "slurm",
    **changed: float,
) -> list[Recommendation]:
    write(
        store,
        [job(native, started=at(0), ends_by=ends_by), given(native, 0, source=source)],
    )
    settings = ReclaimSettings(**changed)  # type: ignore[arg-type]
    return list(advisor.advise(store, settings, findings, NOW))


def test_the_gain_is_what_the_gpus_would_stay_idle_for(store: Store) -> None:
    (proposal,) = advise(store, finding())
    assert (proposal.gain_gpu_hours, proposal.horizon_seconds) == (4, 36_000)
    assert proposal.title == "End train and free 2 idle GPUs"
    assert (proposal.finding_id, proposal.user, proposal.team) == (7, "ana", "vision")


def test_no_gain_is_counted_beyond_the_horizon(store: Store) -> None:
    (proposal,) = advise(store, finding(), horizon_h=1)
    assert (proposal.gain_gpu_hours, proposal.gain_high_gpu_hours) == (2, 2)
    assert proposal.horizon_seconds == 3600


def test_money_is_counted_at_the_rate_of_the_finding(store: Store) -> None:
    (proposal,) = advise(store, finding())
    assert proposal.gain_capacity_value == pytest.approx(12)
    assert proposal.gain_cash_avoidable == pytest.approx(0.5)
    assert proposal.currency == "EUR"


def test_without_a_price_the_gain_has_no_worth(store: Store) -> None:
    (proposal,) = advise(store, finding(capacity_value=None, cash_avoidable=None, currency=""))
    assert (proposal.gain_capacity_value, proposal.gain_cash_avoidable) == (None, None)


@pytest.mark.parametrize(("age_min", "count"), [(59, 0), (60, 1)])
def test_advice_waits_until_idleness_has_lasted(store: Store, age_min: int, count: int) -> None:
    young = finding(since=NOW - timedelta(minutes=age_min))
    assert len(advise(store, young)) == count


def test_a_small_gain_is_not_worth_a_message(store: Store) -> None:
    assert advise(store, finding(), ends_by=NOW + timedelta(minutes=29)) == []
    assert len(advise(store, finding(), ends_by=NOW + timedelta(minutes=30))) == 1


def test_nothing_is_gained_from_a_job_past_its_time_limit_or_unknown(store: Store) -> None:
    assert advise(store, finding(), finding("unknown"), ends_by=at(0)) == []


def test_neither_a_closed_finding_nor_another_kind_is_advised_on(store: Store) -> None:
    assert advise(store, finding(open=0), finding(kind="underuse")) == []


def test_the_same_finding_keeps_its_recommendation(store: Store) -> None:
    first, second = advise(store, finding()), advise(store, finding())
    assert first == second


def test_the_command_names_the_schedulers_own_id_as_one_word_of_a_shell(store: Store) -> None:
    native = "12_3; rm -rf ~"
    (proposal,) = advise(store, finding(native), native=native)
    assert shlex.split(proposal.command) == ["scancel", native]


def test_a_job_without_a_scheduler_has_no_command_of_one(store: Store) -> None:
    (proposal,) = advise(store, finding(), source="process")
    assert all(line.startswith("#") for line in proposal.command.splitlines())


@pytest.mark.parametrize(
    "changed",
    [
        {"cause": "peer_fault"},
        {"cause": "exempt"},
        {"cause": "serving_warm"},
        {"confidence_ratio": 0.6},
        {"until": NOW - timedelta(minutes=2)},
    ],
)
def test_nobody_is_told_to_end_what_is_meant_uncertain_or_at_work_again(
    store: Store, changed: dict[str, object]
) -> None:
    assert advise(store, finding(**changed)) == []


@pytest.mark.parametrize(("begins", "count"), [("tra", 0), ("chat", 1)])
def test_a_replica_of_a_declared_service_is_never_told_to_end(
    store: Store, begins: str, count: int
) -> None:
    write(store, [Service(cluster="c", service="s", jobs=begins, valid_from=at(0), version=1)])
    assert len(advise(store, finding())) == count


def test_a_job_that_is_a_service_is_never_told_to_end(store: Store) -> None:
    serving = job("9", started=at(0), ends_by=NOW + timedelta(hours=10))
    serving.kind = "service"
    write(store, [serving])
    settings = ReclaimSettings()
    assert list(advisor.advise(store, settings, [finding("9")], NOW)) == []


def over(number: int, hours: float) -> Finding:
    """An idle time that ended."""
    ended = at(0) - timedelta(days=1)
    return finding(
        str(number),
        finding_id=100 + number,
        since=ended - timedelta(hours=hours),
        until=ended,
        open=0,
    )


def test_enough_earlier_idle_times_tell_how_long_this_one_goes_on(store: Store) -> None:
    write(store, [over(n, 3.0 + n / 10) for n in range(11)])
    (told,) = advise(store, finding())
    assert told.gain_gpu_hours == pytest.approx(2 * 1.5)
    assert told.gain_low_gpu_hours == pytest.approx(2 * 1.1)
    assert told.gain_high_gpu_hours == pytest.approx(2 * 1.9)


def test_of_few_earlier_idle_times_as_long_again_is_expected_at_most_to_the_limit(
    store: Store,
) -> None:
    write(store, [over(n, 3.0) for n in range(9)])
    write(store, [over(n, 1.0) for n in range(9, 20)])
    (told,) = advise(store, finding())
    assert (told.gain_low_gpu_hours, told.gain_gpu_hours, told.gain_high_gpu_hours) == (0, 4, 20)


def test_no_idle_time_goes_on_beyond_the_time_limit(store: Store) -> None:
    write(store, [over(n, 99.0) for n in range(10)])
    (told,) = advise(store, finding())
    assert told.gain_high_gpu_hours == told.gain_gpu_hours == 20


def test_ending_a_job_has_an_undo(store: Store) -> None:
    (told,) = advise(store, finding())
    assert told.undo.splitlines()[-1] == "scontrol requeue 1"
