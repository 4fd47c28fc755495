"""A small hand-made book of two nodes and one hour, with numbers that one can check by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from analytics import accounts
from gpuledger.batch import by_table
from gpuledger.catalogue import (
    AlertState,
    Allocation,
    Asset,
    BookedHour,
    Cell,
    CellHour,
    Job,
    Notification,
    Price,
    Recommendation,
)
from gpuledger.identity import alloc_id, gpu_id
from gpuledger.schema import Row
from gpuledger.store import Store

HOUR = datetime(2026, 3, 2, 10, tzinfo=UTC)
SINCE, UNTIL = HOUR - timedelta(days=1), HOUR + timedelta(minutes=59)
CLUSTER = "alpha"
BUSY, IDLE, FREE, BROKEN = (gpu_id(CLUSTER, node, slot) for node in ("n1", "n2") for slot in (0, 1))
TRAIN, NOTEBOOK = f"{CLUSTER}/1", f"{CLUSTER}/2"


def fill(store: Store) -> None:
    """Half an hour booked: one GPU works, one idles, one is free and wanted, one is broken."""
    for batch in by_table(rows()):
        store.insert(batch)
    accounts.write(store, [HOUR.date()])


def rows() -> list[Row]:
    return [*_places(), *_jobs(), *_book(), *_minutes(), *_verdicts()]


def _places() -> list[Row]:
    places = [("n1", 0, "big"), ("n1", 1, "big"), ("n2", 0, "small"), ("n2", 1, "small")]
    assets: list[Row] = [
        Asset(
            gpu_id=gpu_id(CLUSTER, node, slot),
            asset_id=f"{CLUSTER}/{node}/{slot}",
            cluster=CLUSTER,
            node=node,
            slot=slot,
            model="H100",
            pool=pool,
            valid_from=SINCE,
            version=1,
        )
        for node, slot, pool in places
    ]
    price = Price(
        model="H100",
        capacity_value=4.0,
        energy_price=0.5,
        currency="EUR",
        valid_from=SINCE,
        version=1,
    )
    return [*assets, price]


def _jobs() -> list[Row]:
    out: list[Row] = []
    for job, name, user, team, gpu, waited_s in (
        (TRAIN, "train", "ana", "vision", BUSY, 60),
        (NOTEBOOK, "notebook", "ben", "speech", IDLE, 240),
    ):
        started = HOUR
        eligible = started - timedelta(seconds=waited_s)
        out.append(
            Job(
                job_id=job,
                cluster=CLUSTER,
                name=name,
                user=user,
                team=team,
                pool="big",
                state="running",
                gpus_per_node=1,
                memory_bytes=None,
                submitted=eligible,
                eligible=eligible,
                started=started,
                seen_at=HOUR,
                version=1,
            )
        )
        out.append(
            Allocation(
                gpu_id=gpu,
                alloc_id=alloc_id(job, 0, gpu),
                job_id=job,
                cluster=CLUSTER,
                node="n1",
                valid_from=HOUR,
                source="slurm",
                seen_at=HOUR,
                version=1,
            )
        )
    return out


STATES = (
    (BUSY, alloc_id(TRAIN, 0, BUSY), "productive", "A", 1_800_000.0),
    (IDLE, alloc_id(NOTEBOOK, 0, IDLE), "alloc_idle", "B", 720_000.0),
    (FREE, 0, "free_demand", "B", 0.0),
    (BROKEN, 0, "fault", "B", 0.0),
)


def _book() -> list[Row]:
    cells: list[Row] = [
        CellHour(
            cluster=CLUSTER,
            gpu_id=gpu,
            hour=HOUR,
            alloc_id=alloc,
            state=state,
            grade=grade,
            gpu_seconds=1800,
            energy_joules=joules,
        )
        for gpu, alloc, state, grade, joules in STATES
    ]
    booked = BookedHour(
        hour=HOUR,
        fingerprint=1,
        booked_until=HOUR + timedelta(minutes=30),
        owned_seconds=7200,
        booked_at=HOUR,
        version=1,
    )
    return [*cells, booked]


def _minutes() -> list[Row]:
    """Two minutes: the wanted GPU is free in both, the broken one is back in the second."""
    out: list[Row] = []
    for minute in range(2):
        for gpu, alloc, state, grade, joules in STATES:
            back = gpu == BROKEN and minute == 1
            out.append(
                Cell(
                    cluster=CLUSTER,
                    gpu_id=gpu,
                    minute=HOUR + timedelta(minutes=minute),
                    alloc_id=alloc,
                    state="free_surplus" if back else state,
                    grade=grade,
                    intensity_ratio=None,
                    gpu_seconds=60,
                    energy_joules=joules / 30,
                )
            )
    return out


GAIN: dict[str, Any] = {
    "gain_gpu_hours": 6.0,
    "gain_low_gpu_hours": 0.0,
    "gain_high_gpu_hours": 9.5,
}


def _verdicts() -> list[Row]:
    recommendation = Recommendation(
        recommendation_id=1,
        finding_id=1,
        kind="release",
        subject=NOTEBOOK,
        user="ben",
        team="speech",
        status="proposed",
        title="Release the GPU of notebook",
        command="scancel 2",
        **GAIN,
        gain_capacity_value=24.0,
        gain_cash_avoidable=1.2,
        currency="EUR",
        horizon_seconds=21_600,
        confidence_ratio=0.9,
        because="idle for 30 minutes",
        created=HOUR,
        version=1,
    )
    state = AlertState(
        rule="JobIdleGPU",
        subject=NOTEBOOK,
        state="resolved",
        since=HOUR,
        fired=HOUR,
        resolved=HOUR + timedelta(minutes=10),
        value=900.0,
        labels="{}",
        annotations="{}",
        version=1,
    )
    told = [
        Notification(
            ts=HOUR + timedelta(minutes=minute),
            rule="JobIdleGPU",
            subject=NOTEBOOK,
            state=what,
            channel="alertmanager",
            outcome=outcome,
        )
        for minute, what, outcome in (
            (0, "firing", "accepted"),
            (1, "firing", "refreshed"),
            (10, "resolved", "accepted"),
        )
    ]
    return [recommendation, state, *told]
