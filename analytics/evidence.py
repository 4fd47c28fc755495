"""What detectors share: chosen cells, episodes of a job's minutes, confidence, and the finding.

A detector states in SQL which cells are lost (`Loss.lost`), and when a minute of a job is one of
them (`Loss.hit`), tells nothing (`Loss.unknown`) or ends an episode (any other). `episodes` looks
for jobs in the accounts of hours first and reads minutes of those alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from analytics.book import Span
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue import Finding
from gpuledger.identity import hash64
from gpuledger.measures import CAPACITY_VALUE, CASH_AVOIDABLE
from gpuledger.states import in_list
from gpuledger.store import Store
from gpuledger.views import booked

MINUTE = timedelta(minutes=1)
# Grade A rests on profiling counters, D on nothing but the scheduler (design: evidence grade).
CONFIDENCE = {"A": 0.95, "B": 0.85, "C": 0.6, "D": 0.3}
# Without the learned draw of an idle context, power vetoes nothing (contracts: low confidence).
UNLEARNED = 0.85
# Share of an episode's minutes, as far as they were seen, that must be what it is about.
DENSE = 0.9
# Episodes that are looked at in one question: their names travel with it.
AT_ONCE = 1000
# The smallest share of a GPU that is given is a seventh (MIG); long episodes may have gaps.
SMALLEST, MOST_SHARE = 7, 0.5
HARDWARE, OWNER = "hardware operations", "job owner"
PEER_FAULT, EXEMPT = "peer_fault", "exempt"
# Condition on a cell `b`: a fault on a node of its job held it up.
HELD_UP = f"(b.cause = '{PEER_FAULT}' OR has(splitByChar(',', toString(b.flags)), '{PEER_FAULT}'))"

WITHIN = "minute >= {since:DateTime64(3, 'UTC')} AND minute < {until:DateTime64(3, 'UTC')}"
CHOSEN = "(empty({only:Array(String)}) OR has({only:Array(String)}, %s))"


@dataclass(frozen=True)
class Loss:
    """What a detector looks for in the minutes of jobs.

    `states`: a job without any of them is not read. `lost`: condition on a cell `b` (columns of
    `ledger_1m` but for scaled ones) that is part of the loss. `told`: aggregates of `b` by name.
    `hit` and `unknown`: conditions on a minute of a job, over `told`, `cells` and `gpus`
    (lost) and `held` (GPUs).
    `part`: share of a job's GPUs that are in `states` in a hit minute, at least.
    """

    states: tuple[str, ...]
    lost: str
    hit: str
    unknown: str = "false"
    part: float = 1.0
    told: Mapping[str, str] = field(default_factory=dict)


def parameters(span: Span) -> dict[str, Any]:
    """Parameters of a question about a span."""
    return {"since": span.since, "until": span.until, "only": list(span.only)}


def jobs_sql(states: tuple[str, ...], least_seconds: int = 1, share: float = 0.0) -> str:
    """SELECT of the jobs that spent so many GPU-seconds in these states, from hours of the span.

    With `share`, at least this share of some hour's time must be in them, or seen by nobody.
    Parameters: since, until, only.
    """
    states_ = in_list(states)
    return f"""
SELECT DISTINCT job FROM (
  SELECT job, hour, sumIf(gpu_ms, state IN {states_}) AS lost, sum(gpu_ms) AS held,
    sumIf(gpu_ms, state = 'alloc_unknown') AS unseen,
    sum(lost) OVER (PARTITION BY job) AS lost_in_all
  FROM accounts_1h
  WHERE hour >= toStartOfHour({{since:DateTime64(3, 'UTC')}})
    AND hour < {{until:DateTime64(3, 'UTC')}} AND job != '' AND {CHOSEN % "job"}
  GROUP BY job, hour)
WHERE lost > 0 AND lost_in_all >= {least_seconds * 1000} AND lost + unseen >= {share} * held"""


def held_sql(jobs: str) -> str:
    """SELECT of job_id, gpu_id and alloc_id of everything that these jobs held in the span.

    An allocation's id names job, restart and GPU, so that every version of it serves.
    """
    return f"""
