"""The ledger explorer: the book from the fleet down to one GPU, and that it closes."""

from __future__ import annotations

from dashboards.ask import LAST_S, accounts, book, changes, picked, worst_jobs
from dashboards.choices import COMMON, JOB, NODE, USER, board_link
from dashboards.panel import Board, Panel, area, stat, table, timeline
from dashboards.parts import CURRENCY_SQL, mean_gpus
from dashboards.words import Column, Marks, Text, coloured, measured
from gpuledger.measures import (
    ACTIVITY,
    CAPACITY_VALUE,
    CASH_AVOIDABLE,
    GPU_HOURS,
    GRADE,
    IDLE_HOURS,
    LOOSE_HOURS,
    LOOSE_VALUE,
    STRANDED_HOURS,
    UNDERUSED_HOURS,
    UNKNOWN_SHARE,
    UTILIZATION,
)
from gpuledger.states import STATES
from gpuledger.units import RATIO

UID = "gpuledger-explorer"
WHO = ("cluster", "pool", "team", "user", "job", "node")
ROWS, CELLS = 50, 200
# Strips that one can tell apart: the GPUs of three nodes of eight; of a table more.
STRIPS, WORST_NODES = 24, 8
# Cells of single GPUs are many: minutes where a point is under two (20 hours), else hours, and of
# a longer range the end.
HOURS_FROM_S, LAST_DAYS = 120, 7
NEWEST = f"greatest(toStartOfHour($__fromTime), $__toTime - INTERVAL {LAST_DAYS} DAY)"
EMPTY = "nothing was booked in this range for what is chosen above"
# What a state is, who acts on it and in which order people read them.
ORDER = "transform(toString(state), [{names}], [{places}], 99)".format(
    names=", ".join(f"'{s.name}'" for s in STATES),
    places=", ".join(str(place) for place in range(len(STATES))),
)
WHO_ACTS = "transform(toString(state), [{names}], [{who}], '')".format(
    names=", ".join(f"'{s.name}'" for s in STATES), who=", ".join(f"'{s.who}'" for s in STATES)
)


def _whole() -> Panel:
    shown = (GPU_HOURS, UTILIZATION, ACTIVITY, LOOSE_HOURS, UNKNOWN_SHARE, GRADE)
    return stat(
        Text(
            "What is chosen, in numbers",
            "GPU-hours booked, the productive share, the share of occupied time at work, hours"
            " that could be won back, and the lowest evidence grade (A best, D worst).",
            "Click a row of the tables below to choose it; the idle board says who can act.",
            link=board_link("gpuledger-idle"),
            empty=EMPTY,
        ),
        f"SELECT {picked(*shown)}\n{book(WHO)}\nHAVING count() > 0",
        measured(GPU_HOURS, "GPU-hours"),
        measured(UTILIZATION, "productive"),
        measured(ACTIVITY, "at work"),
        measured(LOOSE_HOURS, "GPU-hours to win back"),
        measured(UNKNOWN_SHARE, "not known"),
        measured(GRADE),
        width=16,
    )


def _closure() -> Panel:
    owned = "SELECT sum(owned_seconds) FROM v_booked_hours WHERE $__timeFilter(hour)"
    cells = "SELECT sum(gpu_seconds) FROM v_accounts_1h WHERE $__timeFilter(hour)"
    return stat(
        Text(
            "Does the book close?",
            "GPU-hours booked against GPU-hours owned, whole fleet, whatever is chosen above: the"
            " difference must be 0.",
            "Where it is not 0, the collection board says which node was not seen.",
            "SELECT * FROM v_booked_hours WHERE $__timeFilter(hour) ORDER BY hour LIMIT 1000",
            link=board_link("gpuledger-collection"),
            empty="nothing was booked in this range",
        ),
        f"SELECT ({cells}) / 3600 AS booked, ({owned}) / 3600 AS owned,\n"
        "  abs(booked - owned) / nullIf(owned, 0) AS closure_error_ratio\nWHERE owned > 0",
        Column("booked", "GPU-hours booked"),
        Column("owned", "GPU-hours owned"),
        Column("closure_error_ratio", "difference", RATIO),
        width=8,
    )


