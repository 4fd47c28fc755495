"""Occupancy: where no scheduler gives GPUs away, a process on a GPU holds it for its user.

The processes of one container, pod or Slurm job are one job; elsewhere those of one login session
(what `torchrun` starts, say). The word of every scheduler outweighs this one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from collector.processes import Owner
from collector.source import Context, Trust
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue.work import Allocation, Job, version
from gpuledger.identity import alloc_id, gpu_id, job_id
from gpuledger.schema import FOREVER, UNSET_TIME, Row

REFRESH_S = 60.0
LONG, SHORT = 64, 12  # digits of a container's id, and those that its own tools show


@dataclass(frozen=True)
class Use:
    """A process of this owner on the GPU in this slot."""

    slot: int
    owner: Owner


class Held(msgspec.Struct):
    """A job that goes on: who, since when, and each GPU's slot with the time it was taken."""

    user: str
    name: str
    began: datetime
    slots: dict[int, datetime]
    seen: datetime


class Occupancy:
    """Turns uses into jobs and allocations; remembers open ones across restarts."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._open: dict[str, Held] | None = None
        self._told_at = 0.0

    def rows(self, uses: Iterable[Use]) -> Iterator[Row]:
        """Facts that are new, that ended, and every minute all that hold."""
        now = datetime.fromtimestamp(self._context.clock.wall(), UTC)
        before = self._recall() if self._open is None else self._open
        current = self._group(uses, before, now)
        refresh = self._context.clock.monotonic() - self._told_at >= REFRESH_S
        news = {n: h for n, h in current.items() if refresh or _is_new(before.get(n), h)}
        for native, held in before.items():
            yield from self._ended(native, held, current.get(native), now)
        for native, held in news.items():
            yield from self._going_on(native, held, now)
        self._keep(news, gone=before.keys() - current.keys())
        self._open = current
        if refresh:
            self._told_at = self._context.clock.monotonic()

    def _keep(self, news: Mapping[str, Held], gone: Iterable[str]) -> None:
        """Remember what was told, once all of it was told."""
        memory = self._context.memory
        memory.update({n: msgspec.json.encode(held).decode() for n, held in news.items()})
        for native in gone:
            memory.pop(native, None)

    def _recall(self) -> dict[str, Held]:
        memory = self._context.memory
        return {k: msgspec.json.decode(v, type=Held) for k, v in memory.items()}

    def _group(
        self, uses: Iterable[Use], before: dict[str, Held], now: datetime
    ) -> dict[str, Held]:
        """Jobs by native id: one per container, or per user and session."""
        known = {(h.user, native.partition("@")[0]): native for native, h in before.items()}
        out: dict[str, Held] = {}
        for use in uses:
            owner = use.owner
            began = now if owner.started == UNSET_TIME else owner.started
            user, session = self._holder(owner)
            native = known.setdefault(
                (user, session), f"{session}@{to_milliseconds(began) // 1000}"
            )
            earlier = before.get(native)
            held = out.setdefault(
                native,
                Held(user, owner.executable, earlier.began if earlier else began, {}, now),
            )
            taken = earlier.slots.get(use.slot, began) if earlier else began
            held.slots[use.slot] = min(taken, held.slots.get(use.slot, taken))
        return out

    def _holder(self, owner: Owner) -> tuple[str, str]:
        """Who holds the GPU, and the place where all processes are one job.

        In a container root is nobody in particular: there the container itself is the user.
        """
        if not owner.runtime:
            return owner.user, f"{self._context.node}.{owner.session}"
        name = owner.container
        place = f"{owner.runtime}:{name if len(name) < LONG else name[:SHORT]}"
        return place if owner.is_root else owner.user, f"{self._context.node}.{place}"

    def _going_on(self, native: str, held: Held, now: datetime) -> Iterator[Row]:
        yield self._job(native, held, now)
        for slot in held.slots:
            yield self._allocation(native, held, slot, now, FOREVER)

    def _ended(self, native: str, held: Held, later: Held | None, now: datetime) -> Iterator[Row]:
        """A GPU that the job no longer uses was its own until it was last seen there."""
        for slot in held.slots:
            if later is None or slot not in later.slots:
                yield self._allocation(native, held, slot, now, held.seen)
        if later is None:
            yield self._job(native, held, now, ended=held.seen)

    def _job(self, native: str, held: Held, now: datetime, ended: datetime = FOREVER) -> Job:
        return Job(
            job_id=job_id(self._context.cluster, native),
            cluster=self._context.cluster,
            name=held.name,
            user=held.user,
            state="running" if ended == FOREVER else "completed",
            gpus_per_node=len(held.slots),
            memory_bytes=None,
            submitted=held.began,
            eligible=held.began,
            started=held.began,
            ended=ended,
            seen_at=now,
            version=version(Trust.PROCESS, to_milliseconds(now)),
        )

    def _allocation(
        self, native: str, held: Held, slot: int, now: datetime, until: datetime
    ) -> Allocation:
        context = self._context
        job, gpu = job_id(context.cluster, native), gpu_id(context.cluster, context.node, slot)
        return Allocation(
            gpu_id=gpu,
            alloc_id=alloc_id(job, 0, gpu),
            job_id=job,
            cluster=context.cluster,
            node=context.node,
            valid_from=held.slots[slot],
            valid_to=until,
            source="process",
            seen_at=now,
            version=version(Trust.PROCESS, to_milliseconds(now)),
        )


def _is_new(known: Held | None, held: Held) -> bool:
    return known is None or known.slots != held.slots
