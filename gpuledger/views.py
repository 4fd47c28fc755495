"""The book as people ask for it: views over cells and accounts with owners, prices and units."""

from __future__ import annotations

from gpuledger.measures import REQUEST_SIZES, SIZE_CLASS
from gpuledger.owners import job_owners
from gpuledger.states import recoverable_factor

# What waiting jobs could have used of a cell, in milliseconds (see `analytics.recoverable`).
_CELL_HOUR = ("gpu_id", "hour", "alloc_id", "state", "flags", "cause", "grade")
_MET = {
    "minute": (
        f"c.gpu_ms * {recoverable_factor('c.state')} * w.met_millionths / 1e6",
        "recoverable_1m",
        "w.cluster = c.cluster AND w.pool = a.pool AND w.minute = c.minute",
    ),
    "hour": (
        "w.recoverable_ms",
        "recoverable_1h",
        " AND ".join(f"w.{key} = c.{key}" for key in _CELL_HOUR),
    ),
}


def owned(cells: str, time: str, given: str = "true", within: str = "") -> str:
    """SELECT of cells with place and owner; `given` limits the allocations that are looked at.

    What could have been recovered of them is joined where `within` says of which times it is read:
    otherwise a join would read those of all times, and it is absent.
    """
    met, table, same = _MET[time]
    met = f"toUInt64({met})" if within else "NULL"
    joined = f"LEFT JOIN (SELECT * FROM {table} WHERE {within}) AS w ON {same}" if within else ""
    return f"""
SELECT c.cluster AS cluster, c.{time} AS {time}, c.gpu_id AS gpu_id, a.node AS node, a.slot AS slot,
  a.pool AS pool, a.model AS model, l.job_id AS job,
  if(c.alloc_id = 0, '', j.user) AS user,
  multiIf(c.alloc_id = 0, '', j.job_id = '', 'unmapped', j.team) AS team,
  j.name AS job_name, c.state AS state, c.cause AS cause, c.flags AS flags, c.grade AS grade,
  c.gpu_ms AS gpu_ms, c.energy_mj AS energy_mj, {met} AS recoverable_ms
FROM {cells} AS c
LEFT JOIN (SELECT * FROM assets FINAL) AS a ON a.gpu_id = c.gpu_id
{joined}
LEFT JOIN (SELECT * FROM allocations FINAL WHERE {given}) AS l
  ON l.gpu_id = c.gpu_id AND l.alloc_id = c.alloc_id
LEFT JOIN ({job_owners()}) AS j ON j.job_id = l.job_id
"""


def _priced(rows: str, time: str) -> str:
    """The book in base units, with the prices of its time: what every question reads.

    One number as the key of a place takes half the time of its four names.
    """
    return f"""
SELECT c.* EXCEPT (gpu_ms, energy_mj, recoverable_ms, cluster, node, pool, model),
  c.cluster AS cluster, c.node AS node, c.pool AS pool, c.model AS model,
  c.gpu_ms / 1000 AS gpu_seconds, c.energy_mj / 1000 AS energy_joules,
  c.recoverable_ms / 1000 AS recoverable_seconds,
  if(r.version != 0, r.capacity_value, p.capacity_value) / 1e6 AS price,
  if(r.version != 0, r.energy_price, p.energy_price) / 1e6 AS energy_price,
  if(r.version != 0, r.currency, p.currency) AS currency,
  r.pue / 1e3 AS pue, r.carbon_per_kwh / 1e6 AS carbon_per_kwh,
  r.cash_rate / 1e6 AS cash_rate, r.avoidable_rate / 1e6 AS avoidable_rate
FROM {rows} AS c
ASOF LEFT JOIN (SELECT * FROM prices FINAL) AS p
  ON p.model = c.model AND p.valid_from <= c.{time}
ASOF LEFT JOIN (SELECT *, cityHash64(cluster, node, pool, model) AS place FROM rates FINAL) AS r
  ON r.place = cityHash64(c.cluster, c.node, c.pool, c.model) AND r.valid_from <= c.{time}
"""


def booked(cells: str, time: str, given: str = "true", within: str = "") -> str:
    """SELECT of some cells as the book's views show them: with owners, base units and prices."""
    return _priced(f"({owned(cells, time, given, within)})", time)


# What adjustments add to the book and (below zero) take from it.
_SIGNED = """
SELECT * EXCEPT (reverses, gpu_ms, energy_mj, recoverable_ms), if(reverses = 1, -1, 1) AS sign,
  sign * toInt64(gpu_ms) AS gpu_ms, sign * toInt64(energy_mj) AS energy_mj,
  sign * toInt64(recoverable_ms) AS recoverable_ms
FROM ledger_adjust
"""

BOOK_COLUMNS = (
    "cluster, node, pool, model, job, user, team, job_name, state, cause, flags, grade,"
    " gpu_seconds, energy_joules, recoverable_seconds, price, energy_price, currency,"
    " pue, carbon_per_kwh, cash_rate, avoidable_rate"
)


