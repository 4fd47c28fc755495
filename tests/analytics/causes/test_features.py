"""Features of an episode: what cards, machine and control group told, joined by place and time."""

from __future__ import annotations

import pytest

from analytics.causes.features import Episode, derived, gather
from gpuledger.catalogue import CgroupSample
from gpuledger.store import Store
from tests.analytics.causes.work import (
    CPU_BOUND,
    GIGA,
    INPUT_BOUND,
    MINUTES,
    Told,
    features,
    starved,
    working,
)
from tests.analytics.world import CLUSTER, asset, at, given, job, write


def test_gauges_are_means_over_the_jobs_gpus(store: Store) -> None:
    working(store, Told(), slots=range(2))
    found = features(store)
    assert found["sm"] == pytest.approx(0.15)
    assert found["memory_ratio"] == pytest.approx(0.5)
    assert found["gpus"] == 2


def test_what_nobody_told_is_missing(store: Store) -> None:
    working(store, Told())
    found = features(store)
    missing = ("iowait", "cpus_used_ratio", "netfs_latency", "storage_link_ratio", "pcie_ratio")
    assert [found.get(name) for name in missing] == [None] * len(missing)


def test_an_episode_of_an_unknown_job_has_no_features(store: Store) -> None:
    (found,) = gather(store, [Episode("c/nobody", 0, 60_000)], 60_000)
    assert all(value is None for value in found.values())


def test_rates_are_taken_between_the_ends_of_minutes(store: Store) -> None:
    working(store, Told(rates={"pcie_receive_bytes": 12 * GIGA}))
    assert features(store)["pcie_receive"] == pytest.approx(12 * GIGA)


def test_seconds_without_work_are_waiting(store: Store) -> None:
    working(store, starved())
    assert features(store)["waiting"] == pytest.approx(50 / 60)


def test_a_machine_speaks_for_the_job_that_has_it_alone(store: Store) -> None:
    working(store, starved(**INPUT_BOUND))
    found = features(store)
    assert found["iowait"] == pytest.approx(0.22)
    assert found["netfs_latency"] == pytest.approx(0.03)
    assert found["netfs_read"] == pytest.approx(2.9 * GIGA)


def test_a_shared_machine_does_not_speak_for_one_of_its_jobs(store: Store) -> None:
    working(store, starved(**INPUT_BOUND))
    others = [given("2", slot) for slot in range(1, 4)]
    write(store, [*(asset(s) for s in range(1, 4)), *others, job("2", gpus=3, started=at(0))])
    found = features(store)
    assert found["own_share"] == pytest.approx(1 / 4)
    assert found["iowait"] is None


def test_a_control_group_speaks_for_its_job_alone(store: Store) -> None:
    working(store, starved(**CPU_BOUND))
    write(
        store,
        [
            CgroupSample.known(
                ts=at(m + 1),
                interval_seconds=60,
                cluster=CLUSTER,
                node="n0",
                runtime="slurm",
                name="2",
                cpu_seconds=60 * 90 * (m + 1),
            )
            for m in range(MINUTES)
        ],
    )
    assert features(store)["cpus_used_ratio"] == pytest.approx(7.8 / 8)


def test_a_pods_group_is_found_by_the_uid_that_ends_its_id(store: Store) -> None:
    native = "lab/train-0@1f2e3d4c"
    told = starved()
    told_of_pod = CgroupSample.known(
        ts=at(1),
        interval_seconds=60,
        cluster=CLUSTER,
        node="n0",
        runtime="kubernetes",
        name="1f2e3d4c-0000-4000-8000-000000000000",
        cpu_seconds=60.0,
    )
    later = CgroupSample.known(
        **{**told_of_pod.__dict__, "ts": at(MINUTES), "cpu_seconds": 60.0 + 60 * 4 * 39}
    )
    working(store, told, native=native)
    write(store, [told_of_pod, later])
    assert features(store, native)["cpus_used"] == pytest.approx(4)


def test_dips_are_counted_by_their_share_and_their_rhythm(store: Store) -> None:
    sms = [0.0 if m % 4 == 3 else 0.8 for m in range(MINUTES)]
    working(store, Told(sms=sms))
    found = features(store)
    assert found["dip_ratio"] == pytest.approx(0.25)
    assert found["dips_per_h"] == pytest.approx(10 / 39 * 60)


def test_writes_that_come_with_pauses_match_them(store: Store) -> None:
    sms = [0.0 if m % 4 == 3 else 0.8 for m in range(MINUTES)]
    writes = [1e6 if sm else 60 * GIGA for sm in sms]
    working(store, Told(sms=sms, writes=writes))
    found = features(store)
    match, rate = found["write_match"], found["pause_write"]
    assert match is not None
    assert match > 0.9
    assert rate == pytest.approx(GIGA, rel=0.1)


def test_steady_writes_match_no_pause(store: Store) -> None:
    sms = [0.0 if m % 4 == 3 else 0.8 for m in range(MINUTES)]
    working(store, Told(sms=sms, writes=[60 * GIGA] * MINUTES))
    assert (features(store)["write_match"] or 0) < 0.2


def test_several_episodes_of_one_job_are_told_apart(store: Store) -> None:
    sms = [0.8] * 20 + [0.2] * 20
    working(store, Told(sms=sms))
    ends = [int(at(m).timestamp() * 1000) for m in (0, 20, 40)]
    episodes = [Episode("c/1", ends[0], ends[1]), Episode("c/1", ends[1], ends[2])]
    found = gather(store, episodes, 3_600_000)
    assert [f["sm"] for f in found] == pytest.approx([0.8, 0.2])


def test_traffic_of_storage_over_the_fabric_is_none_between_gpus() -> None:
    row = {"fabric_ratio": 0.6, "fabric": 30e9, "netfs_read": 24e9, "netfs_write": 0.0}
    found = derived(row)
    assert found["gang_ratio"] == pytest.approx(0.12)
    assert found["storage_link_ratio"] == pytest.approx(0.48)
