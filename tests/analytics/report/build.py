"""Books by hand: assets, jobs and hours of one small cluster, written like the analytics do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any

from analytics import accounts
from gpuledger.batch import by_table
from gpuledger.catalogue import (
    Allocation,
    Asset,
    BookedHour,
    Cell,
    CellHour,
    Finding,
    Gpu,
    Job,
    Notification,
    Price,
    Recommendation,
)
from gpuledger.schema import Row
from gpuledger.store import Store

# Monday of 2026-W47.
MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Fleet:
    """Rows collected for one store; GPU `i` is slot `i % per_node` of node `i // per_node`."""

    store: Store
    cluster: str = "alpha"
    per_node: int = 8
    rows: list[Row] = field(default_factory=list)
    owned: dict[datetime, float] = field(default_factory=dict)
    # Apart by day: one insert may not touch more than a hundred hourly partitions.
    minutes: dict[date, list[Row]] = field(default_factory=dict)

    def gpus(self, count: int, *models: str) -> None:
        for gpu in range(count):
            model = models[gpu] if models else "H100"
            place = {"cluster": self.cluster, "node": self.node(gpu), "slot": gpu % self.per_node}
            name = f"{place['cluster']}/{place['node']}/{place['slot']}"
            asset = {"gpu_id": gpu + 1, "asset_id": name, "valid_from": LONG_AGO, "version": 1}
            self.rows += [
                Asset(**asset, **place, model=model, pool="main"),
                Gpu(gpu_id=gpu + 1, **place, uuid=f"GPU-{gpu}", model=model, memory_bytes=None),
            ]

    def node(self, gpu: int) -> str:
        return f"n{gpu // self.per_node + 1:02d}"

    def price(
        self,
        worth: float | None = 2.0,
        energy: float | None = 0.25,
        currency: str = "EUR",
        model: str = "H100",
    ) -> None:
        self.rows.append(
            Price(
                model=model,
                capacity_value=worth,
                energy_price=energy,
                currency=currency,
                valid_from=LONG_AGO,
                version=1,
            )
        )

    def job(self, job_id: str, team: str = "vision", name: str = "train", **more: Any) -> None:
        at = more.get("submitted", MONDAY)
        more = {"gpus_per_node": 1, "eligible": at, "user": "ada", "state": "running", **more}
        self.rows.append(
            Job(
                job_id=job_id,
                cluster=self.cluster,
                name=name,
                team=team,
                **{"submitted": at, "memory_bytes": None, "seen_at": at, "version": 1, **more},
            )
        )

    def hours(
        self,
        gpu: int,
        state: str,
        since: datetime,
        count: int,
        job_id: str = "",
        grade: str = "A",
        cause: str = "",
        watts: float | None = 400.0,
    ) -> None:
        """Book whole hours of a GPU; one minute of each stands for it in `ledger_1m`."""
        alloc_id = self._allocate(gpu, job_id, since, count)
        for at in hours_from(since, count):
            cell = {
                "cluster": self.cluster,
                "gpu_id": gpu + 1,
                "alloc_id": alloc_id,
                "state": state,
                "grade": grade,
                "cause": cause,
            }
            self.owned[at] = self.owned.get(at, 0.0) + 3600.0
            energy = None if watts is None else watts * 3600
            self.rows.append(CellHour(hour=at, gpu_seconds=3600.0, energy_joules=energy, **cell))
            minute = {"minute": at, "gpu_seconds": 60.0, "intensity_ratio": None}
            self.minutes.setdefault(at.date(), []).append(
                Cell(energy_joules=None, **minute, **cell)
            )

    def _allocate(self, gpu: int, job_id: str, since: datetime, count: int) -> int:
        if not job_id:
            return 0
        alloc_id = hash_of(f"{job_id} {gpu}")
        self.rows.append(
            Allocation(
                gpu_id=gpu + 1,
                alloc_id=alloc_id,
                job_id=job_id,
                cluster=self.cluster,
                node=self.node(gpu),
                valid_from=since,
                valid_to=since + count * HOUR,
                source="slurm",
                seen_at=since,
                version=1,
            )
        )
        return alloc_id

    def finding(self, job_id: str, since: datetime, until: datetime, **more: Any) -> None:
        more = {"kind": "idle", "open": 1, "gpus": 1, "gpu_seconds": 3600.0, **more}
        self.rows.append(
            Finding(
                finding_id=hash_of(f"finding {job_id} {since}"),
                subject=job_id,
                since=since,
                until=until,
                capacity_value=None,
                cash_avoidable=None,
                grade="A",
                confidence_ratio=0.9,
                summary="idle",
                evidence="SELECT 1",
                version=1,
                **more,
            )
        )

    def recommend(self, title: str, gain: float | None, **more: Any) -> None:
        more = {
            "team": "vision",
            "user": "ada",
            "status": "proposed",
            "because": "it is idle",
            "created": MONDAY,
            "gain_capacity_value": None if gain is None else gain * 2,
            "currency": "EUR",
            **more,
        }
        self.rows.append(
            Recommendation(
                recommendation_id=hash_of(title),
                finding_id=1,
                kind="stop_idle",
                subject="alpha/1",
                title=title,
                gain_gpu_hours=gain,
                gain_cash_avoidable=None,
                horizon_seconds=7 * 86_400,
                confidence_ratio=0.85,
                version=1,
                **more,
            )
        )

    def alert(self, subject: str, at: datetime, outcome: str = "accepted") -> None:
        self.rows.append(
            Notification(
                ts=at,
                rule="gpu_lost",
                subject=subject,
                state="firing",
                channel="alertmanager",
                outcome=outcome,
            )
        )

    def write(self) -> None:
        for at, owned in self.owned.items():
            self.rows.append(
                BookedHour(
                    hour=at,
                    fingerprint=1,
                    booked_until=at + HOUR,
                    owned_seconds=owned,
                    booked_at=at + HOUR,
                    version=1,
                )
            )
        for batch in by_table(self.rows):
            self.store.insert(batch)
        for day in self.minutes.values():
            self.store.insert_rows(day)
        for days in neighbours(sorted({at.date() for at in self.owned})):
            accounts.write(self.store, days)


def neighbours(days: Sequence[date]) -> Iterator[list[date]]:
    """Days that follow each other together: to add up many costs hardly more than one."""
    for _, run in groupby(enumerate(days), lambda pair: pair[1] - timedelta(days=pair[0])):
        yield [day for _, day in run]


def hours_from(since: datetime, count: int) -> Iterator[datetime]:
    return (since + i * HOUR for i in range(count))


def hash_of(text: str) -> int:
    """A small stable number; Python's own hash differs from process to process."""
    return sum((i + 1) * ord(c) for i, c in enumerate(text)) % 1_000_003 + 1
