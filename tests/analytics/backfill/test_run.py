"""The past of a simulated site, through a real Prometheus, against what truly happened there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest

from analytics.backfill import summary
from analytics.backfill.progress import Progress
from analytics.backfill.run import Backfill, Done, Wanted
from analytics.book import Span, ledger
from gpuledger.config import Config
from gpuledger.errors import StoreError
from gpuledger.store import Store
from tests.analytics.backfill.past import past
from tests.components.clickhouse import ClickHouse
from tests.components.fixtures import or_skip
from tests.components.prometheus_history import History
from tests.conftest import empty
from tests.fakes.site import KUBERNETES, SLURM, Site
from tests.store_contract import database_of, served_address

SITES = {
    "slurm": Site(scheduler=SLURM, hours=4, seed=1),
    "unnamed": Site(scheduler=SLURM, hours=4, seed=2),
    "kubernetes": Site(scheduler=KUBERNETES, hours=4, seed=3),
    "gap": Site(scheduler=SLURM, hours=3, nodes=1, seed=4),
}
GAP = (1.0, 1.5)
# Scrapes are half a minute apart and minutes are whole: what is booked may be off by so much of
# all there is. What the book cannot know is less than that as well.
TOLERANCE = 0.02
CLUSTER = "c"


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, History]]:
    """A Prometheus for each site, started when it is first asked for."""
    stack = ExitStack()

    class Histories(dict[str, History]):
        def __missing__(self, name: str) -> History:
            silent = GAP if name == "gap" else (0.0, 0.0)
            samples = past(SITES[name], silent=silent, names_jobs=name != "unnamed")
            history = History(tmp_path_factory.mktemp(name), samples)
            self[name] = stack.enter_context(or_skip(history))
            return self[name]

    with stack:
        yield Histories()


def wanted(site: Site, url: str, directory: Path, **more: Any) -> Wanted:
    """Everything of a site's past."""
    files: tuple[Path, ...] = ()
    if site.scheduler == SLURM:
        files = (directory / "sacct.txt",)
        files[0].write_text(site.sacct(site.start, site.end))
    return Wanted(
        **{
            "since": site.start - timedelta(hours=2),
            "until": site.end,
            "cluster": CLUSTER,
            "source": CLUSTER,
            "url": url,
            "sacct": files,
            "zone": UTC,
            **more,
        }
    )


def configured(**settings: Any) -> Config:
    return Config({"backfill": settings})


def backfilled(store: Store, asked: Wanted, **settings: Any) -> Done:
    backfill = Backfill(store, configured(**settings), asked)
    return backfill.run(backfill.estimate(), lambda *_: None)


def booked(store: Store, site: Site, by: str) -> dict[str, float]:
    rows = ledger(store, Span(site.start, site.end), [by])
    return {r[by] or "": r["gpu_hours"] for r in rows}


def check_truth(store: Store, site: Site) -> None:
    """The book by team and by state says what happened."""
    truth = site.truth(site.start, site.end)
    off = TOLERANCE * truth.owned
    teams, states = booked(store, site, "team"), booked(store, site, "state")
    assert sum(states.values()) == pytest.approx(truth.owned, rel=1e-6)
    assert {t: teams[t] for t in truth.teams} == pytest.approx(dict(truth.teams), abs=off)
    free = sum(states.get(s, 0.0) for s in ("free_demand", "free_surplus"))
    found = {**{s: states.get(s, 0.0) for s in ("productive", "alloc_idle")}, "free": free}
    expected = {s: truth.states[s] for s in found}
    assert found == pytest.approx(expected, abs=off)


def told(store: Store) -> Mapping[str, Any]:
    """What every sample adds up to."""
    (row,) = store.select(
        "SELECT count() AS rows, sum(interval_ms) AS ms, sum(active_ms) AS active,"
        " sum(power_mw * interval_ms) AS energy FROM gpu_samples"
    )
    return row


@pytest.fixture(scope="module")
def at_once(
    engine: Store, histories: dict[str, History], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Any]:
    """What is told of the site with a gap by a run that reads it in one and is not disturbed."""
    empty(engine)
    asked = wanted(SITES["gap"], histories["gap"].url, tmp_path_factory.mktemp("whole"))
    backfilled(engine, asked)
    found = told(engine)
    empty(engine)
    return found


@pytest.mark.parametrize("name", ["slurm", "unnamed", "kubernetes"])
def test_the_book_says_what_happened(
    name: str, store: Store, histories: dict[str, History], tmp_path: Path
) -> None:
    site = SITES[name]
    backfilled(store, wanted(site, histories[name].url, tmp_path))
    check_truth(store, site)


