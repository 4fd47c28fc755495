"""Commands for a smaller request: of jobs that wait, of a service, or a card cut into slices.

Slurm keeps no request of a job that nobody has handed in yet, nor can a pod or a Job of Kubernetes
ask for less once it is there: where only the next run can, a note has its words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from analytics import commands, evidence
from analytics.commands import KUBERNETES, SLURM, Command, named
from analytics.less import Less
from gpuledger.accelerators import profile_share, slices
from gpuledger.service import Reader

Row = Mapping[str, Any]
# Jobs that wait under one name: whoever has more of them changes them by a script.
MOST_WAITING = 10
# What a Deployment puts behind its name: the hash of its template, and five letters of the pod.
_OF_DEPLOYMENT = re.compile(r"-[a-z0-9]{1,10}-[a-z0-9]{5}")


@dataclass(frozen=True)
class Facts:
    """By job: what it asked for, those of its name that wait, and a card of its pool to cut."""

    jobs: Mapping[str, Row]
    waiting: Mapping[tuple[str, str, str], Sequence[Row]]
    cards: Mapping[str, Row]
    types: Mapping[tuple[str, str], str]

    def like(self, job: Row) -> Sequence[Row]:
        """Jobs of its name and user that wait."""
        return self.waiting.get((job["cluster"], job["name"], job["user"]), ())


def facts(reader: Reader, asked: Iterable[tuple[str, Less]], now: datetime) -> Facts:
    """What commands about these jobs need; cards only where somebody is to ask for slices."""
    asked = list(asked)
    ids, cut = sorted({i for i, _ in asked}), sorted({i for i, less in asked if less.size})
    waiting: dict[tuple[str, str, str], list[Row]] = {}
    for r in reader.select(_WAITING_SQL, ids=ids, now=now):
        waiting.setdefault((r["cluster"], r["name"], r["user"]), []).append(r)
    cards = reader.select(_CARDS_SQL, ids=cut, now=now) if cut else []
    types = reader.select(_TYPES_SQL) if any(less.model for _, less in asked) else []
    return Facts(
        {r["job_id"]: r for r in reader.select(_JOBS_SQL, ids=ids)},
        waiting,
        {r["job_id"]: r for r in cards},
        {(r["cluster"], r["model"]): r["type"] for r in types},
    )


def command(job_id: str, less: Less, known: Facts) -> Command:
    """What a person would run, or hand in the next time."""
    job = known.jobs.get(job_id)
    if job is None or job["scheduler"] not in {SLURM, KUBERNETES}:
        return commands.nothing("no scheduler is known that has the job")
    if less.size is not None:
        return _sliced(job, less, known)
    if less.gpus is not None:
        return _fewer(job, less.gpus, known)
    return commands.nothing(_next(job, _words(job, less, known)))


def _fewer(job: Row, gpus: int, known: Facts) -> Command:
    nodes, each = _shape(gpus, job["gpus_per_node"])
    if job["scheduler"] == KUBERNETES:
        return _of_pods(job, each)
    flags = f"--gpus-per-node={each}"
    words = _next(job, f"--nodes={nodes} {flags}" if job["nodes"] > 1 else flags)
    like = [r for r in known.like(job) if _alike(r, job)]
    if nodes != job["nodes"] or each >= job["gpus_per_node"] or not like:
        return commands.nothing(words)
    asks = [
        commands.ask_less(r["job_id"], SLURM, each, job["gpus_per_node"])
        for r in like[:MOST_WAITING]
    ]
    more = len(like) - len(asks)
    left = f"\n{evidence.counted(more, 'more job')} of that name wait too" if more else ""
    told = commands.joined(asks)
    return replace(told, note=f"{told.note}{left}\n{words}" if told.do else told.note)


def _shape(gpus: int, each: int) -> tuple[int, int]:
    """Nodes and GPUs on each: as few nodes as hold them, each as full as before."""
    return (math.ceil(gpus / each), each) if gpus >= each > 0 else (1, gpus)


def _alike(waits: Row, job: Row) -> bool:
    return all(waits[n] == job[n] for n in ("nodes", "gpus_per_node", "share_milli"))


def _of_pods(job: Row, gpus: int) -> Command:
    pod = job["job_id"].partition("/")[2].partition("@")[0].rpartition("/")[2]
    behind = pod.removeprefix(job["name"])
    if job["kind"] == "service" and behind != pod and _OF_DEPLOYMENT.fullmatch(behind):
        return commands.next_run(job["job_id"], KUBERNETES, job["name"], gpus, job["gpus_per_node"])
    return commands.nothing(_next(job, f"nvidia.com/gpu: {gpus}"))


def _sliced(job: Row, less: Less, known: Facts) -> Command:
    """Slices that the pool has, else a card of it that can be cut."""
    card = known.cards.get(job["job_id"])
    if card is None:
        return commands.nothing("no card of its pool is known to be one that MIG can cut")
    size, parts = less.size or 0, slices(card["model"])
    shape = next((p for p in card["offered"] if _compute(p, card["model"]) == size), "")
    if shape:
        return commands.nothing(_next(job, _slice_words(job, shape, less.gpus or 1)))
    cut = commands.equal(parts, size)
    if not cut:
        return commands.nothing(f"no card of {named(card['model'])} gives slices of {size}g")
    told = commands.recut(
        card["uuid"],
        card["node"],
        card["scheduler"],
        card["profiles"],
        cut,
        on=bool(card["mig_on"]),
    )
    which = (
        f"GPU {card['slot']} of {named(card['node'])}"
        f"{', once the job on it has ended' if card['held'] else ', which nobody holds'}:"
        f" {evidence.counted(parts // size, 'slice')} of {size}g, one for each run of such jobs"
    )
    return replace(told, note=f"{which}\n{told.note}") if told.do else told


def _compute(profile: str, model: str) -> int:
    """Compute slices of a profile; 0 for what is none."""
    share = profile_share(profile, model)
    return 0 if share is None else round(share * slices(model) / 1000)


def _slice_words(job: Row, shape: str, count: int) -> str:
    if job["scheduler"] == SLURM:
        return f"--gres=gpu:{named(shape)}:{count}, as gres.conf calls it"
    return f"nvidia.com/mig-{named(shape)}: {count} in place of nvidia.com/gpu"


def _words(job: Row, less: Less, known: Facts) -> str:
    """Another model, or fewer processors and less memory."""
    count = job["gpus_per_node"]
    if less.model:
        if job["scheduler"] == KUBERNETES:
            return f"the node selector nvidia.com/gpu.product of {named(less.model)}"
        kind = known.types.get((job["cluster"], less.model), "")
        if not kind:
            return f"--gpus-per-node with the type that gres.conf has for {named(less.model)}"
        return f"--gpus-per-node={named(kind)}:{count}"
    cpus, gib = less.cpus, less.memory_gib
    if job["scheduler"] == KUBERNETES:
        told = (f"cpu: {cpus}" if cpus else "", f"memory: {gib}Gi" if gib else "")
        return " and ".join(filter(None, told))
    told = (
        f"--cpus-per-task so that the tasks of a node take {cpus} together" if cpus else "",
        f"--mem={gib}G" if gib else "",
    )
    return " and ".join(filter(None, told))


def _next(job: Row, words: str) -> str:
    """Where the request of the next run is written."""
    name = named(job["name"] or job["job_id"])
    if job["scheduler"] == SLURM:
        return f"the next run of {name} asks for less by sbatch {words}"
    return (
        f"write {words} where the pods of {name} come from: one that is there cannot ask for less"
    )


_JOBS_SQL = """
SELECT j.*, l.scheduler AS scheduler FROM (
  SELECT job_id, toString(cluster) AS cluster, toString(name) AS name, toString(user) AS user,
    toString(kind) AS kind, nodes, gpus_per_node, share_milli
  FROM jobs FINAL WHERE job_id IN {ids:Array(String)}) AS j
