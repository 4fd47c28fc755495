"""LedgerUnknownHigh: the book knows too little of a cluster."""

from alerts.rule import NOW, Owner, Rule, Severity
from gpuledger.measures import UNKNOWN_SHARE
from gpuledger.states import UNKNOWN_WITHIN
from gpuledger.units import RATIO

rule = Rule(
    name="LedgerUnknownHigh",
    help="of {threshold} of a cluster's time the book knows too little",
    sql=f"""
SELECT toString(cluster) AS subject, cluster, toFloat64(ifNull({UNKNOWN_SHARE.sql}, 0)) AS value
FROM v_accounts_1h
WHERE hour >= toStartOfHour({NOW} - INTERVAL 1 HOUR) AND hour <= {NOW}
GROUP BY cluster
ORDER BY subject
""".strip(),
    labels=("cluster",),
    measure="unknown_ratio",
    threshold=UNKNOWN_WITHIN,
    unit=RATIO,
    for_s=600.0,
    severity=Severity.HIGH,
    owner=Owner.PLATFORM,
    group=("cluster",),
    every_s=300.0,
    summary="{value} of the time of {subject} is unknown to the book",
    runbook="ledger_unknown_high.md",
)
