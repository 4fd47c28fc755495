"""QuotaStarvedWhileLent: a team waits for what is its while another has it."""

from alerts.asked import finding
from alerts.rule import Owner, Rule, Severity
from gpuledger.units import SECOND

rule = Rule(
    name="QuotaStarvedWhileLent",
    help="a team has waited below its guarantee for {threshold} while another runs above its own",
    sql=finding(
        "queue_starvation",
        "splitByChar('/', subject)[1] AS cluster",
        "team",
        "pool",
        where="cause = 'lent'",
    ),
    labels=("cluster", "team", "pool"),
    measure="queue_starvation",
    # KAI's reclaim issues speak of a quarter of an hour, the detector's; twice that, so that a
    # reclaim may work.
    threshold=1800.0,
    unit=SECOND,
    for_s=0.0,
    severity=Severity.WARNING,
    owner=Owner.PLATFORM,
    group=("cluster",),
    every_s=300.0,
    summary="{said}",
    runbook="quota_starved_while_lent.md",
)