LEFT JOIN (SELECT job_id, toString(argMax(source, version)) AS scheduler FROM allocations
  WHERE source IN ('slurm', 'kubernetes') AND job_id IN {ids:Array(String)} GROUP BY job_id) AS l
  ON l.job_id = j.job_id"""
_WAITING_SQL = """
SELECT job_id, toString(cluster) AS cluster, toString(name) AS name, toString(user) AS user, nodes,
  gpus_per_node, share_milli
FROM jobs FINAL
WHERE state = 'pending' AND name != '' AND ended > {now:DateTime64(3, 'UTC')}
  AND (cluster, name, user) IN (
    SELECT cluster, name, user FROM jobs FINAL WHERE job_id IN {ids:Array(String)})
ORDER BY submitted, job_id"""
# Of each pool and model one card: nobody's before one that is held, cut before one to be turned on.
_CARDS_SQL = """
SELECT o.job_id AS job_id, c.model AS model, c.card.1 AS uuid, c.card.2 AS node, c.card.3 AS slot,
  c.card.4 AS mig_on, c.card.5 AS profiles, c.card.6 AS scheduler, c.card.7 AS held,
  c.offered AS offered
FROM (SELECT l.job_id AS job_id, any(a.cluster) AS cluster, any(a.pool) AS pool,
    any(a.model) AS model
  FROM (SELECT DISTINCT job_id, gpu_id FROM allocations WHERE job_id IN {ids:Array(String)}) AS l
  INNER JOIN (SELECT * FROM assets FINAL) AS a ON a.gpu_id = l.gpu_id GROUP BY job_id) AS o
