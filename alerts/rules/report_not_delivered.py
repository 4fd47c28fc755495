"""ReportNotDelivered: a report did not reach whom it was for."""

from alerts.asked import FADES_H
from alerts.rule import NOW, Owner, Rule, Severity
from gpuledger.units import SECOND

rule = Rule(
    name="ReportNotDelivered",
    help="a delivery of a weekly report has not succeeded for {threshold}",
    sql=f"""
SELECT concat(week, '/', what, '/', channel, '/', toString(delivery_id)) AS subject,
  toFloat64(if(state = 'sent', 0, greatest(dateDiff('second', begun, {NOW}), 0))) AS value,
  week, what, channel, target, state,
  if(reason = '', 'no reason was told', reason) AS reason
FROM (
  SELECT delivery_id, any(week) AS week, any(what) AS what, any(channel) AS channel,
    any(target) AS target, argMax(state, turn) AS state, argMax(reason, turn) AS reason,
    min(at) AS begun
  FROM v_report_deliveries
  WHERE at > {NOW} - INTERVAL {FADES_H} HOUR AND at <= {NOW}
  GROUP BY delivery_id)
ORDER BY subject
""".strip(),
    labels=("week", "what", "channel"),
    measure="report_deliveries.state",
    # Ours: what is tried again comes through within the hour, or needs somebody.
    threshold=3600.0,
    unit=SECOND,
    for_s=0.0,
    severity=Severity.WARNING,
    owner=Owner.PLATFORM,
    fades_h=FADES_H,
    summary="the report {week} ({what}) by {channel} to {target}: {state} for {value}: {reason}",
    runbook="report_not_delivered.md",
)
