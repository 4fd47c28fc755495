"""NvlinkInactive: NVLinks of a GPU are inactive."""

from alerts.asked import standing
from alerts.rule import Owner, Rule, Severity
from gpuledger.catalogue import GpuHealth
from gpuledger.units import COUNT

rule = Rule(
    name="NvlinkInactive",
    help="NVLinks of a GPU have been inactive for a minute",
    sql=standing(
        "greatest(toInt64(s.nvlinks_wsum) - toInt64(s.nvlinks_up_wsum), 0) / s.weight_ms",
        GpuHealth.nvlinks,
        GpuHealth.nvlinks_up,
    ),
    labels=("cluster", "node", "slot", "rack"),
    measure="gpu_health_samples.nvlinks_up",
    # NVIDIA's health checks expect every link (18 on H100): one less holds up every collective.
    threshold=1.0,
    unit=COUNT,
    for_s=60.0,
    severity=Severity.CRITICAL,
    owner=Owner.HARDWARE,
    group=("cluster", "rack"),
    cost="gpus",
    summary="inactive NVLinks of {subject}: {value}",
    runbook="nvlink_inactive.md",
)
