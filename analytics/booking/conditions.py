"""Sustained conditions, told per run: the minutes of one GPU under one allocation, or between two.

A run is a row whose columns are arrays with one element per minute, without gaps. A condition that
comes true holds for every minute it rests on. What comes of it is packed into one word a minute.
"""

from __future__ import annotations

import re

from analytics.booking import seldom, words
from analytics.booking.intervals import MINUTE_MS
from analytics.booking.thresholds import PER_POOL, Thresholds
from analytics.booking.words import MILLIONTHS, NUMBER, Part
from gpuledger.measures import SIZE_CLASS
from gpuledger.states import LedgerSettings

# What a run's words say: yes or no …
BITS = (
    *("covered", "evidence", "active", "lost", "starting", "ending", "idle", "low", "stalled"),
    *("throttled", "occupied", "memory_held", "peer_at_fault"),
)
# … grade (A to D), fault (analytics.booking.health), intensity and power.
GRADE, FAULT = Part("w", len(BITS), 2), Part("w", len(BITS) + 2, 3)
INTENSITY, POWER = Part("w", 24, 16), Part("w", 40, 23)
GRADES = ("A", "B", "C", "D")
# Columns of one step, each computed from those of the steps before it: name and SQL.
Columns = dict[str, str]
# Steps of one query: each query that they are stacked in takes as long to plan as all its columns,
# and nested in one the names of steps double. Three take a quarter less than one.
TOGETHER = 3


def reach_ms(settings: LedgerSettings) -> int:
    """How far conditions look outside the window they are computed for, in milliseconds."""
    every = [settings, *settings.by_pool().values()]
    return max(_reach_min(s) for s in every) * MINUTE_MS


def _reach_min(s: LedgerSettings) -> int:
    # Low use rests on minutes that are not idle, and those on the minutes around them in turn.
    return max(
        s.low_after_min + s.idle_after_min,
        s.stalled_after_min + s.stalled_busy_min,
        max(s.startup_s, s.startup_most_s) // 60 + 1,
        s.teardown_s // 60,
        s.process_after_min,
        s.leaked_s // 60 + 1,
    )


RUNS = """
SELECT gpu_id, alloc_id, run, any(cluster) AS cluster, any(slice) AS slice, any(job_id) AS job_id,
  any(start) AS start, min(f) AS begins, max(t) AS ends
FROM stretches GROUP BY gpu_id, alloc_id, run
"""

# What is known of a run's job beside its allocation: how long jobs of its size take to start, and
# whether it is a replica of a declared service.
JOBS = f"""
SELECT j.job_id AS job_id, s.p95_ms AS learned_ms,
  arrayExists(x -> x.1 = j.cluster AND startsWith(j.name, x.2) AND x.3 <= j.at AND x.4 > j.at,
    (SELECT groupArray((toString(cluster), jobs, valid_from, valid_to)) FROM services FINAL
     WHERE jobs != '')) AS serving
FROM (
  SELECT job_id, cluster, name, least(started, seen_at) AS at, nodes * gpus_per_node AS gpus,
    {SIZE_CLASS} AS size_class
  FROM jobs FINAL WHERE job_id IN (SELECT job_id FROM runs WHERE job_id != '')) AS j
LEFT JOIN (SELECT * FROM startup_times FINAL) AS s
  ON s.cluster = j.cluster AND s.size_class = j.size_class
"""

# When a GPU of a job was busy by the standard that a hang is compared with.
STATS = """
SELECT job_id, gpu_id, toUnixTimestamp64Milli(busiest) AS busiest, power_bp / 1e4 AS power
FROM job_stats FINAL WHERE job_id IN (SELECT job_id FROM runs WHERE job_id != '')
"""


