"""Decisions: what is proposed, what a week without it costs, and what became of earlier ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from analytics.life import netting
from analytics.life.events import short
from analytics.life.netting import NET
from analytics.report.persons import Persons
from analytics.report.value import Amount, Became, Decision
from analytics.report.words import plain
from gpuledger.service import Reader

# 'Which at most three decisions are mine' (design/product.md, manager).
MOST = 3
WEEK_S = 7 * 86_400
# Of a report that is read on Monday: decided by Friday.
DECIDE_WITHIN = timedelta(days=4)
DIGITS = 6
# Of a title, a reason and a command.
LONGEST = 600
# Who decides where no team is told, by advisor.
OWNERS = {
    "buy": "finance with capacity planning",
    "lend": "capacity planning",
    "power_down": "platform",
    "quota": "scheduler administration",
    "repack": "scheduler administration",
}
NOBODY = "platform"

Row = Mapping[str, Any]


def proposed(reader: Reader, at: datetime, until: datetime) -> list[dict[str, Any]]:
    """What was proposed and not decided at a moment, the largest gain first.

    `until` is the end of the period: what came of them by then is in `later` and `said`.
    """
    rows = reader.select(_STANDING, at=at, until=until)
    return netting.net(row for row in rows if row["standing"] == "proposed")


def grouped(rows: Iterable[Row]) -> list[list[Row]]:
    """Proposals of one kind to one team are one decision; the largest first.

    What adds nothing to larger ones is no decision of its own.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        gain = row["gain_gpu_hours"]
        # Small gains are decisions, too: early advice on a job gains minutes, and may gain a week.
        if gain and row[NET] < min(netting.LEAST_TOLD, gain / 2):
            continue
        # Without a team, each is about another place.
        key = (row["kind"], row["team"] or str(row["recommendation_id"]))
        groups.setdefault(key, []).append(row)
    return sorted(groups.values(), key=lambda g: (-_sum(g, NET), g[0]["recommendation_id"]))


def decision(rows: Sequence[Row], until: datetime, zone: tzinfo, known: Persons) -> Decision:
    """The decision that proposals of one kind and team come to."""
    first = rows[0]
    return Decision(
        id=short(first["recommendation_id"]),
        kind=first["kind"],
        title=known.out_of(first["title"], LONGEST),
        more=len(rows) - 1,
        team=plain(first["team"]),
        owner=owner(first),
        due=_due(until, zone),
        cost=_weekly(rows),
        confidence=first["confidence_ratio"],
        because=_because(first, known),
        command=known.out_of(first["command"], LONGEST),
    )


def owner(row: Row) -> str:
    """Who decides, as a role: never a person."""
    if row["team"] and row["kind"] not in OWNERS:
        return f"lead of team {plain(row['team'])}"
    return OWNERS.get(row["kind"], NOBODY)


def became(row: Row, known: Persons, more: int = 0) -> Became:
    """What became of an earlier proposal and `more` like it; `later`: where it stood at the end."""
    measured = None
    if row["measured_gpu_hours"] is not None:
        measured = Amount(row["measured_gpu_hours"], row["low_gpu_hours"], row["high_gpu_hours"])
    said = row["outcome_reason"] or row["said"]
    return Became(
        id=short(row["recommendation_id"]),
        title=known.out_of(row["title"], LONGEST),
        team=plain(row["team"]),
        status=row["later"],
        said=known.out_of(said, 200),
        horizon_seconds=float(row["horizon_seconds"]),
        predicted=Amount(
            row["gain_gpu_hours"], row["gain_low_gpu_hours"], row["gain_high_gpu_hours"]
        ),
        measured=measured,
        more=more,
    )


def followed(
    reader: Reader, told: Iterable[Decision], until: datetime, known: Persons
) -> tuple[Became, ...]:
    """What became of decisions that a report told, in its order."""
    rows = {
        short(row["recommendation_id"]): row
        for row in reader.select(_STANDING, at=until, until=until)
    }
    return tuple(became(rows[d.id], known, d.more) for d in told if d.id in rows)


def outcomes(
    reader: Reader, since: datetime, until: datetime, known: Persons
) -> tuple[Became, ...]:
    """Advice whose outcome was judged in the period, the largest promise first."""
    rows = reader.select(_STANDING, at=until, until=until)
    judged = [r for r in rows if r["judged"] and since <= r["measured_at"] < until]
    judged.sort(key=lambda r: (-(r["gain_gpu_hours"] or 0.0), r["recommendation_id"]))
    return tuple(became(row, known) for row in judged)


