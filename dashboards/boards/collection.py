"""Collection: whether what the boards say rests on enough, and what is wrong with our own parts."""

from __future__ import annotations

from dashboards.ask import OWNER, PLACE, book, changes, chosen, picked, samples
from dashboards.choices import COMMON, board_link
from dashboards.panel import FINE, Board, Panel, area, lines, stat, table
from dashboards.parts import mean_gpus
from dashboards.telemetry import HEARD_HOURS, LAST_HEARD, grown, on_pools, told
from dashboards.words import Column, Marks, Text, coloured, measured
from gpuledger.catalogue import AgentSample, MissingValue, SourceRun, SpoolLoss
from gpuledger.measures import GRADE, PRICED, UNKNOWN_SHARE, UNMAPPED_SHARE
from gpuledger.states import STATES, UNKNOWN
from gpuledger.units import COUNT, RATIO, SECOND
from gpuledger.view_measures import (
    CLOSURE_ERROR,
    FAILED_READINGS,
    FAILED_SHARE,
    READINGS,
    ROWS_ASIDE,
    closure,
)

UID = "gpuledger-collection"
ROWS, SILENT = 20, 10
# Thousandths of a GPU: all of it.
WHOLE = 1000
NODE_LINK = board_link("gpuledger-node", node="node", cluster="cluster")
NODE_COLUMN = Column("node", "node", link=NODE_LINK)
EXPLORER = board_link("gpuledger-explorer")
NODE = board_link("gpuledger-node")
BOOKED = "nothing is booked in this range"
HOURS = "hour >= toStartOfHour($__fromTime) AND hour <= $__toTime"


def _cover() -> Panel:
    shown = (UNKNOWN_SHARE, UNMAPPED_SHARE, PRICED, GRADE)
    return stat(
        Text(
            "What the book knows",
            "Share of owned time of which it knows too little, share of given time without a known"
            " team, share with a price, and the lowest grade of evidence (A best, D worst).",
            "Unknown time: look for silent nodes below.",
            "SELECT * FROM v_book_1h WHERE $__timeFilter(hour) ORDER BY hour LIMIT 1000",
            link=EXPLORER,
            empty=BOOKED,
        ),
        f"SELECT {picked(*shown)}\n{book(OWNER)}\nHAVING count() > 0",
        measured(UNKNOWN_SHARE, "unknown"),
        measured(UNMAPPED_SHARE, "without a team"),
        measured(PRICED, "with a price"),
        width=12,
    )


def _booking() -> Panel:
    owned = f"SELECT {CLOSURE_ERROR.sql} FROM ({closure(HOURS)})"
    return stat(
        Text(
            "Whether the book is whole",
            "How far the book is behind the end of this range, by how much its worst hour is off"
            " from what was owned, hours booked, and those written again after they were closed."
            " Whole fleet.",
            "Behind: `gpuledger doctor` says what holds it up; alerts/runbooks/booking_behind.md.",
            "SELECT * FROM v_booked_hours WHERE $__timeFilter(hour) ORDER BY hour LIMIT 1000",
            link=EXPLORER,
            empty=BOOKED,
        ),
        "SELECT greatest(dateDiff('second', max(booked_until), $__toTime), 0) AS behind_seconds,"
        f" ({owned}) AS {CLOSURE_ERROR.name}, count() AS hours,"
        f" (SELECT uniqExact(hour) FROM v_ledger_adjust WHERE {HOURS}) AS restated\n"
        f"FROM v_booked_hours WHERE {HOURS}\nHAVING count() > 0",
        Column("behind_seconds", "behind", SECOND),
        measured(CLOSURE_ERROR, "worst hour off by"),
        Column("hours", "hours booked", COUNT),
        Column("restated", "hours restated", COUNT),
        width=12,
    )


def _unknown() -> Panel:
    states = tuple(s for s in STATES if s.name in UNKNOWN)
    return area(
        Text(
            "GPUs that nobody saw",
            "Mean GPUs at each time of which the book cannot say what they did, or for whom.",
            "A block that begins at once: a node's agent stopped, or its way here.",
            link=NODE,
            empty=BOOKED,
        ),
        mean_gpus(states, PLACE),
        *map(coloured, states),
        width=12,
    )


def _closure() -> Panel:
    return lines(
        Text(
            "Closure of the book",
            "By how much the worst hour of each point is off from the time owned in it. Zero: every"
            " GPU-second is in exactly one state. Whole fleet.",
            "Above zero: `gpuledger ledger` prints the hour; alerts/runbooks/ledger_not_closed.md.",
            link=EXPLORER,
            empty=BOOKED,
        ),
        f"SELECT $__timeInterval(hour) AS time, {picked(CLOSURE_ERROR)}\n"
        f"FROM ({closure('$__timeFilter(hour)')})\nGROUP BY time ORDER BY time",
        measured(CLOSURE_ERROR, "off by"),
        width=12,
    )


