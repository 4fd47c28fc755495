"""Queue and fairness: who waits, how long and why, and who runs on what is another's."""

from __future__ import annotations

from dashboards.ask import PLACE, book, changes, chosen, picked
from dashboards.choices import COMMON, JOB, USER, board_link
from dashboards.panel import Board, Panel, bars, lines, stat, table
from dashboards.parts import (
    FOREVER,
    findings,
    for_chosen_pools,
    on_chosen_pools,
    proposals,
)
from dashboards.words import Column, Marks, Text, measured
from gpuledger.measures import (
    JOBS_STARTED,
    OCCUPIED_HOURS,
    WAIT_MEDIAN,
    WAIT_P90,
    WAIT_P99,
)
from gpuledger.states import in_list
from gpuledger.units import RATIO, SECOND
from gpuledger.view_measures import (
    REFUSED_HOURS,
    UNMET_HOURS,
    WAITED_HOURS,
    WAITING_GPUS,
    WAITING_JOBS,
)
from gpuledger.waits import CAPACITY_REASONS, QUOTA_SQL

UID = "gpuledger-queue"
WHO = ("cluster", "team", "user")
ROWS, TEAMS = 30, 12
NOBODY_STARTED = "no GPU job started in this range for what is chosen above"
WAITS = (WAIT_MEDIAN, WAIT_P90, WAIT_P99)
SHOWN = (
    measured(WAIT_MEDIAN, "half under"),
    measured(WAIT_P90, "90 % under"),
    measured(WAIT_P99, "99 % under"),
)
JOB_LINK = board_link("gpuledger-job", job="job", cluster="cluster")
STARTED = (
    f"FROM v_queue_waits WHERE $__timeFilter(started) AND {chosen((*WHO, 'job'))}"
    f" AND {on_chosen_pools('job')}"
)
FOR_GPUS = f"reason IN {in_list(tuple(sorted(CAPACITY_REASONS)))}"
# What a wait is for, as people ask; the scheduler's own word stands beside it.
WAITS_FOR = (
    f"multiIf({FOR_GPUS}, 'free GPUs', {QUOTA_SQL}, 'quota of the team',"
    " startsWith(reason, 'Dependency'), 'another job',"
    " startsWith(reason, 'QOSMax') OR startsWith(reason, 'AssocMax'), 'limit of the user',"
    " startsWith(reason, 'BeginTime'), 'its begin time',"
    " startsWith(reason, 'JobHeld'), 'release of a hold', 'something else')"
)
SINCE = f"if(eligible < {FOREVER}, eligible, submitted)"
WAITING = (
    "FROM (SELECT *, job_id AS job FROM v_jobs WHERE state = 'pending' AND gpus_per_node > 0)\n"
    f"WHERE {chosen((*WHO, 'job'))} AND {for_chosen_pools('pool')}"
)
NOBODY_WAITS = "no GPU job waits now for what is chosen above"
# Jobs as they stand: what they use, and what they wait for.
COVERED = "q.team IN ('', j.team) AND q.queue IN ('', j.pool)"
HAS = f"started < {FOREVER} AND ended = {FOREVER}"


def _waits() -> Panel:
    return stat(
        Text(
            "Wait of the jobs that started",
            "Time from eligible to started: half, 90 % and 99 % of the jobs waited less.",
            "Long waits beside free GPUs are a placement problem: the fragmentation board.",
            "SELECT * FROM v_queue_waits WHERE $__timeFilter(started) LIMIT 1000",
            link=board_link("gpuledger-fragmentation"),
            empty=NOBODY_STARTED,
        ),
        f"SELECT {picked(*WAITS, JOBS_STARTED)}\n{STARTED}\nHAVING count() > 0",
        *SHOWN,
        measured(JOBS_STARTED),
        width=12,
    )


