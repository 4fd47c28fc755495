"""ThermalWarn: a GPU is hot."""

from alerts.asked import hot
from alerts.rule import Owner, Rule, Severity
from gpuledger.units import CELSIUS

rule = Rule(
    name="ThermalWarn",
    help="a GPU has been at {threshold} on average for 5 minutes, near its slowdown",
    sql=hot(minutes=5, margin=10),
    labels=("cluster", "node", "slot", "rack"),
    measure="gpu_samples.temperature_celsius",
    # HyperPod warns at 80 °C; where the card tells its margin to the slowdown, 10 °C are enough.
    threshold=80.0,
    unit=CELSIUS,
    for_s=0.0,
    severity=Severity.WARNING,
    owner=Owner.HARDWARE,
    group=("cluster", "rack"),
    summary="{subject} is at {value}; {margin}",
    runbook="thermal_warn.md",
)
