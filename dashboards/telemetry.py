"""Telemetry that several boards need: growth of counters, rates, hosts, one node, one job."""

from __future__ import annotations

from collections.abc import Mapping

from dashboards.ask import LAST_S, chosen, fleet, samples
from dashboards.panel import FINE, Panel, lines
from dashboards.words import Column, Text
from gpuledger.catalogue import BlockSample, HostSample, NetfsSample
from gpuledger.errors import ConfigError, nearest
from gpuledger.rollups import keys as keys_of_rows
from gpuledger.rollups import place, writers
from gpuledger.schema import Samples, Table
from gpuledger.states import UNAVAILABLE, group_of, in_list, recoverable_factor
from gpuledger.units import BYTE_PER_SECOND, RATIO

# What is not chosen is one node or job; what is chosen is shown as far as one can read it.
MOST_CHOSEN = 8
# Lines and strips of single GPUs beside each other.
MOST_GPUS = 16
# A point from which strips are drawn from hours: ten days of minutes are as many as one may read.
HOURS_FROM_S = 1_000
# Agents tell of their sources in rows that nothing adds up: of a long range the end is read.
HEARD_HOURS = 2
# Counters of bytes, by what is said of their rates.
WIRES = {"received": "receive_bytes", "sent": "transmit_bytes"}
MOVED = {"read": "read_bytes", "written": "write_bytes"}
LAST_HEARD = (
    f"ts >= greatest($__fromTime, $__toTime - INTERVAL {HEARD_HOURS} HOUR) AND ts <= $__toTime"
)
_LIMIT = f"LIMIT if($__conditionalAll(1=0, ${{name}}), 1, {MOST_CHOSEN})"
_DAYS = "day >= toStartOfDay($__fromTime) AND day <= $__toTime"


def told(table: Table, name: str, title: str = "", column: str = "", link: str = "") -> Column:
    """A panel's column of what a table tells, with the unit of the catalogue.

    `column` is its name in the answer where that is another. ConfigError for an unknown name.
    """
    fields = {f.visible: f for f in table.fields}
    if name not in fields:
        raise ConfigError(f"{table.name} has no {name}{nearest(name, fields)}")
    unit = fields[name].column.unit
    plain = name.removesuffix(f"_{unit.suffix}") if unit.suffix else name
    return Column(column or name, title or plain.replace("_", " "), unit, link=link)


def grown(
    table: Table,
    *counters: str,
    keep: tuple[str, ...] = (),
    where: str = "true",
) -> str:
    """FROM over telemetry in which each counter is by how much it grew since the row before.

    Columns: at, cluster, the table's key, `lasted` (s since the row before), covered_seconds,
    counters and `keep` (other columns as they are). A counter that fell began anew: by how much
    it grew is missing.
    """
    assert isinstance(table.layout, Samples)
    keys = ", ".join(("cluster", *table.layout.key))
    kept = "".join(f", {name}" for name in keep)
    last = "".join(
        f", {c}_last - ifNull(lagInFrame(toNullable({c}_last)) OVER w, {c}_first) AS more_{c}"
        for c in counters
    )
    grew = "".join(f", if(more_{c} >= 0, toFloat64(more_{c}), NULL) AS {c}" for c in counters)
    gap = "dateDiff('second', lagInFrame(toNullable(at)) OVER w, at)"
    before = f"ifNull(toFloat64({gap}), covered_seconds)"
    return (
        f"FROM (SELECT at, {keys}{kept}, covered_seconds, lasted{grew}\n"
        f"FROM (SELECT at, {keys}{kept}, covered_seconds, {before} AS lasted{last}\n"
        f"{samples(table, *counters, *keep)}\nWHERE {where}\n"
        f"WINDOW w AS (PARTITION BY {keys} ORDER BY at"
        " ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)))"
    )


