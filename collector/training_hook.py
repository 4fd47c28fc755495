"""Training hook: tells the node's agent how far training is, without waiting and without failing.

    progress = Progress()
    for batch in progress.data(loader):
        with progress.step():
            loss = train(batch)
        if due:
            with progress.checkpoint():
                save()

Copy this one file into your code, or import it: it needs the standard library only. Sums are kept
in this process; a thread posts them every ten seconds, after a checkpoint and at the end, as OTLP
metrics in JSON to a unix socket of the node. Who listens knows the process from the kernel, so
there is nobody to name. Without a listener all of it is additions. For one thread at a time.

Times are those of this process: a step that only hands work to a GPU ends when that is handed over.
Over many steps that is the GPU's time too, since its queue fills up.
"""

from __future__ import annotations

import atexit
import json
import os
import socket
import threading
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType

SOCKET = "/run/gpuledger-training/agent.sock"
SOCKET_VARIABLE = "GPULEDGER_TRAINING_SOCKET"
RANK_VARIABLES = ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK")
PATH = "/v1/metrics"
RANK = "gpuledger.training.rank"
# Field of `Totals` to metric: name, UCUM unit, and whether it only grows.
METRICS = {
    "steps": ("gpuledger.training.steps", "{step}", True),
    "step_s": ("gpuledger.training.step.time", "s", True),
    "data_wait_s": ("gpuledger.training.data_wait.time", "s", True),
    "checkpoint_s": ("gpuledger.training.checkpoint.time", "s", True),
    "checkpoints": ("gpuledger.training.checkpoints", "{checkpoint}", True),
    "last_step": ("gpuledger.training.last_step", "{step}", False),
    "last_checkpoint_s": ("gpuledger.training.last_checkpoint", "s", False),
}
CUMULATIVE = 2  # OTLP's AggregationTemporality
PERIOD_S = 10.0
ANSWER_S = 2.0
END_S = 1.0

T = TypeVar("T")


class Totals(NamedTuple):
    """What this process did so far; the last checkpoint in seconds since 1970, 0 = none."""

    steps: int = 0
    step_s: float = 0.0
    data_wait_s: float = 0.0
    checkpoint_s: float = 0.0
    checkpoints: int = 0
    last_step: int = 0
    last_checkpoint_s: float = 0.0


