"""Rows of pods: what a life, and what it asks for, is in the words of the catalogue."""

from __future__ import annotations

import re
from datetime import datetime

from analytics.facts.asked import Asked
from analytics.facts.pods import Life
from analytics.facts.says import Says
from gpuledger import accelerators as devices
from gpuledger import kubernetes_names as names
from gpuledger.batch import from_milliseconds
from gpuledger.catalogue.work import Job
from gpuledger.identity import job_id
from gpuledger.rows import changed
from gpuledger.schema import FOREVER
from gpuledger.waits import eligible

REFUSED = "Unschedulable"
GATED = "SchedulingGated"
MOST_BYTES = float(devices.MOST << 20)
# A replica set's name where the label with its hash is not exposed: letters that form no words.
_HASH = re.compile(r"-(?P<hash>[bcdf-hj-np-tv-z2456789]{6,10})")


def share_milli(life: Life, asked: Asked, says: Says) -> int:
    """Thousandths of a card that one device of the pod's request is."""
    here = says.nodes.get(life.node, {})
    return devices.share_milli(
        asked.resource, here or devices.any_labels(asked.resource, says.nodes)
    )


def job_row(life: Life, asked: Asked, says: Says) -> Job:
    """The pod as a job; what is not told of it is what it was last known to be."""
    state, started = _state(life)
    created = from_milliseconds(life.created_ms or life.first_ms)
    reason = _reason(life, asked, says) if state == "pending" else ""
    waits = reason in {"", names.FOR_CAPACITY}
    job = Job(
        job_id=job_id(says.cluster, life.native),
        cluster=says.cluster,
        name=_name(life),
        user=next((life.words[w] for w in says.user_words if life.words.get(w)), ""),
        team=says.teams.of(life.namespace, life.words),
        pool=names.queue_of(life.namespace, life.words, {}),
        state=state,
        reason=names.GONE if life.gone and not life.over_ms else reason,
        gpus_per_node=min(asked.gpus or len(life.held), (1 << 16) - 1),
        cpu_milli=devices.milli(asked.cpu),
        memory_bytes=None if asked.memory is None else min(float(asked.memory), MOST_BYTES),
        gpu_model=devices.model(life.wanted),
        qos=life.priority,
        constraints=",".join(f"{k}={v}" for k, v in sorted(life.wanted.items())),
        share_milli=share_milli(life, asked, says) if asked.gpus else devices.WHOLE,
        kind=names.kind(life.owner_kind, life.words),
        gang=names.gang(life.namespace, life.words, says.cluster),
        submitted=created,
        eligible=created if waits else FOREVER,
        started=started,
        ended=ended(life, started, created),
        **says.seen(),
    )
    job.eligible = eligible(life.row, job, says.at)
    return job


def end_row(before: Job, life: Life, says: Says) -> Job:
    """The end of a job of which only an earlier process knew more."""
    state, _ = _state(life)
    return changed(
        before,
        state=state,
        reason=names.GONE if life.gone and not life.over_ms else "",
        ended=ended(life, before.started, before.submitted),
        **says.seen(),
    )


def _name(life: Life) -> str:
    """The owner's name; where the hash of a replica set is not told, what looks like one."""
    hashed = life.words.get(names.TEMPLATE_HASH, "")
    if not hashed and (found := _HASH.search(life.owner_name[-11:])):
        hashed = found["hash"]
    return names.owner_name(life.owner_kind, life.owner_name, hashed) or life.name


def _state(life: Life) -> tuple[str, datetime]:
    """The state, and when the pod got its node: from then on it holds its GPUs."""
    begun = life.begun_ms or (life.node and (life.created_ms or life.first_ms)) or 0
    started = from_milliseconds(int(begun)) if begun else FOREVER
    state = names.STATES.get(life.phase)
    if state == "failed" and life.taken:
        return "cancelled", started
    if state is None and life.gone:
        return ("completed" if begun else "cancelled"), started
    return state or ("running" if life.node else "pending"), started


def _reason(life: Life, asked: Asked, says: Says) -> str:
    """Why a pod waits.

    The exporter does not tell the scheduler's message. A pod that some node has devices for is not
    refused for want of them.
    """
    if life.gated_ms >= life.phase_ms > 0:
        return GATED
    if life.refused_ms < life.phase_ms:
        return ""
    return REFUSED if says.free.get(asked.resource, 0) >= asked.gpus else names.FOR_CAPACITY


def ended(life: Life, started: datetime, created: datetime) -> datetime:
    """When it ended: as told, else when that was first seen, else when it was last seen."""
    if not life.over:
        return FOREVER
    told = life.completed_ms or life.over_ms or life.last_ms
    first = created if started == FOREVER else started
    return max(from_milliseconds(told), first)
