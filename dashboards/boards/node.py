"""One node: its GPUs, heat, power, links, host and file systems, who is on it, what changed."""

from __future__ import annotations

from dashboards.ask import NO_SLOT, book, changes, picked, samples
from dashboards.choices import COMMON, NODE, board_link
from dashboards.panel import FINE, Board, Panel, heat, lines, stat, table, timeline
from dashboards.telemetry import (
    BOOKED_TEAM,
    HEARD_HOURS,
    LAST_HEARD,
    MOST_GPUS,
    ON_NODE,
    WIRES,
    grown,
    hosts,
    rates,
    storage,
    strips,
    told,
    traffic,
)
from dashboards.words import Column, Marks, Text, measured
from gpuledger.catalogue import (
    FilesystemSample,
    GpuHealth,
    GpuSample,
    NetworkSample,
)
from gpuledger.measures import (
    ACTIVITY,
    ALLOCATION,
    AVAILABILITY,
    ENERGY_KWH,
    FAULT_HOURS,
    GPU_HOURS,
    LOOSE_HOURS,
    THROTTLED_HOURS,
    UNKNOWN_SHARE,
)
from gpuledger.units import COUNT, RATIO

UID = "gpuledger-node"
HEALTH = board_link("gpuledger-health")
SILENT = "no agent told of this node in this range"
JOB_LINK = board_link("gpuledger-job", job="job", cluster="cluster")


def _node() -> Panel:
    cards = (
        "SELECT cluster, node, count() AS gpus, any(pool) AS pool, any(model) AS model"
        f" FROM v_assets WHERE {ON_NODE} GROUP BY cluster, node"
    )
    drivers = (
        "SELECT cluster, node, arrayStringConcat(arraySort(groupUniqArrayIf(driver, driver != '')),"
        f" ', ') AS drivers, max(rack) AS rack FROM v_gpus WHERE {ON_NODE} GROUP BY cluster, node"
    )
    said = (
        "SELECT cluster, node, argMax(state, valid_from) AS state, argMax(reason, valid_from)"
        f" AS why FROM v_node_states WHERE valid_from <= $__toTime AND {ON_NODE}"
        " GROUP BY cluster, node"
    )
    heard = (
        "SELECT cluster, node, max(ts) AS heard FROM v_source_runs"
        f" WHERE {LAST_HEARD} AND {ON_NODE} GROUP BY cluster, node"
    )
    joined = "\n".join(
        f"LEFT JOIN ({of}) AS {name} ON {name}.cluster = c.cluster AND {name}.node = c.node"
        for name, of in (("d", drivers), ("n", said), ("r", heard))
    )
    return table(
        Text(
            "The node",
            "What it is, what its scheduler says of it, and when its agent was heard last in the"
            f" last {HEARD_HOURS} hours of this range. Without a choice above: the node that lost"
            " most GPU-hours to its hardware.",
            "Choose a node above, or click one on any other board.",
            link=HEALTH,
            empty="no node is on the asset list",
        ),
        "SELECT c.node AS node, c.cluster AS cluster, c.pool AS pool, c.gpus AS gpus,"
        " c.model AS model, d.drivers AS driver, d.rack AS rack,"
        " if(n.state = '', 'not told', n.state) AS state, n.why AS why,"
        " if(r.heard < $__fromTime, NULL, r.heard) AS heard\n"
        f"FROM ({cards}) AS c\n{joined}\nORDER BY cluster, node",
        Column("gpus", "GPUs"),
        Column("state", "its scheduler says"),
        Column("why", "because"),
        Column("heard", "agent heard last"),
        width=24,
        height=5,
    )


def _overview() -> Panel:
    shown = (
        *(GPU_HOURS, AVAILABILITY, FAULT_HOURS, THROTTLED_HOURS),
        *(ALLOCATION, ACTIVITY, LOOSE_HOURS, UNKNOWN_SHARE, ENERGY_KWH),
    )
    return stat(
        Text(
            "What it gave",
            "Within this range: GPU-hours, healthy share, GPU-hours broken and slowed down, share"
            " given to jobs, share of that at work, GPU-hours to be won back, share unknown, kWh.",
            "Broken hours: the changes and errors below say since when.",
            f"SELECT * FROM v_book_1h WHERE $__timeFilter(hour) AND {ON_NODE} ORDER BY hour"
            " LIMIT 1000",
            link=HEALTH,
            empty="nothing of it is booked in this range",
        ),
        f"SELECT {picked(*shown)}\n{book(('cluster',))} AND {ON_NODE}\nHAVING count() > 0",
        measured(GPU_HOURS, "GPU-hours"),
        measured(AVAILABILITY, "healthy"),
        measured(FAULT_HOURS, "GPU-hours broken"),
        measured(THROTTLED_HOURS, "slowed down"),
        measured(ALLOCATION, "given to jobs"),
        measured(ACTIVITY, "of that at work"),
        measured(LOOSE_HOURS, "to be won back"),
        measured(UNKNOWN_SHARE, "unknown"),
        measured(ENERGY_KWH, "kWh"),
        width=24,
    )


