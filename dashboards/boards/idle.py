"""Idle and underused: who holds GPUs that do too little, why, what it costs, and the fix."""

from __future__ import annotations

from dashboards.ask import OWNER, accounts, book, changes, chosen, picked
from dashboards.choices import COMMON, JOB, USER, board_link
from dashboards.panel import Board, Panel, area, bars, lines, stat, table
from dashboards.parts import (
    CURRENCY_SQL,
    LAST_MINUTE,
    OPEN,
    TOUCHED,
    findings,
    mean_gpus,
    proposals,
)
from dashboards.words import Column, Marks, Text, coloured, measured
from gpuledger.measures import (
    CASH_AVOIDABLE,
    GRADE,
    IDLE,
    IDLE_HOURS,
    IDLE_SHARE,
    LOOSE_HOURS,
    LOOSE_VALUE,
    THEIRS,
    UNDERUSED_HOURS,
)
from gpuledger.states import OCCUPIED, STATES, group_of, in_list
from gpuledger.units import CURRENCY, SECOND
from gpuledger.view_measures import EPISODES, FOUND_HOURS, FOUND_VALUE
from gpuledger.views import booked

UID = "gpuledger-idle"
WHO = (*OWNER, "user", "job")
ROWS, TEAMS = 20, 8
# Jobs that use too little of what they have; their owners can act.
HELD_STATES = tuple(s for s in STATES if s.recoverable and s.name in group_of(OCCUPIED))
HELD = f"state IN {in_list(tuple(s.name for s in HELD_STATES))} AND {THEIRS}"
# Detectors: of whole jobs that idle, and of those that use too little.
IDLE_KINDS = ("idle", "notebook", "partial_idle", "stalled")
UNDERUSED_KINDS = ("underused", "overprovisioned", "low_efficiency")
# A cause as people read it.
CAUSE = "if(cause = '', 'not known', replaceAll(toString(cause), '_', ' '))"
NOTHING = "nobody holds an idle GPU"
# A job's name where the book knows it.
NAMES = "SELECT job_id, name FROM v_jobs"
JOB_LINK = board_link("gpuledger-job", job="job", cluster="cluster")


def _held() -> Panel:
    shown = (IDLE_HOURS, UNDERUSED_HOURS, LOOSE_HOURS, LOOSE_VALUE, CASH_AVOIDABLE)
    return stat(
        Text(
            "Held, but idle or underused",
            "GPU-hours of jobs that did nothing or little, what of it could be won back"
            " (underused counts half) and its worth; never add worth and cash. What a fault held"
            " up is left out.",
            "The table of owners below says who can act, and how.",
            f"SELECT * FROM v_book_1h WHERE $__timeFilter(hour) AND {HELD}"
            " ORDER BY hour LIMIT 1000",
            link=board_link("gpuledger-explorer"),
            empty="no job held an idle or underused GPU in this range",
        ),
        f"SELECT {picked(*shown)}, {CURRENCY_SQL} AS currency, {picked(GRADE)}\n"
        f"{book(WHO)} AND {HELD}\nHAVING count() > 0",
        measured(IDLE_HOURS, "idle GPU-hours"),
        measured(UNDERUSED_HOURS, "underused GPU-hours"),
        measured(LOOSE_HOURS, "GPU-hours to win back"),
        measured(LOOSE_VALUE, "worth"),
        measured(CASH_AVOIDABLE, "cash avoidable"),
        measured(GRADE),
        width=16,
    )


def _now() -> Panel:
    columns = ", ".join(
        f"sumIf(gpu_seconds, state = '{s.name}') / 60 AS {s.name}" for s in HELD_STATES
    )
    at_once = f"valid_from <= {LAST_MINUTE} + INTERVAL 1 MINUTE AND valid_to >= {LAST_MINUTE}"
    cells = booked(f"(SELECT * FROM ledger_1m WHERE minute = {LAST_MINUTE})", "minute", at_once)
    return stat(
        Text(
            "In the last booked minute",
            "GPUs idle, stalled or underused, and the jobs that hold those idle.",
            "Ask their owners in the table below.",
            link=board_link("gpuledger-job"),
            empty="nothing is booked in this minute for what is chosen above",
        ),
        f"SELECT {columns},\n  uniqExactIf(job, state IN {in_list(IDLE)}) AS idle_jobs\n"
        f"FROM ({cells})\nWHERE {chosen(WHO)}\nHAVING count() > 0",
        *(Column(s.name, s.title, colour=s.colour) for s in HELD_STATES),
        Column("idle_jobs", "jobs with idle GPUs"),
        width=8,
    )


def _over_time() -> Panel:
    return area(
        Text(
            "GPUs held and not used over time",
            "Mean GPUs of jobs that were idle, stalled or underused.",
            "Nights and weekends in orange are jobs that nobody watches: see the notebooks below.",
            link=board_link("gpuledger-explorer"),
            empty="nothing was booked in this range for what is chosen above",
        ),
        mean_gpus(HELD_STATES, WHO),
        *map(coloured, HELD_STATES),
        width=12,
        height=8,
    )


