"""Which job a run was: by what it says of itself, else by its user and time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from analytics.experiments.server import Run

# How tags and parameters name a job, in small letters; training scripts copy their environment.
JOB_NAMES = ("gpuledger.job", "slurm_job_id", "slurm.job_id", "slurm_jobid", "job_id", "jobid")
POD_NAMES = ("kubernetes.pod", "k8s.pod.name", "pod_name", "pod", "hostname")
SAID, BY_TIME = 1.0, 0.6
# A run cannot begin much before its job; clocks of servers differ by seconds.
CLOCKS = timedelta(minutes=2)


@dataclass(frozen=True)
class Known:
    """A job as far as a match needs it."""

    job_id: str
    user: str
    started: datetime
    ended: datetime

    @property
    def native(self) -> str:
        """Its id without cluster and start."""
        return self.job_id.partition("/")[2].partition("@")[0]


@dataclass(frozen=True)
class Match:
    """The job of a run, and how it was found; nothing where it was not."""

    job_id: str = ""
    by: str = ""
    ratio: float | None = None


def match(run: Run, jobs: Sequence[Known]) -> Match:
    """The job that says it was this run; else the only one of its user that ran all the while."""
    there = [j for j in jobs if j.started <= run.started + CLOCKS and j.ended >= run.started]
    for by, said in (("tag", run.tags), ("parameter", run.parameters)):
        for name in _names(said):
            found = [j for j in there if name in {j.job_id, j.native, j.native.rpartition("/")[2]}]
            if len(found) == 1:
                return Match(found[0].job_id, by, SAID)
    until = min(run.ended, max((j.ended for j in there), default=run.ended))
    own = [j for j in there if j.user == run.user and j.ended + CLOCKS >= until]
    return Match(own[0].job_id, "time", BY_TIME) if run.user and len(own) == 1 else Match()


def _names(said: Mapping[str, str]) -> Iterable[str]:
    lower = {k.lower(): str(v) for k, v in said.items()}
    return (lower[k] for k in (*JOB_NAMES, *POD_NAMES) if lower.get(k))
