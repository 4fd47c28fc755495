"""QueueWaitBreach: a team waits far longer than it uses to."""

from alerts.asked import finding
from alerts.rule import Owner, Rule, Severity
from gpuledger.units import COUNT

rule = Rule(
    name="QueueWaitBreach",
    help="jobs of a team have waited for 30 minutes in a queue much slower than its norm",
    sql=finding(
        "queue_starvation",
        "splitByChar('/', subject)[1] AS cluster",
        "team",
        "pool",
        where="cause = 'slow'",
        value="gpus",
    ),
    labels=("cluster", "team", "pool"),
    measure="queue_starvation",
    # What is too slow is the detector's: p90 over twice its 4-week norm. Here: somebody still
    # waits for a GPU.
    threshold=1.0,
    unit=COUNT,
    for_s=1800.0,
    severity=Severity.WARNING,
    owner=Owner.PLATFORM,
    group=("cluster",),
    every_s=300.0,
    summary="{said}",
    runbook="queue_wait_breach.md",
)