def _sources() -> Panel:
    return table(
        Text(
            "Sources",
            f"Each source of the agents in the last {HEARD_HOURS} hours of this range: nodes that"
            " read it, readings, share that failed, time that one takes (mean and longest), last"
            " heard, and why the last failed.",
            "One that fails: its row in docs/sources.md says what it needs.",
            f"SELECT * FROM v_source_runs WHERE {LAST_HEARD} ORDER BY ts LIMIT 1000",
            link=NODE,
            empty=f"no agent told of its sources in the last {HEARD_HOURS} hours of this range",
        ),
        f"SELECT source, cluster, uniqExact(node) AS nodes, {picked(READINGS, FAILED_READINGS)},"
        f" {picked(FAILED_SHARE)}, avg(duration_seconds) AS duration_seconds,"
        " max(duration_seconds_max) AS duration_seconds_max, max(ts) AS heard,"
        " argMaxIf(reason, ts, reason != '') AS reason\n"
        f"FROM v_source_runs WHERE {LAST_HEARD} AND {on_pools()}\n"
        f"GROUP BY source, cluster ORDER BY {FAILED_SHARE.name} DESC, source, cluster LIMIT {ROWS}",
        measured(READINGS),
        measured(FAILED_READINGS, "failed"),
        measured(FAILED_SHARE, "share failed"),
        told(SourceRun.table, "duration_seconds", "takes"),
        told(SourceRun.table, "duration_seconds_max", "longest"),
        Column("heard", "last heard"),
        Column("reason", "why the last failed"),
        width=24,
        height=7,
    )


def _silent() -> Panel:
    owned = (
        "SELECT cluster, node, count() AS gpus FROM v_assets WHERE valid_from <= $__toTime"
        f" AND valid_to > $__toTime AND {chosen(PLACE)} GROUP BY cluster, node"
    )
    heard = (
        "SELECT cluster, node, max(ts) AS heard FROM v_source_runs"
        f" WHERE {LAST_HEARD} GROUP BY cluster, node"
    )
    return table(
        Text(
            "Nodes by how long they are silent",
            "Nodes with GPUs, the longest silent first: last word of the agent in the last"
            f" {HEARD_HOURS} hours of this range, and how long before its end that was. A dash:"
            " none.",
            "Restart the agent there; alerts/runbooks/telemetry_stale.md says how to look.",
            link=NODE,
            empty="no node is on the asset list",
        ),
        "SELECT o.node AS node, o.cluster AS cluster, o.gpus AS gpus,"
        " if(h.heard < $__fromTime, NULL, h.heard) AS heard,"
        " dateDiff('second', heard, $__toTime) AS silent_seconds\n"
        f"FROM ({owned}) AS o\nLEFT JOIN ({heard}) AS h"
        " ON h.cluster = o.cluster AND h.node = o.node\n"
        f"ORDER BY heard ASC NULLS FIRST, cluster, node LIMIT {SILENT}",
        NODE_COLUMN,
        Column("gpus", "GPUs"),
        Column("heard", "last heard"),
        Column("silent_seconds", "silent for", SECOND),
        width=12,
    )


def _delays() -> Panel:
    names = ("oldest_waiting_seconds", "waiting_entries")
    return lines(
        Text(
            "Delay of delivery",
            "Age of the oldest batch that waits in any agent's spool, and the mean over agents.",
            "It climbs: the way to the service or the database is slow; see docs/relay.md.",
            link=NODE,
            empty="no agent told of its spool in this range",
        ),
        f"SELECT $__timeInterval(at) AS time, max({names[0]}) AS worst, avg({names[0]}) AS mean\n"
        f"{samples(AgentSample.table, *names)}\n"
        f"WHERE {on_pools()} AND {names[0]} IS NOT NULL\nGROUP BY time ORDER BY time",
        told(AgentSample.table, names[0], "oldest", "worst"),
        told(AgentSample.table, names[0], "mean over agents", "mean"),
        width=12,
        interval=FINE,
    )


def _agents() -> Panel:
    cost = grown(AgentSample.table, "cpu_seconds", keep=("memory_bytes",), where=on_pools())
    return table(
        Text(
            "What the agents cost",
            "Processor (share of one) and memory of the agents, the most expensive first.",
            "Far above the others: `gpuledger doctor` on that node.",
            link=NODE,
            empty="no agent told of its own cost in this range",
        ),
        "SELECT node, cluster, sum(cpu_seconds) / nullIf(sum(lasted), 0) AS processor_ratio,"
        f" max(memory_bytes) AS memory_bytes\n{cost}\n"
        f"GROUP BY cluster, node ORDER BY processor_ratio DESC, cluster, node LIMIT {ROWS}",
        NODE_COLUMN,
        Column("processor_ratio", "processor", RATIO),
        told(AgentSample.table, "memory_bytes", "memory"),
        width=8,
    )


