"""RowsDropped: an agent lost rows for good."""

from alerts.rule import NOW, Owner, Rule, Severity
from gpuledger.units import COUNT

rule = Rule(
    name="RowsDropped",
    help="an agent dropped rows for lack of room, or the store refused them",
    sql=f"""
SELECT concat(cluster, '/', node, '/', told_for) AS subject, cluster, node, told_for,
  toFloat64(greatest(lately - before, 0)) AS value
FROM (
  SELECT cluster, node, of AS told_for,
    maxIf(lost, ts > {NOW} - INTERVAL 1 HOUR) AS lately,
    maxIf(lost, ts <= {NOW} - INTERVAL 1 HOUR) AS before
  FROM (
    SELECT cluster, node, of, ts, ifNull(dropped_rows, 0) + ifNull(rejected_rows, 0) AS lost
    FROM v_spool_losses
    WHERE ts > {NOW} - INTERVAL 7 DAY AND ts <= {NOW})
  GROUP BY cluster, node, told_for)
ORDER BY subject
""".strip(),
    labels=("cluster", "node", "told_for"),
    measure="spool_losses.dropped_rows",
    # One: the spool is there so that none is lost.
    threshold=1.0,
    unit=COUNT,
    for_s=0.0,
    severity=Severity.HIGH,
    owner=Owner.PLATFORM,
    group=("cluster",),
    every_s=300.0,
    summary="rows of {told_for} that {cluster}/{node} lost within an hour: {value}",
    runbook="rows_dropped.md",
)
