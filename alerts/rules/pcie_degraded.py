"""PcieDegraded: the PCIe link of a GPU is slower than it could be."""

from alerts.asked import OF_CARD, finding
from alerts.rule import Owner, Rule, Severity
from gpuledger.units import COUNT

rule = Rule(
    name="PcieDegraded",
    help="a GPU under load has a PCIe link below its best, or repeats transfers",
    sql=finding(
        "sick_gpu", *OF_CARD, "pool", where="cause IN ('pcie_slow', 'pcie_replays')", value="gpus"
    ),
    labels=("cluster", "node", "slot", "pool"),
    measure="sick_gpu",
    # What is too slow, and for how long, is the detector's (10 minutes under load); here: one
    # card.
    threshold=1.0,
    unit=COUNT,
    for_s=0.0,
    severity=Severity.WARNING,
    owner=Owner.HARDWARE,
    group=("cluster",),
    every_s=300.0,
    summary="{said}",
    runbook="pcie_degraded.md",
)