def _over_time() -> Panel:
    return area(
        Text(
            "States over time",
            "Mean GPUs in each state, of what is chosen above; each GPU is in exactly one.",
            "Zoom in where a colour grows; the strips below show which GPUs.",
            "SELECT * FROM v_book_1h WHERE $__timeFilter(hour) ORDER BY hour LIMIT 1000",
            link=board_link("gpuledger-executive"),
            empty=EMPTY,
        ),
        mean_gpus(STATES, WHO),
        *map(coloured, STATES),
        width=14,
    )


def _states() -> Panel:
    shown = (GPU_HOURS, CAPACITY_VALUE, CASH_AVOIDABLE)
    return table(
        Text(
            "By state",
            "Where the GPU-hours went, what they are worth, and who can act on each state.",
            "The idle board names who holds what is idle; the fragmentation board why GPUs strand.",
            link=board_link("gpuledger-idle"),
            empty=EMPTY,
        ),
        f"SELECT state, {WHO_ACTS} AS who, {picked(GPU_HOURS)},\n"
        f"  {GPU_HOURS.name} / sum({GPU_HOURS.name}) OVER () AS share_ratio,"
        f" {picked(*shown[1:])}, {CURRENCY_SQL} AS currency, {picked(GRADE)}\n"
        f"{book(WHO)}\nGROUP BY state ORDER BY {ORDER}",
        Column("state", "state", states=True),
        Column("who", "who acts"),
        measured(GPU_HOURS, "GPU-hours"),
        Column("share_ratio", "share", RATIO),
        measured(CAPACITY_VALUE, "worth"),
        measured(CASH_AVOIDABLE, "cash avoidable"),
        width=10,
        height=10,
    )


LOST = (LOOSE_HOURS, IDLE_HOURS, UNDERUSED_HOURS, GPU_HOURS, UTILIZATION)
# Short names: a table of half the width has room for no others.
SHOWN = (
    measured(LOOSE_HOURS, "to win back"),
    measured(LOOSE_VALUE, "worth"),
    measured(IDLE_HOURS, "idle"),
    measured(UNDERUSED_HOURS, "underused"),
    measured(GPU_HOURS, "GPU-hours"),
    measured(UTILIZATION, "productive"),
    measured(ACTIVITY, "at work"),
)
FIRST = f"{picked(LOOSE_HOURS, LOOSE_VALUE)}, {CURRENCY_SQL} AS currency, {picked(*LOST[1:])}"


def _by(keys: tuple[str, ...], text: Text) -> Panel:
    """A level of the drill-down: a click on its name chooses it."""
    what, named = keys[0], ", ".join(keys)
    return table(
        text,
        f"SELECT {named}, {FIRST}\n{book(WHO)} AND {what} != ''\n"
        f"GROUP BY {named} ORDER BY {LOOSE_HOURS.name} DESC, {named} LIMIT {ROWS}",
        Column(what, what, link=board_link(UID, **{k: k for k in keys})),
        *SHOWN[:6],
        width=12,
    )


def _pools() -> Panel:
    shown = (STRANDED_HOURS, GPU_HOURS, UTILIZATION)
    return table(
        Text(
            "By cluster and pool",
            "GPU-hours of each pool that could be won back, idle or stranded, of all it has.",
            "Click a pool to choose it; stranded hours are explained on the fragmentation board.",
            link=board_link("gpuledger-fragmentation"),
            empty=EMPTY,
        ),
        f"SELECT pool, cluster, {picked(LOOSE_HOURS, LOOSE_VALUE)}, {CURRENCY_SQL} AS currency,"
        f" {picked(IDLE_HOURS, *shown)}\n{book(WHO)}\n"
        f"GROUP BY cluster, pool ORDER BY {LOOSE_HOURS.name} DESC, cluster, pool LIMIT {ROWS}",
        Column("pool", "pool", link=board_link(UID, cluster="cluster", pool="pool")),
        Column("cluster", "cluster", link=board_link(UID, cluster="cluster")),
        *SHOWN[:3],
        measured(STRANDED_HOURS, "stranded"),
        *SHOWN[4:6],
        width=12,
    )


