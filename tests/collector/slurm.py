"""A Slurm made of two fixtures, for the tests of the source that listens to it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from collector.source import Context
from collector.sources.slurm import SlurmSettings, SlurmSource
from gpuledger.catalogue.work import Allocation, Job, NodeState
from gpuledger.errors import ReadError
from gpuledger.schema import Row
from tests.collector.support import FakeClock, Lines, context

FIXTURES = Path(__file__).parents[1] / "fixtures" / "slurm"
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
        self.asked: list[str] = []
        self.here = here or context(clock=self.clock, lines=self.lines)
        self.restart()

    def restart(self) -> None:
        self.source = SlurmSource(SlurmSettings(), self.here, self.ask)

    def ask(self, command: tuple[str, ...]) -> bytes:
        self.asked.append(command[0])
        if command[0] == "scontrol" and self.old:
            raise ReadError("scontrol ended with 1: unrecognized option '--json'")
        return json.dumps(self.jobs if command[0] == "squeue" else self.nodes).encode()

    def read(self, after_s: float = 30.0) -> list[Row]:
        self.clock.pass_s(after_s)
        return list(self.source.read())

    def vanish(self, native: int) -> None:
        self.jobs["jobs"] = [j for j in self.jobs["jobs"] if j["job_id"] != native]

    def job(self, native: int) -> dict[str, Any]:
        found: dict[str, Any] = next(j for j in self.jobs["jobs"] if j["job_id"] == native)
        return found


def jobs(rows: list[Row]) -> dict[str, Job]:
    return {r.job_id: r for r in rows if isinstance(r, Job)}


def allocations(rows: list[Row]) -> list[Allocation]:
    return [r for r in rows if isinstance(r, Allocation)]


def states(rows: list[Row]) -> list[NodeState]:
    return [r for r in rows if isinstance(r, NodeState)]
