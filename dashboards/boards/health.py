"""Health and fabric: what broke, what it cost, which node fails again, and what is about to."""

from __future__ import annotations

from dashboards.ask import (
    MONTH_DAYS,
    PLACE,
    accounts,
    book,
    changes,
    chosen,
    fleet,
    picked,
    point,
)
from dashboards.choices import COMMON, board_link
from dashboards.panel import FINE, HOURLY, Board, Panel, area, bars, lines, stat, table
from dashboards.parts import BUCKETS, TOUCHED
from dashboards.telemetry import increases, on_pools, told
from dashboards.words import Column, Marks, Text, measured
from gpuledger.catalogue import (
    BlockSample,
    GpuHealth,
    GpuSample,
    NetfsSample,
    NetworkSample,
    ObjectStoreSample,
)
from gpuledger.measures import (
    AVAILABILITY,
    FAULT_HOURS,
    LOST_HOURS,
    LOST_VALUE,
    MAINTENANCE_HOURS,
    THROTTLED_HOURS,
)
from gpuledger.schema import Table
from gpuledger.states import UNAVAILABLE, group_of, in_list
from gpuledger.units import RATIO, SECOND
from gpuledger.view_measures import CARDS, EVENTS, FOUND_HOURS

UID = "gpuledger-health"
NODE_LINK = board_link("gpuledger-node", node="node", cluster="cluster")
NODE_COLUMN = Column("node", "node", link=NODE_LINK)
ROWS = 20
LOST = f"state IN {in_list(group_of(UNAVAILABLE))}"
CAUSE = "replaceAll(if(cause != '', toString(cause), toString(state)), '_', ' ')"
HARDWARE_KINDS = in_list(
    ("sick_gpu", "sick_link", "throttled", "straggler", "storage_slow", "islands")
)
# Kinds of events that tell of something wrong; the others tell that it is over.
WRONG = "kind NOT IN ('recovered', 'reset')"
WELL = "every GPU was in service for all of this range"


def _overview() -> Panel:
    shown = (AVAILABILITY, FAULT_HOURS, MAINTENANCE_HOURS, LOST_VALUE, THROTTLED_HOURS)
    return stat(
        Text(
            "What hardware cost",
            "Healthy share of owned time, GPU-hours broken and in maintenance, what those were"
            " worth, and GPU-hours slowed down by heat or power.",
            "The nodes that lost most are below; a click on one opens its board.",
            f"SELECT * FROM v_book_1h WHERE $__timeFilter(hour) AND {LOST} ORDER BY hour"
            " LIMIT 1000",
            link=board_link("gpuledger-node"),
            empty="nothing is booked in this range",
        ),
        f"SELECT {picked(*shown)}\n{book(PLACE)}\nHAVING count() > 0",
        measured(AVAILABILITY, "healthy"),
        measured(FAULT_HOURS, "GPU-hours broken"),
        measured(MAINTENANCE_HOURS, "GPU-hours in maintenance"),
        measured(LOST_VALUE, "worth of both"),
        measured(THROTTLED_HOURS, "GPU-hours slowed down"),
        width=24,
    )


def _causes() -> Panel:
    return bars(
        Text(
            "GPU-hours lost by cause",
            "GPU-hours that nobody could use, by what was wrong.",
            "The largest cause first: replace, repair or update what is behind it.",
            link=board_link("gpuledger-explorer"),
            empty=WELL,
        ),
        f"SELECT {CAUSE} AS why, {picked(LOST_HOURS)}\n{book(PLACE)} AND {LOST}\n"
        f"GROUP BY why ORDER BY {LOST_HOURS.name} DESC, why LIMIT {ROWS}",
        measured(LOST_HOURS, "GPU-hours"),
        width=8,
    )


def _over_time() -> Panel:
    return area(
        Text(
            "GPUs out of service",
            "Mean GPUs broken or in maintenance at each time, by what was wrong.",
            "A step up that stays: nobody has repaired it yet.",
            link=board_link("gpuledger-explorer"),
            empty=WELL,
        ),
        "SELECT c.time AS time, c.why AS why, sum(c.gpu_seconds) / any(b.seconds) AS gpus\n"
        f"FROM (SELECT {point('at')} AS time, {CAUSE} AS why, gpu_seconds\n"
        f"  {accounts(PLACE)} AND {LOST}) AS c\nINNER JOIN ({BUCKETS}) AS b"
        " ON b.time = c.time\nGROUP BY time, why ORDER BY time, why",
        Column("gpus", "GPUs"),
        width=16,
    )


