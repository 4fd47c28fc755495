"""Runtime goodput of jobs whose code has the training hook, and the work that failures lost.

Runtime goodput is the share of a run's wall time that its processes spent in steps, apart from
waits for data and checkpoints: the runtime part of ML productivity goodput (arXiv 2502.06982). It
is the job's own word, where all other use in the book is measured. Of a job that was requeued, the
last run counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from analytics import adjust
from gpuledger.batch import EPOCH
from gpuledger.catalogue import ProgressSample
from gpuledger.schema import FOREVER
from gpuledger.service import Reader
from gpuledger.store import Store

# Ended against their will; a cancelled job may have had all it wanted.
LOSING = ("failed", "timeout")
HOUR = timedelta(hours=1)
# Lost work is told for so long after its hours closed, in case the service was down.
TELL = timedelta(days=7)
AT_ONCE = 200


@dataclass(frozen=True)
class Goodput:
    """One job's last run by its own word; shares are 0 to 1, None where it did not say.

    `ranks`: processes that reported, each rank once. `steps`: of the rank with most of them.
    `gpus`: GPUs held, shares as parts. `last_checkpoint`: None where none was reported.
    """

    job_id: str
    state: str
    started: datetime
    ended: datetime | None
    gpus: float
    ranks: int
    steps: int | None
    last_step: int
    goodput_ratio: float | None
    data_wait_ratio: float | None
    checkpoint_ratio: float | None
    last_checkpoint: datetime | None

    @property
    def lost(self) -> tuple[datetime, datetime] | None:
        """From when to when it worked for nothing; None where it did not fail, or nobody can say.

        Who never reports a checkpoint may write some all the same: then nothing is known.
        """
        if self.state not in LOSING or self.ended is None or self.last_checkpoint is None:
            return None
        lost = self.last_checkpoint, self.ended
        return lost if lost[0] < lost[1] else None

    @property
    def lost_gpu_seconds(self) -> float | None:
        """GPU-seconds since the last checkpoint; None as for `lost`."""
        lost = self.lost
        return (lost[1] - lost[0]).total_seconds() * self.gpus if lost else None


def of_jobs(reader: Reader, jobs: Sequence[str], now: datetime) -> list[Goodput]:
    """Goodput of those of these jobs that report, in the order of their ids."""
    return sorted(_found(reader, sorted(set(jobs)), now), key=lambda g: g.job_id)


def tell_lost_work(store: Store, closed: datetime, now: datetime) -> list[Goodput]:
    """Adjust the book by the work that failed jobs lost, and say which jobs these are.

    `closed`: the hours before it no longer change. Telling it again changes nothing.
    """
    hour = closed.replace(minute=0, second=0, microsecond=0)
    failed = store.select(_FAILED_SQL, states=list(LOSING), since=hour - TELL, until=hour)
    found = [g for g in of_jobs(store, [r["job_id"] for r in failed], now) if g.lost]
    for goodput in found:
        if lost := goodput.lost:
            adjust.lost_work(store, goodput.job_id, *lost, now)
    return found


def _found(reader: Reader, jobs: Sequence[str], now: datetime) -> Iterator[Goodput]:
    for first in range(0, len(jobs), AT_ONCE):
        for row in reader.select(_GOODPUT_SQL, jobs=jobs[first : first + AT_ONCE], now=now):
            told = row["last_checkpoint"]
            yield Goodput(
                **{
                    **row,
                    "ended": None if row["ended"] == FOREVER else row["ended"],
                    "last_checkpoint": None if told == EPOCH else told,
                }
            )


_FAILED_SQL = """
SELECT job_id FROM jobs FINAL
WHERE state IN {states:Array(String)}
  AND ended > {since:DateTime64(3, 'UTC')} AND ended <= {until:DateTime64(3, 'UTC')}
"""

# What a process and its job are both named by: the job of Slurm, the pod of Kubernetes, and where
# nobody schedules, the container or login session (see `native_id` and the agent's occupancy).
_KEY_OF_PROCESS = """
concat(cluster, '/', multiIf(
  runtime = 'slurm', container,
  runtime = 'kubernetes', concat('@', substring(container, 1, 8)),
  runtime != '', concat(node, '.', runtime, ':',
    if(length(container) < 64, container, substring(container, 1, 12))),
  concat(node, '.', toString(session))))
