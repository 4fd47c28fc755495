"""Inventory, allocations, queue and prices: what the schedulers and the owner say."""

from gpuledger.schema import (
    FOREVER,
    Counter,
    Gauge,
    Holds,
    Label,
    Number,
    Row,
    Sample,
    Samples,
    Time,
    Versions,
    counter,
    gauge,
    ident,
    label,
    number,
    text,
    time,
)
from gpuledger.units import BYTE, CENTI, COUNT, CURRENCY, MEBI, MICRO, MILLI, RATIO, SECOND

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
    provider: Label = label("who owns the hardware, e.g. a cloud; empty = nobody said", default="")
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
    vendor: Label = label("nvidia, amd, intel, google or another", default="nvidia")
    parent: Label = label(
        "UUID of the card that a MIG slice is cut from; empty = a card", default=""
    )
    profile: Label = label("shape of the MIG slice, e.g. 1g.10gb", default="")
    entitlement_milli: Number = number(
        "share of the card's multiprocessors, in thousandths", bits=16, default=1000
    )
    mig: Label = label("enabled, disabled or empty where the card has no MIG", default="")
    pci: Label = label("PCI bus id", default="")
    numa: Label = label("NUMA node; empty = unknown", default="")
    nvlink_domain: Label = label("NVLink fabric: cluster UUID and clique", default="")
    rack: Label = label("rack or chassis as the platform tells", default="")
    part_number: Label = label("part number of the board", default="")
    vbios: Label = label("VBIOS version", default="")
    seen_at: Time = time("when it was last read", default=FOREVER)
    version: Number = number("trust of the source, then time", bits=64, default=0)


class GpuLink(Row, table="gpu_links", layout=Versions(key=("cluster", "node", "slot", "peer"))):
    """How two GPUs of one node, or a GPU and an NVSwitch, are joined."""

    cluster: Label = label("cluster name", default="")
    node: Label = label("node name", default="")
    slot: Number = number("minor number of the device", bits=16)
    peer: Label = label("slot of the other GPU, or `switch`")
    path: Label = label("nvlink, internal, switch, switches, bridge, numa or system")
    nvlinks: Number = number("NVLinks between the two", bits=8, default=0)
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
    source: Label = label("who said so: slurm, kubernetes, hook or process")
    slice: Label = label("UUID of the MIG slice; empty = the whole card", default="")
    seen_at: Time = time("time of the snapshot that said so")
    version: Number = number("trust of the source, then time", bits=64)


class Job(Row, table="jobs", layout=Versions(key=("job_id",))):
    """One job, pending, running or ended."""

    job_id: Label = text("cluster/native id")
    cluster: Label = label("cluster name")
    name: Label = text("name given by the user", default="", holds=Holds.WORDS)
    user: Label = label("who submitted it", holds=Holds.NAME)
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
    kind: Label = label("batch, interactive or service", default="batch")
    qos: Label = label("quality of service or priority class", default="")
    preemptible: Number = number("1 if the scheduler may take its GPUs away", bits=8, default=0)
    reservation: Label = label("reservation that it asked for", default="")
    gang: Label = text("group that starts as a whole; empty = alone", default="", holds=Holds.WORDS)
    constraints: Label = text(
        "features, selectors and node lists asked for", default="", holds=Holds.WORDS
    )
    share_milli: Number = number(
        "thousandths of each GPU asked for; 1000 = whole GPUs", bits=16, default=1000
    )
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
    scheduler: Label = label("who says so: slurm, kubernetes")
    state: Label = label("up, down or drained")
    reason: Label = text("reason given", default="", holds=Holds.WORDS)
    pools: Label = text("partitions of the node, joined by commas; empty = all", default="")
    gpus: Number = number("GPUs the scheduler counts on the node", bits=16)
    gpu_model: Label = label("GPU model in the scheduler's words", default="")
    shares: Label = text("slices and shares offered, e.g. mig-1g.10gb=7", default="")
    labels: Label = text("features or labels, name=value, joined by commas", default="")
    taints: Label = text("taints, key=value:effect, joined by commas", default="")
    rack: Label = label("rack, switch or zone, as the scheduler's topology says", default="")
    cpu_milli: Number = number("processors of the node, in thousandths", default=0)
    memory_bytes: Gauge = gauge(BYTE, "memory of the node", step=MEBI)
    valid_from: Time = time("since")
    valid_to: Time = time("until", default=FOREVER)
    seen_at: Time = time("time of the snapshot that said so")
    version: Number = number("trust of the source, then time", bits=64)


class Pool(Row, table="pools", layout=Versions(key=("cluster", "pool"))):
    """A partition or queue as the scheduler describes it."""

    cluster: Label = label("cluster name")
    pool: Label = label("partition or queue")
    scheduler: Label = label("who says so: slurm, kueue, volcano")
    state: Label = label("up, down, drained or inactive")
    nodes: Label = text("nodes, joined by commas", default="")
    priority: Number = number("tier; higher ones start first", default=0)
    longest_seconds: Gauge = gauge(SECOND, "longest run allowed; missing = no limit")
    preemptible: Number = number("1 if its jobs may be preempted", bits=8, default=0)
    seen_at: Time = time("time of the snapshot that said so")
    version: Number = number("trust of the source, then time", bits=64)