def _offenders() -> Panel:
    told_of = (
        f"SELECT cluster, node, {EVENTS.sql} AS {EVENTS.name}, max(ts) AS last_told"
        f" FROM v_gpu_events WHERE $__timeFilter(ts) AND {WRONG} GROUP BY cluster, node"
    )
    lost = (
        f"SELECT cluster, node, pool, {picked(LOST_HOURS, LOST_VALUE)},"
        f" arrayStringConcat(arraySort(groupUniqArray({CAUSE})), ', ') AS why\n"
        f"  {book(PLACE)} AND {LOST} GROUP BY cluster, node, pool"
    )
    return table(
        Text(
            "Nodes that cost most",
            "GPU-hours that each node lost, why, how often its GPUs told of errors, and when last.",
            "A node that comes back again and again: drain it and ask for a new card.",
            link=board_link("gpuledger-node"),
            empty=WELL,
        ),
        "SELECT l.node AS node, l.cluster AS cluster, l.pool AS pool,"
        f" l.{LOST_HOURS.name} AS {LOST_HOURS.name}, l.{LOST_VALUE.name} AS {LOST_VALUE.name},"
        f" l.why AS why, e.{EVENTS.name} AS {EVENTS.name},"
        f" if(e.{EVENTS.name} = 0, NULL, e.last_told) AS last_told\n"
        f"FROM ({lost}) AS l\nLEFT JOIN ({told_of}) AS e"
        " ON e.cluster = l.cluster AND e.node = l.node\n"
        f"ORDER BY {LOST_HOURS.name} DESC, cluster, node LIMIT {ROWS}",
        NODE_COLUMN,
        measured(LOST_HOURS, "GPU-hours lost"),
        measured(LOST_VALUE, "worth"),
        Column("why", "causes"),
        measured(EVENTS, "errors told"),
        Column("last_told", "last error"),
        width=24,
    )


def _findings() -> Panel:
    return table(
        Text(
            "What the detectors found",
            "Sick GPUs and links, slow storage, throttling and stragglers in this range; those that"
            " go on come first.",
            "Do what the last column says; `gpuledger findings` prints the evidence.",
            f"SELECT * FROM v_findings WHERE {TOUCHED} AND kind IN {HARDWARE_KINDS} LIMIT 1000",
            link=board_link("gpuledger-node"),
            empty="no detector found sick hardware in this range",
        ),
        "SELECT if(open = 1, 'goes on', 'over') AS now, summary, since, until,"
        f" gpu_seconds / 3600 AS {FOUND_HOURS.name}, owner, action\n"
        "FROM (SELECT *, splitByChar('/', subject)[1] AS cluster,"
        " splitByChar('/', subject)[2] AS node FROM v_findings)\n"
        f"WHERE kind IN {HARDWARE_KINDS} AND {TOUCHED} AND {chosen(PLACE)}\n"
        f"ORDER BY open DESC, gpu_seconds DESC, finding_id LIMIT {ROWS}",
        measured(FOUND_HOURS, "GPU-hours"),
        Column("owner", "who acts"),
        Column("action", "what to do"),
        width=24,
    )


def _events() -> Panel:
    return table(
        Text(
            "Errors that GPUs told, by class",
            "XIDs and other events with how often, on how many GPUs and nodes, and what the driver"
            " asks for. A class of `application` is the program's fault, `hardware` the card's.",
            "Follow what the driver asks for; alerts/runbooks/xid_critical.md says more.",
            "SELECT * FROM v_gpu_events WHERE $__timeFilter(ts) ORDER BY ts LIMIT 1000",
            link=board_link("gpuledger-node"),
            empty="no GPU told of an error in this range",
        ),
        f"SELECT kind, code, cause AS class, recovery, {picked(EVENTS, CARDS)},"
        " uniqExact(cluster, node) AS nodes, max(ts) AS last_told, argMax(detail, ts) AS detail\n"
        f"FROM v_gpu_events WHERE $__timeFilter(ts) AND {on_pools()}\n"
        f"GROUP BY kind, code, class, recovery ORDER BY {EVENTS.name} DESC, kind, code"
        f" LIMIT {ROWS}",
        Column("class", "class"),
        Column("recovery", "asked for"),
        measured(EVENTS, "times"),
        measured(CARDS, "GPUs"),
        Column("last_told", "last"),
        Column("detail", "in its words"),
        width=24,
    )


