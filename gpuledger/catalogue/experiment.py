"""Runs of experiments, as tracking servers know them, and the jobs that they were."""

from gpuledger.schema import (
    FOREVER,
    Gauge,
    Holds,
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
from gpuledger.units import CENTI, RATIO


class ExperimentRun(Row, table="runs", layout=Versions(key=("run_id",))):
    """One run of an experiment and the job that it was."""

    run_id: Label = text("id that the tracking server gave")
    experiment: Label = label("name of the experiment", holds=Holds.WORDS)
    name: Label = text("name of the run", default="", holds=Holds.WORDS)
    user: Label = label("who started it", default="", holds=Holds.NAME)
    state: Label = label("running, finished, failed, killed or scheduled")
    parameters: Label = text("parameters as JSON", default="{}", holds=Holds.WORDS)
    metrics: Label = text("last values of its metrics as JSON", default="{}", holds=Holds.WORDS)
    started: Time = time("started at")
    ended: Time = time("ended at", default=FOREVER)
    job_id: Label = text("job that it was; empty = not known", default="")
    matched_by: Label = label("tag, parameter or time; empty = not matched", default="")
    match_ratio: Gauge = gauge(RATIO, "how sure the match is", step=CENTI, bits=8)
    told: Number = number("1 once its use was written back to the server", bits=8, default=0)
    version: Number = number("milliseconds since 1970 of the look", bits=64)
