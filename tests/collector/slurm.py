"""A Slurm made of two fixtures, for the tests of the source that listens to it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from collector.source import Context
from collector.sources.slurm import SlurmSettings, SlurmSource
from gpuledger.catalogue.work import Allocation, Job, NodeState
from gpuledger.errors import ReadError
from gpuledger.schema import Row
from tests.collector.support import FakeClock, Lines, context

FIXTURES = Path(__file__).parents[1] / "fixtures" / "slurm"
R = TypeVar("R", bound=Row)
NOW = 1_795_324_700.0


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / f"{name}.json").read_text())


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class Cluster:
    """A Slurm that says what `jobs` and `nodes` hold, and one source that listens."""

    def __init__(self, version: str = "2405", here: Context | None = None) -> None:
        self.jobs = fixture(f"squeue_{version}")
        self.nodes = fixture("nodes_2405" if version == "2405" else "sinfo_2205")
        self.old = version == "2205"
        self.clock = FakeClock(wall=NOW)
        self.lines = Lines()
        self.partitions = "PartitionName=gpu Nodes=n[1-4] PriorityTier=1 PreemptMode=OFF State=UP"
        self.reservations = "No reservations in the system"
        self.topology = ""
        self.ended: Any = {"jobs": []}
        self.sacct_fails = False
        self.asked: list[str] = []
        self.calls: list[tuple[str, ...]] = []
        self.here = here or context(clock=self.clock, lines=self.lines)
        self.restart()

    def restart(self) -> None:
        self.source = SlurmSource(SlurmSettings(), self.here, self.ask)

    def ask(self, command: tuple[str, ...]) -> bytes:
        self.asked.append(command[0])
        self.calls.append(command)
        if command[-1] in {"partitions", "reservations", "topology"}:
            return str(getattr(self, command[-1])).encode()
        if command[0] == "scontrol" and self.old:
            raise ReadError("scontrol ended with 1: unrecognized option '--json'")
        if command[0] == "sacct" and self.sacct_fails:
            raise ReadError("sacct ended with 1: Unable to connect to slurmdbd")
        if command[0] == "sacct" and self.ended is None:
            raise ReadError("sacct ended with 1: Slurm accounting storage is disabled")
        told = {"squeue": self.jobs, "sacct": self.ended}.get(command[0], self.nodes)
        return json.dumps(told).encode()

    def read(self, after_s: float = 30.0) -> list[Row]:
        self.clock.pass_s(after_s)
        return list(self.source.read())

    def vanish(self, native: int) -> None:
        self.jobs["jobs"] = [j for j in self.jobs["jobs"] if j["job_id"] != native]

    def job(self, native: int) -> dict[str, Any]:
        found: dict[str, Any] = next(j for j in self.jobs["jobs"] if j["job_id"] == native)
        return found


def of_kind(rows: list[Row], kind: type[R]) -> list[R]:
    return [r for r in rows if isinstance(r, kind)]


def jobs(rows: list[Row]) -> dict[str, Job]:
    return {r.job_id: r for r in rows if isinstance(r, Job)}


def allocations(rows: list[Row]) -> list[Allocation]:
    return [r for r in rows if isinstance(r, Allocation)]


def states(rows: list[Row]) -> list[NodeState]:
    return [r for r in rows if isinstance(r, NodeState)]
