"""Fragmentation and islands: free GPUs that nobody can use, why, and what would free them."""

from __future__ import annotations

from dashboards.ask import PLACE as HERE
from dashboards.ask import book, changes, chosen, picked
from dashboards.choices import COMMON, board_link
from dashboards.panel import Board, Panel, area, bars, lines, stat, table
from dashboards.parts import (
    CURRENCY_SQL,
    LAST_MINUTE,
    findings,
    mean_gpus,
    mean_gpus_by,
    proposals,
)
from dashboards.words import Column, Marks, Text, coloured, measured
from gpuledger.measures import CAPACITY_VALUE, REQUEST_SIZES, STRANDED_HOURS
from gpuledger.states import BY_NAME, FREE, in_list
from gpuledger.units import CURRENCY
from gpuledger.view_measures import (
    FRAGMENT_SHARE,
    FRAGMENTED_GPUS,
    FREE_GPUS,
    LARGEST_JOB,
    LARGEST_REPACKED,
    REFUSED_HOURS,
    UNMET_HOURS,
)

UID = "gpuledger-fragmentation"
NODES, ROWS, SLOTS = 64, 20, 8
# Sizes of tasks that the history of fragmentation counts.
SIZES = (*REQUEST_SIZES, 16)
POOL_HOURS = f"v_fragmentation_1h WHERE node = '' AND $__timeFilter(hour) AND {chosen(HERE)}"
NODE_HOURS = f"v_fragmentation_1h WHERE node != '' AND $__timeFilter(hour) AND {chosen(HERE)}"
NO_HISTORY = "fragmentation is looked at each full hour, and none of this range was yet"
# Why a free GPU is a fragment: column of the history, and in words.
LACKS = (
    ("lacks_gpu_gpus", "too few GPUs beside it"),
    ("lacks_cpu_gpus", "no processors left"),
    ("lacks_both_gpus", "too few of both"),
    ("crumbs_gpus", "parts of GPUs too small"),
    ("wrong_model_gpus", "other model asked for"),
    ("no_gpu_asked_gpus", "tasks ask for no GPU"),
)
NODE_LINK = board_link("gpuledger-node", node="node", cluster="cluster")
POOL_LINK = board_link("gpuledger-explorer", pool="pool", cluster="cluster")


def _newest(rows: str, *keys: str) -> str:
    """The newest hour of each of these."""
    return f"(SELECT * FROM {rows} ORDER BY hour DESC LIMIT 1 BY {', '.join(keys)})"


def _now() -> Panel:
    shown = (FREE_GPUS, FRAGMENTED_GPUS, FRAGMENT_SHARE, LARGEST_JOB, LARGEST_REPACKED)
    return stat(
        Text(
            "Free now, and of what use",
            "At the newest full hour of the range: GPUs free on open nodes, how many of them tasks"
            " like those of the last days cannot use, and the largest job that could start.",
            "Where a repack would start larger jobs, see the moves below.",
            "SELECT * FROM v_fragmentation_1h WHERE $__timeFilter(hour) ORDER BY hour LIMIT 1000",
            link=board_link("gpuledger-queue"),
            empty=NO_HISTORY,
        ),
        f"SELECT {picked(*shown)}\nFROM {_newest(POOL_HOURS, *HERE)}\nHAVING count() > 0",
        measured(FREE_GPUS, "GPUs free"),
        measured(FRAGMENTED_GPUS, "of them fragments"),
        measured(FRAGMENT_SHARE, "fragments"),
        measured(LARGEST_JOB, "largest job, GPUs"),
        measured(LARGEST_REPACKED, "after a repack, at most"),
        width=14,
    )


def _lost() -> Panel:
    waited = f"FROM v_demand_1m WHERE $__timeFilter(minute) AND {chosen(HERE)}"
    return stat(
        Text(
            "Stranded, and waited for",
            "GPU-hours free but useless in this range, their worth, and the GPU-hours that jobs"
            " waited meanwhile: for GPUs, and for a quota.",
            "Both large at once is a placement problem: see stranded by cause.",
            link=board_link("gpuledger-queue"),
            empty="nothing was booked in this range",
        ),
        f"SELECT {picked(STRANDED_HOURS, CAPACITY_VALUE)}, {CURRENCY_SQL} AS currency,\n"
        f"  (SELECT {UNMET_HOURS.sql} {waited}) AS {UNMET_HOURS.name},"
        f" (SELECT {REFUSED_HOURS.sql} {waited}) AS {REFUSED_HOURS.name}\n"
        f"{book(HERE)} AND state = 'stranded'\n"
        "HAVING (SELECT count() FROM v_booked_hours WHERE $__timeFilter(hour)) > 0",
        measured(STRANDED_HOURS, "stranded"),
        measured(CAPACITY_VALUE, "worth"),
        measured(UNMET_HOURS, "waited for GPUs"),
        measured(REFUSED_HOURS, "waited for quota"),
        width=10,
    )


