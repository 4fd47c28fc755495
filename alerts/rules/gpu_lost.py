"""GPULost: a GPU fell off the bus or is gone."""

from alerts.asked import FADES_H, happened
from alerts.rule import NOW, Owner, Rule, Severity
from gpuledger.units import COUNT

rule = Rule(
    name="GPULost",
    help="a GPU was lost and has not come back",
    # A card that tells its readings again is back, also where a new agent knows of no loss.
    sql=f"""
SELECT e.*
FROM ({happened("kind IN ('lost', 'reset')")}) AS e
LEFT JOIN (
  SELECT cluster, node, toString(slot) AS slot, max(ts) AS heard
  FROM gpu_samples_1m
  WHERE ts > {NOW} - INTERVAL 15 MINUTE AND ts <= {NOW} AND known != 0 AND ifNull(lost_ms, 0) = 0
  GROUP BY cluster, node, slot
) AS g ON g.cluster = e.cluster AND g.node = e.node AND g.slot = e.slot
WHERE g.heard <= e.at
ORDER BY subject
""".strip(),
    labels=("cluster", "node", "slot", "rack"),
    measure="gpu_events.count",
    # One is enough: the card does no work until it is reset (XID 79 in NVIDIA's catalogue).
    threshold=1.0,
    unit=COUNT,
    for_s=0.0,
    severity=Severity.CRITICAL,
    owner=Owner.HARDWARE,
    group=("cluster", "rack"),
    cost="gpus",
    fades_h=FADES_H,
    summary="{subject} was lost at {last} UTC and has not come back",
    runbook="gpu_lost.md",
)
