"""What is learned from history: power floors, start-up times, busier phases, kinds of work."""

from gpuledger.schema import (
    Gauge,
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
from gpuledger.units import BASIS_POINT, CENTI, MILLI, RATIO, SECOND, WATT


class PowerFloor(Row, table="power_floors", layout=Versions(key=("gpu_id",))):
    """What one GPU draws while it does nothing, as its own quiet minutes show."""

    gpu_id: Number = ident("hash of the asset id")
    bare_watts: Gauge = gauge(WATT, "without any process; missing = never seen", step=MILLI)
    bare_minutes: Number = number("minutes that it rests on", default=0)
    context_watts: Gauge = gauge(
        WATT, "with a process on it and no SM active; missing = never seen", step=MILLI
    )
    context_minutes: Number = number("minutes that it rests on", default=0)
    learned: Time = time("when it was learned")
    version: Number = number("milliseconds since 1970 of the learning", bits=64)


class StartupTime(Row, table="startup_times", layout=Versions(key=("cluster", "size_class"))):
    """How long jobs of a size take from their start to first activity."""

    cluster: Label = label("cluster name")
    size_class: Label = label("size of the request, as queue waits name it")
    p95_seconds: Quantity = number(
        "time that 95 % of the jobs stayed under", unit=SECOND, step=MILLI, bits=64
    )
    jobs: Number = number("jobs that it rests on")
    learned: Time = time("when it was learned")
    version: Number = number("milliseconds since 1970 of the learning", bits=64)


class JobStat(Row, table="job_stats", layout=Versions(key=("job_id", "gpu_id"))):
    """The busiest that one GPU of a job has been so far: what a hang is compared with."""

    job_id: Label = text("cluster/native id")
    gpu_id: Number = ident("hash of the asset id")
    first_active: Time = time("start of the first active minute")
    busiest: Time = time("start of the busiest 5 minutes")
    sm_active_ratio: Gauge = gauge(
        RATIO, "highest SM activity over 5 minutes", step=BASIS_POINT, bits=16
    )
    tensor_active_ratio: Gauge = gauge(
        RATIO, "highest tensor activity over 5 minutes", step=BASIS_POINT, bits=16
    )
    power_ratio: Gauge = gauge(
        RATIO, "highest share of the power limit over 5 minutes", step=BASIS_POINT, bits=16
    )
    active_minutes: Number = number("minutes with activity")
    upto: Time = time("end of the last minute that was looked at")
    version: Number = number("milliseconds since 1970 of the learning", bits=64)


class JobClass(Row, table="job_classes", layout=Versions(key=("job_id",))):
    """What kind of work a job does, judged by its telemetry and processes."""

    job_id: Label = text("cluster/native id")
    work: Label = label("training, inference, notebook, preparation, science or idle")
    confidence_ratio: Gauge = gauge(RATIO, "how sure the model is", step=CENTI, bits=8)
    framework: Label = label("pytorch, tensorflow, jax or empty where unknown", default="")
    model: Label = label("version of the model and of its features; rule = no model")
    minutes: Number = number("minutes of telemetry that it rests on")
    version: Number = number("milliseconds since 1970 of the judgement", bits=64)
