"""NotebookHoldingMemory: a session of a person holds GPU memory and computes nothing."""

from alerts.asked import BY_JOB, OF_JOB, finding
from alerts.rule import Owner, Rule, Severity
from gpuledger.units import SECOND

rule = Rule(
    name="NotebookHoldingMemory",
    help="a notebook or shell has held GPU memory without use for {threshold}",
    sql=finding("notebook", *OF_JOB, where=BY_JOB),
    labels=("job", "user", "team", "pool"),
    measure="notebook",
    # VESSL shows an idle badge after 3 hours; a mail may wait for one more.
    threshold=14_400.0,
    unit=SECOND,
    for_s=0.0,
    severity=Severity.INFO,
    owner=Owner.USER,
    group=("job",),
    cost="gpus",
    every_s=300.0,
    summary="{subject} ({user}, {team}): {said}",
    runbook="notebook_holding_memory.md",
)