def _now() -> Panel:
    return stat(
        Text(
            "Waiting now",
            "Jobs that wait, the GPUs they ask for, how many of these nothing but free GPUs"
            " would start, and the longest wait among them.",
            "The list below says why each waits.",
            link=board_link("gpuledger-fragmentation"),
            empty=NOBODY_WAITS,
        ),
        f"SELECT {picked(WAITING_JOBS, WAITING_GPUS)},"
        f" sumIf(toUInt64(nodes) * gpus_per_node * share_milli, {FOR_GPUS}) / 1000"
        f" AS for_gpus,\n  max(dateDiff('second', {SINCE}, seen_at)) AS longest_seconds\n"
        f"{WAITING}\nHAVING count() > 0",
        measured(WAITING_JOBS, "jobs"),
        measured(WAITING_GPUS, "GPUs asked for"),
        Column("for_gpus", "wait for free GPUs alone"),
        Column("longest_seconds", "longest wait", SECOND),
        width=12,
    )


def _list() -> Panel:
    gpus = "toUInt64(nodes) * gpus_per_node * share_milli / 1000"
    return table(
        Text(
            "Why does my job wait?",
            "Jobs that wait now, the longest wait first: what each waits for, and the word of its"
            " scheduler.",
            "Free GPUs: see what fits on the fragmentation board. Quota: the pairs below.",
            "SELECT * FROM v_jobs WHERE state = 'pending' ORDER BY submitted LIMIT 1000",
            link=board_link("gpuledger-fragmentation"),
            empty=NOBODY_WAITS,
        ),
        f"SELECT job, name, user, team, pool AS partition, {gpus} AS gpus,"
        f" {WAITS_FOR} AS waits_for, reason,\n"
        f"  dateDiff('second', {SINCE}, seen_at) AS waited_seconds, priority, cluster\n"
        f"{WAITING}\nORDER BY waited_seconds DESC, job LIMIT {ROWS}",
        Column("job", "job", link=JOB_LINK),
        Column("user", "user", link=board_link(UID, user="user")),
        Column("team", "team", link=board_link(UID, team="team")),
        Column("gpus", "GPUs"),
        Column("waits_for", "waits for"),
        Column("waited_seconds", "waited", SECOND),
        width=24,
    )


def _sizes() -> Panel:
    return bars(
        Text(
            "Wait by size class",
            "Time from eligible to started by the GPUs that a job asked for.",
            "Large jobs alone waiting long: keep whole nodes free, see the fragmentation board.",
            link=board_link("gpuledger-fragmentation"),
            empty=NOBODY_STARTED,
        ),
        f"SELECT size_class, {picked(*WAITS)}\n{STARTED}\nGROUP BY size_class ORDER BY min(gpus)",
        *SHOWN,
        width=12,
    )


def _trend() -> Panel:
    return lines(
        Text(
            "Is waiting getting better?",
            "The wait that 90 % of the jobs stayed under, each day by size class.",
            "Compare with the marks: what was changed, and when.",
            link=board_link("gpuledger-executive"),
            empty=NOBODY_STARTED,
        ),
        "SELECT toStartOfDay(toDateTime(started)) AS time, toString(size_class) AS size,"
        f" {picked(WAIT_P90)}\n{STARTED}\nGROUP BY time, size ORDER BY time, size",
        measured(WAIT_P90),
        width=12,
    )


def _demand() -> Panel:
    per_hour = ", ".join(
        f"{m.sql} * 3600 / $__interval_s AS {m.name}" for m in (UNMET_HOURS, REFUSED_HOURS)
    )
    return lines(
        Text(
            "GPUs that jobs waited for",
            "Mean GPUs wanted by jobs that nothing but free GPUs held up, and by jobs that a quota"
            " refused, whatever team, user or job is chosen above.",
            "Always above 0: more GPUs, or fewer idle ones; the idle board says whose.",
            link=board_link("gpuledger-idle"),
            empty="no job waited for GPUs in this range",
        ),
        f"SELECT $__timeInterval(minute) AS time, {per_hour}\nFROM v_demand_1m\n"
        f"WHERE $__timeFilter(minute) AND {chosen(('cluster', 'pool'))}\n"
        "GROUP BY time ORDER BY time WITH FILL STEP toIntervalSecond($__interval_s)",
        Column(UNMET_HOURS.name, "for free GPUs"),
        Column(REFUSED_HOURS.name, "for a quota"),
        width=12,
    )


