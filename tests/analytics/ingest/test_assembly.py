"""Series to rows: one per thing and moment, once, whatever comes late, twice or in pieces."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analytics.ingest import assembly as module
from analytics.ingest import memory
from analytics.ingest.emission import Made, Maker
from analytics.ingest.journal import Busy
from analytics.ingest.targets import Scrape, Target
from gpuledger.errors import StoreError
from tests.analytics.ingest.site import (
    ENERGY,
    MEMORY,
    NOW_MS,
    PERIOD_MS,
    POWER,
    UTIL,
    Facts,
    Site,
    card,
    moments,
    scrape,
)
from tests.components.process import wait_until


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path / "journal") as one:
        yield one


def warm(site: Site) -> None:
    """Two scrapes, so that the period is known and what a scrape has."""
    for at_ms in moments(2, -2):
        site.send(scrape(at_ms))
    site.step()
    assert site.covers() == [(-2, PERIOD_MS), (-1, PERIOD_MS)]


def test_columns_that_come_in_several_requests_are_one_row(site: Site) -> None:
    warm(site)
    for sample in scrape(NOW_MS):
        site.step()
        site.send([sample])
    site.step()
    last = site.rows()[-1]
    assert (last["ts"], last["interval_ms"]) == (NOW_MS, PERIOD_MS)
    assert (last["power_mw"], last["energy_mj"], last["memory_used_mib"]) == (
        *(100_000, 1_000_000, 1024),
    )


def test_a_row_has_its_cluster_place_source_and_activity(site: Site) -> None:
    warm(site)
    row = site.rows()[-1]
    named = ("cluster", "node", "slot", "uuid", "source", "active_ms")
    assert [row[n] for n in named] == ["c", "node-7", 0, "GPU-0", "dcgm-exporter", PERIOD_MS]


def test_a_scrape_that_is_not_whole_waits_for_two_periods(site: Site) -> None:
    warm(site)
    site.send([s for s in scrape(NOW_MS) if s[0]["__name__"] != MEMORY])
    site.wait(2 * PERIOD_MS / 1000 - 1)
    assert len(site.rows()) == 2
    site.wait(1)
    assert "memory_used_mib" not in site.rows()[-1]
    assert site.covers()[-1] == (0, PERIOD_MS)


def test_what_comes_after_its_row_becomes_a_row_that_covers_no_time(site: Site) -> None:
    warm(site)
    late = [s for s in scrape(NOW_MS) if s[0]["__name__"] in {MEMORY, ENERGY}]
    site.send([s for s in scrape(NOW_MS) if s not in late])
    site.wait(2 * PERIOD_MS / 1000)
    site.send(late)
    site.wait(2 * PERIOD_MS / 1000)
    assert site.covers()[2:] == [(0, PERIOD_MS), (0, 0)]
    first, second = site.rows()[2:]
    assert (second["memory_used_mib"], second["energy_mj"]) == (1024, 1_000_000)
    assert "power_mw" in first
    assert "power_mw" not in second
    assert "active_ms" not in second


def test_a_thing_of_which_all_came_late_covers_its_time(site: Site) -> None:
    for at_ms in moments(2, -2):
        site.send(scrape(at_ms, gpus=2))
    site.step()
    both = scrape(NOW_MS, gpus=2)
    site.send([s for s in both if s[0]["gpu"] == "0"])
    site.wait(2 * PERIOD_MS / 1000)
    site.send([s for s in both if s[0]["gpu"] == "1"])
    site.wait(2 * PERIOD_MS / 1000)
    assert [(r["slot"], r["interval_ms"]) for r in site.rows() if r["ts"] == NOW_MS] == [
        *((0, PERIOD_MS), (1, PERIOD_MS)),
    ]


def test_the_end_of_a_series_makes_its_scrape_whole(site: Site) -> None:
    warm(site)
    nan = memory.NAN
    site.send([s for s in scrape(NOW_MS) if s[0]["__name__"] != MEMORY])
    site.step()
    assert len(site.rows()) == 2
    counts = site.send([card(MEMORY, nan, NOW_MS)])
    site.step()
    assert counts == {"nan": 1}
    assert site.covers()[-1] == (0, PERIOD_MS)


def test_a_series_that_ended_is_not_waited_for_again(site: Site) -> None:
    warm(site)
    for at_ms in moments(2):
        site.send([s for s in scrape(at_ms) if s[0]["__name__"] != MEMORY])
    site.wait(2 * PERIOD_MS / 1000)
    assert [at for at, _ in site.covers()] == [-2, -1, 0, 1]


def test_the_first_row_of_a_target_covers_its_period(site: Site) -> None:
    site.send(scrape(NOW_MS))
    site.wait(60)
    assert site.rows() == []
    site.send(scrape(NOW_MS + PERIOD_MS))
    site.step()
    assert site.covers() == [(0, PERIOD_MS), (1, PERIOD_MS)]


def test_a_first_row_whose_period_nobody_knows_covers_nothing(site: Site) -> None:
    site.send(scrape(NOW_MS))
    site.wait(120)
    assert site.covers() == [(0, 0)]


@pytest.mark.parametrize(("missed", "covered"), [(1, 2), (2, 1), (20, 1)])
def test_a_gap_is_covered_up_to_two_and_a_half_periods(
    site: Site, missed: int, covered: int
) -> None:
    for at_ms in moments(6, -6 - missed):
        site.send(scrape(at_ms))
    site.send(scrape(NOW_MS))
    site.step()
    gap = [row for row in site.rows() if row["ts"] > NOW_MS - covered * PERIOD_MS]
    assert sum(row["interval_ms"] for row in gap) == covered * PERIOD_MS


def test_a_row_of_several_periods_is_cut_at_the_minute(site: Site) -> None:
    begin_ms = NOW_MS // 60_000 * 60_000 - 60_000 + 50_000
    for at_ms in (*range(begin_ms - 30_000, begin_ms + 1, 10_000), begin_ms + 20_000):
        site.send(scrape(at_ms, energy=at_ms))
    site.step()
    told = [(r["ts"] - begin_ms, r["interval_ms"], r["active_ms"]) for r in site.rows()][-3:]
    assert told == [(0, 10_000, 10_000), (10_000, 10_000, 10_000), (20_000, 10_000, 10_000)]
    assert "energy_mj" not in site.rows()[-2]
    assert site.rows()[-1]["energy_mj"] == begin_ms + 20_000


def test_a_period_of_many_minutes_is_covered_minute_by_minute(site: Site) -> None:
    for step in range(3):
        site.send(scrape(NOW_MS + 150_000 * step))
    site.step()
    rows = site.rows()
    assert sum(r["interval_ms"] for r in rows) == 450_000
    assert all((r["ts"] - 1) // 60_000 == (r["ts"] - r["interval_ms"]) // 60_000 for r in rows)


def test_a_reading_that_comes_twice_changes_nothing(site: Site) -> None:
    warm(site)
    assert site.send(scrape(NOW_MS)) == {"accepted": 4}
    assert site.send(scrape(NOW_MS)) == {"duplicate": 4}
    site.step()
    assert site.send(scrape(NOW_MS)) == {"duplicate": 4}
    site.wait(1000)
    assert [at for at, _ in site.covers()] == [-2, -1, 0]


def test_a_crash_loses_nothing_and_doubles_nothing(site: Site) -> None:
    warm(site)
    site.send(scrape(NOW_MS)[:2])
    site.crash()
    assert site.send(scrape(NOW_MS)) == {"duplicate": 2, "accepted": 2}
    site.step()
    site.crash()
    assert site.send(scrape(NOW_MS)) == {"duplicate": 4}
    site.wait(1000)
    assert site.covers() == [(-2, PERIOD_MS), (-1, PERIOD_MS), (0, PERIOD_MS)]


def test_two_requests_under_way_with_the_same_reading_make_one_row(site: Site) -> None:
    warm(site)
    told = scrape(NOW_MS)
    accept = site.journal.accept

    def slow(*arguments: Any) -> list[bool]:
        site.journal.accept = accept  # type: ignore[method-assign]
        site.send(told)
        return accept(*arguments)

    site.journal.accept = slow  # type: ignore[method-assign]
    assert site.send(told) == {"accepted": 0, "duplicate": 4}
    site.step()
    assert site.covers()[2:] == [(0, PERIOD_MS)]
    assert site.journal.read("SELECT * FROM scraped_readings") == []


def test_what_the_disk_refused_was_not_taken(site: Site) -> None:
    warm(site)
    refuse(site)
    with pytest.raises(StoreError):
        site.send(scrape(NOW_MS))
    site.crash()
    assert site.send(scrape(NOW_MS)) == {"accepted": 4}


def test_rows_that_the_journal_has_no_room_for_are_made_later(site: Site) -> None:
    warm(site)
    site.send(scrape(NOW_MS)[:2])
    site.send(scrape(NOW_MS)[2:])
    refuse(site)
    with pytest.raises(StoreError):
        site.step()
    site.journal.__dict__.pop("accept")
    site.step()
    assert site.covers()[2:] == [(0, PERIOD_MS)]
    assert site.assembler.waiting == 0


def test_an_inventory_that_the_journal_had_no_room_for_is_told_later(site: Site) -> None:
    for at_ms in moments(2):
        site.send(scrape(at_ms))
    refuse(site)
    with pytest.raises(StoreError):
        site.step()
    site.journal.__dict__.pop("accept")
    site.step()
    assert [r["uuid"] for r in site.rows("gpus")] == ["GPU-0"]


def test_a_scrape_that_no_row_can_be_made_of_holds_up_no_other(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    warm(site)
    made = Maker.make

    def bug(maker: Maker, target: Target, at_ms: int, scrape: Scrape, out: Made) -> None:
        if at_ms == NOW_MS:
            raise ZeroDivisionError("a bug")
        made(maker, target, at_ms, scrape, out)

    monkeypatch.setattr(Maker, "make", bug)
    for at_ms in moments(2):
        site.send(scrape(at_ms))
    site.step()
    assert [at for at, _ in site.covers()] == [-2, -1, 1]
    assert site.assembler.counts.samples["failed"] == 4
    assert site.assembler.waiting == 0


def test_a_bug_is_said_once_and_ends_no_thread(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "STEP_S", 0.001)
    asked: list[int] = []

    def step() -> int:
        asked.append(1)
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(site.assembler, "step", step)
    site.assembler.start()
    wait_until(lambda: len(asked) > 2, 5, "another try")
    site.assembler.stop()
    assert len([r for r in caplog.records if r.exc_info]) == 1


def refuse(site: Site) -> None:
    def full(*_: object) -> list[bool]:
        raise StoreError("no room")

    site.journal.accept = full  # type: ignore[method-assign]


def test_a_counter_that_begins_again_goes_on(site: Site) -> None:
    for at_ms, energy in zip(moments(4), (5e6, 6e6, 1e6, 2e6), strict=True):
        site.send(scrape(at_ms, energy=energy))
        site.step()
        site.crash()
    site.step()
    assert [r["energy_mj"] for r in site.rows()] == [5e6, 6e6, 7e6, 8e6]
    assert len({r["epoch"] for r in site.rows()}) == 1


def test_another_file_is_another_epoch_of_counters(tmp_path: Path) -> None:
    with sqlite3.connect(":memory:") as db:
        assert memory.create(db, 5) == 5
        assert memory.create(db, 9) == 5


def test_a_late_counter_has_the_value_of_its_time_or_none(site: Site) -> None:
    for at_ms, energy in ((NOW_MS, 1e6), (NOW_MS + PERIOD_MS, 2e6), (NOW_MS + 3 * PERIOD_MS, 4e6)):
        site.send(scrape(at_ms, energy=energy))
    site.step()
    site.send([card(ENERGY, 3e6, NOW_MS + 2 * PERIOD_MS), card(POWER, 9, NOW_MS + 2 * PERIOD_MS)])
    site.send([card(ENERGY, 9e6, NOW_MS - PERIOD_MS), card(POWER, 9, NOW_MS - PERIOD_MS)])
    site.wait(1000)
    told = {(r["ts"] - NOW_MS) / PERIOD_MS: r for r in site.rows()}
    assert told[2]["energy_mj"] == 3e6
    assert "energy_mj" not in told[-1]
    assert (told[2]["interval_ms"], told[-1]["interval_ms"]) == (0, 0)


def test_whose_pod_it_is_does_not_disturb_a_counter_made_of_several(site: Site) -> None:
    names = ("DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL", "DCGM_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL")  # fmt: skip # noqa: E501 - names of the exporter
    for at_ms, pod in zip(moments(3), ("a", "a", "b"), strict=True):
        site.send([card(name, 500, at_ms, pod=pod, namespace=pod) for name in names])
        site.wait(60)
    assert [r["nvlink_crc_errors"] for r in site.rows("gpu_health_samples")] == [1000] * 3


@pytest.mark.parametrize(
    ("at_ms", "reason"),
    [
        (NOW_MS // 1000, "far_past"),
        (NOW_MS * 1000, "far_future"),
        (NOW_MS - 8 * 86_400_000, "far_past"),
        (NOW_MS + 3_600_000, "far_future"),
    ],
)
def test_a_time_in_the_wrong_unit_or_far_away_is_counted(
    site: Site, at_ms: int, reason: str
) -> None:
    assert site.send([card(POWER, 1, at_ms), card(UTIL, 1, NOW_MS)]) == {
        reason: 1,
        "accepted": 1,
    }


def test_a_sample_far_behind_its_target_is_counted(site: Site) -> None:
    warm(site)
    assert site.send([card(POWER, 1, NOW_MS - 3_600_000)]) == {"out_of_order": 1}


def test_a_pair_of_prometheus_servers_covers_time_once(site: Site) -> None:
    for at_ms in moments(6):
        for replica, shift_ms in (("a", 0), ("b", 7_000)):
            told = scrape(at_ms + shift_ms)
            site.send([({**labels, "prometheus_replica": replica}, v, t) for labels, v, t in told])
            site.step()
    rows = site.rows()
    assert sum(r["interval_ms"] for r in rows[1:]) == rows[-1]["ts"] - rows[0]["ts"]


def test_an_inventory_that_says_the_same_is_told_once(site: Site) -> None:
    warm(site)
    assert [(r["uuid"], r["model"]) for r in site.rows("gpus")] == [("GPU-0", "NVIDIA H100")]


def test_more_series_than_allowed_are_counted(tmp_path: Path) -> None:
    with Site(tmp_path / "journal", max_series=4) as site:
        assert site.send(scrape(NOW_MS, gpus=2)) == {"accepted": 4, "too_many_series": 4}


def test_more_readings_than_may_wait_come_back_later(tmp_path: Path) -> None:
    with Site(tmp_path / "journal", max_waiting=6) as site:
        site.send(scrape(NOW_MS))
        with pytest.raises(Busy):
            site.send(scrape(NOW_MS + 1))


def test_what_sent_nothing_for_an_hour_is_forgotten(site: Site) -> None:
    warm(site)
    site.now_s += 3601
    site.assembler.sweep()
    assert site.assembler.learner.targets == {}
    for table in ("targets", "series", "marks"):
        assert site.journal.read(f"SELECT * FROM scraped_{table}") == []


def test_facts_are_made_of_whole_scrapes(tmp_path: Path) -> None:
    facts = Facts()
    with Site(tmp_path / "journal", facts) as site:
        for at_ms in moments(2):
            for pod in ("a", "b"):
                site.send([({"__name__": "kube_pod_info", "job": "k", "pod": pod}, 1.0, at_ms)])
        site.assembler.meet_clusters()
        site.step()
    assert facts.took == [[("a", 1.0), ("b", 1.0)]] * 2