def _share() -> Panel:
    return lines(
        Text(
            "Fragmented share of the free GPUs",
            "Of each pool: how much of what is free is of no use; high while few are free.",
            "High while jobs wait: fill nodes one by one, then see the most fragmented nodes.",
            link=board_link("gpuledger-queue"),
            empty=NO_HISTORY,
        ),
        f"SELECT $__timeInterval(hour) AS time, toString(pool) AS pool, {picked(FRAGMENT_SHARE)}\n"
        f"FROM {POOL_HOURS}\nGROUP BY time, pool ORDER BY time, pool",
        measured(FRAGMENT_SHARE),
        width=12,
    )


def _startable() -> Panel:
    return lines(
        Text(
            "Largest job that could start",
            "GPUs of the largest request that each pool could have started, hour by hour.",
            "A line below the jobs that wait means waiting for a repack, not for GPUs.",
            link=board_link("gpuledger-queue"),
            empty=NO_HISTORY,
        ),
        f"SELECT $__timeInterval(hour) AS time, toString(pool) AS pool, {picked(LARGEST_JOB)}\n"
        f"FROM {POOL_HOURS}\nGROUP BY time, pool ORDER BY time, pool",
        measured(LARGEST_JOB),
        width=12,
    )


def _stranded() -> Panel:
    return area(
        Text(
            "Stranded GPUs by cause",
            "Mean GPUs that were free and fit nothing that runs there, by what they lack.",
            "Too few on a node: repack. CPU or memory: look at requests. Partition: islands below.",
            "SELECT * FROM v_book_1h WHERE $__timeFilter(hour) AND state = 'stranded'"
            " ORDER BY hour LIMIT 1000",
            link=board_link("gpuledger-explorer"),
            empty="no GPU was stranded in this range",
        ),
        mean_gpus_by("cause", "why", HERE, "state = 'stranded'"),
        Column("gpus", "GPUs"),
        width=12,
        height=8,
    )


def _free() -> Panel:
    return area(
        Text(
            "Free GPUs: kept, wanted, stranded or surplus",
            "Mean GPUs that nobody had, and why they were free.",
            "Wanted and stranded are the scheduler's; surplus is the capacity planner's.",
            link=board_link("gpuledger-explorer"),
            empty="no GPU was free in this range",
        ),
        mean_gpus((BY_NAME[name] for name in FREE), HERE),
        *(coloured(BY_NAME[name]) for name in FREE),
        width=12,
        height=8,
    )


def _fits() -> Panel:
    slots = ", ".join(f"slots_{n}, repacked_{n}" for n in SIZES)
    columns = [
        column
        for n in SIZES
        for column in (
            Column(f"slots_{n}", f"× {n}"),
            Column(f"repacked_{n}", f"× {n} repacked"),
        )
    ]
    return table(
        Text(
            "What fits now, by pool",
            "How many tasks of 1 to 16 GPUs could start at the newest hour, and (at most) after a"
            " full repack.",
            "`gpuledger recommend plan --at now` lists the moves that win most.",
            link=board_link("gpuledger-queue"),
            empty=NO_HISTORY,
        ),
        "SELECT pool, cluster, gpus, free_gpus, fragmented_gpus, largest_gpus,"
        f" largest_repacked_gpus, {slots}\n"
        f"FROM {_newest(POOL_HOURS, *HERE)}\n"
        f"ORDER BY fragmented_gpus DESC, cluster, pool LIMIT {ROWS}",
        Column("pool", "pool", link=POOL_LINK),
        Column("gpus", "GPUs"),
        Column("free_gpus", "free"),
        Column("fragmented_gpus", "fragments"),
        Column("largest_gpus", "largest job"),
        Column("largest_repacked_gpus", "largest repacked"),
        *columns,
        width=24,
        height=6,
    )


def _why() -> Panel:
    shown = ", ".join(f"sum({column}) AS `{words}`" for column, words in LACKS)
    return bars(
        Text(
            "Why free GPUs are fragments",
            "Of each pool at the newest hour, in GPUs: what they lack for usual tasks.",
            "No processors left: jobs ask for too many per GPU; see the nodes beside.",
            link=board_link("gpuledger-explorer"),
            empty=NO_HISTORY,
        ),
        f"SELECT toString(pool) AS pool, {shown}\nFROM {_newest(POOL_HOURS, *HERE)}\n"
        "GROUP BY pool ORDER BY sum(fragmented_gpus) DESC, pool LIMIT 10",
        *(Column(words, words) for _, words in LACKS),
        width=10,
    )