def _states() -> Panel:
    gpus = (
        "SELECT gpu_id, concat(toString(node), ' GPU ', toString(slot)) AS gpu FROM v_assets"
        f" WHERE {ON_NODE} ORDER BY cluster, node, slot LIMIT {MOST_GPUS}"
    )
    return timeline(
        Text(
            "What its GPUs did",
            "The state that each GPU was in for most of each point of time.",
            "Red is broken: see the errors below. Orange is idle: the jobs below hold it.",
            link=HEALTH,
            empty="nothing of it is booked in this range",
        ),
        strips(gpus, "true"),
        "gpu",
        "state",
        width=24,
        height=9,
    )


def _by_gpu(name: str, value: str = "", more: tuple[str, ...] = ()) -> str:
    """SELECT of time, gpu and a column of GPU samples, or SQL over them."""
    return (
        "SELECT $__timeInterval(at) AS time,"
        " concat(toString(node), ' GPU ', toString(slot)) AS gpu,"
        f" avg({value or name}) AS {name}\n"
        f"FROM (SELECT *\n{samples(GpuSample.table, name, *more)}\nWHERE {ON_NODE}) AS s\n"
        f"GROUP BY time, gpu HAVING {name} IS NOT NULL ORDER BY time, gpu"
    )


def _of_gpus(title: str, help: str, next: str, name: str) -> Panel:
    """A line for each GPU, of a column of GPU samples."""
    return lines(
        Text(title, help, next, link=HEALTH, empty=SILENT),
        _by_gpu(name),
        told(GpuSample.table, name),
        width=12,
        interval=FINE,
    )


def _temperature() -> Panel:
    return _of_gpus(
        "Temperature",
        "The hottest moment of each GPU within each point of time.",
        "One far above its neighbours: dust, a fan, or a card to be seated again.",
        "temperature_celsius_max",
    )


def _power() -> Panel:
    return _of_gpus(
        "Power",
        "Drawn by each GPU.",
        "All at a flat ceiling: the power limit or the brake holds them.",
        "power_watts",
    )


def _activity() -> Panel:
    name, other = "sm_active_ratio", "utilization_ratio"
    return heat(
        Text(
            "Activity",
            "Share of multiprocessors at work, else utilization: a row for each GPU, darker at"
            " work.",
            "A row lighter than its neighbours in the same job: a straggler.",
            link=HEALTH,
            empty=SILENT,
        ),
        _by_gpu(name, f"ifNull({name}, {other})", (other,)),
        "gpu",
        told(GpuSample.table, name),
        width=12,
        interval=FINE,
    )


def _host() -> Panel:
    return hosts(
        Text(
            "Host",
            "Processors busy, processors waiting for storage, and memory in use.",
            "Processors at their end while GPUs idle: what feeds them is too slow.",
            link=board_link("gpuledger-idle"),
            empty=SILENT,
        ),
        ON_NODE,
    )


def _traffic() -> Panel:
    network = rates(NetworkSample.table, "device", WIRES, where=ON_NODE)
    return traffic(
        Text(
            "Network and storage",
            "Bytes each second of each port, disk and network filesystem.",
            "A port that stays at zero beside busy ones: see the links.",
            link=HEALTH,
            empty=SILENT,
        ),
        f"{network}\nUNION ALL {storage('device', ON_NODE)}",
    )


def _links() -> Panel:
    nvlink = (
        "SELECT cluster, node, concat('GPU ', toString(slot), ' NVLink') AS link,"
        " argMax(nvlinks_up / nullIf(nvlinks, 0), at) AS up, NULL AS speed,"
        " sum(ifNull(nvlink_replays, 0) + ifNull(nvlink_crc_errors, 0)) AS errors\n"
        + grown(
            GpuHealth.table,
            "nvlink_replays",
            "nvlink_crc_errors",
            keep=("nvlinks", "nvlinks_up"),
            where=ON_NODE,
        )
        + "\nGROUP BY cluster, node, link HAVING up IS NOT NULL"
    )
    wrong = ("symbol_errors", "link_integrity_errors", "receive_errors", "transmit_errors")
    errors = " + ".join(f"ifNull({name}, 0)" for name in (*wrong, "link_downs", "carrier_changes"))
    ports = (
        "SELECT cluster, node, concat(any(kind), ' ', device) AS link, avg(up_ratio) AS up,"
        f" max(speed_bytes_per_second) AS speed, sum({errors}) AS errors\n"
        + grown(
            NetworkSample.table,
            *wrong,
            "link_downs",
            "carrier_changes",
            keep=("kind", "up_ratio", "speed_bytes_per_second"),
            where=ON_NODE,
        )
        + "\nGROUP BY cluster, node, device"
    )
    return table(
        Text(
            "Links",
            "NVLinks of each GPU and network ports: share up, speed, and errors or lost links in"
            " this range.",
            "Errors that grow: reseat or replace; a link down: reset, then replace.",
            link=HEALTH,
            empty=SILENT,
        ),
        f"SELECT node, link, up, speed, errors FROM (\n{nvlink}\nUNION ALL\n{ports})\n"
        "ORDER BY errors DESC, cluster, node, link LIMIT 40",
        Column("up", "up", RATIO),
        told(NetworkSample.table, "speed_bytes_per_second", "speed", "speed"),
        Column("errors", "errors", COUNT),
        width=12,
    )