SELECT DISTINCT job_id, gpu_id, alloc_id FROM allocations
WHERE valid_from < {{until:DateTime64(3, 'UTC')}} AND valid_to > {{since:DateTime64(3, 'UTC')}}
  AND job_id IN ({jobs})"""


def cells_sql(jobs: str, where: str = "true") -> str:
    """SELECT of the cells of these jobs as `v_book_1m` shows them."""
    held = f"SELECT gpu_id, alloc_id FROM ({held_sql(jobs)})"
    cells = (
        f"(SELECT * FROM ledger_1m WHERE {WITHIN} AND ({where})"
        f" AND gpu_id IN (SELECT gpu_id FROM ({held})) AND (gpu_id, alloc_id) IN ({held}))"
    )
    return booked(cells, "minute", f"job_id IN ({jobs})")


def minutes_sql(loss: Loss, jobs: str) -> str:
    """SELECT of the minutes of these jobs in which a loss is seen, or nothing at all."""
    held = held_sql(jobs)
    return f"""
SELECT job, at, {loss.hit} AS hit, NOT hit AND {loss.unknown} AS unknown
FROM (
  SELECT h.job AS job, b.minute AS at, countIf({loss.lost}) AS cells,
    uniqExactIf(b.gpu_id, {loss.lost}) AS gpus, uniqExact(b.gpu_id) AS held
    {"".join(f", {sql} AS {n}" for n, sql in loss.told.items())}
  FROM (SELECT * FROM ledger_1m WHERE {WITHIN}
    AND gpu_id IN (SELECT gpu_id FROM ({held}))) AS b
  INNER JOIN (SELECT gpu_id, alloc_id, job_id AS job FROM ({held})) AS h
    ON h.gpu_id = b.gpu_id AND h.alloc_id = b.alloc_id
  GROUP BY job, at)
WHERE hit OR unknown"""


def islands_sql(minutes: str, key: str = "job") -> str:
    """SELECT of islands of hit minutes (key, at, hit, unknown). Parameters: gap, after.

    Each row is a whole minute that is either hit or unknown. Minutes that tell nothing neither
    extend an island nor end it; more than `gap` others end it.
    Where the others come again and again, there is no island at all: that is how the job works.
    """
    return f"""
SELECT {key}, toDateTime64(island[1].1 * 60, 3, 'UTC') AS since,
  toDateTime64((island[-1].1 + 1) * 60, 3, 'UTC') AS until, length(island) AS hits,
  known_to - island[-1].2 AS unknown_after, island[-1].2 - island[1].2 AS unknown_within
FROM (
  SELECT {key}, arraySort(groupArray((intDiv(toUnixTimestamp(at), 60), hit))) AS told,
    arrayCumSum(x -> x.2 ? 0 : 1, told) AS unknown_upto, unknown_upto[-1] AS known_to,
    arrayFilter((x, t) -> t.2, arrayZip(told.1, unknown_upto), told) AS hit_at,
    arrayPopBack(arrayPushFront(hit_at, (0, 0))) AS earlier,
    arrayMap((x, e) -> toInt64(x.1) - e.1 - 1 - (x.2 - e.2) > {{gap:UInt32}}, hit_at, earlier)
      AS fresh,
    arrayJoin(arraySplit((x, f) -> f, hit_at, fresh)) AS island
  FROM ({minutes}) GROUP BY {key})
WHERE dateDiff('minute', since, until) >= {{after:UInt32}}
  AND hits >= {DENSE} * (dateDiff('minute', since, until) - unknown_within)"""


def _told_sql(loss: Loss) -> str:
    """SELECT of what findings tell of given episodes. Parameters: jobs, sinces, untils (ms), at."""
    jobs = "SELECT arrayJoin({jobs:Array(String)})"
    given = """
SELECT e.1 AS job, fromUnixTimestamp64Milli(e.2, 'UTC') AS since,
  fromUnixTimestamp64Milli(e.3, 'UTC') AS until
FROM (SELECT arrayJoin(arrayZip({jobs:Array(String)}, {sinces:Array(Int64)},
  {untils:Array(Int64)})) AS e)"""
    return f"""