"""
_KEYS_OF_JOB = """
arrayDistinct([job_id, concat(cluster, '/@', splitByChar('@', job_id)[-1]),
  splitByChar('@', job_id)[1]])
"""
_TIMES = ("step_us", "data_wait_us", "checkpoint_us")


def _run(column: str) -> str:
    """What a counter rose by in the run: a process id that is used again goes on counting."""
    before = f"ifNull(maxIf(p.{column}, p.ts <= j.started), 0)"
    return f"maxIf(toInt64(p.{column}), p.ts > j.started) - {before} AS {column}"


def _share(column: str) -> str:
    """A time of all ranks as a share of their wall time."""
    name = column.replace("_us", "_ratio").replace("step", "goodput")
    share = f"sum({column}) / 1e3 / nullIf(count() * any(wall_ms), 0)"
    # `least` passes over NULL.
    return f"if(isNull({share}), NULL, least(1, {share})) AS {name}"


_GOODPUT_SQL = f"""
WITH j AS (
  SELECT job_id, toString(cluster) AS cluster, toString(state) AS state, started, ended,
    least(ended, {{now:DateTime64(3, 'UTC')}}) AS until,
    dateDiff('millisecond', started, until) AS wall_ms,
    {_KEYS_OF_JOB} AS keys
  FROM jobs FINAL WHERE job_id IN {{jobs:Array(String)}} AND started < {{now:DateTime64(3, 'UTC')}}
), processes AS (
  SELECT j.job_id AS job_id, any(j.state) AS state, any(j.started) AS started,
    any(j.ended) AS ended, any(j.wall_ms) AS wall_ms,
    if(any(p.rank) = '', concat(p.node, ' ', toString(p.pid)), any(toString(p.rank))) AS rank,
    {", ".join(_run(c) for c in ("steps", *_TIMES))},
    argMaxIf(p.last_step, p.ts, p.ts > j.started) AS last_step,
    maxIf(p.last_checkpoint, p.last_checkpoint > j.started) AS last_checkpoint
  FROM (SELECT *, {_KEY_OF_PROCESS} AS key FROM {ProgressSample.table.name}
    WHERE ts > (SELECT min(started) FROM j) - INTERVAL 1 DAY
      AND ts <= (SELECT max(until) FROM j) + INTERVAL 1 MINUTE
  ) AS p
  INNER JOIN (SELECT *, arrayJoin(keys) AS key FROM j) AS j ON j.key = p.key
  WHERE p.ts > j.started - INTERVAL 1 DAY AND p.ts <= j.until + INTERVAL 1 MINUTE
  GROUP BY j.job_id, p.node, p.runtime, p.container, p.session, p.pid
  HAVING max(p.ts) > any(j.started) AND countIf(p.steps IS NOT NULL) > 0
), ranks AS (
  SELECT job_id, any(state) AS state, any(started) AS started, any(ended) AS ended,
    any(wall_ms) AS wall_ms, max(last_step) AS last_step, max(last_checkpoint) AS last_checkpoint,
    {", ".join(f"sum({c}) AS {c}" for c in ("steps", *_TIMES))}
  FROM processes GROUP BY job_id, rank
), held AS (
  SELECT a.job_id AS job_id, sum(a.share_milli) / 1000 AS gpus
  FROM allocations AS a FINAL INNER JOIN j ON j.job_id = a.job_id
  WHERE a.valid_from < j.ended AND a.valid_to > j.started GROUP BY a.job_id
)
SELECT r.*, ifNull(h.gpus, 0) AS gpus FROM (
  SELECT job_id, any(state) AS state, any(started) AS started, any(ended) AS ended,
    count() AS ranks, max(steps) AS steps, max(last_step) AS last_step,
    {", ".join(map(_share, _TIMES))}, max(last_checkpoint) AS last_checkpoint
  FROM ranks GROUP BY job_id
) AS r LEFT JOIN held AS h ON h.job_id = r.job_id
ORDER BY job_id
"""
