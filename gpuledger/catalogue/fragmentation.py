"""How fragmented pools were, hour by hour: the history of `gpuledger fragmentation`."""

from gpuledger.schema import (
    Gauge,
    Label,
    Number,
    Row,
    Time,
    Versions,
    gauge,
    label,
    number,
    time,
)
from gpuledger.units import COUNT, MILLI


class FragmentationHour(
    Row,
    table="fragmentation_1h",
    layout=Versions(key=("cluster", "pool", "node", "hour")),
):
    """A pool as it stood at a full hour, or one of its most fragmented nodes."""

    # Fragments are free GPUs that tasks like those of the last days cannot use; what fits after a
    # repack is an upper bound, for tasks that stay in their pool.

    cluster: Label = label("cluster name")
    pool: Label = label("pool of the GPUs")
    node: Label = label("node; empty = the whole pool", default="")
    hour: Time = time("the instant that it is about")
    nodes: Number = number("nodes")
    gpus: Number = number("GPUs of them")
    free_gpus: Gauge = gauge(COUNT, "free GPUs of open nodes, shares as parts", step=MILLI)
    whole_gpus: Number = number("GPUs of them that are free as a whole")
    fragmented_gpus: Gauge = gauge(COUNT, "free GPUs that are fragments", step=MILLI)
    lacks_cpu_gpus: Gauge = gauge(COUNT, "fragments for want of processors", step=MILLI)
    lacks_gpu_gpus: Gauge = gauge(COUNT, "fragments for want of more GPUs beside them", step=MILLI)
    lacks_both_gpus: Gauge = gauge(COUNT, "fragments for want of both", step=MILLI)
    crumbs_gpus: Gauge = gauge(COUNT, "parts of GPUs too small for the tasks", step=MILLI)
    wrong_model_gpus: Gauge = gauge(COUNT, "fragments for tasks of other models", step=MILLI)
    no_gpu_asked_gpus: Gauge = gauge(
        COUNT, "fragments for tasks without GPUs; 0 unless weighed by popularity", step=MILLI
    )
    largest_gpus: Number = number("GPUs of the largest job that could start")
    largest_repacked_gpus: Number = number("the same after a full repack, at most")
    slots_1: Number = number("tasks of 1 GPU that fit", default=0)
    slots_2: Number = number("tasks of 2 GPUs that fit", default=0)
    slots_4: Number = number("tasks of 4 GPUs that fit", default=0)
    slots_8: Number = number("tasks of 8 GPUs that fit", default=0)
    slots_16: Number = number("tasks of 16 GPUs that fit", default=0)
    repacked_1: Number = number("tasks of 1 GPU that fit after a full repack, at most", default=0)
    repacked_2: Number = number("tasks of 2 GPUs that fit after a full repack, at most", default=0)
    repacked_4: Number = number("tasks of 4 GPUs that fit after a full repack, at most", default=0)
    repacked_8: Number = number("tasks of 8 GPUs that fit after a full repack, at most", default=0)
    repacked_16: Number = number(
        "tasks of 16 GPUs that fit after a full repack, at most", default=0
    )
    version: Number = number("milliseconds since 1970 of the making", bits=64)