def minutes_sql(t: Thresholds) -> str:
    """Each run with the words of its minutes and what is known of GPU and job."""

    def cut(word: str, source: str) -> str:
        piece = f"arraySlice({source}, first + 1, n)"
        return f"arrayResize({piece}, n, toUInt64({words.nothing(word)})) AS {word}"

    cuts = ", ".join(cut(w, f"if(r.slice = '', c.{w}, z.{w})") for w in "abd")
    begin = f"({{lo:Int64}} + toInt64(first) * {MINUTE_MS})"
    learned = f"if(j.learned_ms > 0, least(j.learned_ms, {t['startup_most_s']} * 1000),"
    return f"""
SELECT r.gpu_id AS gpu_id, r.alloc_id AS alloc_id, r.run AS run, p.pool AS pool,
  {NUMBER.format(minute="r.begins")} AS first,
  {NUMBER.format(minute="(r.ends - 1)")} + 1 - first AS n, range(n) AS i,
  {cuts}, {cut("c", "c.c")}, arrayResize(arraySlice(q.s, first + 1, n), n, toUInt64(0)) AS s,
  k.sicks AS sicks, h.shadows AS shadows, toUInt64(ifNull(f.context_mw, 0)) AS floor_mw,
  j.serving AS serving, r.start > {begin} AS late,
  toInt64({learned} {t["startup_s"]} * 1000)) AS startup_ms,
  toInt64(r.start) + startup_ms - {begin} AS starts_until,
  ifNull(b.power >= {t["stalled_power_ratio"]}, false) AND b.busiest > 0
    AS was_busy, b.busiest - {begin} AS busiest_at{t.columns("p.pool")}
FROM runs AS r
LEFT JOIN pools AS p ON p.gpu_id = r.gpu_id
LEFT JOIN cards AS c ON c.gpu_id = r.gpu_id
LEFT JOIN slices AS z ON z.gpu_id = r.gpu_id AND z.slice = r.slice
LEFT JOIN seldom AS q ON q.gpu_id = r.gpu_id
LEFT JOIN sicks AS k ON k.gpu_id = r.gpu_id
LEFT JOIN shadows AS h ON h.job_id = r.job_id
LEFT JOIN floors AS f ON f.gpu_id = r.gpu_id
LEFT JOIN known_jobs AS j ON j.job_id = r.job_id
LEFT JOIN stats AS b ON b.job_id = r.job_id AND b.gpu_id = r.gpu_id
"""


def readings(t: Thresholds) -> list[Columns]:
    """What each minute says by itself. `…_known` is 0 where `…` is 0 for want of a reading."""
    told = {
        "active_ms": (words.ACTIVE, "a"),
        "processes": (words.PROCESSES, "a"),
        "sm": (words.SM, "b"),
        "util": (words.UTIL, "b"),
        "power": (words.POWER, "c"),
        "limit": (words.LIMIT, "c"),
    }
    return [
        {
            **{
                f"{n}_known": f"arrayMap(x -> {p.of('x')} != {p.unknown}, {w})"
                for n, (p, w) in told.items()
            },
            **{
                n: f"arrayMap(x -> if({p.of('x')} = {p.unknown}, 0, {p.of('x')}), {w})"
                for n, (p, w) in told.items()
            },
            "cover": f"arrayMap(x -> {words.COVER.of('x')}, a)",
            "lost": f"arrayMap(x -> {words.LOST.of('x')} = 1, c)",
            "quiet": f"arrayMap(x -> bitTest(x, {seldom.QUIET}), s)",
            "throttled": f"arrayMap(x -> bitTest(x, {seldom.SLOWED}), s)",
            "listed": f"arrayMap(x -> bitAnd(bitShiftRight(x, {seldom.LISTED}), 255), s)",
        },
        {
            "active": "arrayMap(x -> x > 0, active_ms)",
            "own_active": "arrayMap((x, i) -> x > 0 AND NOT (late AND i = 0), active_ms, i)",
            "covered": f"arrayMap(x -> x >= {t['min_cover_ratio']} * {MINUTE_MS}, cover)",
            "share_known": "arrayMap((x, y) -> x AND y, power_known, limit_known)",
            "used": "arrayMap((x, y) -> x > y, processes, listed)",
            "present": "arrayMap(x -> x > 0, processes)",
        },
        {
            "share": f"arrayMap((x, y, k) -> if(k, x * {MILLIONTHS} / y, 0), power, limit,"
            " share_known)",
            "grade": "arrayMap((x, y, k) -> multiIf(x, 0, NOT y, 3, k, 1, 2), sm_known,"
            " util_known, share_known)",
        },
        {"evidence": "arrayMap((x, g) -> x AND g < 3, active_ms_known, grade)"},
        {
            "known": "arrayMap((x, y) -> x AND y, covered, evidence)",
            "still": "arrayMap((x, y, z) -> x AND y AND z, quiet, covered, evidence)",
            "at_work": "arrayMap((x, k, a) -> k AND a AND"
            f" x >= {t['stalled_power_ratio']} * {MILLIONTHS}, share, share_known, active)",
        },
    ]


def sums(t: Thresholds) -> list[Columns]:
    """What adds up over the minutes that a condition rests on, each the last of them."""
    idle, stall = t["idle_after_min"], t["stalled_after_min"]
    lengths = {
        **dict.fromkeys(("known", "active_ms", "cover", "power", "power_known"), idle),
        "present": f"(intDiv({t['teardown_s']}, 60) + 1)",
        "used": f"({t['process_after_min']} + 1)",
        "still": stall,
        "at_work": f"({stall} + {t['stalled_busy_min']})",
    }
    return [
        {**_totals(*lengths), "begun": "arrayCumSum(own_active)"},
        _recent(lengths),
    ]


