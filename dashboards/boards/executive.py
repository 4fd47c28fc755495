"""The executive board: four success metrics, the book, what could be won back, and from whom."""

from __future__ import annotations

from dashboards.ask import (
    OWNER,
    PLACE,
    accounts,
    book,
    changes,
    chosen,
    picked,
    point,
    worst_jobs,
)
from dashboards.choices import COMMON, board_link
from dashboards.panel import Board, Panel, area, bars, lines, stat, table
from dashboards.parts import CURRENCY_SQL, mean_gpus, on_chosen_pools, proposals
from dashboards.words import Column, Marks, Text, coloured, measured
from gpuledger.measures import (
    ACTIVITY,
    ALLOCATION,
    AVAILABILITY,
    CASH_AVOIDABLE,
    GPU_HOURS,
    GRADE,
    JOBS_STARTED,
    LOOSE_HOURS,
    LOOSE_VALUE,
    RECOVERABLE_HOURS,
    REQUEST_SIZES,
    RESOLVE_MEDIAN,
    SLACK_HOURS,
    THEIRS,
    UNKNOWN_SHARE,
    UTILIZATION,
    WAIT_MEDIAN,
    WAIT_P90,
)
from gpuledger.states import STATES, in_list
from gpuledger.units import RATIO
from gpuledger.view_measures import PAGE_RATE, paging
from gpuledger.views import startable_sql

UID = "gpuledger-executive"
TOP = 10
NOT_BOOKED = "nothing was booked in this range for what is chosen above"
NO_STARTS = "no GPU job started in this range for what is chosen above"
# Where a click on a name leads.
OPENS = {"team": "gpuledger-explorer", "user": "gpuledger-idle", "job": "gpuledger-job"}
WASTED = in_list(tuple(s.name for s in STATES if s.recoverable))
WASTE = (LOOSE_HOURS, LOOSE_VALUE, CASH_AVOIDABLE)
MONEY = (
    measured(LOOSE_HOURS, "GPU-hours"),
    measured(LOOSE_VALUE, "worth"),
    measured(CASH_AVOIDABLE, "cash avoidable"),
)


def _availability() -> Panel:
    sizes = ", ".join(f"startable_{n} AS `{n} GPU{'s' if n > 1 else ''}`" for n in REQUEST_SIZES)
    inner = startable_sql("$__timeFilter(minute)", chosen(PLACE)).strip()
    return stat(
        Text(
            "GPU availability",
            "Share of time in which a request of that size on one node could start at once.",
            "The map on the fragmentation board shows where the free GPUs are.",
            "SELECT * FROM v_free_nodes WHERE $__timeFilter(minute) ORDER BY minute LIMIT 1000",
            link=board_link("gpuledger-fragmentation"),
            empty="no minute of this range was booked yet",
        ),
        f"SELECT {sizes} FROM (\n{inner}\n) WHERE minutes > 0",
        *(
            Column(name, name, RATIO)
            for name in (f"{n} GPU{'s' if n > 1 else ''}" for n in REQUEST_SIZES)
        ),
        width=6,
    )


def _utilization() -> Panel:
    shown = (UTILIZATION, ACTIVITY, UNKNOWN_SHARE, GRADE)
    return stat(
        Text(
            "Resource utilization",
            "Productive share of owned GPU-seconds; activity is the share of known occupied time"
            " that did work. The grade is the lowest evidence behind it (A best, D worst).",
            "The explorer shows where the rest went: by state, pool, team and job.",
            "SELECT * FROM v_book_1h WHERE $__timeFilter(hour) ORDER BY hour LIMIT 1000",
            link=board_link("gpuledger-explorer"),
            empty=NOT_BOOKED,
        ),
        f"SELECT {picked(*shown)}\n{book()}\nHAVING count() > 0",
        *map(measured, shown),
        width=6,
    )


def _execution() -> Panel:
    shown = (WAIT_MEDIAN, WAIT_P90, JOBS_STARTED)
    return stat(
        Text(
            "Workload execution",
            "Time from eligible to started of the GPU jobs that started.",
            "The queue board says why each job waits.",
            "SELECT * FROM v_queue_waits WHERE $__timeFilter(started) LIMIT 1000",
            link=board_link("gpuledger-queue"),
            empty=NO_STARTS,
        ),
        f"SELECT {picked(*shown)}\n{_waits()}\nHAVING count() > 0",
        measured(WAIT_MEDIAN, "wait, median"),
        measured(WAIT_P90, "wait, 90 %"),
        measured(JOBS_STARTED),
        width=6,
    )


def _overhead() -> Panel:
    resolve = (
        f"SELECT {RESOLVE_MEDIAN.sql} FROM v_alert_states"
        " WHERE state = 'resolved' AND fired <= resolved AND $__timeFilter(resolved)"
    )
    paged = paging("$__timeFilter(ts)", "$__timeFilter(hour)", "$__toTime")
    return stat(
        Text(
            "Management overhead",
            "Pages per 1,000 GPU-hours owned and the median time until they resolved; whole fleet,"
            " whatever is chosen above. A dash: nobody was ever told of an alert.",
            "Read the runbook of the rule that pages most.",
            "SELECT * FROM v_notifications WHERE $__timeFilter(ts) ORDER BY ts LIMIT 1000",
            link=board_link("gpuledger-health"),
            empty=NOT_BOOKED,
        ),
        f"SELECT {picked(PAGE_RATE)}, ({resolve}) AS {RESOLVE_MEDIAN.name}\nFROM ({paged})\n"
        "HAVING any(owned_seconds) > 0",
        measured(PAGE_RATE, "pages per 1,000 GPU-hours"),
        measured(RESOLVE_MEDIAN, "time to resolve, median"),
        width=6,
    )


