"""Episodes: from one snapshot of a scheduler to the next, what began, changed and ended.

A scheduler tells of what is; what was must be remembered. What vanished ended when it was last
seen. All that is listed is kept in `memory`, so that a restart of the agent closes it too. Nothing
is taken as told before all rows of a snapshot are made: one that fails is said again by the next.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime

from collector.keepsake import changed, pack, says_the_same, unpack
from collector.slurm_rows import ENDED, Snapshot
from collector.waits import eligible
from gpuledger.batch import from_milliseconds, to_milliseconds
from gpuledger.catalogue.work import Allocation, Job, NodeState
from gpuledger.schema import FOREVER, Row

SEEN = "seen"
JOB = "job/"
NODE = "node/"


@dataclass(frozen=True)
class Run:
    """A job with the GPUs that it holds now."""

    job: Job
    allocations: tuple[Allocation, ...] = ()

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.job.state in ENDED


class Episodes:
    """What was last known of every job and node."""

    def __init__(self, memory: MutableMapping[str, str]) -> None:
        self._memory = memory
        self._runs: dict[str, Run] = {}
        self._nodes: dict[str, NodeState] = {}
        self._seen: datetime | None = None
        self._recalled = False

    def advance(
        self,
        runs: Iterable[Run],
        nodes: Iterable[NodeState],
        snapshot: Snapshot,
        *,
        everything: bool,
    ) -> list[Row]:
        """Rows that this snapshot adds; with `everything` also those that say nothing new.

        Priorities grow with age: a new priority alone is told with `everything` only.
        """
        if not self._recalled:
            self._recall()
        current = {run.job.job_id: run for run in runs}
        listed = {node.node: node for node in nodes}
        rows = [
            *self._jobs(current, snapshot, everything=everything),
            *self._states(listed, snapshot, everything=everything),
        ]
        self._keep(current, listed, snapshot.at)
        return rows

    def _jobs(
        self, current: Mapping[str, Run], snapshot: Snapshot, *, everything: bool
    ) -> Iterator[Row]:
        for key, known in self._runs.items():
            if key not in current:
                yield from self._vanished(known, snapshot)
        for key, run in current.items():
            before = self._runs.get(key)
            run.job.eligible = eligible(before.job if before else None, run.job, snapshot.at)
            yield from self._differences(before, run, snapshot, everything=everything)

    def _differences(
        self, known: Run | None, run: Run, snapshot: Snapshot, *, everything: bool
    ) -> Iterator[Row]:
        """The job if it says something new, GPUs that it gave back, GPUs that it got."""
        if everything or known is None or not _same_job(known.job, run.job):
            yield run.job
        before = {a.alloc_id: a for a in known.allocations} if known else {}
        now = {a.alloc_id: a for a in run.allocations}
        until = run.job.ended if run.over else self._last_seen(snapshot)
        for key, allocation in before.items():
            if key not in now:
                yield _closed(allocation, until, snapshot)
        for key, allocation in now.items():
            if everything or key not in before or not says_the_same(before[key], allocation):
                yield allocation

    def _vanished(self, known: Run, snapshot: Snapshot) -> Iterator[Row]:
        """What the scheduler no longer lists ended, we know not how, when it was last seen."""
        if known.over:
            return
        until = self._last_seen(snapshot)
        for allocation in known.allocations:
            yield _closed(allocation, until, snapshot)
        state = "completed" if known.job.state == "running" else "cancelled"
        gone = changed(
            known.job,
            state=state,
            reason="no longer listed by the scheduler",
            ended=until,
            seen_at=snapshot.at,
            version=snapshot.version,
        )
        gone.eligible = eligible(known.job, gone, snapshot.at)
        yield gone

    def _states(
        self, listed: Mapping[str, NodeState], snapshot: Snapshot, *, everything: bool
    ) -> Iterator[NodeState]:
        for name, known in self._nodes.items():
            if name not in listed:
                yield _ended(known, self._last_seen(snapshot), snapshot)
        for name, node in listed.items():
            known_node = self._nodes.get(name)
            if known_node:
                yield from self._follow(known_node, node, snapshot)
            if everything or known_node is None or not says_the_same(known_node, node):
                yield node

    def _follow(self, known: NodeState, node: NodeState, snapshot: Snapshot) -> Iterator[NodeState]:
        """Date the node's state, and end the one before it where it is another.

        The scheduler may date the reason, not the state: what the last snapshot saw stands.
        """
        if (known.state, known.reason) == (node.state, node.reason):
            node.valid_from = known.valid_from
            return
        node.valid_from = max(node.valid_from, known.valid_from, self._last_seen(snapshot))
        if node.valid_from > known.valid_from:
            yield _ended(known, node.valid_from, snapshot)

    def _last_seen(self, snapshot: Snapshot) -> datetime:
        return self._seen or snapshot.at

    def _keep(self, runs: dict[str, Run], nodes: dict[str, NodeState], seen: datetime) -> None:
        """What is listed now is what is known, here and across restarts."""
        gone = [JOB + key for key in self._runs.keys() - runs.keys()]
        gone += [NODE + name for name in self._nodes.keys() - nodes.keys()]
        for key in gone:
            self._memory.pop(key, None)
        for key, run in runs.items():
            if not _same_run(self._runs.get(key), run):
                kept = [pack(run.job), [pack(a) for a in run.allocations]]
                self._memory[JOB + key] = json.dumps(kept)
        for name, node in nodes.items():
            known = self._nodes.get(name)
            if known is None or not says_the_same(known, node):
                self._memory[NODE + name] = json.dumps(pack(node))
        self._memory[SEEN] = str(to_milliseconds(seen))
        self._runs, self._nodes, self._seen = runs, nodes, seen

    def _recall(self) -> None:
        """What an earlier life of this agent knew; read once, at the first snapshot."""
        for key, value in self._memory.items():
            if key == SEEN:
                self._seen = from_milliseconds(int(value))
            elif key.startswith(JOB):
                job, allocations = json.loads(value)
                rows = tuple(unpack(Allocation, a) for a in allocations)
                self._runs[key.removeprefix(JOB)] = Run(unpack(Job, job), rows)
            elif key.startswith(NODE):
                self._nodes[key.removeprefix(NODE)] = unpack(NodeState, json.loads(value))
        self._recalled = True


def _same_job(one: Job, other: Job) -> bool:
    return says_the_same(one, other, "priority")


def _same_run(one: Run | None, other: Run) -> bool:
    return (
        one is not None
        and _same_job(one.job, other.job)
        and len(one.allocations) == len(other.allocations)
        and all(map(says_the_same, one.allocations, other.allocations))
    )


def _closed(allocation: Allocation, until: datetime, snapshot: Snapshot) -> Allocation:
    until = max(allocation.valid_from, until if until != FOREVER else snapshot.at)
    return changed(allocation, valid_to=until, seen_at=snapshot.at, version=snapshot.version)


def _ended(node: NodeState, until: datetime, snapshot: Snapshot) -> NodeState:
    until = max(node.valid_from, until)
    return changed(node, valid_to=until, seen_at=snapshot.at, version=snapshot.version)
