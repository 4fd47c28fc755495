"""What GPU-hours and energy cost: the price book, cloud bills, and the rates that follow."""

from gpuledger.schema import (
    FOREVER,
    Gauge,
    Label,
    Number,
    Row,
    Time,
    Versions,
    gauge,
    label,
    number,
    text,
    time,
)
from gpuledger.units import COUNT, CURRENCY, MICRO, MILLI


class PriceEntry(
    Row,
    table="price_book",
    layout=Versions(key=("provider", "pool", "model", "valid_from")),
):
    """What somebody says a GPU-hour or energy costs, of which places, from when to when."""

    provider: Label = label("who owns the hardware; empty = any")
    pool: Label = label("pool of the GPUs; empty = any")
    model: Label = label("GPU model; empty = any")
    capacity_value: Gauge = gauge(CURRENCY, "worth of one GPU-hour", step=MICRO, bits=64)
    energy_price: Gauge = gauge(CURRENCY, "price of one kilowatt-hour", step=MICRO, bits=64)
    pue: Gauge = gauge(COUNT, "energy of the site for each of its GPUs' (PUE)", step=MILLI)
    carbon_per_kwh: Gauge = gauge(COUNT, "kilograms of CO2 for a kilowatt-hour", step=MICRO)
    currency: Label = label("ISO 4217 code; empty where no price is told", default="")
    source: Label = text("where the figures are from", default="")
    valid_from: Time = time("holds from")
    valid_to: Time = time("holds until", default=FOREVER)
    version: Number = number("time of the configuration", bits=64)


class BillLine(
    Row,
    table="cloud_bills",
    layout=Versions(
        key=("provider", "account", "resource", "sku", "category", "commitment", "unused", "day")
    ),
):
    """What a cloud provider charges for one resource and day; from a FOCUS export."""

    provider: Label = label("who sends the bill")
    account: Label = label("billing account")
    resource: Label = text("resource as the provider names it; empty = none")
    sku: Label = label("what is charged for")
    category: Label = label("standard, dynamic, committed or other")
    commitment: Label = label("commitment that pays for it; empty = none", default="")
    unused: Number = number("1 = a commitment that nobody used", bits=8, default=0)
    day: Time = time("start of the day, UTC")
    cluster: Label = label("cluster of the node; empty = no node of ours", default="")
    node: Label = label("node that the resource is; empty = none", default="")
    pool: Label = label("pool that it is for where it is no node", default="")
    cost: Gauge = gauge(CURRENCY, "charges, amortised (EffectiveCost)", step=MICRO, bits=64)
    credit: Gauge = gauge(CURRENCY, "refunds and corrections", step=MICRO, bits=64)
    currency: Label = label("ISO 4217 code")
    version: Number = number("time of the import", bits=64)


class Rate(
    Row,
    table="rates",
    layout=Versions(key=("cluster", "node", "pool", "model", "valid_from")),
):
    """What the price book and the bills come to for the GPUs of one place, from when on."""

    cluster: Label = label("cluster name")
    node: Label = label("node name")
    pool: Label = label("pool of the GPUs")
    model: Label = label("GPU model")
    capacity_value: Gauge = gauge(CURRENCY, "worth of one GPU-hour", step=MICRO, bits=64)
    energy_price: Gauge = gauge(CURRENCY, "price of one kilowatt-hour", step=MICRO, bits=64)
    pue: Gauge = gauge(COUNT, "energy of the site for each of its GPUs' (PUE)", step=MILLI)
    carbon_per_kwh: Gauge = gauge(COUNT, "kilograms of CO2 for a kilowatt-hour", step=MICRO)
    cash_rate: Gauge = gauge(CURRENCY, "billed for one GPU-hour", step=MICRO, bits=64)
    avoidable_rate: Gauge = gauge(CURRENCY, "of that without a commitment", step=MICRO, bits=64)
    currency: Label = label("ISO 4217 code; empty without a price", default="")
    valid_from: Time = time("holds from")
    version: Number = number("time it was worked out", bits=64)
