"""The GPUs and nodes of episodes over time, which all questions of features join with."""

from __future__ import annotations


def at(milliseconds: str) -> str:
    """SQL of an instant."""
    return f"fromUnixTimestamp64Milli({milliseconds}, 'UTC')"


def rate(last: str) -> str:
    """SQL of a counter's rise per second between the ends of the first and last bucket `s.ts`.

    `last` is the counter's value at the end of each bucket; NULL with one bucket.
    """
    elapsed = "nullIf(dateDiff('millisecond', min(s.ts), max(s.ts)), 0)"
    return f"(max({last}) - min({last})) * 1000 / {elapsed}"


# By which a control group is known to belong to a job: see `group_of`.
GROUP = "if(s.runtime = 'kubernetes', substring(s.name, 1, 8), s.name)"


def group_of(job: str) -> str:
    """SQL of what `GROUP` is for the control groups of a job.

    A Slurm job's group is named by its number, a pod's by the UID whose beginning ends the job's
    id; a Slurm number that came back is followed by when it was handed in.
    """
    native = f"substring({job}, position({job}, '/') + 1)"
    return f"splitByChar('@', {native})[if(position({native}, '/') > 0, -1, 1)]"


WANTED = """
SELECT told.1 AS n, told.2 AS job, told.3 AS f, told.4 AS t FROM (
  SELECT arrayJoin(arrayZip(arrayEnumerate({jobs:Array(String)}), {jobs:Array(String)},
    {froms:Array(Int64)}, {tills:Array(Int64)})) AS told)"""

# What each episode's job held, within the episode: from `f` until `t`, milliseconds.
LANES = f"""
SELECT w.n AS n, w.job AS job, a.cluster AS cluster, a.node AS node, a.gpu_id AS gpu_id,
  a.slice AS slice, a.share_milli AS share_milli,
  greatest(toUnixTimestamp64Milli(a.valid_from), w.f) AS f,
  least(toUnixTimestamp64Milli(a.valid_to), w.t) AS t
FROM (SELECT * FROM allocations FINAL WHERE job_id IN {{jobs:Array(String)}}) AS a
INNER JOIN ({WANTED}) AS w ON w.job = a.job_id
WHERE f < t"""

# What a card tells is about its one holder; of who shares it, it tells the most they can do.
CARDS = f"SELECT * FROM ({LANES}) WHERE slice = '' AND share_milli = 1000"
SHARES = f"SELECT * FROM ({LANES}) WHERE slice = '' AND share_milli < 1000"
SLICES = f"SELECT * FROM ({LANES}) WHERE slice != ''"

NODES = f"""
SELECT n, job, cluster, node, min(f) AS f, max(t) AS t, uniqExact(gpu_id) AS gpus
FROM ({LANES}) GROUP BY n, job, cluster, node"""

# Hours of nodes in which an episode has something to tell. The row before its first belongs to it:
# what a counter grew by lies between the two.
_BEFORE_MS = 120_000
_HOURS = f"""
SELECT DISTINCT toStartOfHour({at(f"f - {_BEFORE_MS}")}) + INTERVAL arrayJoin(range(toUInt32(
    dateDiff('hour', {at(f"f - {_BEFORE_MS}")}, {at("t")}) + 1))) HOUR AS hour, node
FROM ({NODES})"""

# What the key of every table of samples can use.
NODES_TAKEN = (
    f"s.ts >= {at('{lo:Int64}')} AND s.ts <= {at('{hi:Int64}')}"
    f" AND (toStartOfHour(s.ts), s.node) IN (SELECT hour, node FROM ({_HOURS}))"
)
# The same, of all the time between the first and the last of the episodes.
NODES_EVER = (
    f"s.ts >= {at('{lo:Int64}')} AND s.ts <= {at('{hi:Int64}')}"
    f" AND s.node IN (SELECT node FROM ({LANES}))"
)
