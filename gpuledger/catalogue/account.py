"""The book added up: by owner and place for hours and days, and what was free in one piece."""

from gpuledger.catalogue.verdict import DAILY, HOURLY
from gpuledger.schema import (
    Cells,
    Gauge,
    Holds,
    Label,
    Number,
    Quantity,
    Row,
    Time,
    gauge,
    ident,
    label,
    number,
    text,
    time,
)
from gpuledger.units import JOULE, MILLI, SECOND

BY_OWNER = ("cluster", "pool", "team", "state")


class Account(Row):
    """What a job did on a node, in one state; owners as they were known when it was booked."""

    cluster: Label = label("cluster name")
    node: Label = label("node name")
    pool: Label = label("pool of the GPUs")
    model: Label = label("GPU model")
    job: Label = text("job id; empty = none")
    job_name: Label = label("name given by the user", holds=Holds.WORDS)
    user: Label = label("who submitted the job", holds=Holds.NAME)
    team: Label = label("team that pays; `unmapped` where nobody said; empty = no job")
    state: Label = label("state of the ledger")
    flags: Label = label("flags, joined by commas")
    cause: Label = label("sub-cause of the state")
    grade: Label = label("evidence grade, A to D")
    gpu_seconds: Quantity = number("GPU-seconds booked", unit=SECOND, step=MILLI, bits=64)
    energy_joules: Gauge = gauge(JOULE, "energy drawn", step=MILLI, bits=64)
    recoverable_seconds: Quantity = number(
        "GPU-seconds of them that waiting jobs could have used", unit=SECOND, step=MILLI, bits=64
    )


class AccountHour(
    Account,
    table="accounts_1h",
    layout=Cells(key=(*BY_OWNER, "hour"), at="hour", partition=DAILY),
):
    """One hour of the book by owner and place: what boards and reports read."""

    hour: Time = time("start of the hour")


class AccountDay(
    Account,
    table="accounts_1d",
    layout=Cells(key=(*BY_OWNER, "day"), at="day", partition=DAILY),
):
    """One day of the book by owner and place: what long questions read."""

    day: Time = time("start of the day, UTC")


class Adjustment(
    Account,
    table="ledger_adjust",
    layout=Cells(key=(*BY_OWNER, "hour"), at="hour", partition=HOURLY),
):
    """What became known of a GPU's hour after it closed: pairs that reverse and book it anew."""

    # The rows of a pair are about one GPU's hour; they cancel out unless what is owned changed.

    hour: Time = time("start of the hour")
    gpu_id: Number = ident("hash of the asset id")
    alloc_id: Number = ident("allocation that it belongs to; 0 = none")
    reverses: Number = number("1 = to be subtracted from the book, 0 = added to it", bits=8)
    reason: Label = label("owned, allocation, evidence, owner or lost_work")
    pair: Number = ident("hash of hour, GPU, reason and time")
    adjusted_at: Time = time("when it was booked")


class FreeBlock(
    Row,
    table="free_blocks",
    layout=Cells(key=("cluster", "pool", "minute"), at="minute", partition=DAILY),
):
    """The largest request that one node of a pool could have taken in a minute."""

    cluster: Label = label("cluster name")
    pool: Label = label("pool of the GPUs")
    minute: Time = time("start of the minute")
    free_gpus: Number = number("whole free GPUs of the node that had most of them", bits=16)