def _shares() -> Panel:
    largest = (
        f"SELECT team {book(WHO)} AND team != '' GROUP BY team"
        f" ORDER BY sum(gpu_seconds) DESC, team LIMIT {TEAMS}"
    )
    return lines(
        Text(
            "Is it getting better? Idle share by team",
            f"Share of GPU time that idled or stalled each day, of the {TEAMS} largest teams.",
            "Compare with the marks: what was changed, and when.",
            link=board_link("gpuledger-executive"),
            empty="no team had GPUs in this range",
        ),
        "SELECT toStartOfDay(toDateTime(at)) AS time, toString(team) AS team,"
        f" {picked(IDLE_SHARE)}\n"
        f"{accounts(WHO)} AND {THEIRS} AND team IN ({largest})\n"
        "GROUP BY time, team ORDER BY time, team",
        measured(IDLE_SHARE),
        width=12,
    )


def _holders() -> Panel:
    # A notebook may be found as idle too: one row for each job, of the costliest.
    found = (
        f"SELECT f.*, j.name AS name {_found(*IDLE_KINDS, 'underused', where=OPEN)}\n"
        "ORDER BY gpu_seconds DESC, kind LIMIT 1 BY subject"
    )
    return table(
        Text(
            "Who holds them now",
            "Jobs that idle or use too little at this moment, the costliest first: since when,"
            " why, on which evidence, what it cost, and the fix.",
            "Write to the user with the fix, or open the job; `gpuledger findings` lists the same.",
            "SELECT * FROM v_findings WHERE open = 1 ORDER BY gpu_seconds DESC LIMIT 1000",
            link=board_link("gpuledger-job"),
            empty=f"{NOTHING} now",
        ),
        f"SELECT user, team, subject AS job, name, kind, {CAUSE} AS why, gpus,"
        " dateDiff('second', since, until) AS lasts_seconds, gpu_seconds / 3600 AS hours,\n"
        "  capacity_value AS worth, currency, grade, action AS fix, cluster\n"
        f"FROM ({found}) ORDER BY hours DESC, job LIMIT {ROWS}",
        Column("user", "user", link=board_link(UID, user="user")),
        Column("team", "team", link=board_link(UID, team="team")),
        Column("job", "job", link=JOB_LINK),
        Column("lasts_seconds", "for", SECOND),
        Column("gpus", "GPUs"),
        Column("hours", "GPU-hours"),
        Column("worth", "worth", CURRENCY),
        width=24,
        height=10,
    )


def _owners() -> Panel:
    shown = (LOOSE_HOURS, IDLE_HOURS, UNDERUSED_HOURS)
    causes = (
        "SELECT user, argMax(cause, hours) AS main_cause, argMax(action, hours) AS fix FROM (\n"
        "  SELECT user, cause, sum(gpu_seconds) AS hours, argMax(action, gpu_seconds) AS action\n"
        f"  {_found('idle', 'underused')} AND cause != '' GROUP BY user, cause) GROUP BY user"
    )
    held = (
        f"SELECT user, team, {picked(*shown, LOOSE_VALUE, CASH_AVOIDABLE)},"
        f" {CURRENCY_SQL} AS currency, {picked(GRADE)}\n{book(WHO)} AND {HELD}\n"
        "GROUP BY user, team"
    )
    return table(
        Text(
            "Owners over the whole range",
            "GPU-hours of each user that could be won back, what causes most of them, the lowest"
            " grade of evidence, the cost, and the fix.",
            "Begin with the first: click the user, then a job in the explorer.",
            link=board_link("gpuledger-explorer"),
            empty="no job held an idle or underused GPU in this range",
        ),
        f"SELECT h.user AS user, h.team AS team, {', '.join(m.name for m in shown)},"
        f" {LOOSE_VALUE.name}, {CASH_AVOIDABLE.name},\n  currency,"
        " replaceAll(main_cause, '_', ' ') AS why,"
        f" {GRADE.name}, fix\nFROM ({held}) AS h LEFT JOIN ({causes}) AS c ON c.user = h.user\n"
        f"ORDER BY {LOOSE_HOURS.name} DESC, user, team LIMIT {ROWS}",
        Column("user", "user", link=board_link("gpuledger-explorer", user="user")),
        Column("team", "team", link=board_link(UID, team="team")),
        measured(LOOSE_HOURS, "to win back"),
        measured(IDLE_HOURS, "idle"),
        measured(UNDERUSED_HOURS, "underused"),
        measured(LOOSE_VALUE, "worth"),
        measured(CASH_AVOIDABLE, "cash avoidable"),
        width=24,
        height=10,
    )


