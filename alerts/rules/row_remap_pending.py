"""RowRemapPending: a GPU waits for a reset to remap a memory row."""

from alerts.asked import standing
from alerts.rule import Owner, Rule, Severity
from gpuledger.catalogue import GpuHealth
from gpuledger.units import COUNT

rule = Rule(
    name="RowRemapPending",
    help="a memory row of a GPU waits for a reset to be remapped",
    sql=standing("s.remap_pending_wsum > 0", GpuHealth.remap_pending),
    labels=("cluster", "node", "slot", "rack"),
    measure="gpu_health_samples.remap_pending",
    # NVIDIA's notes on row remapping: reset the GPU when its job has ended.
    threshold=1.0,
    unit=COUNT,
    for_s=0.0,
    severity=Severity.WARNING,
    owner=Owner.HARDWARE,
    group=("cluster", "rack"),
    summary="{subject} must be reset when its job has ended: a memory row waits to be remapped",
    runbook="row_remap_pending.md",
)
