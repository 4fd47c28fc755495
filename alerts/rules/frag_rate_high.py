"""FragRateHigh: most of what is free in a pool is fragments."""

from alerts.asked import POOL
from alerts.rule import NOW, Owner, Rule, Severity
from gpuledger.units import RATIO

# A full pool has nothing but crumbs: fewer free GPUs than a node, or fragments that are no
# twentieth of the pool, are no reason to move anybody.
LEAST_FREE, LEAST_SHARE = 8, 0.05

rule = Rule(
    name="FragRateHigh",
    help="{threshold} of a pool's free GPUs are fragments, and those are a twentieth of its GPUs",
    sql=f"""
SELECT {POOL} AS subject, cluster, pool, toUInt32(round(fragments)) AS gpus, largest,
  toFloat64(if(free >= {LEAST_FREE} AND fragments >= {LEAST_SHARE} * owned,
    fragments / free, 0)) AS value
FROM (
  SELECT cluster, pool, gpus AS owned, largest_gpus AS largest, ifNull(free_gpus, 0) AS free,
    ifNull(fragmented_gpus, 0) AS fragments
  FROM v_fragmentation_1h
  WHERE node = '' AND hour > {NOW} - INTERVAL 3 HOUR AND hour <= {NOW}
  ORDER BY hour DESC LIMIT 1 BY cluster, pool)
ORDER BY subject
""".strip(),
    labels=("cluster", "pool"),
    measure="fragmentation_1h.fragmented_gpus",
    # FGD's rate (fragments to free GPUs): from a half on, more of what is free is lost than not.
    threshold=0.5,
    unit=RATIO,
    for_s=7200.0,
    severity=Severity.WARNING,
    owner=Owner.PLATFORM,
    group=("cluster",),
    cost="gpus",
    every_s=600.0,
    summary="{value} of the free GPUs of {subject} ({gpus}) are fragments; {largest} at most fit",
    runbook="frag_rate_high.md",
)