def _ledger() -> Panel:
    return area(
        Text(
            "The book: every GPU in exactly one state",
            "Mean GPUs in each state; the states add up to the GPUs owned.",
            "The explorer goes from here to a team, a job and a GPU.",
            "SELECT * FROM v_book_1h WHERE $__timeFilter(hour) ORDER BY hour LIMIT 1000",
            link=board_link("gpuledger-explorer"),
            empty=NOT_BOOKED,
        ),
        mean_gpus(STATES, OWNER),
        *map(coloured, STATES),
        width=16,
    )


def _recoverable() -> Panel:
    return stat(
        Text(
            "Recoverable GPU-hours",
            "What waiting jobs could have used of idle, stalled, stranded, wanted and underused"
            " (counts half) GPUs; slack is the rest of them, for which nobody waited. Worth of the"
            " hours and cash avoidable are two views of all of it: never add them.",
            "The idle board names who can act, and how.",
            f"SELECT * FROM v_book_1h WHERE $__timeFilter(hour) AND state IN {WASTED}"
            " ORDER BY hour LIMIT 1000",
            link=board_link("gpuledger-idle"),
            empty=NOT_BOOKED,
        ),
        f"SELECT {picked(RECOVERABLE_HOURS, SLACK_HOURS, *WASTE[1:])},"
        f" {CURRENCY_SQL} AS currency, {picked(GRADE)}\n{book()}\nHAVING count() > 0",
        measured(RECOVERABLE_HOURS, "recoverable GPU-hours"),
        measured(SLACK_HOURS, "slack GPU-hours"),
        *MONEY[1:],
        measured(GRADE),
        width=8,
        height=10,
    )


def _trend() -> Panel:
    shown = (UTILIZATION, ALLOCATION, AVAILABILITY)
    return lines(
        Text(
            "Utilization, allocation and healthy hardware over time",
            "Productive share of owned time, occupied share of available time, healthy share of"
            " owned time.",
            "Compare the weeks before and after a change; the health board shows what was lost.",
            link=board_link("gpuledger-health"),
            empty=NOT_BOOKED,
        ),
        f"SELECT {point('at')} AS time, {picked(*shown)}\n{accounts()}\n"
        "GROUP BY time ORDER BY time",
        *(measured(m) for m in shown),
        width=12,
    )


def _queue() -> Panel:
    shown = (WAIT_MEDIAN, WAIT_P90)
    return bars(
        Text(
            "Queue wait by size class",
            "Time from eligible to started of the GPU jobs that started.",
            "Long waits beside free GPUs are a placement problem: see what fits, and the moves.",
            "SELECT * FROM v_queue_waits WHERE $__timeFilter(started) LIMIT 1000",
            link=board_link("gpuledger-fragmentation"),
            empty=NO_STARTS,
        ),
        f"SELECT size_class, {picked(*shown)}\n{_waits()}\nGROUP BY size_class ORDER BY min(gpus)",
        measured(WAIT_MEDIAN, "median"),
        measured(WAIT_P90, "90 %"),
        width=12,
    )


def _waits() -> str:
    return (
        f"FROM v_queue_waits WHERE $__timeFilter(started) AND {chosen(('cluster', 'team'))}"
        f" AND {on_chosen_pools('job')}"
    )


def _waste(by: str, *more: str, next: str, width: int) -> Panel:
    """Top waste by one column of the book; `more` are columns that go with it."""
    keys = ", ".join((by, *more))
    few = f" AND {worst_jobs(LOOSE_HOURS, TOP)}" if by == "job" else ""
    return table(
        Text(
            f"Top waste by {by}",
            f"GPU-hours that could be won back from each {by}, and the share of its time at work.",
            next,
            link=board_link("gpuledger-idle"),
            empty="no job held an idle, stalled or underused GPU in this range",
        ),
        f"SELECT {keys}, {picked(*WASTE)}, {CURRENCY_SQL} AS currency,"
        f" {picked(GPU_HOURS, ACTIVITY, GRADE)}\n{book()} AND {by} != '' AND {THEIRS}{few}\n"
        f"GROUP BY {keys} HAVING {LOOSE_HOURS.name} > 0\n"
        f"ORDER BY {LOOSE_HOURS.name} DESC, {keys} LIMIT {TOP}",
        Column(by, by, link=board_link(OPENS[by], **{by: by})),
        *MONEY,
        measured(GPU_HOURS, "GPU-hours in all"),
        measured(ACTIVITY),
        width=width,
    )


def _actions() -> Panel:
    return proposals(
        Text(
            "What to do next",
            "Open recommendations by the GPU-hours that they are expected to free, and the interval"
            " in which these lie (empty where it is not known); printed, never carried out.",
            "`gpuledger recommend show ID` says what it rests on.",
            "SELECT * FROM v_recommendations ORDER BY gain_gpu_hours DESC LIMIT 1000",
            link=board_link("gpuledger-idle"),
            empty="nothing is recommended now for what is chosen above",
        ),
        most=TOP,
    )


board = Board(
    uid=UID,
    title="gpuledger: executive",
    help="What the GPUs did, what it was worth, what could be won back, and who can act.",
    variables=COMMON,
    kept=("team",),
    panels=(
        _availability(),
        _utilization(),
        _execution(),
        _overhead(),
        _ledger(),
        _recoverable(),
        _trend(),
        _queue(),
        _waste(
            "team",
            next="Click a team to see its users and jobs; the idle board has the fixes.",
            width=12,
        ),
        _waste(
            "user", "team", next="Click a user to see what they hold, why, and the fix.", width=12
        ),
        _waste(
            "job",
            "job_name",
            "user",
            "team",
            next="Click a job to see what its GPUs did.",
            width=24,
        ),
        _actions(),
    ),
    marks=(Marks("changes", changes(), "purple"),),
)
