"""Episodes: from one snapshot of a scheduler to the next, what began, changed and ended.

A scheduler tells of what is; what was must be remembered. What vanished ended when accounting says
it did, else when it was last seen. All that is listed is kept in `memory`, so that a restart of the
agent closes it too. Nothing is taken as told before all rows of a snapshot are made: one that
fails is said again by the next.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from collector.keepsake import pack, unpack
from collector.sacct import Ending
from collector.slurm_rows import ENDED, Snapshot
from gpuledger.batch import from_milliseconds, to_milliseconds
from gpuledger.catalogue.work import Allocation, Job, NodeState, Pool, Reservation
from gpuledger.rows import changed, says_the_same
from gpuledger.schema import FOREVER, Row
from gpuledger.waits import eligible

SEEN = "seen"
SINCE = "since"
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
    """A job with the GPUs that it holds now, where the scheduler told which.

    `missed` is when it was last listed, of one that vanished and of whose end nobody told yet.
    """

    job: Job
    allocations: tuple[Allocation, ...] = ()
    told: bool = True
    missed: datetime | None = None

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
        self._gone: dict[str, int] = {}
        self._seen: datetime | None = None
        self._since: datetime | None = None
        self._recalled = False

    def advance(
        self,
        runs: Iterable[Run],
        nodes: Iterable[NodeState],
        snapshot: Snapshot,
        *,
        everything: bool,
        endings: Endings | None = None,
        patient: bool = False,
    ) -> list[Row]:
        """Rows that this snapshot adds; with `everything` also those that say nothing new.

        Priorities grow with age: a new priority alone is told with `everything` only. `endings` are
        what accounting says of jobs that are no longer listed, by their native number. `patient`
        where accounting may yet tell: then no end is concluded of what vanished.
        """
        self._recall()
        current = {run.job.job_id: self._carried(run, snapshot) for run in runs}
        listed = {node.node: node for node in nodes}
        for run in current.values():
            self._revive(run, snapshot)
        since = self._asked_since() if patient else None
        if patient:
            current = {**self._kept_back(current, snapshot), **current}
        rows = [
            *self._jobs(current, snapshot, endings or {}, everything=everything),
            *self._states(listed, snapshot, everything=everything),
        ]
        self._keep(current, listed, snapshot.at)
        self._keep_since(since)
        return rows

    def unheard_since(self, runs: Iterable[Run], snapshot: Snapshot) -> datetime | None:
        """Since when accounting should be asked what ended: a job vanished, or time is missing."""
        self._recall()
        listed = {run.job.job_id for run in runs}
        gone = any(not run.over for key, run in self._runs.items() if key not in listed)
        silent = self._seen is not None and snapshot.at - self._seen > FORGOTTEN_AFTER
        return self._asked_since() if gone or silent or self._since else None

    def known(self, job: str) -> Run | None:
        """The job as the last snapshot listed it, or as it was when it vanished without an end."""
        self._recall()
        return self._runs.get(job)

    def known_node(self, node: str) -> NodeState | None:
        """The node as the last snapshot listed it."""
        self._recall()
        return self._nodes.get(node)

    def _asked_since(self) -> datetime | None:
        return self._since or self._seen

    def _kept_back(self, current: Mapping[str, Run], snapshot: Snapshot) -> dict[str, Run]:
        """What is not listed and not concluded; ended jobs too, lest they be told as unheard."""
        seen = self._last_seen(snapshot)
        lost = {key: run for key, run in self._runs.items() if key not in current}
        return {key: replace(run, missed=run.missed or seen) for key, run in lost.items()}

    def _jobs(
        self, current: Mapping[str, Run], snapshot: Snapshot, endings: Endings, *, everything: bool
    ) -> Iterator[Row]:
        for key, known in self._runs.items():
            if key not in current:
                yield from self._vanished(known, snapshot, endings.get(_native(known.job), []))
        for key, run in current.items():
            if run.missed:
                continue
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
        until = told.ended if told else known.missed or self._last_seen(snapshot)
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
        self._gone[job.job_id] = to_milliseconds(snapshot.at)
        self._memory[GONE + job.job_id] = str(self._gone[job.job_id])
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
        if not run.over and run.job.job_id in self._gone:
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
        gone += [GONE + job for job in self._forgotten(seen)]
        gone += [NODE + name for name in self._nodes.keys() - nodes.keys()]
        for key in gone:
            self._memory.pop(key, None)
        for key, run in runs.items():
            if not _same_run(self._runs.get(key), run):
                self._memory[JOB + key] = _packed(run)
        for name, node in nodes.items():
            known = self._nodes.get(name)
            if known is None or not says_the_same(known, node):
                self._memory[NODE + name] = json.dumps(pack(node))
        self._memory[SEEN] = str(to_milliseconds(seen))
        self._runs, self._nodes, self._seen = runs, nodes, seen

    def _forgotten(self, now: datetime) -> list[str]:
        """Jobs that were said to be gone so long ago that nobody expects them back."""
        until = to_milliseconds(now - REMEMBERED)
        old = [job for job, at_ms in self._gone.items() if at_ms < until]
        for job in old:
            del self._gone[job]
        return old

    def _keep_since(self, since: datetime | None) -> None:
        """From when accounting is to be asked again."""
        if since:
            self._memory[SINCE] = str(to_milliseconds(since))
        else:
            self._memory.pop(SINCE, None)
        self._since = since

    def _recall(self) -> None:
        """What an earlier life of this agent knew; read once, at the first snapshot."""
        if self._recalled:
            return
        for key, value in self._memory.items():
            if key == SEEN:
                self._seen = from_milliseconds(int(value))
            elif key == SINCE:
                self._since = from_milliseconds(int(value))
            elif key.startswith(GONE):
                self._gone[key.removeprefix(GONE)] = int(value)
            elif key.startswith(JOB):
                self._runs[key.removeprefix(JOB)] = _unpacked(value)
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


def _packed(run: Run) -> str:
    missed = [to_milliseconds(run.missed)] if run.missed else []
    return json.dumps([pack(run.job), [pack(a) for a in run.allocations], *missed])


def _unpacked(kept: str) -> Run:
    job, allocations, *missed = json.loads(kept)
    rows = tuple(unpack(Allocation, a) for a in allocations)
    since = from_milliseconds(missed[0]) if missed else None
    return Run(unpack(Job, job), rows, missed=since)


def _same_job(one: Job, other: Job) -> bool:
    return says_the_same(one, other, "priority")


def _same_run(one: Run | None, other: Run) -> bool:
    return (
        one is not None
        and one.missed == other.missed
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
