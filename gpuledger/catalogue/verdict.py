"""What the analytics say: free states, the book, findings, recommendations, alerts."""

from typing import Any

from gpuledger.schema import (
    FOREVER,
    UNSET_TIME,
    Cells,
    Events,
    Gauge,
    Holds,
    Label,
    Number,
    Quantity,
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
from gpuledger.units import (
    BASIS_POINT,
    CENTI,
    COUNT,
    CURRENCY,
    JOULE,
    MICRO,
    MILLI,
    RATIO,
    SECOND,
    Unit,
)


def signed(unit: Unit, help: str) -> Any:
    """A quantity in thousandths that may be below 0, and missing."""
    return gauge(unit, help, step=MILLI, bits=64, default=None, signed=True)


HOURLY = "toStartOfHour({at})"
DAILY = "toYYYYMMDD({at})"
# Where a recommendation can stand, in the order of a life.
STANDINGS = (
    *("proposed", "accepted", "dismissed", "snoozed", "expired"),
    *("applied", "measured", "not_measurable"),
)


class FreeState(
    Row,
    table="free_states",
    layout=Cells(key=("gpu_id", "valid_from"), at="valid_from", partition=HOURLY),
):
    """Why a free GPU is free, where that takes more than telemetry; written by placement alone."""

    gpu_id: Number = ident("hash of the asset id")
    valid_from: Time = time("from")
    valid_to: Time = time("until, within the same hour")
    state: Label = label("state of the ledger: held, free_demand, stranded or free_surplus")
    cause: Label = label("why; empty where the state says it all", default="")
    flags: Label = label("flags, joined by commas, e.g. quota_held", default="")
    job_id: Label = text("the waiting job that would fill it", default="")


class Occupancy(
    Row,
    table="occupancy",
    layout=Cells(key=("gpu_id", "valid_from", "alloc_id"), at="valid_from", partition=HOURLY),
):
    """Who holds which part of a GPU, and what is said of its place, while none of it changes."""

    cluster: Label = label("cluster name")
    node: Label = label("node name")
    gpu_id: Number = ident("hash of the asset id")
    valid_from: Time = time("from")
    valid_to: Time = time("until, within the same hour")
    alloc_id: Number = ident("allocation that holds the part; 0 = none")
    job_id: Label = text("its job; empty = none", default="")
    slice: Label = label("UUID of the MIG slice that it holds; empty = the card", default="")
    remainder: Number = number("1 = what the card's MIG slices cannot reach", bits=8, default=0)
    unheld: Number = number("1 while nobody holds any part of the GPU", bits=8)
    share_milli: Number = number("thousandths of `whole_milli` that the part has")
    upto_milli: Number = number("where the part ends among those of the GPU, in thousandths")
    whole_milli: Number = number("thousandths given away; more than 1000 where shares overlap")
    started: Time = time("when the allocation began", default=UNSET_TIME)
    run: Time = time("when the allocation, or the time without any, began", default=UNSET_TIME)
    vacated: Time = time("end of the last allocation before; 1970 = none near", default=UNSET_TIME)
    place_state: Label = label("what the owner says; empty = in service", default="")
    node_state: Label = label("what the node's scheduler says; empty = nothing", default="")
    reserved: Number = number("1 inside a reservation for maintenance", bits=8, default=0)
    heard: Number = number("1 while the scheduler's word is fresh", bits=8, default=0)
    free_state: Label = label("state by placement; empty where it has none", default="")
    free_cause: Label = label("its cause", default="")
    free_flags: Label = label("its flags, joined by commas", default="")


class Cell(
    Row,
    table="ledger_1m",
    layout=Cells(key=("gpu_id", "minute", "alloc_id"), at="minute", partition=HOURLY),
):
    """Part of one GPU's minute, booked to one state; the parts of a minute add up to it."""

    cluster: Label = label("cluster name")
    node: Label = label("node name; empty in cells of before it was kept", default="")
    gpu_id: Number = ident("hash of the asset id")
    minute: Time = time("start of the minute")
    alloc_id: Number = ident("allocation that it belongs to; 0 = none")
    state: Label = label("state of the ledger")
    flags: Label = label("flags, joined by commas", default="")
    cause: Label = label("sub-cause of the state", default="")
    grade: Label = label("evidence grade, A to D")
    intensity_ratio: Gauge = gauge(
        RATIO, "mean SM activity (else utilization) of productive time", step=BASIS_POINT, bits=16
    )
    gpu_seconds: Quantity = number("GPU-seconds booked", unit=SECOND, step=MILLI)
    energy_joules: Gauge = gauge(JOULE, "energy drawn in the cell", step=MILLI, bits=64)


class CellHour(
    Row,
    table="ledger_1h",
    layout=Cells(key=("gpu_id", "hour", "alloc_id", "state"), at="hour", partition=DAILY),
):
    """Cells of one hour added up."""

    cluster: Label = label("cluster name")
    node: Label = label("node name; empty in cells of before it was kept", default="")
    gpu_id: Number = ident("hash of the asset id")
    hour: Time = time("start of the hour")
    alloc_id: Number = ident("allocation that it belongs to; 0 = none")
    state: Label = label("state of the ledger")
    flags: Label = label("flags, joined by commas", default="")
    cause: Label = label("sub-cause of the state", default="")
    grade: Label = label("evidence grade, A to D")
    gpu_seconds: Quantity = number("GPU-seconds booked", unit=SECOND, step=MILLI)
    energy_joules: Gauge = gauge(JOULE, "energy drawn", step=MILLI, bits=64)


class BookedHour(Row, table="booked_hours", layout=Versions(key=("hour",))):
    """An hour that was booked, and from what."""

    hour: Time = time("start of the hour")
    fingerprint: Number = ident("hash of everything the hour was booked from")
    formula: Number = ident("hash of how that hash is made", default=0)
    restated: Number = ident("the same hash when ledger_adjust was brought up to it", default=0)
    booked_until: Time = time("end of the last whole minute booked")
    owned_seconds: Quantity = number("GPU-seconds owned in it", unit=SECOND, step=MILLI, bits=64)
    booked_at: Time = time("when it was booked")
    version: Number = number("milliseconds since 1970 of the booking", bits=64)


class Finding(Row, table="findings", layout=Versions(key=("finding_id",))):
    """Something wrong, with owner, extent and evidence."""

    finding_id: Number = ident("hash of kind, subject and start")
    kind: Label = label("detector that found it")
    subject: Label = text("what it is about, e.g. a job id", holds=Holds.WORDS)
    user: Label = label("who can act", default="", holds=Holds.NAME)
    team: Label = label("team that pays", default="")
    pool: Label = label("pool concerned", default="")
    since: Time = time("began")
    until: Time = time("last seen")
    open: Number = number("1 while it goes on", bits=8)
    gpus: Number = number("GPUs concerned", bits=32)
    gpu_seconds: Quantity = number("GPU-seconds lost so far", unit=SECOND, step=MILLI, bits=64)
    capacity_value: Gauge = gauge(CURRENCY, "worth of those GPU-seconds", step=MICRO, bits=64)
    cash_avoidable: Gauge = gauge(CURRENCY, "energy that they cost", step=MICRO, bits=64)
    currency: Label = label("ISO 4217 code; empty without a price", default="")
    grade: Label = label("lowest evidence grade among the rows behind it")
    cause: Label = label("what it comes from, in one word; empty = not known", default="")
    owner: Label = label(
        "who acts: job owner, hardware operations, platform …", default="", holds=Holds.NAME
    )
    action: Label = text("what to do, in one sentence", default="", holds=Holds.WORDS)
    asks: Label = text(
        "a smaller request that would do, a JSON object; empty = none",
        default="",
        holds=Holds.WORDS,
    )
    confidence_ratio: Gauge = gauge(RATIO, "how sure the detector is", step=CENTI, bits=8)
    summary: Label = text("one sentence for people", holds=Holds.WORDS)
    evidence: Label = text("query that shows the rows behind it", holds=Holds.WORDS)
    version: Number = number("milliseconds since 1970 of the tick", bits=64)


class Recommendation(Row, table="recommendations", layout=Versions(key=("recommendation_id",))):
    """Something to do about a finding; printed, never carried out."""

    recommendation_id: Number = ident("hash of kind and finding")
    finding_id: Number = ident("finding that it rests on")
    kind: Label = label("advisor that proposes it")
    subject: Label = text("what it is about, e.g. a job id", holds=Holds.WORDS)
    user: Label = label("who can act", default="", holds=Holds.NAME)
    team: Label = label("team that pays", default="")
    status: Label = label("where it stands; see recommendation_events")
    title: Label = text("one sentence for people", holds=Holds.WORDS)
    command: Label = text(
        "what a person would run, or a comment why not; empty = not done by a command",
        default="",
        holds=Holds.WORDS,
    )
    undo: Label = text(
        "what would take that back; empty where nothing does", default="", holds=Holds.WORDS
    )
    about: Label = text(
        "what a dismissal mutes, in all its turns; empty = the subject",
        default="",
        holds=Holds.WORDS,
    )
    resources: Label = text(
        "what the gain is made of, to its GPU-hours; a JSON object", default="", holds=Holds.WORDS
    )
    gain_gpu_hours: Gauge = gauge(COUNT, "GPU-hours freed within the horizon", step=MILLI, bits=64)
    gain_capacity_value: Gauge = gauge(CURRENCY, "their worth", step=MICRO, bits=64)
    gain_cash_avoidable: Gauge = gauge(CURRENCY, "energy not spent", step=MICRO, bits=64)
    gain_low_gpu_hours: Gauge = signed(COUNT, "lower end of the predicted interval")
    gain_high_gpu_hours: Gauge = signed(COUNT, "upper end of the predicted interval")
    gain_wait_seconds: Gauge = signed(SECOND, "time that a job would wait less, on average")
    gain_wait_low_seconds: Gauge = signed(SECOND, "lower end of that")
    gain_wait_high_seconds: Gauge = signed(SECOND, "upper end of that")
    calibration_ratio: Gauge = gauge(
        RATIO, "what past outcomes made of the gain", step=BASIS_POINT, default=None
    )
    currency: Label = label("ISO 4217 code; empty without a price", default="")
    horizon_seconds: Quantity = number("time that the gain is counted over", unit=SECOND)
    confidence_ratio: Gauge = gauge(RATIO, "how sure the advisor is", step=CENTI, bits=8)
    because: Label = text("what it rests on, in words", holds=Holds.WORDS)
    created: Time = time("first proposed")
    version: Number = number("milliseconds since 1970 of the tick", bits=64)


class RecommendationEvent(
    Row,
    table="recommendation_events",
    layout=Versions(key=("recommendation_id", "turn")),
):
    """One step in the life of a recommendation; the first of each turn is the one that holds."""

    recommendation_id: Number = ident("the recommendation")
    turn: Number = number("1, 2, 3 and so on in its life")
    decision: Number = ident("whose insert it was; tells the one of several deciders that won")
    status: Label = label(
        "proposed, accepted, dismissed, snoozed, expired, applied, measured or not_measurable"
    )
    kind: Label = label("advisor that proposed it")
    mutes: Number = ident("hash of kind and subjects, that a dismissal is about")
    by: Label = label("who decided; `gpuledger` where it was seen", holds=Holds.NAME)
    reason: Label = text("why, or what was seen", default="", holds=Holds.WORDS)
    at: Time = time("when")
    until: Time = time("a dismissal or snooze ends", default=FOREVER)
    version: Number = number("falls with time, so that the first of a turn holds", bits=64)


class Outcome(Row, table="outcomes", layout=Versions(key=("recommendation_id",))):
    """What became of a recommendation that was applied; kept for good."""

    recommendation_id: Number = ident("the recommendation")
    kind: Label = label("advisor that proposed it")
    subject: Label = text("what it was about", holds=Holds.WORDS)
    team: Label = label("team that pays", default="")
    status: Label = label("measured or not_measurable")
    reason: Label = text(
        "why it could not be measured; empty where it was", default="", holds=Holds.WORDS
    )
    method: Label = text("what was compared with what", default="")
    predicted_gpu_hours: Gauge = signed(COUNT, "GPU-hours that were promised")
    predicted_low_gpu_hours: Gauge = signed(COUNT, "lower end of what was promised")
    predicted_high_gpu_hours: Gauge = signed(COUNT, "upper end of what was promised")
    calibration_ratio: Gauge = gauge(
        RATIO, "what outcomes before it made of the promise", step=BASIS_POINT, default=None
    )
    measured_gpu_hours: Gauge = signed(COUNT, "GPU-hours won over the horizon")
    low_gpu_hours: Gauge = signed(COUNT, "lower end of the 95 % interval")
    high_gpu_hours: Gauge = signed(COUNT, "upper end of the 95 % interval")
    treated_before: Number = number("observations of what it was about, before", default=0)
    treated_after: Number = number("observations of what it was about, after", default=0)
    matched_before: Number = number("observations of what is like it and was left alone, before")
    matched_after: Number = number("observations of what is like it and was left alone, after")
    accepted: Time = time("when it was accepted")
    applied: Time = time("when it was applied")
    measured: Time = time("when the outcome was judged")
    version: Number = number("milliseconds since 1970 of that", bits=64)


class AlertState(Row, table="alert_states", layout=Versions(key=("rule", "subject"))):
    """Where one alert stands."""

    rule: Label = label("name of the rule")
    subject: Label = text("what it is about")
    state: Label = label("pending, firing or resolved")
    since: Time = time("condition true since")
    fired: Time = time("fired at", default=FOREVER)
    resolved: Time = time("resolved at", default=FOREVER)
    value: Gauge = gauge(COUNT, "value of the measure", step=MILLI, bits=64)
    gpus: Gauge = gauge(COUNT, "GPUs lost while it lasts", step=MILLI, default=None)
    cost_per_hour: Gauge = gauge(
        CURRENCY, "worth of those GPUs for an hour", step=MICRO, bits=64, default=None
    )
    currency: Label = label("ISO 4217 code; empty without a price", default="")
    labels: Label = text("labels as JSON", holds=Holds.WORDS)
    annotations: Label = text("annotations as JSON", holds=Holds.WORDS)
    version: Number = number("milliseconds since 1970 of the evaluation", bits=64)


class Notification(Row, table="notifications", layout=Events(key=("rule", "subject"))):
    """A message that was handed over, or could not be."""

    ts: Time = time("when")
    rule: Label = label("name of the rule")
    subject: Label = text("what it is about")
    state: Label = label("firing or resolved")
    channel: Label = label("how it went: alertmanager, mailto, slack …; shadow = not at all")
    receiver: Label = text(
        "who: user/NAME, team/NAME, platform/…; empty = the channel", default="", holds=Holds.WORDS
    )
    message: Number = ident("one number for all that was told at once; 0 = on its own", default=0)
    outcome: Label = text("accepted, summarised, why it waits, or why it failed", holds=Holds.WORDS)
