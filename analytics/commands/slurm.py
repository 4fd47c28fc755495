"""Commands of Slurm: scontrol, scancel and sacctmgr.

Options and states as the manuals of scontrol(1), scancel(1) and sacctmgr(1) have them. Values are
given as `Key=value`, so that none is taken for an option; a native id stands alone only where it
begins with no dash.
"""

from __future__ import annotations

from collections.abc import Sequence

from analytics.commands.command import Command, Unspeakable, line, named, nothing, spoken

# What these programs read as several names, or as a range of them; a quote ends a value there.
SEVERAL = ",[]{}\"'\\ \t\n"
REQUEUE_NOTE = "batch jobs alone, and only while Slurm remembers them: MinJobAge"
POWER_NOTE = "needs SuspendProgram and ResumeProgram in slurm.conf"
LIMIT_NOTE = "sacctmgr shows what it changes and asks before it does"
WAITS_NOTE = "while it waits, and only where it asked by the node: --gres or --gpus-per-node"
BOTH_NOTE = (
    "jobs of both partitions may start there then, until slurmctld reads slurm.conf again; write it"
    " there too to keep it"
)
BACK_NOTE = "what has started there goes on"
MOVE_NOTE = "the job begins again from its last checkpoint, batch jobs alone, with --requeue"
# sacctmgr clears a limit that is set to this.
NO_LIMIT = -1


@spoken
def cancel(native: str) -> Command:
    """End a job; a batch job that Slurm still remembers can be handed in again as it was."""
    job = _id(native)
    return Command(
        (line("scancel", job),), (line("scontrol", "requeue", job),), undo_note=REQUEUE_NOTE
    )


@spoken
def move(native: str, to: str) -> Command:
    """Put a job back into the queue and let it start on that node alone."""
    job, update = _id(native), f"JobId={_id(native)}"
    wanted = f"ReqNodeList={_one(to)}"
    return Command(
        (
            line("scontrol", "requeuehold", job),
            line("scontrol", "update", update, wanted),
            line("scontrol", "release", job),
        ),
        (
            line("scontrol", "requeuehold", job),
            line("scontrol", "update", update, "ReqNodeList="),
            line("scontrol", "release", job),
        ),
        MOVE_NOTE,
        MOVE_NOTE,
    )


@spoken
def ask(native: str, gpus: int, before: int) -> Command:
    """Let a waiting job ask for so many GPUs on each node."""
    job = f"JobId={_id(native)}"
    return Command(
        (line("scontrol", "update", job, f"TresPerNode=gres/gpu:{gpus:d}"),),
        (line("scontrol", "update", job, f"TresPerNode=gres/gpu:{before:d}"),),
        WAITS_NOTE,
        WAITS_NOTE,
    )


@spoken
def drain(node: str, reason: str) -> Command:
    """Start nothing new on a node; what runs there goes on."""
    name = f"NodeName={_one(node)}"
    return Command(
        (line("scontrol", "update", name, "State=DRAIN", f"Reason={reason or 'gpuledger'}"),),
        (line("scontrol", "update", name, "State=RESUME"),),
    )


@spoken
def power_down(node: str) -> Command:
    """Drain a node, then switch it off by the site's SuspendProgram once its jobs have ended."""
    closed, name = drain(node, "gpuledger: spare"), f"NodeName={_one(node)}"
    return Command(
        (*closed.do, line("scontrol", "update", name, "State=POWER_DOWN_ASAP")),
        (line("scontrol", "update", name, "State=POWER_UP"), *closed.undo),
        POWER_NOTE,
        POWER_NOTE,
    )


@spoken
def widen(partition: str, nodes: Sequence[str], more: Sequence[str]) -> Command:
    """Let a partition have more nodes beside its own."""
    name = f"PartitionName={_one(partition)}"
    wide, own = (
        f"Nodes={','.join(_one(node) for node in listed)}" for listed in ((*nodes, *more), nodes)
    )
    return Command(
        (line("scontrol", "update", name, wide),),
        (line("scontrol", "update", name, own),),
        BOTH_NOTE,
        BACK_NOTE,
    )


@spoken
def limit(cluster: str, account: str, gpus: int | None, before: int | None) -> Command:
    """GPUs that the jobs of an account may hold together, in its association; None = no limit."""
    if not account:
        return nothing("a limit of Slurm belongs to an account")
    where = ["where", f"name={_one(account)}", *([f"cluster={_one(cluster)}"] if cluster else [])]
    modify = ("sacctmgr", "modify", "account", *where, "set")
    return Command(
        (line(*modify, f"GrpTRES=gres/gpu={_limit(gpus)}"),),
        (line(*modify, f"GrpTRES=gres/gpu={_limit(before)}"),),
        LIMIT_NOTE,
        LIMIT_NOTE,
    )


def _limit(gpus: int | None) -> int:
    return NO_LIMIT if gpus is None else gpus


def _id(native: str) -> str:
    """A job's own id, which is a number, or what somebody wrote in its place."""
    if not native or native.startswith("-") or "," in native:
        raise Unspeakable(f"{named(native)} is no job id of Slurm")
    return native


def _one(name: str) -> str:
    """One name, not several."""
    if not name or any(char in SEVERAL for char in name):
        raise Unspeakable(f"Slurm would not read {named(name)} as one name")
    return name
