"""Small PyTorch programs with known faults, and how a book of them is held against the labels.

Each program takes the seconds to run and prints `ready` once its work has begun. The hung one works
for the first third, since a hang is known by the busier phase before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_HEAD = """
import os, sys, time, tempfile
import torch
until = time.monotonic() + float(sys.argv[1])
began = time.monotonic()
def matrices(size, kind):
    return [torch.randn(size, size, device="cuda", dtype=kind) for _ in range(2)]
def burn(a, b, times):
    for _ in range(times):
        torch.mm(a, b)
    torch.cuda.synchronize()
def ready():
    torch.cuda.synchronize()
    print("ready", flush=True)
"""

_NOTEBOOK = """
held = torch.empty(int(torch.cuda.mem_get_info()[1] * 0.4), dtype=torch.uint8, device="cuda")
held.fill_(1)
ready()
while time.monotonic() < until:
    time.sleep(1)
"""

# Dropped from the page cache after each pass, so that every batch comes from the disk.
_STARVED = """
a, b = matrices(4096, torch.bfloat16)
with tempfile.NamedTemporaryFile() as data:
    block = os.urandom(1 << 22)
    for _ in range(128):
        data.write(block)
    data.flush(); os.fsync(data.fileno())
    ready()
    while time.monotonic() < until:
        with open(data.name, "rb", buffering=0) as source:
            os.posix_fadvise(source.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            while chunk := source.read(1 << 24):
                time.sleep(0.02)
                burn(a, b, 2)
                if time.monotonic() >= until:
                    break
"""

_SMALL = """
a, b = matrices(96, torch.bfloat16)
ready()
while time.monotonic() < until:
    burn(a, b, 200)
"""

_PLAIN = """
torch.backends.cuda.matmul.allow_tf32 = False
a, b = matrices(8192, torch.float32)
ready()
while time.monotonic() < until:
    burn(a, b, 10)
"""

_FULL = """
a, b = matrices(8192, torch.bfloat16)
ready()
while time.monotonic() < until:
    burn(a, b, 50)
"""

# One block that counts cycles: the kernel never leaves, next to no multiprocessor is in use.
_SPIN = """
a, b = matrices(8192, torch.bfloat16)
ready()
third = began + (until - began) / 3
while time.monotonic() < third:
    burn(a, b, 50)
while time.monotonic() < until:
    torch.cuda._sleep(1_000_000_000)
    torch.cuda.synchronize()
"""


@dataclass(frozen=True)
class Workload:
    """One program: what is true of it, and what the book and findings may call it.

    `after` is the share of its time after which that holds.
    """

    name: str
    label: str
    source: str
    states: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    after: float = 0.0

    @property
    def program(self) -> str:
        """The whole program."""
        return _HEAD + self.source


WORKLOADS = (
    Workload(
        "idle-notebook", "idle_notebook_mem", _NOTEBOOK, ("alloc_idle",), ("idle", "notebook")
    ),
    Workload(
        *("data-starved", "input_bound", _STARVED, ("underused",), ("underused",)),
        causes=("input_bound",),
    ),
    Workload(
        *("small-batch", "small_batch", _SMALL, ("underused",), ("underused", "overprovisioned")),
        causes=("small_batch", "over_provisioned"),
    ),
    Workload(
        *("no-tensor-cores", "no_tensor", _PLAIN, ("productive", "underused"), ("underused",)),
        causes=("no_tensor",),
    ),
    Workload("full-load", "working", _FULL, ("productive",)),
    Workload("hung-spin", "hung", _SPIN, ("stalled",), ("stalled",), after=1 / 3),
)


@dataclass(frozen=True)
class Outcome:
    """What became of one workload."""

    name: str
    label: str
    minutes: Mapping[str, int]
    kinds: tuple[str, ...]
    causes: tuple[str, ...]
    state_right: bool
    kind_right: bool
    cause_right: bool | None
    """None: no cause was asked for."""


def outcome(
    workload: Workload, cells: Sequence[Mapping[str, Any]], findings: Iterable[Mapping[str, Any]]
) -> Outcome:
    """Judge booked minutes (`state`) and findings (`kind`, `cause`) of one workload's job.

    The first and the last minute are shared with what ran before and after, and count for nothing.
    """
    inner = cells[1:-1] if len(cells) > 2 else cells
    rest = inner[round(len(inner) * workload.after) :]
    minutes = Counter(str(c["state"]) for c in rest)
    found = list(findings)
    kinds = tuple(sorted({str(f["kind"]) for f in found}))
    causes = tuple(sorted({str(f["cause"]) for f in found if f["cause"]}))
    likely = minutes.most_common(1)[0][0] if minutes else ""
    expected = set(workload.kinds)
    return Outcome(
        *(workload.name, workload.label, dict(minutes), kinds, causes),
        state_right=likely in workload.states,
        kind_right=bool(expected & set(kinds)) if expected else not kinds,
        cause_right=bool(set(workload.causes) & set(causes)) if workload.causes else None,
    )


def shorter(seconds: float, known: Iterable[str]) -> dict[str, int]:
    """Settings of the book for workloads of that length: conditions of 5 to 15 minutes in less."""
    minutes = max(1, int(seconds // 60) - 2)
    wanted = {
        "idle_after_min": min(5, minutes),
        "low_after_min": min(15, minutes),
        "stalled_after_min": min(10, max(1, minutes // 2)),
        "startup_s": min(600, int(seconds // 4)),
    }
    return {name: value for name, value in wanted.items() if name in set(known)}


def markdown(outcomes: Sequence[Outcome], device: str, seconds: float) -> str:
    """A page of all outcomes."""
    lines = [
        "# Labelled workloads on a real GPU",
        "",
        f"{device}; {seconds:.0f} s each, read by the agent, booked and judged by the runner.",
        "",
        "| workload | label | booked minutes | findings | cause | right |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for o in outcomes:
        booked = ", ".join(f"{state} {n}" for state, n in sorted(o.minutes.items()))
        verdicts = {"state": o.state_right, "finding": o.kind_right, "cause": o.cause_right}
        right = ", ".join(
            f"{name} {'yes' if value else 'NO'}"
            for name, value in verdicts.items()
            if value is not None
        )
        lines.append(
            f"| {o.name} | {o.label} | {booked} | {', '.join(o.kinds)} | {', '.join(o.causes)}"
            f" | {right} |"
        )
    return "\n".join([*lines, ""])
