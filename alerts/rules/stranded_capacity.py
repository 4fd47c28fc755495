"""StrandedCapacity: free GPUs fit nothing that waits."""

from alerts.asked import share
from alerts.rule import NOW, Owner, Rule, Severity
from gpuledger.states import UNAVAILABLE, group_of
from gpuledger.units import RATIO

# A mean over so many minutes: jobs that begin and end leave gaps that close again.
MINUTES = 30
STRANDED = "state = 'stranded'"
UNAVAILABLE_STATES = group_of(UNAVAILABLE)

rule = Rule(
    name="StrandedCapacity",
    help="{threshold} of a pool's GPUs are free in pieces that no waiting job fits",
    sql=f"""
SELECT a.subject AS subject, toFloat64(a.share) AS value, a.cluster AS cluster, a.pool AS pool,
  a.gpus AS gpus
FROM ({share(STRANDED, MINUTES, *UNAVAILABLE_STATES)}) AS a
INNER JOIN (
  SELECT cluster, groupUniqArray(pool) AS pools FROM v_demand_1m
  WHERE minute >= {NOW} - INTERVAL {MINUTES} MINUTE AND minute <= {NOW} AND unmet_seconds > 0
  GROUP BY cluster
) AS d ON d.cluster = a.cluster
WHERE a.gpus > 0 AND (has(d.pools, a.pool) OR has(d.pools, ''))
ORDER BY subject
""".strip(),
    labels=("cluster", "pool"),
    measure="ledger_1m.gpu_seconds",
    # Ours, after FGD, which won back a fifth of the GPUs that nobody could use.
    threshold=0.05,
    unit=RATIO,
    for_s=600.0,
    severity=Severity.WARNING,
    owner=Owner.PLATFORM,
    group=("cluster",),
    cost="gpus",
    every_s=300.0,
    summary="{value} of {subject} (GPUs: {gpus}) is stranded while jobs wait",
    runbook="stranded_capacity.md",
)
