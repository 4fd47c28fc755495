"""What the book closes over although it is odd: counted, with examples and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from analytics.booking.intervals import FOREVER_MS
from gpuledger.service import Reader

LOOK_BACK = timedelta(days=7)
# NTP holds a server within milliseconds; a second moves a job's end into another cell.
CLOCK_ERROR_S = 1.0
# No scheduler lets a job hold GPUs for months before it was handed in.
REUSED_D = 30
# Schedulers and prologs tell whole seconds and in turn: less is no second claim.
OVERLAP_S = 60
# What a node stamps later than the store's own clock, it did not see then.
AHEAD_S = 300


@dataclass(frozen=True)
class Oddity:
    """A question whose rows are the odd things: columns `what` and, for the worst, `amount`.

    `found` gets the number, `advice` says what a person does.
    """

    name: str
    found: str
    advice: str
    sql: str


@dataclass(frozen=True)
class Found:
    """How often one oddity was met, and the first few names."""

    oddity: Oddity
    count: int
    examples: tuple[str, ...]

    @property
    def text(self) -> str:
        """In words."""
        named = ", ".join(self.examples)
        more = ", …" if self.count > len(self.examples) else ""
        return f"{self.oddity.found.format(n=self.count)}: {named}{more}"


_IN_SPAN = """
toUnixTimestamp64Milli(valid_from) < toUnixTimestamp64Milli({until:DateTime64(3, 'UTC')})
  AND toUnixTimestamp64Milli(valid_to) > toUnixTimestamp64Milli({since:DateTime64(3, 'UTC')})
"""
_PLACE = "concat(node, ' GPU ', toString(slot))"
_TOLD = "SELECT gpu_id FROM gpu_samples_1m WHERE ts >= {since:DateTime64(3, 'UTC')}"

ODDITIES = (
    Oddity(
        "shares",
        "{n} GPUs were given away more than once at the same time",
        "nothing: shares were scaled to a whole; see why two schedulers or prologs claim them",
        f"""
SELECT {_PLACE} AS what FROM assets FINAL WHERE gpu_id IN (
  SELECT gpu_id FROM (SELECT DISTINCT gpu_id, valid_from, valid_to FROM occupancy
    WHERE valid_from >= {{since:DateTime64(3, 'UTC')}}
      AND valid_from < {{until:DateTime64(3, 'UTC')}} AND whole_milli > 1000)
  GROUP BY gpu_id HAVING sum(dateDiff('second', valid_from, valid_to)) >= {OVERLAP_S})
""",
    ),
    Oddity(
        "open allocations",
        "{n} allocations have no end although their job has ended",
        "nothing: they were ended with the job; see why the node's agent or epilog did not say so",
        f"""
SELECT DISTINCT job_id AS what FROM (SELECT * FROM allocations FINAL
  WHERE toUnixTimestamp64Milli(valid_to) >= {FOREVER_MS})
WHERE job_id IN (SELECT job_id FROM jobs FINAL
  WHERE ended < {{until:DateTime64(3, 'UTC')}} - INTERVAL 1 HOUR)
""",
    ),
    Oddity(
        "silent GPUs",
        "{n} owned GPUs have not reported for a week",
        "start the agent there, or say what became of them: gpuledger assets import",
        f"""
SELECT {_PLACE} AS what FROM assets FINAL WHERE {_IN_SPAN}
  AND valid_from < {{since:DateTime64(3, 'UTC')}} + INTERVAL 1 DAY
  AND gpu_id NOT IN ({_TOLD})
  AND gpu_id NOT IN (SELECT gpu_id FROM asset_states FINAL WHERE {_IN_SPAN}
    AND state != 'service')
""",
    ),
    Oddity(
        "unknown GPUs",
        "{n} GPUs report and are on no asset list",
        "add them: gpuledger assets import; until then their time is outside the book",
        """
SELECT DISTINCT concat(node, ' GPU ', toString(slot)) AS what FROM gpu_samples_1m
WHERE ts >= {since:DateTime64(3, 'UTC')} AND ts < {until:DateTime64(3, 'UTC')} - INTERVAL 1 HOUR
  AND gpu_id NOT IN (SELECT gpu_id FROM assets FINAL)
""",
    ),
    Oddity(
        "clocks",
        f"the clocks of {{n}} nodes are more than {CLOCK_ERROR_S:g} s off, or nothing sets them",
        "set up NTP there: what they told lies in the wrong minutes",
        f"""
SELECT node AS what FROM v_host_samples
WHERE ts >= {{until:DateTime64(3, 'UTC')}} - INTERVAL 1 DAY
GROUP BY node HAVING max(clock_error_seconds) > {CLOCK_ERROR_S}
  OR argMax(clock_synchronized, ts) = 0
UNION DISTINCT
SELECT node AS what FROM gpu_samples_1m WHERE ts > now64(3) + INTERVAL {AHEAD_S} SECOND
""",
    ),
    Oddity(
        "job ids",
        "{n} job ids were used again for other jobs",
        "nothing if their owners agree; else let the scheduler count on (FirstJobId in slurm.conf)",
        f"""
WITH new AS (SELECT job_id, submitted FROM jobs FINAL
  WHERE submitted >= {{since:DateTime64(3, 'UTC')}}
    AND submitted < {{until:DateTime64(3, 'UTC')}})
SELECT a.job_id AS what FROM (SELECT job_id, min(valid_from) AS began FROM allocations FINAL
  WHERE job_id IN (SELECT job_id FROM new) GROUP BY job_id
  UNION ALL
  SELECT job AS job_id, min(day) AS began FROM v_book_1d
  WHERE job IN (SELECT job_id FROM new) GROUP BY job) AS a
JOIN new AS j ON j.job_id = a.job_id
WHERE a.began < j.submitted - INTERVAL {REUSED_D} DAY
GROUP BY what
""",
    ),
    Oddity(
        "prices",
        "{n} pools have GPUs without a price",
        "name their models or pools in [prices]: their worth is absent, not zero",
        """
SELECT DISTINCT if(pool = '', cluster, pool) AS what FROM v_book_1h
WHERE hour >= {since:DateTime64(3, 'UTC')} AND hour < {until:DateTime64(3, 'UTC')}
  AND price IS NULL AND (SELECT count() FROM v_book_1h
    WHERE hour >= {since:DateTime64(3, 'UTC')} AND price IS NOT NULL) > 0
""",
    ),
    Oddity(
        "unmapped",
        "{n} users' GPU time belongs to no team",
        "map their accounts or namespaces: gpuledger teams import",
        """
SELECT user AS what FROM v_book_1h
WHERE hour >= {since:DateTime64(3, 'UTC')} AND hour < {until:DateTime64(3, 'UTC')}
  AND team = 'unmapped' GROUP BY user ORDER BY sum(gpu_seconds) DESC, user
""",
    ),
)

EXAMPLES = 4


def met(reader: Reader, until: datetime) -> Iterator[Found]:
    """The oddities of the week before `until` that are there at all."""
    for oddity in ODDITIES:
        (told,) = reader.select(
            f"SELECT count() AS n, groupArray({EXAMPLES})(what) AS examples FROM"
            f" (SELECT toString(what) AS what FROM ({oddity.sql}) ORDER BY what)",
            since=until - LOOK_BACK,
            until=until,
        )
        if told["n"]:
            yield Found(oddity, told["n"], tuple(told["examples"]))
