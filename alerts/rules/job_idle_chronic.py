"""JobIdleChronic: a job idles for hours, or again and again."""

from alerts.asked import BY_JOB, newest
from alerts.rule import NOW, Owner, Rule, Severity
from gpuledger.units import SECOND

# Job Defense Shield's other rule: 300 minutes without use within a window.
IN_A_DAY_S = 18_000

rule = Rule(
    name="JobIdleChronic",
    help="a job that is idle now has been so for {threshold}, or for 5 of the last 24",
    sql=f"""
SELECT subject,
  toFloat64(greatest(stretch, if(in_a_day >= {IN_A_DAY_S}, in_a_day, 0))) AS value,
  subject AS job, user, team, pool, gpus, grade
FROM (
  SELECT subject, maxIf(dateDiff('second', since, until), open = 1) AS stretch,
    sum(dateDiff('second', greatest(since, {NOW} - INTERVAL 24 HOUR), until)) AS in_a_day,
    any(user) AS user, any(team) AS team, any(pool) AS pool, maxIf(gpus, open = 1) AS gpus,
    maxIf(grade, open = 1) AS grade
  FROM ({newest(f"kind = 'idle' AND until > {NOW} - INTERVAL 24 HOUR")})
  WHERE {BY_JOB} AND until > {NOW} - INTERVAL 24 HOUR
  GROUP BY subject
  HAVING countIf(open = 1) > 0)
ORDER BY subject
""".strip(),
    labels=("job", "user", "team", "pool"),
    measure="idle",
    # Job Defense Shield ends jobs after 120 minutes without any use from their start.
    threshold=7200.0,
    unit=SECOND,
    for_s=0.0,
    severity=Severity.HIGH,
    owner=Owner.TEAM,
    group=("job",),
    cost="gpus",
    every_s=300.0,
    summary="{subject} ({user}, {team}) has idled for {value}: GPUs {gpus}, grade {grade}",
    runbook="job_idle_chronic.md",
)
