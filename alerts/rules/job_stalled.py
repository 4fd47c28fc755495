"""JobStalled: a job hangs."""

from alerts.asked import BY_JOB, OF_JOB, finding
from alerts.rule import Owner, Rule, Severity
from gpuledger.units import SECOND

rule = Rule(
    name="JobStalled",
    help="a job has hung for {threshold}: busy by the counters, and nothing moves",
    sql=finding("stalled", *OF_JOB, where=BY_JOB),
    labels=("job", "user", "team", "pool"),
    measure="stalled",
    # NVIDIA Recovery calls a job hung after 10 minutes, and NCCL's own watchdog ends it then.
    threshold=900.0,
    unit=SECOND,
    for_s=0.0,
    severity=Severity.HIGH,
    owner=Owner.USER,
    group=("job",),
    cost="gpus",
    summary="{subject} ({user}, {team}): {said}",
    runbook="job_stalled.md",
)
