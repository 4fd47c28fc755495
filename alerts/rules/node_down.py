"""NodeDown: a node with GPUs is down."""

from alerts.asked import racked
from alerts.rule import NOW, Owner, Rule, Severity
from gpuledger.units import SECOND

rule = Rule(
    name="NodeDown",
    help="the scheduler has called a node with GPUs down for {threshold}",
    sql=racked(f"""
SELECT concat(cluster, '/', node) AS subject, cluster, node, gpus, reason,
  toFloat64(greatest(dateDiff('second', valid_from, {NOW}), 0)) AS value
FROM v_node_states
WHERE state = 'down' AND gpus > 0 AND valid_from <= {NOW} AND valid_to > {NOW}
ORDER BY valid_from
LIMIT 1 BY subject"""),
    labels=("cluster", "node", "rack"),
    measure="node_states.valid_from",
    # Twice Slurm's own patience with a node that does not answer (SlurmdTimeout, 300 s).
    threshold=600.0,
    unit=SECOND,
    for_s=0.0,
    severity=Severity.HIGH,
    owner=Owner.PLATFORM,
    group=("cluster", "rack"),
    cost="gpus",
    summary="{subject} has been down for {value} ({reason}): {gpus} GPUs",
    runbook="node_down.md",
)
