"""What is expected: demand and usable capacity with a band, and what such forecasts were worth."""

from gpuledger.schema import (
    Gauge,
    Label,
    Number,
    Quantity,
    Row,
    Time,
    Versions,
    gauge,
    label,
    number,
    time,
)
from gpuledger.units import BASIS_POINT, COUNT, MILLI, RATIO, SECOND


class Forecast(
    Row,
    table="forecasts",
    layout=Versions(key=("cluster", "pool", "measure", "horizon_days", "at")),
):
    """One step of a forecast; the newest that was made for it."""

    cluster: Label = label("cluster name")
    pool: Label = label("pool of the GPUs; empty = the whole cluster", default="")
    measure: Label = label(
        "demand (GPUs in use or waited for, mean), asked (GPUs newly asked for) or usable"
    )
    horizon_days: Number = number("7 = by the hour for a week, 28 = by the day", bits=16)
    at: Time = time("start of the step")
    step_seconds: Quantity = number("length of the step", unit=SECOND)
    low: Gauge = gauge(COUNT, "one in ten ends below", step=MILLI, bits=64)
    expected: Gauge = gauge(COUNT, "what is expected", step=MILLI, bits=64)
    high: Gauge = gauge(COUNT, "one in ten ends above", step=MILLI, bits=64)
    method: Label = label("how it was made; seasonal-naive = the week before, again")
    error_ratio: Gauge = gauge(
        RATIO, "past error of the method: sum of misses over sum of values", step=BASIS_POINT
    )
    naive_error_ratio: Gauge = gauge(
        RATIO, "past error of seasonal-naive on the same steps", step=BASIS_POINT
    )
    cover_ratio: Gauge = gauge(
        RATIO, "share of past values inside the band; meant to be 0.8", step=BASIS_POINT
    )
    origins: Number = number("past forecasts that these errors rest on")
    history_days: Number = number("days that it was made from", bits=16)
    made: Time = time("end of the history that it was made from")
    version: Number = number("milliseconds since 1970 of the making", bits=64)
