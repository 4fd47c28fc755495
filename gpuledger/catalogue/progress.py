"""How far training is, as its own code tells the agent through the training hook."""

from gpuledger.schema import (
    UNSET_TIME,
    Additive,
    Counter,
    Holds,
    Label,
    Number,
    Rollup,
    Sample,
    Samples,
    Time,
    additive,
    counter,
    label,
    number,
    text,
    time,
)
from gpuledger.units import COUNT, MICRO, SECOND


class ProgressSample(
    Sample,
    table="progress_samples",
    layout=Samples(
        key=("node", "runtime", "container", "session", "pid"),
        rollup=Rollup.NONE,
        retention="minutes",
    ),
):
    """One process of a training job. Who it is the kernel says; the rest it says of itself."""

    pid: Number = number("process id as the host counts")
    session: Number = number("its login session, which is a job where there is no container")
    user: Label = label("user name; the number where no directory knows it", holds=Holds.NAME)
    runtime: Label = label("slurm, kubernetes, docker, podman or empty", default="")
    container: Label = text("job, pod or container id in its cgroup", default="")
    rank: Label = label("rank in the job, as the process says; empty = it does not", default="")
    steps: Counter = counter(COUNT, "steps that ended")
    step_seconds: Counter = counter(
        SECOND, "time in steps, without waits for data and checkpoints", step=MICRO
    )
    data_wait_seconds: Counter = counter(SECOND, "time in which it waited for data", step=MICRO)
    checkpoint_seconds: Counter = counter(SECOND, "time in which it wrote checkpoints", step=MICRO)
    checkpoints: Counter = counter(COUNT, "checkpoints written")
    last_step: Number = number("number of the last step that ended", bits=64, default=0)
    last_checkpoint: Time = time("end of the last checkpoint; 1970 = none yet", default=UNSET_TIME)
    refused: Additive = additive(COUNT, "reports of it that could not be used")
