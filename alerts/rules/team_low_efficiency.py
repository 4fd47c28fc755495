"""TeamLowEfficiency: a team has used little of its GPUs for a week."""

from alerts.asked import finding
from alerts.rule import Owner, Rule, Severity
from gpuledger.units import COUNT

rule = Rule(
    name="TeamLowEfficiency",
    help="a team lost {threshold} GPU-hours to low use in a week",
    sql=finding(
        "low_efficiency", "team", where="startsWith(subject, 'team/')", value="gpu_ms / 3.6e6"
    ),
    labels=("team",),
    measure="low_efficiency",
    # Job Defense Shield's rule (at most a quarter, over 50 GPU-hours) is the detector's; ours: as
    # much as one GPU all week, in GPU-hours.
    threshold=168.0,
    unit=COUNT,
    for_s=0.0,
    severity=Severity.INFO,
    owner=Owner.TEAM,
    cost="lost",
    every_s=3600.0,
    summary="{team}: {said}",
    runbook="team_low_efficiency.md",
)