def _chronic() -> Panel:
    return table(
        Text(
            "Chronic: the same again and again",
            "Work of one name that was found idle on several days: how often, and what it cost.",
            "A habit is changed once: talk to the user, or give such jobs a time limit.",
            link=board_link("gpuledger-explorer"),
            empty="no work was found idle on more than one day of this range",
        ),
        "SELECT user, any(team) AS team, name, uniqExact(toDate(since)) AS days,"
        f" {picked(EPISODES, FOUND_HOURS, FOUND_VALUE)}, {CURRENCY_SQL} AS currency,"
        " replaceAll(topKIf(1)(cause, cause != '')[1], '_', ' ') AS why\n"
        f"FROM (SELECT f.*, j.name AS name {_found('idle')})\n"
        f"GROUP BY user, name HAVING days > 1"
        f" ORDER BY {FOUND_HOURS.name} DESC, user, name LIMIT {ROWS}",
        Column("user", "user", link=board_link("gpuledger-explorer", user="user")),
        measured(FOUND_HOURS, "GPU-hours"),
        measured(FOUND_VALUE, "worth"),
        measured(EPISODES, "times"),
        width=12,
    )


def _found(*kinds: str, where: str = TOUCHED) -> str:
    """FROM over findings of jobs with the name of the job, under the board's choices."""
    found = findings(*kinds, where=where, names=("cluster", "pool", "team", "user"))
    return (
        f"FROM (SELECT * {found}) AS f\n"
        f"LEFT JOIN ({NAMES}) AS j ON j.job_id = f.subject\n"
        "WHERE $__conditionalAll(subject IN (${job:singlequote}), $job)"
    )


def _causes() -> Panel:
    return bars(
        Text(
            "Why: GPU-hours by cause",
            "What idle and underused work was found to come from, in GPU-hours of the episodes"
            " that touch this range.",
            "The largest bar is the training to give, or the default to change.",
            link=board_link("gpuledger-explorer"),
            empty="nothing was found idle or underused in this range",
        ),
        f"SELECT concat(kind, ': ', {CAUSE}) AS why, {picked(FOUND_HOURS)}\n"
        f"{_found('idle', 'underused')}\nGROUP BY why ORDER BY {FOUND_HOURS.name} DESC, why"
        " LIMIT 10",
        measured(FOUND_HOURS, "GPU-hours"),
        width=12,
    )


def _list(kinds: tuple[str, ...], text: Text) -> Panel:
    """Findings of jobs, those that go on first, then the costliest."""
    return table(
        text,
        "SELECT user, subject AS job, name, if(open = 1, 'now', 'over') AS still, gpus,"
        " gpu_seconds / 3600 AS hours, capacity_value AS worth, currency, grade, action AS fix,"
        " cluster\n"
        f"{_found(*kinds)}\nORDER BY open DESC, hours DESC, job, since LIMIT {ROWS}",
        Column("user", "user", link=board_link(UID, user="user")),
        Column("job", "job", link=JOB_LINK),
        Column("gpus", "GPUs"),
        Column("hours", "GPU-hours"),
        Column("worth", "worth", CURRENCY),
        width=24,
    )


def _notebooks() -> Panel:
    said = Text(
        "Notebooks and sessions that hold GPUs",
        "Interactive sessions that kept GPU memory and computed nothing, those that still do"
        " first.",
        "Ask the user to end the session; the explorer shows what else they hold.",
        link=board_link("gpuledger-explorer"),
        empty="no notebook or session held a GPU without use in this range",
    )
    return _list(("notebook",), said)


def _partial() -> Panel:
    said = Text(
        "Jobs that use only some of their GPUs",
        "Some GPUs of the job idled, stalled or lagged while others worked.",
        "Open the job: a dead rank, or more GPUs asked for than the program takes.",
        link=board_link("gpuledger-job"),
        empty="every job that worked used all of its GPUs in this range",
    )
    return _list(("partial_idle", "stalled"), said)


def _underused() -> Panel:
    said = Text(
        "Underused: busy, but with little",
        "Jobs whose GPUs had little to do, or more GPUs than their work needs, and the fix.",
        "Send the fix with the job's page to its user.",
        link=board_link("gpuledger-job"),
        empty="no job was found underused in this range",
    )
    return _list(UNDERUSED_KINDS, said)


def _actions() -> Panel:
    return proposals(
        Text(
            "What to do: reclaim and right-size",
            "Open recommendations for idle and underused jobs; printed, never carried out.",
            "`gpuledger recommend show ID` says what each rests on; accept it there.",
            link=board_link("gpuledger-executive"),
            empty="nothing is recommended now for what is chosen above",
        ),
        "reclaim",
        "rightsize",
        more=("user", "job"),
    )


board = Board(
    uid=UID,
    title="gpuledger: idle and underused",
    help="Who holds GPUs that do nothing or little, why, what it costs, and what would end it.",
    variables=(*COMMON, USER, JOB),
    panels=(
        _held(),
        _now(),
        _over_time(),
        _shares(),
        _holders(),
        _owners(),
        _chronic(),
        _causes(),
        _notebooks(),
        _partial(),
        _underused(),
        _actions(),
    ),
    marks=(Marks("changes", changes(), "purple"),),
)
