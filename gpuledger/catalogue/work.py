"""Inventory, allocations, queue and prices: what the schedulers and the owner say."""

from gpuledger.schema import (
    FOREVER,
    Gauge,
    Label,
    Number,
    Row,
    Time,
    Versions,
    gauge,
    ident,
    label,
    number,
    text,
    time,
)
from gpuledger.units import BYTE, CURRENCY, MEBI, MICRO

TRUST_BITS = 48


def version(trust: int, at_ms: int) -> int:
    """Version of a fact: trust of its source first, then the time it was seen."""
    return (trust << TRUST_BITS) | at_ms


class Asset(Row, table="assets", layout=Versions(key=("gpu_id",))):
    """One paid-for place for a GPU: the denominator of the book."""

    gpu_id: Number = ident("hash of the asset id")
    asset_id: Label = text("cluster/node/slot")
    cluster: Label = label("cluster name")
    node: Label = label("node name")
    slot: Number = number("minor number of the device", bits=16)
    model: Label = label("GPU model, as the inventory or NVML names it", default="")
    pool: Label = label("pool that the GPU belongs to; default cluster and model", default="")
    valid_from: Time = time("owned from, in whole minutes")
    valid_to: Time = time("owned until", default=FOREVER)
    version: Number = number("trust of the source, then time", bits=64)


class Gpu(Row, table="gpus", layout=Versions(key=("gpu_id", "uuid"))):
    """Which card is in which place."""

    gpu_id: Number = ident("hash of the asset id", default=0)
    cluster: Label = label("cluster name", default="")
    node: Label = label("node name", default="")
    slot: Number = number("minor number of the device", bits=16)
    uuid: Label = label("UUID as NVML gives it")
    serial: Label = label("serial number of the board", default="")
    model: Label = label("product name", default="")
    memory_bytes: Gauge = gauge(BYTE, "device memory", step=MEBI)
    driver: Label = label("driver version", default="")
    seen_at: Time = time("when it was last read", default=FOREVER)
    version: Number = number("trust of the source, then time", bits=64, default=0)


class Allocation(Row, table="allocations", layout=Versions(key=("gpu_id", "alloc_id"))):
    """One GPU given to one run of a job, from when to when."""

    gpu_id: Number = ident("hash of the asset id")
    alloc_id: Number = ident("hash of job, restart and GPU")
    job_id: Label = text("cluster/native id")
    cluster: Label = label("cluster name")
    node: Label = label("node name")
    share_milli: Number = number("share of the GPU in thousandths", bits=16, default=1000)
    valid_from: Time = time("given at")
    valid_to: Time = time("given until", default=FOREVER)
    source: Label = label("who said so: slurm, process")
    seen_at: Time = time("time of the snapshot that said so")
    version: Number = number("trust of the source, then time", bits=64)


class Job(Row, table="jobs", layout=Versions(key=("job_id",))):
    """One job, pending, running or ended."""

    job_id: Label = text("cluster/native id")
    cluster: Label = label("cluster name")
    name: Label = text("name given by the user", default="")
    user: Label = label("who submitted it")
    team: Label = label("account, namespace or project that pays", default="unmapped")
    pool: Label = label("partition or queue", default="")
    state: Label = label("pending, running, completed, failed, cancelled or timeout")
    reason: Label = label("why it waits, in the scheduler's words", default="")
    nodes: Number = number("nodes requested", default=1)
    gpus_per_node: Number = number("GPUs requested on each node", bits=16)
    cpu_milli: Number = number("processors requested on each node, in thousandths", default=0)
    memory_bytes: Gauge = gauge(BYTE, "memory requested on each node", step=MEBI)
    gpu_model: Label = label("GPU model requested; empty = any", default="")
    priority: Number = number("scheduler's priority, higher first", default=0)
    restart: Number = number("times it was requeued", default=0)
    submitted: Time = time("handed in at")
    eligible: Time = time("could have started from", default=FOREVER)
    started: Time = time("started at", default=FOREVER)
    ended: Time = time("ended at", default=FOREVER)
    ends_by: Time = time("start plus time limit", default=FOREVER)
    seen_at: Time = time("time of the snapshot that said so")
    version: Number = number("trust of the source, then time", bits=64)


class NodeState(Row, table="node_states", layout=Versions(key=("cluster", "node", "valid_from"))):
    """What a scheduler says of one node, from when to when."""

    cluster: Label = label("cluster name")
    node: Label = label("node name")
    scheduler: Label = label("who says so: slurm")
    state: Label = label("up, down or drained")
    reason: Label = text("reason given", default="")
    pools: Label = text("partitions of the node, joined by commas; empty = all", default="")
    gpus: Number = number("GPUs the scheduler counts on the node", bits=16)
    gpu_model: Label = label("GPU model in the scheduler's words", default="")
    cpu_milli: Number = number("processors of the node, in thousandths", default=0)
    memory_bytes: Gauge = gauge(BYTE, "memory of the node", step=MEBI)
    valid_from: Time = time("since")
    valid_to: Time = time("until", default=FOREVER)
    seen_at: Time = time("time of the snapshot that said so")
    version: Number = number("trust of the source, then time", bits=64)


class Price(Row, table="prices", layout=Versions(key=("model", "valid_from"))):
    """What a GPU-hour is worth and what energy costs; from configuration."""

    model: Label = label("GPU model, as the asset list names it")
    capacity_value: Gauge = gauge(CURRENCY, "worth of one GPU-hour", step=MICRO, bits=64)
    energy_price: Gauge = gauge(CURRENCY, "price of one kilowatt-hour", step=MICRO, bits=64)
    currency: Label = label("ISO 4217 code")
    valid_from: Time = time("holds from")
    version: Number = number("time of the configuration", bits=64)