class Reservation(Row, table="reservations", layout=Versions(key=("cluster", "reservation"))):
    """Nodes that are kept for somebody, or for maintenance, from when to when."""

    cluster: Label = label("cluster name")
    reservation: Label = label("name")
    scheduler: Label = label("who says so: slurm")
    nodes: Label = text("nodes, joined by commas", default="")
    users: Label = text("users that may use it, joined by commas", default="", holds=Holds.NAMES)
    teams: Label = text("accounts that may use it, joined by commas", default="")
    pool: Label = label("partition", default="")
    flags: Label = text("flags, e.g. MAINT, joined by commas", default="")
    valid_from: Time = time("kept from")
    valid_to: Time = time("kept until", default=FOREVER)
    seen_at: Time = time("time of the snapshot that said so")
    version: Number = number("trust of the source, then time", bits=64)


class Quota(Row, table="quotas", layout=Versions(key=("cluster", "scheduler", "team", "queue"))):
    """GPUs that a team or queue may use."""

    cluster: Label = label("cluster name")
    scheduler: Label = label("who says so: slurm, kubernetes, kueue, volcano, runai")
    team: Label = label("account, namespace or project; empty = a queue's own", default="")
    queue: Label = label("queue, cohort or QOS; empty = a team's own", default="")
    gpu_model: Label = label("model that it is about; empty = any", default="")
    guaranteed_milli: Number = number("GPUs guaranteed, in thousandths", default=0)
    limit_milli: Number = number(
        "GPUs at most, in thousandths; 0 = no limit, 1 = none at all", default=0
    )
    parent: Label = label("queue or cohort that lends and borrows", default="")
    seen_at: Time = time("time of the snapshot that said so")
    version: Number = number("trust of the source, then time", bits=64)


class QueueSample(
    Sample, table="queue_samples", layout=Samples(key=("scheduler", "queue", "project"))
):
    """Use of one queue or project over one interval, as its scheduler measures it."""

    scheduler: Label = label("kueue, volcano, runai")
    queue: Label = label("queue, cluster queue or department")
    project: Label = label("project or namespace; empty = the whole queue", default="")
    allocated_gpus: Gauge = gauge(COUNT, "GPUs given", step=MILLI)
    quota_gpus: Gauge = gauge(COUNT, "GPUs that it is entitled to", step=MILLI)
    idle_gpus: Gauge = gauge(COUNT, "GPUs given but idle", step=MILLI)
    utilization_ratio: Gauge = gauge(RATIO, "use of the GPUs given", step=CENTI, bits=8)
    pending_workloads: Gauge = gauge(COUNT, "workloads that wait")
    admitted_workloads: Gauge = gauge(COUNT, "workloads that run")
    evicted_workloads: Counter = counter(COUNT, "workloads taken off")


class ServingSample(
    Sample, table="serving_samples", layout=Samples(key=("node", "service", "model", "instance"))
):
    """One replica of an inference server over one interval."""

    service: Label = label("vllm, triton, tgi, kserve")
    model: Label = label("model served", default="")
    instance: Label = label("who was asked: address or pod", default="")
    requests: Counter = counter(COUNT, "requests answered")
    failed_requests: Counter = counter(COUNT, "requests that failed")
    running_requests: Gauge = gauge(COUNT, "requests being worked on", keep=("mean", "max"))
    waiting_requests: Gauge = gauge(COUNT, "requests that wait", keep=("mean", "max"))
    prompt_tokens: Counter = counter(COUNT, "tokens read")
    generated_tokens: Counter = counter(COUNT, "tokens generated")
    preemptions: Counter = counter(COUNT, "requests put back for lack of cache")
    kv_cache_ratio: Gauge = gauge(
        RATIO, "use of the key-value cache", step=CENTI, bits=8, keep=("mean", "max")
    )
    first_token_seconds: Counter = counter(
        SECOND, "time to the first token, summed over requests", step=MILLI
    )
    request_seconds: Counter = counter(
        SECOND, "time from request to answer, summed over requests", step=MILLI
    )
    queue_seconds: Counter = counter(SECOND, "time spent waiting, summed over requests", step=MILLI)


class Price(Row, table="prices", layout=Versions(key=("model", "valid_from"))):
    """What a GPU-hour is worth and what energy costs; from configuration."""

    model: Label = label("GPU model, as the asset list names it")
    capacity_value: Gauge = gauge(CURRENCY, "worth of one GPU-hour", step=MICRO, bits=64)
    energy_price: Gauge = gauge(CURRENCY, "price of one kilowatt-hour", step=MICRO, bits=64)
    currency: Label = label("ISO 4217 code")
    valid_from: Time = time("holds from")
    version: Number = number("time of the configuration", bits=64)