INNER JOIN (
  SELECT a.cluster AS cluster, a.pool AS pool, a.model AS model, argMin((g.uuid,
      toString(a.node), a.slot, g.mig = 'enabled', s.profiles, n.scheduler, h.held > 0),
      (h.held > 0, g.mig != 'enabled', toString(a.node), a.slot)) AS card,
    arraySort(groupUniqArrayArray(s.profiles)) AS offered
  FROM (SELECT * FROM assets FINAL WHERE valid_to > {now:DateTime64(3, 'UTC')}) AS a
  INNER JOIN (SELECT gpu_id, toString(argMax(uuid, seen_at)) AS uuid,
      toString(argMax(mig, seen_at)) AS mig
    FROM gpus FINAL WHERE parent = '' GROUP BY gpu_id HAVING mig != '') AS g
    ON g.gpu_id = a.gpu_id
  LEFT JOIN (SELECT toString(parent) AS parent, arraySort(groupArray(toString(profile))) AS profiles
    FROM gpus FINAL WHERE parent != '' GROUP BY parent) AS s ON s.parent = g.uuid
  LEFT JOIN (SELECT gpu_id, count() AS held FROM allocations FINAL
    WHERE valid_from <= {now:DateTime64(3, 'UTC')} AND valid_to > {now:DateTime64(3, 'UTC')}
    GROUP BY gpu_id) AS h ON h.gpu_id = a.gpu_id
  LEFT JOIN (SELECT cluster, node, toString(argMax(scheduler, valid_from)) AS scheduler
    FROM node_states FINAL GROUP BY cluster, node) AS n
    ON n.cluster = a.cluster AND n.node = a.node
  GROUP BY cluster, pool, model) AS c
  ON c.cluster = o.cluster AND c.pool = o.pool AND c.model = o.model"""
# What the scheduler calls a model, where all nodes with it say the same.
_TYPES_SQL = """
SELECT toString(a.cluster) AS cluster, toString(a.model) AS model, toString(any(n.type)) AS type
FROM (SELECT DISTINCT cluster, node, model FROM assets FINAL) AS a
INNER JOIN (SELECT cluster, node, argMax(gpu_model, valid_from) AS type FROM node_states FINAL
  WHERE scheduler = 'slurm' GROUP BY cluster, node) AS n
  ON n.cluster = a.cluster AND n.node = a.node
GROUP BY cluster, model HAVING uniqExact(n.type) = 1 AND type != ''"""
