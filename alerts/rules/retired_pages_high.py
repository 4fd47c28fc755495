"""RetiredPagesHigh: a GPU has retired many memory pages."""

from alerts.asked import OF_CARD, finding
from alerts.rule import Owner, Rule, Severity
from gpuledger.units import COUNT

rule = Rule(
    name="RetiredPagesHigh",
    help="a GPU has retired more memory pages than its maker replaces it for",
    sql=finding("sick_gpu", *OF_CARD, "pool", where="cause = 'retired_pages'", value="gpus"),
    labels=("cluster", "node", "slot", "pool"),
    measure="sick_gpu",
    # How many are too many is the detector's (GCM: 10); here: one card.
    threshold=1.0,
    unit=COUNT,
    for_s=0.0,
    severity=Severity.HIGH,
    owner=Owner.HARDWARE,
    group=("cluster",),
    every_s=300.0,
    summary="{said}",
    runbook="retired_pages_high.md",
)