def _shares() -> Panel:
    used = f"SELECT team, {picked(OCCUPIED_HOURS)}\n  {book(PLACE)} AND team != '' GROUP BY team"
    promised = (
        "SELECT team, sum(guaranteed_milli) / 1000 AS gpus FROM v_quotas"
        f" WHERE team != '' AND {chosen(('cluster',))} GROUP BY team"
    )
    return bars(
        Text(
            "Fair share: used against promised",
            "Share that each team had of the GPU-hours that all teams occupied there, and its share"
            " of all guarantees where quotas are told (these are of clusters, not of pools),"
            " whatever user or job is chosen above.",
            "A team far over its promise borrows: see the pairs below.",
            link=board_link("gpuledger-explorer"),
            empty="no team had GPUs in this range",
        ),
        "SELECT team, used_ratio, promised_ratio FROM (\n"
        f"  SELECT toString(if(u.team = '', q.team, u.team)) AS team,"
        f" {OCCUPIED_HOURS.name} AS hours,\n"
        "    ifNotFinite(hours / sum(hours) OVER (), NULL) AS used_ratio,\n"
        "    ifNotFinite(q.gpus / sum(q.gpus) OVER (), NULL) AS promised_ratio\n"
        f"  FROM ({used}) AS u FULL JOIN ({promised}) AS q ON q.team = u.team)\n"
        f"WHERE {chosen(('team',))}\nORDER BY hours DESC, team LIMIT {TEAMS}",
        Column("used_ratio", "share of use", RATIO),
        Column("promised_ratio", "share of guarantees", RATIO),
        width=12,
    )


def _teams() -> Panel:
    return table(
        Text(
            "Wait by team",
            "The same waits by team: does one wait far longer than the others?",
            "Click a team, then read why its jobs wait.",
            link=board_link("gpuledger-explorer"),
            empty=NOBODY_STARTED,
        ),
        f"SELECT team, {picked(WAITED_HOURS, *WAITS, JOBS_STARTED)}\n"
        f"{STARTED}\nGROUP BY team ORDER BY {WAITED_HOURS.name} DESC, team LIMIT {ROWS}",
        Column("team", "team", link=board_link(UID, team="team")),
        measured(WAITED_HOURS, "GPU-hours waited"),
        *SHOWN,
        measured(JOBS_STARTED, "jobs"),
        width=12,
    )


def _longest() -> Panel:
    return table(
        Text(
            "Longest waits of jobs that started",
            "Jobs that started in this range after the longest wait.",
            "Open one: what it asked for says what it waited for.",
            link=board_link("gpuledger-job"),
            empty=NOBODY_STARTED,
        ),
        "SELECT job, user, team, pool AS partition, gpus, wait_seconds, started, cluster\n"
        f"{STARTED} AND wait_seconds > 0\nORDER BY wait_seconds DESC, job LIMIT {ROWS}",
        Column("job", "job", link=JOB_LINK),
        Column("user", "user", link=board_link(UID, user="user")),
        Column("gpus", "GPUs"),
        Column("wait_seconds", "waited", SECOND),
        width=12,
    )


