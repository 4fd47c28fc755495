"""What a machine tells of itself, and what the agent tells of its sources."""

from gpuledger.schema import (
    Additive,
    Counter,
    Gauge,
    Label,
    Sample,
    Samples,
    additive,
    counter,
    gauge,
    label,
    text,
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


class SourceRun(Sample, table="source_runs", layout=Samples(key=("node", "source"), rollup=False)):
    """The agent's own account of one source."""

    source: Label = label("name of the source")
    runs: Additive = additive(COUNT, "readings made in the interval")
    failures: Additive = additive(COUNT, "readings that failed in the interval")
    rows: Additive = additive(COUNT, "rows read in the interval")
    duration_seconds: Gauge = gauge(
        SECOND, "time one reading took", step=MILLI, keep=("mean", "max")
    )
    reason: Label = text("why the last failure failed; empty when all is well", default="")
