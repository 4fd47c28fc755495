"""RowRemapFailure: a GPU could not remap a memory row."""

from alerts.asked import standing
from alerts.rule import Owner, Rule, Severity
from gpuledger.catalogue import GpuHealth
from gpuledger.units import COUNT

rule = Rule(
    name="RowRemapFailure",
    help="a GPU failed to remap a memory row: its memory cannot be trusted",
    sql=standing("s.remap_failed_wsum > 0", GpuHealth.remap_failed),
    labels=("cluster", "node", "slot", "rack"),
    measure="gpu_health_samples.remap_failed",
    # NVIDIA's notes on row remapping: replace the card once one failed.
    threshold=1.0,
    unit=COUNT,
    for_s=0.0,
    severity=Severity.CRITICAL,
    owner=Owner.HARDWARE,
    group=("cluster", "rack"),
    cost="gpus",
    summary="{subject} failed to remap a memory row",
    runbook="row_remap_failure.md",
)