class Progress:
    """Sums of one process. A child that is forked off begins its own."""

    def __init__(
        self, path: str | None = None, rank: int | None = None, period_s: float = PERIOD_S
    ) -> None:
        self._path = path
        self._rank = rank
        self._period_s = period_s
        self._pid = 0
        self._began_ns = 0
        self._inner_s = 0.0
        self._totals = Totals()
        self._ended = False
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def totals(self) -> Totals:
        """What was counted so far."""
        return self._totals

    def step(self, number: int | None = None) -> Phase:
        """One step; its number is that of the last step plus one unless it is given."""
        return Phase(self, "step_s", number)

    def checkpoint(self) -> Phase:
        """The time in which a checkpoint is written; it counts once that went well."""
        return Phase(self, "checkpoint_s")

    def data_wait(self) -> Phase:
        """The time in which nothing is done but waiting for data."""
        return Phase(self, "data_wait_s")

    def data(self, loader: Iterable[T]) -> Iterator[T]:
        """The loader's batches; the time until each comes is a wait for data."""
        batches = iter(loader)
        end = object()
        while True:
            with self.data_wait():
                batch: Any = next(batches, end)
            if batch is end:
                return
            yield batch

    def close(self) -> None:
        """Tell the last sums, waiting a second at most. Happens by itself at the end."""
        if self._pid != os.getpid() or self._thread is None:
            return
        self._ended = True
        self._wake.set()
        self._thread.join(END_S)

    def _begin(self) -> None:
        """Start what tells; a process that may have no thread more counts for itself."""
        self._pid, self._began_ns = os.getpid(), time.time_ns()
        self._totals, self._inner_s, self._ended = Totals(), 0.0, False
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._tell_often, name="gpuledger", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            self._thread = None
        else:
            atexit.register(self.close)

    def enter(self) -> tuple[float, float]:
        """A phase begins: the time, and what the phase around it had within it so far."""
        if self._pid != os.getpid():
            self._begin()
        outer, self._inner_s = self._inner_s, 0.0
        return time.perf_counter(), outer

    def leave(self, phase: Phase, began: float, outer_s: float, *, well: bool) -> None:
        """Count the phase without what lay within it."""
        took = time.perf_counter() - began
        own = max(0.0, took - self._inner_s)
        self._inner_s = outer_s + took
        told = self._totals
        if phase.field == "data_wait_s":
            self._totals = told._replace(data_wait_s=told.data_wait_s + own)
        elif phase.field == "checkpoint_s":
            self._totals = told._replace(checkpoint_s=told.checkpoint_s + own)
            if well:
                self._saved()
        elif well:
            number = told.last_step + 1 if phase.number is None else phase.number
            self._totals = told._replace(
                steps=told.steps + 1, step_s=told.step_s + own, last_step=number
            )

    def _saved(self) -> None:
        """A checkpoint is told at once: what is lost later depends on it."""
        told = self._totals
        self._totals = told._replace(
            checkpoints=told.checkpoints + 1, last_checkpoint_s=time.time()
        )
        self._wake.set()

    def _tell_often(self) -> None:
        wake = self._wake
        while not self._ended:
            wake.wait(self._period_s)
            wake.clear()
            # Nobody listens, or not now: the sums go with the next report.
            with suppress(OSError, HTTPException, ValueError):
                self._tell()

    def _tell(self) -> None:
        rank = rank_of(os.environ) if self._rank is None else str(self._rank)
        body = json.dumps(payload(self._totals, rank, self._began_ns, time.time_ns())).encode()
        path = self._path or os.environ.get(SOCKET_VARIABLE) or SOCKET
        connection = UnixConnection(path)
        try:
            connection.request("POST", PATH, body, {"Content-Type": "application/json"})
            connection.getresponse().read()
        finally:
            connection.close()


class Phase:
    """A stretch of time that belongs to one thing; what begins within it is not its own."""

    __slots__ = ("_began", "_outer_s", "_progress", "field", "number")

    def __init__(self, progress: Progress, field: str, number: int | None = None) -> None:
        self._progress = progress
        self.field = field
        self.number = number
        self._began = self._outer_s = 0.0

    def __enter__(self) -> None:
        self._began, self._outer_s = self._progress.enter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.leave(self, self._began, self._outer_s, well=kind is None)


class UnixConnection(HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout_s: float = ANSWER_S) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._unix_path = path

    def connect(self) -> None:
        """Connect. OSError where nobody listens."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._unix_path)


def rank_of(environment: Mapping[str, str]) -> str:
    """This process's rank, as its launcher says; empty where none does."""
    return next((environment[n] for n in RANK_VARIABLES if environment.get(n)), "")


def payload(totals: Totals, rank: str, began_ns: int, now_ns: int) -> dict[str, Any]:
    """An ExportMetricsServiceRequest; OTLP's JSON has 64-bit integers as text."""
    attributes = [{"key": RANK, "value": {"stringValue": rank}}] if rank else []
    metrics = [_metric(f, v, began_ns, now_ns) for f, v in totals._asdict().items()]
    scope = {"scope": {"name": "gpuledger"}, "metrics": metrics}
    return {"resourceMetrics": [{"resource": {"attributes": attributes}, "scopeMetrics": [scope]}]}


def _metric(field: str, value: float, began_ns: int, now_ns: int) -> dict[str, Any]:
    name, unit, grows = METRICS[field]
    number = {"asInt": str(value)} if isinstance(value, int) else {"asDouble": value}
    point = {"startTimeUnixNano": str(began_ns), "timeUnixNano": str(now_ns), **number}
    if not grows:
        return {"name": name, "unit": unit, "gauge": {"dataPoints": [point]}}
    data = {"dataPoints": [point], "aggregationTemporality": CUMULATIVE, "isMonotonic": True}
    return {"name": name, "unit": unit, "sum": data}
