"""PartialGPUUse: a job leaves some of its GPUs idle while others work."""

from alerts.asked import BY_JOB, OF_JOB, finding
from alerts.rule import Owner, Rule, Severity
from gpuledger.units import SECOND

rule = Rule(
    name="PartialGPUUse",
    help="some GPUs of a job have idled beside working ones for {threshold}",
    sql=finding("partial_idle", *OF_JOB, where=BY_JOB),
    labels=("job", "user", "team", "pool"),
    measure="partial_idle",
    # Job Defense Shield's share of GPUs in use, and twice the 30 minutes of the detector: phases
    # of a program pass.
    threshold=3600.0,
    unit=SECOND,
    for_s=0.0,
    severity=Severity.WARNING,
    owner=Owner.USER,
    group=("job",),
    cost="lost",
    every_s=300.0,
    summary="{subject} ({user}, {team}): {said}",
    runbook="partial_gpu_use.md",
)
