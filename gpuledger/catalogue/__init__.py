"""Every table of gpuledger, declared once."""

from gpuledger.catalogue.account import AccountDay, AccountHour, FreeBlock
from gpuledger.catalogue.backfill import BackfillChunk
from gpuledger.catalogue.gpu import GpuEvent, GpuHealth, GpuSample, ProcessSample, SliceSample
from gpuledger.catalogue.host import (
    AgentSample,
    CgroupSample,
    HostSample,
    MissingValue,
    SourceRun,
    SpoolLoss,
)
from gpuledger.catalogue.ingest import Quarantine
from gpuledger.catalogue.network import NetworkSample, TcpSample
from gpuledger.catalogue.storage import (
    BlockSample,
    FilesystemSample,
    NetfsSample,
    NvmeSample,
    ObjectStoreSample,
)
from gpuledger.catalogue.verdict import (
    AlertState,
    BookedHour,
    Cell,
    CellHour,
    Finding,
    FreeState,
    Notification,
    Recommendation,
)
from gpuledger.catalogue.work import (
    Allocation,
    Asset,
    Gpu,
    GpuLink,
    Job,
    NodeState,
    Pool,
    Price,
    QueueSample,
    Quota,
    Reservation,
    ServingSample,
)
from gpuledger.errors import ConfigError, nearest
from gpuledger.schema import Events, Row, Samples, Table

ROWS: tuple[type[Row], ...] = (
    GpuSample,
    SliceSample,
    GpuHealth,
    ProcessSample,
    GpuEvent,
    HostSample,
    CgroupSample,
    NetworkSample,
    TcpSample,
    BlockSample,
    NvmeSample,
    FilesystemSample,
    NetfsSample,
    ObjectStoreSample,
    ServingSample,
    QueueSample,
    SourceRun,
    AgentSample,
    SpoolLoss,
    Quarantine,
    BackfillChunk,
    MissingValue,
    Asset,
    Gpu,
    GpuLink,
    Allocation,
    Job,
    NodeState,
    Pool,
    Reservation,
    Quota,
    Price,
    FreeState,
    Cell,
    CellHour,
    AccountHour,
    AccountDay,
    FreeBlock,
    BookedHour,
    Finding,
    Recommendation,
    AlertState,
    Notification,
)

TABLES: dict[str, Table] = {row.table.name: row.table for row in ROWS}

# What collectors may send; everything else is computed or configured on the server's side.
INGESTED: tuple[Table, ...] = (
    *(
        t
        for t in TABLES.values()
        if isinstance(t.layout, Samples | Events)
        and t.name not in {"notifications", Quarantine.table.name}
    ),
    MissingValue.table,
    Gpu.table,
    GpuLink.table,
    Allocation.table,
    Job.table,
    NodeState.table,
    Pool.table,
    Reservation.table,
    Quota.table,
)


def table(name: str) -> Table:
    """The table of that name. ConfigError offers the nearest name."""
    if name not in TABLES:
        raise ConfigError(f"unknown table '{name}'{nearest(name, TABLES)}")
    return TABLES[name]


__all__ = [
    "INGESTED",
    "ROWS",
    "TABLES",
    "AccountDay",
    "AccountHour",
    "AgentSample",
    "AlertState",
    "Allocation",
    "Asset",
    "BackfillChunk",
    "BlockSample",
    "BookedHour",
    "Cell",
    "CellHour",
    "CgroupSample",
    "FilesystemSample",
    "Finding",
    "FreeBlock",
    "FreeState",
    "Gpu",
    "GpuEvent",
    "GpuHealth",
    "GpuLink",
    "GpuSample",
    "HostSample",
    "Job",
    "MissingValue",
    "NetfsSample",
    "NetworkSample",
    "NodeState",
    "Notification",
    "NvmeSample",
    "ObjectStoreSample",
    "Pool",
    "Price",
    "ProcessSample",
    "Quarantine",
    "QueueSample",
    "Quota",
    "Recommendation",
    "Reservation",
    "ServingSample",
    "SliceSample",
    "SourceRun",
    "SpoolLoss",
    "TcpSample",
    "table",
]
