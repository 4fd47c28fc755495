"""QuarantineGrowing: rows arrive whose times cannot be right."""

from alerts.rule import NOW, Owner, Rule, Severity
from gpuledger.units import COUNT

rule = Rule(
    name="QuarantineGrowing",
    help="{threshold} rows in an hour came with times that cannot be right",
    sql=f"""
SELECT concat(cluster, '/', node, '/', told_for) AS subject, cluster, node, told_for,
  toFloat64(sum(rows)) AS value, any(reason) AS reason
FROM (
  SELECT cluster, node, of AS told_for, rows, reason FROM v_quarantine
  WHERE ts > {NOW} - INTERVAL 1 HOUR AND ts <= {NOW})
GROUP BY cluster, node, told_for
ORDER BY subject
""".strip(),
    labels=("cluster", "node", "told_for"),
    measure="quarantine.rows",
    # Ours: a batch or two is a clock that was set; a hundred rows are a clock that is wrong.
    threshold=100.0,
    unit=COUNT,
    for_s=0.0,
    severity=Severity.WARNING,
    owner=Owner.PLATFORM,
    group=("cluster",),
    summary="rows of {told_for} from {cluster}/{node} kept aside within an hour: {value}, {reason}",
    runbook="quarantine_growing.md",
)