def _quotas() -> Panel:
    jobs = (
        "SELECT cluster, toString(team) AS team, toString(pool) AS pool,"
        f" sumIf(milli, {HAS}) / 1000 AS used, sumIf(milli, state = 'pending') / 1000 AS waiting\n"
        "  FROM (SELECT *, toUInt64(nodes) * gpus_per_node * share_milli AS milli FROM v_jobs"
        f" WHERE gpus_per_node > 0 AND ended = {FOREVER})\n  GROUP BY cluster, team, pool"
    )
    return table(
        Text(
            "Quota: promised, used, lent and borrowed now",
            "GPUs guaranteed to each team or queue, in use and waited for now; lent is what others"
            " could take meanwhile, borrowed what it runs beyond its guarantee; whatever pool, user"
            " or job is chosen above.",
            "Waiting and lent at once: its guarantee is not given back; see the pairs.",
            "SELECT * FROM v_quotas LIMIT 1000",
            link=board_link("gpuledger-explorer"),
            empty="no scheduler told a quota: without one nothing is lent or borrowed",
        ),
        "SELECT q.team AS team, q.queue AS queue, q.guaranteed AS guaranteed, q.most AS most,\n"
        f"  sumIf(j.used, {COVERED}) AS used, sumIf(j.waiting, {COVERED}) AS waiting,\n"
        "  greatest(guaranteed - used, 0) AS lent,"
        " if(guaranteed > 0, greatest(used - guaranteed, 0), 0) AS borrowed,"
        " q.cluster AS cluster, q.scheduler AS scheduler\n"
        "FROM (SELECT cluster, scheduler, toString(team) AS team, toString(queue) AS queue,"
        " sum(guaranteed_milli) / 1000 AS guaranteed,"
        " nullIf(max(limit_milli), 0) / 1000 AS most\n"
        "  FROM v_quotas GROUP BY cluster, scheduler, team, queue) AS q\n"
        f"LEFT JOIN ({jobs}) AS j ON j.cluster = q.cluster\n"
        f"WHERE {chosen(('cluster', 'team'))}\n"
        "GROUP BY cluster, scheduler, team, queue, guaranteed, most\n"
        f"ORDER BY waiting DESC, borrowed DESC, cluster, team, queue LIMIT {ROWS}",
        Column("team", "team", link=board_link(UID, team="team")),
        Column("guaranteed", "guaranteed"),
        Column("most", "at most"),
        width=24,
        height=7,
    )


def _pairs() -> Panel:
    return table(
        Text(
            "Starved and borrowing: who waits for what another has",
            "Teams that wait far longer than usual, or for GPUs of their guarantee while another"
            " runs above its own, those of now first; whatever pool, user or job is chosen above.",
            "Agree on other quotas, or let the starved team take back what is its.",
            "SELECT * FROM v_findings WHERE kind IN ('queue_starvation', 'quota_borrowing')"
            " LIMIT 1000",
            link=board_link("gpuledger-explorer"),
            empty="no team waited unusually long, or for what another had, in this range",
        ),
        "SELECT team, if(open = 1, 'now', 'over') AS still, kind, gpus,"
        " dateDiff('second', since, until) AS lasts_seconds, summary AS what, action AS fix\n"
        f"{findings('queue_starvation', 'quota_borrowing', names=('cluster', 'team'))}\n"
        f"ORDER BY open DESC, gpus DESC, since, subject LIMIT {ROWS}",
        Column("team", "team", link=board_link(UID, team="team")),
        Column("gpus", "GPUs"),
        Column("lasts_seconds", "for", SECOND),
        width=24,
        height=6,
    )


def _actions() -> Panel:
    return proposals(
        Text(
            "What to do: quotas, lending, buying",
            "Open recommendations about quotas and capacity, the largest gain first; printed,"
            " never carried out.",
            "`gpuledger recommend show ID` says what each rests on; `gpuledger forecast` looks"
            " 28 days ahead.",
            link=board_link("gpuledger-executive"),
            empty="nothing is recommended about quotas or capacity now",
        ),
        "quota",
        "lend",
        "buy",
        more=("user", "job"),
        height=6,
    )


board = Board(
    uid=UID,
    title="gpuledger: queue and fairness",
    help="Who waits, how long and why; what was promised, used, lent and borrowed.",
    variables=(*COMMON, USER, JOB),
    panels=(
        _waits(),
        _now(),
        _list(),
        _sizes(),
        _trend(),
        _demand(),
        _shares(),
        _teams(),
        _longest(),
        _quotas(),
        _pairs(),
        _actions(),
    ),
    marks=(Marks("changes", changes(), "purple"),),
)
