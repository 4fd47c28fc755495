"""What a GPU tells: samples, processes, events."""

from gpuledger.schema import (
    Additive,
    Bits,
    Codec,
    Counter,
    Events,
    Gauge,
    Label,
    Number,
    Row,
    Sample,
    Samples,
    Time,
    additive,
    bits,
    counter,
    gauge,
    ident,
    label,
    number,
    text,
    time,
)
from gpuledger.units import (
    BASIS_POINT,
    BYTE,
    CELSIUS,
    CENTI,
    COUNT,
    HERTZ,
    JOULE,
    MEBI,
    MEGA,
    MILLI,
    RATIO,
    SECOND,
    WATT,
)


class GpuSample(Sample, table="gpu_samples", layout=Samples(key=("node", "slot"))):
    """One GPU over one interval."""

    slot: Number = number("minor number of the device, the N of /dev/nvidiaN", bits=16)
    gpu_id: Number = ident("hash of the asset, see gpuledger.identity", default=0)
    uuid: Label = label("UUID as NVML gives it")
    utilization_ratio: Gauge = gauge(
        RATIO, "share of time in which a kernel ran", step=CENTI, bits=8, codec=Codec.PLATEAU
    )
    memory_utilization_ratio: Gauge = gauge(
        RATIO,
        "share of time in which memory was read or written",
        step=CENTI,
        bits=8,
        codec=Codec.PLATEAU,
    )
    sm_active_ratio: Gauge = gauge(
        RATIO, "share of multiprocessors with a warp resident (GPM)", step=BASIS_POINT, bits=16
    )
    tensor_active_ratio: Gauge = gauge(
        RATIO, "share of cycles in which tensor pipes were active (GPM)", step=BASIS_POINT, bits=16
    )
    dram_active_ratio: Gauge = gauge(
        RATIO, "share of memory bandwidth in use (GPM)", step=BASIS_POINT, bits=16
    )
    active_seconds: Additive = additive(
        SECOND, "time with SM (else utilization) of at least 1 %", step=MILLI
    )
    lost_seconds: Additive = additive(
        SECOND, "time in which the device was lost or asked for a reset", step=MILLI
    )
    memory_used_bytes: Gauge = gauge(
        BYTE, "device memory in use", step=MEBI, keep=("mean", "max"), codec=Codec.PLATEAU
    )
    memory_total_bytes: Gauge = gauge(BYTE, "device memory", step=MEBI, codec=Codec.PLATEAU)
    power_watts: Gauge = gauge(WATT, "board power draw", step=MILLI, keep=("mean", "max"))
    power_limit_watts: Gauge = gauge(WATT, "enforced power limit", step=MILLI, codec=Codec.PLATEAU)
    energy_joules: Counter = counter(JOULE, "energy drawn", step=MILLI)
    temperature_celsius: Gauge = gauge(
        CELSIUS, "GPU temperature", bits=8, keep=("mean", "max"), codec=Codec.SMOOTH
    )
    memory_temperature_celsius: Gauge = gauge(
        CELSIUS, "memory temperature", bits=8, keep=("mean", "max"), codec=Codec.SMOOTH
    )
    sm_clock_hertz: Gauge = gauge(HERTZ, "SM clock", step=MEGA, bits=16, codec=Codec.CLOCK)
    memory_clock_hertz: Gauge = gauge(
        HERTZ, "memory clock", step=MEGA, bits=16, codec=Codec.PLATEAU
    )
    throttle_reasons: Bits = bits("clock event reasons seen, NVML's bit mask")
    processes: Gauge = gauge(
        COUNT,
        "compute processes on the device",
        bits=16,
        keep=("mean", "max"),
        codec=Codec.PLATEAU,
    )


class ProcessSample(
    Sample, table="process_samples", layout=Samples(key=("node", "slot", "pid"), rollup=False)
):
    """One process on one GPU; never its arguments or environment."""

    slot: Number = number("minor number of the device", bits=16)
    gpu_id: Number = ident("hash of the asset", default=0)
    pid: Number = number("process id as the host counts")
    user: Label = label("user name; empty when it cannot be known")
    executable: Label = label("base name of the executable; empty when it cannot be known")
    started: Time = time("start of the process")
    memory_used_bytes: Gauge = gauge(BYTE, "device memory of the process", step=MEBI)


class GpuEvent(Row, table="gpu_events", layout=Events(key=("node", "slot", "kind"))):
    """Something that happened to a GPU."""

    ts: Time = time("when it happened")
    cluster: Label = label("cluster name", default="")
    node: Label = label("node name", default="")
    slot: Number = number("minor number of the device", bits=16)
    gpu_id: Number = ident("hash of the asset", default=0)
    kind: Label = label("lost, recovered")
    code: Number = number("return code or XID", default=0)
    detail: Label = text("what was said", default="")
