"""IdlePowerBudget: much of the energy goes into GPUs that idle."""

from alerts.rule import NOW, Owner, Rule, Severity
from gpuledger.states import FREE, in_list
from gpuledger.units import RATIO

# Given and idle, or free.
IDLE = in_list(("alloc_idle", *FREE))

rule = Rule(
    name="IdlePowerBudget",
    help="{threshold} of a cluster's GPU energy of a day went into GPUs that idle",
    sql=f"""
SELECT toString(cluster) AS subject, cluster,
  toFloat64(ifNull(idle / nullIf(whole, 0), 0)) AS value, round(idle / 3.6e6, 1) AS kwh
FROM (
  SELECT cluster, sum(energy_joules) AS whole,
    sumIf(energy_joules, state IN {IDLE}) AS idle
  FROM v_accounts_1h
  WHERE hour >= toStartOfHour({NOW} - INTERVAL 24 HOUR) AND hour <= {NOW}
  GROUP BY cluster)
ORDER BY subject
""".strip(),
    labels=("cluster",),
    measure="accounts_1h.energy_joules",
    # Ours: an idle H100 draws a tenth to a sixth of a busy one, so that with a fifth of the
    # energy most GPUs idle.
    threshold=0.2,
    unit=RATIO,
    for_s=0.0,
    severity=Severity.INFO,
    owner=Owner.PLATFORM,
    group=("cluster",),
    every_s=3600.0,
    summary="{value} of the GPU energy of {subject} in a day, {kwh} kWh, went into GPUs that idle",
    runbook="idle_power_budget.md",
)
