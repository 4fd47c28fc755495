"""CapacityLoss: a pool lost a tenth of its GPUs to faults."""

from alerts.asked import share
from alerts.rule import Owner, Rule, Severity
from gpuledger.units import RATIO

# The book is two minutes behind at most.
MINUTES = 5
# What its owner has in repair is known, and may take weeks.
LOST = "state = 'fault' AND cause != 'repair'"
# A single card has alerts of its own, also where it is a tenth of a small pool.
LEAST_GPUS = 2

rule = Rule(
    name="CapacityLoss",
    help="faults have taken {threshold} of a pool's GPUs",
    sql=f"""
SELECT subject, toFloat64(if(gpus >= {LEAST_GPUS}, share, 0)) AS value, cluster, pool, gpus
FROM ({share(LOST, MINUTES)})
WHERE gpus > 0
ORDER BY subject
""".strip(),
    labels=("cluster", "pool"),
    measure="ledger_1m.gpu_seconds",
    # The aggregate rules of NVIDIA's health alerts: a tenth of a pool is high, a half critical.
    threshold=0.1,
    unit=RATIO,
    for_s=60.0,
    severity=Severity.HIGH,
    owner=Owner.HARDWARE,
    group=("cluster",),
    cost="gpus",
    summary="{value} of {subject} (GPUs: {gpus}) is lost to faults",
    runbook="capacity_loss.md",
)
