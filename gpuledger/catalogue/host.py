"""What a machine tells of itself, and what the agent tells of itself and its sources."""

from gpuledger.schema import (
    FOREVER,
    Additive,
    Counter,
    Gauge,
    Label,
    Number,
    Rollup,
    Row,
    Sample,
    Samples,
    Time,
    Versions,
    additive,
    counter,
    gauge,
    label,
    number,
    text,
    time,
)
from gpuledger.units import BASIS_POINT, BYTE, CENTI, COUNT, MEBI, MICRO, MILLI, RATIO, SECOND


class HostSample(Sample, table="host_samples", layout=Samples(key=("node",))):
    """One machine over one interval."""

    cpus: Gauge = gauge(COUNT, "processors online", bits=16)
    cpu_busy_ratio: Gauge = gauge(
        RATIO,
        "share of processor time that was not idle",
        step=BASIS_POINT,
        bits=16,
        keep=("mean", "max"),
    )
    cpu_iowait_ratio: Gauge = gauge(
        RATIO, "share of processor time spent waiting for I/O", step=BASIS_POINT, bits=16
    )
    load1: Gauge = gauge(COUNT, "load average of the last minute", step=CENTI)
    memory_total_bytes: Gauge = gauge(BYTE, "memory", step=MEBI)
    memory_available_bytes: Gauge = gauge(BYTE, "memory available without swapping", step=MEBI)
    cpu_pressure_seconds: Counter = counter(
        SECOND, "time in which some task waited for a processor (PSI)", step=MICRO
    )
    io_pressure_seconds: Counter = counter(
        SECOND, "time in which some task waited for I/O (PSI)", step=MICRO
    )
    memory_pressure_seconds: Counter = counter(
        SECOND, "time in which some task waited for memory (PSI)", step=MICRO
    )
    io_stall_seconds: Counter = counter(
        SECOND, "time in which every task waited for I/O (PSI full)", step=MICRO
    )
    memory_stall_seconds: Counter = counter(
        SECOND, "time in which every task waited for memory (PSI full)", step=MICRO
    )
    interrupt_stall_seconds: Counter = counter(
        SECOND, "time in which every task waited for interrupts (PSI, Linux 6.1)", step=MICRO
    )
    swap_used_bytes: Gauge = gauge(BYTE, "swap in use", step=MEBI)
    clock_error_seconds: Gauge = gauge(
        SECOND, "bound that the kernel holds for the clock's error (adjtimex)", step=MICRO
    )
    clock_synchronized: Gauge = gauge(COUNT, "1 while the clock is disciplined (NTP)", bits=8)


class SourceRun(
    Sample, table="source_runs", layout=Samples(key=("node", "source"), rollup=Rollup.NONE)
):
    """The agent's own account of one source."""

    source: Label = label("name of the source")
    runs: Additive = additive(COUNT, "readings made")
    failures: Additive = additive(COUNT, "readings that failed")
    rows: Additive = additive(COUNT, "rows read")
    duration_seconds: Gauge = gauge(
        SECOND, "time one reading took", step=MILLI, keep=("mean", "max")
    )
    reason: Label = text("why the last failure failed; empty when all is well", default="")


class CgroupSample(Sample, table="cgroup_samples", layout=Samples(key=("node", "runtime", "name"))):
    """One job, pod or container by its control group, over one interval."""

    runtime: Label = label("slurm, kubernetes, docker or podman")
    name: Label = text("job id, SLUID, pod UID or container id")
    cpu_seconds: Counter = counter(SECOND, "processor time used", step=MICRO)
    cpu_throttled_seconds: Counter = counter(SECOND, "time held back by the quota", step=MICRO)
    memory_bytes: Gauge = gauge(BYTE, "memory in use", step=MEBI, keep=("mean", "max"))
    memory_limit_bytes: Gauge = gauge(BYTE, "memory limit; missing = none", step=MEBI)
    out_of_memory_kills: Counter = counter(COUNT, "processes killed for lack of memory")
    read_bytes: Counter = counter(BYTE, "bytes read from block devices")
    write_bytes: Counter = counter(BYTE, "bytes written to block devices")
    cpu_pressure_seconds: Counter = counter(
        SECOND, "time in which some task waited for a processor (PSI)", step=MICRO
    )
    io_pressure_seconds: Counter = counter(
        SECOND, "time in which some task waited for I/O (PSI)", step=MICRO
    )
    memory_pressure_seconds: Counter = counter(
        SECOND, "time in which some task waited for memory (PSI)", step=MICRO
    )


class AgentSample(Sample, table="agent_samples", layout=Samples(key=("node",), rollup=Rollup.NONE)):
    """What the agent itself costs."""

    cpu_seconds: Counter = counter(SECOND, "processor time of all its processes", step=MILLI)
    memory_bytes: Gauge = gauge(BYTE, "proportional set size of all its processes", step=MEBI)
    waiting_entries: Gauge = gauge(COUNT, "batches that wait in the spool")
    waiting_bytes: Gauge = gauge(BYTE, "size of what waits in the spool", step=MEBI)
    oldest_waiting_seconds: Gauge = gauge(SECOND, "age of the oldest batch that waits", step=MILLI)


class SpoolLoss(
    Sample, table="spool_losses", layout=Samples(key=("node", "of"), rollup=Rollup.NONE)
):
    """Rows of one table that the agent's spool let go, since its file began."""

    of: Label = label("table whose rows they were")
    dropped_rows: Counter = counter(COUNT, "rows dropped for lack of room or for their age")
    rejected_rows: Counter = counter(COUNT, "rows that the store refused for good")


class MissingValue(
    Row,
    table="missing_values",
    layout=Versions(key=("cluster", "node", "source", "subject", "reading")),
):
    """Why a source has no value for a reading; an empty reason: it has one again."""

    cluster: Label = label("cluster name", default="")
    node: Label = label("node name", default="")
    source: Label = label("name of the source")
    subject: Label = text("device, mount or target", default="")
    reading: Label = label("column, file or call that has no value")
    reason: Label = label(
        "unsupported, lost, denied, timeout, saturated, unreadable or malformed; empty = read again"
    )
    detail: Label = text("what was said", default="")
    seen_at: Time = time("when it was found out", default=FOREVER)
    version: Number = number("trust of the source, then time", bits=64, default=0)
