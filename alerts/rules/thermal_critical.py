"""ThermalCritical: a GPU is about to slow down for heat."""

from alerts.asked import hot
from alerts.rule import Owner, Rule, Severity
from gpuledger.units import CELSIUS

rule = Rule(
    name="ThermalCritical",
    help="a GPU has been at {threshold} for a minute, next to its slowdown",
    sql=hot(minutes=2, margin=5),
    labels=("cluster", "node", "slot", "rack"),
    measure="gpu_samples.temperature_celsius",
    # HyperPod's second step, 85 °C; GPUd's margin to the slowdown, 5 °C.
    threshold=85.0,
    unit=CELSIUS,
    for_s=60.0,
    severity=Severity.CRITICAL,
    owner=Owner.HARDWARE,
    group=("cluster", "rack"),
    summary="{subject} is at {value}; {margin}",
    runbook="thermal_critical.md",
)
