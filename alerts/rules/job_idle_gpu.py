"""JobIdleGPU: a job holds GPUs and does nothing with them."""

from alerts.asked import BY_JOB, OF_JOB, finding
from alerts.rule import Owner, Rule, Severity
from gpuledger.units import SECOND

rule = Rule(
    name="JobIdleGPU",
    help="a job has held idle GPUs for {threshold} or longer",
    sql=finding("idle", *OF_JOB, where=BY_JOB),
    labels=("job", "user", "team", "pool"),
    # Run:ai warns after 5 minutes of idleness, Northeastern's IdleBot after 15.
    measure="idle",
    threshold=900.0,
    unit=SECOND,
    for_s=0.0,
    severity=Severity.WARNING,
    owner=Owner.USER,
    group=("job",),
    cost="gpus",
    summary="{subject} ({user}, {team}) has held idle GPUs for {value}: {gpus}, grade {grade}",
    runbook="job_idle_gpu.md",
)
