"""Running tasks as an instance tells them: where they may go, what a move would cost, and why.

A task that asked for no model stays on the model that it runs on: nobody said that it would fit on
another, or be as fast there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from analytics import evidence, goodput
from analytics.placing import words
from analytics.placing.shapes import WHOLE
from analytics.repacking.fleet import SHARES, Holding, Layout, holdings
from analytics.repacking.instance import Node, Pod
from analytics.repacking.playback import Playback
from gpuledger.batch import from_milliseconds, to_milliseconds
from gpuledger.measures import SIZE_CLASS
from gpuledger.schema import FOREVER
from gpuledger.service import Reader

# A label that only one node has.
_HOSTNAME = "kubernetes.io/hostname="
Job = Mapping[str, Any]


@dataclass(frozen=True)
class Jobs:
    """What the store knows of the jobs that run at a moment."""

    at: datetime
    rows: Mapping[str, Job]
    checkpoints: Mapping[str, datetime]  # end of the last one, by job
    startups: Mapping[tuple[str, str], float]  # seconds, by cluster and size class
    startup_s: float  # where nothing was learned
    models: frozenset[str] = field(default_factory=frozenset)


def read(reader: Reader, at: datetime, models: frozenset[str], startup_s: float) -> Jobs:
    """Of the jobs that run at that moment."""
    rows = {r["job_id"]: r for r in reader.select(_JOBS_SQL, at=at)}
    told = goodput.of_jobs(reader, list(rows), at) if _any_hook(reader) else []
    startups = {
        (r["cluster"], r["size_class"]): r["p95_seconds"] for r in reader.select(_STARTUPS_SQL)
    }
    checkpoints = {g.job_id: g.last_checkpoint for g in told if g.last_checkpoint}
    return Jobs(at, rows, checkpoints, startups, startup_s, models)


def _any_hook(reader: Reader) -> bool:
    return bool(reader.value("SELECT count() FROM (SELECT 1 FROM progress_samples LIMIT 1)"))


def running(play: Playback, where: Layout, nodes: Mapping[str, Node], jobs: Jobs) -> Iterator[Pod]:
    """Every running task."""
    places: dict[str, int] = {}
    for place in where.places:
        for job_id in play.held[place]:
            places[job_id] = places.get(job_id, 0) + 1
    for place in where.places:
        index = where.index(place)
        scale = _scales(play, place)
        for held in holdings(play.held[place]):
            yield from _Task(held, nodes[place], jobs, places[held.job_id]).pods(index, scale)


def _scales(play: Playback, place: str) -> dict[int, float]:
    """For GPUs of which more was given away than there is, what to scale it with."""
    sums: dict[int, int] = {}
    for held in holdings(play.held[place]):
        for gpu, milli, _ in held.gpus:
            sums[gpu] = sums.get(gpu, 0) + milli
    return {gpu: WHOLE / milli for gpu, milli in sums.items() if milli > WHOLE}


@dataclass(frozen=True)
class _Task:
    """What one job holds of one node."""

    held: Holding
    node: Node
    jobs: Jobs
    places: int  # nodes that the job is on

    def pods(self, index: Mapping[int, int], scale: Mapping[int, float]) -> Iterator[Pod]:
        """One task; shares of several GPUs are as many, since only one may be shared."""
        gpus = [
            (index[g], max(1, int(milli * scale.get(g, 1.0))), g)
            for g, milli, _ in self.held.gpus
            if g in index
        ]
        if not gpus:
            return
        whole = all(milli == WHOLE for _, milli, _ in gpus)
        if whole or len({i for i, _, _ in gpus}) == len(gpus) == 1:
            yield self._pod(self._name(), tuple(sorted({i for i, _, _ in gpus})), gpus[0][1])
            return
        for number, (i, milli, _) in enumerate(gpus):
            first = not number
            yield self._pod(f"{self._name()} {number}", (i,), milli, first=first, parts=True)

    def _name(self) -> str:
        if self.places == 1:
            return self.held.job_id
        return f"{self.held.job_id} {self.node.name.partition('/')[2]}"

    def _pod(
        self,
        name: str,
        ids: tuple[int, ...],
        milli: int,
        *,
        first: bool = True,
        parts: bool = False,
    ) -> Pod:
        job = self.jobs.rows.get(self.held.job_id, {})
        stays = self._stays(job, parts=parts)
        cost, cost_why = self._cost(job)
        asked = words.constraints(job.get("constraints", ""))
        return Pod(
            name=name,
            node=self.node.name,
            gpu_ids=ids,
            cpu_milli=self.held.cpu_milli if first else 0,
            memory_mib=self.held.memory_mib if first else 0,
            num_gpu=len(ids),
            gpu_milli=milli,
            gpu_spec=self._spec(job.get("gpu_model", "")),
            movable=not stays,
            preemptible=bool(job["preemptible"]) if job else None,
            checkpointed=True if self.held.job_id in self.jobs.checkpoints else None,
            cost_gpu_seconds=cost,
            gang=job.get("gang", "") or (self.held.job_id if self.places > 1 else ""),
            cluster=self.node.cluster,
            pools=tuple(sorted(words.listed(job.get("pool", "")))),
            words=tuple(sorted({*asked.words, *((SHARES,) if milli < WHOLE else ())})),
            on=self._nodes(asked.on),
            off=self._nodes(asked.off),
            ends_by=_told(self.held.ends_by_ms),
            why="; ".join(filter(None, (stays, cost_why))),
        )

    def _nodes(self, names: frozenset[str]) -> tuple[str, ...]:
        return tuple(sorted(f"{self.node.cluster}/{name}" for name in names))

    def _spec(self, asked: str) -> str:
        fits = {m for m in self.jobs.models if asked and asked.lower() in m.lower()}
        return "|".join(sorted({*fits, self.node.model}))

    def _stays(self, job: Job, *, parts: bool) -> str:
        """Why it cannot be moved at all; empty where it can."""
        asked = words.constraints(job.get("constraints", ""))
        told = job.get("constraints", "")
        reasons = {
            "nobody told what it asked for": not job,
            "holds MIG slices": any(uuid for _, _, uuid in self.held.gpus),
            "holds shares of several GPUs": parts,
            f"runs on {self.places} nodes: moving a part stops all of it": self.places > 1,
            "one of a gang: moving it stops all of it": bool(job.get("gang")),
            "has its node to itself": "exclusive" in told.split(","),
            "somebody sits at it": job.get("kind") == "interactive",
            "asks for this very node": len(asked.on) == 1 or _HOSTNAME in told,
        }
        return next((reason for reason, holds in reasons.items() if holds), "")

    def _cost(self, job: Job) -> tuple[float, str]:
        """GPU-seconds of work that stopping it now loses, and what that rests on."""
        if not job:
            return 0.0, ""
        gpus = job["gpus"] * (job["share_milli"] or WHOLE) / WHOLE
        size = (job["cluster"], job["size_class"])
        startup = self.jobs.startups.get(size, self.jobs.startup_s)
        kept = self.jobs.checkpoints.get(self.held.job_id)
        lost = 0.0 if job["kind"] == "service" else self._since(kept or job["started"])
        told = {
            True: "a service starts anew, nothing is lost",
            False: f"no checkpoint is known: it has run for {_duration(lost)}",
        }[job["kind"] == "service"]
        if kept:
            told = f"last checkpoint {_duration(lost)} ago"
        may = "preemptible; " if job["preemptible"] else ""
        return gpus * (lost + startup), f"{may}{told}; a restart takes {_duration(startup)}"

    def _since(self, at: datetime) -> float:
        return max(0.0, (self.jobs.at - at).total_seconds())


def waiting(play: Playback, spec: Mapping[str, str]) -> Iterator[Pod]:
    """Every task that waits for capacity, in the order of the queue; `spec` is of job ids."""
    for job in sorted(play.waiting.values()):
        shape, wish = job.shape, job.shape.wish
        for number in range(shape.nodes):
            alone = shape.nodes == 1
            shares = (SHARES,) if shape.share_milli < WHOLE else ()
            yield Pod(
                name=job.job_id if alone else f"{job.job_id} {number}",
                node="",
                gpu_ids=(),
                cpu_milli=shape.cpu_milli,
                memory_mib=shape.memory_mib,
                num_gpu=shape.gpus if shape.share_milli == WHOLE else 1,
                gpu_milli=shape.share_milli,
                gpu_spec=spec.get(job.job_id, wish.gpu_model),
                gang=job.gang or ("" if alone else job.job_id),
                cluster=wish.cluster,
                pools=tuple(sorted(wish.pools)),
                words=tuple(sorted({*wish.words, *shares})),
                on=tuple(sorted(f"{wish.cluster}/{name}" for name in wish.on)),
                off=tuple(sorted(f"{wish.cluster}/{name}" for name in wish.off)),
            )


def _told(ends_by_ms: int) -> str:
    if not 0 < ends_by_ms < to_milliseconds(FOREVER):
        return ""
    return from_milliseconds(ends_by_ms).isoformat().replace("+00:00", "Z")


def _duration(seconds: float) -> str:
    return evidence.duration(timedelta(seconds=seconds))


_JOBS_SQL = f"""
SELECT job_id, cluster, gpu_model, pool, constraints, preemptible, kind, gang, started, share_milli,
  nodes * gpus_per_node AS gpus, {SIZE_CLASS} AS size_class
FROM jobs FINAL
WHERE gpus_per_node > 0 AND started <= {{at:DateTime64(3, 'UTC')}}
  AND ended > {{at:DateTime64(3, 'UTC')}}
"""
_STARTUPS_SQL = "SELECT cluster, size_class, p95_seconds FROM v_startup_times"