def _memory() -> Panel:
    counters = ("ecc_uncorrected_errors", "ecc_corrected_errors")
    rows = ("remapped_rows_uncorrected", "remapped_rows_corrected")
    gauges = ("remap_failed", "remap_pending", *rows)
    worst = ", ".join(f"{name} DESC" for name in (*gauges[:2], *counters))
    return table(
        Text(
            "Memory that wears out",
            f"Memory errors in this range (its last {MONTH_DAYS} days, if it is longer) and rows"
            " remapped so far, of the GPUs that have any.",
            "Remap failed: replace the card. Pending: reset it when its job has ended.",
            link=board_link("gpuledger-node"),
            empty="no GPU has memory errors or remapped rows, or no agent reads them (NVML health)",
        ),
        f"SELECT cluster, node, slot AS gpu, {', '.join(gauges + counters)}\n"
        f"{increases(GpuHealth.table, *counters, keep=gauges, where=on_pools())}\n"
        f"WHERE greatest({', '.join(f'ifNull({n}, 0)' for n in (*gauges, *counters))}) > 0\n"
        f"ORDER BY {worst}, cluster, node, gpu LIMIT {ROWS}",
        NODE_COLUMN,
        Column("gpu", "GPU"),
        *(told(GpuHealth.table, name) for name in (*gauges, *counters)),
        width=12,
    )


def _nvlink() -> Panel:
    counters = ("nvlink_replays", "nvlink_recoveries", "nvlink_crc_errors", "pcie_replays")
    gauges = ("nvlinks", "nvlinks_up", "pcie_width", "pcie_width_max")
    return table(
        Text(
            "NVLink and PCIe that are not as they should be",
            "GPUs with NVLinks down, with fewer PCIe lanes than the slot has, or with transfers"
            f" that had to be repeated in this range (its last {MONTH_DAYS} days).",
            "A link down: reset the GPU, then reseat or replace board or bridge.",
            link=board_link("gpuledger-node"),
            empty="every link is up without errors, or no agent reads them (NVML health)",
        ),
        f"SELECT cluster, node, slot AS gpu, nvlinks - nvlinks_up AS nvlinks_down,"
        f" pcie_width_max - pcie_width AS lanes_missing, {', '.join(counters)}\n"
        f"{increases(GpuHealth.table, *counters, keep=gauges, where=on_pools())}\n"
        "WHERE greatest(ifNull(nvlinks_down, 0), ifNull(lanes_missing, 0),"
        f" {', '.join(f'ifNull({c}, 0)' for c in counters)}) > 0\n"
        f"ORDER BY nvlinks_down DESC, lanes_missing DESC, {counters[0]} DESC, cluster, node, gpu"
        f" LIMIT {ROWS}",
        NODE_COLUMN,
        Column("gpu", "GPU"),
        Column("nvlinks_down", "NVLinks down"),
        Column("lanes_missing", "PCIe lanes missing"),
        *(told(GpuHealth.table, name) for name in counters),
        width=12,
    )


def _ports() -> Panel:
    flaps = ("link_downs", "carrier_changes")
    errors = ("symbol_errors", "link_integrity_errors", "receive_errors", "transmit_errors")
    counters, keys = (*flaps, *errors), "cluster, node, device"
    down = (
        f"SELECT {keys}, any(kind) AS fabric, sum((1 - up_ratio) * covered_seconds) AS"
        f" down_seconds\n{fleet(NetworkSample.table, 'up_ratio')}\nWHERE {on_pools()}"
        f" GROUP BY {keys}"
    )
    grew = f"SELECT * {increases(NetworkSample.table, *counters, where=on_pools())}"
    trouble = ", ".join(f"ifNull({n}, 0)" for n in ("down_seconds", *flaps, *errors))
    return table(
        Text(
            "InfiniBand and other ports with trouble",
            f"Ports that were down for a part of this range (its last {MONTH_DAYS} days), lost"
            " their link, or made errors; time down is while the node told of the port.",
            "Reseat or replace the cable, then its transceiver; look at the switch's side too.",
            link=board_link("gpuledger-node"),
            empty="every port was up and made no errors, or no agent reads them",
        ),
        f"SELECT {keys}, fabric, down_seconds, {', '.join(counters)}\nFROM ({down}) AS d\n"
        f"INNER JOIN ({grew}) AS g USING {keys}\nWHERE greatest({trouble}) > 0\n"
        f"ORDER BY down_seconds DESC, {flaps[0]} DESC, {errors[0]} DESC, cluster, node, device"
        f" LIMIT {ROWS}",
        NODE_COLUMN,
        Column("down_seconds", "time down", SECOND),
        *(told(NetworkSample.table, name) for name in (*flaps, *errors)),
        width=12,
    )


