"""A cluster in a store in which a job of eight GPUs waits beside two half empty nodes."""

from __future__ import annotations

from datetime import datetime, timedelta

from gpuledger.catalogue import Job
from gpuledger.store import Store
from tests.analytics.advice.test_demand import hour, lacked
from tests.analytics.world import START, asset, at, given, job, node_state, write

NOW = START + timedelta(hours=4)
NEVER_ENDS = NOW + timedelta(days=30)
# Of fewer than three days nothing is known of what would be used.
EARLIER_H = 4 * 24


def crumbs(store: Store, *, preemptible: int = 1, ends_by: datetime = NEVER_ENDS) -> None:
    """Two nodes of eight GPUs with a job on each, since three hours; eight lacked for four days."""
    nodes = ("n0", "n1")
    write(store, [asset(slot, n) for n in nodes for slot in range(8)])
    write(store, [node_state(n, gpus=8, cpus=64, memory_gib=512) for n in nodes])
    runs = [_running(str(i), preemptible, ends_by) for i in range(2)]
    write(store, [*runs, given("0", 0, "n0", since=at(60)), given("1", 0, "n1", since=at(60))])
    waits = job("9", state="pending", reason="Resources", gpus=8, name="big", eligible=at(60))
    hours = [START + timedelta(hours=h) for h in range(-EARLIER_H, 4)]
    lack = [lacked(at, 8) for at in hours[:EARLIER_H]]
    write(store, [waits, *map(hour, hours), *lack, lacked(NOW - timedelta(minutes=1), 8)])


def _running(native: str, preemptible: int, ends_by: datetime) -> Job:
    told = job(native, started=at(60), ends_by=ends_by, cpus=4, memory_gib=16)
    told.preemptible = preemptible
    return told