def first_conditions(t: Thresholds) -> list[Columns]:
    """Idleness, stalls, work that has not begun or has ended, and what nobody was given."""
    idle, stall, used = t["idle_after_min"], t["stalled_after_min"], t["process_after_min"]
    return [
        {
            "idle_here": f"arrayMap((k, x, y, p, q) -> k = {idle}"
            f" AND x <= {t['idle_active_ratio']} * y AND NOT (floor_mw > 0 AND q > 0"
            f" AND p > {t['idle_floor_ratio']} * floor_mw * q), recent_known, recent_active_ms,"
            " recent_cover, recent_power, recent_power_known)",
            "used_here": f"arrayMap(x -> x = {used} + 1, recent_used)",
            "stalled_here": f"arrayMap((q, w, i) -> q = {stall} AND (w > 0 OR was_busy"
            f" AND busiest_at < (toInt64(i) + 1 - {stall}) * {MINUTE_MS}),"
            " recent_still, recent_at_work, i)",
            "ending": "arrayMap((k, p, x) -> k AND p = 0 AND x > 0, processes_known, processes,"
            " recent_present)",
            "renewed": "arrayMap((x, y, k, i) -> i > 0 AND x AND NOT y AND k, present,"
            " arrayShiftRight(present, 1), arrayShiftRight(processes_known, 1), i)",
        },
        {
            **_totals("idle_here", "used_here", "stalled_here"),
            "begun_then": "arrayMap((x, b, o) -> if(x, toInt64(b) - o, -1), renewed, begun,"
            " own_active)",
            "renewed_then": "arrayMap((x, i) -> if(x, toInt64(i), -1), renewed, i)",
        },
        {
            "idle": _spread("idle_here", idle),
            "occupied": _spread("used_here", f"({used} + 1)"),
            "stalled": _spread("stalled_here", stall),
            "begun_before": "arrayFill(x -> x >= 0, begun_then)",
            "renewed_at": "arrayFill(x -> x >= 0, renewed_then)",
        },
        {
            "busy": "arrayMap((k, x) -> k AND NOT x, known, idle)",
            # A new set of processes takes as long to start as a new job does.
            "starting": f"arrayMap((c, b, e, r, i) -> c AND (b = 0"
            f" AND toInt64(i) * {MINUTE_MS} < starts_until OR e >= 0 AND toInt64(b) = e"
            f" AND (toInt64(i) - r) * {MINUTE_MS} < startup_ms),"
            " covered, begun, begun_before, renewed_at, i)",
        },
    ]


def low_use(t: Thresholds) -> list[Columns]:
    """Low use, judged by the best evidence that all its minutes share."""
    low = t["low_after_min"]
    limit = f"{t['low_ratio']} * {MILLIONTHS} * {low}"
    watts = f"{t['low_power_ratio']} * {MILLIONTHS} * {low}"
    known = {
        f"busy_{n}": f"arrayMap((x, y) -> x AND y, busy, {n}_known)"
        for n in ("sm", "util", "share")
    }
    added = ("busy", "sm", "util", "share", *known)
    return [
        known,
        _totals(*added),
        _recent(dict.fromkeys(added, low)),
        {
            "low_here": f"arrayMap((b, ks, s, ku, u, kp, p) -> b = {low} AND multiIf("
            f"ks = {low}, s < {limit}, ku < {low}, false, kp < {low}, u < {limit},"
            f" u < {limit} AND p < {watts}), recent_busy, recent_busy_sm, recent_sm,"
            " recent_busy_util, recent_util, recent_busy_share, recent_share)",
        },
        _totals("low_here"),
        {"low": _spread("low_here", low)},
    ]


def beside(t: Thresholds) -> list[Columns]:
    """What is told of a minute beside its state."""
    used, total = words.USED, words.TOTAL
    number = "toInt64(first + i)"
    held = (
        f"arrayMap(x -> {used.of('x')} != {used.unknown} AND {total.of('x')} !="
        f" {total.unknown} AND {used.of('x')} >= {t['held_memory_ratio']} * {total.of('x')}, d)"
    )
    covers = f"x -> x.1 <= {number} AND x.2 > {number}"
    return [
        {
            "memory_held": held,
            "peer_at_fault": f"arrayMap(i -> arrayExists({covers}, shadows), i)",
            "fault": f"arrayMap(i -> arrayFirst({covers}, sicks).3, i)",
        }
    ]


