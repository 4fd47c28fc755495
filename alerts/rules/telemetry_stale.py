"""TelemetryStale: a node that told of itself today has fallen silent."""

from alerts.rule import NOW, Owner, Rule, Severity
from gpuledger.units import SECOND

SILENT_INTERVALS = 3
# Among what a day was heard of: a month of every agent's accounts would be read each minute.
SEEN_WITHIN_H = 24
# So who has been missed for longer is known from the alert that stands, as long as the node has
# GPUs; one without any is not missed for more than a day.
MISSED = """
SELECT JSONExtractString(labels, 'cluster') AS cluster, JSONExtractString(labels, 'node') AS node,
  fromUnixTimestamp64Milli(toInt64(version) - toInt64(1000 * value), 'UTC') AS last,
  0. AS interval_s
FROM v_alert_states
WHERE rule = 'TelemetryStale' AND state != 'resolved'
  AND (cluster, node) IN (SELECT cluster, node FROM owned WHERE gpus > 0)
"""

rule = Rule(
    name="TelemetryStale",
    help="no readings from a node for 3 of its intervals, and {threshold} at least",
    sql=f"""
WITH owned AS (
  SELECT cluster, node, countIf(valid_to > {NOW}) AS gpus
  FROM v_assets GROUP BY cluster, node
), heard AS (
  SELECT cluster, node, max(last) AS last, max(interval_s) AS interval_s
  FROM (
    SELECT cluster, node, max(ts) AS last, avg(interval_ms) / 1000 AS interval_s
    FROM source_runs
    WHERE ts > {NOW} - INTERVAL {SEEN_WITHIN_H} HOUR AND ts <= {NOW}
    GROUP BY cluster, node
    UNION ALL{MISSED})
  GROUP BY cluster, node
)
SELECT concat(heard.cluster, '/', heard.node) AS subject,
  dateDiff('second', heard.last, {NOW}) AS silent_s,
  toFloat64(if(silent_s > {SILENT_INTERVALS} * heard.interval_s, silent_s, 0)) AS value,
  heard.cluster AS cluster, heard.node AS node, owned.gpus AS gpus
FROM heard
LEFT JOIN owned ON owned.cluster = heard.cluster AND owned.node = heard.node
WHERE (heard.cluster, heard.node) NOT IN (SELECT cluster, node FROM owned WHERE gpus = 0)
ORDER BY subject
""".strip(),
    labels=("cluster", "node"),
    measure="source_runs.ts",
    threshold=180.0,
    unit=SECOND,
    # One late delivery (a restart of the agent or of the service) is no reason to call anybody.
    for_s=60.0,
    severity=Severity.HIGH,
    owner=Owner.PLATFORM,
    group=("cluster",),
    mutes=("cluster", "node"),
    cost="gpus",
    summary="{subject} has been silent for {value}; GPUs booked as unknown: {gpus}",
    runbook="telemetry_stale.md",
)