SELECT b.job AS job, any(b.user) AS user, any(b.team) AS team, any(b.pool) AS pool,
  any(b.job_name) AS job_name, e.since AS since, any(e.until) AS until,
  uniqExactIf(b.gpu_id, b.lost) AS gpus, uniqExact(b.gpu_id) AS held,
  arraySort(groupUniqArrayIf(b.gpu_id, b.lost)) AS gpu_ids,
  arraySort(groupUniqArrayIf(b.node, b.lost)) AS nodes, maxIf(b.grade, b.lost) AS grade,
  arraySort(arrayDistinct(arrayFlatten(arrayMap(x -> splitByChar(',', toString(x)),
    groupUniqArrayIf(b.flags, b.lost AND b.flags != ''))))) AS flags,
  minOrNullIf(b.minute, b.lost AND {HELD_UP}) AS held_up_from,
  sum(b.gpu_seconds) AS lost_seconds, max(b.currency) AS currency,
  {CAPACITY_VALUE.sql} AS capacity_value, {CASH_AVOIDABLE.sql} AS cash_avoidable,
  any(j.kind) AS kind, any(j.started) AS started,
  any(j.ended) > {{at:DateTime64(3, 'UTC')}} AS running
FROM (SELECT * REPLACE (if(lost, b.gpu_seconds, 0) AS gpu_seconds,
    if(lost, b.energy_joules, 0) AS energy_joules), {loss.lost} AS lost
  FROM ({cells_sql(jobs)}) AS b) AS b
INNER JOIN ({given}) AS e ON e.job = b.job
LEFT JOIN (SELECT job_id, kind, started, ended FROM jobs FINAL
  WHERE job_id IN ({jobs})) AS j ON j.job_id = b.job
WHERE b.minute >= e.since AND b.minute < e.until
GROUP BY job, since"""


def episodes(
    store: Store, span: Span, loss: Loss, *, gap_min: int, after_min: int
) -> list[dict[str, Any]]:
    """Episodes of a loss in the span, largest first: a mapping with the columns of a finding.

    Beside them `flags` of the lost cells, `held_up_from` (the first of them that a fault on a node
    of the job held up, or None), `kind` and `started` of the job, `gpu_ids` and `nodes` that lost,
    `held` (GPUs of the job), `hits` (minutes) and `open`.
    """
    # Half of an episode lies in one hour; shares of a GPU count for less than its seconds.
    share = min(MOST_SHARE, after_min / 2 / 60) * loss.part
    jobs = jobs_sql(loss.states, after_min * 60 // SMALLEST, share)
    islands = store.select(
        f"SELECT * FROM ({islands_sql(minutes_sql(loss, jobs))}) ORDER BY since, job",
        **parameters(span),
        gap=gap_min,
        after=after_min,
    )
    rows = [
        row
        for first in range(0, len(islands), AT_ONCE)
        for row in _told(store, span, loss, islands[first : first + AT_ONCE])
    ]
    for row in rows:
        seen_after = (span.until - row["until"]) // MINUTE - row["unknown_after"]
        row["gpu_seconds"] = row["lost_seconds"]
        row["open"] = int(row["running"] and seen_after <= gap_min)
    return sorted(rows, key=lambda r: (-r["gpu_seconds"], r["job"], r["since"]))


def _told(
    store: Store, span: Span, loss: Loss, islands: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Some episodes with all that findings tell of them."""
    known = {(i["job"], i["since"]): i for i in islands}
    rows = store.select(
        _told_sql(loss),
        jobs=[i["job"] for i in islands],
        sinces=[to_milliseconds(i["since"]) for i in islands],
        untils=[to_milliseconds(i["until"]) for i in islands],
        since=min(i["since"] for i in islands),
        until=max(i["until"] for i in islands),
        at=span.until,
    )
    return [{**known[r["job"], r["since"]], **r} for r in rows]


@dataclass(frozen=True)
class Worth:
    """What a GPU-second of a job is worth; None without a price."""

    capacity_value: float | None
    currency: str