def facts_sql(t: Thresholds, minutes: str) -> str:
    """What the predicates of the states ask for: a word for each minute, by run and hour.

    `minutes` is the SELECT of `minutes_sql` with all that it rests on. `hour` counts since 1970,
    `first` is the number of the first minute within the window.
    """
    every = f"(intDiv({{lo:Int64}}, {MINUTE_MS}) + first + i) % 60 = 0"
    return f"""
SELECT gpu_id, alloc_id, run, serving, leaked_s, ws, number AS first,
  intDiv({{lo:Int64}} + toInt64(number) * {MINUTE_MS}, {60 * MINUTE_MS}) AS hour
FROM (
  SELECT *, arrayCumSum(x -> length(x), hours) AS upto FROM (
    SELECT *, arraySplit((x, begins) -> begins, w, arrayMap(i -> {every}, i)) AS hours
    FROM ({_words(t, minutes)})))
ARRAY JOIN hours AS ws, arrayMap((x, y) -> first + y - length(x), hours, upto) AS number
"""


def _words(t: Thresholds, minutes: str) -> str:
    """Everything about a minute in one word, by run."""
    names = [f"x{place}" for place in range(len(BITS))]
    bits = " + ".join(f"bitShiftLeft(toUInt64({n}), {p})" for p, n in enumerate(names))
    intensity = f"toUInt64(multiIf(ks, round(s / 100), ku, round(u / 100), {INTENSITY.unknown}))"
    select = f"""
SELECT gpu_id, alloc_id, run, first, i, serving, {t["leaked_s"]} AS leaked_s,
  arrayMap(({", ".join(names)}, g, k, s, ks, u, ku, p, kp) -> {bits}
    + bitShiftLeft(toUInt64(g), {GRADE.shift}) + bitShiftLeft(toUInt64(k), {FAULT.shift})
    + bitShiftLeft({intensity}, {INTENSITY.shift})
    + bitShiftLeft(toUInt64(if(kp, p, {POWER.unknown})), {POWER.shift}),
    {", ".join(BITS)},
    grade, fault, sm, sm_known, util, util_known, power, power_known) AS w
FROM
"""
    steps = [*readings(t), *sums(t), *first_conditions(t), *low_use(t), *beside(t)]
    levels = [
        {name: sql for step in steps[i : i + TOGETHER] for name, sql in step.items()}
        for i in range(0, len(steps), TOGETHER)
    ]
    return _stacked(select, levels, f"({minutes})")


# Columns of `minutes_sql`, beside thresholds that some pool has of its own.
_OF_RUN = (
    *("gpu_id", "alloc_id", "run", "pool", "first", "n", "i", "a", "b", "c", "d", "s", "sicks"),
    *("shadows", "floor_mw", "serving", "late", "startup_ms", "starts_until", "was_busy"),
    "busiest_at",
)
_NAME = re.compile(r"[a-z_][a-z_0-9]*")


def _stacked(select: str, steps: list[Columns], rows: str) -> str:
    """A SELECT over the columns of all steps, each a query over the one before.

    The names of nested expressions double with each level, so each step computes from columns, and
    carries only those that a later one reads: planning takes time for each of them.
    """
    known = set(_OF_RUN)
    for place, step in enumerate(steps):
        unread = " ".join(
            [select, *(sql for later in steps[place + 1 :] for sql in later.values())]
        )
        asked = set(_NAME.findall(unread))
        kept = {n for n in asked if n in known or n.startswith(PER_POOL)} - set(step)
        told = [*sorted(kept), *(f"{sql} AS {name}" for name, sql in step.items())]
        rows = f"(SELECT {', '.join(told)} FROM {rows})"
        known |= set(step)
    return select + rows


def _totals(*names: str) -> Columns:
    return {f"total_{n}": f"arrayCumSum({n})" for n in names}


def _recent(lengths: Columns) -> Columns:
    """For each minute the sum over so many, itself the last."""
    return {
        f"recent_{n}": f"arrayMap((x, y) -> x - y, total_{n}, arrayShiftRight(total_{n}, {k}))"
        for n, k in lengths.items()
    }


def _spread(here: str, minutes: str) -> str:
    """What came true in one of so many minutes, itself the first."""
    total = f"total_{here}"
    ahead = f"arrayShiftLeft({total}, {minutes} - 1, {total}[-1])"
    return f"arrayMap((x, y) -> x > y, {ahead}, arrayShiftRight({total}, 1))"
