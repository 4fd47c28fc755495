"""One job: what its GPUs did, on what, what it cost, why it waited, and what to do about it."""

from __future__ import annotations

from dashboards.ask import book, changes, picked, samples
from dashboards.choices import COMMON, JOB, USER, board_link
from dashboards.panel import FINE, Board, Panel, lines, stat, table, timeline
from dashboards.parts import CURRENCY_SQL, FOREVER, TOUCHED
from dashboards.telemetry import (
    BOOKED_TEAM,
    JOB_GPUS,
    MOST_GPUS,
    ONE_JOB,
    WIRES,
    hosts,
    rates,
    storage,
    strips,
    told,
    traffic,
)
from dashboards.words import Column, Marks, Text, measured
from gpuledger.catalogue import GpuSample, NetworkSample
from gpuledger.measures import (
    ACTIVITY,
    CAPACITY_VALUE,
    CASH_AVOIDABLE,
    ENERGY_KWH,
    GPU_HOURS,
    GRADE,
    IDLE_HOURS,
    LOOSE_HOURS,
    UNDERUSED_HOURS,
)
from gpuledger.units import SECOND
from gpuledger.view_measures import FOUND_HOURS

UID = "gpuledger-job"
OF_JOB = f"job IN ({ONE_JOB})"
NODE_LINK = board_link("gpuledger-node", node="node", cluster="cluster")
IDLE = board_link("gpuledger-idle")
QUEUE = board_link("gpuledger-queue")
# A job that waits or a node without an agent leaves these empty.
NO_GPU = "the job had no GPU in this range, or no agent told of it"
FIRST_GPUS = f"the first {MOST_GPUS} GPUs"
# As one value, like the jobs themselves.
_NODES = f"SELECT groupUniqArray((toString(cluster), toString(node))) FROM ({JOB_GPUS})"
ON_NODE = f"has(({_NODES}), (toString(cluster), toString(node)))"
# On its nodes while it had GPUs there: what others did before and after is not its own.
ON_NODES = (
    f"{ON_NODE} AND at >= (SELECT min(began) FROM ({JOB_GPUS}))"
    f" AND at <= (SELECT max(ended) FROM ({JOB_GPUS}))"
)


def _job() -> Panel:
    ended = f"if(ended >= {FOREVER}, NULL, ended)"
    started = f"if(started >= {FOREVER}, NULL, started)"
    return table(
        Text(
            "The job",
            "Who runs it, what it asked for, how long it waited and ran. Without a choice above:"
            " the job of this range with most GPU-hours to win back.",
            "Choose a job above, or click one on any other board.",
            link=IDLE,
            empty="no job had a GPU in this range",
        ),
        "SELECT j.job_id AS job, j.name AS name, j.user AS user, j.state AS state,"
        " if(t.team = '', j.team, t.team) AS team,"
        " if(j.state = 'pending', j.reason, '') AS why_it_waits,"
        " toUInt32(j.nodes) * j.gpus_per_node AS gpus, c.work AS work,"
        f" {started.replace('started', 'j.started')} AS began,"
        f" {ended.replace('ended', 'j.ended')} AS done,"
        " dateDiff('second', least(j.eligible, began), ifNull(began, $__toTime)) AS wait_seconds,"
        " dateDiff('second', began, ifNull(done, $__toTime)) AS ran_seconds, j.pool AS partition\n"
        f"FROM (SELECT * FROM v_jobs WHERE job_id IN ({ONE_JOB})) AS j\n"
        "LEFT JOIN (SELECT job_id, work FROM v_job_classes) AS c ON c.job_id = j.job_id\n"
        f"LEFT JOIN ({BOOKED_TEAM} AND {OF_JOB} GROUP BY job) AS t ON t.job = j.job_id\n"
        "ORDER BY job",
        Column("user", "user", link=board_link("gpuledger-explorer", user="user")),
        Column("team", "team", link=board_link("gpuledger-explorer", team="team")),
        Column("why_it_waits", "why it waits"),
        Column("gpus", "GPUs asked for"),
        Column("work", "kind of work"),
        Column("began", "started"),
        Column("done", "ended"),
        Column("wait_seconds", "waited", SECOND),
        Column("ran_seconds", "ran", SECOND),
        width=24,
        height=5,
    )