def increases(table: Table, *counters: str, keep: tuple[str, ...] = (), where: str) -> str:
    """FROM with a row per key of many nodes: by how much each counter grew in the range.

    Columns: cluster, the table's key, counters, and `keep` as they were last. Increases are taken
    per epoch, as the last less the first; of several writers the first one is believed.
    """
    assert isinstance(table.layout, Samples)
    keys = ", ".join(("cluster", *table.layout.key))
    told = writers(table)
    own = keys_of_rows(table)
    who = f"{place(told, '')} AS place" if told else "0 AS place"
    grew = "".join(f", toFloat64(max({c}_last) - min({c}_first)) AS {c}" for c in counters)
    last = "".join(f", argMax({k}, at) AS {k}" for k in keep)
    rows = (
        f"SELECT {', '.join(own)}, {who}, max(at) AS newest{grew}{last}\n"
        f"{fleet(table, *counters, *keep)}\nWHERE {where}\nGROUP BY {', '.join(own)}, place"
    )
    added = "".join(f", sum(r.{c}) AS {c}" for c in counters)
    kept = "".join(f", argMax(r.{k}, r.newest) AS {k}" for k in keep)
    once = f"SELECT {keys}, place{added}{kept} FROM ({rows}) AS r GROUP BY {keys}, place"
    first = ", ".join(f"argMin(o.{n}, o.place) AS {n}" for n in (*counters, *keep))
    return f"FROM (SELECT {keys}, {first} FROM ({once}) AS o GROUP BY {keys})"


def rates(
    table: Table, by: str, shown: Mapping[str, str], *, keep: tuple[str, ...] = (), where: str
) -> str:
    """SELECT of time, series and rate (per second), summed over nodes and devices.

    `by` (SQL) and the words of `shown` name a series; `shown` has a counter for each word.
    """
    assert isinstance(table.layout, Samples)
    keys = ", ".join(("cluster", *table.layout.key))
    pairs = ", ".join(f"('{word}', {counter})" for word, counter in shown.items())
    return (
        "SELECT time, series, sum(rate) AS rate FROM (\n"
        f"SELECT $__timeInterval(at) AS time, {keys}, concat({by}, ' ', said.1) AS series,\n"
        "  sum(said.2) / nullIf(sum(lasted), 0) AS rate\n"
        f"{grown(table, *shown.values(), keep=keep, where=where)}\n"
        f"ARRAY JOIN [{pairs}] AS said WHERE said.2 IS NOT NULL\n"
        f"GROUP BY time, {keys}, series) GROUP BY time, series"
    )


def storage(disk: str, where: str) -> str:
    """SELECT of time, series and rate of local disks, named by `disk` (SQL), and of shares."""
    disks = rates(BlockSample.table, disk, MOVED, where=where)
    shares = rates(NetfsSample.table, "concat(kind, ' ', mount)", MOVED, where=where)
    return f"{disks}\nUNION ALL {shares}"


def traffic(text: Text, asked: str) -> Panel:
    """Lines of bytes each second; `asked` selects time, series and rate (`rates`)."""
    return lines(
        text,
        f"SELECT * FROM ({asked}) ORDER BY time, series",
        Column("rate", "bytes each second", BYTE_PER_SECOND),
        width=12,
        interval=FINE,
    )


def hosts(text: Text, where: str) -> Panel:
    """Processors and memory, on average over the hosts of which `where` (SQL) is true."""
    names = ("cpu_busy_ratio", "cpu_iowait_ratio", "memory_total_bytes", "memory_available_bytes")
    used = "1 - sum(memory_available_bytes) / nullIf(sum(memory_total_bytes), 0)"
    return lines(
        text,
        "SELECT $__timeInterval(at) AS time, avg(cpu_busy_ratio) AS busy,"
        f" avg(cpu_iowait_ratio) AS iowait, {used} AS memory\n"
        f"{samples(HostSample.table, *names)}\nWHERE {where}\nGROUP BY time ORDER BY time",
        told(HostSample.table, names[0], "processors busy", "busy"),
        told(HostSample.table, names[1], "waiting for storage", "iowait"),
        Column("memory", "memory in use", RATIO),
        width=12,
        interval=FINE,
    )


def on_pools() -> str:
    """Condition that a row's (cluster, node) is of the chosen clusters and pools."""
    nodes = "SELECT cluster, node FROM v_assets WHERE pool IN (${pool:singlequote})"
    return f"{chosen(('cluster',))} AND $__conditionalAll((cluster, node) IN ({nodes}), $pool)"


# With All the last days of a range are enough to find one.
_LAST_DAYS = f"{_DAYS} AND day >= $__toTime - INTERVAL 7 DAY"

# Whose the book says that each job is: schedulers know accounts, which may be called otherwise.
BOOKED_TEAM = f"SELECT job, any(team) AS team FROM v_accounts_1d WHERE {_DAYS}"

