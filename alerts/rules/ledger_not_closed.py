"""LedgerNotClosed: the book does not add up to what is owned."""

from alerts.rule import NOW, Owner, Rule, Severity
from gpuledger.states import CLOSES_WITHIN
from gpuledger.units import RATIO

# Whole hours of the last 26: the newest one may still be written.
WINDOW = (
    f"hour >= toStartOfHour({NOW} - INTERVAL 26 HOUR)"
    f" AND hour < toStartOfHour({NOW} - INTERVAL 1 HOUR)"
)

rule = Rule(
    name="LedgerNotClosed",
    help="an hour of the book is off by {threshold} or more from what was owned in it",
    sql=f"""
SELECT formatDateTime(hour, '%Y-%m-%d %H:00') AS subject,
  toFloat64(max(abs(booked - owned) / owned)) AS value, argMax(book, abs(booked - owned)) AS book
FROM (
  SELECT b.hour AS hour, b.owned AS owned, a.booked AS booked, a.book AS book
  FROM (
    SELECT hour, owned_seconds AS owned FROM v_booked_hours
    WHERE {WINDOW} AND owned_seconds > 0
  ) AS b
  INNER JOIN (
    SELECT hour, 'ledger_1h' AS book, sum(gpu_seconds) AS booked FROM v_ledger_1h
    WHERE {WINDOW} GROUP BY hour
    UNION ALL
    SELECT hour, 'accounts_1h' AS book, sum(gpu_seconds) AS booked FROM v_accounts_1h
    WHERE {WINDOW} GROUP BY hour
  ) AS a ON a.hour = b.hour)
GROUP BY hour
HAVING value > 0
ORDER BY subject
""".strip(),
    labels=(),
    measure="booked_hours.owned_seconds",
    threshold=CLOSES_WITHIN,
    unit=RATIO,
    for_s=0.0,
    severity=Severity.HIGH,
    owner=Owner.PLATFORM,
    every_s=3600.0,
    summary="the hour {subject} is off by {value} in {book}",
    runbook="ledger_not_closed.md",
)