def _cost() -> Panel:
    shown = (GPU_HOURS, ACTIVITY, IDLE_HOURS, UNDERUSED_HOURS, LOOSE_HOURS)
    money = (CAPACITY_VALUE, CASH_AVOIDABLE, ENERGY_KWH, GRADE)
    return stat(
        Text(
            "What it had and what that was worth",
            "Within this range: GPU-hours, share of them at work, idle and underused ones, worth"
            " and cash avoidable (two views of the same, never add them), energy, and the grade of"
            " the evidence (A best).",
            "Idle hours: the findings below say why, and what to do.",
            f"SELECT * FROM v_book_1h WHERE $__timeFilter(hour) AND {OF_JOB} ORDER BY hour"
            " LIMIT 1000",
            link=IDLE,
            empty="nothing of it is booked in this range",
        ),
        f"SELECT {picked(*shown, *money)}, {CURRENCY_SQL} AS currency\n"
        f"{book(('cluster',))} AND {OF_JOB}\nHAVING count() > 0",
        measured(GPU_HOURS, "GPU-hours"),
        measured(ACTIVITY, "at work"),
        measured(IDLE_HOURS, "idle GPU-hours"),
        measured(UNDERUSED_HOURS, "underused GPU-hours"),
        measured(LOOSE_HOURS, "to be won back"),
        measured(CAPACITY_VALUE, "worth"),
        measured(CASH_AVOIDABLE, "cash avoidable"),
        measured(ENERGY_KWH, "kWh"),
        width=24,
    )


def _states() -> Panel:
    gpus = (
        "SELECT gpu_id, concat(toString(node), ' GPU ', toString(slot)) AS gpu"
        f" FROM ({JOB_GPUS}) ORDER BY cluster, node, slot LIMIT {MOST_GPUS}"
    )
    given = f"SELECT gpu_id, alloc_id FROM v_allocations WHERE job_id IN ({ONE_JOB})"
    return timeline(
        Text(
            "What its GPUs did",
            f"The state that each of {FIRST_GPUS} was in for most of each point of time.",
            "One strip unlike the others is a slow or broken GPU: open its node below.",
            link=board_link("gpuledger-node"),
            empty=NO_GPU,
        ),
        strips(gpus, f"(c.gpu_id, c.alloc_id) IN ({given})"),
        "gpu",
        "state",
        width=24,
        height=9,
    )


def _of_gpus(title: str, help: str, next: str, name: str, value: str, *more: str) -> Panel:
    """A line for each GPU, of a column of GPU samples or of SQL over them."""
    gpus = f"{JOB_GPUS} ORDER BY cluster, node, slot LIMIT {MOST_GPUS}"
    return lines(
        Text(title, help, next, link=board_link("gpuledger-node"), empty=NO_GPU),
        "SELECT $__timeInterval(at) AS time,"
        f" concat(toString(g.node), ' GPU ', toString(g.slot)) AS gpu, avg({value}) AS {name}\n"
        f"FROM (SELECT *\n{samples(GpuSample.table, name, *more)}\n"
        f"WHERE {ON_NODE}) AS s\nINNER JOIN ({gpus}) AS g"
        " ON g.cluster = s.cluster AND g.node = s.node AND g.slot = s.slot\n"
        f"WHERE at < g.ended AND at + toIntervalSecond(cell_seconds) > g.began\n"
        f"GROUP BY time, gpu HAVING {name} IS NOT NULL ORDER BY time, gpu",
        told(GpuSample.table, name),
        width=12,
        interval=FINE,
    )


def _activity() -> Panel:
    return _of_gpus(
        "Activity of its GPUs",
        f"Share of multiprocessors at work, else utilization, of {FIRST_GPUS}.",
        "Sawteeth to zero: it waits for data or checkpoints; compare with storage.",
        "sm_active_ratio",
        "ifNull(sm_active_ratio, utilization_ratio)",
        "utilization_ratio",
    )


def _power() -> Panel:
    return _of_gpus(
        "Power of its GPUs",
        f"Drawn by each of {FIRST_GPUS}.",
        "High utilization and low power: little work, or a hang.",
        "power_watts",
        "power_watts",
    )


