"""Every table of gpuledger, declared once."""

from gpuledger.catalogue.access import ApiToken, ApiTokenUse, AuditEntry
from gpuledger.catalogue.account import AccountDay, AccountHour, Adjustment, FreeBlock
from gpuledger.catalogue.backfill import BackfillChunk
from gpuledger.catalogue.change import Change
from gpuledger.catalogue.demand import DemandMinute, RecoverableHour, RecoverableMinute
from gpuledger.catalogue.experiment import ExperimentRun
from gpuledger.catalogue.forecast import Forecast
from gpuledger.catalogue.forgotten import Forgotten
from gpuledger.catalogue.fragmentation import FragmentationHour
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
from gpuledger.catalogue.job_team import JobTeam
from gpuledger.catalogue.learned import JobClass, JobStat, PowerFloor, StartupTime
from gpuledger.catalogue.lease import LeaseTurn
from gpuledger.catalogue.money import BillLine, PriceEntry, Rate
from gpuledger.catalogue.network import NetworkSample, TcpSample
from gpuledger.catalogue.people import (
    AssetState,
    Exemption,
    NodeOwner,
    Person,
    Service,
    Team,
)
from gpuledger.catalogue.progress import ProgressSample
from gpuledger.catalogue.report import ReportDelivery, ReportNote, ReportPage, ReportSnapshot
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
    Occupancy,
    Outcome,
    Recommendation,
    RecommendationEvent,
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
    ProgressSample,
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
    PriceEntry,
    BillLine,
    Rate,
    Team,
    Person,
    Exemption,
    Service,
    AssetState,
    NodeOwner,
    Change,
    PowerFloor,
    StartupTime,
    JobStat,
    JobClass,
    Forecast,
    FragmentationHour,
    ExperimentRun,
    FreeState,
    DemandMinute,
    RecoverableMinute,
    RecoverableHour,
    Occupancy,
    Cell,
    CellHour,
    AccountHour,
    AccountDay,
    Adjustment,
    FreeBlock,
    BookedHour,
    Finding,
    Recommendation,
    RecommendationEvent,
    Outcome,
    AlertState,
    Notification,
    LeaseTurn,
    ReportSnapshot,
    ReportPage,
    ReportNote,
    ReportDelivery,
    ApiToken,
    ApiTokenUse,
    AuditEntry,
    JobTeam,
    Forgotten,
)

TABLES: dict[str, Table] = {row.table.name: row.table for row in ROWS}

# What happened to the service itself: nobody may send it such rows.
_OF_THE_SERVICE = {
    row.table.name for row in (Notification, Quarantine, Change, LeaseTurn, AuditEntry)
}
# What collectors may send; everything else is computed or configured on the server's side.
INGESTED: tuple[Table, ...] = (
    *(
        t
        for t in TABLES.values()
        if isinstance(t.layout, Samples | Events) and t.name not in _OF_THE_SERVICE
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
    "Adjustment",
    "AgentSample",
    "AlertState",
    "Allocation",
    "ApiToken",
    "ApiTokenUse",
    "Asset",
    "AssetState",
    "AuditEntry",
    "BackfillChunk",
    "BillLine",
    "BlockSample",
    "BookedHour",
    "Cell",
    "CellHour",
    "CgroupSample",
    "Change",
    "DemandMinute",
    "Exemption",
    "ExperimentRun",
    "FilesystemSample",
    "Finding",
    "Forecast",
    "Forgotten",
    "FragmentationHour",
    "FreeBlock",
    "FreeState",
    "Gpu",
    "GpuEvent",
    "GpuHealth",
    "GpuLink",
    "GpuSample",
    "HostSample",
    "Job",
    "JobClass",
    "JobStat",
    "JobTeam",
    "LeaseTurn",
    "MissingValue",
    "NetfsSample",
    "NetworkSample",
    "NodeOwner",
    "NodeState",
    "Notification",
    "NvmeSample",
    "ObjectStoreSample",
    "Occupancy",
    "Outcome",
    "Person",
    "Pool",
    "PowerFloor",
    "Price",
    "PriceEntry",
    "ProcessSample",
    "ProgressSample",
    "Quarantine",
    "QueueSample",
    "Quota",
    "Rate",
    "Recommendation",
    "RecommendationEvent",
    "RecoverableHour",
    "RecoverableMinute",
    "ReportDelivery",
    "ReportNote",
    "ReportPage",
    "ReportSnapshot",
    "Reservation",
    "Service",
    "ServingSample",
    "SliceSample",
    "SourceRun",
    "SpoolLoss",
    "StartupTime",
    "TcpSample",
    "Team",
    "table",
]
