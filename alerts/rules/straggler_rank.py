"""StragglerRank: one rank of a job does not keep step with the others."""

from alerts.asked import BY_JOB, OF_JOB, finding
from alerts.rule import Owner, Rule, Severity
from gpuledger.units import SECOND

rule = Rule(
    name="StragglerRank",
    help="one GPU of a job has been out of step with the others for {threshold}",
    sql=finding("straggler", *OF_JOB, where=BY_JOB),
    labels=("job", "user", "team", "pool"),
    measure="straggler",
    # Twice the 15 minutes after which NVIDIA's advice looks at step times: checkpoints and
    # evaluation pass.
    threshold=1800.0,
    unit=SECOND,
    for_s=0.0,
    severity=Severity.WARNING,
    owner=Owner.USER,
    group=("job",),
    cost="lost",
    every_s=300.0,
    summary="{subject} ({user}, {team}): {said}",
    runbook="straggler_rank.md",
)
