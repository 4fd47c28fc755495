"""JobIdleGPU: a job holds GPUs and does nothing with them."""

from alerts.rule import Rule, Severity
from gpuledger.units import SECOND

rule = Rule(
    name="JobIdleGPU",
    help="a job has held idle GPUs for 15 minutes or longer",
    # The age of what was booked, not of the clock: while nothing is booked, nothing grows.
    sql="""
SELECT subject, toFloat64(greatest(dateDiff('second', since, until), 0)) AS value,
  user, team, pool, gpus, grade
FROM v_findings
WHERE kind = 'idle' AND open = 1 AND owner = 'job owner'
ORDER BY subject
""".strip(),
    labels=("user", "team", "pool"),
    # Run:ai warns after 5 minutes of idleness, Northeastern's IdleBot after 15.
    threshold=900.0,
    unit=SECOND,
    for_s=0.0,
    severity=Severity.WARNING,
    owner="job owner",
    summary="{subject} ({user}, {team}) has held idle GPUs for {value}: {gpus}, grade {grade}",
    runbook="job_idle_gpu.md",
)
