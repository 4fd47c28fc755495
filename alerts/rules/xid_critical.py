"""XidCritical: a GPU or switch reported an error of its hardware."""

from alerts.asked import FADES_H, happened
from alerts.rule import Owner, Rule, Severity
from gpuledger.units import COUNT

rule = Rule(
    name="XidCritical",
    help="a GPU or NVSwitch told of an error of its hardware (XID, SXid) that nothing mended",
    sql=happened("kind IN ('xid', 'sxid') AND cause = 'hardware'"),
    labels=("cluster", "node", "slot", "rack"),
    measure="gpu_events.count",
    # NVSentinel drains from the first one on; which codes are of the hardware says
    # collector/xid.py.
    threshold=1.0,
    unit=COUNT,
    for_s=0.0,
    severity=Severity.CRITICAL,
    owner=Owner.HARDWARE,
    group=("cluster", "rack"),
    cost="gpus",
    fades_h=FADES_H,
    summary="{subject} reported hardware errors (XID {codes}): {value}, last {last} UTC",
    runbook="xid_critical.md",
)
