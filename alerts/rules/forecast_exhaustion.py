"""ForecastExhaustion: demand will outgrow the GPUs."""

from alerts.asked import POOL
from alerts.rule import NOW, Owner, Rule, Severity
from gpuledger.units import RATIO

rule = Rule(
    name="ForecastExhaustion",
    help="within 28 days more GPUs are expected to be needed than usable",
    sql=f"""
SELECT if(pool = '', toString(cluster), {POOL}) AS subject, cluster, pool,
  toFloat64(ifNull(max(needed / nullIf(usable, 0)), 0)) AS value,
  formatDateTime(minIf(day, needed >= usable), '%Y-%m-%d') AS first
FROM (
  SELECT cluster, pool, at AS day, maxIf(expected, measure = 'demand') AS needed,
    maxIf(expected, measure = 'usable') AS usable
  FROM v_forecasts
  WHERE horizon_days = 28 AND at >= {NOW} AND at < {NOW} + INTERVAL 28 DAY
  GROUP BY cluster, pool, day)
GROUP BY cluster, pool
ORDER BY subject
""".strip(),
    labels=("cluster", "pool"),
    measure="forecasts.expected",
    # Ours: from the day on which the expected demand reaches what is usable, jobs wait all day.
    threshold=1.0,
    unit=RATIO,
    for_s=0.0,
    severity=Severity.INFO,
    owner=Owner.PLATFORM,
    group=("cluster",),
    every_s=21600.0,
    summary="{subject} will need {value} of its usable GPUs: not enough from {first} on",
    runbook="forecast_exhaustion.md",
)
