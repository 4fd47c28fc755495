"""CapacityLossSevere: a pool lost half of its GPUs to faults."""

from dataclasses import replace

from alerts.rule import Severity
from alerts.rules import capacity_loss

rule = replace(
    capacity_loss.rule,
    name="CapacityLossSevere",
    help="faults have taken {threshold} of a pool's GPUs",
    # See CapacityLoss.
    threshold=0.5,
    severity=Severity.CRITICAL,
    runbook="capacity_loss_severe.md",
)
