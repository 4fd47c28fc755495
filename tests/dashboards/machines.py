"""What machines told in the hour of the small world: telemetry, errors, and our own parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from dashboards.macros import expand
from dashboards.panel import Board
from gpuledger.batch import by_table
from gpuledger.catalogue import (
    AgentSample,
    BlockSample,
    FilesystemSample,
    Finding,
    Gpu,
    GpuEvent,
    GpuHealth,
    GpuSample,
    HostSample,
    MissingValue,
    NetfsSample,
    NetworkSample,
    NodeState,
    Quarantine,
    SourceRun,
    SpoolLoss,
)
from gpuledger.schema import REQUIRED, Row, Sample
from gpuledger.store import Store
from tests.dashboards.world import BROKEN, CLUSTER, HOUR, NOTEBOOK, SINCE, UNTIL, fill

MINUTES = 4
GIB = float(1 << 30)


def sample(kind: type[Sample], minute: int, node: str, /, **values: Any) -> Row:
    """A row about the minute before `HOUR` + `minute`; what is not said is not known."""
    named = {f.visible: f for f in kind.table.fields}
    unset = {
        column.name: None
        for column in kind.table.columns
        if column.default is REQUIRED and column.name not in {"ts", "interval_seconds"}
    }
    assert set(values) <= {*unset, *named, *(c.name for c in kind.table.columns)}
    told = {"cluster": CLUSTER, "node": node} if "node" in named else {"cluster": CLUSTER}
    at = HOUR + timedelta(minutes=minute)
    return kind(ts=at, interval_seconds=60, **{**unset, **told, **values})


def fill_machines(store: Store) -> None:
    """The small world, and four minutes of its machines."""
    fill(store)
    for batch in by_table([*_machines(), *_facts(), *_own()]):
        store.insert(batch)


def is_filled(store: Store) -> bool:
    """Whether it holds that world, as it was filled."""
    rows = 2 * 2 * MINUTES
    return bool(store.value("SELECT count() FROM gpu_samples WHERE uuid LIKE 'GPU-n%'") == rows)


def _machines() -> list[Row]:
    return [row for n in range(1, MINUTES + 1) for node in ("n1", "n2") for row in _minute(n, node)]


def _minute(n: int, node: str) -> list[Row]:
    gpus = [
        sample(
            GpuSample,
            n,
            node,
            slot=slot,
            uuid=f"GPU-{node}-{slot}",
            utilization_ratio=0.9 - 0.8 * slot,
            sm_active_ratio=0.5 if slot == 0 else None,
            power_watts=300.0 + 100 * slot,
            power_limit_watts=700.0,
            temperature_celsius=60 + slot,
            memory_used_bytes=40 * GIB,
            thermal_throttle_seconds=6.0 * n,
        )
        for slot in (0, 1)
    ]
    health = sample(
        GpuHealth,
        n,
        node,
        slot=1,
        uuid=f"GPU-{node}-1",
        ecc_uncorrected_errors=3 * n if node == "n2" else 0,
        remap_pending=1 if node == "n2" else 0,
        nvlinks=18,
        nvlinks_up=17 if node == "n2" else 18,
    )
    host = sample(
        HostSample,
        n,
        node,
        cpu_busy_ratio=0.25,
        cpu_iowait_ratio=0.05,
        memory_total_bytes=100 * GIB,
        memory_available_bytes=60 * GIB,
    )
    return [*gpus, health, host, *_reached(n, node)]


def _reached(n: int, node: str) -> list[Row]:
    """A disk, a port (that of n2 is down half of the time), and filesystems."""
    disk = sample(
        BlockSample,
        n,
        node,
        device="nvme0n1",
        reads=100 * n,
        writes=100 * n,
        read_seconds=0.3 * n,
        write_seconds=0.1 * n,
        read_bytes=6000 * n,
        write_bytes=0,
    )
    port = sample(
        NetworkSample,
        n,
        node,
        device="mlx5_0/1",
        kind="infiniband",
        up_ratio=0.5 if node == "n2" else 1.0,
        speed_bytes_per_second=50e9,
        receive_bytes=60_000 * n,
        transmit_bytes=120_000 * n,
        symbol_errors=7 * n if node == "n2" else 0,
    )
    return [disk, port, *_mounted(n, node)]


def _mounted(n: int, node: str) -> list[Row]:
    """A network filesystem, and a local one that is three quarters full."""
    home = sample(
        NetfsSample,
        n,
        node,
        kind="nfs",
        mount="/home",
        operation="read",
        operations=10 * n,
        total_seconds=0.5 * n,
        read_bytes=600 * n,
        write_bytes=0,
    )
    scratch = sample(
        FilesystemSample,
        n,
        node,
        mount="/scratch",
        device="/dev/nvme0n1",
        filesystem="xfs",
        size_bytes=100 * GIB,
        available_bytes=25 * GIB,
        inodes=1000,
        inodes_free=900,
    )
    return [home, scratch]


def _facts() -> list[Row]:
    lost = GpuEvent(
        ts=HOUR + timedelta(minutes=1),
        cluster=CLUSTER,
        node="n2",
        slot=1,
        gpu_id=BROKEN,
        kind="xid",
        code=79,
        cause="hardware",
        recovery="reset",
        count=4,
        detail="fell off the bus",
    )
    state = NodeState(
        cluster=CLUSTER,
        node="n2",
        scheduler="slurm",
        state="drained",
        reason="XID 79",
        gpus=2,
        memory_bytes=None,
        valid_from=HOUR,
        seen_at=HOUR,
        version=1,
    )
    card = Gpu(
        gpu_id=BROKEN,
        cluster=CLUSTER,
        node="n2",
        slot=1,
        uuid="GPU-n2-1",
        driver="570.1",
        rack="r7",
        memory_bytes=None,
        version=1,
    )
    return [lost, state, card, _found("sick_gpu", f"{CLUSTER}/n2/1"), _found("idle", NOTEBOOK)]


def _found(kind: str, subject: str) -> Finding:
    return Finding(
        finding_id=len(kind),
        kind=kind,
        subject=subject,
        since=HOUR,
        until=HOUR + timedelta(minutes=30),
        open=1,
        gpus=1,
        gpu_seconds=1800.0,
        capacity_value=2.0,
        cash_avoidable=None,
        grade="A",
        cause="device_lost" if kind == "sick_gpu" else "memory_held",
        owner="hardware operations",
        action="Replace it.",
        confidence_ratio=0.9,
        summary=f"{kind} of {subject}",
        evidence="SELECT 1",
        version=1,
    )


def _own() -> list[Row]:
    runs = [
        sample(
            SourceRun,
            minute,
            node,
            source="nvml",
            runs=60,
            failures=15 if node == "n2" else 0,
            rows=60,
            duration_seconds=0.004,
            reason="denied" if node == "n2" else "",
        )
        for node, minute in (("n1", 30), ("n2", 4))
    ]
    spool = [
        sample(SpoolLoss, n, "n2", of="gpu_samples", dropped_rows=50 * n, rejected_rows=0)
        for n in (1, 2)
    ]
    agent = [
        sample(
            AgentSample,
            n,
            "n1",
            cpu_seconds=6.0 * n,
            memory_bytes=20 * GIB / 1024,
            waiting_entries=2,
            oldest_waiting_seconds=30.0 * n,
        )
        for n in (1, 2)
    ]
    aside = Quarantine(
        ts=HOUR, cluster=CLUSTER, node="n2", of="gpu_samples", reason="future", rows=12, body=""
    )
    missing = MissingValue(
        cluster=CLUSTER,
        node="n1",
        source="nvml",
        reading="sm_active_ratio",
        reason="denied",
        detail="no permission",
        seen_at=HOUR,
        version=1,
    )
    return [*runs, *spool, *agent, aside, missing]


class Asked:
    """The answers of a board over the hour of the small world."""

    def __init__(
        self, board: Board, store: Store, since: datetime = SINCE, until: datetime = UNTIL
    ) -> None:
        self.board, self.store, self.since, self.until = board, store, since, until

    def all(self, title: str, **chosen: Sequence[str]) -> list[dict[str, Any]]:
        """Rows of the panel with that title; without a choice, everything is chosen."""
        panel = next(p for p in self.board.panels if p.title == title)
        variables: Mapping[str, Sequence[str]] = {
            **{v.name: () for v in self.board.variables},
            **chosen,
        }
        width = panel.point_s(self.since, self.until)
        sql = expand(panel.sql, self.since, self.until, width, variables)
        return [dict(row) for row in self.store.select(sql)]

    def one(self, title: str, **chosen: Sequence[str]) -> dict[str, Any]:
        """The only row."""
        [row] = self.all(title, **chosen)
        return row
