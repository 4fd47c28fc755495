"""EccUncorrectable: a GPU had uncorrectable memory errors."""

from alerts.asked import FADES_H, counted, happened, racked
from alerts.rule import Owner, Rule, Severity
from gpuledger.catalogue import GpuHealth
from gpuledger.units import COUNT

TOLD = happened("kind = 'ecc' AND cause = 'hardware'")

rule = Rule(
    name="EccUncorrectable",
    help="a GPU told of an uncorrectable memory error, and nothing has mended it",
    sql=racked(f"""
SELECT concat(cluster, '/', node, '/', slot) AS subject, cluster, node, slot, max(value) AS value,
  toUInt8(1) AS gpus
FROM (
  SELECT cluster, node, slot, value FROM ({TOLD})
  UNION ALL
  {counted(GpuHealth.ecc_uncorrected_errors)})
GROUP BY cluster, node, slot"""),
    labels=("cluster", "node", "slot", "rack"),
    measure="gpu_health_samples.ecc_uncorrected_errors",
    # HyperPod drains from the first double-bit error on.
    threshold=1.0,
    unit=COUNT,
    for_s=0.0,
    severity=Severity.CRITICAL,
    owner=Owner.HARDWARE,
    group=("cluster", "rack"),
    cost="gpus",
    fades_h=FADES_H,
    summary="uncorrectable memory errors of {subject}: {value}",
    runbook="ecc_uncorrectable.md",
)
