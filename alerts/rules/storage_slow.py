"""StorageSlow: a network filesystem answers slowly and starves GPUs."""

from alerts.asked import OF_CARD, finding
from alerts.rule import Owner, Rule, Severity
from gpuledger.units import COUNT

rule = Rule(
    name="StorageSlow",
    help="a network filesystem is far slower than its norm, and {threshold} GPUs or more starve",
    sql=finding(
        "storage_slow",
        OF_CARD[0],
        "arrayStringConcat(arraySlice(splitByChar('/', subject), 2), '/') AS filesystem",
        value="gpus",
    ),
    labels=("cluster", "filesystem"),
    measure="storage_slow",
    # What is slow is the detector's (p95 over 3 times its norm, 15 minutes); ours: as many GPUs
    # starve as a node has.
    threshold=8.0,
    unit=COUNT,
    for_s=0.0,
    severity=Severity.HIGH,
    owner=Owner.PLATFORM,
    group=("cluster",),
    cost="lost",
    summary="{said}",
    runbook="storage_slow.md",
)
