"""XidAppStorm: a program makes its GPUs report errors."""

from alerts.asked import BY_JOB, OF_JOB, finding
from alerts.rule import Owner, Rule, Severity
from gpuledger.units import COUNT

rule = Rule(
    name="XidAppStorm",
    help="a job makes its GPUs report XIDs of the application class by the dozen",
    sql=finding("application_errors", *OF_JOB, where=BY_JOB, value="gpus"),
    labels=("job", "user", "team", "pool"),
    measure="application_errors",
    # How many an hour are a storm is the detector's (NVSentinel #1748: 11,760 from one job on
    # healthy nodes); here: GPUs that report them.
    threshold=1.0,
    unit=COUNT,
    for_s=0.0,
    severity=Severity.INFO,
    owner=Owner.USER,
    group=("job",),
    every_s=300.0,
    summary="{subject} ({user}, {team}): {said}",
    runbook="xid_app_storm.md",
)
