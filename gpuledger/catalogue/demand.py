"""Demand: what waiting jobs lacked minute by minute, and what of the book could have met it."""

from gpuledger.catalogue.verdict import HOURLY
from gpuledger.schema import (
    Cells,
    Label,
    Number,
    Quantity,
    Row,
    Time,
    ident,
    label,
    number,
    time,
)
from gpuledger.units import MILLI, SECOND


class DemandMinute(
    Row,
    table="demand_1m",
    layout=Cells(key=("cluster", "pool", "minute"), at="minute", partition=HOURLY),
):
    """GPUs that eligible jobs waited for; a minute in which nobody waited has no row."""

    cluster: Label = label("cluster name")
    pool: Label = label("pool of the GPUs that would take most of it; empty = none would")
    minute: Time = time("start of the minute")
    unmet_seconds: Quantity = number(
        "GPU-seconds that jobs refused for capacity waited for", unit=SECOND, step=MILLI, bits=64
    )
    refused_seconds: Quantity = number(
        "GPU-seconds that jobs refused by a quota waited for", unit=SECOND, step=MILLI, bits=64
    )
    jobs: Number = number("jobs that waited at once, at most")


class RecoverableMinute(
    Row,
    table="recoverable_1m",
    layout=Cells(key=("cluster", "pool", "minute"), at="minute", partition=HOURLY),
):
    """What a pool's minute could have given to waiting jobs; without anything loose, no row."""

    cluster: Label = label("cluster name")
    pool: Label = label("pool of the GPUs")
    minute: Time = time("start of the minute")
    loose_seconds: Quantity = number(
        "GPU-seconds idle, stalled, stranded or wanted, and half of those underused",
        unit=SECOND,
        step=MILLI,
        bits=64,
    )
    unmet_seconds: Quantity = number(
        "GPU-seconds that jobs refused for capacity waited for", unit=SECOND, step=MILLI, bits=64
    )
    met_millionths: Number = number("share of the loose time that was recoverable, in millionths")


class RecoverableHour(
    Row,
    table="recoverable_1h",
    layout=Cells(key=("gpu_id", "hour", "alloc_id", "state"), at="hour", partition=HOURLY),
):
    """The recoverable part of an hour of the book; what had none has no row."""

    cluster: Label = label("cluster name")
    gpu_id: Number = ident("hash of the asset id")
    hour: Time = time("start of the hour")
    alloc_id: Number = ident("allocation that it belongs to; 0 = none")
    state: Label = label("state of the ledger")
    flags: Label = label("flags, joined by commas", default="")
    cause: Label = label("sub-cause of the state", default="")
    grade: Label = label("evidence grade, A to D")
    recoverable_seconds: Quantity = number(
        "GPU-seconds that waiting jobs could have used", unit=SECOND, step=MILLI, bits=64
    )
