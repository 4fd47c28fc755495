"""What a GPU tells: samples, processes, events."""

from gpuledger.schema import (
    Additive,
    Bits,
    Codec,
    Counter,
    Events,
    Gauge,
    Holds,
    Label,
    Number,
    Rollup,
    Row,
    Sample,
    Samples,
    Time,
    Writers,
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
    BYTE_PER_SECOND,
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

# Who is believed first where several tell of one GPU: our agent, then NVIDIA's exporter, then
# whoever else has a mapping.
WRITERS = Writers("source", order=("nvml", "dcgm-exporter"))


class GpuSample(
    Sample,
    table="gpu_samples",
    layout=Samples(key=("node", "slot"), rollup=Rollup.DAYS, writers=WRITERS),
):
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
    sm_occupancy_ratio: Gauge = gauge(
        RATIO, "warps resident as share of the most that fit (GPM)", step=BASIS_POINT, bits=16
    )
    tensor_active_ratio: Gauge = gauge(
        RATIO, "share of cycles in which tensor pipes were active (GPM)", step=BASIS_POINT, bits=16
    )
    dram_active_ratio: Gauge = gauge(
        RATIO, "share of memory bandwidth in use (GPM)", step=BASIS_POINT, bits=16
    )
    graphics_active_ratio: Gauge = gauge(
        RATIO,
        "share of time in which the graphics or compute engine was active (GPM)",
        step=BASIS_POINT,
        bits=16,
    )
    fp16_active_ratio: Gauge = gauge(
        RATIO, "share of cycles in which the FP16 pipe was active (GPM)", step=BASIS_POINT, bits=16
    )
    fp32_active_ratio: Gauge = gauge(
        RATIO, "share of cycles in which the FP32 pipe was active (GPM)", step=BASIS_POINT, bits=16
    )
    fp64_active_ratio: Gauge = gauge(
        RATIO, "share of cycles in which the FP64 pipe was active (GPM)", step=BASIS_POINT, bits=16
    )
    hmma_active_ratio: Gauge = gauge(
        RATIO, "share of cycles with half-precision tensor work (GPM)", step=BASIS_POINT, bits=16
    )
    imma_active_ratio: Gauge = gauge(
        RATIO, "share of cycles with integer tensor work (GPM)", step=BASIS_POINT, bits=16
    )
    encoder_ratio: Gauge = gauge(
        RATIO, "use of the video encoder", step=CENTI, bits=8, codec=Codec.PLATEAU
    )
    decoder_ratio: Gauge = gauge(
        RATIO, "use of the video decoder", step=CENTI, bits=8, codec=Codec.PLATEAU
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
    power_throttle_seconds: Counter = counter(
        SECOND, "time in which clocks were held down to keep the power limit", step=MILLI
    )
    thermal_throttle_seconds: Counter = counter(
        SECOND, "time in which clocks were held down by heat", step=MILLI
    )
    brake_throttle_seconds: Counter = counter(
        SECOND, "time in which an external power brake held clocks down", step=MILLI
    )
    pcie_receive_bytes: Counter = counter(BYTE, "bytes received over PCIe")
    pcie_transmit_bytes: Counter = counter(BYTE, "bytes sent over PCIe")
    nvlink_receive_bytes: Counter = counter(BYTE, "bytes received over all NVLinks")
    nvlink_transmit_bytes: Counter = counter(BYTE, "bytes sent over all NVLinks")
    processes: Gauge = gauge(
        COUNT,
        "compute processes on the device",
        bits=16,
        keep=("mean", "max"),
        codec=Codec.PLATEAU,
    )
    source: Label = label("who read it: nvml, or the mapping of a scraped exporter", default="nvml")


class SliceSample(
    Sample,
    table="slice_samples",
    layout=Samples(key=("node", "slot", "uuid"), writers=WRITERS),
):
    """One MIG slice over one interval; the card as a whole is a row of gpu_samples."""

    slot: Number = number("minor number of the card", bits=16)
    uuid: Label = label("UUID of the slice, which begins with MIG-")
    gpu_id: Number = ident("hash of the card's asset", default=0)
    profile: Label = label("shape of the slice, e.g. 1g.10gb", default="")
    gpu_instance: Number = number("GPU instance id", bits=16)
    compute_instance: Number = number("compute instance id", bits=16)
    sm_active_ratio: Gauge = gauge(
        RATIO,
        "share of the slice's multiprocessors with a warp resident (GPM)",
        step=BASIS_POINT,
        bits=16,
    )
    sm_occupancy_ratio: Gauge = gauge(
        RATIO, "warps resident as share of the most that fit (GPM)", step=BASIS_POINT, bits=16
    )
    tensor_active_ratio: Gauge = gauge(
        RATIO, "share of cycles in which tensor pipes were active (GPM)", step=BASIS_POINT, bits=16
    )
    dram_active_ratio: Gauge = gauge(
        RATIO, "share of the slice's memory bandwidth in use (GPM)", step=BASIS_POINT, bits=16
    )
    active_seconds: Additive = additive(SECOND, "time with SM of at least 1 %", step=MILLI)
    memory_used_bytes: Gauge = gauge(
        BYTE, "memory of the slice in use", step=MEBI, keep=("mean", "max"), codec=Codec.PLATEAU
    )
    memory_total_bytes: Gauge = gauge(BYTE, "memory of the slice", step=MEBI, codec=Codec.PLATEAU)
    processes: Gauge = gauge(COUNT, "compute processes on the slice", bits=16)
    source: Label = label("who read it: nvml, or the mapping of a scraped exporter", default="nvml")


class GpuHealth(
    Sample, table="gpu_health_samples", layout=Samples(key=("node", "slot"), writers=WRITERS)
):
    """Errors, links and limits of one GPU: what changes seldom and is read every ten seconds."""

    slot: Number = number("minor number of the device", bits=16)
    gpu_id: Number = ident("hash of the asset", default=0)
    uuid: Label = label("UUID as NVML gives it")
    ecc_corrected_errors: Counter = counter(COUNT, "corrected memory errors (volatile)")
    ecc_uncorrected_errors: Counter = counter(COUNT, "uncorrected memory errors (volatile)")
    ecc_corrected_lifetime: Gauge = gauge(COUNT, "corrected memory errors of the card's life")
    ecc_uncorrected_lifetime: Gauge = gauge(COUNT, "uncorrected memory errors of the card's life")
    remapped_rows_corrected: Gauge = gauge(COUNT, "rows remapped after corrected errors")
    remapped_rows_uncorrected: Gauge = gauge(COUNT, "rows remapped after uncorrected errors")
    remap_pending: Gauge = gauge(COUNT, "1 while a remapping waits for a reset", bits=8)
    remap_failed: Gauge = gauge(COUNT, "1 once a remapping failed: replace the card", bits=8)
    retired_pages: Gauge = gauge(COUNT, "retired memory pages (before Ampere)")
    recovery_action: Gauge = gauge(
        COUNT,
        "what the driver asks for: 0 none, 1 GPU reset, 2 node reboot, 3 drain P2P, "
        "4 drain and reset, 5 IMEX, 6 bus reset, 7 system reboot",
        bits=8,
    )
    pcie_generation: Gauge = gauge(COUNT, "PCIe generation of the link now", bits=8)
    pcie_generation_max: Gauge = gauge(COUNT, "PCIe generation the link could have", bits=8)
    pcie_width: Gauge = gauge(COUNT, "PCIe lanes of the link now", bits=8)
    pcie_width_max: Gauge = gauge(COUNT, "PCIe lanes the link could have", bits=8)
    pcie_replays: Counter = counter(COUNT, "PCIe replays")
    pcie_correctable_errors: Counter = counter(COUNT, "correctable PCIe errors")
    pcie_nonfatal_errors: Counter = counter(COUNT, "non-fatal PCIe errors")
    pcie_fatal_errors: Counter = counter(COUNT, "fatal PCIe errors")
    nvlinks: Gauge = gauge(COUNT, "NVLinks of the card", bits=8)
    nvlinks_up: Gauge = gauge(COUNT, "NVLinks that are active", bits=8)
    nvlink_speed_bytes_per_second: Gauge = gauge(
        BYTE_PER_SECOND, "speed of all active NVLinks in one direction", step=MEGA
    )
    nvlink_replays: Counter = counter(COUNT, "NVLink replays")
    nvlink_recoveries: Counter = counter(COUNT, "NVLink recoveries")
    nvlink_crc_errors: Counter = counter(COUNT, "NVLink CRC errors (NVLink 4 and older)")
    nvlink_symbol_errors: Counter = counter(COUNT, "NVLink symbol errors (NVLink 5)")
    sync_throttle_seconds: Counter = counter(
        SECOND, "time in which clocks were held down by sync boost", step=MILLI
    )
    board_throttle_seconds: Counter = counter(
        SECOND, "time in which clocks were held down by the board's limit", step=MILLI
    )
    reliability_throttle_seconds: Counter = counter(
        SECOND, "time in which clocks were held down for reliability", step=MILLI
    )
    low_utilization_seconds: Counter = counter(
        SECOND, "time in which clocks were low for lack of work", step=MILLI
    )
    slowdown_margin_celsius: Gauge = gauge(CELSIUS, "degrees until the hardware slows down", bits=8)
    fan_ratio: Gauge = gauge(RATIO, "fan speed", step=CENTI, bits=8)
    performance_state: Gauge = gauge(COUNT, "P-state, 0 is fastest", bits=8)
    persistence_mode: Gauge = gauge(COUNT, "1 if the driver stays loaded without clients", bits=8)
    source: Label = label("who read it: nvml, or the mapping of a scraped exporter", default="nvml")


class ProcessSample(
    Sample, table="process_samples", layout=Samples(key=("node", "slot", "pid"), rollup=Rollup.NONE)
):
    """One process on one GPU; never its arguments or environment."""

    slot: Number = number("minor number of the device", bits=16)
    gpu_id: Number = ident("hash of the asset", default=0)
    pid: Number = number("process id as the host counts")
    user: Label = label("user name; empty when it cannot be known", holds=Holds.NAME)
    executable: Label = label("base name of the executable; empty when it cannot be known")
    started: Time = time("start of the process")
    memory_used_bytes: Gauge = gauge(BYTE, "device memory of the process", step=MEBI)
    sm_ratio: Gauge = gauge(RATIO, "use of multiprocessors by the process", step=CENTI, bits=8)
    memory_ratio: Gauge = gauge(RATIO, "use of memory by the process", step=CENTI, bits=8)
    slice: Label = label("UUID of the MIG slice; empty = the whole card", default="")
    runtime: Label = label("slurm, kubernetes, docker, podman or empty", default="")
    container: Label = text("job, pod or container id in its cgroup", default="")
    framework: Label = label(
        "pytorch, tensorflow or jax by the libraries it has mapped; empty = unknown", default=""
    )


class GpuEvent(Row, table="gpu_events", layout=Events(key=("node", "slot", "kind"))):
    """Something that happened to a GPU."""

    ts: Time = time("when it happened")
    cluster: Label = label("cluster name", default="")
    node: Label = label("node name", default="")
    slot: Number = number(
        "minor number of the device; 65535 = no single GPU (a switch, or an unknown card)", bits=16
    )
    gpu_id: Number = ident("hash of the asset", default=0)
    kind: Label = label("lost, recovered, xid, sxid, ecc, retirement, reset, recovery or stuck")
    code: Number = number("return code, XID, SXid or NVML event type", default=0)
    cause: Label = label("hardware, application, information or empty", default="")
    recovery: Label = label("what the driver or the catalogue of XIDs asks for", default="")
    count: Number = number("how often it happened in a burst, the first at ts", default=1)
    told_by: Label = label("nvml or kmsg", default="nvml")
    detail: Label = text("what was said", default="")
