"""BookingBehind: the book is behind the clock."""

from alerts.rule import NOW, Owner, Rule, Severity
from gpuledger.units import SECOND

rule = Rule(
    name="BookingBehind",
    help="nothing has been booked for {threshold}",
    sql=f"""
SELECT 'book' AS subject,
  toFloat64(greatest(dateDiff('second', max(booked_until), {NOW}), 0)) AS value
FROM v_booked_hours
HAVING count() > 0
""".strip(),
    labels=(),
    measure="booked_hours.booked_until",
    # Ours: minutes are booked as soon as they have settled; ten that failed are no accident.
    threshold=900.0,
    unit=SECOND,
    for_s=60.0,
    severity=Severity.HIGH,
    owner=Owner.PLATFORM,
    summary="the book is {value} behind: findings and alerts are as old",
    runbook="booking_behind.md",
)