# The chosen nodes; with All the one of the chosen pools that lost most GPU-hours to its hardware
# lately.
ONE_NODE = f"""
SELECT a.cluster AS cluster, a.node AS node
FROM (SELECT DISTINCT cluster, node FROM v_assets WHERE {chosen(("cluster", "pool", "node"))}) AS a
LEFT JOIN (
  SELECT cluster, node, sumIf(gpu_seconds, state IN {in_list(group_of(UNAVAILABLE))}) AS lost
  FROM v_accounts_1d WHERE {_LAST_DAYS} GROUP BY cluster, node
) AS b ON b.cluster = a.cluster AND b.node = a.node
ORDER BY b.lost DESC, cluster, node {_LIMIT.replace("${name}", "$node")}""".strip()

ON_NODE = f"(cluster, node) IN ({ONE_NODE})"

# The chosen jobs, booked or not; with All the one with most GPU-hours to win back lately.
ONE_JOB = f"""
SELECT job FROM (
  SELECT job, sum(gpu_seconds * {recoverable_factor()}) AS loose FROM v_accounts_1d
  WHERE {_LAST_DAYS} AND job != '' AND {chosen(("cluster", "pool", "team", "user", "job"))}
  GROUP BY job
  UNION ALL
  SELECT job_id AS job, 0. AS loose FROM v_jobs
  WHERE NOT ($__conditionalAll(job_id NOT IN (${{job:singlequote}}), $job))
)
GROUP BY job ORDER BY max(loose) DESC, job {_LIMIT.replace("${name}", "$job")}""".strip()

# The same as one value, found out before the question goes to shards: nested in every part of it,
# it made questions so deep that shards died of them.
JOBS = f"(SELECT groupArray(job) FROM ({ONE_JOB}))"

# Its GPUs and from when to when it had each of them.
JOB_GPUS = f"""
SELECT a.job_id AS job, a.gpu_id AS gpu_id, p.cluster AS cluster, p.node AS node, p.slot AS slot,
  min(a.valid_from) AS began, max(a.valid_to) AS ended
FROM (SELECT * FROM v_allocations WHERE has({JOBS}, job_id)) AS a
INNER JOIN (SELECT gpu_id, cluster, node, slot FROM v_assets) AS p ON p.gpu_id = a.gpu_id
GROUP BY job, gpu_id, cluster, node, slot""".strip()


def strips(gpus: str, within: str) -> str:
    """SELECT of time, gpu and state of each GPU: what it was in for most of each point.

    `gpus` is a SELECT of gpu_id and its name `gpu`, `within` a condition on cells (`cell_at`,
    `alloc_id`, `gpu_id`). Where a GPU is booked no more, its strip ends with an empty state.
    """
    # One value, found out once: a name of WITH is asked again wherever it stands.
    shown = f"SELECT groupArray((gpu_id, gpu)) FROM ({gpus})"
    cells = "\n  UNION ALL ".join(
        f"SELECT gpu_id, alloc_id, {at} AS cell_at, {width} AS width, state, gpu_seconds"
        f" FROM {table} WHERE gpu_id IN (SELECT arrayJoin(strips).1) AND $__timeFilter({at})"
        f" AND {at} < toDateTime(if($__interval_s {sign} {HOURS_FROM_S}, {LAST_S}, 0))"
        for table, at, width, sign in (
            ("v_ledger_1m", "minute", 60, "<"),
            ("v_ledger_1h", "hour", 3_600, ">="),
        )
    )
    mostly = (
        "SELECT $__timeInterval(cell_at) AS time, s.strip.2 AS gpu, toString(c.state) AS state,"
        " sum(c.gpu_seconds) AS seconds, any(c.width) AS width\n"
        f"  FROM ({cells}) AS c\n  INNER JOIN (SELECT arrayJoin(strips) AS strip) AS s"
        " ON s.strip.1 = c.gpu_id\n"
        f"  WHERE {within} GROUP BY time, gpu, state\n"
        "  ORDER BY seconds DESC, state LIMIT 1 BY time, gpu"
    )
    end = "time + toIntervalSecond(greatest(max(width) OVER (), $__interval_s))"
    return (
        f"WITH ({shown}) AS strips\n"
        "SELECT told.1 AS time, gpu, told.2 AS state FROM (\n"
        "  SELECT gpu, arrayJoin(if(time = max(time) OVER (PARTITION BY gpu)"
        f" AND {end} < $__toTime,\n"
        f"    [(time, toNullable(state)), ({end}, NULL)], [(time, toNullable(state))])) AS told\n"
        f"  FROM ({mostly}))\nORDER BY time, gpu"
    )
