"""SlowGPU: a card at a low clock slows a whole job down."""

from alerts.asked import OF_JOB, finding
from alerts.rule import Owner, Rule, Severity
from gpuledger.units import SECOND

rule = Rule(
    name="SlowGPU",
    help="a GPU has run at a lower clock than the others of its job for {threshold}",
    sql=finding("straggler", *OF_JOB, where="owner = 'hardware operations'"),
    labels=("job", "user", "team", "pool"),
    measure="straggler",
    # As StragglerRank: twice the 15 minutes of NVIDIA's advice.
    threshold=1800.0,
    unit=SECOND,
    for_s=0.0,
    severity=Severity.HIGH,
    owner=Owner.HARDWARE,
    group=("job",),
    cost="lost",
    every_s=300.0,
    summary="{subject}: {said}",
    runbook="slow_gpu.md",
)
