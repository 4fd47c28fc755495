"""Commands that carry out a recommendation: printed for people, never run, each with its undo.

What to know of one stands in it as comments. Every name is quoted for a shell. A name that the
program itself would read as a list, a pattern or another command's option, or that a terminal
would obey, gets no command at all: a note says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import NamedTuple

from analytics.commands import kubectl, mig, slurm
from analytics.commands.command import Command, named, nothing
from analytics.commands.mig import equal

__all__ = [
    "Command",
    "Move",
    "ask_less",
    "cancel",
    "equal",
    "joined",
    "lend",
    "move",
    "named",
    "next_run",
    "nothing",
    "power_down",
    "quota",
    "recut",
    "together",
]

SLURM, KUBERNETES = "slurm", "kubernetes"


class Move(NamedTuple):
    """A job, the scheduler that has it, the node that it is on, and where it should go."""

    job_id: str
    scheduler: str
    source: str
    to: str


def cancel(job_id: str, scheduler: str) -> Command:
    """End a job. `job_id` is `<cluster>/<native id>`, as everywhere."""
    if scheduler == SLURM:
        return slurm.cancel(_native(job_id))
    return kubectl.evict(_native(job_id)) if scheduler == KUBERNETES else _unknown(scheduler)


def move(job: Move) -> Command:
    """Stop a job on one node and let it start again on another, from its last checkpoint."""
    native = _native(job.job_id)
    if job.scheduler == SLURM:
        return slurm.move(native, job.to)
    if job.scheduler == KUBERNETES:
        return kubectl.move([(native, job.source, job.to)])
    return _unknown(job.scheduler)


def ask_less(job_id: str, scheduler: str, gpus: int, before: int) -> Command:
    """Let a job that still waits ask for so many GPUs on each node, in place of `before`."""
    return slurm.ask(_native(job_id), gpus, before) if scheduler == SLURM else _unknown(scheduler)


def next_run(job_id: str, scheduler: str, owner: str, gpus: int, before: int) -> Command:
    """Let what makes the pods of a service ask for so many GPUs each, in place of `before`."""
    if scheduler != KUBERNETES:
        return _unknown(scheduler)
    return kubectl.shrink(_native(job_id), owner, gpus, before)


def lend(scheduler: str, partition: str, nodes: Sequence[str], more: Sequence[str]) -> Command:
    """Let the jobs of a partition, which has `nodes`, start on some more."""
    if scheduler != SLURM:
        return _unknown(scheduler)
    return slurm.widen(partition, nodes, more)


def power_down(node: str, scheduler: str) -> Command:
    """Start nothing new on a node, and switch it off once nothing runs on it."""
    if scheduler == SLURM:
        return slurm.power_down(node)
    return kubectl.empty(node) if scheduler == KUBERNETES else _unknown(scheduler)


def quota(
    scheduler: str,
    cluster: str,
    team: str,
    gpus: int | None,
    before: int | None,
    queue: str = "",
) -> Command:
    """Let a team use so many GPUs at most, `before` until now; None = no limit.

    `team` is the account of Slurm or the namespace of Kubernetes, `queue` the ResourceQuota there.
    """
    if scheduler == SLURM:
        return slurm.limit(cluster, team, gpus, before)
    if scheduler == KUBERNETES:
        return kubectl.resource_quota(team, queue, gpus, before)
    return _unknown(scheduler)


def recut(
    gpu_uuid: str,
    node: str,
    scheduler: str,
    before: Sequence[str],
    after: Sequence[str],
    *,
    on: bool = True,
) -> Command:
    """Cut a card into other MIG slices while its node takes nothing new.

    `on` says whether MIG is on. Slices by name (`3g.40gb`) or as `equal` gives them.
    """
    cut = mig.repartition(gpu_uuid, before, after, on=on)
    closed = _closed(node, scheduler)
    if not cut.do or not closed.do:
        return cut if not cut.do else closed
    return Command(
        (*closed.do, *cut.do, *closed.undo),
        (*closed.do, *cut.undo, *closed.undo),
        cut.note,
        cut.undo_note,
    )


def _closed(node: str, scheduler: str) -> Command:
    """A node that takes nothing new while what runs there goes on."""
    if scheduler == SLURM:
        return slurm.drain(node, "gpuledger: MIG slices")
    return kubectl.cordon(node) if scheduler == KUBERNETES else _unknown(scheduler)


def joined(parts: Sequence[Command]) -> Command:
    """One after another; what takes them back runs the other way round.

    Without any command where one part has none: half of a plan is another plan.
    """
    if not all(p.do for p in parts):
        return _broken(parts)
    return _whole(parts, tuple(line for p in parts for line in p.do))


def together(moves: Sequence[Move]) -> Command:
    """All jobs stop before one starts, scheduler by scheduler."""
    pods = [m for m in moves if m.scheduler == KUBERNETES]
    jobs = [move(m) for m in moves if m.scheduler != KUBERNETES]
    parts = [_by_turns(jobs)] if jobs else []
    if pods:
        parts.append(kubectl.move([(_native(m.job_id), m.source, m.to) for m in pods]))
    return joined(parts)


def _by_turns(parts: Sequence[Command]) -> Command:
    """The first lines of all parts, then the second ones."""
    if not all(p.do for p in parts):
        return _broken(parts)
    turns = zip_longest(*(p.do for p in parts))
    return _whole(parts, tuple(line for turn in turns for line in turn if line is not None))


def _whole(parts: Sequence[Command], do: tuple[str, ...]) -> Command:
    undo = tuple(line for p in reversed(parts) for line in p.undo)
    return Command(
        do,
        undo if all(p.undo for p in parts) else (),
        _once(p.note for p in parts),
        _once(p.undo_note for p in parts),
    )


def _broken(parts: Sequence[Command]) -> Command:
    return nothing(_once(p.note for p in parts if not p.do) or "a part of it has no command")


def _once(notes: Iterable[str]) -> str:
    """A line for each note that is there, the first time."""
    return "\n".join(dict.fromkeys(line for note in notes for line in note.splitlines()))


def _native(job_id: str) -> str:
    """The scheduler's own id."""
    return job_id.partition("/")[2]


def _unknown(scheduler: str) -> Command:
    if not scheduler:
        return nothing("no scheduler is known that would take it")
    return nothing(f"the scheduler {named(scheduler)} takes no such command")