def worth(store: Store, jobs: Sequence[str], span: Span) -> dict[str, Worth]:
    """What a GPU-second of each job was worth in the span, on average."""
    rows = store.select(
        f"SELECT job, {CAPACITY_VALUE.sql} / nullIf(sum(b.gpu_seconds), 0) AS rate,"
        " max(b.currency) AS currency FROM v_book_1h AS b WHERE job IN {jobs:Array(String)}"
        " AND hour >= toStartOfHour({since:DateTime64(3, 'UTC')})"
        " AND hour < {until:DateTime64(3, 'UTC')} GROUP BY job",
        jobs=list(jobs),
        since=span.since,
        until=span.until,
    )
    return {r["job"]: Worth(r["rate"], r["currency"]) for r in rows}


def priced(worth: Worth | None, gpu_seconds: float) -> dict[str, Any]:
    """Money of lost seconds that were at work: their energy was not in vain."""
    rate = worth.capacity_value if worth else None
    return {
        "capacity_value": None if rate is None else rate * gpu_seconds,
        "cash_avoidable": None if rate is None else 0.0,
        "currency": worth.currency if worth else "",
    }


def finding(kind: str, row: Mapping[str, Any], span: Span, **told: Any) -> Finding:
    """The finding about an episode; `told` has what the detector says, and overrides the row.

    Confidence is that of the evidence grade unless it is told.
    """
    values = {
        "subject": row.get("job", ""),
        "confidence_ratio": CONFIDENCE[row["grade"]],
        **{name: row[name] for name in _OF_ROW if name in row},
        **told,
    }
    began = to_milliseconds(values["since"])
    return Finding(
        kind=kind,
        finding_id=hash64(f"{kind}/{values['subject']}/{began}"),
        version=to_milliseconds(span.until),
        **values,
    )


_OF_ROW = (
    *("user", "team", "pool", "since", "until", "open", "gpus", "gpu_seconds", "grade"),
    *("capacity_value", "cash_avoidable", "currency"),
)


def book_rows(job: str, since: datetime, until: datetime, where: str = "") -> str:
    """The query that shows a job's cells; it runs as it is."""
    return (
        f"SELECT minute, gpu_id, state, flags, cause, grade, gpu_seconds FROM v_book_1m"
        f" WHERE job = {quoted(job)} AND {during('minute', since, until)}"
        f"{' AND ' + where if where else ''} ORDER BY minute, gpu_id"
    )


def sample_rows(columns: str, row: Mapping[str, Any], table: str = "v_gpu_samples_1m") -> str:
    """The query that shows what the GPUs of an episode told by the minute; it runs as it is."""
    nodes = ", ".join(quoted(n) for n in row["nodes"])
    return (
        f"SELECT ts, node, slot, {columns} FROM {table}"
        f" WHERE node IN ({nodes}) AND gpu_id IN ({', '.join(map(str, row['gpu_ids']))})"
        f" AND {during('ts', row['since'], row['until'])} ORDER BY ts, node, slot"
    )


def during(column: str, since: datetime, until: datetime) -> str:
    """Condition that a time lies in the episode, with the instants written out."""
    return f"{column} >= {instant(since)} AND {column} < {instant(until)}"


def instant(at: datetime) -> str:
    """An instant, to the second, as SQL."""
    return f"toDateTime64('{at:%Y-%m-%d %H:%M:%S}', 3, 'UTC')"


def quoted(text: str) -> str:
    """A text as SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def added(one: float | None, other: float | None) -> float | None:
    """Two amounts together; what is missing adds nothing, and two missing ones are missing."""
    return one if other is None else (one or 0.0) + other


def duration(span: timedelta) -> str:
    """A length of time in words."""
    minutes = int(span.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{minutes / 1440:.1f} days"


def counted(count: int, thing: str) -> str:
    """`1 GPU`, `8 GPUs`."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


def places(names: Iterable[str], most: int = 3) -> str:
    """Names of nodes in words, the first few of many."""
    listed = list(names)
    more = len(listed) - most
    return ", ".join(listed) if more <= 0 else f"{', '.join(listed[:most])} and {more} more"
