"""Holdings: which job has which GPU, from what exporters say of pods and of cards.

A pod keeps its devices from beginning to end, so one label of dcgm-exporter that names it is
enough; its times are those that kube-state-metrics tells. A holder of whom there is nothing but the
label holds from the first to the last reading that names it. Nothing is guessed: a pod whose device
nobody names holds none, unless it asked for all GPUs of its node.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from analytics.facts.asked import Asked
from analytics.facts.cards import SOURCE, Cards, Claim, Device, Holder
from analytics.facts.hearing import Hearing
from analytics.facts.nodes import Nodes
from analytics.facts.pods import Life, Pods
from analytics.facts.rows import share_milli
from analytics.facts.says import Says
from gpuledger.accelerators import WHOLE, model, profile_share
from gpuledger.batch import from_milliseconds
from gpuledger.catalogue.host import MissingValue
from gpuledger.catalogue.work import Allocation, Job
from gpuledger.identity import alloc_id, asset_id, gpu_id, hash64, job_id
from gpuledger.kubernetes_names import native_id
from gpuledger.rows import changed, says_the_same
from gpuledger.schema import FOREVER, Row

KUBE = "kube-state-metrics"
# The ledger ends what nobody named for 25 minutes.
NAMED_AGAIN_MS = 600_000
NOBODY = "-"  # a label that names the exporter itself
OWN = "dcgm-exporter"


@dataclass
class Stranger:
    """A pod of which only labels are known."""

    namespace: str
    first_ms: int
    claims: set[tuple[Device, Holder]] = field(default_factory=set)
    row: Job | None = None


@dataclass
class Holdings:
    """Settles claims, and tells allocations that began, changed or ended."""

    cluster: str
    kube: Hearing
    pods: Pods
    nodes: Nodes
    cards: Cards
    jobs: dict[str, Job] = field(default_factory=dict)
    strangers: dict[str, Stranger] = field(default_factory=dict)

    def rows(self, says: Says, touched: set[str]) -> Iterator[Row]:
        """What is new since the last time; `touched` are pods of which something new was heard."""
        for claim in list(self.cards.claims.values()):
            if claim.holder.job:
                yield from self._batch_job(claim, says)
            else:
                yield from self._pod(claim, says)
        for native in list(self.strangers):
            yield from self._stranger(native, says)
        for life in self.pods.all():
            if life.row and (life.native in touched or self._due(life)):
                life.told_ms = life.seen_ms
                yield from self._life(life, life.row, says)

    def _due(self, life: Life) -> bool:
        """Whether its allocations should be said again, or its devices looked for."""
        if life.over:
            return False
        return not life.held or life.seen_ms - life.told_ms >= NAMED_AGAIN_MS

    def _batch_job(self, claim: Claim, says: Says) -> Iterator[Row]:
        """A job of Slurm; its times are accounting's where that was read."""
        over = self.cards.missed(claim)
        if claim.told_ms and not over and claim.last_ms - claim.told_ms < NAMED_AGAIN_MS:
            return
        claim.told_ms = claim.last_ms
        job = job_id(self.cluster, claim.holder.job)
        known = self.jobs.get(job)
        ends = from_milliseconds(claim.last_ms) if over else FOREVER
        since, restart = from_milliseconds(claim.first_ms), 0
        if known:
            restart = known.restart
            since = min(known.started, since)
            if known.ended < FOREVER and known.ended >= since:
                ends = known.ended
        row = self._row(claim.device, job, restart, says)
        row.valid_from, row.valid_to = since, ends
        yield from self._news(claim, row, from_milliseconds(claim.last_ms))
        if over:
            self.cards.drop(claim)

    def _pod(self, claim: Claim, says: Says) -> Iterator[Row]:
        """Find out which life of a pod it is, and whether it goes on."""
        bound = self.pods.get(claim.native)
        if bound and not bound.over:
            bound.named_ms = max(bound.named_ms, claim.last_ms)
        elif bound and claim.last_ms > claim.asked_ms:
            claim.asked_ms = claim.last_ms
        if claim.asked_ms:
            self._settle(claim, says)
        if claim.native in self.strangers:
            yield from self._known_by_label(claim, says)
        elif not claim.asked_ms and self.cards.missed(claim):
            self.cards.drop(claim)

    def _settle(self, claim: Claim, says: Says) -> None:
        holder, asked = claim.holder, claim.asked_ms
        life = self._named(holder, asked)
        waited = self.kube.last_ms - asked > self.kube.patience_ms
        heard = self.cards.hearing(claim.device)
        unheard = not self.kube.last_ms and heard and heard.last_ms - asked > heard.patience_ms
        if life and (life.last_ms >= asked or waited):
            if holder.sure or life.asked(says.resources).gpus:
                self._bind(claim, life)
            elif waited:
                claim.native, claim.asked_ms = NOBODY, 0
        elif not life and (waited or unheard):
            claim.asked_ms = 0
            if not claim.native:
                self._introduce(claim)

    def _bind(self, claim: Claim, life: Life) -> None:
        claim.asked_ms = 0
        if claim.native != life.native:
            claim.native = life.native
            self.pods.changed.add(life.native)
            life.held.setdefault(claim.device, None)

    def _named(self, holder: Holder, at_ms: int) -> Life | None:
        if holder.uid:
            return self.pods.get(native_id(holder.namespace, holder.pod, holder.uid))
        return self.pods.at(holder.namespace, holder.pod, at_ms)

    def _introduce(self, claim: Claim) -> None:
        """A pod that nobody else knows; not the exporter's own."""
        holder = claim.holder
        own = claim.device.node in self.cards.relabelled or OWN in holder.pod
        if own and not holder.sure:
            claim.native = NOBODY
            return
        claim.native = native_id(holder.namespace, holder.pod, holder.uid)
        stranger = self.strangers.setdefault(
            claim.native, Stranger(holder.namespace, claim.first_ms)
        )
        stranger.first_ms = min(stranger.first_ms, claim.first_ms)
        stranger.claims.add((claim.device, holder))

    def _known_by_label(self, claim: Claim, says: Says) -> Iterator[Row]:
        """An allocation from label to label; void as soon as the pod itself is heard of."""
        since = from_milliseconds(claim.first_ms)
        row = self._row(claim.device, job_id(self.cluster, claim.native), 0, says)
        if not claim.holder.uid:
            # The name alone may come back: a later holder of that name is another allocation.
            row.alloc_id = hash64(f"{row.alloc_id}@{claim.first_ms}")
        row.valid_from = since
        life, over = self._named(claim.holder, claim.last_ms), self.cards.missed(claim)
        if life:
            row.valid_to = since
        elif over:
            row.valid_to = from_milliseconds(claim.last_ms)
        yield from self._news(claim, row, from_milliseconds(claim.last_ms))
        if life or over:
            self.strangers[claim.native].claims.discard((claim.device, claim.holder))
        if life:
            claim.native, claim.asked_ms, claim.row = "", claim.first_ms, None
        elif over:
            self.cards.drop(claim)

    def _stranger(self, native: str, says: Says) -> Iterator[Row]:
        """A job of which its namespace is known, and how many GPUs it was seen on."""
        stranger = self.strangers[native]
        before = stranger.row
        started = from_milliseconds(stranger.first_ms)
        over, life = not stranger.claims, self.pods.get(native)
        if over:
            del self.strangers[native]
            if life or before is None:
                return
            known = self.pods.at(stranger.namespace, native.partition("/")[2], says.at_ms)
            ended = started if known else before.seen_at
            state = "cancelled" if known else "completed"
            yield changed(before, state=state, ended=ended, **says.seen())
            return
        claims = [self.cards.claims[key] for key in stranger.claims if key in self.cards.claims]
        seen = from_milliseconds(max((c.last_ms for c in claims), default=stranger.first_ms))
        row = Job(
            job_id=job_id(self.cluster, native),
            cluster=self.cluster,
            name=native.partition("/")[2].partition("@")[0],
            user="",
            team=says.teams.of(stranger.namespace),
            state="running",
            gpus_per_node=len(claims),
            memory_bytes=None,
            submitted=started,
            eligible=started,
            started=started,
            seen_at=seen,
            version=says.version,
        )
        stranger.row = row
        if before is None or not says_the_same(before, row):
            yield row

    def _life(self, life: Life, job: Job, says: Says) -> Iterator[Row]:
        """Allocations of a pod that kube-state-metrics tells of."""
        asked = life.asked(says.resources)
        if life.lost or (not life.held and not life.over):
            yield from self._unplaced(life, job, asked, says)
        if job.started == FOREVER:
            return
        share = self._share(life, asked, says)
        for device, before in life.held.items():
            row = self._row(device, job.job_id, 0, says)
            row.valid_from, row.valid_to = job.started, job.ended
            row.share_milli = share if not device.slice else self._of_slice(device, share)
            row.seen_at = from_milliseconds(life.seen_ms)
            if before and not life.requests:
                row.share_milli = before.share_milli
            row.source = before.source if before else KUBE if life.whole_node else SOURCE
            if before is None or _is_news(before, row):
                life.held[device] = row
                yield row

    def _unplaced(self, life: Life, job: Job, asked: Asked, says: Says) -> Iterator[Row]:
        """A pod on no known device: all of its node's, if it asked for all of them."""
        waited = self.kube.last_ms - max(life.first_ms, life.begun_ms) > self.kube.patience_ms
        running = job.state == "running" and asked.gpus > 0 and waited
        if running and not life.held:
            life.held.update(dict.fromkeys(self._everything(life, asked, says)))
            life.whole_node = bool(life.held)
        lost = running and not life.held
        if lost is not life.lost:
            life.lost = lost
            yield _missing(life, job, says)

    def _everything(self, life: Life, asked: Asked, says: Says) -> list[Device]:
        count = self.nodes.gpus(life.node, says.resources)
        if asked.gpus != count or share_milli(life, asked, says) != WHOLE:
            return []
        heard = self.cards.whole(life.node)
        if not heard:
            return [Device(life.node, slot) for slot in range(count)]
        return heard if len(heard) == count else []

    def _share(self, life: Life, asked: Asked, says: Says) -> int:
        """Of each device: what was asked for, over all that it was seen on."""
        if not asked.gpus or not life.held:
            return WHOLE
        total = asked.gpus * share_milli(life, asked, says)
        return max(1, min(WHOLE, round(total / len(life.held))))

    def _of_slice(self, device: Device, share: int) -> int:
        node = self.nodes.labels.get(device.node, {})
        return profile_share(device.profile, model(node)) or share

    def _row(self, device: Device, job: str, restart: int, says: Says) -> Allocation:
        """An open allocation of the device to the job."""
        asset = asset_id(self.cluster, device.node, device.slot)
        gpu = gpu_id(self.cluster, device.node, device.slot)
        place = hash64(f"{asset}/{device.slice}") if device.slice else gpu
        return Allocation(
            gpu_id=gpu,
            alloc_id=alloc_id(job, restart, place),
            job_id=job,
            cluster=self.cluster,
            node=device.node,
            share_milli=self._of_slice(device, WHOLE) if device.slice else WHOLE,
            valid_from=says.at,
            source=SOURCE,
            slice=device.slice,
            **says.seen(),
        )

    def _news(self, claim: Claim, row: Allocation, seen: datetime) -> Iterator[Allocation]:
        row.seen_at = seen
        if claim.row is None or _is_news(claim.row, row):
            claim.row = row
            yield row


def _is_news(before: Allocation, row: Allocation) -> bool:
    """Whether it says something new, or the same after so long that it should be said again."""
    if not says_the_same(before, row):
        return True
    again = (row.seen_at - before.seen_at).total_seconds() * 1000 >= NAMED_AGAIN_MS
    return row.valid_to == FOREVER and (again or before.seen_at == FOREVER)


def _missing(life: Life, job: Job, says: Says) -> MissingValue:
    """That nobody says which GPUs a pod has, or that somebody does now."""
    detail = f"{job.gpus_per_node} GPUs of {life.node}; no label of {SOURCE} names the pod"
    return MissingValue(
        cluster=says.cluster,
        node=life.node,
        source=KUBE,
        subject=life.native,
        reading="gpu",
        reason="unsupported" if life.lost else "",
        detail=detail if life.lost else "",
        **says.seen(),
    )
