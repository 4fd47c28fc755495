"""DataStarved: a job waits for its data."""

from alerts.asked import BY_JOB, OF_JOB, finding
from alerts.rule import Owner, Rule, Severity
from gpuledger.units import SECOND

rule = Rule(
    name="DataStarved",
    help="a job has used little of its GPUs for {threshold} because it waits for data",
    sql=finding("underused", *OF_JOB, where=f"{BY_JOB} AND cause = 'input_bound'"),
    labels=("job", "user", "team", "pool"),
    measure="underused",
    # 46 % of the issues of slow jobs are about data (ICSE 2024); an hour, so that whoever is told
    # has something to gain.
    threshold=3600.0,
    unit=SECOND,
    for_s=0.0,
    severity=Severity.INFO,
    owner=Owner.USER,
    group=("job",),
    cost="lost",
    every_s=300.0,
    summary="{subject} ({user}, {team}): {said}",
    runbook="data_starved.md",
)
