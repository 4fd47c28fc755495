"""HwSlowdown: heat or power holds a working GPU down."""

from alerts.asked import OF_CARD, finding
from alerts.rule import Owner, Rule, Severity
from gpuledger.units import SECOND

rule = Rule(
    name="HwSlowdown",
    help="heat, a power brake or the hardware has held a working GPU down for {threshold}",
    sql=finding("throttled", *OF_CARD, "pool"),
    labels=("cluster", "node", "slot", "pool"),
    measure="throttled",
    # GPUd counts slowdowns over 10 minutes, the detector's; three times that, so that a short
    # peak of heat passes.
    threshold=1800.0,
    unit=SECOND,
    for_s=0.0,
    severity=Severity.HIGH,
    owner=Owner.HARDWARE,
    group=("cluster",),
    cost="lost",
    every_s=300.0,
    summary="{said}",
    runbook="hw_slowdown.md",
)
