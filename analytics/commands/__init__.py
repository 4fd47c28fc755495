"""Commands that carry out a recommendation: printed for people, never run, each with its undo.

What to know of one stands in it as comments. Every name is quoted for a shell. A name that the
program itself would read as a list, a pattern or another command's option, or that a terminal
would obey, gets no command at all: a note says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest

from analytics.commands import kubectl, mig, slurm
from analytics.commands.command import Block, Command, named, nothing

__all__ = [
    "Command",
    "ask_less",
    "cancel",
    "drain",
    "hold",
    "joined",
    "move",
    "nothing",
    "power_down",
    "quota",
    "repartition",
    "together",
]

SLURM, KUBERNETES = "slurm", "kubernetes"
NEXT = "Then, once that is done:"


def cancel(job_id: str, scheduler: str) -> Command:
    """End a job. `job_id` is `<cluster>/<native id>`, as everywhere."""
    if scheduler == SLURM:
        return slurm.cancel(_native(job_id))
    return kubectl.evict(_native(job_id)) if scheduler == KUBERNETES else _unknown(scheduler)


def hold(job_id: str, scheduler: str) -> Command:
    """Keep a waiting job from starting."""
    return slurm.hold(_native(job_id)) if scheduler == SLURM else _unknown(scheduler)


def move(job_id: str, scheduler: str, source: str, to: str) -> Command:
    """Stop a job on one node and let it start again on another, from its last checkpoint."""
    if scheduler == SLURM:
        return slurm.move(_native(job_id), to)
    if scheduler == KUBERNETES:
        return kubectl.move(_native(job_id), source, to)
    return _unknown(scheduler)


def ask_less(job_id: str, scheduler: str, gpus: int, before: int) -> Command:
    """Let a job that still waits ask for so many GPUs on each node, in place of `before`."""
    return slurm.ask(_native(job_id), gpus, before) if scheduler == SLURM else _unknown(scheduler)


def drain(node: str, scheduler: str, reason: str) -> Command:
    """Start nothing new on a node; what runs there goes on."""
    if scheduler == SLURM:
        return slurm.drain(node, reason)
    return kubectl.cordon(node) if scheduler == KUBERNETES else _unknown(scheduler)


def power_down(node: str, scheduler: str) -> Command:
    """Switch a node off once nothing runs on it."""
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


def repartition(gpu_uuid: str, before: Sequence[str], after: Sequence[str]) -> Command:
    """Cut a card into other MIG slices, e.g. `("3g.40gb", "4g.40gb")`; it must be empty."""
    return mig.repartition(gpu_uuid, before, after)


def joined(parts: Sequence[Command]) -> Command:
    """One after another; what takes them back runs the other way round.

    Without any command where one part has none: half of a plan is another plan.
    """
    if not all(p.do for p in parts):
        return _broken(parts)
    if any(p.after for p in parts):
        first, rest = parts[0], parts[1:]
        later = (block for p in rest for block in (Block(NEXT, p.do), *p.after))
        return _whole(parts, first.do, (*first.after, *later))
    return _whole(parts, tuple(line for p in parts for line in p.do))


def together(parts: Sequence[Command]) -> Command:
    """The first lines of all parts, then the second ones: all jobs stop before one starts."""
    if not all(p.do for p in parts):
        return _broken(parts)
    if any(p.after for p in parts):
        return nothing(
            "pods that change places at once cannot be told where to go: ask for a plan in which"
            " tasks move one after another, --mode live"
        )
    return _whole(parts, _by_turns(p.do for p in parts))


def _by_turns(lists: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(line for turn in zip_longest(*lists) for line in turn if line is not None)


def _whole(parts: Sequence[Command], do: tuple[str, ...], after: tuple[Block, ...] = ()) -> Command:
    undo = tuple(line for p in reversed(parts) for line in p.undo)
    return Command(
        do,
        undo if all(p.undo for p in parts) else (),
        _once(p.note for p in parts),
        _once(p.undo_note for p in parts),
        after,
    )


def _broken(parts: Sequence[Command]) -> Command:
    return nothing(_once(p.note for p in parts if not p.do) or "a part of it has no command")


def _once(notes: Iterable[str]) -> str:
    """A line for each note that is there."""
    return "\n".join(dict.fromkeys(filter(None, notes)))


def _native(job_id: str) -> str:
    """The scheduler's own id."""
    return job_id.partition("/")[2]


def _unknown(scheduler: str) -> Command:
    if not scheduler:
        return nothing("no scheduler is known that would take it")
    return nothing(f"the scheduler {named(scheduler)} takes no such command")