def book_between(*, restated: bool = False) -> str:
    """The book of a span as a subquery: whole days and hours, and its edges from the minutes.

    Parameters: since, until (DateTime64), both whole minutes. As it was closed, or `restated`: with
    what became known of its whole hours since.
    """
    since, until = "{since:DateTime64(3, 'UTC')}", "{until:DateTime64(3, 'UTC')}"
    first = f"toStartOfHour({since} + INTERVAL 59 MINUTE)"
    last = f"toStartOfHour({until})"
    known_since = f"""
UNION ALL
SELECT {BOOK_COLUMNS} FROM v_book_adjust WHERE hour >= {first} AND hour < {last}"""
    edges = f"minute >= {since} AND minute < {until} AND (minute < {first} OR minute >= {last})"
    cells = booked(f"(SELECT * FROM ledger_1m WHERE {edges})", "minute", within=edges)
    return f"""(
{hours_between(first, last)}
UNION ALL
SELECT {BOOK_COLUMNS} FROM ({cells})
{known_since if restated else ""})"""


def hours_between(first: str, last: str, columns: str = BOOK_COLUMNS, of: str = "book") -> str:
    """SELECT of the book from one whole hour to another (SQL): whole days from the days.

    `of` accounts it is without prices, and half the work.
    """
    day, end = f"toStartOfDay({first} + INTERVAL 23 HOUR)", f"toStartOfDay({last})"
    return f"""SELECT {columns} FROM v_{of}_1d WHERE day >= {day} AND day < {end}
UNION ALL
SELECT {columns} FROM v_{of}_1h
WHERE hour >= {first} AND hour < {last} AND (hour < {day} OR hour >= {end})"""


QUEUE_WAIT_VIEW = f"""
SELECT job_id AS job, cluster, user, team, pool, nodes * gpus_per_node AS gpus,
  {SIZE_CLASS}
    AS size_class,
  submitted, eligible, started, ended, state,
  dateDiff('second', least(eligible, started), started) AS wait_seconds
FROM (SELECT * FROM jobs FINAL)
WHERE gpus_per_node > 0 AND started < toDateTime64('2106-01-01', 3, 'UTC')
"""

# What a request of that many GPUs could have taken: whole GPUs that wait for larger ones, too.
FREE = (
    "(state IN ('free_demand', 'free_surplus')"
    " OR state = 'stranded' AND cause IN ('gpu_count_on_node', 'topology_island'))"
    " AND NOT has(splitByChar(',', toString(flags)), 'powered_down')"
)

FREE_NODE_VIEW = f"""
SELECT c.cluster AS cluster, c.minute AS minute, a.node AS node, a.pool AS pool,
  floor(sum(c.gpu_ms) / 60000) AS free_gpus
FROM ledger_1m AS c LEFT JOIN (SELECT * FROM assets FINAL) AS a ON a.gpu_id = c.gpu_id
WHERE {FREE} GROUP BY cluster, minute, node, pool HAVING free_gpus > 0
"""

# Within an hour, by time: which minutes of it a job worked is in the cells alone.
RUN_COST_VIEW = """
SELECT r.run_id AS run_id, any(r.experiment) AS experiment, any(r.name) AS name,
  any(r.user) AS user, any(r.state) AS state, any(r.job_id) AS job, any(r.matched_by) AS matched_by,
  dateDiff('second', any(j.submitted), any(r.ended)) AS result_seconds,
  sum(a.gpu_ms * greatest(0, dateDiff('second', greatest(a.hour, r.started),
    least(a.hour + INTERVAL 1 HOUR, r.ended)))) / 3600 / 3.6e6 AS gpu_hours
FROM (SELECT * FROM runs FINAL WHERE job_id != '') AS r
LEFT JOIN (SELECT job_id, submitted FROM jobs FINAL) AS j ON j.job_id = r.job_id
LEFT JOIN (SELECT job, hour, sum(gpu_ms) AS gpu_ms FROM accounts_1h
  WHERE job IN (SELECT job_id FROM runs) GROUP BY job, hour) AS a ON a.job = r.job_id
GROUP BY run_id
"""

VIEWS: dict[str, str] = {
    "v_book_1m": _priced(f"({owned('ledger_1m', 'minute')})", "minute"),
    "v_book_1h": _priced("accounts_1h", "hour"),
    "v_book_1d": _priced("accounts_1d", "day"),
    "v_book_adjust": _priced(f"({_SIGNED})", "hour"),
    "v_queue_waits": QUEUE_WAIT_VIEW,
    "v_free_nodes": FREE_NODE_VIEW,
    "v_run_costs": RUN_COST_VIEW,
}

WINDOW = "minute >= {since:DateTime64(3, 'UTC')} AND minute < {until:DateTime64(3, 'UTC')}"


def startable_sql(window: str = WINDOW, place: str = "true") -> str:
    """Share of booked minutes in which a request of 1, 2, 4, 8 GPUs on one node could start.

    `window` is a condition on `minute` (default: parameters since and until, DateTime64), `place`
    one on cluster and pool. Columns: startable_1 … startable_8, minutes.
    """
    shares = ", ".join(f"countIf(largest >= {n}) / count() AS startable_{n}" for n in REQUEST_SIZES)
    return f"""
SELECT {shares}, count() AS minutes FROM (
  SELECT minute, max(free_gpus) AS largest FROM free_blocks
  WHERE ({window}) AND ({place}) GROUP BY minute)
"""
