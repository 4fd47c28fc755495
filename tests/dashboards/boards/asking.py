"""Questions of boards on a small book, and what that book has beside the world of all boards.

The last booked minute, findings, fragmentation, a waiting job, quotas and recommendations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from analytics import accounts
from dashboards import check
from dashboards.macros import expand
from dashboards.panel import Board
from gpuledger.batch import by_table
from gpuledger.catalogue import (
    Cell,
    CellHour,
    DemandMinute,
    Finding,
    FragmentationHour,
    Job,
    Quota,
    Recommendation,
)
from gpuledger.schema import Row
from gpuledger.store import Store
from tests.dashboards.world import CLUSTER, HOUR, NOTEBOOK, SINCE, STATES, UNTIL, fill

Rows = list[dict[str, Any]]
Expected = Mapping[str, Sequence[Mapping[str, Any]]]
LAST = HOUR + timedelta(minutes=29)
PENDING = f"{CLUSTER}/3"


def ask(
    store: Store, board: Board, title: str, *, width_s: int = 3600, **chosen: Sequence[str]
) -> Rows:
    """What a panel answers with points so wide; choices that are not named stand on All."""
    [panel] = [p for p in board.panels if p.title == title]
    variables = {v.name: chosen.get(v.name, ()) for v in board.variables}
    return store.select(expand(panel.sql, SINCE, UNTIL, width_s, variables))


def differences(store: Store, board: Board, expected: Expected) -> dict[str, object]:
    """Panels that answer with other rows than those told, as far as they are told."""
    wrong: dict[str, object] = {}
    for title, told in expected.items():
        assert sum(len(row) for row in told) >= 2
        found = ask(store, board, title)
        shown = [
            {n: row.get(n, "no such column") for n in t}
            for row, t in zip(found, told, strict=False)
        ]
        if len(found) != len(told) or not all(map(_same, shown, told)):
            wrong[title] = found
    return wrong


def _same(found: Mapping[str, Any], told: Mapping[str, Any]) -> bool:
    return all(
        found[name] == (pytest.approx(value) if isinstance(value, float) else value)
        for name, value in told.items()
    )


def defects(board: Board) -> list[str]:
    """What `dashboards check` says of the words, but for links to boards that it does not know."""
    found = [*check.words(board, {board.uid: board}), *check.thresholds(board)]
    return [f"{where}: {what}" for where, what in found if "no such board" not in what]


def fill_more(store: Store) -> None:
    """The world of all boards, and what these boards show beside it."""
    fill(store)
    for batch in by_table([*_minute(), *_findings(), *_fragmentation(), *_queue(), *_advice()]):
        store.insert(batch)


def _minute() -> list[Row]:
    """Minute 29, the last that was booked: as the half hour."""
    return [
        Cell(
            cluster=CLUSTER,
            gpu_id=gpu,
            minute=LAST,
            alloc_id=alloc,
            state=state,
            grade=grade,
            intensity_ratio=None,
            gpu_seconds=60,
            energy_joules=joules / 30,
        )
        for gpu, alloc, state, grade, joules in STATES
    ]


def found(kind: str, number: int, **told: Any) -> Finding:
    """A finding about the notebook that began with the hour, unless something else is told."""
    values: dict[str, Any] = {
        "subject": NOTEBOOK,
        "user": "ben",
        "team": "speech",
        "pool": "big",
        "since": HOUR,
        "until": HOUR + timedelta(minutes=30),
        "open": 1,
        "gpus": 1,
        "gpu_seconds": 1800.0,
        "capacity_value": 2.0,
        "currency": "EUR",
        "cash_avoidable": 0.1,
        "grade": "B",
        "cause": "",
        "owner": "job owner",
        "action": f"Mend {kind}.",
        "confidence_ratio": 0.9,
        "summary": f"{kind} of {number}",
        "evidence": "SELECT 1",
    }
    return Finding(kind=kind, finding_id=number, version=number, **{**values, **told})


def _findings() -> list[Row]:
    day = timedelta(days=1)
    before: dict[str, datetime] = {"since": HOUR - day, "until": HOUR - day + timedelta(hours=1)}
    over: dict[str, Any] = {**before, "open": 0, "gpu_seconds": 3600.0, "capacity_value": 4.0}
    place = {"subject": f"{CLUSTER}/small", "user": "", "team": "", "pool": "small"}
    return [
        found("idle", 1, cause="memory_held"),
        found("idle", 2, cause="memory_held", **over),
        found("notebook", 3, cause="interactive", gpu_seconds=1200.0),
        found("partial_idle", 4, gpu_seconds=600.0),
        found("underused", 5, cause="small_batch", gpu_seconds=900.0),
        found("islands", 6, **{**place, "gpu_seconds": 7200.0, "gpus": 2}),
        found("queue_starvation", 7, subject=f"{CLUSTER}/vision", team="vision", gpus=3),
    ]


def _fragmentation() -> list[Row]:
    common: dict[str, Any] = {
        "cluster": CLUSTER,
        "pool": "small",
        "lacks_cpu_gpus": 0.0,
        "lacks_both_gpus": 0.0,
        "crumbs_gpus": 0.0,
        "wrong_model_gpus": 0.0,
        "no_gpu_asked_gpus": 0.0,
        "version": 1,
    }
    return [
        FragmentationHour(
            hour=hour,
            node=node,
            nodes=1,
            gpus=2,
            free_gpus=free,
            whole_gpus=int(free),
            fragmented_gpus=free / 2,
            lacks_gpu_gpus=free / 2,
            largest_gpus=int(free),
            largest_repacked_gpus=2,
            slots_1=int(free),
            repacked_1=2,
            **common,
        )
        for hour, free in ((HOUR - timedelta(hours=1), 2.0), (HOUR, 1.0))
        for node in ("", "n2")
    ]


def _queue() -> list[Row]:
    waits = Job(
        job_id=PENDING,
        cluster=CLUSTER,
        name="big train",
        user="ana",
        team="vision",
        pool="big",
        state="pending",
        reason="Resources",
        nodes=2,
        gpus_per_node=8,
        memory_bytes=None,
        submitted=HOUR - timedelta(hours=1),
        eligible=HOUR,
        seen_at=HOUR + timedelta(minutes=20),
        version=1,
    )
    quotas = [
        Quota(
            cluster=CLUSTER,
            scheduler="slurm",
            team=team,
            guaranteed_milli=milli,
            seen_at=HOUR,
            version=1,
        )
        for team, milli in (("vision", 3000), ("speech", 500), ("bio", 500))
    ]
    wanted = DemandMinute(
        cluster=CLUSTER,
        pool="small",
        minute=HOUR,
        unmet_seconds=1800,
        refused_seconds=900,
        jobs=1,
    )
    return [waits, *quotas, wanted]


def _advice() -> list[Row]:
    return [
        Recommendation(
            recommendation_id=number,
            finding_id=1,
            kind=kind,
            subject=NOTEBOOK,
            user="ben",
            team="speech",
            status=status,
            title=f"Do {kind}",
            command="",
            gain_gpu_hours=6.0,
            gain_capacity_value=24.0,
            gain_cash_avoidable=1.2,
            currency="EUR",
            horizon_seconds=21_600,
            confidence_ratio=0.9,
            because="idle",
            created=HOUR,
            version=1,
        )
        for number, kind, status in (
            (11, "reclaim", "proposed"),
            (12, "rightsize", "dismissed"),
            (13, "repack", "proposed"),
            (14, "quota", "proposed"),
        )
    ]


def book_again(store: Store, cells: Sequence[CellHour]) -> None:
    """Replace hours of the book by others, and add it up anew."""
    for cell in cells:
        store.command(
            f"ALTER TABLE ledger_1h DELETE WHERE gpu_id = {cell.gpu_id} SETTINGS mutations_sync = 1"
        )
    for batch in by_table(cells):
        store.insert(batch)
    accounts.write(store, [HOUR.date()])