def _due(until: datetime, zone: tzinfo) -> date:
    return (until.astimezone(zone) + DECIDE_WITHIN).date()


def _weekly(rows: Sequence[Row]) -> Amount:
    """What a week without the decision costs: the gain of a week, of GPUs counted once."""
    if all(row["gain_gpu_hours"] is None for row in rows):
        return Amount(None)
    currencies = {row["currency"] for row in rows if row["gain_capacity_value"] is not None}
    hours, low, high = (
        _per_week(rows, end) for end in (NET, "gain_low_gpu_hours", "gain_high_gpu_hours")
    )
    price = _price(rows)
    if len(currencies) != 1 or price is None:
        return Amount(hours, low, high)
    value, value_low, value_high = (
        None if end is None else round(end * price, DIGITS) for end in (hours, low, high)
    )
    return Amount(hours, low, high, value, value_low, value_high, currencies.pop())


def _per_week(rows: Sequence[Row], name: str) -> float | None:
    """The sum over a week; ends of intervals only where all gains have them."""
    told = [_week(row, name) for row in rows if row["gain_gpu_hours"] is not None]
    known = [value for value in told if value is not None]
    return round(sum(known), DIGITS) if len(known) == len(told) else None


def _week(row: Row, name: str) -> float | None:
    """Of the gain itself; an end of its interval shrinks with what was counted before."""
    gain, value = row["gain_gpu_hours"], row[name]
    if value is None or not row["horizon_seconds"]:
        return None
    part = row[NET] / gain if name != NET and gain else 1.0
    return float(value) * part * WEEK_S / float(row["horizon_seconds"])


def _price(rows: Sequence[Row]) -> float | None:
    """Worth of one of their GPU-hours."""
    priced = [r for r in rows if r["gain_capacity_value"] is not None and r["gain_gpu_hours"]]
    hours = _sum(priced, "gain_gpu_hours")
    return _sum(priced, "gain_capacity_value") / hours if hours else None


def _because(row: Row, known: Persons) -> str:
    told = (known.out_of(row["because"], LONGEST).rstrip("."), netting.overlap(row))
    return "; ".join(filter(None, told))


def _sum(rows: Iterable[Row], name: str) -> float:
    return float(sum(row[name] or 0.0 for row in rows))


# Where each stood at a moment and at the end, by the steps that were taken until then.
_UPTO = "at <= {{{0}:DateTime64(3, 'UTC')}}"
_STANDING = f"""
SELECT r.*, multiIf(s.steps = 0, r.status, s.at_moment = '', 'proposed', s.at_moment) AS standing,
  multiIf(s.steps = 0, r.status, s.at_end = '', 'proposed', s.at_end) AS later,
  s.said AS said, s.decided_by AS by, o.judged = 1 AS judged, o.outcome_reason AS outcome_reason,
  o.measured_at AS measured_at, o.won AS measured_gpu_hours, o.won_low AS low_gpu_hours,
  o.won_high AS high_gpu_hours
FROM (SELECT recommendation_id, toString(kind) AS kind, subject, toString(user) AS user,
    toString(team) AS team, toString(status) AS status, title, command, resources, gain_gpu_hours,
    gain_low_gpu_hours, gain_high_gpu_hours, gain_capacity_value, toString(currency) AS currency,
    horizon_seconds, confidence_ratio, because
  FROM v_recommendations WHERE created <= {{at:DateTime64(3, 'UTC')}}) AS r
LEFT JOIN (SELECT recommendation_id AS id, count() AS steps,
    argMaxIf(toString(status), turn, {_UPTO.format("at")}) AS at_moment,
    argMaxIf(toString(status), turn, {_UPTO.format("until")}) AS at_end,
    argMaxIf(reason, turn, {_UPTO.format("until")}) AS said,
    argMaxIf(toString(by), turn, {_UPTO.format("until")}) AS decided_by
  FROM v_recommendation_events GROUP BY id) AS s ON s.id = r.recommendation_id
LEFT JOIN (SELECT recommendation_id AS id, 1 AS judged, reason AS outcome_reason,
    measured AS measured_at, measured_gpu_hours AS won, low_gpu_hours AS won_low,
    high_gpu_hours AS won_high
  FROM v_outcomes WHERE measured < {{until:DateTime64(3, 'UTC')}}) AS o
  ON o.id = r.recommendation_id
ORDER BY recommendation_id"""