def _teams() -> Panel:
    said = Text(
        "By team",
        "GPU-hours that could be won back from each team, of all it had.",
        "Click a team to choose it, then a user, then a job.",
        link=board_link("gpuledger-queue"),
        empty="no job of a team had GPUs in this range",
    )
    return _by(("team",), said)


def _users() -> Panel:
    said = Text(
        "By user",
        "The same for each user.",
        "Click a user to choose their jobs; the idle board says what each can do.",
        link=board_link("gpuledger-idle"),
        empty="no job had GPUs in this range",
    )
    return _by(("user", "team"), said)


def _nodes() -> Panel:
    said = Text(
        "By node",
        "The same for each node; free GPUs count as what could be won back only while stranded or"
        " wanted.",
        "Click a node to choose it; the node board has its health.",
        link=board_link("gpuledger-node"),
        empty=EMPTY,
    )
    return _by(("node", "cluster"), said)


def _jobs() -> Panel:
    return table(
        Text(
            "By job",
            "The same for each job; a click opens its page.",
            "Open the job's board: it shows why its GPUs idle.",
            link=board_link("gpuledger-job"),
            empty="no job had GPUs in this range",
        ),
        f"SELECT job, job_name, user, team, cluster, {FIRST},"
        f" {picked(ACTIVITY, GRADE)}\n{book(WHO)} AND job != ''\n"
        f"  AND {worst_jobs(LOOSE_HOURS, ROWS, WHO)}\nGROUP BY job, job_name, user, team, cluster"
        f" ORDER BY {LOOSE_HOURS.name} DESC, job LIMIT {ROWS}",
        Column("job", "job", link=board_link("gpuledger-job", job="job", cluster="cluster")),
        Column("job_name", "name"),
        Column("user", "user", link=board_link(UID, user="user")),
        Column("team", "team", link=board_link(UID, team="team")),
        *SHOWN,
        width=24,
    )


def _worst_gpus() -> str:
    """Ids of the GPUs of the nodes with most to win back: so few that their cells can be read."""
    worst = (
        f"SELECT cluster, node FROM (SELECT cluster, node, {picked(LOOSE_HOURS)}\n  {book(WHO)}\n"
        f"  GROUP BY cluster, node ORDER BY {LOOSE_HOURS.name} DESC, cluster, node"
        f" LIMIT {WORST_NODES})"
    )
    return f"SELECT gpu_id FROM v_assets WHERE (cluster, node) IN ({worst})"


def _place(cells: str) -> str:
    """Cells with the place of their GPU."""
    return (
        f"({cells}) AS c\nINNER JOIN (SELECT gpu_id, cluster, pool, node, slot FROM v_assets) AS a"
        " ON a.gpu_id = c.gpu_id"
    )


def _gpus() -> Panel:
    cells = (
        "SELECT gpu_id, state, gpu_seconds FROM v_ledger_1h"
        f" WHERE gpu_id IN ({_worst_gpus()}) AND hour >= {NEWEST}"
        " AND hour <= $__toTime"
    )
    return table(
        Text(
            "By GPU",
            f"What each GPU did, of the {WORST_NODES} chosen nodes with most to win back; of long"
            f" ranges the last {LAST_DAYS} days.",
            "Click a node for its health; a GPU far below its neighbours is worth a look.",
            link=board_link("gpuledger-health"),
            empty=EMPTY,
        ),
        f"SELECT c.node AS node, c.slot AS gpu, c.cluster AS cluster, {picked(*LOST, ACTIVITY)}\n"
        f"FROM (SELECT a.node AS node, a.slot AS slot, a.cluster AS cluster, c.state AS state,"
        f" c.gpu_seconds AS gpu_seconds FROM {_place(cells)}) AS c\n"
        f"GROUP BY cluster, node, gpu ORDER BY {LOOSE_HOURS.name} DESC, cluster, node, gpu"
        f" LIMIT {ROWS}",
        Column("node", "node", link=board_link("gpuledger-node", node="node", cluster="cluster")),
        Column("gpu", "GPU"),
        SHOWN[0],
        *SHOWN[2:],
        width=24,
    )


