"""What an earlier process told and did not end, taken over from its rows."""

from __future__ import annotations

from collections.abc import Iterable

from analytics.facts.cards import Claim, Device, Holder
from analytics.facts.holdings import Holdings, Stranger
from analytics.facts.nodes import Quotas
from analytics.facts.pods import Life
from analytics.facts.says import TRUST
from gpuledger.batch import to_milliseconds
from gpuledger.catalogue.work import TRUST_BITS, Allocation, Job, NodeState, Quota
from gpuledger.identity import gpu_id
from gpuledger.schema import FOREVER, Row

MOST_SLOTS = 1024
PHASES = {"pending": "Pending", "running": "Running"}


def adopt(rows: Iterable[Row], holdings: Holdings, quotas: Quotas) -> None:
    """Know pods, allocations, nodes and quotas that are open; words of others are left alone."""
    own = [row for row in rows if getattr(row, "version", 0) >> TRUST_BITS == TRUST]
    for row in own:
        if isinstance(row, Job):
            _job(row, holdings)
        elif isinstance(row, NodeState) and row.valid_to == FOREVER:
            holdings.nodes.adopt(row, to_milliseconds(row.seen_at))
        elif isinstance(row, Quota):
            quotas.adopt(row, row.queue or row.team)
    for row in own:
        if isinstance(row, Allocation) and row.valid_to == FOREVER:
            _allocation(row, holdings)


def _job(row: Job, holdings: Holdings) -> None:
    if row.state not in PHASES:
        return
    native = row.job_id.removeprefix(f"{holdings.cluster}/")
    namespace, _, rest = native.partition("/")
    name, _, uid = rest.partition("@")
    seen_ms = to_milliseconds(row.seen_at)
    if not uid:
        first_ms = to_milliseconds(row.started)
        holdings.strangers[native] = Stranger(namespace, first_ms, row=row)
        return
    life = Life(namespace, name, uid, seen_ms, seen_ms, phase=PHASES[row.state], row=row)
    life.created_ms = to_milliseconds(row.submitted)
    if row.started < FOREVER:
        life.scheduled_ms = to_milliseconds(row.started)
    holdings.pods.adopt(life)


def _allocation(row: Allocation, holdings: Holdings) -> None:
    device = _device(row, holdings.cluster)
    if device is None:
        return
    native = row.job_id.removeprefix(f"{holdings.cluster}/")
    if life := holdings.pods.get(native):
        life.node = life.node or row.node
        life.held[device] = row
        return
    namespace, _, pod = native.rpartition("/")
    first_ms, last_ms = to_milliseconds(row.valid_from), to_milliseconds(row.seen_at)
    holder = Holder(namespace, pod) if namespace else Holder(job=native, sure=True)
    claim = Claim(device, holder, first_ms, last_ms, 0, native if namespace else "", row)
    holdings.cards.adopt(claim)
    if stranger := holdings.strangers.get(native):
        stranger.claims.add((device, holder))


def _device(row: Allocation, cluster: str) -> Device | None:
    """The place whose hash the row has."""
    slots = range(MOST_SLOTS)
    slot = next((s for s in slots if gpu_id(cluster, row.node, s) == row.gpu_id), None)
    return None if slot is None else Device(row.node, slot, row.slice)