def test_a_server_is_filled_as_the_embedded_engine_is(
    clickhouse: ClickHouse, histories: dict[str, History], tmp_path: Path
) -> None:
    site, served = SITES["gap"], Store(served_address(clickhouse, "test_backfill_run"))
    with database_of(served) as there:
        there.apply()
        asked = wanted(site, histories["gap"].url, tmp_path)
        backfilled(there, asked, samples=20_000)
        before = told(there)
        backfilled(there, asked)
        assert told(there) == before
        truth = site.truth(site.start, site.end)
        assert sum(booked(there, site, "state").values()) == pytest.approx(truth.owned, rel=1e-6)
        teams = booked(there, site, "team")
        assert {t: teams.get(t, 0.0) for t in truth.teams} == pytest.approx(
            dict(truth.teams), abs=TOLERANCE * truth.owned
        )


def test_gpus_that_exporters_named_for_jobs_are_told_and_others_assumed(
    store: Store, histories: dict[str, History], tmp_path: Path
) -> None:
    done = backfilled(store, wanted(SITES["slurm"], histories["slurm"].url, tmp_path))
    assert done.booked
    assert done.booked.told_gpu_hours == pytest.approx(done.booked.gpu_hours)
    store.command("TRUNCATE TABLE allocations")
    other = wanted(SITES["unnamed"], histories["unnamed"].url, tmp_path, source="other")
    done = backfilled(store, other)
    assert done.booked
    assert 0 < done.booked.told_gpu_hours < done.booked.gpu_hours
    sources = store.select("SELECT DISTINCT source FROM allocations ORDER BY source")
    assert [r["source"] for r in sources] == ["assumed", "slurm"]


def test_what_was_read_is_not_read_again(
    store: Store, histories: dict[str, History], tmp_path: Path
) -> None:
    site = SITES["gap"]
    asked = wanted(site, histories["gap"].url, tmp_path)
    first, before = backfilled(store, asked), told(store)
    again = backfilled(store, asked)
    assert told(store) == before
    assert first.reads["dcgm-exporter"].samples > 0
    assert again.reads["dcgm-exporter"].samples == 0
    assert summary.hours(again.reads["dcgm-exporter"].skipped) == "5.0 hours"


def test_history_in_small_pieces_is_the_same_as_in_one(
    store: Store, at_once: Mapping[str, Any], histories: dict[str, History], tmp_path: Path
) -> None:
    site, url = SITES["gap"], histories["gap"].url
    backfilled(store, wanted(site, url, tmp_path, source="pieces"), samples=1_000)
    pieces, chunks = told(store), store.value("SELECT count() FROM backfill_chunks FINAL")
    assert chunks > 20
    for key in ("ms", "active", "energy"):
        assert pieces[key] == pytest.approx(at_once[key], rel=1e-4)


class Dying:
    """A store that fails once a stretch's rows are in, before that is written down."""

    def __init__(self, store: Store, after: int) -> None:
        self._store = store
        self._left = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def insert_rows(self, rows: list[Any]) -> None:
        if rows and rows[0].table.name == "backfill_chunks" and rows[0].done:
            self._left -= 1
            if not self._left:
                raise StoreError("gone")
        self._store.insert_rows(rows)


def test_rows_stored_but_not_written_down_are_not_doubled(
    store: Store, at_once: Mapping[str, Any], histories: dict[str, History], tmp_path: Path
) -> None:
    site, url = SITES["gap"], histories["gap"].url
    asked = wanted(site, url, tmp_path)
    dying: Any = Dying(store, after=4)
    with pytest.raises(StoreError, match="gone"):
        backfilled(dying, asked, samples=3_000)
    backfilled(store, asked, samples=9_000)
    interrupted = told(store)
    assert len(Progress(store, "c/dcgm-exporter").done()) > 4
    for key in ("ms", "active", "energy"):
        assert interrupted[key] == pytest.approx(at_once[key], rel=1e-4)


def test_gaps_stay_gaps_and_are_named(
    store: Store, histories: dict[str, History], tmp_path: Path
) -> None:
    site = SITES["gap"]
    asked = wanted(site, histories["gap"].url, tmp_path)
    done = backfilled(store, asked)
    (gap,) = summary.gaps(store, asked)
    assert gap.nodes == ("gpu-000",)
    assert gap.node_hours == pytest.approx(0.5, abs=0.05)
    words = dict(summary.lines(store, asked, done))
    assert words["gaps"] == "1 longer than 10 minutes, 0.5 node-hours in all; longest:"
    assert words[""].endswith("UTC: gpu-000")
    unknown = sum(v for s, v in booked(store, site, "state").items() if s.endswith("unknown"))
    assert unknown == pytest.approx(8 * 0.5, abs=0.5)


def test_what_came_later_is_added_and_booked_anew(
    store: Store, histories: dict[str, History], tmp_path: Path
) -> None:
    site, url = SITES["slurm"], histories["slurm"].url
    half = site.start + timedelta(hours=2, minutes=7)
    backfilled(store, wanted(site, url, tmp_path, since=half))
    backfilled(store, wanted(site, url, tmp_path))
    check_truth(store, site)