def _lost() -> Panel:
    names = ("dropped_rows", "rejected_rows")
    lost = grown(SpoolLoss.table, *names, where=on_pools())
    return table(
        Text(
            "Rows lost or refused",
            "Rows that agents let go for lack of room or for their age, and rows that the store"
            " refused for good, in this range.",
            "Dropped: a larger spool or a shorter outage. Refused: an agent newer than the store.",
            link=NODE,
            empty="no agent lost a row, and the store refused none",
        ),
        f"SELECT node, cluster, of AS told_for, sum({names[0]}) AS {names[0]},"
        f" sum({names[1]}) AS {names[1]}\n{lost}\nGROUP BY cluster, node, told_for\n"
        f"HAVING ifNull({names[0]}, 0) + ifNull({names[1]}, 0) > 0\n"
        f"ORDER BY {names[0]} DESC, {names[1]} DESC, cluster, node, told_for LIMIT {ROWS}",
        NODE_COLUMN,
        Column("told_for", "rows of"),
        told(SpoolLoss.table, names[0], "dropped"),
        told(SpoolLoss.table, names[1], "refused"),
        width=8,
    )


def _aside() -> Panel:
    return table(
        Text(
            "Kept aside",
            "Rows whose times cannot be right: how many, for which table, from where, and what is"
            " wrong with them.",
            "Set the clock of that node; alerts/runbooks/quarantine_growing.md.",
            link=NODE,
            empty="no rows came with times that cannot be right",
        ),
        f"SELECT of AS told_for, node, cluster, reason, {picked(ROWS_ASIDE)},"
        " max(ts) AS last_seen\n"
        f"FROM v_quarantine WHERE $__timeFilter(ts) AND {on_pools()}\n"
        "GROUP BY told_for, node, cluster, reason"
        f" ORDER BY {ROWS_ASIDE.name} DESC, cluster, node, told_for, reason LIMIT {ROWS}",
        Column("told_for", "rows of"),
        NODE_COLUMN,
        measured(ROWS_ASIDE, "rows"),
        Column("last_seen", "last"),
        width=8,
    )


def _missing() -> Panel:
    return table(
        Text(
            "Readings without a value",
            "What sources cannot read now, on how many nodes, and why.",
            "Denied: give the agent the right. Unsupported: the hardware has it not.",
            link=NODE,
            empty="every source reads all that it should",
        ),
        "SELECT source, reading, reason, uniqExact(cluster, node) AS nodes,"
        " argMax(detail, seen_at) AS detail\n"
        f"FROM v_missing_values WHERE reason != '' AND seen_at <= $__toTime AND {on_pools()}\n"
        "GROUP BY source, reading, reason"
        f" ORDER BY nodes DESC, source, reading, reason LIMIT {ROWS}",
        told(MissingValue.table, "reason", "why"),
        Column("nodes", "nodes"),
        Column("detail", "in its words"),
        width=12,
    )


def _odd() -> Panel:
    held = (
        "SELECT 'GPUs given away more than once at a time' AS what,"
        " uniqExact(gpu_id) AS many, any(concat(node, ' job ', job_id)) AS example"
        f" FROM v_occupancy WHERE $__timeFilter(valid_from) AND whole_milli > {WHOLE}"
        f" AND {chosen(('cluster',))}"
    )
    open_ = (
        "SELECT 'allocations without an end whose job has ended' AS what, count() AS many,"
        " any(job_id) AS example FROM (SELECT job_id FROM v_allocations WHERE valid_to > $__toTime"
        f" AND valid_from <= $__toTime AND {chosen(('cluster',))}) WHERE job_id IN"
        " (SELECT job_id FROM v_jobs WHERE ended < $__toTime - INTERVAL 1 HOUR)"
    )
    strange = (
        "SELECT 'GPUs that report and are on no asset list' AS what, uniqExact(gpu_id) AS many,"
        " any(concat(node, ' GPU ', toString(slot))) AS example FROM v_gpus WHERE parent = ''"
        f" AND gpu_id NOT IN (SELECT gpu_id FROM v_assets) AND {chosen(('cluster',))}"
    )
    clocks = (
        "SELECT 'nodes whose clock nothing sets' AS what, uniqExact(cluster, node) AS many,"
        " any(node) AS example FROM (SELECT cluster, node,"
        " argMax(clock_synchronized, ts) AS kept FROM v_host_samples_1h"
        f" WHERE $__timeFilter(ts) AND {on_pools()} GROUP BY cluster, node) WHERE kept = 0"
    )
    return table(
        Text(
            "What is odd",
            "Things over which the book closes although they are odd, with an example.",
            "`gpuledger doctor` names all of them and says what to do.",
            link=EXPLORER,
            empty="nothing odd was seen in this range",
        ),
        f"SELECT * FROM (\n{held}\nUNION ALL {open_}\nUNION ALL {strange}\nUNION ALL {clocks})\n"
        "WHERE many > 0 ORDER BY many DESC, what",
        Column("many", "how many"),
        width=12,
    )


board = Board(
    uid=UID,
    title="gpuledger: collection",
    help="Whether what the boards say rests on enough, and what is wrong with our own parts.",
    variables=COMMON,
    kept=("team",),
    panels=(
        _cover(),
        _booking(),
        _unknown(),
        _closure(),
        _sources(),
        _silent(),
        _delays(),
        _agents(),
        _lost(),
        _aside(),
        _missing(),
        _odd(),
    ),
    marks=(Marks("changes", changes(), "purple"),),
)
