"""What accounting knows of ended jobs: exact times, state and account, the best word after a hook.

A job that ended between two snapshots and is no longer listed has its end from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from collector.slurm_json import instant, number
from gpuledger.catalogue.work import Job
from gpuledger.identity import job_id
from gpuledger.rows import fitting
from gpuledger.schema import FOREVER
from gpuledger.slurm_words import job_state, text


@dataclass(frozen=True)
class Ending:
    """How one run of a job ended."""

    native: int
    state: str
    submitted: datetime
    started: datetime
    ended: datetime
    team: str = ""
    name: str = ""
    user: str = ""
    pool: str = ""
    qos: str = ""
    nodes: int = 1
    gpus: int = 0

    def is_of(self, job: Job) -> bool:
        """Whether it is the end of this run: a requeued job has one record for each."""
        if job.state == "running":
            return self.started == job.started
        return self.submitted == job.submitted and self.ended >= job.submitted


def ending(told: Mapping[str, Any]) -> Ending | None:
    """The end that a record of `sacct --json` or slurmdbd tells; None where it tells of none.

    22.05 spells the state as one word, newer versions as a list.
    """
    times, state = _mapping(told.get("time")), _mapping(told.get("state"))
    word, native = job_state(state.get("current")), number(told.get("job_id"))
    submitted, ended = instant(times.get("submission")), instant(times.get("end"))
    if not native or submitted is None or ended is None or word in {None, "pending", "running"}:
        return None
    return Ending(
        native=native,
        state=word or "",
        submitted=submitted,
        started=instant(times.get("start")) or FOREVER,
        ended=ended,
        team=text(told.get("account")),
        name=text(told.get("name")),
        user=text(told.get("user")),
        pool=text(told.get("partition")),
        qos=text(told.get("qos")),
        nodes=max(1, number(told.get("allocation_nodes")) or 1),
        gpus=_gpus(_mapping(told.get("tres"))),
    )


def job_row(end: Ending, cluster: str, at: datetime, version: int) -> Job:
    """A job of which nothing was heard before its end; which GPUs it had, nobody knows."""
    row = Job(
        job_id=job_id(cluster, end.native),
        cluster=cluster,
        name=end.name,
        user=end.user,
        team=end.team or "unmapped",
        pool=end.pool,
        state=end.state,
        nodes=end.nodes,
        gpus_per_node=end.gpus // end.nodes,
        memory_bytes=None,
        qos=end.qos,
        submitted=end.submitted,
        eligible=min(end.started, end.ended),
        started=end.started,
        ended=end.ended,
        seen_at=at,
        version=version,
    )
    return fitting(row)


def endings(told: Iterable[Any]) -> dict[int, list[Ending]]:
    """Ends by job; what cannot be read is left out."""
    out: dict[int, list[Ending]] = {}
    for record in told:
        found = ending(record) if isinstance(record, Mapping) else None
        if found:
            out.setdefault(found.native, []).append(found)
    return out


def _gpus(amounts: Mapping[str, Any]) -> int:
    """GPUs of all nodes together; with a model named, the sum is told as well."""
    found = amounts.get("allocated") or amounts.get("requested")
    told = [t for t in found if isinstance(t, Mapping)] if isinstance(found, list) else []
    return max((number(t.get("count")) or 0 for t in told if _is_gpu(t)), default=0)


def _is_gpu(told: Mapping[str, Any]) -> bool:
    return text(told.get("type")) == "gres" and text(told.get("name")).partition(":")[0] == "gpu"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
