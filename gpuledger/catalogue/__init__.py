"""Every table of gpuledger, declared once."""

from gpuledger.catalogue.gpu import GpuEvent, GpuSample, ProcessSample
from gpuledger.catalogue.host import HostSample, SourceRun
from gpuledger.catalogue.network import NetworkSample
from gpuledger.catalogue.storage import BlockSample, FilesystemSample
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
from gpuledger.catalogue.work import Allocation, Asset, Gpu, Job, NodeState, Price
from gpuledger.errors import ConfigError, nearest
from gpuledger.schema import Events, Row, Samples, Table

ROWS: tuple[type[Row], ...] = (
    GpuSample,
    ProcessSample,
    GpuEvent,
    HostSample,
    NetworkSample,
    BlockSample,
    FilesystemSample,
    SourceRun,
    Asset,
    Gpu,
    Allocation,
    Job,
    NodeState,
    Price,
    FreeState,
    Cell,
    CellHour,
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
        if isinstance(t.layout, Samples | Events) and t.name != "notifications"
    ),
    Gpu.table,
    Allocation.table,
    Job.table,
    NodeState.table,
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
    "AlertState",
    "Allocation",
    "Asset",
    "BlockSample",
    "BookedHour",
    "Cell",
    "CellHour",
    "FilesystemSample",
    "Finding",
    "FreeState",
    "Gpu",
    "GpuEvent",
    "GpuSample",
    "HostSample",
    "Job",
    "NetworkSample",
    "NodeState",
    "Notification",
    "Price",
    "ProcessSample",
    "Recommendation",
    "SourceRun",
    "table",
]