def _strips() -> Panel:
    few = (
        f"SELECT gpu_id FROM v_assets WHERE gpu_id IN ({_worst_gpus()})"
        f" ORDER BY cluster, node, slot LIMIT {STRIPS}"
    )
    cells = "\n  UNION ALL ".join(
        f"SELECT gpu_id, {at} AS at, state, gpu_seconds FROM {table} WHERE {at} >= {NEWEST}"
        f" AND {at} <= $__toTime"
        f" AND {at} < toDateTime(if($__interval_s {sign} {HOURS_FROM_S}, {LAST_S}, 0))"
        for table, at, sign in (("v_ledger_1m", "minute", "<"), ("v_ledger_1h", "hour", ">="))
    )
    seen = f"SELECT * FROM ({cells}) WHERE gpu_id IN ({few})"
    return timeline(
        Text(
            "What each GPU did",
            "The state that a GPU was in for most of each point, of the first"
            f" {STRIPS} GPUs on the chosen nodes with most to win back; of long ranges the last"
            f" {LAST_DAYS} days.",
            "Choose a node or job above to see its GPUs; the job board shows why one idles.",
            link=board_link("gpuledger-job"),
            empty=EMPTY,
        ),
        "SELECT time, gpu, state FROM (\n"
        "SELECT *, lagInFrame(toString(state)) OVER (PARTITION BY gpu ORDER BY time) AS before"
        " FROM (\n"
        "  SELECT $__timeInterval(c.at) AS time,"
        " concat(toString(a.node), ' GPU ', toString(a.slot)) AS gpu, c.state AS state,"
        " sum(c.gpu_seconds) AS seconds\n"
        f"  FROM {_place(seen)}\n"
        "  GROUP BY time, gpu, state ORDER BY seconds DESC, state LIMIT 1 BY time, gpu))\n"
        "WHERE state != before\n"
        "ORDER BY time, gpu",
        "gpu",
        "state",
        width=24,
        height=15,
    )


def _cells() -> Panel:
    return table(
        Text(
            "Rows of the book",
            f"The newest {CELLS} rows: who had how much of what, in which state, why, and on which"
            " evidence.",
            "Filter above; `gpuledger export` writes all of them.",
            "SELECT * FROM v_book_1h WHERE $__timeFilter(hour) ORDER BY hour LIMIT 1000",
            link=board_link("gpuledger-collection"),
            empty=EMPTY,
        ),
        f"SELECT at AS hour, cluster, node, pool, team, user, job, state, cause, flags, grade,"
        f" gpu_seconds / 3600 AS hours\n{accounts(WHO)}\n"
        f"ORDER BY hour DESC, hours DESC, node, job, state LIMIT {CELLS}",
        Column("node", "node", link=board_link("gpuledger-node", node="node", cluster="cluster")),
        Column("job", "job", link=board_link("gpuledger-job", job="job", cluster="cluster")),
        Column("state", "state", states=True),
        Column("hours", "GPU-hours"),
        width=24,
        height=10,
    )


board = Board(
    uid=UID,
    title="gpuledger: ledger explorer",
    help="The book from cluster and pool over team, user and job down to a GPU; it must close.",
    variables=(*COMMON, USER, JOB, NODE),
    panels=(
        _whole(),
        _closure(),
        _over_time(),
        _states(),
        _pools(),
        _teams(),
        _users(),
        _nodes(),
        _jobs(),
        _strips(),
        _gpus(),
        _cells(),
    ),
    marks=(Marks("changes", changes(), "purple"),),
)
