"""Episodes: from one snapshot of a scheduler to the next, what began, changed and ended.

A scheduler tells of what is; what was must be remembered. What vanished ended when accounting says
it did, else when it was last seen. All that is listed is kept in `memory`, so that a restart of the
agent closes it too. Nothing is taken as told before all rows of a snapshot are made: one that
fails is said again by the next.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from collector.keepsake import changed, pack, says_the_same, unpack
from collector.sacct import Ending
from collector.slurm_rows import ENDED, Snapshot
from collector.waits import eligible
from gpuledger.batch import from_milliseconds, to_milliseconds
from gpuledger.catalogue.work import Allocation, Job, NodeState, Pool, Reservation
from gpuledger.schema import FOREVER, Row

SEEN = "seen"
JOB = "job/"
NODE = "node/"
GONE = "gone/"
# Slurm forgets ended jobs after MinJobAge, 300 s where nobody changed it: what began and ended in a
# longer silence was never listed.
FORGOTTEN_AFTER = timedelta(seconds=240)
# A job that vanished and is there again is believed for so long; its number is not used anew.
REMEMBERED = timedelta(days=2)

Endings = Mapping[int, list[Ending]]
Notice = TypeVar("Notice", bound=Pool | Reservation)


@dataclass(frozen=True)
class Run:
    """A job with the GPUs that it holds now, where the scheduler told which."""

    job: Job
    allocations: tuple[Allocation, ...] = ()
    told: bool = True

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
        endings: Endings | None = None,
    ) -> list[Row]:
        """Rows that this snapshot adds; with `everything` also those that say nothing new.

        Priorities grow with age: a new priority alone is told with `everything` only. `endings` are
        what accounting says of jobs that are no longer listed, by their native number.
        """
        self._recall()
        current = {run.job.job_id: self._carried(run, snapshot) for run in runs}
        listed = {node.node: node for node in nodes}
        for run in current.values():
            self._revive(run, snapshot)
        rows = [
            *self._jobs(current, snapshot, endings or {}, everything=everything),
            *self._states(listed, snapshot, everything=everything),
        ]
        self._keep(current, listed, snapshot.at)
        return rows

    def unheard_since(self, runs: Iterable[Run], snapshot: Snapshot) -> datetime | None:
        """Since when accounting should be asked what ended: a job vanished, or time is missing."""
        self._recall()
        listed = {run.job.job_id for run in runs}
        gone = any(not run.over for key, run in self._runs.items() if key not in listed)
        silent = self._seen is not None and snapshot.at - self._seen > FORGOTTEN_AFTER
        return self._seen if gone or silent else None

    def knows(self, job: str) -> bool:
        """Whether the last snapshot listed the job."""
        return job in self._runs

    def _jobs(
        self, current: Mapping[str, Run], snapshot: Snapshot, endings: Endings, *, everything: bool
    ) -> Iterator[Row]:
        for key, known in self._runs.items():
            if key not in current:
                yield from self._vanished(known, snapshot, endings.get(_native(known.job), []))
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

    def _vanished(self, known: Run, snapshot: Snapshot, endings: Iterable[Ending]) -> Iterator[Row]:
        """What the scheduler no longer lists ended as accounting says, else when last seen."""
        if known.over:
            return
        job, told = known.job, next((e for e in endings if e.is_of(known.job)), None)
        until = told.ended if told else self._last_seen(snapshot)
        for allocation in known.allocations:
            yield _closed(allocation, until, snapshot)
        gone = changed(
            job,
            state=told.state if told else "completed" if job.state == "running" else "cancelled",
            reason="" if told else "no longer listed by the scheduler",
            team=(told.team if told else "") or job.team,
            started=told.started if told else job.started,
            ended=until,
            seen_at=snapshot.at,
            version=snapshot.version,
        )
        gone.eligible = eligible(job, gone, snapshot.at)
        self._memory[GONE + job.job_id] = str(to_milliseconds(snapshot.at))
        yield gone

    def _carried(self, run: Run, snapshot: Snapshot) -> Run:
        """The run; where its GPUs are not told this time, it still holds those it had.

        A controller that has just started may list a job before its nodes have told their GPUs.
        """
        known = self._runs.get(run.job.job_id)
        if run.told or known is None or known.job.started != run.job.started:
            return run
        same = {"seen_at": snapshot.at, "version": snapshot.version}
        return Run(run.job, tuple(changed(a, **same) for a in known.allocations))

    def _revive(self, run: Run, snapshot: Snapshot) -> None:
        """A job said to be gone that is there again: its GPUs outrank their own end."""
        if not run.over and GONE + run.job.job_id in self._memory:
            for allocation in run.allocations:
                allocation.version = snapshot.version_of_end

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
        gone += [k for k, v in self._memory.items() if k.startswith(GONE) and _is_old(v, seen)]
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
        if self._recalled:
            return
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


class Notices(Generic[Notice]):
    """What was last told of every partition, or every reservation."""

    def __init__(self, kind: type[Notice], prefix: str, memory: MutableMapping[str, str]) -> None:
        self._kind = kind
        self._prefix = prefix
        self._memory = memory
        self._known: dict[str, Notice] | None = None

    def advance(
        self, rows: Mapping[str, Notice], snapshot: Snapshot, *, everything: bool
    ) -> list[Row]:
        """Rows by name that say something new, and the ends of those no longer listed."""
        known = self._recall() if self._known is None else self._known
        new = {n: r for n, r in rows.items() if n not in known or not says_the_same(known[n], r)}
        gone = {n: r for n, r in known.items() if n not in rows}
        for name in gone:
            self._memory.pop(self._prefix + name, None)
        for name, row in new.items():
            self._memory[self._prefix + name] = json.dumps(pack(row))
        self._known = dict(rows)
        told = rows if everything else new
        return [*told.values(), *(_removed(row, snapshot) for row in gone.values())]

    def _recall(self) -> dict[str, Notice]:
        kept = {k: v for k, v in self._memory.items() if k.startswith(self._prefix)}
        return {
            k.removeprefix(self._prefix): unpack(self._kind, json.loads(v)) for k, v in kept.items()
        }


def _removed(row: Pool | Reservation, snapshot: Snapshot) -> Row:
    said = {"seen_at": snapshot.at, "version": snapshot.version}
    if isinstance(row, Pool):
        return changed(row, state="inactive", **said)
    until = max(row.valid_from, min(row.valid_to, snapshot.at))
    return changed(row, valid_to=until, **said)


def _native(job: Job) -> int:
    number = job.job_id.rpartition("/")[2]
    return int(number) if number.isdigit() else 0


def _is_old(kept: str, now: datetime) -> bool:
    return now - from_milliseconds(int(kept)) > REMEMBERED


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
    return changed(allocation, valid_to=until, seen_at=snapshot.at, version=snapshot.version_of_end)


def _ended(node: NodeState, until: datetime, snapshot: Snapshot) -> NodeState:
    until = max(node.valid_from, until)
    return changed(node, valid_to=until, seen_at=snapshot.at, version=snapshot.version)
