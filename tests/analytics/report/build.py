"""Books by hand: assets, jobs and hours of one small cluster, written like the analytics do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from analytics import accounts
from analytics.report import weeks
from analytics.report.weekly import WeeklyReport, collect
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
    Outcome,
    Price,
    Recommendation,
    RecommendationEvent,
)
from gpuledger.schema import Row
from gpuledger.service import Reader
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
    # Hours booked since the last writing, and how often it was written.
    fresh: set[datetime] = field(default_factory=set)
    written: int = 0

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
            self.own(at, 3600.0)
            energy = None if watts is None else watts * 3600
            self.rows.append(CellHour(hour=at, gpu_seconds=3600.0, energy_joules=energy, **cell))
            minute = {"minute": at, "gpu_seconds": 60.0, "intensity_ratio": None}
            self.minutes.setdefault(at.date(), []).append(
                Cell(energy_joules=None, **minute, **cell)
            )

    def own(self, at: datetime, seconds: float) -> None:
        """Own more GPU-seconds in an hour, booked or not."""
        self.owned[at] = self.owned.get(at, 0.0) + seconds
        self.fresh.add(at)

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

    def recommend(self, title: str, gain: float | None, kind: str = "reclaim", **more: Any) -> None:
        more = {
            "team": "vision",
            "user": "ada",
            "status": "proposed",
            "because": "it is idle",
            "created": MONDAY,
            "horizon_seconds": 7 * 86_400,
            "gain_capacity_value": None if gain is None else gain * 2,
            "currency": "EUR",
            **more,
        }
        self.rows.append(
            Recommendation(
                recommendation_id=hash_of(title),
                finding_id=1,
                kind=kind,
                subject=title,
                title=title,
                gain_gpu_hours=gain,
                gain_cash_avoidable=None,
                confidence_ratio=0.85,
                version=1,
                **more,
            )
        )

    def decide(
        self, title: str, status: str, at: datetime, turn: int = 1, reason: str = ""
    ) -> None:
        self.rows.append(
            RecommendationEvent(
                recommendation_id=hash_of(title),
                turn=turn,
                decision=turn,
                status=status,
                kind="reclaim",
                mutes=1,
                by="bob",
                reason=reason,
                at=at,
                version=turn,
            )
        )

    def outcome(self, title: str, won: float | None, at: datetime, reason: str = "") -> None:
        self.rows.append(
            Outcome(
                recommendation_id=hash_of(title),
                kind="reclaim",
                subject="alpha/1",
                team="vision",
                status="not_measurable" if reason else "measured",
                reason=reason,
                measured_gpu_hours=won,
                low_gpu_hours=None if won is None else won * 0.8,
                high_gpu_hours=None if won is None else won * 1.1,
                matched_before=40,
                matched_after=40,
                accepted=at - WEEK,
                applied=at - WEEK,
                measured=at,
                version=1,
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
        """Write what was added since the last time; of an hour told of again the new sum counts."""
        self.written += 1
        for at in self.fresh:
            self.rows.append(
                BookedHour(
                    hour=at,
                    fingerprint=1,
                    booked_until=at + HOUR,
                    owned_seconds=self.owned[at],
                    booked_at=at + HOUR,
                    version=self.written,
                )
            )
        for batch in by_table(self.rows):
            self.store.insert(batch)
        for day in self.minutes.values():
            self.store.insert_rows(day)
        for days in neighbours(sorted({at.date() for at in self.fresh})):
            accounts.write(self.store, days)
        for told in (self.rows, self.minutes, self.fresh):
            told.clear()


def report_of(fleet: Fleet, reader: Reader | None = None) -> WeeklyReport:
    """The report on 2026-W47 of the fleet, as its store or another reader of it answers."""
    fleet.write()
    return collect(reader or fleet.store, *weeks.bounds("2026-W47"))


def neighbours(days: list[date]) -> Iterator[list[date]]:
    """Days in order as runs without a gap, which the accounts write at once; a month at most."""
    begins = 0
    for i in range(1, len(days) + 1):
        last = days[i - 1]
        if i == len(days) or days[i] - last > timedelta(days=1) or i - begins == 30:
            yield days[begins:i]
            begins = i


def hours_from(since: datetime, count: int) -> Iterator[datetime]:
    return (since + i * HOUR for i in range(count))


def hash_of(text: str) -> int:
    """A stable number, and so is its short form; Python's hash differs by process."""
    return sum((i + 1) * ord(c) for i, c in enumerate(text)) % 1_000_003 + 1 << 40
