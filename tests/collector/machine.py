"""A machine with NVIDIA GPUs: the source above the real nvidia-ml-py and a fake driver.

Each machine is a process of its own; it reads when told to, and each reading is one second after
the one before, in our clock and in the driver's, whatever the real time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.fakes import nvml

CHILD = """
import ctypes, json, logging, sys
from pathlib import Path
from collector.pace import Tick
from collector.source import Clock, Context
from collector.sources.nvml import source
from collector.stamp import Stamp
from gpuledger.errors import GpuledgerError

class Lines(logging.Handler):
    def emit(self, record):
        rows.append({"table": "log", "text": record.getMessage()})

def let_pass(seconds):
    now[0] += seconds
    try:
        driver = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return
    driver.fake_nvml_pass(ctypes.c_double(seconds))

now, rows = [1000.0], []
clock = Clock(lambda: 1_800_000_000.0 + now[0], lambda: now[0])
log = logging.Logger("child")
log.addHandler(Lines())
kept = Path(sys.argv[2])
memory = json.loads(kept.read_text() or "{}") if kept.exists() else {}
here = Context("c", "n1", root=Path(sys.argv[1]), clock=clock, log=log, memory=memory)
stamp = Stamp(here, 0)
nvml = source.make(source.settings(), here)
for line in sys.stdin:
    let_pass(float(line))
    rows = []
    try:
        for row in nvml.read():
            stamp.apply(row, Tick(int(now[0] * 1000), float(line)))
            rows.append({"table": row.table.name, **row.__dict__})
        kept.write_text(json.dumps(memory))
        print(json.dumps(rows, default=str), flush=True)
    except GpuledgerError as e:
        print(json.dumps({"error": type(e).__name__, "text": str(e)}), flush=True)
nvml.close()
"""

Row = dict[str, Any]


class Machine:
    """A process with the source in it; `read` lets it read once. `memory` is a file."""

    def __init__(
        self, environment: dict[str, str], root: Path = Path("/"), memory: Path = Path("/dev/null")
    ) -> None:
        self.passed_s = 0.0
        self.environment, self.root, self.memory = environment, root, memory
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(root), str(memory)],
            env=environment,
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def read(self, after_s: float = 1.0) -> Any:
        """Every row of one reading, or what went wrong."""
        assert self.process.stdin
        assert self.process.stdout
        self.passed_s += after_s
        self.process.stdin.write(f"{after_s}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def table(self, name: str) -> list[Row]:
        """The rows of one table in one reading."""
        return of_table(self.read(), name)

    def close(self) -> None:
        with self.process:
            assert self.process.stdin
            self.process.stdin.close()
            assert self.process.wait(10) == 0


class Bench:
    """Starts machines and changes what their driver says."""

    def __init__(self, folder: Path, place: Path) -> None:
        self._folder = folder
        self._scenario = place / "scenario"
        self._started: list[Machine] = []

    def start(
        self, scenario: nvml.Scenario, *, old_driver: bool = False, root: Path = Path("/")
    ) -> Machine:
        scenario.write(self._scenario)
        library = nvml.build(self._folder, old_driver=old_driver)
        memory = self._scenario.with_name(f"memory{len(self._started)}")
        environment = nvml.environment(library, self._scenario)
        self._started.append(Machine(environment, root, memory))
        return self._started[-1]

    def again(self, machine: Machine, rows: list[Row] | None = None) -> Machine:
        """The same machine with a new process, which has read once, into `rows`."""
        after = Machine(machine.environment, machine.root, machine.memory)
        self._started.append(after)
        told = after.read(machine.passed_s + 1.0)
        if rows is not None:
            rows += told
        return after

    def change(self, scenario: nvml.Scenario, *, reset_counters: bool = False) -> None:
        scenario.write(
            self._scenario,
            reset_counters=reset_counters,
            ahead_s=self._started[-1].passed_s,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for machine in self._started:
            machine.close()


def without_driver() -> dict[str, str]:
    """An environment where no NVIDIA library is found."""
    return {k: v for k, v in os.environ.items() if k != "LD_LIBRARY_PATH"}


def of_table(rows: list[Row], name: str) -> list[Row]:
    return [row for row in rows if row["table"] == name]


def of_slot(rows: list[Row], slot: int) -> Row:
    (row,) = [r for r in rows if r["slot"] == slot]
    return row


def values(row: Row) -> Row:
    """What the device said, without stamps and identity."""
    own = ("slot", "uuid", "gpu_id", "table", "ts", "interval_seconds", "cluster", "node", "epoch")
    return {k: v for k, v in row.items() if k not in own}


def told(row: Row) -> Row:
    """The same without what is missing."""
    return {k: v for k, v in values(row).items() if v is not None}


def reasons(rows: list[Row], subject: str) -> dict[str, str]:
    """Reason by reading, of one subject."""
    found = of_table(rows, "missing_values")
    return {r["reading"]: r["reason"] for r in found if r["subject"] == subject}