def _memory() -> Panel:
    return _of_gpus(
        "Memory of its GPUs",
        f"Device memory in use on each of {FIRST_GPUS}.",
        "Far below what the card has: fewer or smaller GPUs would do.",
        "memory_used_bytes",
        "memory_used_bytes",
    )


def _host() -> Panel:
    return hosts(
        Text(
            "Its hosts",
            "Processors busy, processors waiting for storage, and memory in use, on average over"
            " its nodes (others may run there too).",
            "Processors at their end while GPUs idle: more data loaders, or more cores.",
            link=board_link("gpuledger-node"),
            empty=NO_GPU,
        ),
        ON_NODES,
    )


def _network() -> Panel:
    return traffic(
        Text(
            "Network of its nodes",
            "Bytes each second over all ports of a kind (others may run there too).",
            "Flat at zero while GPUs claim to be busy: the job hangs in communication.",
            link=board_link("gpuledger-health"),
            empty=NO_GPU,
        ),
        rates(NetworkSample.table, "kind", WIRES, keep=("kind",), where=ON_NODES),
    )


def _storage() -> Panel:
    return traffic(
        Text(
            "Storage of its nodes",
            "Bytes each second to and from local disks and network filesystems.",
            "Long reads while its GPUs idle: copy the data to local disks first.",
            link=board_link("gpuledger-health"),
            empty=NO_GPU,
        ),
        storage("'local disks'", ON_NODES),
    )


def _findings() -> Panel:
    return table(
        Text(
            "What was found",
            "Findings about it in this range, with what they cost so far.",
            "Do what the last column says, or say why not: `gpuledger exempt`.",
            link=IDLE,
            empty="no detector found anything about it in this range",
        ),
        "SELECT kind, if(open = 1, 'goes on', 'over') AS now, since, until,"
        f" gpu_seconds / 3600 AS {FOUND_HOURS.name}, cause, summary, action\n"
        f"FROM v_findings WHERE {TOUCHED} AND subject IN ({ONE_JOB})\n"
        "ORDER BY open DESC, gpu_seconds DESC, finding_id LIMIT 20",
        measured(FOUND_HOURS, "GPU-hours"),
        Column("action", "what to do"),
        width=24,
    )


def _advice() -> Panel:
    return table(
        Text(
            "What to do",
            "Open recommendations about it; printed, never carried out.",
            "`gpuledger recommend show` says what each rests on.",
            link=board_link("gpuledger-executive"),
            empty="nothing is recommended for it",
        ),
        "SELECT title, gain_gpu_hours, command FROM v_recommendations\n"
        f"WHERE status = 'proposed' AND subject IN ({ONE_JOB})\n"
        "ORDER BY gain_gpu_hours DESC, recommendation_id LIMIT 10",
        Column("gain_gpu_hours", "GPU-hours to win"),
        width=12,
    )


def _places() -> Panel:
    return table(
        Text(
            "Where it ran",
            "Its nodes in this range, with what it did on each.",
            "A node with less activity than the others: open it.",
            link=board_link("gpuledger-health"),
            empty="nothing of it is booked in this range",
        ),
        f"SELECT node, cluster, job, {picked(GPU_HOURS, ACTIVITY, IDLE_HOURS)}\n"
        f"{book(('cluster',))} AND {OF_JOB}\nGROUP BY node, cluster, job"
        f" ORDER BY {GPU_HOURS.name} DESC, node LIMIT 50",
        Column("node", "node", link=NODE_LINK),
        measured(GPU_HOURS, "GPU-hours"),
        measured(ACTIVITY, "at work"),
        measured(IDLE_HOURS, "idle GPU-hours"),
        width=12,
    )


board = Board(
    uid=UID,
    title="gpuledger: job",
    help="One job: what its GPUs did, on what, what it cost, why it waited, and what to do.",
    variables=(*COMMON, USER, JOB),
    panels=(
        _job(),
        _cost(),
        _states(),
        _activity(),
        _power(),
        _memory(),
        _host(),
        _network(),
        _storage(),
        _findings(),
        _places(),
        _advice(),
    ),
    marks=(Marks("changes", changes(), "purple"),),
)
