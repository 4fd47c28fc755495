"""NvlinkErrors: NVLinks of a GPU make errors."""

from alerts.asked import OF_CARD, finding
from alerts.rule import Owner, Rule, Severity
from gpuledger.units import COUNT

rule = Rule(
    name="NvlinkErrors",
    help="NVLinks of a GPU make errors: replays, recoveries, checksums or symbols",
    sql=finding("sick_gpu", *OF_CARD, "pool", where="cause = 'nvlink_errors'", value="gpus"),
    labels=("cluster", "node", "slot", "pool"),
    measure="sick_gpu",
    # How many are too many is the detector's (GCM tells of each); here: one card.
    threshold=1.0,
    unit=COUNT,
    for_s=0.0,
    severity=Severity.HIGH,
    owner=Owner.HARDWARE,
    group=("cluster",),
    every_s=300.0,
    summary="{said}",
    runbook="nvlink_errors.md",
)