def _heat() -> Panel:
    names = ("temperature_celsius", "temperature_celsius_max")
    return lines(
        Text(
            "Temperature of the GPUs",
            "The hottest GPU, the one that nine of ten stay under, and the median.",
            "The hottest far above the others: look at its node's fans and air.",
            link=board_link("gpuledger-node"),
            empty="no agent told of temperatures in this range",
        ),
        f"SELECT {point('at')} AS time, max(temperature_celsius_max) AS hottest,"
        " quantile(0.9)(temperature_celsius) AS p90, quantile(0.5)(temperature_celsius) AS median\n"
        f"{fleet(GpuSample.table, *names)}\n"
        f"WHERE {on_pools()} AND temperature_celsius IS NOT NULL\nGROUP BY time ORDER BY time",
        told(GpuSample.table, names[1], "hottest", "hottest"),
        told(GpuSample.table, names[0], "90 %", "p90"),
        told(GpuSample.table, names[0], "median", "median"),
        width=12,
        interval=FINE,
    )


def _throttling() -> Panel:
    reasons = {
        "heat": "thermal_throttle_seconds",
        "power limit": "power_throttle_seconds",
        "power brake": "brake_throttle_seconds",
    }
    pairs = ", ".join(f"('{word}', {name}_last - {name}_first)" for word, name in reasons.items())
    return lines(
        Text(
            "Time that GPUs were slowed down",
            "Share of GPU time in which clocks were held down, by what held them. The power limit"
            " holds down every busy GPU a little; heat and the brake should not.",
            "Heat: look at cooling. Brake: look at power supplies and their feeds.",
            link=board_link("gpuledger-node"),
            empty="no agent reads how long clocks were held down",
        ),
        f"SELECT {point('at')} AS time, said.1 AS reason,"
        f" sum(said.2) / nullIf(sum(covered_seconds), 0) AS slowed_ratio\n"
        f"{fleet(GpuSample.table, *reasons.values(), hours=True)}\n"
        f"ARRAY JOIN [{pairs}] AS said\nWHERE {on_pools()} AND said.2 IS NOT NULL\n"
        "GROUP BY time, reason ORDER BY time, reason",
        Column("slowed_ratio", "slowed down", RATIO),
        width=12,
        interval=HOURLY,
    )


def _latency_of(what: Table, name: str, seconds: tuple[str, ...], count: tuple[str, ...]) -> str:
    took, done = (" + ".join(f"({c}_last - {c}_first)" for c in cs) for cs in (seconds, count))
    return (
        f"SELECT {point('at')} AS time, {name} AS storage,"
        f" sum({took}) / nullIf(sum({done}), 0) AS latency_seconds\n"
        f"{fleet(what, *seconds, *count)}\nWHERE {on_pools()}\n"
        "GROUP BY time, storage HAVING latency_seconds IS NOT NULL"
    )


def _storage() -> Panel:
    disks = _latency_of(
        BlockSample.table, "'local disks'", ("read_seconds", "write_seconds"), ("reads", "writes")
    )
    shares = _latency_of(
        NetfsSample.table,
        "concat(kind, ' ', toString(mount))",
        ("total_seconds",),
        ("operations",),
    )
    objects = (
        f"SELECT {point('at')} AS time, concat('objects ', toString(store)) AS storage,"
        f" avg(s.latency_seconds) AS latency_seconds\n"
        f"{fleet(ObjectStoreSample.table, 'latency_seconds')} AS s\n"
        f"WHERE s.latency_seconds IS NOT NULL AND {chosen(('cluster',))} GROUP BY time, storage"
    )
    return lines(
        Text(
            "How long storage takes to answer",
            "Mean time of a read or write on local disks, network filesystems and object stores;"
            f" of long ranges the last {MONTH_DAYS} days.",
            "One that climbs while GPUs wait for data: move hot data, or ask its owners.",
            link=board_link("gpuledger-node"),
            empty="no agent told of disks, filesystems or object stores in this range",
        ),
        f"SELECT time, storage, latency_seconds FROM ({disks}\nUNION ALL {shares}\n"
        f"UNION ALL {objects}) ORDER BY time, storage",
        Column("latency_seconds", "latency", SECOND),
        width=12,
        interval=FINE,
    )


board = Board(
    uid=UID,
    title="gpuledger: health and fabric",
    help="What broke, what it cost, which node fails again, and what is about to.",
    variables=COMMON,
    kept=("team",),
    panels=(
        _overview(),
        _causes(),
        _over_time(),
        _offenders(),
        _findings(),
        _events(),
        _memory(),
        _nvlink(),
        _ports(),
        _storage(),
        _heat(),
        _throttling(),
    ),
    marks=(Marks("changes", changes(), "purple"),),
)