def _filesystems() -> Panel:
    names = ("size_bytes", "available_bytes", "inodes", "inodes_free")
    newest = ", ".join(f"argMax({n}, at) AS {n}" for n in names)
    return table(
        Text(
            "File systems",
            "Each mounted filesystem as it was told last: size, free, and shares used.",
            "Full, of bytes or of inodes: clean up before jobs fail to write.",
            link=HEALTH,
            empty=SILENT,
        ),
        "SELECT node, mount, size_bytes, available_bytes,"
        " 1 - available_bytes / nullIf(size_bytes, 0) AS used,"
        " 1 - inodes_free / nullIf(inodes, 0) AS inodes_used\n"
        f"FROM (SELECT cluster, node, mount, {newest}\n"
        f"{samples(FilesystemSample.table, *names)}\nWHERE {ON_NODE}\n"
        "GROUP BY cluster, node, mount)\n"
        "ORDER BY used DESC, cluster, node, mount LIMIT 40",
        told(FilesystemSample.table, names[0], "size"),
        told(FilesystemSample.table, names[1], "free"),
        Column("used", "used", RATIO),
        Column("inodes_used", "inodes used", RATIO),
        width=8,
    )


def _jobs() -> Panel:
    return table(
        Text(
            "Who was on it",
            "Jobs that had GPUs of it in this range; those that still have them come first.",
            "Click a job: its board shows what it does and what to do.",
            link=board_link("gpuledger-queue"),
            empty="no job had a GPU of it in this range",
        ),
        "SELECT a.job AS job, j.name AS name, j.user AS user,"
        " if(t.team = '', j.team, t.team) AS team,"
        " a.gpus AS gpus, a.began AS began, if(a.ends > $__toTime, NULL, a.ends) AS until,"
        " a.cluster AS cluster\n"
        "FROM (SELECT job_id AS job, cluster, uniqExact(gpu_id) AS gpus, min(valid_from) AS began,"
        f" max(valid_to) AS ends FROM v_allocations WHERE {ON_NODE}"
        " AND valid_from <= $__toTime AND valid_to >= $__fromTime GROUP BY job, cluster) AS a\n"
        "LEFT JOIN (SELECT job_id, name, user, team FROM v_jobs) AS j ON j.job_id = a.job\n"
        f"LEFT JOIN ({BOOKED_TEAM} AND {ON_NODE} GROUP BY job) AS t ON t.job = a.job\n"
        "ORDER BY a.ends DESC, began DESC, job LIMIT 40",
        Column("job", "job", link=JOB_LINK),
        Column("team", "team", link=board_link("gpuledger-explorer", team="team")),
        Column("gpus", "GPUs"),
        Column("began", "from"),
        Column("until", "until"),
        width=16,
    )


def _happened() -> Panel:
    return table(
        Text(
            "What happened to it",
            "Errors that its GPUs told, changes, and what its scheduler said, newest first.",
            "A change just before an error: take it back and see.",
            "SELECT * FROM v_gpu_events WHERE $__timeFilter(ts) ORDER BY ts LIMIT 1000",
            link=board_link("gpuledger-collection"),
            empty="nothing was told or changed in this range",
        ),
        "SELECT at, what, gpu, text FROM (\n"
        f"SELECT ts AS at, toString(kind) AS what, if(slot = {NO_SLOT}, '', toString(slot)) AS gpu,"
        " concat(if(code = 0, '', concat('code ', toString(code), ': ')), detail) AS text, cluster,"
        f" node FROM v_gpu_events WHERE $__timeFilter(ts) AND {ON_NODE}\nUNION ALL\n"
        f"SELECT ts AS at, toString(kind) AS what, if(slot = {NO_SLOT}, '', toString(slot)) AS gpu,"
        " concat(subject, ' ', if(before = '', 'none', before), ' → ',"
        f" if(after = '', 'none', after)) AS text, cluster, node FROM v_changes"
        f" WHERE $__timeFilter(ts) AND {ON_NODE}\nUNION ALL\n"
        "SELECT valid_from AS at, concat('scheduler: ', state) AS what, '' AS gpu, reason AS text,"
        f" cluster, node FROM v_node_states WHERE $__timeFilter(valid_from) AND {ON_NODE})\n"
        "ORDER BY at DESC, what, gpu, text LIMIT 40",
        Column("gpu", "GPU"),
        Column("at", "when"),
        width=24,
    )


board = Board(
    uid=UID,
    title="gpuledger: node",
    help="One node: its GPUs, heat, power, links, host, file systems, who is on it, and changes.",
    variables=(*COMMON, NODE),
    kept=("team",),
    panels=(
        _node(),
        _overview(),
        _states(),
        _temperature(),
        _power(),
        _activity(),
        _host(),
        _traffic(),
        _links(),
        _filesystems(),
        _jobs(),
        _happened(),
    ),
    marks=(Marks("changes", changes(), "purple"),),
)