def _nodes() -> Panel:
    return table(
        Text(
            "Most fragmented nodes",
            "Nodes at the newest hour whose free GPUs are of least use, and what they lack.",
            "Open a node to see who is on it; moving one small job may free all of it.",
            link=board_link("gpuledger-node"),
            empty="no node of this range had fragments, or none was looked at yet",
        ),
        "SELECT node, cluster, gpus, free_gpus, fragmented_gpus, largest_gpus,"
        " lacks_gpu_gpus, lacks_cpu_gpus, lacks_both_gpus, crumbs_gpus\n"
        f"FROM {_newest(NODE_HOURS, 'cluster', 'pool', 'node')} AS n\n"
        f"WHERE hour = (SELECT max(hour) FROM {POOL_HOURS})\n"
        f"ORDER BY fragmented_gpus DESC, cluster, node LIMIT {ROWS}",
        Column("node", "node", link=NODE_LINK),
        Column("gpus", "GPUs"),
        Column("free_gpus", "free"),
        Column("fragmented_gpus", "fragments"),
        Column("largest_gpus", "largest job"),
        Column("lacks_gpu_gpus", "lacks GPUs"),
        Column("lacks_cpu_gpus", "lacks CPU"),
        Column("lacks_both_gpus", "lacks both"),
        Column("crumbs_gpus", "crumbs"),
        width=14,
    )


def _map() -> Panel:
    slots = ", ".join(f"anyIf(state, slot = {n}) AS `GPU {n}`" for n in range(SLOTS))
    cells = (
        "SELECT gpu_id, argMax(state, gpu_seconds) AS state FROM v_ledger_1m"
        f" WHERE minute = {LAST_MINUTE} GROUP BY gpu_id"
    )
    free = f"countIf(state IN {in_list(FREE)})"
    return table(
        Text(
            "Map: nodes and their GPUs",
            f"The state of the first {SLOTS} GPUs of each node in the last booked minute, nodes"
            " partly free first: they are what a repack could empty.",
            "Click a node to see the jobs that keep it half full.",
            "SELECT * FROM v_ledger_1m WHERE $__timeFilter(minute) ORDER BY minute LIMIT 1000",
            link=board_link("gpuledger-node"),
            empty="nothing is booked in this minute for what is chosen above",
        ),
        f"SELECT node, {slots}, {free} AS free, count() AS gpus, cluster, pool\n"
        f"FROM (SELECT a.node AS node, a.cluster AS cluster, a.pool AS pool, a.slot AS slot,"
        f" toString(c.state) AS state\n  FROM ({cells}) AS c INNER JOIN v_assets AS a"
        f" ON a.gpu_id = c.gpu_id)\nWHERE {chosen(HERE)}\n"
        "GROUP BY cluster, pool, node\n"
        f"ORDER BY (free > 0 AND free < gpus) DESC, free DESC, cluster, node LIMIT {NODES}",
        Column("node", "node", link=NODE_LINK),
        *(Column(f"GPU {n}", f"GPU {n}", states=True) for n in range(SLOTS)),
        Column("free", "free"),
        Column("gpus", "GPUs"),
        width=24,
        height=14,
    )


def _islands() -> Panel:
    return table(
        Text(
            "Islands and crumbs that were found",
            "Spare GPUs that could not reach the jobs that waited, those that go on first: since"
            " when, between which pools, and what to do.",
            "Open the pool's queue; lending or a wider partition joins two islands.",
            "SELECT * FROM v_findings WHERE kind IN ('islands', 'fragmentation') LIMIT 1000",
            link=board_link("gpuledger-queue"),
            empty="no spare GPUs were out of reach of waiting jobs in this range",
        ),
        "SELECT kind, if(open = 1, 'now', 'over') AS still, since, gpus,"
        " gpu_seconds / 3600 AS hours, capacity_value AS worth, currency,"
        " summary AS what, action AS fix\n"
        f"{findings('islands', 'fragmentation', names=('cluster', 'pool'))}\n"
        f"ORDER BY open DESC, hours DESC, since, subject LIMIT {ROWS}",
        Column("gpus", "GPUs"),
        Column("hours", "GPU-hours"),
        Column("worth", "worth", CURRENCY),
        width=24,
    )


def _moves() -> Panel:
    return proposals(
        Text(
            "What to do: moves, lending, power, buying",
            "Open recommendations about free GPUs, the largest gain first; printed, never carried"
            " out.",
            "`gpuledger recommend plan --at now` makes a list of moves at any time.",
            link=board_link("gpuledger-executive"),
            empty="nothing is recommended now: `gpuledger recommend plan --at now` asks for moves",
        ),
        "repack",
        "lend",
        "power_down",
        "buy",
        height=6,
    )


board = Board(
    uid=UID,
    title="gpuledger: fragmentation and islands",
    help="Free GPUs that nobody can use: how many, why, on which nodes, and what would free them.",
    variables=COMMON,
    kept=("team",),
    panels=(
        _now(),
        _lost(),
        _share(),
        _startable(),
        _stranded(),
        _free(),
        _fits(),
        _why(),
        _nodes(),
        _map(),
        _islands(),
        _moves(),
    ),
    marks=(Marks("changes", changes(), "purple"),),
)
