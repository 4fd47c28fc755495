"""RogueGPUProcess: a GPU is in use that no scheduler gave out."""

from alerts.asked import OF_CARD, finding
from alerts.rule import Owner, Rule, Severity
from gpuledger.units import SECOND

rule = Rule(
    name="RogueGPUProcess",
    help="a process has used a GPU without an allocation for {threshold}",
    sql=finding("rogue", *OF_CARD[:2], "pool"),
    labels=("cluster", "node", "pool"),
    measure="rogue",
    # Twice the 5 minutes of the book's rule: what an administrator tries by hand is over by then.
    threshold=600.0,
    unit=SECOND,
    for_s=0.0,
    severity=Severity.HIGH,
    owner=Owner.PLATFORM,
    group=("cluster",),
    cost="gpus",
    summary="{subject}: {said}",
    runbook="rogue_gpu_process.md",
)
